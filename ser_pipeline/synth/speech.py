"""Sentences: their speech sounds, and their timing and pitch, spoken or sung.

A sentence is a fixed series of sounds that look like speech in a spectrogram: syllables of a
consonant and a vowel of the language, with pauses between some words. It carries no words.
Vowel formants are rounded from the ranges that phonetics textbooks give for a man's voice.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from types import MappingProxyType
from typing import Final

import numpy as np

from ser_pipeline.arrays import Float64s
from ser_pipeline.synth.folders import named_rng

SILENT_DB: Final = -120.0
"""Level of a source that is off."""

_SCHWA: Final = (500.0, 1500.0, 2500.0)

VOWELS: Final[Mapping[str, tuple[float, float, float]]] = MappingProxyType(
    {
        "iy": (285.0, 2250.0, 2950.0),
        "ih": (400.0, 1950.0, 2550.0),
        "eh": (550.0, 1800.0, 2480.0),
        "ae": (670.0, 1700.0, 2420.0),
        "ah": (620.0, 1220.0, 2480.0),
        "aa": (730.0, 1100.0, 2450.0),
        "ao": (560.0, 850.0, 2400.0),
        "uh": (440.0, 1020.0, 2250.0),
        "uw": (310.0, 880.0, 2250.0),
        "er": (480.0, 1350.0, 1700.0),
        "ue": (290.0, 1700.0, 2150.0),
        "oe": (400.0, 1450.0, 2200.0),
        "yy": (390.0, 1720.0, 2500.0),
    }
)
"""Vowel -> its first three formants in Hz."""

LANGUAGE_VOWELS: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "en": ("iy", "ih", "eh", "ae", "ah", "aa", "ao", "uh", "uw", "er"),
        "de": ("iy", "ih", "eh", "aa", "ao", "uw", "ue", "oe"),
        "pl": ("iy", "yy", "eh", "aa", "ao", "uw"),
    }
)
"""Language -> the vowels its sentences use."""

_VOWEL_S = 0.105
_PAUSE_S = 0.110

CONTROL_HZ: Final = 200
"""Rate of control contours, in frames per second."""

_BEAT_S = 0.29  # one sung syllable at neutral tempo
_VIBRATO_HZ = 5.6
_MAJOR = (0, 2, 4, 5, 7, 9)
_MINOR = (0, 2, 3, 5, 7, 8)
BRIGHT_SONGS: Final = frozenset({"neutral", "calm", "happiness", "surprise", "excitement"})
"""Emotions sung in major; all others are sung in minor."""


@dataclass(frozen=True, slots=True)
class Sound:
    """One stretch of constant targets; the voice moves smoothly from one to the next.

    Attributes:
        seconds: length at neutral rate.
        formants_hz: first three resonances of a man's vocal tract.
        voice_db: level of the glottal source, relative to a vowel's.
        noise_db: level of the noise made in the mouth, relative to a vowel's.
        centre_hz: middle of that noise's band.
        octaves: width of that noise's band.
        vowel: the sound is the middle of a syllable.
        stressed: the syllable carries an accent.
        pause: silence between two words.
    """

    seconds: float
    formants_hz: tuple[float, float, float]
    voice_db: float = SILENT_DB
    noise_db: float = SILENT_DB
    centre_hz: float = 4000.0
    octaves: float = 1.0
    vowel: bool = False
    stressed: bool = False
    pause: bool = False


_CONSONANTS: Final[Mapping[str, tuple[Sound, ...]]] = MappingProxyType(
    {
        "m": (Sound(0.065, (250.0, 1100.0, 2200.0), voice_db=-9.0),),
        "n": (Sound(0.060, (250.0, 1600.0, 2550.0), voice_db=-9.0),),
        "l": (Sound(0.055, (350.0, 1200.0, 2700.0), voice_db=-5.0),),
        "r": (Sound(0.055, (420.0, 1300.0, 1650.0), voice_db=-5.0),),
        "w": (Sound(0.055, (310.0, 720.0, 2200.0), voice_db=-6.0),),
        "y": (Sound(0.050, (290.0, 2150.0, 2900.0), voice_db=-6.0),),
        "s": (Sound(0.095, (320.0, 1600.0, 2600.0), noise_db=-12.0, centre_hz=6500.0, octaves=0.6),),
        "sh": (Sound(0.095, (320.0, 1750.0, 2500.0), noise_db=-11.0, centre_hz=3300.0, octaves=0.7),),
        "f": (Sound(0.080, (330.0, 1100.0, 2300.0), noise_db=-23.0, centre_hz=5000.0, octaves=2.0),),
        "h": (Sound(0.055, _SCHWA, noise_db=-22.0, centre_hz=1700.0, octaves=1.5),),
        "z": (Sound(0.070, (290.0, 1600.0, 2600.0), -11.0, -17.0, centre_hz=6200.0, octaves=0.6),),
        "v": (Sound(0.060, (290.0, 1100.0, 2300.0), -9.0, -27.0, centre_hz=4500.0, octaves=2.0),),
        "p": (
            Sound(0.065, (320.0, 900.0, 2200.0)),
            Sound(0.012, (400.0, 900.0, 2200.0), noise_db=-15.0, centre_hz=900.0, octaves=1.5),
        ),
        "t": (
            Sound(0.060, (320.0, 1700.0, 2600.0)),
            Sound(0.015, (400.0, 1700.0, 2600.0), noise_db=-11.0, centre_hz=4500.0, octaves=1.2),
        ),
        "k": (
            Sound(0.060, (320.0, 1900.0, 2200.0)),
            Sound(0.018, (400.0, 1900.0, 2200.0), noise_db=-12.0, centre_hz=2000.0, octaves=0.8),
        ),
        "b": (Sound(0.055, (250.0, 900.0, 2200.0), voice_db=-20.0),),
        "d": (
            Sound(0.050, (250.0, 1700.0, 2600.0), voice_db=-20.0),
            Sound(0.010, (350.0, 1700.0, 2600.0), voice_db=-14.0, noise_db=-17.0, centre_hz=4000.0),
        ),
        "g": (Sound(0.055, (250.0, 1900.0, 2200.0), voice_db=-20.0),),
    }
)


@lru_cache(maxsize=256)
def sentence(language: str, name: str, *, syllables: int | None = None) -> tuple[Sound, ...]:
    """The sounds of a named sentence; the same for every speaker and seed.

    Args:
        language: key of :data:`LANGUAGE_VOWELS`.
        name: of the sentence, such as ``cremad/IEO``.
        syllables: how many, from 3; None draws 5 to 7.

    Returns:
        Sounds in order; between one and three words away from the start stands a pause.
    """
    rng = named_rng("sentence", language, name)
    count = int(rng.integers(5, 8)) if syllables is None else syllables
    pause_after = int(rng.integers(1, count - 1))
    sounds: list[Sound] = []
    for number in range(count):
        sounds += _syllable(LANGUAGE_VOWELS[language], stressed=number % 2 == count % 2, rng=rng)
        if number == pause_after:
            sounds.append(Sound(_PAUSE_S, _SCHWA, pause=True))
    return tuple(sounds)


def _syllable(vowels: Sequence[str], *, stressed: bool, rng: np.random.Generator) -> list[Sound]:
    names = list(_CONSONANTS)
    onset = _CONSONANTS[names[int(rng.integers(len(names)))]]
    vowel = VOWELS[vowels[int(rng.integers(len(vowels)))]]
    length = _VOWEL_S * (1.3 if stressed else 0.8) * float(rng.uniform(0.85, 1.15))
    sounds = [*onset, Sound(length, vowel, voice_db=0.0 if stressed else -3.0, vowel=True, stressed=stressed)]
    if rng.random() < 0.25:
        coda = _CONSONANTS[names[int(rng.integers(len(names)))]]
        sounds += [replace(sound, seconds=0.8 * sound.seconds) for sound in coda]
    return sounds


def durations(
    sounds: Sequence[Sound], rate: float, rng: np.random.Generator, *, sung: bool = False
) -> Float64s:
    """Length of each sound.

    Args:
        sounds: of the sentence.
        rate: speed, 1 is neutral. Vowels and pauses give way more than consonants.
        rng: what makes this clip differ from others.
        sung: every syllable fills one beat.

    Returns:
        Shape ``(sounds,)``, in seconds.
    """
    seconds = np.array([sound.seconds for sound in sounds])
    vowel = np.array([sound.vowel for sound in sounds])
    pause = np.array([sound.pause for sound in sounds])
    give = np.where(pause, 1.6, np.where(vowel, 1.2, 0.8))
    if sung:
        seconds = np.where(vowel, _BEAT_S, seconds)
    seconds = seconds * rate**-give * np.exp(rng.normal(0, 0.08, len(sounds)))
    if vowel.any():
        seconds[np.flatnonzero(vowel)[-1]] *= 1.35  # the last syllable of a phrase is longer
    return np.asarray(seconds)


def frame_sounds(seconds: Float64s) -> tuple[Float64s, np.ndarray]:
    """Time of each control frame, and the sound it belongs to.

    Returns:
        Times in seconds and sound numbers, both of shape ``(frames,)``.
    """
    ends = np.cumsum(seconds)
    times = (np.arange(max(1, int(ends[-1] * CONTROL_HZ))) + 0.5) / CONTROL_HZ
    return times, np.minimum(np.searchsorted(ends, times, side="right"), len(seconds) - 1)


def spoken_pitch(
    sounds: Sequence[Sound],
    seconds: Float64s,
    *,
    accent_st: float,
    final_st: float,
    tremor_st: float,
    rng: np.random.Generator,
) -> Float64s:
    """Pitch of a spoken sentence: declination, accents, a final movement, drift, tremor.

    Args:
        sounds: of the sentence.
        seconds: length of each, shape ``(sounds,)``.
        accent_st: height of an accent in semitones; the declination grows with it.
        final_st: movement over the last 250 ms in semitones.
        tremor_st: amplitude of a 6 to 9 Hz tremor in semitones.
        rng: draws the height of each accent, the drift and the tremor's rate.

    Returns:
        Shape ``(frames,)``, in semitones above the speaker's mean pitch.
    """
    times, _ = frame_sounds(seconds)
    total = float(seconds.sum())
    contour = 0.9 * accent_st * (0.5 - times / total)
    middles = np.cumsum(seconds) - seconds / 2
    for sound, middle in zip(sounds, middles, strict=True):
        if sound.stressed:
            height = accent_st * float(np.exp(rng.normal(0, 0.3)))
            contour = contour + height * np.exp(-0.5 * ((times - middle) / 0.075) ** 2)
    contour = contour - contour.mean()
    contour = contour + final_st * np.clip((times - total + 0.25) / 0.25, 0, 1) ** 1.5
    contour = contour + _drift(len(times), rng)
    tremor_hz = float(rng.uniform(6, 9))
    return np.asarray(contour + max(0.0, tremor_st) * np.sin(2 * np.pi * tremor_hz * times))


def sung_pitch(
    sounds: Sequence[Sound],
    seconds: Float64s,
    *,
    tune: str,
    minor: bool,
    spread: float,
    vibrato_st: float,
    rng: np.random.Generator,
) -> Float64s:
    """Pitch of a sung sentence: one note of a scale per syllable, short glides, vibrato.

    Args:
        sounds: of the sentence.
        seconds: length of each, shape ``(sounds,)``.
        tune: names the tune; the same name always gives the same steps.
        minor: take the notes from the minor scale.
        spread: factor on the size of the intervals, before they are put on the scale.
        vibrato_st: amplitude of the vibrato in semitones.
        rng: draws the vibrato's phase and the drift.

    Returns:
        Shape ``(frames,)``, in semitones above the speaker's mean pitch.
    """
    times, owner = frame_sounds(seconds)
    steps = named_rng("tune", tune).integers(-2, 4, sum(sound.vowel for sound in sounds) + 1)
    scale = np.array(
        [12 * octave + step for octave in (-2, -1, 0, 1) for step in (_MINOR if minor else _MAJOR)]
    )
    wanted = spread * 2.0 * steps
    notes = scale[np.argmin(np.abs(scale[None, :] - wanted[:, None]), axis=1)]
    # a consonant belongs to the note of the vowel that follows it
    vowels_before = np.concatenate([[0], np.cumsum([sound.vowel for sound in sounds])[:-1]])
    contour = smooth(notes[vowels_before[owner]].astype(float), 0.06)
    phase = float(rng.uniform(0, 2 * np.pi))
    vibrato = vibrato_st * np.sin(2 * np.pi * _VIBRATO_HZ * times + phase)
    return np.asarray(contour + vibrato + 0.3 * _drift(len(times), rng))


def smooth(contour: Float64s, seconds: float) -> Float64s:
    """Weighted mean over ``seconds`` (Hann weights, ends held); shape is kept."""
    half = max(1, round(seconds * CONTROL_HZ / 2))
    weights = np.hanning(2 * half + 3)[1:-1]
    padded = np.pad(contour, half, mode="edge")
    return np.convolve(padded, weights / weights.sum(), mode="valid")


def _drift(frames: int, rng: np.random.Generator) -> Float64s:
    knots = rng.normal(0, 0.45, frames // 30 + 2)
    return np.interp(np.arange(frames), 30 * np.arange(len(knots)), knots)
