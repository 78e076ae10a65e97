"""Rows of the feature table that need no voice: cepstrum, spectrum, tones, energy, zero crossings."""

from ser_pipeline.features.rows import GEMAPS, MEAN_STD, OWN, PEETERS, SPANNED, Series, Single, numbered
from ser_pipeline.features.tones import PITCH_CLASSES

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
        "first bin up to which lie 85 % of the power", "Scheirer & Slaney 1997",
    ),
    Series(
        "rolloff_25", "Hz", "spectral", "speech", MEAN_STD,
        "first bin up to which lie 25 % of the power", "Scheirer & Slaney 1997",
    ),
    Series(
        "flatness", "dB", "spectral", "speech", SPANNED,
        "geometric over arithmetic mean of the powers; 0 is white noise", "Gray & Markel 1974",
    ),
    Series(
        "flux", "1", "spectral", "speech", SPANNED,
        "Euclidean distance of the magnitudes, at unit length, from those of the frame before", PEETERS,
    ),
    Series(
        "entropy", "1", "spectral", "speech", MEAN_STD,
        "Shannon entropy of the powers as a distribution, over its greatest value", "Misra et al. 2004",
    ),
    Series(
        "spectral_skewness", "1", "spectral", "speech", MEAN_STD,
        "skewness of frequency, weighted by magnitude", PEETERS,
    ),
    Series(
        "spectral_kurtosis", "1", "spectral", "speech", MEAN_STD,
        "kurtosis of frequency, weighted by magnitude; 3 for a bell curve", PEETERS,
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
        "power in 1 to 5 kHz over power in 50 Hz to 1 kHz", GEMAPS,
    ),
    Series(
        "hammarberg", "dB", "spectral", "speech", MEAN_STD,
        "strongest bin below 2 kHz over the strongest in 2 to 5 kHz", "Hammarberg et al. 1980",
    ),
    *numbered(
        Series(
            "contrast_#", "dB", "spectral", "speech", MEAN_STD,
            "mean of the strongest over mean of the weakest 2 % of bins (at least one) in band # between "
            "50, 200, 400, 800, 1600, 3200, 7000 Hz", "Jiang et al. 2002",
        ), range(1, 7),
    ),
)  # fmt: skip

TONES = (
    *(
        Series(
            f"chroma_{name}", "1", "chroma", "speech", MEAN_STD,
            f"power in pitch class {name.replace('s', '♯').upper()} over that in the frame's strongest "
            "class; A4 is 440 Hz", "Fujishima 1999; Ellis 2007",
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
        "Hann-weighted RMS; a full-scale sine has -3", OWN,
    ),
    Series(
        "level_change", "dB/s", "energy", "speech", ("std", "rise", "fall"),
        "change of the level from the frame before to the one after", OWN,
    ),
    Series("rms", "1", "energy", "all", MEAN_STD, "Hann-weighted RMS as a share of full scale", OWN),
    Single("level_trend", "dB/s", "energy", "slope of the line fitted to the level of speech frames", OWN),
    Single("peak_level", "dBFS", "energy", "greatest magnitude of a sample, offset taken away", OWN),
    Single("clip_level", "dBFS", "energy", "RMS of all samples", OWN),
    Single("crest", "dB", "energy", "peak_level less clip_level", OWN),
    Single(
        "energy_centroid", "1", "energy", "mean time, weighted by energy, as a share of the duration", PEETERS
    ),
)  # fmt: skip

CROSSINGS = (
    Series(
        "zero_crossings", "1/s", "zero crossings", "speech", SPANNED, "changes of sign per second",
        "Kedem 1986",
    ),
    Series(
        "zero_crossings_voiced", "1/s", "zero crossings", "voiced", ("mean",),
        "changes of sign per second in voiced frames", "Kedem 1986",
    ),
)  # fmt: skip

SOUND_ROWS: tuple[Series | Single, ...] = (*CEPSTRUM, *SPECTRUM, *TONES, *ENERGY, *CROSSINGS)
