import subprocess
import sys

import librosa
import numpy as np
import pytest
from numpy.testing import assert_allclose

from ser_pipeline.dsp.mel import log_mel, mel_filters
from ser_pipeline.errors import AudioError
from ser_pipeline.options import FrontEnd, recipe


def plain_power(wave, front_end):
    return librosa.feature.melspectrogram(
        y=wave,
        sr=front_end.sample_rate,
        n_fft=front_end.n_fft,
        hop_length=front_end.hop_length,
        n_mels=front_end.n_mels,
    )


@pytest.mark.parametrize("samples", [2_048, 2_205, 40_000, 88_200])
@pytest.mark.parametrize("n_mels", [80, 96])
def test_default_scale_equals_librosa(rng, samples, n_mels):
    wave = (0.1 * rng.standard_normal(samples)).astype(np.float32)
    front_end = FrontEnd(n_mels=n_mels)
    level = np.maximum(librosa.power_to_db(plain_power(wave, front_end), ref=1.0, top_db=None), -80)
    assert_allclose(log_mel(wave, front_end), (level + 80) / 60 - 1, rtol=0, atol=1e-4, equal_nan=False)


@pytest.mark.parametrize("n_fft", [512, 1000, 2048])
@pytest.mark.parametrize("hop_length", [160, 512])
@pytest.mark.parametrize("sample_rate", [16_000, 22_050])
def test_other_windows_equal_librosa(rng, n_fft, hop_length, sample_rate):
    wave = (0.1 * rng.standard_normal(30_000)).astype(np.float32)
    front_end = FrontEnd(n_fft=n_fft, hop_length=hop_length, sample_rate=sample_rate, n_mels=40)
    level = np.maximum(librosa.power_to_db(plain_power(wave, front_end), ref=1.0, top_db=None), -80)
    assert_allclose(log_mel(wave, front_end), (level + 80) / 60 - 1, rtol=0, atol=1e-4, equal_nan=False)


def test_a_loud_frame_leaves_its_silent_partner_alone():
    wave = np.zeros(16 * 2048, np.float32)
    wave[:2048] = np.sin(2 * np.pi * 1_000 * np.arange(2048) / 22_050)
    front_end = FrontEnd(hop_length=4096)  # windows that share no sample share a transform
    assert (log_mel(wave, front_end)[:, 1:] == -1).all()


def test_paper_scale_equals_librosa(rng):
    wave = (np.hanning(50_000) * rng.standard_normal(50_000)).astype(np.float32)
    front_end = recipe("paper").front_end
    level = librosa.power_to_db(plain_power(wave, front_end), ref=np.max)
    expected = 2 * (level - level.min()) / (level.max() - level.min()) - 1
    mel = log_mel(wave, front_end)
    assert_allclose(mel, expected, rtol=0, atol=1e-4, equal_nan=False)
    assert (mel.min(), mel.max()) == pytest.approx((-1, 1))


def test_ten_decibels_move_the_default_scale_by_a_sixth(rng):
    wave = (0.05 * rng.standard_normal(30_000)).astype(np.float32)
    louder = wave * np.float32(10 ** (10 / 20))
    found = log_mel(louder, FrontEnd()) - log_mel(wave, FrontEnd())
    assert_allclose(found, 1 / 6, rtol=0, atol=1e-4, equal_nan=False)


def test_loudness_never_reaches_the_paper_scale(rng):
    wave = rng.standard_normal(30_000).astype(np.float32)
    front_end = recipe("paper").front_end
    louder = log_mel(wave * 3, front_end)
    assert_allclose(log_mel(wave, front_end), louder, rtol=0, atol=1e-4, equal_nan=False)


@pytest.mark.parametrize(("samples", "frames"), [(1, 1), (511, 1), (512, 2), (88_199, 173), (500_000, 173)])
def test_one_frame_per_hop_and_four_seconds_at_most(samples, frames):
    assert log_mel(np.ones(samples, np.float32), FrontEnd()).shape == (96, frames)


def test_a_tone_lights_its_own_band():
    wave = np.sin(2 * np.pi * 1_000 * np.arange(22_050) / 22_050).astype(np.float32)
    loudest = int(log_mel(wave, FrontEnd())[:, 20].argmax())
    centres = librosa.mel_frequencies(n_mels=98, fmax=11_025)[1:-1]
    assert loudest == int(np.abs(centres - 1_000).argmin())


def test_silence_is_the_floor_on_both_scales():
    for front_end in (FrontEnd(), recipe("paper").front_end):
        assert (log_mel(np.zeros(5_000, np.float32), front_end) == -1).all()


@pytest.mark.parametrize("sample_rate", [1_500, 16_000, 22_050, 48_000])
@pytest.mark.parametrize(("n_fft", "n_mels"), [(2048, 96), (1024, 40), (1000, 21), (400, 8)])
def test_filters_equal_librosas(sample_rate, n_fft, n_mels):
    expected = librosa.filters.mel(sr=sample_rate, n_fft=n_fft, n_mels=n_mels)
    found = mel_filters(sample_rate, n_fft, n_mels)
    assert_allclose(found, expected, rtol=1e-5, atol=0, equal_nan=False)


def test_filters_are_made_once():
    assert mel_filters(22_050, 2048, 96) is mel_filters(22_050, 2048, 96)


@pytest.mark.parametrize("shape", [(0,), (2, 100)])
def test_only_a_mono_wave_has_a_spectrogram(shape):
    with pytest.raises(AudioError, match="needs a mono wave"):
        log_mel(np.zeros(shape, np.float32), FrontEnd())


@pytest.mark.parametrize(
    ("sample_rate", "n_fft", "n_mels"),
    [(22_050, 2048, 96), (22_050, 2048, 80), (16_000, 1024, 40), (48_000, 2048, 128), (1_600, 256, 21)],
)
def test_filters_are_librosas_to_the_last_bit(sample_rate, n_fft, n_mels):
    expected = librosa.filters.mel(sr=sample_rate, n_fft=n_fft, n_mels=n_mels)
    assert np.array_equal(mel_filters(sample_rate, n_fft, n_mels), expected)


def test_mels_load_no_librosa():
    code = (
        "import sys, numpy as np\n"
        "from ser_pipeline.front_end import mel_of_wave\nfrom ser_pipeline.options import FrontEnd\n"
        "mel_of_wave(np.ones(8000, np.float32), FrontEnd())\n"
        "sys.exit('librosa' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
