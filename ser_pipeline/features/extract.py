"""From a wave to the vector of named features."""

from functools import lru_cache

import numpy as np

from ser_pipeline.arrays import Bools, Float32s, Float64s, Series
from ser_pipeline.dsp.formants import formant_series
from ser_pipeline.dsp.frames import Frames, frame_wave
from ser_pipeline.dsp.marks import mark_periods
from ser_pipeline.dsp.pitch import track_pitch
from ser_pipeline.errors import SettingsError
from ser_pipeline.features.catalogue import FEATURES
from ser_pipeline.features.definitions import Over
from ser_pipeline.features.energy import (
    crossing_series,
    energy_series,
    energy_singles,
    onset_strength,
    rhythm_singles,
)
from ser_pipeline.features.external import PraatVoice
from ser_pipeline.features.spectrum import mel_levels, mfcc_series, shape_series, tone_series
from ser_pipeline.features.statistics import STATISTICS
from ser_pipeline.features.voice import pitch_series, pitch_singles, voice_series, voice_singles
from ser_pipeline.options import FeatureOptions


def extract(wave: Float32s, options: FeatureOptions, *, modality: str = "speech") -> Float32s:
    """Measure the features of :data:`ser_pipeline.features.catalogue.FEATURES`.

    Args:
        wave: mono samples at ``options.sample_rate``, shape ``(samples,)``; trimmed or not, at its own level.
        options: of the transform and the searches.
        modality: ``speech`` or ``song``, which decides how high a pitch is searched.

    Returns:
        Shape ``(253,)`` in the order of the table, every number finite.

    Raises:
        AudioError: ``wave`` is not 1-D, has no samples, or some that are not finite.
        SettingsError: there is no such modality, or Praat is asked for and not installed.

    Examples:
        >>> from ser_pipeline.features.catalogue import NAMES
        >>> tone = np.sin(2 * np.pi * 220 * np.arange(16_000) / 16_000).astype(np.float32)
        >>> round(float(extract(tone, FeatureOptions())[NAMES.index("pitch_hz_mean")]), 1)
        220.0
    """
    if modality not in ("speech", "song"):
        raise SettingsError(f"modality '{modality}' does not exist; valid are speech, song")
    frames = frame_wave(wave, options)
    series, singles = measure(frames, options.ceiling_hz(modality))
    vector = np.empty(len(FEATURES))
    _from_singles(vector, singles)
    everywhere = np.ones(frames.count, np.bool_)
    _from_columns(vector, series, "all", everywhere)
    _from_columns(vector, series, "speech", frames.speech if frames.speech.any() else everywhere)
    _from_voiced(vector, series)
    return vector.astype(np.float32)


def measure(frames: Frames, ceiling_hz: float) -> tuple[Series, dict[str, float]]:
    """Every series and every single number the table names.

    Args:
        frames: of the clip.
        ceiling_hz: highest pitch searched.
    """
    mels = mel_levels(frames)
    onsets = onset_strength(mels)
    praat = PraatVoice(frames, ceiling_hz) if frames.options.voice == "praat" else None
    pitch = track_pitch(frames, ceiling_hz) if praat is None else praat.pitch
    series: Series = {
        **mfcc_series(mels),
        **shape_series(frames),
        **tone_series(frames),
        **energy_series(frames),
        "onset_strength": onsets,
        **crossing_series(frames, pitch.voiced),
        **pitch_series(frames, pitch),
        **voice_series(frames, pitch, ceiling_hz),
        **formant_series(frames, pitch, None if praat is None else praat.resonances()),
    }
    singles = {
        **energy_singles(frames),
        **rhythm_singles(frames, onsets, pitch.voiced),
        **pitch_singles(frames, pitch),
        "duration": frames.duration_s,
        "voiced_duration": float(np.count_nonzero(pitch.voiced)) * frames.hop_s,
    }
    if praat is None:
        singles |= voice_singles(mark_periods(frames, pitch), frames.options.sample_rate)
    else:
        series["hnr"] = praat.noise()
        singles |= praat.regularity()
    return series, singles


@lru_cache(maxsize=8)
def _plan(over: Over) -> tuple[tuple[str, ...], tuple[tuple[str, tuple[int, ...], tuple[int, ...]], ...]]:
    """Series of one kind, and per statistic the columns it takes and the features it gives."""
    rows = [(place, row) for place, row in enumerate(FEATURES) if row.over == over]
    names = tuple(dict.fromkeys(row.series for _, row in rows))
    steps = []
    for statistic in dict.fromkeys(row.statistic for _, row in rows):
        taken = [(names.index(row.series), place) for place, row in rows if row.statistic == statistic]
        columns, places = zip(*taken, strict=True)
        steps.append((statistic, columns, places))
    return names, tuple(steps)


def _from_singles(vector: Float64s, singles: dict[str, float]) -> None:
    for place, row in enumerate(FEATURES):
        if row.over == "clip":
            vector[place] = singles[row.series]


def _from_columns(vector: Float64s, series: Series, over: Over, kept: Bools) -> None:
    """Statistics of series that have a value in every frame, many at once."""
    names, steps = _plan(over)
    table = np.stack([series[name] for name in names], axis=1, dtype=np.float64)[kept]
    for statistic, columns, places in steps:
        vector[list(places)] = STATISTICS[statistic](table[:, list(columns)])


def _from_voiced(vector: Float64s, series: Series) -> None:
    """Statistics of series that lack a value in some frames, one by one."""
    names, steps = _plan("voiced")
    known = [series[name][np.isfinite(series[name])].astype(np.float64)[:, None] for name in names]
    for statistic, columns, places in steps:
        for column, place in zip(columns, places, strict=True):
            values = known[column]
            vector[place] = STATISTICS[statistic](values)[0] if values.size else 0.0
