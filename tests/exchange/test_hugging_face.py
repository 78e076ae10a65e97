import io
import json
import math
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import soundfile

from ser_pipeline.errors import CorpusError
from ser_pipeline.exchange import import_dataset
from ser_pipeline.exchange.hugging_face import SHARD_BYTES, _shards, read_folder
from ser_pipeline.exchange.items import Places, Row
from ser_pipeline.records import Segment
from tests.exchange.conftest import told


@pytest.fixture
def datasets(tmp_path, monkeypatch):
    """The real library, which may look at nothing outside."""
    monkeypatch.setenv("HF_DATASETS_OFFLINE", "1")
    monkeypatch.setenv("HF_HOME", str(tmp_path / "home"))
    return pytest.importorskip("datasets", reason="datasets is not installed (extra 'interchange')")


def loaded(datasets, out, tmp_path):
    found = datasets.load_dataset(str(out), cache_dir=str(tmp_path / "cache"))
    return {part: rows.cast_column("audio", datasets.Audio(decode=False)) for part, rows in found.items()}


def test_the_library_opens_a_folder(corpus, datasets, tmp_path, monkeypatch):
    monkeypatch.setattr(  # which needs FFmpeg, though it keeps the path alone
        datasets.Audio, "encode_example", lambda _, path: {"bytes": None, "path": path}
    )
    parts = loaded(datasets, corpus.export("audiofolder"), tmp_path)
    assert {part: rows.num_rows for part, rows in parts.items()} == {"train": 4, "validation": 1, "test": 1}
    row = next(each for each in parts["train"] if each["text"] == "Nein")
    assert (row["emotion"], row["speaker"], row["audio"]["path"].rpartition("_")[2]) == (
        "anger", "tones-m1", "1.000-1.500.wav",
    )  # fmt: skip


def test_the_library_opens_parquet(corpus, datasets, tmp_path):
    parts = loaded(datasets, corpus.export("parquet"), tmp_path)
    assert {part: rows.num_rows for part, rows in parts.items()} == {"train": 4, "validation": 1, "test": 1}
    kinds = parts["train"].features
    assert kinds["emotion"].names == ["anger", "happiness", "neutral", "sadness", "other"]
    row = next(each for each in parts["train"] if each["text"] == "Na, so was")
    assert (kinds["emotion"].int2str(row["emotion"]), row["age"], row["valence"]) == ("happiness", 30, 0.5)
    assert soundfile.info(io.BytesIO(row["audio"]["bytes"])).frames == 3200


def test_what_the_library_writes_is_read(corpus, datasets, tmp_path):
    wave = io.BytesIO()
    soundfile.write(wave, np.random.default_rng(0).uniform(-0.5, 0.5, 4000), 8000, format="WAV")
    features = datasets.Features(
        {"audio": datasets.Audio(decode=False), "label": datasets.ClassLabel(names=["ang", "hap"])}
    )
    held = {"audio": [{"bytes": wave.getvalue(), "path": None}], "label": [1]}
    (tmp_path / "hub").mkdir()
    table = pa.table(held, features.arrow_schema)
    datasets.Dataset(table).to_parquet(tmp_path / "hub" / "test-00000-of-00001.parquet")
    rows = corpus.back("parquet", tmp_path / "hub", data=tmp_path / "held")
    assert told(rows, ("emotion_id", "part", "duration_s")) == [(1, "test", 0.5)]


def parquet(tmp_path, lines, name="train.parquet", features=None):
    path = tmp_path / "hub" / name
    path.parent.mkdir(exist_ok=True)
    table = pa.Table.from_pylist(lines)
    if features:
        told = {"huggingface": json.dumps({"info": {"features": features}})}
        table = table.replace_schema_metadata(told)
    pq.write_table(table, path)
    return path


def clip(number, path="a.wav"):
    content = io.BytesIO()
    wave = np.random.default_rng(number).uniform(-0.5, 0.5, 1600)
    soundfile.write(content, wave, 8000, format="WAV")
    return {"bytes": content.getvalue(), "path": path}


def test_names_lead_nowhere_else_and_never_to_the_same_file(tmp_path):
    lines = [
        {"audio": clip(number, path), "emotion": "sad"}
        for number, path in enumerate(("../../evil.wav", "/etc/evil.wav", "evil.wav", None))
    ]
    made = import_dataset(
        "parquet",
        parquet(tmp_path, lines, "x.parquet"),
        data=tmp_path / "data",
        into=tmp_path / "c",
        name="mine",
    )
    files = sorted(
        path.relative_to(tmp_path / "data").as_posix() for path in (tmp_path / "data").rglob("*.*")
    )
    assert files == ["mine/etc/evil.wav", "mine/evil-2.wav", "mine/evil.wav", "mine/x-000004.wav"]
    assert made.rows == 4


def test_names_with_a_point_become_names_of_recordings_and_numbers_are_whole(tmp_path):
    lines = [
        {"audio": clip(number, f"anna.{number}"), "emotion": "sad", "age": age}
        for number, age in enumerate((25.0, math.nan, None))
    ]
    made = import_dataset(
        "parquet", parquet(tmp_path, lines), data=tmp_path / "data", into=tmp_path / "c", name="mine"
    )
    files = sorted(path.name for path in (tmp_path / "data").rglob("*.wav"))
    assert files == ["anna.0.wav", "anna.1.wav", "anna.2.wav"]
    assert not [remark for remark in made.remarks if "age" in remark]
    assert "25" in made.table.read_text()


def test_an_import_that_was_interrupted_goes_on(tmp_path):
    path = parquet(tmp_path, [{"audio": clip(0), "emotion": "sad"}])
    (tmp_path / "data" / "mine" / "train").mkdir(parents=True)
    (tmp_path / "data" / "mine" / "train" / "a.wav").write_bytes(clip(0)["bytes"])
    made = import_dataset("parquet", path, data=tmp_path / "data", into=tmp_path / "c", name="mine")
    assert made.table.read_text() == "path,emotion,part\ntrain/a.wav,sad,train\n"


def test_numbers_of_classes_are_their_names(tmp_path):
    features = {"label": {"names": ["joy", "fear"], "_type": "ClassLabel"}}
    path = parquet(tmp_path, [{"audio": clip(0), "label": 1}], features=features)
    made = import_dataset("parquet", path, data=tmp_path / "data", into=tmp_path / "c")
    assert made.emotions == {"fear": 1}


def test_a_folder_for_each_label_is_read(tmp_path):
    for label in ("train/happy", "test/sad"):
        (tmp_path / "data" / "set" / label).mkdir(parents=True)
        (tmp_path / "data" / "set" / label / "a.wav").touch()
    made = import_dataset(
        "audiofolder", tmp_path / "data" / "set", data=tmp_path / "data", into=tmp_path / "c"
    )
    assert (
        made.table.read_text()
        == "path,emotion,part\ntest/sad/a.wav,sad,test\ntrain/happy/a.wav,happy,train\n"
    )


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        (
            [{"audio": "a.wav", "emotion": "sad"}],
            r"no column holds recordings as 'bytes' and 'path' \(found audio, ",
        ),
        (
            [{"audio": clip(0), "x": "sad"}],
            r"no column gives the emotion; name it 'emotion' \(found audio, x\)",
        ),
        ([{"audio": clip(0), "emotion": ""}], r"none of its labels is an emotion: '' \(1\)"),
        (
            [{"audio": {"bytes": None, "path": "x.wav"}, "emotion": "sad"}],
            r"not one of its recordings is there",
        ),
    ],
)
def test_parquet_of_no_use_is_an_error(tmp_path, lines, reason):
    with pytest.raises(CorpusError, match=reason):
        import_dataset("parquet", parquet(tmp_path, lines), data=tmp_path / "data", into=tmp_path / "c")


def test_a_file_that_is_no_parquet_is_an_error(tmp_path):
    (tmp_path / "x.parquet").write_bytes(b"version https://git-lfs")
    with pytest.raises(CorpusError, match=r"x.parquet: cannot be read as Parquet"):
        import_dataset("parquet", tmp_path / "x.parquet", data=tmp_path, into=tmp_path / "c")
    with pytest.raises(CorpusError, match=r"holds no '\*.parquet'"):
        import_dataset("parquet", tmp_path / "c", data=tmp_path, into=tmp_path / "c") if (
            tmp_path / "c"
        ).mkdir() is None else None


def test_a_folder_without_metadata_and_labels_is_an_error(tmp_path):
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "a.wav").touch()
    with pytest.raises(CorpusError, match=r"set: holds neither metadata.csv, .* nor recordings in folders"):
        import_dataset("audiofolder", tmp_path / "set", data=tmp_path, into=tmp_path / "c")
    (tmp_path / "set" / "metadata.csv").write_text("file,emotion\na.wav,sad\n")
    with pytest.raises(CorpusError, match=r"metadata.csv: has no column 'file_name' \(found file, emotion\)"):
        import_dataset("audiofolder", tmp_path / "set", data=tmp_path, into=tmp_path / "c")


def test_lines_of_metadata_with_more_cells_than_the_heading_are_named(tmp_path):
    (tmp_path / "metadata.csv").write_text("file_name,emotion,text\na.wav,sad,well, yes\n")
    (remark,) = read_folder(tmp_path, Places([])).remarks
    assert remark.startswith("metadata.csv: 1 line has more cells than the heading")


def test_metadata_may_name_recordings_by_absolute_paths(tmp_path, monkeypatch):
    names = [tmp_path / "set" / "test" / "a.wav", tmp_path / "test" / "b.wav"]
    for name in names:
        name.parent.mkdir(parents=True)
        name.touch()
    lines = "".join(f"{name},sad\n" for name in names)
    (tmp_path / "set" / "metadata.csv").write_text(f"file_name,emotion\n{lines}")
    monkeypatch.chdir(tmp_path)
    items = [*read_folder(Path("set"), Places([])).items]
    assert [(item.place, item.facts["part"]) for item in items] == [(names[0], "test"), (names[1], "")]


def test_a_segment_fills_a_file_by_its_own_size(tmp_path):
    with (tmp_path / "long.wav").open("wb") as file:
        file.truncate(SHARD_BYTES)
    rows = [
        Row(f"t/a#{n}", "t", tmp_path / "long.wav", {}, 60.0, 48_000, 2, Segment(60.0 * n, 60.0 * n + 60))
        for n in range(30)
    ]
    assert [len(shard) for shard in _shards(rows)] == [23, 7]  # of 11.52 MB each
