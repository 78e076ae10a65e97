import hashlib
import random
import subprocess
import sys

import numpy as np
import pytest

from ser_pipeline.audio.augment import TELEPHONE_HZ, add_noise, apply, augment, draw, reverberate
from ser_pipeline.options import WaveAugment

RATE = 22_050
OFF = {
    f"{change}_p": 0.0 for change in ("pitch", "stretch", "room", "noise", "low_pass", "telephone", "gain")
}
ALL = WaveAugment(**dict.fromkeys(OFF, 1.0))


def only(change, **ranges):
    return WaveAugment(**(OFF | {f"{change}_p": 1.0} | ranges))


def tone(hz=220.0, seconds=2.0, rate=RATE):
    return (0.3 * np.sin(2 * np.pi * hz * np.arange(round(seconds * rate)) / rate)).astype(np.float32)


def white(rng, seconds=3.0):
    return (0.1 * rng.standard_normal(round(seconds * RATE))).astype(np.float32)


def changed(wave, options, variant=1, rate=RATE):
    return augment(wave, rate, options, digest="ab12", variant=variant)


def frequency(wave):
    """Of the loudest partial, in Hz, from the middle of the wave."""
    middle = wave[wave.size // 4 : -wave.size // 4]
    spectrum = np.log(np.abs(np.fft.rfft(middle * np.hanning(middle.size), 8 * middle.size)) + 1e-12)
    peak = int(spectrum.argmax())
    left, top, right = spectrum[peak - 1 : peak + 2]
    return (peak + (left - right) / (2 * (left - 2 * top + right))) * RATE / (8 * middle.size)


def band_db(wave, low, high):
    power = np.abs(np.fft.rfft(wave)) ** 2
    hz = np.fft.rfftfreq(wave.size, 1 / RATE)
    return 10 * np.log10(power[(hz >= low) & (hz < high)].mean())


@pytest.mark.parametrize("semitones", [-4.0, -1.5, 0.5, 3.0])
def test_pitch_moves_by_as_much_as_was_drawn(semitones):
    found = changed(tone(440), only("pitch", pitch_semitones=(semitones, semitones)))
    assert found.size == tone(440).size
    assert 1200 * np.log2(frequency(found) / 440) == pytest.approx(100 * semitones, abs=6)


@pytest.mark.parametrize("rate", [0.85, 0.97, 1.15])
def test_tempo_changes_the_length_and_not_the_pitch(rate):
    found = changed(tone(), only("stretch", stretch_rate=(rate, rate)))
    assert found.size == pytest.approx(tone().size / rate, abs=1)
    assert 1200 * np.log2(frequency(found) / 220) == pytest.approx(0, abs=5)


@pytest.mark.parametrize("snr_db", [0.0, 15.0, 30.0])
def test_noise_lies_as_far_below_as_was_drawn_and_is_white(snr_db):
    wave = tone()
    noise = changed(wave, only("noise", noise_snr_db=(snr_db, snr_db))) - wave
    assert 10 * np.log10(np.mean(wave**2) / np.mean(noise**2)) == pytest.approx(snr_db, abs=0.01)
    assert band_db(noise, 100, 1000) == pytest.approx(band_db(noise, 9000, 11_000), abs=1)


def test_a_low_pass_takes_away_what_lies_above_its_edge(rng):
    wave = white(rng)
    found = changed(wave, only("low_pass", low_pass_hz=(4000.0, 4000.0)))
    assert band_db(found, 100, 2000) - band_db(wave, 100, 2000) == pytest.approx(0, abs=0.2)
    assert band_db(found, 3950, 4050) - band_db(wave, 3950, 4050) == pytest.approx(-3, abs=0.5)
    assert band_db(found, 7900, 8100) - band_db(wave, 7900, 8100) < -24


def test_a_low_pass_above_nyquist_is_left_out(rng):
    wave = white(rng)
    assert changed(wave, only("low_pass"), rate=8000) is wave


def test_a_telephone_has_its_band(rng):
    wave, (low, high) = white(rng), TELEPHONE_HZ
    found = changed(wave, only("telephone"))
    assert band_db(found, 600, 2500) - band_db(wave, 600, 2500) == pytest.approx(0, abs=0.3)
    assert band_db(found, 20, low / 2) - band_db(wave, 20, low / 2) < -20
    assert band_db(found, 2 * high, 9000) - band_db(wave, 2 * high, 9000) < -20
    assert changed(wave, only("telephone"), rate=6000) is wave


@pytest.mark.parametrize("rt60_s", [0.2, 0.6])
def test_reverberation_falls_by_60_db_in_the_time_drawn(rng, rt60_s):
    click = np.zeros(RATE, np.float32)
    click[0] = 1
    found = reverberate(click, RATE, rt60_s, 0.0, rng).astype(np.float64)
    left = 10 * np.log10(np.cumsum(found[:0:-1] ** 2)[::-1])  # Schroeder's integral, without the click
    start, end = (int((left > left[0] - fall).sum()) for fall in (5, 35))
    assert (end - start) / RATE == pytest.approx(rt60_s / 2, rel=0.1)


@pytest.mark.parametrize("direct_db", [0.0, 10.0])
def test_direct_sound_stands_above_the_reverberation(rng, direct_db):
    click = np.zeros(RATE, np.float32)
    click[0] = 1
    found = reverberate(click, RATE, 0.3, direct_db, rng).astype(np.float64)
    assert 10 * np.log10(found[0] ** 2 / (found[1:] ** 2).sum()) == pytest.approx(direct_db, abs=0.01)
    assert (found**2).sum() == pytest.approx(1, rel=1e-5)


def test_reverberation_is_a_convolution(rng):
    click, wave = np.zeros(RATE, np.float32), white(rng)
    click[0] = 1
    room = reverberate(click, RATE, 0.3, 5.0, np.random.default_rng(1))
    heard = np.convolve(wave.astype(np.float64), room.astype(np.float64)[: RATE // 3])[: wave.size]
    found = reverberate(wave, RATE, 0.3, 5.0, np.random.default_rng(1))
    assert np.corrcoef(found, heard)[0, 1] == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize("gain", [0.5, 1.5])
def test_gain_is_a_factor_and_clips_nothing(gain):
    wave = 4 * tone()
    assert changed(wave, only("gain", gain=(gain, gain))) == pytest.approx(gain * wave)


def test_variant_0_is_the_clean_clip():
    wave = tone()
    assert changed(wave, ALL, variant=0) is wave
    assert np.array_equal(wave, tone())


def test_the_clip_itself_is_never_changed():
    wave = tone()
    for variant in range(1, 4):
        assert not np.array_equal(changed(wave, ALL, variant=variant), tone())
    assert np.array_equal(wave, tone())


def test_silence_and_short_clips_stay_finite():
    for wave in (np.zeros(4000, np.float32), tone(seconds=0.1)):
        assert np.isfinite(apply(draw(ALL, digest="a", variant=1), wave, RATE)).all()
    assert not add_noise(np.zeros(10, np.float32), 15, np.random.default_rng(0)).any()


def test_draws_follow_probabilities_and_ranges():
    drawn = [draw(WaveAugment(), digest=f"{number:x}", variant=1) for number in range(2000)]
    semitones = [each.semitones for each in drawn if each.semitones is not None]
    rates = [each.rate for each in drawn if each.rate is not None]
    noises = [each.snr_db for each in drawn if each.snr_db is not None]
    shares = [len(values) / 2000 for values in (semitones, rates, noises)]
    assert shares == pytest.approx([0.5, 0.3, 0.5], abs=0.04)
    for values, (low, high) in ((semitones, (-4, 4)), (rates, (0.85, 1.15)), (noises, (15, 30))):
        assert low <= min(values) < low + 0.02 * (high - low)
        assert high - 0.02 * (high - low) < max(values) <= high
        assert np.mean(values) == pytest.approx((low + high) / 2, abs=0.03 * (high - low))
    assert {(each.rt60_s, each.low_pass_hz, each.telephone, each.gain) for each in drawn} == {
        (None, None, False, None)
    }


def test_one_probability_leaves_the_other_draws_alone():
    with_pitch, without = (
        draw(WaveAugment(pitch_p=p, stretch_p=1.0, noise_p=1.0), digest="a", variant=2) for p in (1.0, 0.0)
    )
    assert (with_pitch.semitones is None, without.semitones is None) == (False, True)
    assert (with_pitch.rate, with_pitch.snr_db) == (without.rate, without.snr_db)


def test_recordings_variants_and_seeds_differ():
    base = draw(ALL, digest="a", variant=1)
    others = [
        draw(ALL, digest="b", variant=1),
        draw(ALL, digest="a", variant=2),
        draw(ALL.model_copy(update={"seed": 1}), digest="a", variant=1),
    ]
    assert len({each.semitones for each in (base, *others)}) == 4


def fingerprint(variants):
    wave = tone(seconds=0.5)
    parts = {
        number: hashlib.sha256(augment(wave, RATE, ALL, digest="ab12", variant=number).tobytes()).hexdigest()
        for number in variants
    }
    return [parts[number] for number in sorted(parts)]


SCRIPT = """
import random, sys
import numpy as np
sys.path.insert(0, {folder!r})
import test_augment
random.seed(5), np.random.seed(5)
print(*test_augment.fingerprint([3, 1, 2]))
"""


def test_the_same_bytes_in_any_process_and_order(request):
    script = SCRIPT.format(folder=str(request.path.parent))
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.split() == fingerprint([1, 2, 3])
    assert len(set(fingerprint([1, 2, 3]))) == 3


def test_global_generators_are_left_alone():
    before = random.getstate(), np.random.get_state()[1].tolist()  # noqa: NPY002  it is these that must stay
    changed(tone(), ALL)
    assert (random.getstate(), np.random.get_state()[1].tolist()) == before  # noqa: NPY002
