import numpy as np
import pytest

from ser_pipeline.dsp.frames import frame_wave
from ser_pipeline.dsp.marks import mark_periods
from ser_pipeline.dsp.pitch import track_pitch
from ser_pipeline.options import FeatureOptions

OPTIONS = FeatureOptions()


def pulses(places, heights, samples):
    """Bells of 1 ms at any places between the samples."""
    time = np.arange(samples)[:, None]
    wave = (np.asarray(heights) * np.exp(-0.5 * ((time - np.asarray(places)) / 6) ** 2)).sum(axis=1)
    return wave.astype(np.float32)


def marked(wave):
    frames = frame_wave(wave, OPTIONS)
    return mark_periods(frames, track_pitch(frames, 500.0)), frames


@pytest.mark.parametrize("period", [40.0, 80.3, 133.7])
def test_every_cycle_is_marked_at_its_distance(period):
    places = np.arange(30, 16_000, period)
    marks, frames = marked(pulses(places, np.ones(places.size), 16_000))
    assert np.diff(marks.at) == pytest.approx(np.full(marks.at.size - 1, period), abs=0.02)
    covered = frames.count * 160 / period
    assert marks.at.size == pytest.approx(covered, abs=3)
    assert (marks.chain == 0).all()


def test_uneven_cycles_are_measured_between_the_samples(rng):
    places = 100 + np.cumsum(rng.normal(80, 0.8, 190))  # a jitter of a hundredth of the period
    marks, _ = marked(pulses(places, np.ones(places.size), 16_000))
    first = int(np.abs(places - marks.at[0]).argmin())
    true = np.diff(places)[first : first + marks.at.size - 1]
    assert marks.at.size > 150
    assert np.diff(marks.at) == pytest.approx(true, abs=0.1)


def test_marks_stand_on_the_pulses():
    places = np.arange(30, 16_000, 90)
    marks, _ = marked(pulses(places, np.ones(places.size), 16_000))
    nearest = np.abs(marks.at[:, None] - places).min(axis=1)
    assert (nearest < 2).all()


def test_amplitudes_follow_the_pulses(rng):
    places = np.arange(100, 16_000, 100)
    heights = rng.uniform(0.8, 1, places.size)
    marks, _ = marked(pulses(places, heights, 16_000))
    first = int(np.abs(places - marks.at[0]).argmin())
    ratio = marks.amplitude / heights[first : first + marks.at.size]
    assert ratio[1:-1] == pytest.approx(np.full(ratio.size - 2, np.median(ratio)), rel=0.06)


def test_a_pause_and_a_lost_cycle_begin_new_chains():
    places = np.arange(100, 40_000, 100)
    kept = (places < 14_000) | (places > 26_000)
    marks, _ = marked(pulses(places[kept], np.ones(kept.sum()), 40_000))
    assert set(marks.chain.tolist()) == {0, 1}
    assert np.diff(marks.at)[np.diff(marks.chain) > 0].min() > 1_000
    assert (np.diff(marks.at) > 0).all()


def test_no_voiced_frame_no_mark():
    marks, _ = marked(np.zeros(8_000, np.float32))
    assert marks.at.size == marks.amplitude.size == marks.chain.size == 0


def test_marks_of_a_made_voice_are_its_cycles(voice):
    marks = mark_periods(voice.frames, voice.pitch)
    linked = np.diff(marks.chain) == 0
    middle = ((marks.at[1:] + marks.at[:-1]) / 2)[linked].astype(int)
    assert np.diff(marks.at)[linked] == pytest.approx(16_000 / voice.hz[middle], rel=0.02)
    assert linked.sum() == pytest.approx(voice.hz[voice.sounds].sum() / 16_000, rel=0.06)


def test_cycles_of_a_wave_shorter_than_a_window_are_marked():
    for samples in (100, 250, OPTIONS.window_length - 1):
        marks, _ = marked(np.sin(2 * np.pi * 300 / 16_000 * np.arange(samples)).astype(np.float32))
        assert np.diff(marks.at) == pytest.approx(16_000 / 300, abs=1)
        assert marks.at.mean() == pytest.approx(samples / 2, abs=27)
