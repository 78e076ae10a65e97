from pathlib import Path

import pytest

from ser_pipeline.errors import ManifestError, SerError, SettingsError
from ser_pipeline.exchange import export_manifest
from ser_pipeline.exchange.items import Recordings, Row
from ser_pipeline.manifest import read_manifest
from ser_pipeline.splits import make_split, write_split


def test_recordings_are_named_where_they_are(corpus):
    out = corpus.export("csv")
    lines = (out / "table.csv").read_text("utf-8").splitlines()
    assert (
        lines[0] == "path,emotion,speaker,gender,age,language,text,style,modality,valence,part,fold,start,end"
    )
    assert lines[1].startswith("../../data/tones/f1/a 1.wav,anger,tones-f1,female,30,de,Guten Tag,")
    assert lines[1].endswith(",-0.5,train,1,,")
    assert [path.name for path in out.iterdir()] == ["table.csv"]


def test_a_split_gives_the_parts(corpus):
    manifest = read_manifest(corpus.manifests)
    write_split(corpus.manifests, make_split(manifest, "stratified"))
    out = corpus.export("kaldi", split="stratified")
    parts = sorted(path.name for path in out.iterdir())
    assert set(parts) <= {"train", "validation", "test"}
    assert sum(len((out / part / "utt2spk").read_text().splitlines()) for part in parts) == 6


def test_an_unknown_corpus_is_an_error(corpus):
    with pytest.raises(ManifestError, match=r"has no corpus 'x'; it has tones"):
        corpus.export("csv", corpora=["x"])


def test_a_missing_recording_is_an_error(corpus):
    (corpus.data / "tones" / "f1" / "b.wav").unlink()
    with pytest.raises(
        ManifestError, match=r"not there: 1 recording of 6 rows .*b.wav.*; --data is the folder"
    ):
        corpus.export("csv")


def test_recordings_at_addresses_are_not_exported(corpus, tmp_path):
    with pytest.raises(
        ManifestError, match=r"not files .*: 5 recordings of 6 rows \(s3://bucket/tones/.*copy"
    ):
        export_manifest("csv", tmp_path / "x", manifests=corpus.manifests, data=Path("s3://bucket"))


def test_a_folder_that_holds_something_stays_as_it_is(corpus):
    (corpus.folder / "away" / "tones").mkdir(parents=True)
    (corpus.folder / "away" / "tones" / "x").touch()
    with pytest.raises(SerError, match=r"tones: exists already; delete it, or choose another folder"):
        corpus.export("csv")


def test_a_failed_export_leaves_nothing(corpus, monkeypatch):
    def fail(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("ser_pipeline.exchange.table.write_csv", fail)
    with pytest.raises(SerError, match="no space left"):
        corpus.export("csv", copy=True)
    assert list((corpus.folder / "away").iterdir()) == []


def test_an_unknown_format_is_an_error(corpus):
    with pytest.raises(SettingsError, match=r"format 'cvs' does not exist \(did you mean 'csv'\?\)"):
        export_manifest("cvs", corpus.folder / "x", manifests=corpus.manifests)


def test_names_that_become_the_same_stay_apart(corpus_of):
    corpus = corpus_of("a b.wav,anger,s", "a_b.wav,neutral,s", "a?.wav,fear,s", "a_.wav,sadness,s",
                       heading="path,emotion,speaker")  # fmt: skip
    for number, kind in enumerate(("kaldi", "audiofolder", "csv")):
        out = corpus.folder / f"out{number}"
        export_manifest(kind, out, manifests=corpus.manifests, data=corpus.data, copy=True)
        assert len([*out.rglob("*.wav")]) == 4
    ids = [line.split()[0] for line in (corpus.folder / "out0" / "utt2emo").read_text().splitlines()]
    assert ids == ["tones-s-tones_a?", "tones-s-tones_a_", "tones-s-tones_a_b", "tones-s-tones_a_b-2"]


def test_a_fold_without_a_split_is_refused(corpus):
    with pytest.raises(SettingsError, match=r"--fold 3 needs --split, the split that has this fold"):
        corpus.export("csv", fold=3)


def test_a_recording_on_another_drive_is_named_by_its_whole_path(tmp_path, monkeypatch):
    def on_windows(path, start):
        raise ValueError("path is on mount 'C:', start on mount 'D:'")

    monkeypatch.setattr("os.path.relpath", on_windows)
    row = Row("t/a", "t", Path("/data/a.wav"), {}, 1.0, 8000, 1, None)
    assert Recordings(tmp_path, tmp_path, copied=False).relative(row) == "/data/a.wav"
