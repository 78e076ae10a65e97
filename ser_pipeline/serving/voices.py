"""How a clip's vector is normalised, by what is known of the person who speaks."""

from collections.abc import Sequence

import numpy as np

from ser_pipeline.arrays import Float32s
from ser_pipeline.datasets.normalise import OTHER_CORPORA, Scaling, Voice, first_step
from ser_pipeline.errors import RunError, SettingsError
from ser_pipeline.options import FeatureOptions, PredictOptions, parts_of
from ser_pipeline.runs.card import ModelCard
from ser_pipeline.serving.scorer import PreparedClip


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
    from ser_pipeline.datasets.speakers import MIN_CLIPS, InMemory, Surroundings, describe_speakers

    if not one_speaker or len(vectors) < MIN_CLIPS:
        raise RunError(
            f"this model normalises features by speaker: it needs {MIN_CLIPS} or more recordings of one "
            "person at once, and to be told so (--one-speaker); models trained with --normalise none or "
            "adaptive need neither"
        )
    around = Surroundings.of(np.full(len(vectors), "someone"))
    described = describe_speakers(InMemory(vectors), around)
    return Voice(center=tuple(described.center[0].tolist()), scale=tuple(described.scale[0].tolist()))


def speaker_wise(card: ModelCard) -> bool:
    """Whether a model cannot do without several recordings of one person at once."""
    return card.learned.scaling is not None and card.learned.scaling.mode == "speaker"


def adaptive(card: ModelCard) -> bool:
    """Whether a model gains by knowing other recordings of the speaker, and does without them too."""
    return card.learned.voice is not None


def check_effect(
    name: str,
    cards: Sequence[ModelCard],
    options: PredictOptions,
    *,
    one_speaker: bool = False,
    dashes: str = "--",
) -> None:
    """Refuse options of a command that would change nothing; without this, they are ignored.

    Args:
        name: of the model, for messages.
        cards: of the model, or of each member of an ensemble.
        options: that were given.
        one_speaker: whether all recordings are said to be of one person.
        dashes: what stands before the name of an option in a message.

    Raises:
        SettingsError: names the first one, or a corpus whose level is unknown.
    """
    gains = {corpus for card in cards for corpus in card.learned.gains_db} - {OTHER_CORPORA}
    listens = any(isinstance(part, FeatureOptions) for card in cards for part in parts_of(card.inputs))
    idle = {
        f"corpus {options.corpus}": options.corpus is not None and not gains,
        "modality song": options.modality == "song" and not listens,
        "one-speaker": one_speaker and not any(speaker_wise(card) or adaptive(card) for card in cards),
    }
    if flag := next((flag for flag, ignored in idle.items() if ignored), None):
        raise SettingsError(f"{dashes}{flag}: has no effect on {name}; leave it out")
    if options.corpus is not None and options.corpus not in gains:
        raise SettingsError(
            f"{dashes}corpus {options.corpus}: {name} knows the levels of {', '.join(sorted(gains))}"
        )


def stacked(clips: Sequence[PreparedClip]) -> Float32s:
    """Vectors of clips, not yet normalised, shape ``(clips, columns)``."""
    return np.stack([clip.vector for clip in clips if clip.vector is not None])
