import io

import numpy as np
import pytest
import soundfile
import soxr

from ser_pipeline.audio.fingerprint import Fingerprint, take_fingerprint
from ser_pipeline.manifest.alike import Pair, groups_of, same_takes


def mp3(wave, rate):
    file = io.BytesIO()
    soundfile.write(file, wave, rate, format="MP3")
    file.seek(0)
    return soundfile.read(file, dtype="float32")[0]


def test_copies_are_found_and_nothing_else(make_speech):
    takes = [make_speech(seed, seconds=2.5) for seed in range(12)]
    copies = {
        1: 0.1 * takes[1],
        3: -takes[3][5000:],
        5: mp3(0.5 * takes[5][1234:-4321], 16_000),
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
        "ser_pipeline.manifest.alike.bit_errors", lambda *pair: compared.append(pair) or (1, 0)
    )
    assert same_takes([*takes, takes[7]]) == []
    assert len(compared) == 1


@pytest.mark.parametrize("pairs", [[(0, 1), (2, 3), (1, 3)], [(0, 3), (1, 2), (0, 1)]])
def test_groups_that_meet_late_are_one(pairs):
    assert groups_of([Pair(*pair) for pair in pairs]) == [[0, 1, 2, 3]]
