"""Every feature of the voice and its course, computed a second time: from the truth where a made voice
has one, else by SciPy, NumPy, librosa, or loops that a reader can follow."""

import itertools
import re

import librosa
import numpy as np
import pytest
import scipy.interpolate
import scipy.linalg

from ser_pipeline.dsp.marks import mark_periods
from ser_pipeline.features.catalogue import FEATURES
from ser_pipeline.features.definitions import VOICE_ROWS, Single
from ser_pipeline.features.extract import extract

LENGTH, HOP = 738, 160
HZ = np.arange(513) * 15.625
ROWS = {row.name for row in VOICE_ROWS}
VOICE_FEATURES = [feature for feature in FEATURES if feature.series in ROWS]

LOOSE = {
    "pitch_hz": 0.8, "pitch_st": 0.08, "pitch_change": 1.5, "voicing": 0.01, "hnr": 0.5,
    "pitch_trend": 0.1, "pitch_shift": 0.1, "pitch_final_slope": 2.0, "pitch_rising_share": 0.05,
    "voiced_share": 0.02, "voiced_speech_share": 0.02, "voiced_duration": 0.04, "voiced_run_mean": 0.03,
    "voiced_run_std": 0.03, "speech_share": 0.01, "formant_spacing": 0.5,
}  # fmt: skip
"""How far the extractor may be from the truth of the made voice, in the feature's unit."""


@pytest.fixture(scope="module")
def power(voice):
    return voice.frames.power[voice.pitch.voiced].astype(np.float64)


@pytest.fixture(scope="module")
def series(voice, power):
    voiced = voice.pitch.voiced
    true = np.where(voiced, voice.hz[voice.centres], np.nan)
    tones = 12 * np.log2(true / 27.5)
    strength = np.array([repeats(voice, frame) for frame in np.flatnonzero(voiced)])
    return {
        "onset_strength": librosa.onset.onset_strength(
            S=mels(voice), sr=16_000, hop_length=160, center=False
        ),
        "pitch_hz": true[voiced],
        "pitch_st": tones[voiced],
        "pitch_change": (np.diff(tones) * 100)[voiced[1:] & voiced[:-1]],
        "voicing": strength,
        "hnr": 10 * np.log10(strength / (1 - strength)),
        **harmonics(power, true[voiced]),
        **resonances(power, true[voiced]),
    }


def mels(voice):
    mel = librosa.feature.melspectrogram(
        S=voice.frames.power.T.astype(float), sr=16_000, n_fft=1024, n_mels=40, fmin=50, fmax=7_000
    )
    return librosa.power_to_db(mel, top_db=80)


def repeats(voice, frame):
    """Normalised autocorrelation of a frame at its period, summed sample by sample."""
    piece = voice.frames.wave[frame * HOP : frame * HOP + LENGTH].astype(np.float64)
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(LENGTH) / LENGTH)
    piece = (piece - piece.mean()) * window
    own, windows = (np.correlate(x, x, "full")[LENGTH - 1 :][:270] for x in (piece, window))
    found = own / own[0] / (windows / windows[0])
    period = 16_000 / voice.hz[voice.centres[frame]]
    places = np.arange(period * 0.97, period * 1.03, 0.01)
    height = scipy.interpolate.CubicSpline(np.arange(270), found)(places).max()
    return min(height, 1 / height)


def strongest(row, hz, reach):
    middle = round(hz / 15.625)
    return 10 * np.log10(max(row[k] for k in range(513) if abs(k - middle) * 15.625 < reach))


def harmonics(power, pitch):
    inside = (HZ >= 100) & (HZ < 5_000)
    tilt = [
        np.polyfit(np.log2(HZ[inside]), 10 * np.log10(row[inside]), 1, w=1 / np.sqrt(HZ[inside]))[0]
        for row in power
    ]
    steps = [
        strongest(row, hz, hz / 3) - strongest(row, 2 * hz, hz / 3)
        for row, hz in zip(power, pitch, strict=True)
    ]
    prominence = []
    for row in power:
        height = 20 * np.log10(np.abs(np.fft.irfft(10 * np.log10(np.maximum(row, 1e-10)))))
        line = np.polyfit(np.arange(16, 248), height[16:248], 1)
        best = 32 + int(np.argmax(height[32:248]))
        prominence.append(height[best] - np.polyval(line, best))
    return {"tilt": tilt, "h1_h2": steps, "cpp": prominence}


def resonances(power, pitch):
    emphasis = np.exp(-2 * np.pi * 50 / 11_000)
    gain = np.abs(1 - emphasis * np.exp(-2j * np.pi * HZ / 11_000)) ** 2 * (HZ <= 5_500)
    hz, width, level = (np.full((len(power), 4), np.nan) for _ in range(3))
    for frame, row in enumerate(power):
        shaped = row * gain
        correlation = [
            shaped[0] / 2 + sum(shaped[1:] * np.cos(2 * np.pi * HZ[1:] * lag / 11_000)) for lag in range(11)
        ]
        filter_ = [1, *-scipy.linalg.solve_toeplitz(correlation[:-1], correlation[1:])]
        poles = [pole for pole in np.roots(filter_) if pole.imag > 0]
        for place, pole in enumerate(sorted(poles, key=np.angle)[:4]):
            hz[frame, place] = np.angle(pole) * 5_500 / np.pi
            width[frame, place] = -np.log(np.abs(pole)) * 11_000 / np.pi
            own = strongest(row, hz[frame, place], pitch[frame] / 2)
            level[frame, place] = own - strongest(row, pitch[frame], pitch[frame] / 3)
    found = {f"formant_{n}": hz[:, n - 1] for n in range(1, 5)}
    found |= {f"bandwidth_{n}": width[:, n - 1] for n in range(1, 5)}
    found |= {f"formant_{n}_level": level[:, n - 1] for n in range(1, 4)}
    found["formant_spacing"] = (hz[:, 3] - hz[:, 0]) / 3
    return {name: values[np.isfinite(values)] for name, values in found.items()}


@pytest.fixture(scope="module")
def singles(voice):
    sounds = voice.sounds[voice.centres]
    lengths = np.array([0.8, 0.85])  # as the voice was made
    return {**contour(voice), **course(voice), **cycles(voice)} | {
        "voiced_share": sounds.mean(),
        "voiced_speech_share": (sounds & voice.frames.speech).sum() / voice.frames.speech.sum(),
        "voiced_run_rate": 2 / 2.4,
        "voiced_run_mean": lengths.mean(),
        "voiced_run_std": lengths.std(),
        "voiced_duration": lengths.sum(),
        "duration": 2.4,
    }


def contour(voice):
    times = np.flatnonzero(voice.pitch.voiced) / 100
    tones = 12 * np.log2(voice.hz[voice.centres][voice.pitch.voiced])
    third, last = tones.size // 3, times > times[-1] - 0.2
    steps = [b - a for a, b, c, d in zip(tones, tones[1:], times, times[1:], strict=False) if d - c < 0.015]
    return {
        "pitch_trend": np.polyfit(times, tones, 1)[0],
        "pitch_shift": tones[-third:].mean() - tones[:third].mean(),
        "pitch_final_slope": np.polyfit(times[last], tones[last], 1)[0],
        "pitch_rising_share": np.mean(np.array(steps) > 0),
    }


def course(voice):
    """Rhythm: by librosa, or by walking over the frames."""
    strength = librosa.onset.onset_strength(S=mels(voice), sr=16_000, hop_length=160, center=False)
    margin = max(0.1 * strength.max(), 1.0)  # a tenth of the greatest, or 1 dB
    peaks = librosa.util.peak_pick(
        strength, pre_max=3, post_max=4, pre_avg=10, post_avg=11, delta=float(margin), wait=0
    )
    centred = strength - strength.mean()
    alike = {lag: np.mean(centred[lag:] * centred[:-lag]) / np.var(strength) for lag in range(25, 119)}
    best = max(alike, key=lambda lag: alike[lag] * np.exp(-0.5 * np.log2(6_000 / lag / 120) ** 2))
    speech = "".join("x" if sound else "." for sound in voice.frames.speech).strip(".")
    pauses = np.array([len(run) / 100 for run in speech.split("x") if len(run) >= 15])
    stretches = np.array([len(run) / 100 for run in re.split(r"\.{15,}", speech)])
    return {
        "tempo": 6_000 / best,
        "tempo_strength": alike[best],
        "onset_rate": len(peaks) / 2.4,
        "syllable_rate": syllables(voice) / 2.4,
        "speech_share": voice.frames.speech.mean(),
        "pause_share": pauses.sum() / 2.4,
        "pause_rate": pauses.size / 2.4,
        "pause_mean": pauses.mean(),
        "pause_max": pauses.max(),
        "stretch_mean": stretches.mean(),
        "stretch_std": stretches.std(),
    }


def syllables(voice):
    """Maxima of the smoothed level that stand 2 dB above the lower of the dips to higher ground."""
    level = np.convolve(np.pad(voice.frames.level_db, 2, mode="edge"), np.ones(5) / 5, mode="valid")
    count = 0
    for at in range(1, level.size - 1):
        if not (level[at] > level[at - 1] and level[at] >= level[at + 1]):
            continue
        dips = []
        for side in (level[at::-1], level[at:]):
            higher = np.flatnonzero(side > level[at])
            dips.append(side[: higher[0]].min() if higher.size else -np.inf)
        prominent = level[at] - max(dips) >= 2
        count += bool(prominent and voice.pitch.voiced[at] and voice.frames.speech[at])
    return count


def cycles(voice):
    """Jitter and shimmer of the marks, cycle by cycle."""
    marks = mark_periods(voice.frames, voice.pitch)
    lengths, heights = [], []
    for chain in set(marks.chain.tolist()):
        inside = marks.chain == chain
        lengths.append(np.diff(marks.at[inside]) / 16_000)
        heights.append(marks.amplitude[inside])

    def smooth(chains, width, factor):
        found = []
        for values in chains:
            for start in range(len(values) - width + 1):
                part = values[start : start + width]
                steps = itertools.pairwise(part)
                if all(max(a, b) <= factor * min(a, b) for a, b in steps):
                    found.append(abs(part[width // 2] - part.mean()))
        return np.mean(found)

    def steps(chains, factor, change):
        pairs = [(a, b) for values in chains for a, b in itertools.pairwise(values)]
        return np.mean([change(a, b) for a, b in pairs if max(a, b) <= factor * min(a, b)])

    mean, loud = np.concatenate(lengths).mean(), np.concatenate(heights).mean()
    local = steps(lengths, 1.3, lambda a, b: abs(a - b))
    return {
        "jitter_local": local / mean,
        "jitter_absolute": local * 1e6,
        "jitter_rap": smooth(lengths, 3, 1.3) / mean,
        "jitter_ppq5": smooth(lengths, 5, 1.3) / mean,
        "shimmer_local": steps(heights, 1.6, lambda a, b: abs(a - b)) / loud,
        "shimmer_db": steps(heights, 1.6, lambda a, b: abs(20 * np.log10(a / b))),
        **{f"shimmer_apq{n}": smooth(heights, n, 1.6) / loud for n in (3, 5, 11)},
    }


@pytest.fixture(scope="module")
def vector(voice):
    return extract(voice.wave, voice.options)


def test_the_second_computation_leaves_none_out(series, singles):
    assert set(series) == {row.name for row in VOICE_ROWS if not isinstance(row, Single)}
    assert set(singles) == {row.name for row in VOICE_ROWS if isinstance(row, Single)}


@pytest.mark.parametrize("feature", VOICE_FEATURES, ids=lambda feature: feature.name)
def test_equals_a_second_computation(vector, series, singles, taken, feature):
    found = vector[FEATURES.index(feature)]
    if feature.over == "clip":
        expected = singles[feature.name]
    else:
        expected = taken(feature.statistic, np.asarray(series[feature.series]))
    assert found == pytest.approx(expected, rel=2e-3, abs=LOOSE.get(feature.series, 2e-3))
