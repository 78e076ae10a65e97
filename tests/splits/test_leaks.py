import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ser_pipeline.errors import SplitError
from ser_pipeline.splits.leaks import check_sides, codes, joined, on_both_sides, people


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
    with pytest.raises(SplitError, match=r"here: speakers are in more than one part: a, b$"):
        check_sides(table(["a", "a", "b", "b", "c"]), np.array([0, 1, 0, 2, 0]), "here")
    check_sides(table(["a", "a"]), np.array([0, 1]), "here", speakers=False)


def test_torn_audio_is_refused_even_where_speakers_may_leak():
    rows = table(["a", "b"], ["x", "x"])
    with pytest.raises(SplitError, match="here: the same audio is in more than one part: x"):
        check_sides(rows, np.array([0, 2]), "here", speakers=False)
    check_sides(rows, np.array([0, 0]), "here")
    check_sides(rows, np.array([0, -1]), "here")


def test_only_the_first_ten_are_named():
    names = [f"s{number:02d}" for number in range(12) for _ in range(2)]
    with pytest.raises(SplitError, match=r"s00, .*s09 and 2 more$"):
        check_sides(table(names), np.tile([0, 1], 12), "here")


def grouped(names, of):
    """The groups as sets of row numbers, whatever their numbers are."""
    return {names[code]: set(np.flatnonzero(of == code).tolist()) for code in np.unique(of)}


def test_codes_number_sorted_names():
    found = codes(pa.chunked_array([["b", "a"], ["c", "a"]]))
    assert found.names == ("a", "b", "c")
    assert found.of.tolist() == [1, 0, 2, 0]


def test_codes_of_nothing():
    found = codes(pa.chunked_array([pa.array([], pa.string())]))
    assert (found.names, len(found.of)) == ((), 0)


@given(st.lists(st.tuples(st.integers(0, 8), st.integers(0, 8)), min_size=1, max_size=20))
def test_joined_agrees_with_plain_merging(links):
    items = np.unique([item for item, _ in links], return_inverse=True)[1]
    groups = np.unique([group for _, group in links], return_inverse=True)[1]
    sets = [{int(item)} for item in range(items.max() + 1)]
    for one, group in zip(items, groups, strict=True):
        for other, same in zip(items, groups, strict=True):
            if group == same:
                merged = sets[one] | sets[other]
                for member in merged:
                    sets[member] = merged
    found = joined(items, groups)
    for one in range(len(sets)):
        for other in range(len(sets)):
            assert (found[one] == found[other]) == (other in sets[one])


def test_joined_of_nothing():
    assert len(joined(np.empty(0, np.int64), np.empty(0, np.int64))) == 0


def rows_of(rows):
    names = ("corpus", "speaker_id", "session_id")
    return pa.table(
        {name: pa.array([row[place] for row in rows], pa.string()) for place, name in enumerate(names)}
    )


def test_a_speaker_of_two_corpora_is_one_unit_and_joins_them():
    found = people(
        rows_of([("ravdess", "ravdess-01", None), ("ravdess-song", "ravdess-01", None), ("tess", "t", None)])
    )
    assert grouped(found.units.names, found.units.of) == {"ravdess-01": {0, 1}, "t": {2}}
    assert grouped(found.families.names, found.families.of) == {"ravdess+ravdess-song": {0, 1}, "tess": {2}}


def test_partners_of_a_session_are_one_unit_named_by_it():
    rows = [("iemocap", f"iemocap-{n}{g}", f"Ses0{n}") for n in (1, 2) for g in "FM"]
    found = people(rows_of(rows))
    assert grouped(found.units.names, found.units.of) == {"iemocap-Ses01": {0, 1}, "iemocap-Ses02": {2, 3}}


def test_the_same_session_name_in_another_corpus_joins_nobody():
    found = people(rows_of([("a", "a-1", "S1"), ("b", "b-1", "S1")]))
    assert found.units.names == ("a-1", "b-1")


def test_a_speaker_with_and_without_a_session_stays_one():
    found = people(rows_of([("a", "a-1", None), ("a", "a-1", "S1"), ("a", "a-2", "S1"), ("a", "a-2", None)]))
    assert len(found.units.names) == 1


def test_sessions_with_one_speaker_each_join_nobody():
    found = people(rows_of([("a", "a-1", "S1"), ("a", "a-1", "S2"), ("a", "a-2", "S3")]))
    assert found.units.names == ("a-1", "a-2")


@pytest.mark.parametrize("order", [[0, 1, 2, 3], [3, 1, 0, 2]])
def test_names_do_not_depend_on_the_order_of_rows(order):
    rows = [("a", "a-1", "S1"), ("a", "a-2", "S1"), ("a", "a-3", None), ("b", "a-3", None)]
    found = people(rows_of([rows[number] for number in order]))
    names = [found.units.names[code] for code in found.units.of]
    assert [names[order.index(number)] for number in range(4)] == ["a-S1", "a-S1", "a-3", "a-3"]
