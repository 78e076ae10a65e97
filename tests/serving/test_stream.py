import sys
import time
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile as sf

from ser_pipeline import load_model
from ser_pipeline.audio.decode import resample
from ser_pipeline.errors import AudioError, SettingsError
from ser_pipeline.options import PredictOptions
from ser_pipeline.serving import stream as stream_module
from ser_pipeline.serving.reading import Windows
from ser_pipeline.serving.stream import Stream, Timing, answers, microphone, played
from tests.serving.conftest import RATE, shares, voice

OPTIONS = PredictOptions(hop_s=0.5)


def test_the_sum_of_pushes_equals_the_offline_windows(run, tmp_path):
    wave = voice(4.3, 2, 44_100)
    sf.write(tmp_path / "a.wav", wave, 44_100, subtype="FLOAT")
    model = load_model(run)
    stream = Stream(model, 44_100, OPTIONS)
    said = [each for block in np.split(wave, range(997, wave.size, 997)) for each in stream.push(block)]
    said += stream.finish()
    offline = [*model.timeline(tmp_path / "a.wav", OPTIONS)]
    assert [(each.start_s, each.end_s) for each in said] == [(each.start_s, each.end_s) for each in offline]
    assert shares(said) == pytest.approx(shares(offline), abs=1e-5)
    rate = model.sample_rate
    heard = resample(wave, 44_100, rate)
    each = [
        model.predict_wave(heard[round(one.start_s * rate) : round(one.end_s * rate)], rate) for one in said
    ]
    assert shares(said) == pytest.approx(shares(each), abs=1e-4)


def test_channels_are_averaged(run):
    model = load_model(run)
    wave = voice(1.6)
    two = np.stack([1.5 * wave, 0.5 * wave], axis=1)
    one, both = (Stream(model, RATE, OPTIONS).push(samples) for samples in (wave, two))
    assert shares(one) == pytest.approx(shares(both), abs=1e-5)
    assert len(one) == 2


def test_a_live_stream_answers_every_half_second(run):
    stream = Stream(load_model(run), RATE)
    block = RATE // 10
    wave = voice(3.1)  # a little more than 3: resampling looks ahead
    ends = [
        said.end_s
        for start in range(0, wave.size, block)
        for said in stream.push(wave[start : start + block])
    ]
    assert ends == pytest.approx([1.0, 1.5, 2.0, 2.5, 3.0])


def test_pauses_are_no_speech(run):
    stream = Stream(load_model(run), RATE, OPTIONS)
    heard = voice(1.0) * np.hanning(RATE)  # what ends at once would ring on in the resampled pause
    said = stream.push(np.concatenate([heard, np.zeros(RATE * 2), heard]))
    assert [each.decision == "no speech" for each in said] == [False, False, True, True, True, False, False][
        : len(said)
    ]


def test_what_is_no_sound_is_refused(run):
    model = load_model(run)
    with pytest.raises(AudioError, match=r"shape \(n,\) or \(n, channels\)"):
        Stream(model, RATE).push(np.zeros((1, 2, 3)))
    with pytest.raises(AudioError, match="non-finite: 2 samples are NaN or infinite"):
        Stream(model, RATE).push(np.array([0.0, np.inf, np.nan]))
    with pytest.raises(AudioError, match="empty"):
        Stream(model, RATE).finish()


def test_samples_that_are_refused_end_no_stream(run):
    stream, blocks = Stream(load_model(run), RATE, OPTIONS), np.array_split(voice(3.0), 30)
    blocks[5] = np.where(np.arange(blocks[5].size) == 7, np.nan, blocks[5])
    said = []
    for number, block in enumerate(blocks):
        if number == 5:
            with pytest.raises(AudioError, match="1 sample is NaN"):
                stream.push(block)
        else:
            said += stream.push(block)
    assert len(said) >= 3


def test_windows_go_on_after_one_that_its_taker_refused():
    windows = Windows(1_000, 1_000, 1.0, 0.5)
    given = windows.push(np.ones(2_000, np.float32))
    first = next(given)
    given.close()
    assert [window.start - first.start for window in windows.push(np.ones(500, np.float32))][:1] == [500]


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
    assert timing.real_time_factor == timing.busy_s / timing.sound_s > 0


def test_live_takes_as_long_as_the_sound(clip):
    started = time.monotonic()
    with played(clip, live=True) as (_, blocks):
        assert sum(block.size for block in blocks) == 1.6 * RATE
    assert time.monotonic() - started >= 1.6


def test_no_answer_is_said_too():
    assert Timing(0.5).sentence() == "no answer in 0.5 s of sound"


class FakeMicrophone:
    """Hears a voice, block after block, as soon as it is opened."""

    def __init__(self, sample_rate, *, blocksize, channels, dtype, callback, finished_callback):
        assert (channels, dtype) == (1, "float32")
        self.blocks = np.split(voice(2.0, 0, sample_rate), range(blocksize, 2 * sample_rate, blocksize))
        self.callback, self.finished = callback, finished_callback

    def start(self):
        for block in self.blocks:
            self.callback(block[:, None], block.size, None, None)
        self.finished()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass


def test_a_microphone_is_heard(run, monkeypatch):
    fake = SimpleNamespace(InputStream=FakeMicrophone, PortAudioError=RuntimeError)
    monkeypatch.setitem(sys.modules, "sounddevice", fake)
    with microphone() as (rate, blocks):
        stream = Stream(load_model(run), rate, OPTIONS)
        said = [each for _ in range(20) for each in stream.push(next(blocks))]
        assert [round(each.end_s, 3) for each in said] == [1.0, 1.5]
        with pytest.raises(SettingsError, match="the microphone gives nothing any more"):
            next(blocks)


def test_a_microphone_that_falls_silent_or_is_taken_is_told(monkeypatch):
    class Dead(FakeMicrophone):
        def start(self):
            pass

    class Taken(FakeMicrophone):
        def start(self):
            raise RuntimeError("device unavailable")

    monkeypatch.setattr(stream_module, "SILENT_S", 0.01)
    monkeypatch.setitem(
        sys.modules, "sounddevice", SimpleNamespace(InputStream=Dead, PortAudioError=RuntimeError)
    )
    with microphone() as (_, blocks), pytest.raises(SettingsError, match="gives nothing any more"):
        next(blocks)
    monkeypatch.setitem(
        sys.modules, "sounddevice", SimpleNamespace(InputStream=Taken, PortAudioError=RuntimeError)
    )
    with pytest.raises(SettingsError, match="no microphone can be used: device unavailable"), microphone():
        pass


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
