"""Parts of longer recordings are rows like whole ones."""

import json
import math
import shutil
import types
from itertools import combinations
from pathlib import PurePosixPath

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ser_pipeline.api import query_manifest, validate_manifest
from ser_pipeline.audio import read_segment
from ser_pipeline.audio.sound import LEAD_FRAMES
from ser_pipeline.corpora import CORPORA
from ser_pipeline.corpora.discover import Discovery, Found
from ser_pipeline.manifest import SCHEMA, digest_file, read_manifest
from ser_pipeline.manifest import probe_cache as reading
from ser_pipeline.manifest.schema import ADDED, FACTS_KEY
from ser_pipeline.manifest.segments import segments_of, with_sessions
from ser_pipeline.records import Segment, Utterance
from ser_pipeline.splits.leaks import people


def utterance(path, start, end, speaker="1"):
    return Utterance(
        corpus="talks", path=path, canonical=path.stem, source_label="x", emotion="anger",
        speaker_id=f"talks-{speaker}", language="en", start_s=start, end_s=end,
    )  # fmt: skip


@pytest.fixture
def talks(tmp_path, record, built):
    """Build the manifest of segments: name of a recording of 5 s -> bounds and perhaps speaker of each."""

    def build(rows, **options):
        for number, name in enumerate(sorted(rows)):
            if not (tmp_path / "data" / name).exists():
                record(tmp_path / "data" / name, seconds=5.0, seed=number)
        found = Found("talks", PurePosixPath(), tuple(map(PurePosixPath, sorted(rows))))
        scan = lambda root, files: (utterance(path, *row) for path in files for row in rows[str(path)])  # noqa: E731
        corpus = types.SimpleNamespace(CARD=CORPORA["emodb"].CARD, scan=scan)
        return built(
            tmp_path / "data",
            tmp_path / "manifests",
            corpora={"talks": corpus},
            find=lambda data: Discovery((found,), (), ()),
            **options,
        )

    return build


def test_each_segment_is_a_row_of_its_own(tmp_path, talks):
    talks({"a.wav": [(0.5, 2.0), (None, 1.0), (3.25, None)]})
    rows = read_manifest(tmp_path / "manifests").table.to_pylist()
    assert [(r["utterance_id"], r["start_s"], r["end_s"], r["duration_s"]) for r in rows] == [
        ("talks/a#0.000-1.000", 0.0, 1.0, 1.0),
        ("talks/a#0.500-2.000", 0.5, 2.0, 1.5),
        ("talks/a#3.250-end", 3.25, 5.0, 1.75),
    ]
    assert {r["path"] for r in rows} == {"a.wav"}
    whole = digest_file(tmp_path / "data" / "a.wav")
    assert [r["audio_digest"] for r in rows] == [
        Segment(r["start_s"], r["end_s"]).digest(whole) for r in rows
    ]
    assert len({whole, *(r["audio_digest"] for r in rows)}) == 4


def test_a_segment_of_mp3_has_the_digest_that_stores_read(tmp_path, record, talks):
    record(tmp_path / "data" / "a.mp3", seconds=2.0)
    talks({"a.mp3": [(0.0, 1.0), (0.5, 1.5)]})
    for row, lead in zip(
        read_manifest(tmp_path / "manifests").table.to_pylist(), (0, LEAD_FRAMES), strict=True
    ):
        segment = Segment(row["start_s"], row["end_s"])
        assert row["audio_digest"] == read_segment(tmp_path / "data" / "a.mp3", segment, 16_000).digest
        assert row["audio_digest"] == segment.digest(digest_file(tmp_path / "data" / "a.mp3"), lead)


def test_bounds_count_to_the_millisecond(tmp_path, talks):
    talks({"a.wav": [(1.0004, 2.0), (1.0, 2.0004)]})
    assert read_manifest(tmp_path / "manifests").table["utterance_id"].to_pylist() == ["talks/a#1.000-2.000"]


@pytest.mark.parametrize(
    ("bounds", "why"),
    [
        ((4.0, 5.5), "segment 4.000-5.500 s: it ends after its recording; its recording is 5.000 s long"),
        ((6.0, 7.0), "it begins after its recording has ended; its recording is 5.000 s long"),
        ((6.0, None), "segment 6.000-end s: it begins after"),
        ((-0.5, 1.0), "it begins before its recording"),
        ((2.0, 1.0), "its end does not come after its start"),
        ((2.0, 2.0), "its end does not come after its start"),
        ((2.0, 2.05), "too short: 0.050 s; at least 0.1 s are needed"),
        ((math.nan, 2.0), "a bound is not a number of seconds"),
        ((2.0, math.inf), "a bound is not a number of seconds"),
    ],
)
def test_a_segment_that_does_not_fit_its_recording(tmp_path, talks, rejects, bounds, why):
    summary = talks({"a.wav": [(0.0, 1.0), bounds]})
    corpus, reason = rejects(tmp_path / "manifests")["a.wav"]
    assert (corpus, summary.rejects) == ("talks", 1)
    assert why in reason


def test_an_end_that_rounding_left_beyond_the_recording_is_its_end(tmp_path, talks):
    talks({"a.wav": [(4.0, 5.009)]})
    assert read_manifest(tmp_path / "manifests").table["end_s"].to_pylist() == [5.0]


def test_a_tenth_of_a_second_is_enough_whatever_its_bounds_round_to(talks):
    assert talks({"a.wav": [(0.2, 0.3), (0.7, 0.8), (1.1, 1.2)]}).rows == 3


def test_the_same_segment_of_two_copies_is_a_duplicate(tmp_path, talks, record, rejects):
    record(tmp_path / "data" / "a.wav", seconds=5.0)
    shutil.copy(tmp_path / "data" / "a.wav", tmp_path / "data" / "b.wav")
    summary = talks({"a.wav": [(0.0, 1.0)], "b.wav": [(0.0, 1.0), (1.0, 2.0)]})
    assert (summary.rows, summary.rejects) == (2, 1)
    assert rejects(tmp_path / "manifests")["b.wav"][1] == (
        "duplicate audio: 'talks/b#0.000-1.000' has the same bytes as 'talks/a#0.000-1.000'"
    )


def test_segments_that_are_named_twice(tmp_path, talks, rejects):
    talks({"a.wav": [(0.0, 1.0), (0.0, 1.0)]})
    assert rejects(tmp_path / "manifests")["a.wav"][1] == (
        "duplicate id: 'a.wav' is 'talks/a#0.000-1.000', too"
    )


def test_a_recording_of_many_segments_is_read_once(talks, monkeypatch):
    read, probe = [], reading.probe
    monkeypatch.setattr(reading, "probe", lambda path, **how: read.append(path) or probe(path, **how))
    summary = talks({"a.wav": [(i / 10, i / 10 + 0.1) for i in range(40)]})
    assert (summary.rows, len(read)) == (40, 1)


def test_limit_counts_recordings(talks):
    assert talks({f"{name}.wav": [(0.0, 1.0), (1.0, 2.0)] for name in "abc"}, limit=1).rows == 2


def test_overlaps_are_pointed_out(talks):
    summary = talks({"a.wav": [(0.0, 4.0), (1.0, 1.5), (3.0, 5.0)], "b.wav": [(0.0, 1.0)]})
    (line,) = [line for line in summary.warnings if "overlap" in line]
    assert line.startswith("2 segments and an earlier one by the same speaker overlap")
    assert line.endswith("talks/a#1.000-1.500 overlaps talks/a#0.000-4.000 and 1 more")


def test_people_who_are_heard_at_once_are_of_one_session(tmp_path, talks):
    summary = talks(
        {
            "a.wav": [(0.0, 4.0), (1.0, 1.5, "2"), (4.5, 5.0, "3")],
            "b.wav": [(0.0, 1.0), (1.0, 2.0, "4"), (1.995, 3.0)],
            "c.wav": [(0.0, 1.0, "5"), (2.0, 3.0, "6"), (0.5, 3.5, "5")],
        }
    )
    same, line = [line for line in summary.warnings if "overlap" in line]
    assert same.startswith("1 segment and an earlier one by the same speaker overlap")
    assert line == (
        "in 2 recordings, segments of different speakers overlap; splits by speaker keep these together, as "
        "people of one session: a.wav and 1 more"
    )
    table = read_manifest(tmp_path / "manifests").table
    assert table["session_id"].to_pylist() == ["a"] * 3 + [None] * 3 + ["c"] * 3
    units = people(table).units
    names = [units.names[unit] for unit in units.of]
    assert names == ["talks-a"] * 3 + ["talks-a", "talks-4", "talks-a"] + ["talks-c"] * 3


SPANS = st.tuples(
    st.sampled_from("ab"), st.sampled_from("123"), st.integers(0, 900), st.integers(100, 400), st.booleans()
)
WHOLE = st.tuples(st.sampled_from("ab"), st.sampled_from("123"), st.just(0), st.just(1300), st.booleans())


@given(
    st.lists(SPANS, max_size=8, unique_by=lambda span: span[0] + str(span[2:4])),
    st.lists(WHOLE, max_size=2, unique_by=lambda span: span[0]),
)
def test_sessions_are_the_recordings_in_which_two_are_heard_for_more_than_ten_milliseconds(spans, whole):
    rows = [
        (path, speaker, start / 1000, (start + length) / 1000, "own" if given else None, 9.0, "talks", path)
        for path, speaker, start, length, given in spans
    ]
    rows += [
        (path, speaker, None, None, "own" if given else None, 1.3, "talks", path)
        for path, speaker, *_, given in whole
    ]
    names = [f"talks/x/{row[0]}" + (f"#{row[2]:.3f}-{row[3]:.3f}" if row[3] else "") for row in rows]
    crossed = {
        one[0]
        for one, two in combinations(spans + whole, 2)
        if one[0] == two[0] and one[1] != two[1]
        and max(one[2], two[2]) < min(sum(one[2:4]), sum(two[2:4])) - 10
    }  # fmt: skip
    columns = ("path", "speaker_id", "start_s", "end_s", "session_id", "duration_s", "corpus")
    schema = pa.schema([*(SCHEMA.field(name) for name in columns), ("file", pa.string())])
    columns = list(zip(*rows, strict=True)) or [()] * len(schema)
    table = pa.table(list(map(list, columns)), schema=schema).append_column("utterance_id", pa.array(names))
    wanted = [row[4] or (f"x/{row[0]}" if row[0] in crossed else None) for row in rows]
    assert with_sessions(table)[0]["session_id"].to_pylist() == wanted


def test_a_segment_of_all_of_a_recording_is_the_recording(tmp_path, talks, rejects):
    summary = talks({"a.wav": [(None, None), (0.0, 5.0), (0.009, 4.992)], "b.wav": [(None, 4.995)]})
    assert (summary.rows, summary.rejects) == (2, 2)
    assert rejects(tmp_path / "manifests")["a.wav"][1].startswith("duplicate audio: 'talks/a#0.0")
    rows = read_manifest(tmp_path / "manifests").table.to_pylist()
    assert [row["utterance_id"] for row in rows] == ["talks/a", "talks/b#0.000-4.995"]
    assert [row["duration_s"] for row in rows] == [5.0, 5.0]
    assert rows[1]["audio_digest"] == digest_file(tmp_path / "data" / "b.wav")
    assert not [line for line in summary.warnings if "overlap" in line]


def test_a_recording_and_a_segment_of_it_overlap(tmp_path, talks):
    rows = {"a.wav": [(None, None), (0.0, 2.0, "2")], "b.wav": [(None, None), (0.0, 2.0)]}
    same, other = [line for line in talks(rows).warnings if "overlap" in line]
    assert same.endswith("talks/b#0.000-2.000 overlaps talks/b")
    assert other.startswith("in 1 recording, segments of different speakers overlap")
    table = read_manifest(tmp_path / "manifests").table
    assert table["session_id"].to_pylist() == ["a", "a", None, None]


def test_a_recording_is_heard_in_its_copies_and_in_other_corpora(in_memory):
    rows = [
        {"corpus": corpus, "utterance_id": name, "speaker_id": f"{corpus}-{number}", "path": f"{number}.wav"}
        | {"start_s": start, "end_s": start + 2, "duration_s": 2.0}
        for number, (corpus, name, start) in enumerate(
            [
                ("one", "one/a#0.000-2.000", 0.0), ("one", "one/b#1.000-3.000", 1.0),
                ("one", "one/c#0.000-2.000", 0.0), ("two", "two/c#1.000-3.000", 1.0),
            ]
        )
    ]  # fmt: skip
    table = in_memory(rows).table.append_column("file", pa.array(["x", "x", "y", "y"]))
    table, (line,) = with_sessions(table)
    assert line.startswith("in 2 recordings")
    assert table["session_id"].to_pylist() == ["a", "a", "/one/c", "/one/c"]
    units = people(table).units
    assert [units.names[unit] for unit in units.of] == ["one-a", "one-a", "one/c", "one/c"]


def test_segments_that_touch_do_not_overlap(talks):
    summary = talks({"a.wav": [(0.0, 1.0), (1.0, 2.0), (1.995, 3.0)]})
    assert not [line for line in summary.warnings if "overlap" in line]


def test_a_manifest_with_segments_is_valid(tmp_path, talks):
    talks({"a.wav": [(0.5, 2.0), (2.0, 3.0)], "b.wav": [(0.5, None)]})
    found = validate_manifest(tmp_path / "manifests", data=tmp_path / "data")[1]
    assert (found.count, found.examples) == (0, [])


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ({"start_s": 0.5}, "duration_s 1.0 does not fit start_s and end_s"),
        ({"end_s": 0.5}, "does not fit start_s and end_s"),
        ({"start_s": 0.5, "end_s": 1.0}, "does not fit start_s and end_s"),
        ({"start_s": -0.5, "end_s": 0.5}, "start_s -0.5 is not between 0 and 86400"),
        ({"part": "dev"}, "part 'dev' is none of train, validation, test"),
        ({"fold": -1}, "fold -1 is not between 0"),
    ],
)
def test_bounds_and_parts_that_do_not_fit(manifest_of, row, problem):
    folder = manifest_of([row, {"start_s": 1.0, "end_s": 2.0, "part": "test", "fold": 0}]).path.parent
    found = validate_manifest(folder, data=None)[1]
    assert found.count == 1
    assert problem in found.examples[0]


def test_published_parts_are_called_otherwise_than_those_of_splits(manifest_of):
    folder = manifest_of([{"part": "test", "fold": 2}]).path.parent
    assert query_manifest(folder, "SELECT published_part, published_fold FROM manifest")[1] == [("test", 2)]


@pytest.mark.parametrize("version", sorted(ADDED))
def test_a_manifest_of_an_earlier_version_is_read(manifest_of, version):
    manifest = manifest_of([{}, {}])
    old = pq.read_table(manifest.path)
    facts = json.loads(old.schema.metadata[FACTS_KEY]) | {"schema_version": version}
    old = old.drop_columns(list(ADDED[version])).replace_schema_metadata({FACTS_KEY: json.dumps(facts)})
    pq.write_table(old, manifest.path)
    read = read_manifest(manifest.path)
    assert read.table.schema == SCHEMA
    assert read.table.equals(manifest.table)
    assert read_manifest(manifest.path, ["path", "start_s"]).table.column_names == ["path", "start_s"]
    assert validate_manifest(manifest.path.parent, data=None)[1].count == 0


def test_a_table_without_bounds_has_no_segments(in_memory):
    table = in_memory([{"start_s": 1.0, "end_s": 2.0}, {}]).table
    assert segments_of(table) == [Segment(1.0, 2.0), None]
    assert segments_of(table.drop_columns(["start_s"])) == [None, None]
