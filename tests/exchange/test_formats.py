import pytest

from ser_pipeline.errors import SettingsError
from ser_pipeline.exchange import FORMATS
from ser_pipeline.exchange.formats import checked_format
from tests.exchange.conftest import KEPT, told

WHOLE = ("fold", "age", "valence", "start_s", "end_s")
"""What a table of every fact keeps too."""
BOUNDS = ("start_s", "end_s")
MORE = {
    "csv": WHOLE,
    "audformat": WHOLE,
    "lhotse": WHOLE,
    "emobox": ("age", *BOUNDS),
    "audiofolder": ("age", "valence", "fold"),
    "parquet": ("age", "valence", "fold"),
    "kaldi": BOUNDS,
    "espnet": BOUNDS,
}


@pytest.mark.parametrize("kind", FORMATS)
def test_what_is_written_is_read_again(corpus, kind):
    out = corpus.export(kind, copy=True)
    rows = corpus.back(kind, out, data=out.parent)
    facts = (*KEPT, *MORE.get(kind, ()))
    assert [*map(str, told(rows, facts))] == [*map(str, told(corpus.rows, facts))]
    assert len(rows) == 6


@pytest.mark.parametrize("kind", ["csv", "lhotse", "audformat", "audiofolder", "parquet"])
def test_votes_come_back(corpus_of, kind):
    lines = ("a.wav,anger,2,1,", "b.wav,neutral,,3,2")
    corpus = corpus_of(*lines, heading="path,emotion,votes_anger,votes_neutral,votes_other")
    assert told(corpus.rows, ("votes",)) == [([(-1, 2), (2, 3)],), ([(0, 2), (2, 1)],)]
    out = corpus.export(kind, copy=True)
    assert told(corpus.back(kind, out, data=out.parent), ("votes",)) == told(corpus.rows, ("votes",))


@pytest.mark.parametrize("kind", FORMATS)
def test_every_format_has_help_a_reader_and_a_writer(kind):
    form = checked_format(kind)
    assert form.help
    assert callable(form.read)
    assert callable(form.write)


def test_an_unknown_format_is_named_with_the_nearest():
    with pytest.raises(
        SettingsError, match=r"'kladi' does not exist \(did you mean 'kaldi'\?\); valid are csv"
    ):
        checked_format("kladi")
