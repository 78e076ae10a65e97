"""From a wave to a model's input, and from that input to class scores.

The front end is the store's own. Its numbers are rounded as the store rounds them and then moved
and scaled as training read them, so a prediction equals that of the cached clip.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, Protocol

import numpy as np
import numpy.typing as npt

from ser_pipeline.arrays import Float32s
from ser_pipeline.audio import rms_db
from ser_pipeline.audio.decode import check_wave
from ser_pipeline.datasets.normalise import Scaling, Voice, first_step
from ser_pipeline.errors import AudioError, AudioSilent, RunError
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
    from ser_pipeline.models import Network

QUIETEST_DB: Final = -70.0
"""A clip below this RMS, after gate and trim, is taken as silence; in dB of full scale. The
quietest of 1,701 clips of six real corpora has -64."""

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
        beside: a vector ``(columns,)`` that stands beside mels or steps, not yet normalised; None for none.
    """

    values: Float32s
    frames: int
    start_s: float
    end_s: float
    logits: Float32s | None = None
    beside: Float32s | None = None

    @property
    def vector(self) -> Float32s | None:
        """What is normalised of it, shape ``(columns,)``; None where it is mels or steps alone."""
        return self.values if self.values.ndim == 1 else self.beside

    def with_vector(self, normal: Float32s) -> "PreparedClip":
        """The same clip with its vector normalised."""
        return replace(self, values=normal) if self.values.ndim == 1 else replace(self, beside=normal)


class _InMemory:
    """As much of a store as describing speakers asks for."""

    def __init__(self, vectors: Float32s) -> None:
        self._vectors = vectors
        self.shape: tuple[int, ...] = vectors.shape[1:]

    def read(self, positions: npt.ArrayLike) -> tuple[Float32s, None, None]:
        return self._vectors[np.asarray(positions, np.int64)], None, None


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
        """See :meth:`Scorer.logits`."""
        import torch

        from ser_pipeline.models import one_clip

        inputs, lengths = one_clip(values, frames, self.options)
        vectors = None if beside is None else torch.from_numpy(beside)[None]
        with torch.inference_mode():
            scores: Float32s = self.network(inputs, lengths, vectors)[0].numpy()
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
        self._inputs = [each.name for each in session.get_inputs()]

    def logits(self, values: Float32s, frames: int, beside: Float32s | None = None) -> Float32s:
        """See :meth:`Scorer.logits`."""
        if values.ndim == 2 and self._fewest:
            values = values[:, : max(frames, self._fewest)]
        given = [values] if beside is None else [values, beside]
        inputs = {
            name: np.ascontiguousarray(each[None]) for name, each in zip(self._inputs, given, strict=True)
        }
        scores: Float32s = self._session.run(["logits"], inputs)[0][0]
        return scores

    def attention(self, values: Float32s, frames: int) -> Float32s | None:
        """Graphs give class scores alone."""
        return None


class WaveScorer:
    """A graph exported by ``ser export`` that has the model's encoder inside and takes samples.

    Args:
        session: an ``onnxruntime.InferenceSession``.
        fewest: samples that the encoder needs.
    """

    def __init__(self, session: Any, *, fewest: int) -> None:
        self._session = session
        self.fewest = fewest
        given = (*session.get_inputs()[1:], *session.get_overridable_initializers())
        self._voice = any(each.name == VOICE[0] for each in given)

    def hear(self, wave: Float32s, voice: Voice | None) -> tuple[Float32s, Float32s]:
        """Class scores ``(classes,)``, and the vector that is normalised and classified, ``(features,)``.

        Args:
            wave: samples at the model's rate, shape ``(samples,)``.
            voice: of the speaker, for models that describe speakers; None if no speaker is known.
        """
        logits, vector = self._session.run(["logits", "vector"], self.inputs(wave, voice))
        return logits[0], vector[0]

    def inputs(self, wave: Float32s, voice: Voice | None) -> dict[str, Float32s]:
        """The graph's inputs by their names; arguments as of :meth:`hear`."""
        inputs = {"wave": wave}
        if self._voice:
            width = self._session.get_outputs()[2].shape[1]
            known = voice or Voice(center=(0.0,) * width, scale=(1.0,) * width)
            inputs |= {
                name: np.array(values, np.float32)
                for name, values in zip(VOICE, (known.center, known.scale), strict=True)
            }
        return inputs

    def logits(self, values: Float32s, frames: int, beside: Float32s | None = None) -> Float32s:
        """Class scores of samples of an unknown speaker, shape ``(classes,)``."""
        return self.hear(values, None)[0]

    def attention(self, values: Float32s, frames: int) -> Float32s | None:
        """Graphs give class scores alone."""
        return None


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
        wave: mono samples at ``card.inputs.sample_rate``, shape ``(samples,)``.
        card: of the model.
        graph: of the model, if it has the encoder inside.
        corpus: whose gain to apply at level ``corpus_rms``; None or an unknown one takes the mean.
        modality: ``speech`` or ``song``.
        name: of the recording, for messages.
        at: gives the sound at another rate, for a model whose inputs have several; None resamples the wave.

    Raises:
        AudioSilent: nothing in it is loud enough.
        AudioError: not finite, too short, or without finite features.
        EncoderError: the model's encoder cannot be loaded, or is another one than it was trained with.
    """
    options = _as_stored(card.inputs)
    check_wave(wave, options.sample_rate, name)
    if graph is not None:
        return _heard(wave, card, graph, name)
    row = row_of_wave(wave, options, modality=modality, at=at)
    _check_level(row.level_db, name)
    if card.model.architecture.inputs == "features":
        values = row.values.astype(np.float32).reshape(-1)
    else:
        values = row.values.astype(layout_of(parts_of(options)[0]).dtype).astype(np.float32)
    _shift(values, row.frames, card, corpus)
    start, end = (place / options.sample_rate for place in row.span)
    return PreparedClip(values, row.frames, start, end, beside=row.beside)


def _as_stored(inputs: ModelInputs) -> ModelInputs:
    """The inputs as stores hold them: mels at the recorded level, where a corpus decides it."""
    if isinstance(inputs, Fused) and sequence_of(inputs) is not None:
        first, *others = inputs.parts
        return Fused(parts=(first.stored if isinstance(first, FrontEnd) else first, *others))
    return inputs.stored if isinstance(inputs, FrontEnd) else inputs


def encoders_of(card: ModelCard) -> tuple[EmbeddingOptions, ...]:
    """The encoders a graph of this model has inside, if each of its inputs goes through one; else none."""
    parts = parts_of(card.inputs)
    heard = [part.encoder if isinstance(part, WaveOptions) else part for part in parts]
    found = tuple(part for part in heard if isinstance(part, EmbeddingOptions))
    return found if len(found) == len(parts) else ()


def _heard(wave: Float32s, card: ModelCard, graph: WaveScorer, name: str) -> PreparedClip:
    """What a graph with its encoder inside makes of a wave; trimming is inside too, and only told here."""
    spans = [_span(wave, each) for each in parts_of(card.inputs)]
    _check_level(rms_db(wave[slice(*spans[0])]), name)
    if min(last - first for first, last in spans) < graph.fewest:
        raise AudioError(f"{name}: shorter than one step of the encoder; the recording cannot be used")
    logits, vector = graph.hear(wave, card.learned.voice)
    if not np.isfinite(vector).all():
        raise AudioError(f"{name}: what the encoder makes of it is not finite; the recording cannot be used")
    rate = card.inputs.sample_rate
    start, end = min(first for first, _ in spans), max(last for _, last in spans)
    return PreparedClip(vector, 1, start / rate, end / rate, logits)


def _span(wave: Float32s, part: InputOptions) -> tuple[int, int]:
    """First and end sample of what an encoder hears of a wave."""
    if isinstance(part, WaveOptions):
        return row_of_wave(wave, part).span
    if not isinstance(part, EmbeddingOptions):
        raise TypeError("a graph with its encoder inside hears samples alone")
    return embedded_span(wave, part)


def _check_level(level_db: float, name: str) -> None:
    if level_db < QUIETEST_DB:
        raise AudioSilent(f"{name}: silent: {level_db:.0f} dB of full scale; at least {QUIETEST_DB:.0f} dB")


def _shift(values: Float32s, frames: int, card: ModelCard, corpus: str | None) -> None:
    """Set the level of mels, in place, as training did for the corpus."""
    from ser_pipeline.datasets.normalise import OTHER_CORPORA, shift_levels, shifts

    front_end = mels_of(card.inputs)
    if card.learned.gains_db and front_end is not None:
        moved = shifts(card.learned.gains_db, [corpus or OTHER_CORPORA], front_end)
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
    return normalised_by(vectors, card, voice_of(vectors, card, one_speaker=one_speaker))


def normalised_by(vectors: Float32s, card: ModelCard, voice: Voice | None) -> Float32s:
    """Normalise vectors of one speaker; the voice is None for models that do not describe speakers."""
    scaling = _scaling(card)
    if voice is None:
        return scaling.apply(first_step(vectors, scaling.names, scaling.mode))
    return scaling.apply(voice.apply(vectors))


def voice_of(vectors: Float32s, card: ModelCard, *, one_speaker: bool) -> Voice | None:
    """Mean and deviation of the speaker of some recordings, as the model's normalisation takes them.

    Args:
        vectors: of recordings, shape ``(clips, features)``.
        card: of the model.
        one_speaker: all of them are of one person.

    Returns:
        None for a model that does not describe speakers.

    Raises:
        RunError: the model wants to know the speaker and there are too few clips to tell.
    """
    mode = _scaling(card).mode
    if mode == "speaker":
        return _by_speaker(vectors, one_speaker)
    if mode != "adaptive":
        return None
    if card.learned.voice is None:
        raise RunError("model.json: learned.voice is missing; train the model again")
    return card.learned.voice.pulled(vectors) if one_speaker else card.learned.voice


def _scaling(card: ModelCard) -> Scaling:
    if card.learned.scaling is None:
        raise RunError("model.json: learned.scaling is missing; train the model again")
    return card.learned.scaling


def _by_speaker(vectors: Float32s, one_speaker: bool) -> Voice:
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
    return Voice(center=tuple(described.center[0].tolist()), scale=tuple(described.scale[0].tolist()))


def speaker_wise(card: ModelCard) -> bool:
    """Whether a model cannot do without several recordings of one person at once."""
    return card.learned.scaling is not None and card.learned.scaling.mode == "speaker"


def adaptive(card: ModelCard) -> bool:
    """Whether a model gains by knowing other recordings of the speaker, and does without them too."""
    return card.learned.voice is not None


def stacked(clips: Sequence[PreparedClip]) -> Float32s:
    """Vectors of clips, not yet normalised, shape ``(clips, columns)``."""
    return np.stack([clip.vector for clip in clips if clip.vector is not None])
