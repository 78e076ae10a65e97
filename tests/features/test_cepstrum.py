import librosa
import numpy as np
import pytest

from ser_pipeline.features.cepstrum import deltas, mel_levels, mfcc_series
from ser_pipeline.features.frames import frame_wave
from ser_pipeline.settings import FeatureOptions


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
