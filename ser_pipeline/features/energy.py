"""Level, energy and zero crossings."""

import numpy as np
import numpy.typing as npt

from ser_pipeline.features.frames import FLOOR_DB, Frames

Reals = npt.NDArray[np.floating]
Bools = npt.NDArray[np.bool_]
Series = dict[str, npt.NDArray[np.floating]]


def energy_series(frames: Frames) -> Series:
    """Level, its change and the amplitude of each frame, each of shape ``(frames,)``."""
    change = np.zeros(frames.count)
    if frames.count > 1:
        change = np.gradient(frames.level_db, frames.hop_s)
    amplitude = np.where(frames.level_db > FLOOR_DB, 10 ** (frames.level_db / 20), 0)
    return {"level": frames.level_db, "level_change": change, "rms": amplitude}


def energy_singles(frames: Frames) -> dict[str, float]:
    """Features of the clip as a whole."""
    square = np.square(frames.wave, dtype=np.float64)
    energy = float(square.mean())
    if energy == 0:
        return {
            "level_trend": 0.0, "peak_level": FLOOR_DB, "clip_level": FLOOR_DB, "crest": 0.0,
            "energy_centroid": 0.0,
        }  # fmt: skip
    peak_level = max(20 * float(np.log10(frames.peak)), FLOOR_DB)
    crest = -10 * float(np.log10(energy))  # the wave's peak is 1
    centre = float(square @ np.arange(square.size)) / (energy * square.size)
    times = np.flatnonzero(frames.speech) * frames.hop_s
    return {
        "level_trend": slope(times, frames.level_db[frames.speech]),
        "peak_level": peak_level,
        "clip_level": max(peak_level - crest, FLOOR_DB),
        "crest": crest,
        "energy_centroid": centre / max(square.size - 1, 1),
    }


def crossing_series(frames: Frames, voiced: Bools) -> Series:
    """Zero crossings per second in each frame; the second series is NaN in unvoiced frames.

    Args:
        frames: of the clip.
        voiced: frames with a pitch, shape ``(frames,)``.
    """
    options = frames.options
    length = min(options.window_length, frames.wave.size)
    changes = np.diff(np.signbit(frames.wave))
    running = np.concatenate([[0], np.cumsum(changes)])
    starts = np.arange(frames.count) * options.hop_length
    rate = (running[starts + length - 1] - running[starts]) * options.sample_rate / length
    return {"zero_crossings": rate, "zero_crossings_voiced": np.where(voiced, rate, np.nan)}


def slope(times: Reals, values: Reals) -> float:
    """Least-squares slope of values over times, 0 where there are fewer than two.

    Examples:
        >>> slope(np.array([0.0, 1.0, 2.0]), np.array([1.0, 3.0, 5.0]))
        2.0
    """
    if times.size < 2:
        return 0.0
    centred = times - times.mean()
    return float(centred @ (values - values.mean()) / (centred @ centred))
