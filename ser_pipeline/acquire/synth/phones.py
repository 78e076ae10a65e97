"""Speech sounds, and sentences made of them.

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

from ser_pipeline.acquire.synth.seeds import named_rng

SILENT_DB: Final = -120.0
"""Level of a source that is off."""


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

_VOWEL_S = 0.105
_PAUSE_S = 0.110


@lru_cache(maxsize=256)
def sentence(language: str, name: str, *, syllables: int | None = None) -> tuple[Sound, ...]:
    """The sounds of a named sentence; the same for every speaker and seed.

    Args:
        language: key of :data:`LANGUAGE_VOWELS`.
        name: of the sentence, such as ``cremad/IEO``.
        syllables: how many; None draws 5 to 7.

    Returns:
        Sounds in order; between one and three words away from the start stands a pause.
    """
    rng = named_rng("sentence", language, name)
    count = int(rng.integers(5, 8)) if syllables is None else syllables
    pause_after = int(rng.integers(1, count - 1)) if count > 2 else count
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
