"""Statistics of the pitch contour that are more than those of any series."""

import numpy as np
import numpy.typing as npt

from ser_pipeline.features.energy import slope
from ser_pipeline.features.frames import Frames
from ser_pipeline.features.pitch import Pitch

Float64s = npt.NDArray[np.float64]
Series = dict[str, npt.NDArray[np.floating]]

SEMITONE_ZERO_HZ = 27.5
"""Pitch of semitone 0: A0."""

FINAL_S = 0.2
"""Length of voice whose slope is the final one, in seconds."""


def semitones(hz: Float64s) -> Float64s:
    """Pitches in semitones above 27.5 Hz; NaN where the pitch is 0, shape kept.

    Examples:
        >>> semitones(np.array([55.0, 440.0, 0.0]))
        array([12., 48., nan])
    """
    positive = np.where(hz > 0, hz, np.nan)
    found: Float64s = 12 * np.log2(positive / SEMITONE_ZERO_HZ)
    return found


def pitch_series(frames: Frames, pitch: Pitch) -> Series:
    """Pitch, its change and its strength; NaN where they are not defined, each of shape ``(frames,)``."""
    voiced = pitch.voiced
    tones = semitones(pitch.hz)
    change = np.full(frames.count, np.nan)
    change[1:] = np.diff(tones) / frames.hop_s  # NaN unless both frames are voiced
    return {
        "pitch_hz": np.where(voiced, pitch.hz, np.nan),
        "pitch_st": tones,
        "pitch_change": change,
        "voicing": np.where(voiced, pitch.strength, np.nan),
    }


def pitch_singles(frames: Frames, pitch: Pitch) -> dict[str, float]:
    """Course of the pitch over the clip and shares of voiced frames; 0 without a voiced frame."""
    voiced = pitch.voiced
    found = np.flatnonzero(voiced)
    times, tones = found * frames.hop_s, semitones(pitch.hz[voiced])
    third = max(1, tones.size // 3)
    steps = np.diff(tones)[np.diff(found) == 1]
    final = times > times[-1] - FINAL_S if found.size else np.zeros(0, np.bool_)
    speech = int(np.count_nonzero(frames.speech))
    return {
        "pitch_trend": slope(times, tones),
        "pitch_shift": float(tones[-third:].mean() - tones[:third].mean()) if found.size else 0.0,
        "pitch_final_slope": slope(times[final], tones[final]),
        "pitch_rising_share": float((steps > 0).mean()) if steps.size else 0.0,
        "voiced_share": float(voiced.mean()),
        "voiced_speech_share": np.count_nonzero(voiced & frames.speech) / speech if speech else 0.0,
    }
