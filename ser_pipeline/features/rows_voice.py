"""Rows of the feature table about the voice and its course: rhythm, pitch, quality, formants, duration."""

from ser_pipeline.features.rows import BOERSMA, GEMAPS, MEAN_STD, OWN, SPANNED, Series, Single, numbered

WEMPE = "de Jong & Wempe 2009"
FARRUS = "Farrús et al. 2007"
MAKHOUL = "Makhoul 1975; Markel & Gray 1976"

RHYTHM = (
    Single(
        "tempo", "beats/min", "rhythm",
        "period in 40 to 240 beats/min at which onset strength repeats best, 120 preferred", "Ellis 2007",
    ),
    Single("tempo_strength", "1", "rhythm", "autocorrelation of onset strength at that period", "Ellis 2007"),
    Series(
        "onset_strength", "dB", "rhythm", "all", MEAN_STD, "mean over the mel bands of the rise in one frame",
        "Böck & Widmer 2013",
    ),
    Single("onset_rate", "1/s", "rhythm", "peaks of onset strength per second", "Böck & Widmer 2013"),
    Single(
        "syllable_rate", "1/s", "rhythm",
        "voiced maxima of the level between dips of 2 dB, per second", WEMPE,
    ),
    Single("speech_share", "1", "rhythm", "share of frames that are speech", WEMPE),
    Single("pause_share", "1", "rhythm", "share of time in pauses: 150 ms and more between speech", WEMPE),
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
        "change of pitch since the frame before, both voiced", GEMAPS,
    ),
    Single("pitch_trend", "semitones/s", "pitch", "slope of the line fitted to the pitch of the clip", OWN),
    Single(
        "pitch_shift", "semitones", "pitch",
        "mean over the last third of the voiced frames less that over the first", OWN,
    ),
    Single(
        "pitch_final_slope", "semitones/s", "pitch",
        "slope of the line fitted to the pitch of the 200 ms up to the last voiced frame", OWN,
    ),
    Single("pitch_rising_share", "1", "pitch", "share of the changes of pitch that are upward", OWN),
    Single("voiced_share", "1", "pitch", "share of frames that are voiced", BOERSMA),
    Single("voiced_speech_share", "1", "pitch", "share of speech frames that are voiced", BOERSMA),
    Series(
        "voicing", "1", "pitch", "voiced", MEAN_STD,
        "normalised autocorrelation at the period of the pitch", BOERSMA,
    ),
)  # fmt: skip

_CHANGE = "mean change between neighbouring cycles that differ by less than a factor of"

_AROUND = "mean distance of a cycle from the mean of the # around it, over the mean"

VOICE = (
    Single("jitter_local", "1", "voice", f"length: {_CHANGE} 1.3, over the mean", FARRUS),
    Single("jitter_absolute", "µs", "voice", f"length: {_CHANGE} 1.3", FARRUS),
    Single("jitter_rap", "1", "voice", f"length: {_AROUND.replace('#', '3')}", FARRUS),
    Single("jitter_ppq5", "1", "voice", f"length: {_AROUND.replace('#', '5')}", FARRUS),
    Single("shimmer_local", "1", "voice", f"amplitude: {_CHANGE} 1.6, over the mean", FARRUS),
    Single("shimmer_db", "dB", "voice", f"amplitude: {_CHANGE} 1.6", FARRUS),
    Single("shimmer_apq3", "1", "voice", f"amplitude: {_AROUND.replace('#', '3')}", FARRUS),
    Single("shimmer_apq5", "1", "voice", f"amplitude: {_AROUND.replace('#', '5')}", FARRUS),
    Single("shimmer_apq11", "1", "voice", f"amplitude: {_AROUND.replace('#', '11')}", FARRUS),
    Series(
        "hnr", "dB", "voice", "voiced", SPANNED,
        "harmonics over noise: 10 log10 r / (1 - r), r being the voicing", BOERSMA,
    ),
    Series(
        "h1_h2", "dB", "voice", "voiced", MEAN_STD,
        "level of the first harmonic (strongest bin within a third of it) less that of the second",
        "Hanson 1997",
    ),
    Series(
        "tilt", "dB/octave", "voice", "voiced", ("mean",),
        "slope of the line fitted to the powers in dB over log frequency, 100 Hz to 5 kHz, all octaves "
        "counting alike", "Murphy et al. 2008",
    ),
    Series(
        "cpp", "dB", "voice", "voiced", MEAN_STD,
        "cepstral peak among the periods searched, over the line fitted to the cepstrum from 1 ms on",
        "Hillenbrand et al. 1994",
    ),
)  # fmt: skip

FORMANTS = (
    *numbered(
        Series(
            "formant_#", "Hz", "formants", "voiced", MEAN_STD,
            "frequency of resonance # of a ten-pole prediction of the spectrum below 5.5 kHz", MAKHOUL,
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
            "level of the strongest bin within half a harmonic of formant # less that of the first harmonic",
            GEMAPS,
        ), range(1, 4),
    ),
    Series(
        "formant_spacing", "Hz", "formants", "voiced", ("mean",),
        "a third of the distance from formant 1 to formant 4", "Fitch 1997",
    ),
)  # fmt: skip

DURATION = (
    Single("duration", "s", "duration", "length of the wave", OWN),
    Single("voiced_duration", "s", "duration", "length of its voiced frames together", OWN),
)

VOICE_ROWS: tuple[Series | Single, ...] = (*RHYTHM, *PITCH, *VOICE, *FORMANTS, *DURATION)
