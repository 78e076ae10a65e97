import io

import numpy as np
import pytest
import soundfile
import soxr

from ser_pipeline.audio.fingerprint import (
    LEAST_SAME_SIGNS,
    MOST_BIT_ERRORS,
    Fingerprint,
    Pair,
    bit_errors,
    groups_of,
    same_signs,
    same_takes,
    take_fingerprint,
)


def encoded(wave, rate, **how):
    file = io.BytesIO()
    soundfile.write(file, wave, rate, **how)
    file.seek(0)
    return soundfile.read(file, dtype="float32")[0]


def test_bytes_make_the_same_fingerprint_again(make_speech):
    taken = take_fingerprint(make_speech(), 16_000)
    again = Fingerprint.unpacked(*taken.packed())
    assert np.array_equal(again.bits, taken.bits)
    assert np.array_equal(again.active, taken.active)
    assert np.array_equal(again.signs[: taken.signs.size], taken.signs)


def test_a_frame_every_16_ms(make_speech):
    taken = take_fingerprint(make_speech(seconds=2.0), 16_000)
    assert len(taken.bits) == len(taken.active) == 1 + (16_000 - 2048) // 128 - 4
    assert taken.signs.size == 8_000
    assert 0.4 < taken.active.mean() < 1


@pytest.mark.parametrize(
    "how",
    [{"format": "MP3"}, {"format": "OGG", "compression_level": 0.9}, {"format": "WAV", "subtype": "ALAW"}],
)
def test_a_copy_is_known_at_another_level_and_place(make_speech, how):
    wave = make_speech(1)
    copy = encoded(-0.2 * wave[2048:-1000], 16_000, **how)  # 2,048 samples are 8 frames
    one, other = take_fingerprint(wave, 16_000), take_fingerprint(copy, 16_000)
    assert min(bit_errors(one, other, shift)[0] for shift in range(5, 12)) < 0.2
    assert same_signs(one, other, 8) > 0.85


@pytest.mark.parametrize("rate", [8_000, 22_050, 48_000])
def test_a_copy_is_known_at_another_sample_rate(make_speech, rate):
    wave = make_speech(2)
    one, other = take_fingerprint(wave, 16_000), take_fingerprint(soxr.resample(wave, 16_000, rate), rate)
    assert bit_errors(one, other, 0)[0] < 0.1
    assert same_signs(one, other, 0) > 0.85


def test_another_take_is_not_known(make_speech):
    one, other = (take_fingerprint(make_speech(seed), 16_000) for seed in (3, 4))
    assert min(bit_errors(one, other, shift)[0] for shift in range(-40, 41)) > MOST_BIT_ERRORS
    assert max(same_signs(one, other, shift) for shift in range(-40, 41, 3)) < LEAST_SAME_SIGNS


def test_the_same_timing_is_not_the_same_wave(make_speech):
    """Bits alone cannot tell a take from its repetition a few hertz higher; signs can."""
    wave = make_speech(5, seconds=3.0)
    higher = soxr.resample(wave, 16_000, 15_700)
    one, other = take_fingerprint(wave, 16_000), take_fingerprint(higher, 16_000)
    assert max(same_signs(one, other, shift) for shift in range(-10, 11)) < LEAST_SAME_SIGNS


def test_too_short_and_silent_recordings_have_no_frames_to_compare(make_speech):
    short = take_fingerprint(make_speech(seconds=0.3), 16_000)
    silent = take_fingerprint(np.zeros(16_000, np.float32), 16_000)
    assert short.bits.size == 0
    assert not silent.active.any()
    assert bit_errors(silent, silent, 0) == bit_errors(short, short, 0) == (1.0, 0)


def test_copies_are_found_and_nothing_else(make_speech):
    takes = [make_speech(seed, seconds=2.5) for seed in range(12)]
    copies = {
        1: 0.1 * takes[1],
        3: -takes[3][5000:],
        5: encoded(0.5 * takes[5][1234:-4321], 16_000, format="MP3"),
        7: soxr.resample(takes[7], 16_000, 8_000),
        9: np.concatenate([np.zeros(7777, np.float32), takes[9]]),
    }
    waves = [(wave, 16_000) for wave in takes] + [
        (wave, 8_000 if number == 7 else 16_000) for number, wave in copies.items()
    ]
    found = same_takes([take_fingerprint(*wave) for wave in waves])
    assert found == [Pair(number, 12 + place) for place, number in enumerate(copies)]


def test_many_copies_of_a_take_are_one_group(make_speech):
    takes = [take_fingerprint(make_speech(seed), 16_000) for seed in (1, 2)]
    assert groups_of(same_takes([takes[number] for number in (0, 1, 0, 0, 1, 0, 0, 0)])) == [
        [0, 2, 3, 5, 6, 7],
        [1, 4],
    ]


def test_a_short_piece_in_common_is_no_copy(make_speech):
    one, other, shared = (make_speech(seed, seconds=2.0) for seed in (1, 2, 3))
    waves = [np.concatenate([wave, shared[:12_000]]) for wave in (one, other)]
    assert same_takes([take_fingerprint(wave, 16_000) for wave in waves]) == []


def test_recordings_without_sound_are_never_alike(make_speech):
    silent = take_fingerprint(np.zeros(32_000, np.float32), 16_000)
    short = take_fingerprint(make_speech(seconds=0.2), 16_000)
    assert same_takes([silent, silent, short, short, Fingerprint.unpacked(b"", b"", b"")]) == []
    assert same_takes([]) == []


def test_the_search_does_not_compare_all_with_all(monkeypatch):
    rng = np.random.default_rng(0)
    takes = [
        Fingerprint(rng.integers(0, 1 << 16, 200).astype(np.uint16), np.ones(200, bool), np.ones(800, bool))
        for _ in range(1500)
    ]
    compared = []
    monkeypatch.setattr(
        "ser_pipeline.audio.fingerprint.bit_errors", lambda *pair: compared.append(pair) or (1, 0)
    )
    assert same_takes([*takes, takes[7]]) == []
    assert len(compared) == 1


@pytest.mark.parametrize("pairs", [[(0, 1), (2, 3), (1, 3)], [(0, 3), (1, 2), (0, 1)]])
def test_groups_that_meet_late_are_one(pairs):
    assert groups_of([Pair(*pair) for pair in pairs]) == [[0, 1, 2, 3]]
