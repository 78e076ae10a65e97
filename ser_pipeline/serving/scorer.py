"""From a wave to a model's input, and from that input to class scores.

The front end is the store's own. Its numbers are rounded as the store rounds them and then moved
and scaled as training read them, so a prediction equals that of the cached clip.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, Protocol

import numpy as np

from ser_pipeline.arrays import Float32s
from ser_pipeline.datasets.normalise import Voice
from ser_pipeline.errors import AudioError, AudioShort
from ser_pipeline.front_end import AtRate, embedded_span, layout_of, row_of_wave
from ser_pipeline.options import (
    EmbeddingOptions,
    FrontEnd,
    Fused,
    InputOptions,
    ModelInputs,
    ModelOptions,
    WaveOptions,
    mels_of,
    parts_of,
    sequence_of,
)
from ser_pipeline.runs.card import ModelCard

if TYPE_CHECKING:
    from ser_pipeline.models.network import Network

VOICE: Final = ("speaker_center", "speaker_scale")
"""Names of the inputs by which a graph with its encoder inside is told the speaker's mean and deviation."""


@dataclass(frozen=True, slots=True)
class PreparedClip:
    """What the front end makes of a wave.

    Attributes:
        values: mels ``(n_mels, max_frames)``, padded; a vector ``(features,)`` not yet normalised, of
            features or of layers of an encoder; or its steps ``(steps, layers, width)``.
        frames: mel frames that hold sound, or steps; 1 for features.
        start_s: start, in seconds, of the part of the wave that the values come from.
        end_s: end of that part.
        logits: class scores, shape ``(classes,)``, where a graph gave them together with the values.
        ratings: likewise, shape ``(dimensions,)``.
        beside: a vector ``(columns,)`` that stands beside mels or steps, not yet normalised; None for none.
    """

    values: Float32s
    frames: int
    start_s: float
    end_s: float
    logits: Float32s | None = None
    beside: Float32s | None = None
    ratings: Float32s | None = None

    @property
    def vector(self) -> Float32s | None:
        """What is normalised of it, shape ``(columns,)``; None where it is mels or steps alone."""
        return self.values if self.values.ndim == 1 else self.beside

    def with_vector(self, normal: Float32s) -> "PreparedClip":
        """The same clip with its vector normalised."""
        return replace(self, values=normal) if self.values.ndim == 1 else replace(self, beside=normal)


Seen = tuple[PreparedClip | None, tuple[float, float]]
"""What is seen of a recording, or of a window of it, None for silence; and which seconds are judged."""


class Scorer(Protocol):
    """Scores one clip at a time."""

    def logits(self, values: Float32s, frames: int, beside: Float32s | None = None) -> Float32s:
        """Class scores before the softmax, shape ``(classes,)``.

        Args:
            values: padded mels ``(n_mels, max_frames)``, normalised features ``(features,)``, or steps of an
                encoder ``(steps, layers, width)``.
            frames: mel frames that hold sound.
            beside: a normalised vector ``(columns,)`` beside mels or steps; None for none.
        """

    def attention(self, values: Float32s, frames: int) -> Float32s | None:
        """Weights of the steps, shape ``(steps,)``, sum 1; None where there are none."""

    @property
    def rates(self) -> bool:
        """Whether :meth:`ratings` gives any."""

    def ratings(self, values: Float32s, frames: int, beside: Float32s | None = None) -> Float32s | None:
        """Ratings in [-1, 1], shape ``(dimensions,)``; None where they are not known."""


Said = tuple[Float32s, Float32s | None]
"""Class scores of a clip, shape ``(classes,)``, and its ratings, ``(dimensions,)``, if there are any."""


def said_of(scorer: Scorer, clip: PreparedClip) -> Said:
    """What a scorer says of a clip whose vector is normalised."""
    given = clip.values, clip.frames, clip.beside
    return scorer.logits(*given), scorer.ratings(*given)


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

    def logits(self, values: Float32s, frames: int, beside: Float32s | None = None) -> Float32s:
        """See :meth:`Scorer.logits`; of no class for a network that only rates."""
        if self.network.only_rates:
            return np.zeros(0, np.float32)
        return self._given(self.network, values, frames, beside)

    def attention(self, values: Float32s, frames: int) -> Float32s | None:
        """See :meth:`Scorer.attention`."""
        import torch

        from ser_pipeline.models.network import EmbeddingNetwork, one_clip

        if not isinstance(self.network, EmbeddingNetwork):
            return None
        inputs, lengths = one_clip(values, frames, self.options)
        with torch.inference_mode():
            _, weights = self.network.summarise(inputs, lengths)
        if weights is None:
            return None
        found: Float32s = weights[0].numpy()
        return found

    @property
    def rates(self) -> bool:
        """Whether :meth:`ratings` gives any."""
        return self.network.rates

    def ratings(self, values: Float32s, frames: int, beside: Float32s | None = None) -> Float32s | None:
        """See :meth:`Scorer.ratings`."""
        return self._given(self.network.rate, values, frames, beside) if self.rates else None

    def _given(
        self, part: Callable[..., Any], values: Float32s, frames: int, beside: Float32s | None
    ) -> Float32s:
        """What the network, or a part of it, makes of one clip."""
        import torch

        from ser_pipeline.models.network import one_clip

        inputs, lengths = one_clip(values, frames, self.options)
        vectors = None if beside is None else torch.from_numpy(beside)[None]
        with torch.inference_mode():
            made: Float32s = part(inputs, lengths, vectors)[0].numpy()
        return made


class _Graph:
    """What graphs of either kind give beside class scores."""

    def __init__(self, session: Any) -> None:
        self._session = session
        self._gives = {each.name for each in session.get_outputs()}

    def attention(self, values: Float32s, frames: int) -> Float32s | None:
        """Graphs give none."""
        return None

    @property
    def rates(self) -> bool:
        """Whether the graph gives ratings; graphs from before it could do not."""
        return "ratings" in self._gives


class OnnxScorer(_Graph):
    """A graph exported by ``ser export``.

    Args:
        session: an ``onnxruntime.InferenceSession``.
        padded: it takes clips with their padding.
    """

    def __init__(self, session: Any, *, padded: bool) -> None:
        super().__init__(session)
        self._padded = padded
        self._inputs = [each.name for each in session.get_inputs()]

    def logits(self, values: Float32s, frames: int, beside: Float32s | None = None) -> Float32s:
        """See :meth:`Scorer.logits`; of no class for a graph that only rates."""
        if "logits" not in self._gives:
            return np.zeros(0, np.float32)
        return self._given("logits", values, frames, beside)

    def _given(self, output: str, values: Float32s, frames: int, beside: Float32s | None) -> Float32s:
        """One output of the graph for one clip."""
        if values.ndim == 2 and not self._padded:
            values = values[:, :frames]
        given = [values] if beside is None else [values, beside]
        inputs = {
            name: np.ascontiguousarray(each[None]) for name, each in zip(self._inputs, given, strict=True)
        }
        scores: Float32s = self._session.run([output], inputs)[0][0]
        return scores

    def ratings(self, values: Float32s, frames: int, beside: Float32s | None = None) -> Float32s | None:
        """See :meth:`Scorer.ratings`."""
        return self._given("ratings", values, frames, beside) if self.rates else None


class WaveScorer(_Graph):
    """A graph exported by ``ser export`` that has the model's encoder inside and takes samples.

    Args:
        session: an ``onnxruntime.InferenceSession``.
        fewest: samples that the encoder needs.
    """

    def __init__(self, session: Any, *, fewest: int) -> None:
        super().__init__(session)
        self.fewest = fewest
        given = (*session.get_inputs()[1:], *session.get_overridable_initializers())
        self._voice = any(each.name == VOICE[0] for each in given)
        self._gives &= {"logits", "vector", "ratings"}

    def hear(self, wave: Float32s, voice: Voice | None) -> tuple[Float32s, Float32s, Float32s | None]:
        """Class scores ``(classes,)``, the vector ``(features,)`` that is normalised and judged, and ratings.

        Args:
            wave: samples at the model's rate, shape ``(samples,)``.
            voice: of the speaker, for models that describe speakers; None if no speaker is known.
        """
        names = sorted(self._gives)
        told = {
            name: each[0]
            for name, each in zip(names, self._session.run(names, self.inputs(wave, voice)), strict=True)
        }
        return told.get("logits", np.zeros(0, np.float32)), told["vector"], told.get("ratings")

    def inputs(self, wave: Float32s, voice: Voice | None) -> dict[str, Float32s]:
        """The graph's inputs by their names; arguments as for :meth:`hear`."""
        inputs = {"wave": wave}
        if self._voice:
            width = next(each.shape[1] for each in self._session.get_outputs() if each.name == "vector")
            known = voice or Voice(center=(0.0,) * width, scale=(1.0,) * width)
            inputs |= {
                name: np.array(values, np.float32)
                for name, values in zip(VOICE, (known.center, known.scale), strict=True)
            }
        return inputs

    def logits(self, values: Float32s, frames: int, beside: Float32s | None = None) -> Float32s:
        """Class scores of samples of an unknown speaker, shape ``(classes,)``."""
        return self.hear(values, None)[0]

    def ratings(self, values: Float32s, frames: int, beside: Float32s | None = None) -> Float32s | None:
        """See :meth:`Scorer.ratings`."""
        return self.hear(values, None)[2]


def clip_of_wave(
    wave: Float32s,
    card: ModelCard,
    *,
    graph: WaveScorer | None = None,
    corpus: str | None = None,
    modality: str = "speech",
    name: str = "clip",
    at: AtRate | None = None,
) -> PreparedClip:
    """Compute a model's input.

    Args:
        wave: as :func:`ser_pipeline.audio.mono.usable` gives it, at ``card.inputs.sample_rate``, shape
            ``(samples,)``.
        card: of the model.
        graph: of the model, if it has the encoder inside.
        corpus: whose gain to apply at level ``corpus_rms``; None or an unknown one takes the mean.
        modality: ``speech`` or ``song``.
        name: of the recording, for messages.
        at: gives the sound at another rate, for a model whose inputs have several; None resamples the wave.

    Raises:
        AudioError: too short for an encoder or for one step of a network, or without finite features.
        EncoderError: the model's encoder cannot be loaded, or is another one than it was trained with.
    """
    options = _as_stored(card.inputs)
    if graph is not None:
        return _heard(wave, card, graph, name)
    row = row_of_wave(wave, options, modality=modality, at=at)
    if card.model.architecture.inputs == "features":
        values = row.values.astype(np.float32).reshape(-1)
    else:
        values = row.values.astype(layout_of(parts_of(options)[0]).dtype).astype(np.float32)
    fewest, front_end = card.model.architecture.frames_per_step, mels_of(card.inputs)
    if front_end is not None and card.model.masked and row.frames < fewest:  # graphs have no mask
        least_s = fewest * front_end.hop_length / front_end.sample_rate
        raise AudioShort(
            f"{name}: too short: less than {1000 * least_s:.0f} ms of sound are left once trimmed"
        )
    _shift(values, row.frames, card, corpus)
    start, end = (place / options.sample_rate for place in row.span)
    return PreparedClip(values, row.frames, start, end, beside=row.beside)


def _as_stored(inputs: ModelInputs) -> ModelInputs:
    """The inputs as stores hold them: mels at the recorded level, where a corpus decides it."""
    if isinstance(inputs, Fused) and sequence_of(inputs) is not None:
        first, *others = inputs.parts
        return Fused(parts=(first.stored if isinstance(first, FrontEnd) else first, *others))
    return inputs.stored if isinstance(inputs, FrontEnd) else inputs


def heard_through(card: ModelCard) -> tuple[EmbeddingOptions, ...]:
    """The encoders that a model hears through, in the order of its inputs."""
    heard = (part.encoder if isinstance(part, WaveOptions) else part for part in parts_of(card.inputs))
    return tuple(part for part in heard if isinstance(part, EmbeddingOptions))


def encoders_of(card: ModelCard) -> tuple[EmbeddingOptions, ...]:
    """The encoders a graph of this model has inside, if each of its inputs goes through one; else none."""
    found = heard_through(card)
    return found if len(found) == len(parts_of(card.inputs)) else ()


def _heard(wave: Float32s, card: ModelCard, graph: WaveScorer, name: str) -> PreparedClip:
    """What a graph with its encoder inside makes of a wave; trimming is inside too, and only told here."""
    spans = [_span(wave, each) for each in parts_of(card.inputs)]
    if min(last - first for first, last in spans) < graph.fewest:
        raise AudioShort(f"{name}: shorter than one step of the encoder; the recording cannot be used")
    logits, vector, ratings = graph.hear(wave, card.learned.voice)
    if not np.isfinite(vector).all():
        raise AudioError(f"{name}: what the encoder makes of it is not finite; the recording cannot be used")
    rate = card.inputs.sample_rate
    start, end = min(first for first, _ in spans), max(last for _, last in spans)
    return PreparedClip(vector, 1, start / rate, end / rate, logits, ratings=ratings)


def _span(wave: Float32s, part: InputOptions) -> tuple[int, int]:
    """First and end sample of what an encoder hears of a wave."""
    if isinstance(part, WaveOptions):
        return row_of_wave(wave, part).span
    if not isinstance(part, EmbeddingOptions):
        raise TypeError("a graph with its encoder inside hears samples alone")
    return embedded_span(wave, part)


def _shift(values: Float32s, frames: int, card: ModelCard, corpus: str | None) -> None:
    """Set the level of mels, in place, as training did for the corpus."""
    from ser_pipeline.datasets.normalise import OTHER_CORPORA, shift_levels, shifts

    front_end = mels_of(card.inputs)
    if card.learned.gains_db and front_end is not None:
        moved = shifts(card.learned.gains_db, [corpus or OTHER_CORPORA], front_end)
        shift_levels(values[None], np.array([frames]), moved)
