"""One clip: a speaker says or sings a sentence with an emotion, in a room."""

from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from ser_pipeline.arrays import Float32s, Float64s
from ser_pipeline.errors import SettingsError
from ser_pipeline.records import Intensity, Modality
from ser_pipeline.synth import speech
from ser_pipeline.synth.folders import named_rng
from ser_pipeline.synth.profiles import TRAITS, Sex, Speaker, draw_speaker, draw_traits
from ser_pipeline.synth.speech import LANGUAGE_VOWELS, Sound, sentence
from ser_pipeline.synth.voice import ROOMS, Quality, record, render

_EDGE = Sound(0.03, (500.0, 1500.0, 2500.0))  # sources rise from and fall to silence
_CONVERSATION: Final = 0.85  # emotions in dialogue are milder than on stage


@dataclass(frozen=True, slots=True)
class Part:
    """The sentence, its speaker and its delivery; with a seed this determines every sample.

    Attributes:
        corpus: key of :data:`ROOMS`: room, rate and style.
        voice: names the speaker; the same name is the same voice.
        sex: of the speaker.
        emotion: key of the profiles.
        intensity: how strongly it is acted.
        sentence: names the series of sounds.
        take: tells apart clips that are otherwise the same.
        language: whose vowels to use.
        modality: spoken or sung.
    """

    corpus: str
    voice: str
    sex: Sex
    emotion: str
    sentence: str
    take: str = "a"
    intensity: Intensity = "unspecified"
    language: str = "en"
    modality: Modality = "speech"


def traits_of(part: Part, speaker: Speaker, seed: int) -> Float64s:
    """How the clip is delivered, relative to the speaker's neutral, shape ``(traits,)``."""
    strength = _CONVERSATION if part.corpus == "iemocap" else 1.0
    rng = named_rng(seed, "traits", part)
    return draw_traits(speaker, part.emotion, part.intensity, rng, strength=strength)


def perform(part: Part, seed: int) -> Float32s:
    """Synthesise a clip.

    Args:
        part: what to perform.
        seed: of the whole set of corpora.

    Returns:
        Mono wave at the corpus's sample rate, within [-0.9, 0.9], shape ``(samples,)``.

    Raises:
        LabelError: the emotion has no profile.
    """
    speaker = draw_speaker(seed, part.voice, part.sex)
    trait = dict(zip(TRAITS, traits_of(part, speaker, seed).tolist(), strict=True))
    rng = named_rng(seed, "clip", part)
    sung = part.modality == "song"
    sounds = (_EDGE, *sentence(part.language, part.sentence, syllables=5 if sung else None), _EDGE)
    rate = speaker.rate * 2 ** trait["rate_log2"]
    seconds = speech.durations(sounds, rate**0.5 if sung else rate, rng, sung=sung)
    semitones = trait["pitch_st"] + _contour(part, sounds, seconds, speaker, trait, rng)
    pitch_hz = np.clip(speaker.pitch_hz * 2 ** (semitones / 12), 60.0, 700.0)
    dry = render(sounds, seconds, pitch_hz, _quality(speaker, trait), rng)
    return record(dry, part.corpus, speaker.level_db + trait["level_db"], rng)


def _contour(
    part: Part,
    sounds: tuple[Sound, ...],
    seconds: Float64s,
    speaker: Speaker,
    trait: dict[str, float],
    rng: np.random.Generator,
) -> Float64s:
    spread = 2 ** trait["range_log2"]
    if part.modality == "song":
        return speech.sung_pitch(
            sounds, seconds, tune=part.sentence, minor=part.emotion not in speech.BRIGHT_SONGS,
            spread=spread**0.5, vibrato_st=0.35 + abs(trait["tremor_st"]), rng=rng,
        )  # fmt: skip
    return speech.spoken_pitch(
        sounds, seconds, accent_st=speaker.accent_st * spread,
        final_st=trait["final_st"], tremor_st=trait["tremor_st"], rng=rng,
    )  # fmt: skip


def _quality(speaker: Speaker, trait: dict[str, float]) -> Quality:
    rough = float(np.clip(2 ** trait["rough_log2"], 0.3, 4.0))
    return Quality(
        tract=speaker.tract,
        space=float(np.clip(1 + trait["space"], 0.6, 1.3)),
        tilt_db=max(0.0, speaker.tilt_db + trait["tilt_db"]),
        breath_db=min(-8.0, speaker.breath_db + trait["breath_db"]),
        jitter=min(0.04, speaker.jitter * rough),
        shimmer=min(0.25, speaker.shimmer * rough),
        accent_db=max(0.0, 2.0 + trait["accent_db"]),
        open_quotient=speaker.open_quotient,
    )


def synth_recording(
    emotion: str,
    speaker_seed: int,
    *,
    sex: Sex = "female",
    intensity: Intensity = "unspecified",
    sentence: str = "demo/1",
    take: str = "a",
    corpus: str = "emodb",
    language: str = "en",
    modality: Modality = "speech",
) -> Float32s:
    """Synthesise one recording without any folder: for tests, examples and the demo.

    Args:
        emotion: as in ``labels.py``.
        speaker_seed: which voice; any whole number from 0.
        sex: of the voice.
        intensity: how strongly the emotion is acted.
        sentence: names the series of sounds; the same name is the same sentence.
        take: another take differs as two takes of one speaker do.
        corpus: whose recording conditions and sample rate to use.
        language: ``en``, ``de`` or ``pl``: whose vowels.
        modality: spoken or sung.

    Returns:
        Mono wave within [-0.9, 0.9], shape ``(samples,)``, about 1 to 2.5 s long. Its sample rate is
        ``ROOMS[corpus].sample_rate``: 16,000 Hz by default.

    Raises:
        LabelError: the emotion has no profile.
        SettingsError: no such corpus or language.

    Examples:
        >>> wave = synth_recording("anger", 3)
        >>> bool(0.5 < len(wave) / 16_000 < 4), bool(abs(wave).max() <= 0.9)
        (True, True)
    """
    if corpus not in ROOMS:
        raise SettingsError(f"corpus '{corpus}' does not exist; valid are {', '.join(ROOMS)}")
    if language not in LANGUAGE_VOWELS:
        raise SettingsError(
            f"language '{language}' has no vowels here; valid are {', '.join(LANGUAGE_VOWELS)}"
        )
    part = Part(corpus, f"voice-{speaker_seed}", sex, emotion, sentence, take)
    part = replace(part, intensity=intensity, language=language, modality=modality)
    return perform(part, speaker_seed)
