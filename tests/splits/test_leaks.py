import numpy as np
import pyarrow as pa
import pytest

from ser_pipeline.errors import SplitError
from ser_pipeline.splits.leaks import check_sides, codes, on_both_sides


def table(speakers, digests=None):
    digests = digests or [f"{number:032x}" for number in range(len(speakers))]
    return pa.table({"speaker_id": pa.array(speakers), "audio_digest": pa.array(digests)})


def test_things_on_both_sides_are_named():
    things = codes(pa.chunked_array([["a", "b", "a", "c", "b"]]))
    assert on_both_sides(things, np.array([0, 1, 2, 0, 1])) == ["a"]
    assert on_both_sides(things, np.array([0, 1, 0, 0, 1])) == []


def test_no_part_is_no_side():
    things = codes(pa.chunked_array([["a", "a"]]))
    assert on_both_sides(things, np.array([-1, 2])) == []


def test_random_sides_agree_with_a_plain_loop(rng):
    names = [f"s{number}" for number in rng.integers(0, 30, 200)]
    sides = rng.integers(-1, 2, 200)
    expected = sorted(
        name
        for name in set(names)
        if len(
            {side for other, side in zip(names, sides.tolist(), strict=True) if other == name and side >= 0}
        )
        > 1
    )
    assert on_both_sides(codes(pa.chunked_array([names])), sides) == expected


def test_a_torn_speaker():
    with pytest.raises(SplitError, match=r"here: speakers stand in more than one part: a, b$"):
        check_sides(table(["a", "a", "b", "b", "c"]), np.array([0, 1, 0, 2, 0]), "here")
    check_sides(table(["a", "a"]), np.array([0, 1]), "here", speakers=False)


def test_torn_audio_is_refused_even_where_speakers_may_leak():
    rows = table(["a", "b"], ["x", "x"])
    with pytest.raises(SplitError, match="here: the same audio stands in more than one part: x"):
        check_sides(rows, np.array([0, 2]), "here", speakers=False)
    check_sides(rows, np.array([0, 0]), "here")
    check_sides(rows, np.array([0, -1]), "here")


def test_only_the_first_ten_are_named():
    names = [f"s{number:02d}" for number in range(12) for _ in range(2)]
    with pytest.raises(SplitError, match=r"s00, .*s09 and 2 more$"):
        check_sides(table(names), np.tile([0, 1], 12), "here")
