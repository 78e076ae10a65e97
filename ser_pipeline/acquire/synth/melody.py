"""Timing and pitch of a sentence, spoken or sung."""

from collections.abc import Sequence
from typing import Final

import numpy as np

from ser_pipeline.acquire.synth.phones import Sound
from ser_pipeline.acquire.synth.profiles import Floats
from ser_pipeline.acquire.synth.seeds import named_rng

CONTROL_HZ: Final = 200
"""Rate of control contours, in frames per second."""

_BEAT_S = 0.29  # one sung syllable at neutral tempo
_VIBRATO_HZ = 5.6
_MAJOR = (0, 2, 4, 5, 7, 9)
_MINOR = (0, 2, 3, 5, 7, 8)
BRIGHT_SONGS: Final = frozenset({"neutral", "calm", "happiness", "surprise", "excitement"})
"""Emotions sung in major; all others are sung in minor."""


def durations(
    sounds: Sequence[Sound], rate: float, rng: np.random.Generator, *, sung: bool = False
) -> Floats:
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


def frame_sounds(seconds: Floats) -> tuple[Floats, np.ndarray]:
    """Time of each control frame, and the sound it belongs to.

    Returns:
        Times in seconds and sound numbers, both of shape ``(frames,)``.
    """
    ends = np.cumsum(seconds)
    times = (np.arange(max(1, int(ends[-1] * CONTROL_HZ))) + 0.5) / CONTROL_HZ
    return times, np.minimum(np.searchsorted(ends, times, side="right"), len(seconds) - 1)


def spoken_pitch(
    sounds: Sequence[Sound],
    seconds: Floats,
    *,
    accent_st: float,
    final_st: float,
    tremor_st: float,
    rng: np.random.Generator,
) -> Floats:
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
    seconds: Floats,
    *,
    tune: str,
    minor: bool,
    spread: float,
    vibrato_st: float,
    rng: np.random.Generator,
) -> Floats:
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


def smooth(contour: Floats, seconds: float) -> Floats:
    """Weighted mean over ``seconds`` (Hann weights, ends held); shape is kept."""
    half = max(1, round(seconds * CONTROL_HZ / 2))
    weights = np.hanning(2 * half + 3)[1:-1]
    padded = np.pad(contour, half, mode="edge")
    return np.convolve(padded, weights / weights.sum(), mode="valid")


def _drift(frames: int, rng: np.random.Generator) -> Floats:
    knots = rng.normal(0, 0.45, frames // 30 + 2)
    return np.interp(np.arange(frames), 30 * np.arange(len(knots)), knots)
