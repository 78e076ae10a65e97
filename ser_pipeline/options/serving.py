"""Options of prediction, and of a server that predicts."""

from typing import Annotated, Literal

from pydantic import Field

from ser_pipeline.options.base import OFF, Options, Share, option


class PredictOptions(Options):
    """How to predict."""

    abstain: Share | Literal["auto"] = option(
        0.0,
        "Decide 'uncertain' where the confidence is lower than this; 0 always decides, 'auto' takes the "
        "threshold that was learned with the model, if there is one.",
    )
    corpus: Annotated[str | None, OFF] = option(
        None,
        "Treat the recordings as if they came from this corpus and give them its level, in models of level "
        "'corpus_rms'; 'none' uses the mean level of all training corpora.",
    )
    modality: Literal["speech", "song"] = option(
        "speech", "Listen for speech or song; the toolkit's own features search for a higher pitch in song."
    )
    window_s: Annotated[float, Field(ge=0.5, le=60)] | None = option(
        None,
        "Cut long recordings into windows of this many seconds; without it, a window is as long as the "
        "longest clip that the model looks at.",
        flag="window",
    )
    hop_s: Annotated[float, Field(ge=0.05, le=60)] | None = option(
        None,
        "Start windows this many seconds apart; without it, 1 in a timeline, 0.5 in a live stream, and "
        "half a window where a long recording gets one prediction.",
        flag="hop",
    )
    adapt: bool = option(
        False,
        "Adapt to the voice while it is heard: each window of a timeline or of a live stream is judged by "
        "what was heard of the speaker before it. This is for models trained with --normalise adaptive, and "
        "for recordings of one person.",
    )


class RequestOptions(PredictOptions):
    """What a request to a server asks for."""

    timeline: bool = option(
        False,
        "Also give one prediction for each window.",
        flag="",
    )


class Limits(Options):
    """What a server takes."""

    max_mb: Annotated[float, Field(gt=0, le=1024)] = option(
        25.0, "Take recordings of up to this many megabytes, as they are sent."
    )
    max_s: Annotated[float, Field(gt=0, le=7200)] = option(
        300.0, "Take recordings of up to this many seconds.", flag="max-seconds"
    )
    waiting: Annotated[int, Field(ge=1, le=4096)] = option(
        64, "Work on or queue up to this many recordings; others get status 429.", flag="queue"
    )
    body_s: Annotated[float, Field(gt=0, le=600)] = option(
        30.0, "Wait this many seconds for a recording to arrive.", flag=""
    )

    @property
    def max_bytes(self) -> int:
        """Largest recording, in bytes."""
        return round(self.max_mb * 1e6)
