from collections.abc import Iterable
from pathlib import Path

import pytest

from ser_pipeline.corpora import described
from ser_pipeline.records import TableProblem, Utterance

EMODB = described()["emodb"]
scan = EMODB.scan

PER_SPEAKER = {
    "emodb-03": 49, "emodb-08": 58, "emodb-09": 43, "emodb-10": 38, "emodb-11": 55,
    "emodb-12": 35, "emodb-13": 61, "emodb-14": 69, "emodb-15": 56, "emodb-16": 71,
}  # fmt: skip


def official() -> Iterable[str]:
    """Yield every official path."""
    for line in (Path(__file__).parent / "names" / "emodb.txt").read_text().splitlines():
        sentence, *ends = line.split()
        yield from (f"wav/{sentence}{end}.wav" for end in ends)


HEADING = b"Nr.\tSatz\terkannt\tnatuerlich\n"
BLANKS = b"\xa0\xa0\xa0"


def ratings(*lines: bytes) -> bytes:
    return HEADING + b"".join(line + b"\n" for line in lines)


def test_five_women_and_five_men_speak_ten_sentences():
    people = EMODB.description.people.values()
    assert [person["gender"] for person in people].count("female") == 5
    assert (len(people), len(EMODB.description.texts)) == (10, 10)


def test_the_listeners_table_is_latin_1_with_decimal_commas(put):
    line = b"3" + BLANKS + b"\t03a01Fa.wav\t90,48" + BLANKS + b"\t75,00" + BLANKS
    root = put("wav/03a01Fa.flac", **{"erkennung.txt": ratings(line)})
    (row,) = scan(root)
    assert isinstance(row, Utterance)
    assert (row.agreement, row.naturalness) == (pytest.approx(0.9048), pytest.approx(0.75))


def test_a_table_saved_anew_as_utf_8_gives_the_same(put):
    line = b"3" + BLANKS + b"\t03a01Fa.wav\t90,48" + BLANKS + b"\t75,00" + BLANKS
    latin = list(scan(put("wav/03a01Fa.flac", **{"erkennung.txt": ratings(line)})))
    text = ratings(line).decode("latin-1")
    assert list(scan(put(**{"erkennung.txt": text}))) == latin


def test_lines_of_clips_that_were_never_published_are_not_missed(put):
    root = put("wav/03a01Fa.wav", **{"erkennung.txt": ratings(b"8\t08a01Aa.wav\t75,00\t45,00")})
    (row,) = scan(root)
    assert isinstance(row, Utterance)
    assert row.agreement is None


def test_without_the_table_rows_come_without_ratings(put):
    row, problem = scan(put("wav/03a01Fa.wav"))
    assert isinstance(row, Utterance)
    assert problem == TableProblem("emodb", "erkennung.txt", "not found; the rows lack its information")


def test_a_bad_rating_costs_itself(put):
    lines = ratings(b"1\t03a01Fa.wav\t900,00\t75,00", b"2\t03a01Nc.wav\t90,00\t75,00")
    first, second, problem = scan(put("wav/03a01Fa.wav", "wav/03a01Nc.wav", **{"erkennung.txt": lines}))
    assert isinstance(first, Utterance)
    assert isinstance(second, Utterance)
    assert (first.agreement, second.agreement) == (None, 0.9)
    assert isinstance(problem, TableProblem)
    assert problem.reason == "line 2: agreement 900,00 is not between 0 and 100; that value is left out"
