"""The parsers on real recordings; see ``real_data`` in ``tests/conftest.py``."""

import csv
from collections import Counter
from pathlib import PurePosixPath

import pytest

from ser_pipeline.corpora import CORPORA
from ser_pipeline.corpora.discover import discover
from ser_pipeline.corpora.files import audio_files
from ser_pipeline.records import MissingAudio, Reject, TableProblem, Utterance

pytestmark = pytest.mark.real

PUBLISHED = {
    "cremad": "CREMA-D",
    "ravdess": "RAVDESS",
    "ravdess-song": "RAVDESS-song",
    "savee": "SAVEE",
    "tess": "TESS",
    "nemo": "nEMO",
    "emodb": "EmoDB",
}


@pytest.fixture
def records(real_data):
    return {
        copy.corpus: list(CORPORA[copy.corpus].scan(real_data / copy.root, copy.files))
        for copy in discover(real_data).found
    }


@pytest.mark.parametrize("name", PUBLISHED)
def test_the_rebuilt_name_lists_are_the_published_ones(name, real_data, official_names):
    published = real_data.parent / "names" / f"{PUBLISHED[name]}.txt"
    if not published.is_file():
        pytest.skip(f"{published} is not there")
    assert sorted(map(str, official_names[name])) == sorted(published.read_text().split())


def test_every_recording_is_a_row(real_data, records):
    rows = {name: [row for row in found if isinstance(row, Utterance)] for name, found in records.items()}
    assert sum(map(len, rows.values())) == len(audio_files(real_data))
    assert not [row for found in records.values() for row in found if isinstance(row, Reject | TableProblem)]
    assert {name: len(found) for name, found in rows.items()} == {
        "cremad": 7, "ravdess": 600, "ravdess-song": 176, "tess": 1, "nemo": 510, "emodb": 408,
    }  # fmt: skip


def test_singers_are_speakers(records):
    speakers = {row.speaker_id for row in records["ravdess"] if isinstance(row, Utterance)}
    singers = {row.speaker_id for row in records["ravdess-song"] if isinstance(row, Utterance)}
    assert (len(speakers), len(singers)) == (10, 4)
    assert singers < speakers


def test_cremad_rows_carry_votes_and_actors(real_data, records):
    rows = [row for row in records["cremad"] if isinstance(row, Utterance)]
    assert all(row.votes and row.age and row.gender != "unknown" for row in rows)
    missing = [record for record in records["cremad"] if isinstance(record, MissingAudio)]
    assert [record.count for record in missing] == [7442 - 7]
    with (real_data / "CREMA-D/processedResults/tabulatedVotes.csv").open(
        encoding="utf-8", newline=""
    ) as table:
        published = {
            line["fileName"]: float(line["agreement"]) for line in csv.DictReader(table) if line[""][0] == "1"
        }
    for row in rows:
        assert row.agreement == pytest.approx(published[PurePosixPath(row.canonical).name])


def test_every_emodb_clip_has_its_ratings(records):
    rows = [row for row in records["emodb"] if isinstance(row, Utterance)]
    assert all(row.agreement is not None and row.naturalness is not None for row in rows)
    assert min(row.agreement for row in rows if row.agreement is not None) >= 0.8  # what publishing took


def test_a_nemo_number_is_one_sentence_whoever_speaks_it(records):
    rows = [row for row in records["nemo"] if isinstance(row, Utterance)]
    pairs = {(row.sentence_id, row.text) for row in rows}
    assert len(pairs) == len({number for number, _ in pairs}) == len({text for _, text in pairs}) == 30
    assert Counter(row.emotion for row in rows)["surprise"] == 60
