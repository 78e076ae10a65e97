"""Every row of the feature table: what is measured, in which unit, over which frames, after whom.

A :class:`Series` is measured in every frame and gives one feature per statistic; a
:class:`Single` is measured once per clip. :mod:`ser_pipeline.features.catalogue` unfolds them.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

from ser_pipeline.features.spectrum import PITCH_CLASSES

Over = Literal["all", "speech", "voiced", "clip"]

MEAN_STD = ("mean", "std")
SPANNED = ("mean", "std", "p10", "p90")

BOERSMA = "Boersma 1993"
GEMAPS = "Eyben et al. 2016 (GeMAPS)"
OWN = "this project"
PEETERS = "Peeters 2004"
WEMPE = "de Jong & Wempe 2009"
FARRUS = "Farrús et al. 2007"
MAKHOUL = "Makhoul 1975; Markel & Gray 1976"
"""Sources that several rows share; the others stand in their rows."""

_CHANGE = "mean difference between neighbouring cycles that are less than a factor of"
_AROUND = "mean difference between a cycle and the mean of the # centred on it, relative to the overall mean"


@dataclass(frozen=True, slots=True)
class Series:
    """Something measured in every frame.

    Attributes:
        name: of the series; a feature's name is this, an underscore and the statistic.
        unit: of the values; "1" for a plain number.
        group: of features that belong together.
        over: the frames its statistics are of: all, speech, or those voiced frames that have a value.
        statistics: names in :data:`ser_pipeline.features.statistics.STATISTICS`.
        definition: of one value.
        source: publication or system the definition follows.
    """

    name: str
    unit: str
    group: str
    over: Over
    statistics: tuple[str, ...]
    definition: str
    source: str


@dataclass(frozen=True, slots=True)
class Single:
    """Something measured once per clip; its fields are as in :class:`Series`."""

    name: str
    unit: str
    group: str
    definition: str
    source: str


def numbered(row: Series, numbers: range, digits: int = 1) -> Iterator[Series]:
    """One row per number, with ``#`` in name and definition replaced by it."""
    for number in numbers:
        name = row.name.replace("#", f"{number:0{digits}d}")
        yield replace(row, name=name, definition=row.definition.replace("#", str(number)))


CEPSTRUM = (
    *numbered(
        Series(
            "mfcc_#", "dB", "mfcc", "speech", MEAN_STD,
            "coefficient # of the orthonormal DCT-II of the levels of 40 mel bands in dB",
            "Davis & Mermelstein 1980",
        ), range(1, 21), 2,
    ),
    *numbered(
        Series(
            "mfcc_#_delta", "dB/frame", "mfcc", "speech", ("std",),
            "slope of MFCC # over five frames", "Furui 1986",
        ), range(1, 14), 2,
    ),
    *numbered(
        Series(
            "mfcc_#_delta2", "dB/frame²", "mfcc", "speech", ("std",),
            "slope over five frames of the slope of MFCC #", "Furui 1986",
        ), range(1, 14), 2,
    ),
)  # fmt: skip

SPECTRUM = (
    Series("centroid", "Hz", "spectral", "speech", SPANNED, "mean frequency, weighted by magnitude", PEETERS),
    Series(
        "bandwidth", "Hz", "spectral", "speech", SPANNED,
        "standard deviation of frequency, weighted by magnitude", PEETERS,
    ),
    Series(
        "rolloff_85", "Hz", "spectral", "speech", SPANNED,
        "first bin up to which 85 % of the power lies", "Scheirer & Slaney 1997",
    ),
    Series(
        "rolloff_25", "Hz", "spectral", "speech", MEAN_STD,
        "first bin up to which 25 % of the power lies", "Scheirer & Slaney 1997",
    ),
    Series(
        "flatness", "dB", "spectral", "speech", SPANNED,
        "ratio of the geometric to the arithmetic mean of the powers; 0 for white noise",
        "Gray & Markel 1974",
    ),
    Series(
        "flux", "1", "spectral", "speech", SPANNED,
        "Euclidean distance between the magnitudes, scaled to unit length, and those of the previous frame",
        PEETERS,
    ),
    Series(
        "entropy", "1", "spectral", "speech", MEAN_STD,
        "Shannon entropy of the powers as a distribution, relative to its maximum", "Misra et al. 2004",
    ),
    Series(
        "spectral_skewness", "1", "spectral", "speech", MEAN_STD,
        "skewness of frequency, weighted by magnitude", PEETERS,
    ),
    Series(
        "spectral_kurtosis", "1", "spectral", "speech", MEAN_STD,
        "kurtosis of frequency, weighted by magnitude; 3 for a normal distribution", PEETERS,
    ),
    Series(
        "slope_50_500", "dB/kHz", "spectral", "speech", MEAN_STD,
        "slope of the line fitted to the powers in dB from 50 to 500 Hz", GEMAPS,
    ),
    Series(
        "slope_500_1500", "dB/kHz", "spectral", "speech", MEAN_STD,
        "slope of the line fitted to the powers in dB from 500 to 1,500 Hz", GEMAPS,
    ),
    Series(
        "alpha_ratio", "dB", "spectral", "speech", MEAN_STD,
        "power from 1 to 5 kHz relative to power from 50 Hz to 1 kHz", GEMAPS,
    ),
    Series(
        "hammarberg", "dB", "spectral", "speech", MEAN_STD,
        "strongest bin below 2 kHz relative to the strongest from 2 to 5 kHz", "Hammarberg et al. 1980",
    ),
    *numbered(
        Series(
            "contrast_#", "dB", "spectral", "speech", MEAN_STD,
            "mean of the strongest 2 % of bins (at least one) relative to that of the weakest 2 %, in band # "
            "of those bounded by 50, 200, 400, 800, 1600, 3200 and 7000 Hz", "Jiang et al. 2002",
        ), range(1, 7),
    ),
)  # fmt: skip

TONES = (
    *(
        Series(
            f"chroma_{name}", "1", "chroma", "speech", MEAN_STD,
            f"power in pitch class {name.replace('s', '♯').upper()} relative to that in the frame's "
            "strongest class; A4 is 440 Hz", "Fujishima 1999; Ellis 2007",
        )
        for name in PITCH_CLASSES
    ),
    *(
        Series(
            f"tonnetz_{number}", "1", "tonnetz", "speech", MEAN_STD,
            f"{axis} of the chroma's centroid on the circle of {circle}", "Harte et al. 2006",
        )
        for number, (circle, axis) in enumerate(
            ((circle, axis) for circle in ("fifths", "minor thirds", "major thirds")
             for axis in ("sine", "cosine")), start=1,
        )
    ),
)  # fmt: skip

ENERGY = (
    Series(
        "level", "dBFS", "energy", "speech", ("mean", "std", "p10", "p50", "p90", "max"),
        "Hann-weighted RMS; -3 for a full-scale sine", OWN,
    ),
    Series(
        "level_change", "dB/s", "energy", "speech", ("std", "rise", "fall"),
        "change of the level from the previous frame to the next", OWN,
    ),
    Series("rms", "1", "energy", "all", MEAN_STD, "Hann-weighted RMS as a share of full scale", OWN),
    Single("level_trend", "dB/s", "energy", "slope of the line fitted to the level of speech frames", OWN),
    Single("peak_level", "dBFS", "energy", "largest magnitude of a sample, once the mean is subtracted", OWN),
    Single("clip_level", "dBFS", "energy", "RMS of all samples", OWN),
    Single("crest", "dB", "energy", "peak_level minus clip_level", OWN),
    Single(
        "energy_centroid", "1", "energy", "energy-weighted mean time, as a share of the duration", PEETERS
    ),
)  # fmt: skip

CROSSINGS = (
    Series(
        "zero_crossings", "1/s", "zero crossings", "speech", SPANNED, "sign changes per second",
        "Kedem 1986",
    ),
    Series(
        "zero_crossings_voiced", "1/s", "zero crossings", "voiced", ("mean",),
        "sign changes per second in voiced frames", "Kedem 1986",
    ),
)  # fmt: skip

SOUND_ROWS: tuple[Series | Single, ...] = (*CEPSTRUM, *SPECTRUM, *TONES, *ENERGY, *CROSSINGS)

RHYTHM = (
    Single(
        "tempo", "beats/min", "rhythm",
        "period (40 to 240 beats/min) at which onset strength repeats best, preferring 120",
        "Ellis 2007",
    ),
    Single("tempo_strength", "1", "rhythm", "autocorrelation of onset strength at that period", "Ellis 2007"),
    Series(
        "onset_strength", "dB", "rhythm", "all", MEAN_STD,
        "rise since the previous frame, averaged over the mel bands", "Böck & Widmer 2013",
    ),
    Single("onset_rate", "1/s", "rhythm", "peaks of onset strength per second", "Böck & Widmer 2013"),
    Single(
        "syllable_rate", "1/s", "rhythm",
        "voiced maxima of the level between dips of 2 dB, per second", WEMPE,
    ),
    Single("speech_share", "1", "rhythm", "share of frames that are speech", WEMPE),
    Single("pause_share", "1", "rhythm", "share of time in pauses (gaps in speech of 150 ms or more)", WEMPE),
    Single("pause_rate", "1/s", "rhythm", "pauses per second", WEMPE),
    Single("pause_mean", "s", "rhythm", "mean length of pauses", WEMPE),
    Single("pause_max", "s", "rhythm", "length of the longest pause", WEMPE),
    Single("stretch_mean", "s", "rhythm", "mean length of the stretches between pauses", WEMPE),
    Single("stretch_std", "s", "rhythm", "standard deviation of their lengths", WEMPE),
    Single("voiced_run_rate", "1/s", "rhythm", "unbroken runs of voiced frames per second", GEMAPS),
    Single("voiced_run_mean", "s", "rhythm", "mean length of these runs", GEMAPS),
    Single("voiced_run_std", "s", "rhythm", "standard deviation of their lengths", GEMAPS),
)  # fmt: skip

PITCH = (
    Series(
        "pitch_hz", "Hz", "pitch", "voiced", ("mean", "std", "p02", "p50", "p98"),
        "fundamental frequency", BOERSMA,
    ),
    Series(
        "pitch_st", "semitones", "pitch", "voiced",
        ("mean", "std", "p10", "p25", "p75", "p90", "range", "skewness", "kurtosis"),
        "fundamental frequency above 27.5 Hz", GEMAPS,
    ),
    Series(
        "pitch_change", "semitones/s", "pitch", "voiced", ("std", "mean_abs", "rise", "fall"),
        "change of pitch since the previous frame, if both are voiced", GEMAPS,
    ),
    Single("pitch_trend", "semitones/s", "pitch", "slope of the line fitted to the pitch of the clip", OWN),
    Single(
        "pitch_shift", "semitones", "pitch",
        "mean over the last third of the voiced frames minus that over the first third", OWN,
    ),
    Single(
        "pitch_final_slope", "semitones/s", "pitch",
        "slope of the line fitted to the pitch of the 200 ms up to the last voiced frame", OWN,
    ),
    Single("pitch_rising_share", "1", "pitch", "share of pitch changes that are upward", OWN),
    Single("voiced_share", "1", "pitch", "share of frames that are voiced", BOERSMA),
    Single("voiced_speech_share", "1", "pitch", "share of speech frames that are voiced", BOERSMA),
    Series(
        "voicing", "1", "pitch", "voiced", MEAN_STD,
        "normalised autocorrelation at the period of the pitch", BOERSMA,
    ),
)  # fmt: skip

VOICE = (
    Single("jitter_local", "1", "voice", f"cycle length: {_CHANGE} 1.3 apart, relative to the mean", FARRUS),
    Single("jitter_absolute", "µs", "voice", f"cycle length: {_CHANGE} 1.3 apart", FARRUS),
    Single("jitter_rap", "1", "voice", f"cycle length: {_AROUND.replace('#', '3')}", FARRUS),
    Single("jitter_ppq5", "1", "voice", f"cycle length: {_AROUND.replace('#', '5')}", FARRUS),
    Single("shimmer_local", "1", "voice", f"amplitude: {_CHANGE} 1.6 apart, relative to the mean", FARRUS),
    Single("shimmer_db", "dB", "voice", f"amplitude: {_CHANGE} 1.6 apart", FARRUS),
    Single("shimmer_apq3", "1", "voice", f"amplitude: {_AROUND.replace('#', '3')}", FARRUS),
    Single("shimmer_apq5", "1", "voice", f"amplitude: {_AROUND.replace('#', '5')}", FARRUS),
    Single("shimmer_apq11", "1", "voice", f"amplitude: {_AROUND.replace('#', '11')}", FARRUS),
    Series(
        "hnr", "dB", "voice", "voiced", SPANNED,
        "harmonics-to-noise ratio: 10 log10 (r / (1 - r)), where r is the voicing", BOERSMA,
    ),
    Series(
        "h1_h2", "dB", "voice", "voiced", MEAN_STD,
        "level of the first harmonic (strongest bin within a third of it) minus that of the second",
        "Hanson 1997",
    ),
    Series(
        "tilt", "dB/octave", "voice", "voiced", ("mean",),
        "slope of the line fitted to the powers in dB over log frequency from 100 Hz to 5 kHz, with the "
        "same weight for every octave", "Murphy et al. 2008",
    ),
    Series(
        "cpp", "dB", "voice", "voiced", MEAN_STD,
        "cepstral peak among the periods searched, above the line fitted to the cepstrum from 1 ms on",
        "Hillenbrand et al. 1994",
    ),
)  # fmt: skip

FORMANTS = (
    *numbered(
        Series(
            "formant_#", "Hz", "formants", "voiced", MEAN_STD,
            "frequency of resonance # of a ten-pole linear prediction of the spectrum below 5.5 kHz", MAKHOUL,
        ), range(1, 5),
    ),
    *numbered(
        Series(
            "bandwidth_#", "Hz", "formants", "voiced", ("p50", "std"), "bandwidth of resonance #", MAKHOUL
        ), range(1, 5),
    ),
    *numbered(
        Series(
            "formant_#_level", "dB", "formants", "voiced", ("mean",),
            "level of the strongest bin within half a harmonic of formant # minus that of the first harmonic",
            GEMAPS,
        ), range(1, 4),
    ),
    Series(
        "formant_spacing", "Hz", "formants", "voiced", ("mean",),
        "a third of the distance from formant 1 to formant 4", "Fitch 1997",
    ),
)  # fmt: skip

DURATION = (
    Single("duration", "s", "duration", "duration of the wave", OWN),
    Single("voiced_duration", "s", "duration", "total duration of its voiced frames", OWN),
)

VOICE_ROWS: tuple[Series | Single, ...] = (*RHYTHM, *PITCH, *VOICE, *FORMANTS, *DURATION)
