from pathlib import PurePosixPath

import pytest

from ser_pipeline.errors import ManifestError
from ser_pipeline.manifest import CorpusSummary, ManifestSummary, refuse_rejects
from ser_pipeline.manifest.summary import GROUPS, SHOWN_GROUPS, combined, overview
from ser_pipeline.records import MissingAudio, Reject


@pytest.fixture
def summary(tmp_path):
    return ManifestSummary(
        path=tmp_path / "manifest.parquet",
        digest="d",
        corpora=(CorpusSummary("emodb", 3, 2, 1, 2, 0.5, 7),),
        files=3,
        rows=2,
        rejects=1,
        read=3,
        speakers=2,
        first_rejects=(Reject("emodb", PurePosixPath("a/b.wav"), "too short"),),
        missing=(MissingAudio("nemo", "data.tsv", 7, ("x",)),),
        warnings=("careful",),
        synthetic=("emodb",),
        rejects_digest="r",
    )


def test_json_makes_the_same_summary_again_but_for_what_was_read(summary):
    again = ManifestSummary.from_json(summary.to_json(), summary.path)
    assert again.read == 0
    assert ManifestSummary.from_json({**summary.to_json(), "read": 3}, summary.path) == summary


def test_no_path_is_kept(summary, tmp_path):
    assert str(tmp_path) not in str(summary.to_json())


def test_warnings_are_added(summary):
    assert summary.with_warnings(["more"]).warnings == ("careful", "more")


def test_strict(summary):
    with pytest.raises(
        ManifestError, match=r"1 of 3 recordings were rejected: a/b.wav \(too short\); all are in"
    ):
        refuse_rejects(summary)
    refuse_rejects(ManifestSummary(**{**vars(summary), "rejects": 0, "first_rejects": ()}))


@pytest.fixture
def table(in_memory, people_rows):
    rows = [
        *people_rows("nemo", 3, emotions=1, language="pl", duration_s=1800.0),
        *people_rows("emodb", 2, emotions=3, language="de", duration_s=900.0),
        {"corpus": "mine", "emotion_id": -1, "language": "de", "duration_s": 3600.0},
    ]
    return in_memory(rows).table


def test_by_corpus_in_closed_form(table):
    columns, rows = overview(table, "corpus")
    assert columns == [
        "corpus",
        "clips",
        "speakers",
        "hours",
        "published",
        "anger",
        "happiness",
        "neutral",
        "other",
    ]
    assert rows == [
        ["nemo", 6, 3, 3.0, 4481, 6, 0, 0, 0],
        ["emodb", 12, 2, 3.0, 535, 4, 4, 4, 0],
        ["mine", 1, 1, 1.0, None, 0, 0, 0, 1],
    ]


def test_by_emotion_has_the_usual_order(table):
    columns, rows = overview(table, "emotion")
    assert columns == ["emotion", "clips", "speakers", "hours"]
    assert [row[:3] for row in rows] == [
        ["anger", 10, 5],
        ["happiness", 4, 2],
        ["neutral", 4, 2],
        ["other", 1, 1],
    ]


@pytest.mark.parametrize("by", GROUPS)
def test_every_group_adds_up(table, by):
    columns, rows = overview(table, by)
    assert sum(row[1] for row in rows) == table.num_rows
    assert sum(row[3] for row in rows) == pytest.approx(7.0)
    assert all(len(row) == len(columns) for row in rows)


def test_a_group_that_does_not_exist(table):
    with pytest.raises(ManifestError, match="--by mood does not exist; valid are corpus, language, emotion"):
        overview(table, "mood")


def test_combined_fills_what_a_table_lacks(table):
    columns, rows = combined({by: overview(table, by) for by in SHOWN_GROUPS})
    assert columns[:5] == ["by", "name", "clips", "speakers", "hours"]
    assert {row[0] for row in rows} == set(SHOWN_GROUPS)
    anger = next(row for row in rows if row[:2] == ["emotion", "anger"])
    assert anger[columns.index("published")] is None
    assert all(len(row) == len(columns) for row in rows)
