from collections import Counter

import numpy as np
import pytest
import soundfile

from ser_pipeline.corpora import CORPORA
from ser_pipeline.corpora.discover import discover
from ser_pipeline.errors import CorpusError, SerError, SettingsError
from ser_pipeline.records import Utterance
from ser_pipeline.synth import FOLDERS, MARKER, ROOMS, make, plan, synth
from ser_pipeline.synth.folders import STAGING, files_in

TINY = {"size": "small", "corpora": ("tess",)}  # 14 clips


def contents(folder):
    return {name: (folder / name).read_bytes() for name in files_in(folder)}


def rows(data, corpus):
    (found,) = [found for found in discover(data).found if found.corpus == corpus]
    return list(CORPORA[corpus].scan(data / found.root, found.files))


def test_discovery_finds_each_corpus_once_and_nothing_strays(small_corpora):
    discovery = discover(small_corpora)
    assert [(found.corpus, str(found.root)) for found in discovery.found] == list(FOLDERS.items())
    assert discovery.strays == ()
    assert discovery.half_there == ()


@pytest.mark.parametrize("corpus", sorted(FOLDERS))
def test_the_corpus_module_reads_every_clip_with_its_label(small_corpora, corpus):
    meant = {clip.path: clip for clip in plan("small")[corpus]}
    read = rows(small_corpora, corpus)
    assert {row.path for row in read} == set(meant)
    for row in read:
        if meant[row.path].code == "xxx":  # a turn without a majority
            assert row.emotion == "other"
        else:
            assert row.emotion == meant[row.path].part.emotion
            assert row.source_label == meant[row.path].code or corpus == "tess"
            assert row.gender == meant[row.path].part.sex


def test_tables_reach_the_rows(small_corpora):
    cremad, iemocap, nemo, emodb = (
        [row for row in rows(small_corpora, name) if isinstance(row, Utterance)]
        for name in ("cremad", "iemocap", "nemo", "emodb")
    )
    assert all(row.votes and row.age and row.agreement for row in cremad)
    assert all(row.votes and row.text and abs(row.valence) <= 1 for row in iemocap)
    assert all("głos" in row.text and row.age for row in nemo)
    assert all(0 <= row.agreement <= 1 and 0 <= row.naturalness <= 1 for row in emodb)


@pytest.mark.parametrize("corpus", sorted(FOLDERS))
def test_audio_is_sound_and_in_the_official_form(small_corpora, corpus):
    for path in sorted((small_corpora / FOLDERS[corpus]).rglob("*.wav")):
        info = soundfile.info(path)
        assert (info.samplerate, info.channels, info.subtype) == (ROOMS[corpus].sample_rate, 1, "PCM_16")
        wave, _ = soundfile.read(path)
        assert np.isfinite(wave).all()
        assert 0.005 < np.abs(wave).max() < 0.95
        assert 0.7 < info.duration < 5.0


def test_folders_are_marked_as_synthetic(small_corpora):
    for folder in (small_corpora, *(small_corpora / name for name in FOLDERS.values())):
        assert (folder / MARKER).read_text().startswith("Synthetic recordings: no human being speaks here.")
    assert not (small_corpora / STAGING).exists()


def test_no_two_clips_are_alike(small_corpora):
    assert max(Counter(path.read_bytes() for path in small_corpora.rglob("*.wav")).values()) == 1


def test_jobs_and_choice_of_corpora_leave_the_bytes_alone(small_corpora, tmp_path):
    summary = synth(tmp_path / "two", seed=7, jobs=2, **TINY)
    assert contents(tmp_path / "two" / "TESS") == contents(small_corpora / "TESS")
    assert (summary.clips, summary.speakers, summary.kept) == ({"tess": 14}, 2, ())
    assert summary.total == 14
    assert 10 < summary.seconds < 60


def test_another_seed_gives_other_audio_in_the_same_files(small_corpora, tmp_path):
    synth(tmp_path, seed=8, **TINY)
    old, new = contents(small_corpora / "TESS"), contents(tmp_path / "TESS")
    assert old.keys() == new.keys()
    assert all(old[name] != new[name] for name in old)


def test_what_stands_there_is_kept_and_a_broken_clip_made_again(tmp_path):
    synth(tmp_path, seed=1, **TINY)
    whole = contents(tmp_path)
    done = []
    again = synth(tmp_path, seed=1, on_progress=done.append, **TINY)
    assert (again.kept, sum(done), again.seconds) == (("tess",), 14, 0)
    next((tmp_path / "TESS").rglob("*.wav")).write_bytes(b"")
    assert synth(tmp_path, seed=1, **TINY).kept == ()
    assert contents(tmp_path) == whole


def test_another_seed_replaces_the_corpus(tmp_path):
    synth(tmp_path, seed=1, **TINY)
    first = contents(tmp_path / "TESS")
    done = []
    assert synth(tmp_path, seed=2, on_progress=done.append, **TINY).kept == ()
    assert done == [0, *[1] * 14]
    assert contents(tmp_path / "TESS") != first


def test_an_interrupted_call_can_be_repeated(small_corpora, tmp_path, monkeypatch):
    calls = []

    def interrupted(clip, seed, folder):
        calls.append(clip)
        if len(calls) > 35:  # SAVEE's 28 are whole, TESS is half-made
            raise KeyboardInterrupt
        return original(clip, seed, folder)

    original = make._write_clip
    with monkeypatch.context() as patch:
        patch.setattr(make, "_write_clip", interrupted)
        with pytest.raises(KeyboardInterrupt):
            synth(tmp_path / "hit", seed=7, size="small", corpora=("tess", "savee"))
    assert (tmp_path / "hit" / "SAVEE").is_dir()
    assert not (tmp_path / "hit" / "TESS").exists()
    assert synth(tmp_path / "hit", seed=7, size="small", corpora=("tess", "savee")).kept == ("savee",)
    calm = contents(small_corpora).items()
    assert contents(tmp_path / "hit") == {
        name: content for name, content in calm if name.startswith(("SAVEE", "TESS", MARKER))
    }
    assert not (tmp_path / "hit" / STAGING).exists()


def test_real_recordings_are_never_touched(tmp_path):
    (tmp_path / "TESS").mkdir()
    (tmp_path / "TESS" / "real.wav").write_bytes(b"precious")
    with pytest.raises(CorpusError, match=r"holds TESS and no SYNTHETIC\.txt"):
        synth(tmp_path, seed=0, **TINY)
    (tmp_path / MARKER).write_text("")
    with pytest.raises(CorpusError, match=r"TESS: has no SYNTHETIC\.txt; move it away"):
        synth(tmp_path, seed=0, **TINY)
    assert (tmp_path / "TESS" / "real.wav").read_bytes() == b"precious"


def test_a_place_that_cannot_be_written_gives_one_line(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(SerError, match="cannot be written: Not a directory"):
        synth(tmp_path / "file" / "below", seed=0, **TINY)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"seed": -1}, "seed -1 must be 0 or more"),
        ({"seed": 0, "size": "huge"}, "size 'huge' does not exist; valid are small, medium"),
        ({"seed": 0, "clips_per_class": 0}, "clips per class 0: valid are 1 to 8"),
        ({"seed": 0, "clips_per_class": 9}, "clips per class 9: valid are 1 to 8"),
        ({"seed": 0, "corpora": ("timit",)}, "corpus 'timit' does not exist; valid are cremad, ravdess"),
    ],
)
def test_wrong_options_are_refused_before_anything_is_written(tmp_path, options, message):
    with pytest.raises(SettingsError, match=message):
        synth(tmp_path / "new", **options)
    assert not (tmp_path / "new").exists()


def test_clips_per_class_scales_the_plan():
    assert len(plan("small", 3, ["emodb"])["emodb"]) == 3 * len(plan("small", 1, ["emodb"])["emodb"])
