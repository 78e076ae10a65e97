from pathlib import Path

import pytest

from ser_pipeline.acquire.synth.folders import (
    FOLDERS,
    MARKER,
    STAGING,
    check_replaceable,
    claim,
    files_in,
    is_complete,
    marker_text,
    put_in_place,
)
from ser_pipeline.corpora import CORPORA
from ser_pipeline.errors import CorpusError


def corpus_in(folder: Path, settings="s 1") -> Path:
    corpus = folder / "EmoDB"
    (corpus / "wav").mkdir(parents=True)
    (corpus / "wav" / "03a01Fa.wav").write_bytes(b"12345")
    (corpus / MARKER).write_text(marker_text(settings, files_in(corpus)))
    return corpus


def test_every_corpus_has_a_folder():
    assert list(FOLDERS) == list(CORPORA)


def test_a_new_or_empty_folder_is_marked(tmp_path):
    for folder in (tmp_path / "a" / "b", tmp_path):
        if folder == tmp_path:
            (tmp_path / "a").rename(tmp_path.with_name("moved"))
        claim(folder)
        assert "no human being speaks here" in (folder / MARKER).read_text()


def test_a_marked_folder_is_taken_again_and_leftovers_go(tmp_path):
    claim(tmp_path)
    (tmp_path / STAGING / "EmoDB").mkdir(parents=True)
    (tmp_path / "notes.txt").write_text("mine")
    claim(tmp_path)
    assert not (tmp_path / STAGING).exists()
    assert (tmp_path / "notes.txt").read_text() == "mine"


def test_a_folder_with_other_content_is_refused_and_untouched(tmp_path):
    (tmp_path / "EmoDB").mkdir()
    with pytest.raises(
        CorpusError, match=r"holds EmoDB and no SYNTHETIC\.txt; synthetic corpora go into a new"
    ):
        claim(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["EmoDB"]


def test_a_file_is_refused(tmp_path):
    (tmp_path / "x").write_text("")
    with pytest.raises(CorpusError, match="x: is a file; name a new or empty folder"):
        claim(tmp_path / "x")


def test_only_what_was_written_may_be_replaced(tmp_path):
    corpus = corpus_in(tmp_path)
    check_replaceable(corpus)
    check_replaceable(tmp_path / "absent")
    (corpus / ".DS_Store").write_text("")
    check_replaceable(corpus)
    (corpus / "wav" / "mine.wav").write_bytes(b"")
    with pytest.raises(CorpusError, match=r"holds wav/mine\.wav, which 'ser corpora synth' did not write"):
        check_replaceable(corpus)
    (corpus / MARKER).unlink()
    with pytest.raises(CorpusError, match=r"EmoDB: has no SYNTHETIC\.txt; move it away"):
        check_replaceable(corpus)


def test_complete_means_same_settings_and_every_file_in_its_size(tmp_path):
    corpus = corpus_in(tmp_path)
    assert is_complete(corpus, "s 1")
    assert not is_complete(corpus, "s 2")
    assert not is_complete(tmp_path / "absent", "s 1")
    clip = corpus / "wav" / "03a01Fa.wav"
    clip.write_bytes(b"1234")
    assert not is_complete(corpus, "s 1")
    clip.unlink()
    assert not is_complete(corpus, "s 1")


def test_a_finished_corpus_replaces_the_earlier_one(tmp_path):
    corpus = corpus_in(tmp_path)
    staged = tmp_path / STAGING / "EmoDB"
    staged.mkdir(parents=True)
    (staged / "new").write_text("")
    put_in_place(staged, corpus)
    assert list(files_in(corpus)) == ["new"]
