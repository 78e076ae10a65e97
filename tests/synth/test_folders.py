import io
import wave as wave_module
from pathlib import Path

import numpy as np
import pytest
import soundfile

from ser_pipeline.corpora import CORPORA
from ser_pipeline.errors import CorpusError
from ser_pipeline.synth.folders import (
    COMMENT,
    FOLDERS,
    MARKER,
    STAGING,
    check_replaceable,
    claim,
    files_in,
    is_complete,
    marker_text,
    named_rng,
    put_in_place,
    wav_bytes,
)


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
        with claim(folder):
            pass
        assert "no human being speaks here" in (folder / MARKER).read_text()


def test_a_marked_folder_is_taken_again_and_leftovers_go(tmp_path):
    (tmp_path / MARKER).write_text(marker_text())
    (tmp_path / STAGING / "EmoDB").mkdir(parents=True)
    (tmp_path / "notes.txt").write_text("mine")
    with claim(tmp_path):
        assert not (tmp_path / STAGING).exists()
    assert (tmp_path / "notes.txt").read_text() == "mine"


def test_a_folder_with_other_content_is_refused_and_untouched(tmp_path):
    (tmp_path / "EmoDB").mkdir()
    with pytest.raises(
        CorpusError, match=r"holds EmoDB and no SYNTHETIC\.txt; synthetic corpora go into a new"
    ):
        claim(tmp_path).__enter__()
    assert [path.name for path in tmp_path.iterdir()] == ["EmoDB"]


def test_a_file_is_refused(tmp_path):
    (tmp_path / "x").write_text("")
    with pytest.raises(CorpusError, match="x: is a file; name a new or empty folder"):
        claim(tmp_path / "x").__enter__()


def test_two_calls_do_not_write_into_one_folder(tmp_path):
    with claim(tmp_path):
        (tmp_path / STAGING).mkdir()
        with pytest.raises(
            CorpusError, match="another 'ser corpora synth' is writing there; wait for its end"
        ):
            claim(tmp_path).__enter__()
        assert (tmp_path / STAGING).exists()
    with claim(tmp_path):
        assert not (tmp_path / STAGING).exists()


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


def test_a_stream_depends_on_every_part_of_its_name():
    streams = {named_rng(*name).random() for name in [(1, "a"), (2, "a"), (1, "b"), (1, "a", ""), ("1a",)]}
    assert len(streams) == 5


def test_a_name_always_gives_the_same_stream():
    assert named_rng(3, "x").integers(1 << 40) == named_rng(3, "x").integers(1 << 40)


@pytest.mark.parametrize("sample_rate", [16_000, 24_414, 44_100, 48_000])
@pytest.mark.parametrize("samples", [1, 1000, 1001])
def test_two_readers_get_the_samples_back(rng, sample_rate, samples):
    wave = rng.uniform(-1, 1, samples).astype(np.float32)
    encoded = wav_bytes(wave, sample_rate)
    decoded, rate = soundfile.read(io.BytesIO(encoded), dtype="int16")
    assert rate == sample_rate
    assert np.array_equal(decoded, np.rint(wave * 32_767))
    with wave_module.open(io.BytesIO(encoded)) as reader:
        assert reader.getparams()[:4] == (1, 2, sample_rate, samples)


def test_the_file_says_that_it_is_synthetic():
    with soundfile.SoundFile(io.BytesIO(wav_bytes(np.zeros(10, np.float32), 16_000))) as reader:
        assert reader.comment == COMMENT
        assert reader.subtype == "PCM_16"


def test_the_header_states_the_true_size():
    encoded = wav_bytes(np.zeros(7, np.float32), 16_000)
    assert int.from_bytes(encoded[4:8], "little") == len(encoded) - 8
