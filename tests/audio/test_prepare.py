import numpy as np
import pytest

from ser_pipeline.audio import prepare
from ser_pipeline.audio.level import rms_db
from ser_pipeline.settings import FrontEnd


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
