import numpy as np
import pytest

from ser_pipeline.audio.level import rms_db
from ser_pipeline.datasets.level import corpus_gains, shift_levels, shifts
from ser_pipeline.features import log_mel
from ser_pipeline.settings import FrontEnd

FRONT_END = FrontEnd(level="none", n_mels=16, max_s=1.0)


def test_gains_bring_each_corpus_to_the_target_and_keep_clips_apart(rng):
    loud, quiet = rng.standard_normal(4000) * 0.2, rng.standard_normal(4000) * 0.02
    levels = [rms_db(wave.astype(np.float32)) for wave in (loud, quiet)]
    gain = corpus_gains(levels, ["a", "a"], 0.1)["a"]
    both = np.concatenate([loud, quiet]) * 10 ** (gain / 20)
    assert np.sqrt(np.mean(both**2)) == pytest.approx(0.1, rel=1e-5)


def test_a_gain_on_the_wave_is_a_shift_of_the_mels(rng):
    wave = (rng.standard_normal(22_050) * 0.01).astype(np.float32)
    gain_db = 12.0
    expected = log_mel(wave * np.float32(10 ** (gain_db / 20)), FRONT_END)
    found = log_mel(wave, FRONT_END)[None].copy()
    frames = np.array([found.shape[2]])
    shift_levels(found, frames, shifts({"a": gain_db, "*": 0.0}, ["a"], FRONT_END))
    assert found[0] == pytest.approx(expected, abs=1e-4)


def test_padding_stays_and_the_floor_holds():
    mels = np.full((2, 1, 3), -0.95, np.float32)
    mels[0, 0, 2] = -1
    shift_levels(mels, np.array([2, 3]), np.array([0.5, -0.5], np.float32))
    assert mels[0, 0] == pytest.approx([-0.45, -0.45, -1])
    assert mels[1, 0] == pytest.approx([-1, -1, -1])


def test_unknown_corpora_get_the_mean_gain():
    gains = corpus_gains([-30.0, -10.0], ["a", "b"], 0.1)
    assert gains == pytest.approx({"a": 10.0, "b": -10.0, "*": 0.0})
    assert shifts(gains, ["c", "a"], FRONT_END) == pytest.approx([0, 20 / 120])
    assert shifts({}, ["c", "a"], FRONT_END).tolist() == [0, 0]
