import io
import wave as wave_module

import numpy as np
import pytest
import soundfile

from ser_pipeline.acquire.synth.wav import COMMENT, wav_bytes


@pytest.mark.parametrize("sample_rate", [16_000, 24_414, 44_100, 48_000])
@pytest.mark.parametrize("samples", [1, 1000, 1001])
def test_two_readers_get_the_samples_back(rng, sample_rate, samples):
    wave = rng.uniform(-1, 1, samples).astype(np.float32)
    encoded = wav_bytes(wave, sample_rate)
    decoded, rate = soundfile.read(io.BytesIO(encoded), dtype="int16")
    assert rate == sample_rate
    assert np.array_equal(decoded, np.rint(wave * 32_767))
    with wave_module.open(io.BytesIO(encoded)) as reader:
        assert reader.getparams()[:4] == (1, 2, sample_rate, samples)


def test_the_file_says_that_it_is_synthetic():
    with soundfile.SoundFile(io.BytesIO(wav_bytes(np.zeros(10, np.float32), 16_000))) as reader:
        assert reader.comment == COMMENT
        assert reader.subtype == "PCM_16"


def test_the_header_states_the_true_size():
    encoded = wav_bytes(np.zeros(7, np.float32), 16_000)
    assert int.from_bytes(encoded[4:8], "little") == len(encoded) - 8
