import pytest

from ser_pipeline.errors import SettingsError
from ser_pipeline.exchange import FORMATS
from ser_pipeline.exchange.formats import checked_format, reader_of, writer_of
from tests.exchange.conftest import KEPT, told

WHOLE = ("fold", "age", "valence", "start_s", "end_s")
"""What a table of every fact keeps too."""
MORE = {"csv": WHOLE, "kaldi": ("start_s", "end_s"), "espnet": ("start_s", "end_s")}


@pytest.mark.parametrize("kind", FORMATS)
def test_what_is_written_is_read_again(corpus, kind):
    out = corpus.export(kind, copy=True)
    rows = corpus.back(kind, out, data=out.parent)
    facts = (*KEPT, *MORE.get(kind, ()))
    assert [*map(str, told(rows, facts))] == [*map(str, told(corpus.rows, facts))]
    assert len(rows) == 6


@pytest.mark.parametrize("kind", FORMATS)
def test_every_format_has_help_a_reader_and_a_writer(kind):
    form = checked_format(kind)
    assert form.help
    assert callable(reader_of(form))
    assert callable(writer_of(form))


def test_an_unknown_format_is_named_with_the_nearest():
    with pytest.raises(
        SettingsError, match=r"'kladi' does not exist \(did you mean 'kaldi'\?\); valid are csv"
    ):
        checked_format("kladi")
