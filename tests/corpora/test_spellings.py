"""Names of speakers that one table spells in several ways."""

import pytest

from ser_pipeline.corpora.spellings import spellings_of
from ser_pipeline.records import Utterance
from tests.corpora.conftest import rows_of


def test_spellings_of_one_speaker_are_one(home):
    names = ("Jose\u0301", "José", "b  b", "b b")
    paths = ("anna/a1", "anna/a2", "ben/b1", "ben/b2")
    lines = [f"rec/{path}.wav,sad,{name}" for path, name in zip(paths, names, strict=True)]
    found = rows_of(home, "\n".join(["path,emotion,speaker", *lines]))
    assert len({row.speaker_id for row in found if isinstance(row, Utterance)}) == 2
    assert found[-1].reason.endswith("'b  b' and 'b b' are taken for one person each")


@pytest.mark.parametrize(
    ("one", "two", "people", "said"),
    [
        ("01", "1.0", 1, ["speakers '01' and '1.0' are taken for one person"]),
        ("x", "x ", 1, []),
        ("Ann", "ann", 2, ["speakers 'Ann' and 'ann' differ only in case; they are taken for 2 people"]),
        ("Unknown", "unknown", 1, []),
    ],
)
def test_names_that_are_alike(home, one, two, people, said):
    text = f"path,emotion,speaker\nrec/anna/a1.wav,sad,{one}\nrec/ben/b1.wav,joy,{two}\n"
    first, second, *_ = found = rows_of(home, text)
    assert len({first.speaker_id, second.speaker_id}) == people
    assert [each.reason for each in found if "speakers" in getattr(each, "reason", "")] == said


def test_those_whom_nobody_knows_keep_numbers_numbers():
    assert spellings_of({"1": 2, "01": 1, "?": 5, "": 3}) == {"01": "1"}
