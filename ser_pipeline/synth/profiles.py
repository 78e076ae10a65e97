"""How emotions sound: traits of delivery per emotion, speaker and clip.

The profiles follow the directions that the literature agrees on (anger: high, loud, bright,
fast; fear: high, narrow, fast, irregular; happiness: high, wide, fairly loud; sadness: low,
narrow, soft, slow, dull, breathy; and so on). The sizes are ours, chosen so that classes
overlap as they do in acted speech.

References:
    Banse, R. and Scherer, K. R. (1996). Acoustic profiles in vocal emotion expression.
    Journal of Personality and Social Psychology 70(3), 614-636.
    Juslin, P. N. and Laukka, P. (2003). Communication of emotions in vocal expression and music
    performance. Psychological Bulletin 129(5), 770-814.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Literal

import numpy as np

from ser_pipeline.arrays import Float64s
from ser_pipeline.errors import LabelError
from ser_pipeline.records import Intensity
from ser_pipeline.synth.folders import named_rng

Sex = Literal["female", "male"]

TRAITS: Final = (
    "pitch_st", "range_log2", "level_db", "rate_log2", "tilt_db", "breath_db",
    "rough_log2", "final_st", "space", "tremor_st", "accent_db",
)  # fmt: skip
"""What an emotion changes, each an addition to the speaker's neutral delivery.

pitch_st: mean pitch, semitones. range_log2: pitch range, octaves of a factor. level_db: loudness.
rate_log2: speed of speaking. tilt_db: fall of the spectrum, dB per octave (less is brighter).
breath_db: breath noise. rough_log2: jitter and shimmer. final_st: pitch movement at the end,
semitones. space: size of the vowel space, share. tremor_st: tremor of pitch, semitones.
accent_db: loudness of accented syllables.
"""

PROFILES: Final[Mapping[str, tuple[float, ...]]] = MappingProxyType(
    {
        # pitch range level  rate  tilt breath rough final space tremor accent
        "neutral": (0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0),
        "anger": (3.6, 0.40, 8.0, 0.20, -2.6, -3.0, 0.8, -1.8, 0.10, 0.0, 2.5),
        "happiness": (5.0, 0.75, 4.0, 0.12, -1.1, 0.0, -0.1, 2.0, 0.08, 0.0, 1.0),
        "sadness": (-1.6, -0.75, -4.8, -0.32, 1.9, 4.5, 0.4, -1.2, -0.14, 0.1, -1.5),
        "fear": (5.6, -0.30, -0.6, 0.26, 0.3, 3.5, 0.9, 0.8, -0.06, 0.45, -0.5),
        "surprise": (5.4, 0.95, 2.6, -0.04, -0.7, 1.5, 0.0, 5.0, 0.08, 0.0, 1.5),
        "disgust": (-1.0, 0.15, 0.4, -0.28, -0.2, 1.0, 0.8, -2.4, 0.06, 0.0, 1.0),
        "calm": (-0.9, -0.35, -3.0, -0.20, 1.0, 2.0, -0.3, -0.8, -0.03, 0.0, -0.8),
        "boredom": (-1.9, -0.90, -2.4, -0.36, 0.9, 1.0, 0.1, -0.6, -0.12, 0.0, -1.8),
        "excitement": (5.4, 0.75, 5.4, 0.22, -1.6, -0.5, 0.1, 1.8, 0.08, 0.0, 1.6),
        "frustration": (1.8, 0.20, 3.0, -0.06, -1.1, 0.5, 0.6, -2.0, 0.05, 0.0, 1.6),
        "contempt": (-0.8, 0.20, 0.8, -0.14, -0.4, 0.0, 0.3, -2.0, 0.04, 0.0, 0.8),
        "other": (0.8, 0.10, 0.6, -0.05, -0.2, 0.8, 0.3, 0.4, 0.0, 0.0, 0.3),
    }
)
"""Emotion -> traits at full intensity, in the order of :data:`TRAITS`."""

INTENSITY_SCALE: Final[Mapping[str, float]] = MappingProxyType(
    {"low": 0.55, "normal": 0.9, "unspecified": 1.0, "high": 1.35}
)
"""Intensity -> how much of its emotion's traits a clip shows."""

CLIP_SPREAD: Final = np.array([1.5, 0.32, 2.2, 0.11, 0.8, 1.8, 0.38, 1.2, 0.04, 0.08, 0.9])
"""Standard deviation of each trait from clip to clip, in the trait's unit."""

_HABIT_SPREAD = 0.40  # of a speaker's own version of an emotion, in units of CLIP_SPREAD
_EXPRESSIVENESS_SPREAD = 0.20  # of how much a speaker uses each trait


@dataclass(frozen=True, slots=True)
class Speaker:
    """A voice and its habits.

    Attributes:
        key: names the voice; two corpora with the same key share it.
        sex: decides the ranges of pitch and vocal tract.
        pitch_hz: mean pitch when neutral.
        tract: factor on all formants (a shorter vocal tract has higher ones).
        accent_st: size of a pitch accent when neutral, in semitones.
        rate: speed of speaking, 1 is average.
        tilt_db: fall of the spectrum when neutral, dB per octave.
        breath_db: breath noise relative to the voice.
        jitter: relative standard deviation of the length of glottal cycles.
        shimmer: relative standard deviation of their amplitude.
        level_db: loudness relative to other speakers.
        open_quotient: share of a cycle with the glottis open.
        use: factor on each trait, shape ``(traits,)``.
        habits: emotion -> addition to each trait, shape ``(traits,)``.
    """

    key: str
    sex: Sex
    pitch_hz: float
    tract: float
    accent_st: float
    rate: float
    tilt_db: float
    breath_db: float
    jitter: float
    shimmer: float
    level_db: float
    open_quotient: float
    use: Float64s
    habits: Mapping[str, Float64s]


def draw_speaker(seed: int, key: str, sex: Sex) -> Speaker:
    """Draw a voice; the same seed and key always give the same one."""
    rng = named_rng(seed, "speaker", key)
    pitch, tract = (198.0, 1.16) if sex == "female" else (112.0, 1.0)
    low, high = 1 - 1.5 * _EXPRESSIVENESS_SPREAD, 1 + 2 * _EXPRESSIVENESS_SPREAD
    return Speaker(
        key=key,
        sex=sex,
        pitch_hz=pitch * 2 ** (float(rng.normal(0, 1.5)) / 12),
        tract=tract * float(np.exp(rng.normal(0, 0.03))),
        accent_st=2.4 * float(np.exp(rng.normal(0, 0.18))),
        rate=float(np.exp(rng.normal(0, 0.08))),
        tilt_db=4.0 + float(rng.normal(0, 0.7)) + (0.8 if sex == "female" else 0.0),
        breath_db=-27.0 + float(rng.normal(0, 2.0)) + (2.0 if sex == "female" else 0.0),
        jitter=0.006 * float(np.exp(rng.normal(0, 0.3))),
        shimmer=0.05 * float(np.exp(rng.normal(0, 0.3))),
        level_db=float(rng.normal(0, 1.2)),
        open_quotient=float(rng.uniform(0.5, 0.68)),
        use=np.clip(rng.normal(1, _EXPRESSIVENESS_SPREAD, len(TRAITS)), low, high),
        habits={emotion: _HABIT_SPREAD * CLIP_SPREAD * rng.normal(0, 1, len(TRAITS)) for emotion in PROFILES},
    )


def draw_traits(
    speaker: Speaker, emotion: str, intensity: Intensity, rng: np.random.Generator, *, strength: float = 1.0
) -> Float64s:
    """Draw how one clip is delivered, relative to the speaker's neutral.

    Args:
        speaker: who speaks.
        emotion: key of :data:`PROFILES`.
        intensity: how strongly it is acted.
        rng: what makes this clip differ from the speaker's other ones.
        strength: further factor on the emotion, as for conversation.

    Returns:
        Shape ``(traits,)``, in the order and units of :data:`TRAITS`.

    Raises:
        LabelError: no profile for ``emotion``.
    """
    if emotion not in PROFILES:
        raise LabelError(f"emotion '{emotion}' has no profile; valid are {', '.join(PROFILES)}")
    scale = INTENSITY_SCALE[intensity] * strength
    meant = scale * speaker.use * np.array(PROFILES[emotion]) + speaker.habits[emotion]
    return np.asarray(meant + CLIP_SPREAD * rng.normal(0, 1, len(TRAITS)))


def heard_as(traits: Float64s, emotions: tuple[str, ...], *, sharpness: float = 1.0) -> Float64s:
    """Chance that a listener hears each emotion in a delivery.

    A listener's evidence is the distance of the traits from each profile, in units of
    :data:`CLIP_SPREAD`; near profiles are confused, as with real listeners.

    Args:
        traits: shape ``(traits,)``.
        emotions: what the listener may answer.
        sharpness: larger listeners' answers agree more.

    Returns:
        Shape ``(emotions,)``, sums to 1.
    """
    profiles = np.array([PROFILES[emotion] for emotion in emotions])
    distance = np.mean(((traits - profiles) / CLIP_SPREAD) ** 2, axis=1)
    weight = np.exp(-sharpness * (distance - distance.min()))
    return np.asarray(weight / weight.sum())
