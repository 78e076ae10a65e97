"""Every feature that needs no voice, computed a second time: librosa, SciPy, or plain sums."""

import librosa
import numpy as np
import pytest
import scipy.signal
import scipy.stats

from ser_pipeline.features.catalogue import FEATURES
from ser_pipeline.features.definitions import SOUND_ROWS, Single
from ser_pipeline.features.extract import extract
from ser_pipeline.features.spectrum import PITCH_CLASSES

LENGTH, HOP = 738, 160
ROWS = {row.name for row in SOUND_ROWS}
SOUND_FEATURES = [feature for feature in FEATURES if feature.series in ROWS]


@pytest.fixture(scope="module")
def pieces(voice):
    """Samples of each frame, without the clip's mean, shape ``(frames, LENGTH)``."""
    wave = voice.wave.astype(np.float64) - voice.wave.mean(dtype=np.float64)
    return np.stack([wave[start : start + LENGTH] for start in range(0, wave.size - LENGTH + 1, HOP)])


@pytest.fixture(scope="module")
def level(pieces):
    weight = scipy.signal.get_window("hann", LENGTH) ** 2
    return 10 * np.log10(pieces**2 @ weight / weight.sum())


@pytest.fixture(scope="module")
def series(voice, pieces, level):
    """Every series of the table, each of shape ``(frames,)``."""
    peak = np.abs(voice.wave - voice.wave.mean()).max()
    power = np.abs(np.fft.rfft(pieces * scipy.signal.get_window("hann", LENGTH) / peak, 1024)) ** 2
    crossings = [np.count_nonzero(np.diff(np.sign(piece) >= 0)) * 16_000 / LENGTH for piece in pieces]
    return {
        **cepstrum(power),
        **spectrum(power),
        **tones(power),
        "level": level,
        "level_change": np.gradient(level) * 100,
        "rms": 10 ** (level / 20),
        "zero_crossings": np.array(crossings),
        "zero_crossings_voiced": np.array(crossings)[voice.pitch.voiced],
    }


def cepstrum(power):
    mel = librosa.feature.melspectrogram(S=power.T, sr=16_000, n_fft=1024, n_mels=40, fmin=50, fmax=7_000)
    mfcc = librosa.feature.mfcc(S=librosa.power_to_db(mel, top_db=None), n_mfcc=21)
    first = librosa.feature.delta(mfcc, width=5, mode="nearest")
    second = librosa.feature.delta(first, width=5, mode="nearest")
    found = {f"mfcc_{n:02d}": mfcc[n] for n in range(1, 21)}
    for n in range(1, 14):
        found |= {f"mfcc_{n:02d}_delta": first[n], f"mfcc_{n:02d}_delta2": second[n]}
    return found


def spectrum(power):
    hz = librosa.fft_frequencies(sr=16_000, n_fft=1024)
    inside = (hz >= 50) & (hz < 7_000)
    power, hz = power[:, inside], hz[inside]
    magnitude, levels = np.sqrt(power), 10 * np.log10(np.maximum(power, 1e-10))
    share = magnitude / magnitude.sum(axis=1, keepdims=True)
    centroid = share @ hz
    away = hz - centroid[:, None]
    deviation = np.sqrt((share * away**2).sum(axis=1))
    unit = magnitude / np.linalg.norm(magnitude, axis=1, keepdims=True)
    flux = np.linalg.norm(np.diff(unit, axis=0), axis=1)

    def within(low, high):
        return (hz >= low) & (hz < high)

    def slope(low, high):
        chosen = within(low, high)
        return np.polyfit(hz[chosen] / 1_000, levels[:, chosen].T, 1)[0]

    def strongest(low, high):
        return levels[:, within(low, high)].max(axis=1)

    alpha = power[:, within(1_000, 5_000)].sum(axis=1) / power[:, within(50, 1_000)].sum(axis=1)
    return {
        "centroid": librosa.feature.spectral_centroid(S=magnitude.T, freq=hz)[0],
        "bandwidth": librosa.feature.spectral_bandwidth(S=magnitude.T, freq=hz)[0],
        "rolloff_25": librosa.feature.spectral_rolloff(S=power.T, freq=hz, roll_percent=0.25)[0],
        "rolloff_85": librosa.feature.spectral_rolloff(S=power.T, freq=hz, roll_percent=0.85)[0],
        "flatness": 10 * np.log10(librosa.feature.spectral_flatness(S=power.T, power=1)[0]),
        "flux": np.concatenate([flux[:1], flux]),
        "entropy": scipy.stats.entropy(power, axis=1) / np.log(hz.size),
        "spectral_skewness": (share * away**3).sum(axis=1) / deviation**3,
        "spectral_kurtosis": (share * away**4).sum(axis=1) / deviation**4,
        "slope_50_500": slope(50, 500),
        "slope_500_1500": slope(500, 1_500),
        "alpha_ratio": 10 * np.log10(alpha),
        "hammarberg": strongest(0, 2_000) - strongest(2_000, 5_000),
        **contrast(power, hz),
    }


def contrast(power, hz):
    found = {}
    edges = (50, 200, 400, 800, 1_600, 3_200, 7_000)
    for number in range(1, 7):
        ranked = np.sort(power[:, (hz >= edges[number - 1]) & (hz < edges[number])])
        count = max(1, round(0.02 * ranked.shape[1]))
        ratio = ranked[:, -count:].mean(axis=1) / ranked[:, :count].mean(axis=1)
        found[f"contrast_{number}"] = 10 * np.log10(ratio)
    return found


def tones(power):
    chroma = librosa.feature.chroma_stft(S=power.T, sr=16_000, n_fft=1024, tuning=0.0)
    tonnetz = librosa.feature.tonnetz(chroma=chroma)
    found = {f"chroma_{name}": row for name, row in zip(PITCH_CLASSES, chroma, strict=True)}
    return found | {f"tonnetz_{n + 1}": row for n, row in enumerate(tonnetz)}


@pytest.fixture(scope="module")
def singles(voice, level):
    """Every number the table has once per clip."""
    wave = voice.wave.astype(np.float64) - voice.wave.mean(dtype=np.float64)
    peak, rms = np.abs(wave).max(), np.sqrt(np.mean(wave**2))
    speech = level >= np.percentile(level, 95) - 30
    times = np.arange(level.size) / 100
    return {
        "level_trend": np.polyfit(times[speech], level[speech], 1)[0],
        "peak_level": 20 * np.log10(peak),
        "clip_level": 20 * np.log10(rms),
        "crest": 20 * np.log10(peak / rms),
        "energy_centroid": np.average(np.linspace(0, 1, wave.size), weights=wave**2),
    }


@pytest.fixture(scope="module")
def vector(voice):
    return extract(voice.wave, voice.options)


def test_the_second_computation_leaves_none_out(series, singles):
    assert set(series) == {row.name for row in SOUND_ROWS if not isinstance(row, Single)}
    assert set(singles) == {row.name for row in SOUND_ROWS if isinstance(row, Single)}


@pytest.mark.parametrize("feature", SOUND_FEATURES, ids=lambda feature: feature.name)
def test_equals_a_second_computation(vector, level, series, singles, taken, feature):
    found = vector[FEATURES.index(feature)]
    if feature.over == "clip":
        assert found == pytest.approx(singles[feature.name], rel=1e-4, abs=1e-3)
        return
    values = series[feature.series]
    if feature.over == "speech":
        values = values[level >= np.percentile(level, 95) - 30]
    assert found == pytest.approx(taken(feature.statistic, values), rel=1e-3, abs=2e-3)
