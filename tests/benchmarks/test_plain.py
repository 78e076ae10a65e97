import numpy as np
import pytest
import soundfile as sf

from ser_pipeline.audio import decode_file
from ser_pipeline.benchmarks.plain import plain_mel, plain_store
from ser_pipeline.front_end import mel_of_wave
from ser_pipeline.options import FrontEnd, recipe


@pytest.fixture
def clip(tmp_path, rng):
    t = np.arange(24_000) / 16_000
    wave = 0.2 * np.sin(2 * np.pi * 220 * t) * np.hanning(t.size) + 0.002 * rng.standard_normal(t.size)
    sf.write(tmp_path / "a.wav", wave, 16_000)
    return tmp_path / "a.wav"


@pytest.mark.parametrize(
    "front_end", [FrontEnd(), FrontEnd(denoise="none", trim_db=None), recipe("paper").front_end]
)
def test_the_front_end_equals_the_plain_pipeline(clip, front_end):
    mel = mel_of_wave(decode_file(clip, front_end.sample_rate), front_end)
    expected = plain_mel(clip, front_end)
    assert mel.frames == expected.shape[1]
    assert np.abs(mel.values[:, : mel.frames] - expected).max() < 1e-3


def test_the_plain_store_holds_padded_clips(clip, tmp_path):
    import h5py

    plain_store([clip], tmp_path / "plain.h5", FrontEnd(denoise="none"))
    with h5py.File(tmp_path / "plain.h5") as file:
        assert file["0"].shape == (96, 173)
        assert (file["0"][:, -1] == -1).all()
