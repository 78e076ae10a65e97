import io

import numpy as np
import pytest
import soundfile
import soxr

from ser_pipeline.audio.mono import MOST_DB
from ser_pipeline.audio.quality import measure_quality
from ser_pipeline.manifest import doctor


def sine(hz=500, rate=16_000, seconds=1.0):
    return np.sin(2 * np.pi * hz * np.arange(round(seconds * rate)) / rate).astype(np.float32)


def quality(wave, rate=16_000):
    return measure_quality(wave.reshape(len(wave), -1), rate)


def test_a_sine_in_closed_form():
    found = quality(0.5 * sine() + np.float32(0.02))
    assert found.level_db == pytest.approx(-9.0309, abs=1e-3)
    assert found.offset == pytest.approx(0.02, abs=1e-6)
    assert found.range_db == pytest.approx(0, abs=1e-3)
    assert (found.clipped, found.silence, found.mix_loss_db) == (0, 0, 0)


@pytest.mark.parametrize("hz", [50, 100, 440, 3000])
@pytest.mark.parametrize("gain", [1.0, 0.1])
def test_no_sine_is_clipped_by_itself(hz, gain):
    assert quality(gain * sine(hz, 44_100), 44_100).clipped == 0


@pytest.mark.parametrize("gain", [1.0, 0.05])  # a wave that was clipped first and made softer later
def test_a_clipped_sine_is_flat_for_two_thirds_of_its_time(gain):
    assert quality(gain * np.clip(2 * sine(100), -1, 1)).clipped == pytest.approx(2 / 3, abs=0.01)


def test_a_wave_that_is_clipped_on_one_side():
    assert quality(np.minimum(sine(100), 0.5)).clipped == pytest.approx(1 / 3, abs=0.01)


def test_sixteen_bits_alone_clip_nothing(make_speech):
    for gain in (1.0, 0.01):
        steps = np.round(gain * make_speech() * 2**15) / 2**15
        assert quality(steps.astype(np.float32)).clipped < doctor.CLIPPED


def test_silence_and_noise_by_hand(rng):
    wave = np.concatenate([sine(seconds=1.0), np.zeros(48_000, np.float32)])
    found = quality(wave)
    assert found.silence == pytest.approx(0.75, abs=0.01)
    assert found.range_db == MOST_DB
    noisy = quality(wave + 0.0707 * rng.standard_normal(wave.size).astype(np.float32))  # 20 dB below the sine
    assert noisy.range_db == pytest.approx(20, abs=1)
    assert noisy.silence == 0


def test_a_click_is_no_level():
    wave = 0.001 * sine()
    wave[8000:8100] = np.tile([1, -1], 50)
    assert quality(wave).level_db == pytest.approx(-63, abs=0.2)


@pytest.mark.parametrize(("source", "edge_hz"), [(8_000, 4_000), (16_000, 8_000), (22_050, 11_025)])
def test_the_edge_of_a_copy_at_a_higher_rate(make_speech, rng, source, edge_hz):
    wave = make_speech(rate=48_000) + 0.001 * rng.standard_normal(96_000).astype(np.float32)
    copy = soxr.resample(soxr.resample(wave, 48_000, source), source, 48_000)
    found = quality((np.round(copy * 2**15) / 2**15).astype(np.float32), 48_000)
    assert found.edge_hz == pytest.approx(edge_hz, rel=0.1)
    assert found.edge_db > doctor.EDGE_DB
    assert quality(wave, 48_000).edge_db < doctor.EDGE_DB


def test_the_edge_of_an_mp3_of_few_bits(rng):
    noise = 0.1 * rng.standard_normal(132_300).astype(np.float32)
    file = io.BytesIO()
    soundfile.write(file, noise, 44_100, format="MP3", compression_level=0.99)
    file.seek(0)
    found = quality(soundfile.read(file, dtype="float32")[0], 44_100)
    assert found.edge_db > doctor.EDGE_DB
    assert found.edge_hz < 18_000


def test_a_low_sample_rate_has_no_edge_to_look_for(make_speech):
    assert quality(make_speech(rate=4_000), 4_000)[5:7] == (0, 0)


@pytest.mark.parametrize(
    ("other", "loss"), [(1.0, 0.0), (0.0, 3.0103), (-0.5, 10.0), (-1.0, MOST_DB), (-0.999, 66.02)]
)
def test_what_the_mean_of_two_channels_loses(other, loss):
    wave = 0.5 * sine()
    assert quality(np.stack([wave, other * wave], axis=1)).mix_loss_db == pytest.approx(loss, abs=0.1)


def test_the_shortest_clip_is_measured():
    assert np.isfinite(quality(sine(seconds=0.1))).all()
