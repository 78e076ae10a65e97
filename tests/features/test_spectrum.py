import itertools
import subprocess
import sys

import librosa
import numpy as np
import pytest
import scipy.stats

from ser_pipeline.dsp.frames import band, bins_hz, frame_wave
from ser_pipeline.features import spectrum
from ser_pipeline.features.spectrum import (
    PITCH_CLASSES,
    deltas,
    mel_levels,
    mfcc_series,
    shape_series,
    tone_series,
)
from ser_pipeline.options import FeatureOptions


def plain_levels(frames):
    mel = librosa.feature.melspectrogram(
        S=frames.power.T.astype(np.float64), sr=16_000, n_fft=1024, n_mels=40, fmin=50, fmax=7_000
    )
    return librosa.power_to_db(mel, ref=1.0, top_db=None)


def test_mel_levels_equal_librosa(voice):
    assert mel_levels(voice.frames) == pytest.approx(plain_levels(voice.frames).T, abs=1e-3)


def test_mfccs_equal_librosa(voice):
    series = mfcc_series(mel_levels(voice.frames))
    expected = librosa.feature.mfcc(S=plain_levels(voice.frames), n_mfcc=21)
    for number in range(1, 21):
        assert series[f"mfcc_{number:02d}"] == pytest.approx(expected[number], abs=2e-3)


def test_changes_equal_librosa(rng):
    values = rng.standard_normal((30, 3)).astype(np.float32)
    expected = librosa.feature.delta(values, width=5, axis=0, mode="nearest")
    assert deltas(values) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("frames", [1, 2, 4])
def test_few_frames_have_changes_too(frames):
    ramp = np.arange(frames, dtype=np.float32)[:, None]
    assert deltas(np.ones_like(ramp)) == pytest.approx(np.zeros_like(ramp))
    assert np.isfinite(deltas(ramp)).all()


def test_gain_moves_no_coefficient(rng):
    wave = rng.standard_normal(8_000).astype(np.float32)
    first = mfcc_series(mel_levels(frame_wave(wave, FeatureOptions())))
    second = mfcc_series(mel_levels(frame_wave(wave * np.float32(0.01), FeatureOptions())))
    for name, values in first.items():
        assert second[name] == pytest.approx(values, abs=1e-3)


def test_bands_above_seven_kilohertz_do_not_count(tone):
    low = tone(500)
    assert mel_levels(frame_wave(low + tone(7_600, amplitude=0.2), FeatureOptions())).argmax(
        axis=1
    ) == pytest.approx(mel_levels(frame_wave(low, FeatureOptions())).argmax(axis=1))


OPTIONS = FeatureOptions()
INSIDE = band(OPTIONS, 50, 7_000)
HZ = bins_hz(OPTIONS)[INSIDE]


@pytest.fixture(scope="module")
def series(voice):
    return shape_series(voice.frames)


@pytest.fixture(scope="module")
def power(voice):
    return voice.frames.power[:, INSIDE].astype(np.float64)


def test_centroid_bandwidth_and_rolloff_equal_librosa(series, power):
    magnitude = np.sqrt(power).T
    assert series["centroid"] == pytest.approx(
        librosa.feature.spectral_centroid(S=magnitude, freq=HZ)[0], rel=1e-4
    )
    assert series["bandwidth"] == pytest.approx(
        librosa.feature.spectral_bandwidth(S=magnitude, freq=HZ)[0], rel=1e-4
    )
    for share in (25, 85):
        expected = librosa.feature.spectral_rolloff(S=power.T, freq=HZ, roll_percent=share / 100)[0]
        assert np.mean(series[f"rolloff_{share}"] == expected) > 0.99
        assert series[f"rolloff_{share}"] == pytest.approx(expected, abs=16)


def test_flatness_equals_librosa(series, power):
    expected = 10 * np.log10(librosa.feature.spectral_flatness(S=power.T, power=1)[0])
    assert series["flatness"] == pytest.approx(expected, abs=1e-3)


def test_contrast_equals_librosa(series, voice):
    """librosa's bands begin at 0 Hz and double; only those that are the same here are compared."""
    power = voice.frames.power.T.astype(np.float64)
    expected = librosa.feature.spectral_contrast(S=power, sr=16_000, fmin=200, n_bands=5, quantile=0.02)
    for number in (2, 3, 4, 5):  # librosa adds a bin at each lower edge
        assert np.median(np.abs(series[f"contrast_{number}"] - expected[number - 1])) < 1.5


def test_contrast_is_peaks_over_valleys(series, voice):
    for number, (low, high) in enumerate([(50, 200), (200, 400), (3_200, 7_000)], start=1):
        inside = voice.frames.power[7, (bins_hz(OPTIONS) >= low) & (bins_hz(OPTIONS) < high)]
        ranked, kept = sorted(inside.tolist()), max(1, round(0.02 * inside.size))
        expected = 10 * np.log10(np.mean(ranked[-kept:]) / np.mean(ranked[:kept]))
        assert series[f"contrast_{number if high < 7_000 else 6}"][7] == pytest.approx(expected, abs=1e-3)


def test_skewness_and_kurtosis_are_those_of_a_sample_drawn_by_magnitude(series, power):
    for frame in (20, 100, 220):
        counts = np.rint(np.sqrt(power[frame]) / np.sqrt(power[frame]).sum() * 1e6).astype(int)
        sample = np.repeat(HZ, counts)
        assert series["spectral_skewness"][frame] == pytest.approx(scipy.stats.skew(sample), rel=1e-2)
        assert series["spectral_kurtosis"][frame] == pytest.approx(
            scipy.stats.kurtosis(sample, fisher=False), rel=1e-2
        )


def test_entropy_equals_scipy(series, power):
    expected = scipy.stats.entropy(power, axis=1) / np.log(HZ.size)
    assert series["entropy"] == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize(("low", "high"), [(50, 500), (500, 1_500)])
def test_slopes_equal_a_fitted_line(series, power, low, high):
    inside = (low <= HZ) & (high > HZ)
    levels = 10 * np.log10(np.maximum(power[:, inside], 1e-10))
    expected = np.polyfit(HZ[inside] / 1_000, levels.T, 1)[0]
    assert series[f"slope_{low}_{high}"] == pytest.approx(expected, abs=0.02)


def test_flux_is_the_distance_of_unit_spectra(series, power):
    unit = [np.sqrt(row) / np.sqrt(row.sum()) for row in power]
    expected = [np.linalg.norm(b - a) for a, b in itertools.pairwise(unit)]
    assert series["flux"][1:] == pytest.approx(expected, abs=1e-4)
    assert series["flux"][0] == series["flux"][1]


def test_two_tones_have_their_known_balance(tone):
    wave = tone(500, amplitude=0.4) + tone(3_000, amplitude=0.04)  # 20 dB apart
    series = shape_series(frame_wave(wave, OPTIONS))
    assert series["alpha_ratio"] == pytest.approx(-20, abs=0.05)
    assert series["hammarberg"] == pytest.approx(20, abs=0.2)
    assert series["rolloff_85"] == pytest.approx(500, abs=16)
    assert series["flux"] == pytest.approx(0, abs=0.02)


def test_a_tone_is_at_its_frequency_and_narrow(tone):
    series = shape_series(frame_wave(tone(2_000), OPTIONS))
    assert series["centroid"] == pytest.approx(2_000, abs=10)
    assert (series["bandwidth"] < 150).all()
    assert (series["flatness"] < -40).all()
    assert (series["entropy"] < 0.35).all()


def test_white_noise_is_flat(rng):
    series = shape_series(frame_wave(rng.standard_normal(32_000).astype(np.float32), OPTIONS))
    # the mean of the logarithm of an exponential variable is minus Euler's constant
    assert series["flatness"].mean() == pytest.approx(-10 * np.log10(np.e) * np.euler_gamma, abs=0.1)
    assert series["centroid"].mean() == pytest.approx((50 + 7_000) / 2, rel=0.02)
    assert series["bandwidth"].mean() == pytest.approx(6_950 / np.sqrt(12), rel=0.03)
    assert series["entropy"].mean() == pytest.approx(1, abs=0.1)
    assert series["slope_500_1500"].mean() == pytest.approx(0, abs=1)


@pytest.mark.parametrize(("sample_rate", "n_fft"), [(16_000, 1024), (22_050, 1000), (48_000, 2048)])
def test_filters_are_librosas_to_the_last_bit(sample_rate, n_fft):
    mel = librosa.filters.mel(sr=sample_rate, n_fft=n_fft, n_mels=26, fmin=50, fmax=7_000)
    assert np.array_equal(spectrum._filters(sample_rate, n_fft, 26), mel.T)
    chroma = librosa.filters.chroma(sr=sample_rate, n_fft=n_fft, tuning=0.0, n_chroma=12)
    assert np.array_equal(spectrum._chroma_filters(sample_rate, n_fft), chroma.T.astype(np.float32))


def test_features_load_neither_librosa_nor_all_of_scipy():
    code = (
        "import sys, numpy as np\n"
        "from ser_pipeline.front_end import warm\nwarm()\n"
        "assert not {'librosa', 'scipy.signal', 'scipy.stats'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_silence_has_no_shape():
    for name, values in shape_series(frame_wave(np.zeros(4_000, np.float32), OPTIONS)).items():
        assert values == pytest.approx(np.zeros(len(values)), abs=1e-4), name


def test_chroma_and_tonnetz_equal_librosa(voice):
    series = tone_series(voice.frames)
    power = voice.frames.power.T.astype(np.float64)
    chroma = librosa.feature.chroma_stft(S=power, sr=16_000, n_fft=1024, tuning=0.0)
    tonnetz = librosa.feature.tonnetz(chroma=chroma)
    for number, name in enumerate(PITCH_CLASSES):
        assert series[f"chroma_{name}"] == pytest.approx(chroma[number], abs=1e-4)
    for number in range(6):
        assert series[f"tonnetz_{number + 1}"] == pytest.approx(tonnetz[number], abs=1e-4)


@pytest.mark.parametrize("number", range(12))
def test_a_tone_is_in_its_own_class(tone, number):
    hz = 523.25 * 2 ** (number / 12)  # from C5 up
    series = tone_series(frame_wave(tone(hz), FeatureOptions()))
    means = [series[f"chroma_{name}"].mean() for name in PITCH_CLASSES]
    assert int(np.argmax(means)) == number
    assert max(means) == pytest.approx(1)


def test_silence_has_no_tone():
    for values in tone_series(frame_wave(np.zeros(4_000, np.float32), FeatureOptions())).values():
        assert not values.any()
