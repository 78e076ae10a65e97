import sys
import time
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile as sf

from ser_pipeline import load_model
from ser_pipeline.errors import SettingsError
from ser_pipeline.serving.live import Timing, answers, microphone, played
from ser_pipeline.serving.prediction import PredictOptions
from ser_pipeline.serving.stream import Stream
from tests.serving.conftest import RATE, shares, voice

OPTIONS = PredictOptions(hop_s=0.5)


@pytest.fixture
def clip(tmp_path):
    sf.write(tmp_path / "a.wav", voice(1.6), RATE)
    return tmp_path / "a.wav"


def test_a_played_recording_is_told_as_its_timeline(run, clip):
    model, timing = load_model(run), Timing()
    with played(clip, live=False) as (rate, blocks):
        said = [*answers(Stream(model, rate, OPTIONS), blocks, rate, timing)]
    assert shares(said) == pytest.approx(shares(model.timeline(clip, OPTIONS)), abs=1e-5)
    assert timing.sound_s == pytest.approx(1.6)
    assert len(timing.answers_s) == len(said) == 3
    assert 0 < timing.real_time_factor < 1


def test_live_takes_as_long_as_the_sound(clip):
    started = time.monotonic()
    with played(clip, live=True) as (_, blocks):
        assert sum(block.size for block in blocks) == 1.6 * RATE
    assert time.monotonic() - started >= 1.6


def test_no_answer_is_said_too():
    assert Timing(0.5).sentence() == "no answer in 0.5 s of sound"


class FakeMicrophone:
    """Hears a voice, block after block, as soon as it is opened."""

    def __init__(self, sample_rate, *, blocksize, channels, dtype, callback):
        assert (channels, dtype) == (1, "float32")
        self.blocks = np.split(voice(2.0, 0, sample_rate), range(blocksize, 2 * sample_rate, blocksize))
        self.callback = callback

    def __enter__(self):
        for block in self.blocks:
            self.callback(block[:, None], block.size, None, None)

    def __exit__(self, *_):
        pass


def test_a_microphone_is_heard(run, monkeypatch):
    fake = SimpleNamespace(InputStream=FakeMicrophone, PortAudioError=RuntimeError)
    monkeypatch.setitem(sys.modules, "sounddevice", fake)
    with microphone() as (rate, blocks):
        stream = Stream(load_model(run), rate, OPTIONS)
        said = [each for _ in range(20) for each in stream.push(next(blocks))]
    assert [round(each.end_s, 3) for each in said] == [1.0, 1.5]


def test_without_a_microphone_one_sentence_says_so(monkeypatch):
    def none(*_, **__):
        raise RuntimeError("no default device")

    fake = SimpleNamespace(InputStream=none, PortAudioError=RuntimeError)
    monkeypatch.setitem(sys.modules, "sounddevice", fake)
    with pytest.raises(SettingsError, match="no microphone can be used: no default device"), microphone():
        pass


def test_without_the_extra_it_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    with pytest.raises(SettingsError, match=r"pip install 'ser-pipeline\[listen\]'"), microphone():
        pass
