from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ser_pipeline.errors import RunError
from ser_pipeline.runs.internals import (
    ATTENTION,
    EMBEDDINGS,
    AttendedClip,
    Embeddings,
    drop_internals,
    read_attention,
    read_embeddings,
    write_attention,
    write_embeddings,
)


@pytest.fixture
def clip(rng):
    mel = rng.standard_normal((8, 20)).astype(np.float32)
    return AttendedClip("emodb/1", "test", 0, 1, 0.75, mel, np.array([0.25, 0.75], np.float32))


@pytest.fixture
def embeddings(rng):
    vectors = rng.standard_normal((6, 4)).astype(np.float32)
    return Embeddings(tuple("abcdef"), "test", np.arange(6), vectors, vectors[:, :2].copy())


def test_both_come_back_as_they_were(tmp_path, clip, embeddings):
    write_attention(tmp_path, [clip])
    (back,) = read_attention(tmp_path)
    assert (back.utterance_id, back.part, back.target, back.predicted) == ("emodb/1", "test", 0, 1)
    assert np.array_equal(back.mel, clip.mel)
    assert np.array_equal(back.weights, clip.weights)
    write_embeddings(tmp_path, embeddings)
    found = read_embeddings(tmp_path)
    assert (found.clips, found.part) == (embeddings.clips, "test")
    assert np.array_equal(found.vectors, embeddings.vectors)
    assert np.array_equal(found.places, embeddings.places)
    assert np.array_equal(found.target, embeddings.target)


def test_a_run_without_them_has_none(tmp_path, clip, embeddings):
    assert read_attention(tmp_path) == []
    assert read_embeddings(tmp_path) is None
    write_attention(tmp_path, [clip])
    write_embeddings(tmp_path, embeddings)
    drop_internals(tmp_path)
    drop_internals(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_what_moved_a_decision_is_kept_and_files_of_before_have_none(tmp_path, clip):
    moved = np.arange(6, dtype=np.float32).reshape(2, 3)
    write_attention(tmp_path, [replace(clip, moved=moved)])
    (back,) = read_attention(tmp_path)
    assert np.array_equal(back.moved, moved)
    table = pq.read_table(tmp_path / ATTENTION)
    pq.write_table(table.drop_columns(["moved", "moved_rows"]), tmp_path / ATTENTION)
    assert read_attention(tmp_path)[0].moved.shape == (0, 0)


@pytest.mark.parametrize(("name", "read"), [(ATTENTION, read_attention), (EMBEDDINGS, read_embeddings)])
def test_files_that_are_something_else_are_refused(tmp_path, name, read):
    (tmp_path / name).write_bytes(b"not a table")
    with pytest.raises(RunError, match=f"{name}: cannot be read: .*ser evaluate"):
        read(tmp_path)
    pq.write_table(pa.table({"x": [1]}), tmp_path / name)
    with pytest.raises(RunError, match=f"{name}: is not what a run keeps"):
        read(tmp_path)
