import numpy as np
import pytest

from ser_pipeline.arrays import as_samples
from ser_pipeline.audio import active_span, prepare, rms_db, spectral_gate, to_level
from ser_pipeline.audio.augment import augment
from ser_pipeline.audio.decode import resample
from ser_pipeline.audio.fingerprint import take_fingerprint
from ser_pipeline.audio.quality import measure_quality
from ser_pipeline.dsp.mel import log_mel
from ser_pipeline.errors import AudioError
from ser_pipeline.features.extract import extract
from ser_pipeline.front_end import mel_of_wave, row_of_variant, row_of_wave
from ser_pipeline.options import FeatureOptions, FrontEnd, WaveAugment

RATE = 16_000
OPTIONS = FrontEnd(sample_rate=RATE)


@pytest.mark.parametrize(
    ("kind", "lowest", "middle"),
    [
        (np.int8, -128, 0), (np.int16, -32_768, 0), (np.int32, -(2**31), 0),
        (np.uint8, 0, 128), (np.uint16, 0, 32_768), (np.uint32, 0, 2**31), (">i2", -32_768, 0),
    ],
)  # fmt: skip
def test_integers_are_scaled_by_their_own_range(kind, lowest, middle):
    found = as_samples(np.array([lowest, middle, middle + (middle - lowest) // 2], kind))
    assert found.dtype == np.float32
    assert found.tolist() == [-1.0, 0.0, 0.5]


@pytest.mark.parametrize("kind", [np.float16, np.float32, np.float64, np.longdouble, ">f4"])
def test_numbers_with_a_point_stay_what_they_are(kind):
    found = as_samples(np.array([-2.0, 0.25], kind))
    assert (found.dtype, found.tolist()) == (np.float32, [-2.0, 0.25])


def test_float32_is_not_copied_and_every_array_is_of_one_layout():
    wave = np.zeros(8, np.float32)
    assert as_samples(wave) is wave
    fixed = np.zeros(8, np.float32)
    fixed.flags.writeable = False
    for each in (fixed, wave[::2], np.zeros((8, 2), np.float32)[:, 0], [0.0, 0.5], ()):
        flags = as_samples(each).flags
        assert flags.c_contiguous
        assert flags.writeable


@pytest.mark.parametrize(
    ("wrong", "found"),
    [
        ([1, 2], "int64"), (np.zeros(2, np.uint64), "uint64"), ([True], "bool"), ([1j], "complex128"),
        (["a"], "<U1"), (None, "object"), ([object()], "object"), ([[1.0], [1.0, 2.0]], "different lengths"),
    ],
)  # fmt: skip
def test_what_has_no_full_scale_is_refused(wrong, found):
    with pytest.raises(AudioError, match=found):
        as_samples(wrong)


TAKES_A_WAVE = {
    "log_mel": lambda wave: log_mel(wave, OPTIONS),
    "extract": lambda wave: extract(wave, FeatureOptions()),
    "prepare": lambda wave: prepare(wave, OPTIONS).wave,
    "rms_db": rms_db,
    "to_level": lambda wave: to_level(wave, 0.1),
    "active_span": lambda wave: active_span(wave, 30.0),
    "spectral_gate": lambda wave: spectral_gate(wave, RATE),
    "resample": lambda wave: resample(wave, RATE, 22_050),
    "take_fingerprint": lambda wave: take_fingerprint(wave, RATE).bits,
    "measure_quality": lambda wave: list(measure_quality(wave[:, None], RATE)),
    "augment": lambda wave: augment(wave, RATE, WaveAugment(), digest="a", variant=0),
    "mel_of_wave": lambda wave: mel_of_wave(wave, OPTIONS).values,
    "row_of_wave": lambda wave: row_of_wave(wave, FeatureOptions()).values,
    "row_of_variant": lambda wave: row_of_variant(wave, OPTIONS, digest="a").values,
}


@pytest.mark.parametrize("name", TAKES_A_WAVE)
def test_every_function_of_a_wave_hears_the_same_in_any_type(name, make_speech):
    function = TAKES_A_WAVE[name]
    whole = np.round(make_speech(0, seconds=1.0, rate=RATE) * 0.5 * 32_768).astype(np.int16)
    expected = function((whole / 32_768).astype(np.float32))
    for same in (whole, whole.astype(np.int32) * 65_536, whole / 32_768):
        assert np.array_equal(function(same), expected), same.dtype
    with pytest.raises(AudioError, match="int64 have no full scale"):
        function(whole.astype(np.int64))
