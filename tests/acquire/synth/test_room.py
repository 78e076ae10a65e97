import numpy as np
import pytest
from scipy.signal import welch

from ser_pipeline.acquire.synth.room import ROOMS, SPEECH_DBFS, record
from ser_pipeline.acquire.synth.seeds import named_rng
from ser_pipeline.acquire.synth.voice import RATE

OFFICIAL_RATES = {
    "cremad": 16_000, "ravdess": 48_000, "ravdess-song": 48_000, "savee": 44_100, "tess": 24_414,
    "iemocap": 16_000, "nemo": 24_000, "emodb": 16_000,
}  # fmt: skip


def sine(seconds=1.0):
    return np.sqrt(2) * np.sin(2 * np.pi * 440 * np.arange(round(seconds * RATE)) / RATE)


def test_sample_rates_are_the_official_ones():
    assert {name: room.sample_rate for name, room in ROOMS.items()} == OFFICIAL_RATES


@pytest.mark.parametrize("corpus", sorted(ROOMS))
def test_a_recording_has_its_rooms_rate_level_and_noise(corpus):
    room = ROOMS[corpus]
    wave = record(sine(), corpus, 0.0, named_rng("r"))
    silence = len(wave) / room.sample_rate - 1
    assert 2 * room.silence_s[0] - 1e-3 <= silence <= 2 * room.silence_s[1] + 1e-3
    middle = wave[int(0.45 * len(wave)) : int(0.55 * len(wave))]
    level = 20 * np.log10(np.sqrt(np.mean(middle**2)))
    assert level == pytest.approx(SPEECH_DBFS + room.gain_db, abs=3.0)  # the echo adds or takes a little
    lead = wave[: int(0.9 * room.silence_s[0] * room.sample_rate)]
    assert 20 * np.log10(lead.std()) == pytest.approx(room.noise_dbfs, abs=7.0)


def test_the_tone_keeps_its_pitch_at_every_rate():
    for corpus, room in ROOMS.items():
        wave = record(sine(), corpus, 0.0, named_rng("r"))
        hertz, power = welch(wave, room.sample_rate, nperseg=room.sample_rate // 4)
        assert hertz[power.argmax()] == pytest.approx(440, abs=4)


def test_a_shout_is_turned_down_and_never_cut_off():
    wave = record(sine(), "emodb", 40.0, named_rng("r"))
    assert np.abs(wave).max() == pytest.approx(0.9, abs=1e-6)
    spectrum = np.abs(np.fft.rfft(wave[4000:12000])) ** 2  # 220 whole periods
    assert spectrum[218:223].sum() > 0.999 * spectrum.sum()  # cut-off tops would add overtones
    assert wave.dtype == np.float32
