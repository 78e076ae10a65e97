from collections import Counter
from dataclasses import replace

import pytest

from ser_pipeline.acquire import Holding, holdings, missing, state_of
from ser_pipeline.corpora import CORPORA
from ser_pipeline.errors import CorpusError

EMODB = CORPORA["emodb"].CARD


@pytest.fixture
def put(tmp_path):
    """Write files below a folder; a recording needs no content, since none is opened."""

    def write(*paths):
        for path in paths:
            file = tmp_path / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.touch()
        return tmp_path

    return write


def test_each_corpus_is_counted_once_where_it_lies(put):
    data = put("a/EmoDB/03a01Fa.wav", "a/EmoDB/08a01Wa.wav", "b/copy/03a01Fa.wav", "TESS/OAF_back_sad.wav")
    found = holdings(data, CORPORA)
    assert found["emodb"] == Holding("a/EmoDB", 2, frozenset({"emodb-03", "emodb-08"}),
                                     Counter(happiness=1, anger=1))  # fmt: skip
    assert found["tess"].folder == "TESS"
    assert set(found) == {"emodb", "tess"}


def test_a_folder_without_recordings_holds_nothing(put):
    assert holdings(put("EmoDB/erkennung.txt"), CORPORA) == {}
    with pytest.raises(CorpusError, match="no such folder"):
        holdings(put() / "gone", CORPORA)


def test_a_complete_corpus_lacks_nothing():
    whole = Holding("x", 535, frozenset(f"emodb-{code}" for code in EMODB.people), EMODB.counts)
    assert missing(EMODB, whole) == ()
    assert [state_of(EMODB, each) for each in (whole, None)] == ["complete", ""]


def test_what_is_missing_is_said_by_recordings_speakers_and_emotions():
    part = Holding("x", 500, frozenset(f"emodb-{code}" for code in EMODB.people[2:]),
                   {**EMODB.counts, "anger": 92})  # fmt: skip
    assert missing(EMODB, part) == (
        "35 of 535 recordings",
        "2 speakers of 10: 03, 08",
        "recordings of anger (35 of 127)",
    )
    assert state_of(EMODB, part) == "partial"


def test_speakers_without_codes_are_counted():
    unknown = replace(EMODB, people=(), counts={})
    part = Holding("x", 535, frozenset({"emodb-1"}), {})
    assert missing(unknown, part) == ("9 of 10 speakers",)
    sizeless = replace(unknown, speakers=0, clips=0)
    assert state_of(sizeless, part) == "found"


@pytest.mark.real
def test_the_real_corpora_are_partial(real_data):
    found = holdings(real_data, CORPORA)
    assert all(state_of(CORPORA[name].CARD, holding) == "partial" for name, holding in found.items())
    assert len(found) == 6
