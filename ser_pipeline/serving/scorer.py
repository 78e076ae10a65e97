"""From a wave to a model's input, and from that input to class scores.

The front end is the store's own. Its numbers are rounded as the store rounds them and then moved
and scaled as training read them, so a prediction equals that of the cached clip.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol

import numpy as np
import numpy.typing as npt

from ser_pipeline.arrays import Float32s, Float64s
from ser_pipeline.audio.decode import check_wave
from ser_pipeline.errors import AudioSilent, RunError
from ser_pipeline.front_end import layout_of, row_of_wave
from ser_pipeline.options import FrontEnd, ModelOptions
from ser_pipeline.runs.card import ModelCard

if TYPE_CHECKING:
    from ser_pipeline.models import Network

QUIETEST_DB: Final = -70.0
"""A clip below this RMS, after gate and trim, is taken as silence; in dB of full scale. The
quietest of 1,701 clips of six real corpora has -64."""


@dataclass(frozen=True, slots=True)
class PreparedClip:
    """What the front end makes of a wave.

    Attributes:
        values: mels ``(n_mels, max_frames)``, padded, or a vector ``(features,)`` not yet normalised, of
            features or of layers of an encoder.
        frames: mel frames that hold sound; 1 for features.
        start_s: where what the values are made of begins in the wave, in seconds.
        end_s: where it ends.
    """

    values: Float32s
    frames: int
    start_s: float
    end_s: float


class _InMemory:
    """As much of a store as describing speakers asks for."""

    def __init__(self, vectors: Float32s) -> None:
        self._vectors = vectors
        self.shape: tuple[int, ...] = vectors.shape[1:]

    def read(self, positions: npt.ArrayLike) -> tuple[Float32s, None, None]:
        return self._vectors[np.asarray(positions, np.int64)], None, None


class Scorer(Protocol):
    """Scores one clip at a time."""

    def logits(self, values: Float32s, frames: int) -> Float32s:
        """Class scores before the softmax, shape ``(classes,)``.

        Args:
            values: padded mels ``(n_mels, max_frames)``, or normalised features ``(features,)``.
            frames: mel frames that hold sound.
        """

    def attention(self, values: Float32s, frames: int) -> Float32s | None:
        """Weights of the steps, shape ``(steps,)``, sum 1; None where there are none."""


class TorchScorer:
    """A network of ours, in fp32 on the CPU.

    Args:
        network: in evaluation mode.
        options: of the network. One clip without its padding needs no mask, which is faster and gives the
            same scores.
    """

    def __init__(self, network: "Network", options: ModelOptions) -> None:
        self.network = network
        self.options = options

    def logits(self, values: Float32s, frames: int) -> Float32s:
        """See :meth:`Scorer.logits`."""
        import torch

        from ser_pipeline.models import one_clip

        inputs, lengths = one_clip(values, frames, self.options)
        with torch.inference_mode():
            scores: Float32s = self.network(inputs, lengths)[0].numpy()
        return scores

    def attention(self, values: Float32s, frames: int) -> Float32s | None:
        """See :meth:`Scorer.attention`."""
        import torch

        from ser_pipeline.models import EmbeddingNetwork, one_clip

        if not isinstance(self.network, EmbeddingNetwork):
            return None
        inputs, lengths = one_clip(values, frames, self.options)
        with torch.inference_mode():
            _, weights = self.network.summarise(inputs, lengths)
        if weights is None:
            return None
        found: Float32s = weights[0].numpy()
        return found


class OnnxScorer:
    """A graph exported by ``ser export``.

    Args:
        session: an ``onnxruntime.InferenceSession``.
        fewest: frames of the shortest clip it takes without padding; 0 if it takes clips with their padding.
    """

    def __init__(self, session: Any, *, fewest: int) -> None:
        self._session = session
        self._fewest = fewest
        self._input = session.get_inputs()[0].name

    def logits(self, values: Float32s, frames: int) -> Float32s:
        """See :meth:`Scorer.logits`."""
        if values.ndim == 2 and self._fewest:
            values = values[:, : max(frames, self._fewest)]
        inputs = {self._input: np.ascontiguousarray(values[None])}
        scores: Float32s = self._session.run(["logits"], inputs)[0][0]
        return scores

    def attention(self, values: Float32s, frames: int) -> Float32s | None:
        """Graphs give class scores alone."""
        return None


def clip_of_wave(
    wave: Float32s,
    card: ModelCard,
    *,
    corpus: str | None = None,
    modality: str = "speech",
    name: str = "clip",
) -> PreparedClip:
    """Compute a model's input.

    Args:
        wave: mono samples at ``card.inputs.sample_rate``, shape ``(samples,)``.
        card: of the model.
        corpus: whose gain to apply at level ``corpus_rms``; None or an unknown one takes the mean.
        modality: ``speech`` or ``song``.
        name: of the recording, for messages.

    Raises:
        AudioSilent: nothing in it is loud enough.
        AudioError: not finite, too short, or without finite features.
        EncoderError: the model's encoder cannot be loaded, or is another one than it was trained with.
    """
    options = card.inputs.stored if isinstance(card.inputs, FrontEnd) else card.inputs
    check_wave(wave, options.sample_rate, name)
    row = row_of_wave(wave, options, modality=modality)
    if row.level_db < QUIETEST_DB:
        raise AudioSilent(
            f"{name}: silent: {row.level_db:.0f} dB of full scale; at least {QUIETEST_DB:.0f} dB"
        )
    if not isinstance(options, FrontEnd):
        values = row.values.astype(np.float32).reshape(-1)
    else:
        values = row.values.astype(layout_of(options).dtype).astype(np.float32)
        _shift(values, row.frames, card, corpus)
    return PreparedClip(
        values, row.frames, row.span[0] / options.sample_rate, row.span[1] / options.sample_rate
    )


def _shift(values: Float32s, frames: int, card: ModelCard, corpus: str | None) -> None:
    """Set the level of mels, in place, as training did for the corpus."""
    from ser_pipeline.datasets.normalise import OTHER_CORPORA, shift_levels, shifts

    if card.learned.gains_db and isinstance(card.inputs, FrontEnd):
        moved = shifts(card.learned.gains_db, [corpus or OTHER_CORPORA], card.inputs)
        shift_levels(values[None], np.array([frames]), moved)


def normalised(vectors: Float32s, card: ModelCard, *, one_speaker: bool) -> Float32s:
    """Normalise feature vectors as the model's training clips were.

    Args:
        vectors: of recordings, shape ``(clips, features)``.
        card: of the model.
        one_speaker: all of them are of one person, who is described by them.

    Raises:
        RunError: the model wants to know the speaker and there are too few clips to tell.
    """
    from ser_pipeline.datasets.normalise import first_step

    scaling = card.learned.scaling
    if scaling is None:
        raise RunError("model.json: learned.scaling is missing; train the model again")
    if scaling.mode == "speaker":
        return scaling.apply(_by_speaker(vectors, one_speaker))
    if scaling.mode == "adaptive":
        if card.learned.voice is None:
            raise RunError("model.json: learned.voice is missing; train the model again")
        voice = card.learned.voice.pulled(vectors) if one_speaker else card.learned.voice
        return scaling.apply(voice.apply(vectors))
    return scaling.apply(first_step(vectors, scaling.names, scaling.mode))


def _by_speaker(vectors: Float32s, one_speaker: bool) -> Float64s:
    from ser_pipeline.datasets.speakers import MIN_CLIPS, Surroundings, describe_speakers

    if not one_speaker or len(vectors) < MIN_CLIPS:
        raise RunError(
            f"this model normalises features by speaker: it needs {MIN_CLIPS} or more recordings of one "
            "person at once, and to be told so (--one-speaker); models trained with --normalise none or "
            "adaptive need neither"
        )
    count = len(vectors)
    who = np.full(count, "someone")
    around = Surroundings(np.arange(count), np.zeros(count, np.int8), who)
    described = describe_speakers(_InMemory(vectors), around)
    return described.apply(vectors, around.describing(around.part, who))


def speaker_wise(card: ModelCard) -> bool:
    """Whether a model cannot do without several recordings of one person at once."""
    return card.learned.scaling is not None and card.learned.scaling.mode == "speaker"


def adaptive(card: ModelCard) -> bool:
    """Whether a model gains by knowing other recordings of the speaker, and does without them too."""
    return card.learned.voice is not None


def stacked(clips: Sequence[PreparedClip]) -> Float32s:
    """Values of clips side by side, shape ``(clips, ...)``."""
    return np.stack([clip.values for clip in clips])
