import numpy as np
import pytest

from ser_pipeline.audio.level import rms_db, to_level


def test_full_scale_sine_reads_3_db_below_zero():
    sine = np.sin(2 * np.pi * np.arange(1_000) / 100).astype(np.float32)
    assert rms_db(sine) == pytest.approx(-3.0103, abs=1e-3)


@pytest.mark.parametrize("target_rms", [0.01, 0.1, 2.0])
def test_the_level_is_what_was_asked_for_and_nothing_is_clipped(rng, target_rms):
    wave = rng.standard_normal(5_000).astype(np.float32)
    levelled = to_level(wave, target_rms)
    assert 10 ** (rms_db(levelled) / 20) == pytest.approx(target_rms, rel=1e-5)
    assert np.corrcoef(wave, levelled)[0, 1] == pytest.approx(1.0)


def test_silence_stays_silence():
    assert np.array_equal(to_level(np.zeros(10, np.float32), 0.1), np.zeros(10, np.float32))


def test_an_empty_wave_has_the_floor_as_level():
    assert rms_db(np.zeros(0, np.float32)) == -200.0
