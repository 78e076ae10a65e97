import librosa
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ser_pipeline.audio.trim import active_span


@settings(max_examples=40, deadline=None)
@given(
    samples=st.integers(600, 30_000),
    seed=st.integers(0, 1000),
    trim_db=st.sampled_from([10.0, 20.0, 40.0]),
    lead=st.integers(0, 9_000),
)
def test_equals_librosa(samples, seed, trim_db, lead):
    rng = np.random.default_rng(seed)
    wave = np.r_[
        1e-3 * rng.standard_normal(lead),
        0.2 * rng.standard_normal(samples),
        1e-3 * rng.standard_normal(5_000),
    ].astype(np.float32)
    _, expected = librosa.effects.trim(wave, top_db=trim_db)
    assert active_span(wave, trim_db) == tuple(expected)


def test_silence_is_kept_whole():
    assert active_span(np.zeros(4_000, np.float32), 20.0) == (0, 4_000)


def test_a_short_wave_is_kept():
    wave = np.ones(100, np.float32)
    assert active_span(wave, 20.0) == (0, 100)


@pytest.mark.parametrize("trim_db", [3.0, 60.0])
def test_a_lower_threshold_never_keeps_less(rng, trim_db):
    wave = (np.hanning(40_000) * rng.standard_normal(40_000)).astype(np.float32)
    start, stop = active_span(wave, trim_db)
    wide_start, wide_stop = active_span(wave, trim_db + 10)
    assert wide_start <= start < stop <= wide_stop
