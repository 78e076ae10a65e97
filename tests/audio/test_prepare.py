import librosa
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ser_pipeline.audio import prepare
from ser_pipeline.audio.prepare import active_span, block_energies, energy, rms_db, to_level
from ser_pipeline.options import FrontEnd


def padded_tone(gain=0.2):
    tone = (gain * np.sin(2 * np.pi * 300 * np.arange(22_050) / 22_050)).astype(np.float32)
    return np.r_[np.zeros(11_025, np.float32), tone, np.zeros(11_025, np.float32)]


def test_silence_at_the_ends_is_cut_and_the_level_measured_inside():
    prepared = prepare(padded_tone(), FrontEnd(denoise="none"))
    start, stop = prepared.span
    assert 9_000 < start < 11_026
    assert 33_074 < stop < 35_000
    assert prepared.level_db == pytest.approx(20 * np.log10(0.2 / np.sqrt(2)), abs=0.5)


def test_each_clip_comes_to_the_same_level():
    quiet, loud = (prepare(padded_tone(gain), FrontEnd(denoise="none")).wave for gain in (0.01, 0.5))
    assert rms_db(quiet) == pytest.approx(-20, abs=1e-3)
    assert quiet == pytest.approx(loud, abs=1e-5)


@pytest.mark.parametrize("level", ["none", "corpus_rms"])
def test_the_recorded_level_can_be_kept(level):
    prepared = prepare(padded_tone(0.01), FrontEnd(denoise="none", level=level))
    assert rms_db(prepared.wave) == pytest.approx(prepared.level_db, abs=1e-4)


def test_without_trimming_all_is_kept():
    assert prepare(padded_tone(), FrontEnd(denoise="none", trim_db=None)).span == (0, 44_100)


def test_energy_is_the_sum_of_squares_in_double_precision(rng):
    wave = rng.standard_normal(50_001).astype(np.float32)
    assert energy(wave) == pytest.approx(float(np.sum(wave.astype(np.float64) ** 2)), rel=1e-13)


@pytest.mark.parametrize("samples", [0, 1, 511, 512, 513, 5_000])
def test_blocks_sum_to_the_whole(rng, samples):
    wave = rng.standard_normal(samples).astype(np.float32)
    blocks = block_energies(wave, 512)
    assert len(blocks) == -(-samples // 512)
    assert blocks.sum() == pytest.approx(energy(wave), rel=1e-13)
    assert blocks[1:-1] == pytest.approx([energy(wave[i : i + 512]) for i in range(512, samples - 512, 512)])


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


@settings(max_examples=40)
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
