import io

import numpy as np
import pytest
import soundfile

from ser_pipeline.audio.excerpt import EXCERPT_S, RATE, excerpt, excerpts
from ser_pipeline.errors import AudioError
from ser_pipeline.records import Segment


@pytest.fixture
def tone(tmp_path):
    """Nine seconds at 16 kHz, stereo; the pitch doubles after the seventh."""
    time = np.arange(9 * 16_000) / 16_000
    wave = 0.4 * np.sin(2 * np.pi * np.where(time < 7, 400, 800) * time)
    soundfile.write(tmp_path / "a.flac", np.stack([wave, wave], 1), 16_000)
    return tmp_path / "a.flac"


def pitch(wave):
    spectrum = np.abs(np.fft.rfft(wave))
    return spectrum.argmax() * RATE / len(wave)


def test_an_excerpt_is_a_short_mp3_of_the_beginning(tone):
    wave, rate = soundfile.read(io.BytesIO(excerpt(tone)))
    assert (rate, wave.ndim) == (RATE, 1)
    assert len(wave) / rate == pytest.approx(EXCERPT_S, abs=0.1)
    assert pitch(wave) == pytest.approx(400, abs=2)
    assert len(excerpt(tone)) < 80_000


def test_of_a_segment_only_its_own_part_is_heard(tone):
    wave, rate = soundfile.read(io.BytesIO(excerpt(tone, Segment(7.5, 8.5))))
    assert len(wave) / rate == pytest.approx(1.0, abs=0.1)
    assert pitch(wave) == pytest.approx(800, abs=3)


def test_what_cannot_be_had_is_none(tone):
    (tone.parent / "b.wav").write_text("no sound")
    heard = excerpts(tone.parent, {"a": ("a.flac", None), "b": ("b.wav", None), "c": ("gone.wav", None)})
    assert heard("a") == excerpt(tone)
    assert [heard(name) for name in ("b", "c", "unknown")] == [None, None, None]


def test_a_library_without_mp3_is_named(tone, monkeypatch):
    monkeypatch.setattr(soundfile, "available_formats", lambda: {"WAV": ""})
    with pytest.raises(AudioError, match="writes no MP3"):
        excerpt(tone)
