"""Level, energy and zero crossings; tempo, onsets, syllables, speech and pauses."""

import numpy as np
import scipy.ndimage

from ser_pipeline.arrays import Bools, Float32s, Float64s, Floats, Int64s, Series
from ser_pipeline.dsp.frames import FLOOR_DB, Frames, unbroken

RANGE_DB = 80.0
"""Mel levels further below the clip's greatest are raised to it before onsets are looked for."""

TEMPO_BPM = (40.0, 240.0)
"""Slowest and fastest tempo searched."""

TEMPO_CENTRE_BPM = 120.0
"""Tempo preferred where several fit; an octave away counts as one standard deviation."""

ONSET_NEAR_S = 0.03
ONSET_WIDE_S = 0.10
ONSET_SHARE = 0.10
ONSET_DB = 1.0
"""An onset is the greatest rise within 30 ms and passes the mean of the 100 ms around it by a
tenth of the clip's greatest rise and by 1 dB."""

PAUSE_S = 0.15
"""Shortest stretch without speech that is a pause."""

SYLLABLE_SMOOTH_S = 0.05
SYLLABLE_DIP_DB = 2.0
"""A syllable is a voiced maximum of the level, smoothed over 50 ms, between dips of 2 dB."""


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


def slope(times: Floats, values: Floats) -> float:
    """Least-squares slope of values over times, 0 where there are fewer than two.

    Examples:
        >>> slope(np.array([0.0, 1.0, 2.0]), np.array([1.0, 3.0, 5.0]))
        2.0
    """
    if times.size < 2:
        return 0.0
    centred = times - times.mean()
    return float(centred @ (values - values.mean()) / (centred @ centred))


def onset_strength(mels: Float32s) -> Float64s:
    """Mean rise of the mel levels since the frame before, in dB, shape ``(frames,)``.

    Args:
        mels: in dB, shape ``(frames, n_mels)``.
    """
    raised = np.maximum(mels, mels.max() - np.float32(RANGE_DB))
    strength = np.zeros(len(mels))
    strength[1:] = np.maximum(np.diff(raised, axis=0), 0).mean(axis=1)
    return strength


def rhythm_singles(frames: Frames, onsets: Float64s, voiced: Bools) -> dict[str, float]:
    """Features of the clip's course in time; 0 where there is nothing to measure.

    Args:
        frames: of the clip.
        onsets: onset strength, shape ``(frames,)``.
        voiced: frames with a pitch, shape ``(frames,)``.
    """
    tempo, strength = _tempo(onsets, frames.hop_s)
    seconds = frames.duration_s
    found = {
        "tempo": tempo,
        "tempo_strength": strength,
        "onset_rate": _onsets(onsets, frames.hop_s) / seconds,
        "syllable_rate": _syllables(frames, voiced) / seconds,
    }
    return found | _pauses(frames.speech, frames.hop_s, seconds) | _voiced_stretches(voiced, frames)


def _tempo(onsets: Float64s, hop_s: float) -> tuple[float, float]:
    """Tempo in beats per minute and the autocorrelation at its period."""
    slowest, fastest = TEMPO_BPM
    first = max(1, round(60 / fastest / hop_s))  # long hops: a frame at least
    last = min(round(60 / slowest / hop_s), onsets.size // 2)  # two beats must fit
    centred = onsets - onsets.mean()
    energy = float(centred @ centred) / onsets.size
    if last < first or energy <= 1e-12:
        return 0.0, 0.0
    lags = np.arange(first, last + 1)
    alike = np.array([centred[lag:] @ centred[:-lag] / (onsets.size - lag) for lag in lags]) / energy
    bpm = 60 / (lags * hop_s)
    best = int(np.argmax(alike * np.exp(-0.5 * np.log2(bpm / TEMPO_CENTRE_BPM) ** 2)))
    if alike[best] <= 0:
        return 0.0, 0.0
    return float(bpm[best]), min(float(alike[best]), 1.0)


def _onsets(onsets: Float64s, hop_s: float) -> int:
    """Number of onsets."""
    near, wide = round(ONSET_NEAR_S / hop_s), round(ONSET_WIDE_S / hop_s)
    greatest = scipy.ndimage.maximum_filter1d(onsets, 2 * near + 1, mode="nearest")
    around = scipy.ndimage.uniform_filter1d(onsets, 2 * wide + 1, mode="nearest")
    margin = max(ONSET_SHARE * float(onsets.max()), ONSET_DB)
    peak = (onsets >= greatest) & (onsets >= around + margin)
    return len(unbroken(peak))  # a level top is one onset


def _syllables(frames: Frames, voiced: Bools) -> int:
    """Number of syllable nuclei (de Jong & Wempe 2009)."""
    width = max(1, round(SYLLABLE_SMOOTH_S / frames.hop_s))
    level = scipy.ndimage.uniform_filter1d(frames.level_db, width, mode="nearest")
    peaks = _peaks(level, SYLLABLE_DIP_DB)
    return int(np.count_nonzero(voiced[peaks] & frames.speech[peaks]))


def _peaks(level: Float64s, dip: float) -> Int64s:
    """Maxima that lie between dips, as ``scipy.signal.find_peaks``, which takes half a second to load."""
    edged = np.concatenate([[-np.inf], level, [-np.inf]])
    starts = np.flatnonzero(np.diff(edged, prepend=np.nan))  # of stretches of one level
    middles = (starts + np.append(starts[1:], edged.size) - 1) // 2
    rises = np.diff(edged[starts]) > 0
    tops = np.flatnonzero(rises[:-1] & ~rises[1:]) + 1
    valleys = np.flatnonzero(~rises[:-1] & rises[1:]) + 1
    heights, lows = edged[starts[tops]], np.concatenate([[-np.inf], edged[starts[valleys]], [-np.inf]])
    before, after = _dips(heights, lows[:-1]), _dips(heights[::-1], lows[:0:-1])[::-1]
    peaks: Int64s = middles[tops[heights - np.maximum(before, after) >= dip]] - 1
    return peaks


def _dips(heights: Float64s, lows: Float64s) -> Float64s:
    """Lowest level between each maximum and the nearest greater one before it."""
    found, open_ = [], list[tuple[float, float]]()
    for height, low in zip(heights.tolist(), lows.tolist(), strict=True):
        while open_ and open_[-1][0] <= height:
            low = min(low, open_.pop()[1])
        open_.append((height, low))
        found.append(low)
    return np.array(found)


def _pauses(speech: Bools, hop_s: float, seconds: float) -> dict[str, float]:
    """Pauses lie between speech; shorter gaps belong to the stretch around them."""
    runs = unbroken(speech)
    gaps = (runs[1:, 0] - runs[:-1, 1]) * hop_s
    pauses = gaps[gaps >= PAUSE_S - hop_s / 2]
    starts = np.concatenate([runs[:1, 0], runs[1:, 0][gaps >= PAUSE_S - hop_s / 2]])
    ends = np.concatenate([runs[:-1, 1][gaps >= PAUSE_S - hop_s / 2], runs[-1:, 1]])
    stretches = (ends - starts) * hop_s
    return {
        "speech_share": float(speech.mean()),
        "pause_share": float(pauses.sum()) / seconds,
        "pause_rate": pauses.size / seconds,
        "pause_mean": float(pauses.mean()) if pauses.size else 0.0,
        "pause_max": float(pauses.max()) if pauses.size else 0.0,
        "stretch_mean": float(stretches.mean()) if stretches.size else 0.0,
        "stretch_std": float(stretches.std()) if stretches.size else 0.0,
    }


def _voiced_stretches(voiced: Bools, frames: Frames) -> dict[str, float]:
    runs = unbroken(voiced)
    lengths = (runs[:, 1] - runs[:, 0]) * frames.hop_s
    return {
        "voiced_run_rate": lengths.size / frames.duration_s,
        "voiced_run_mean": float(lengths.mean()) if lengths.size else 0.0,
        "voiced_run_std": float(lengths.std()) if lengths.size else 0.0,
    }
