import numpy as np
import pytest
from scipy.signal import welch

from ser_pipeline.synth.folders import named_rng
from ser_pipeline.synth.speech import VOWELS, Sound, frame_sounds
from ser_pipeline.synth.voice import RATE, ROOMS, SPEECH_DBFS, Quality, glottal_source, record, render

STILL = Quality(jitter=0.0, shimmer=0.0, breath_db=-90.0)


def held(sound, *, pitch_hz=100.0, quality=STILL, seconds=1.0):
    lengths = np.array([seconds])
    frames = len(frame_sounds(lengths)[0])
    return render([sound], lengths, np.full(frames, pitch_hz), quality, named_rng("held"))


def vowel(name="aa"):
    return Sound(1.0, VOWELS[name], voice_db=0.0, vowel=True)


def level_db(wave, low_hz, high_hz):
    hertz, power = welch(wave, RATE, nperseg=4096)
    return 10 * np.log10(power[(hertz >= low_hz) & (hertz < high_hz)].sum())


def test_pulses_repeat_every_period_and_have_unit_power():
    pulses, opening = glottal_source(np.full(RATE, 200.0), 0.0, 0.0, 0.6, named_rng("g"))
    period = RATE // 200
    late = pulses[3 * period : 11 * period]
    assert (
        np.mean(np.isclose(pulses[period : 9 * period], late, atol=1e-6)) > 0.99
    )  # but where the glottis shuts
    assert np.sqrt(np.mean(pulses**2)) == pytest.approx(1.0, abs=0.02)
    assert abs(pulses.mean()) < 0.02  # the flow ends each cycle where it began
    assert np.mean(opening > 0) == pytest.approx(0.6, abs=0.01)
    assert opening.max() == pytest.approx(1.0, abs=1e-3)


def test_jitter_is_the_spread_of_cycle_lengths():
    _, opening = glottal_source(np.full(20 * RATE, 100.0), 0.03, 0.0, 0.6, named_rng("g"))
    starts = np.flatnonzero((opening[1:] > 0) & (opening[:-1] == 0))
    lengths = np.diff(starts)
    assert lengths.std() / lengths.mean() == pytest.approx(0.03, rel=0.15)


def test_shimmer_is_the_spread_of_cycle_amplitudes():
    pulses, _ = glottal_source(np.full(20 * RATE, 100.0), 0.0, 0.1, 0.6, named_rng("g"))
    peaks = np.abs(pulses[: len(pulses) // 240 * 240].reshape(-1, 240)).max(axis=1)
    assert peaks.std() / peaks.mean() == pytest.approx(0.1, rel=0.15)


@pytest.mark.parametrize("pitch_hz", [90.0, 150.0, 300.0])
def test_the_wave_has_the_pitch_it_was_given(pitch_hz):
    wave = held(vowel(), pitch_hz=pitch_hz)[RATE // 4 : 3 * RATE // 4]
    ac = np.correlate(wave, wave, "full")[len(wave) :]
    low, high = int(RATE / 500), int(RATE / 60)
    best = low + 1 + np.argmax(ac[low : int(1.4 * RATE / pitch_hz)])
    assert RATE / best == pytest.approx(pitch_hz, rel=0.02)
    assert high > best


@pytest.mark.parametrize(("name", "tract"), [("aa", 1.0), ("iy", 1.0), ("uw", 1.0), ("aa", 1.15)])
def test_the_strongest_partial_lies_at_the_first_formant(name, tract):
    quality = Quality(tract=tract, tilt_db=0.0, jitter=0.0, shimmer=0.0, breath_db=-90.0)
    wave = held(vowel(name), pitch_hz=50.0, quality=quality, seconds=2.0)
    spectrum = np.abs(np.fft.rfft(wave[RATE // 2 : 3 * RATE // 2]))
    partials = spectrum[50:5000:50] * np.arange(50, 5000, 50)  # undo the fall of the pulse's own spectrum
    first = 50 * (1 + np.argmax(partials[: round(1.3 * tract * VOWELS[name][0] / 50)]))
    assert first == pytest.approx(tract * VOWELS[name][0], abs=50)


def test_tilt_darkens_by_its_decibels_per_octave():
    flat, dark = (held(vowel(), quality=Quality(tilt_db=tilt, breath_db=-90.0)) for tilt in (0.0, 6.0))
    loss = [level_db(flat, *band) - level_db(dark, *band) for band in ((1900, 2100), (3800, 4200))]
    assert loss[1] - loss[0] == pytest.approx(6.0, abs=0.5)


def test_breath_fills_the_gaps_between_partials():
    clear, breathy = (held(vowel(), quality=Quality(breath_db=db, jitter=0.0)) for db in (-60.0, -10.0))
    assert level_db(breathy, 4500, 8000) > level_db(clear, 4500, 8000) + 6


def test_hissing_sounds_lie_in_their_band():
    s = held(Sound(1.0, (320.0, 1600.0, 2600.0), noise_db=-12.0, centre_hz=6500.0, octaves=0.6))
    assert level_db(s, 5000, 8000) > level_db(s, 100, 3000) + 20
    assert np.sqrt(np.mean(s**2)) == pytest.approx(10 ** (-12 / 20), rel=0.1)


def test_voiced_stretches_have_unit_level_and_pauses_are_silent():
    sounds = [vowel(), Sound(0.5, (500.0, 1500.0, 2500.0), pause=True)]
    lengths = np.array([1.0, 0.5])
    frames = len(frame_sounds(lengths)[0])
    wave = render(sounds, lengths, np.full(frames, 110.0), STILL, named_rng("u"))
    assert len(wave) == frames * RATE // 200
    assert np.sqrt(np.mean(wave[2400:20000] ** 2)) == pytest.approx(1.0, abs=0.05)
    assert np.abs(wave[-9000:]).max() < 1e-3


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
