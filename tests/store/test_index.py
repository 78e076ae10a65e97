import numpy as np
import pyarrow.parquet as pq
import pytest

from ser_pipeline.store import build_store, open_store, store_folder
from ser_pipeline.store.index import KEYS, SCHEMA, read_index
from ser_pipeline.store.maintenance import Garbage, collect, garbage, merge_caches, repair, verify
from ser_pipeline.store.shard import shard_paths
from ser_pipeline.store.status import status


def test_a_missing_or_broken_index_is_made_from_the_shards(corpus, tmp_path, front_end):
    build_store(corpus.manifest(), corpus.folder, tmp_path, front_end)
    folder = store_folder(tmp_path, front_end)
    before = pq.read_table(folder / "index.parquet")
    for content in (None, b"", b"PAR1 nonsense"):
        (folder / "index.parquet").unlink()
        if content is not None:
            (folder / "index.parquet").write_bytes(content)
        assert len(read_index(folder).table) == 40
        assert pq.read_table(folder / "index.parquet").equals(before)
    assert pq.read_table(folder / "index.parquet").equals(before)


def test_an_index_of_other_shards_is_not_believed(corpus, tmp_path, front_end):
    build_store(corpus.manifest(), corpus.folder, tmp_path, front_end)
    folder = store_folder(tmp_path, front_end)
    (folder / "shard-00001.h5").unlink()
    assert read_index(folder).table.num_rows == 32


def test_only_some_columns_are_read_of_an_index_that_is_up_to_date(corpus, tmp_path, front_end):
    build_store(corpus.manifest(), corpus.folder, tmp_path, front_end)
    folder = store_folder(tmp_path, front_end)
    whole, keys = read_index(folder), read_index(folder, columns=KEYS)
    assert (whole.table.column_names, keys.table.column_names) == (SCHEMA.names, [*KEYS])
    assert keys.table.equals(whole.table.select(KEYS))
    (folder / "index.parquet").unlink()
    assert read_index(folder, columns=KEYS).table.combine_chunks().equals(whole.table.combine_chunks())


def test_index_holds_what_the_shards_say(corpus, tmp_path, front_end):
    build_store(corpus.manifest(), corpus.folder, tmp_path, front_end)
    store = open_store(tmp_path, front_end)
    position = store.rows([corpus.digest("c33.wav")])[0]
    assert (store.shards[position], store.shard_rows[position]) == (1, 1)


def test_a_copy_of_another_name_is_no_shard(corpus, tmp_path, front_end):
    build_store(corpus.manifest(), corpus.folder, tmp_path, front_end)
    folder = store_folder(tmp_path, front_end)
    for name in ("shard-00000 (copy).h5", "shard-00000.conflict.h5", "shard-.h5"):
        (folder / name).write_bytes((folder / "shard-00000.h5").read_bytes())
    (folder / "index.parquet").unlink()
    assert len(read_index(folder).table) == 40
    assert build_store(corpus.manifest(), corpus.folder, tmp_path, front_end).present == 40


def test_a_shard_of_another_store_is_never_served(corpus, tmp_path, front_end):
    build_store(corpus.manifest(), corpus.folder, tmp_path, front_end)
    folder = store_folder(tmp_path, front_end)
    other = store_folder(tmp_path, front_end.model_copy(update={"n_mels": 24}))
    other.mkdir()
    (other / "shard-00000.h5").write_bytes((folder / "shard-00000.h5").read_bytes())
    index = read_index(other)
    assert index.table.num_rows == 0
    assert "made with other settings or library versions than its store" in index.damaged[0][1]


@pytest.fixture
def two_folders(monkeypatch):
    """The second shard and those after it lie in sub-folders."""
    monkeypatch.setattr("ser_pipeline.store.shard.PER_FOLDER", 1)


def test_shards_of_a_large_store_lie_in_sub_folders(corpus, tmp_path, front_end, two_folders):
    assert build_store(corpus.manifest(), corpus.folder, tmp_path, front_end).computed == 40
    folder = store_folder(tmp_path, front_end)
    inner = folder / "shards-00001" / "shard-00001.h5"
    assert shard_paths(folder) == [folder / "shard-00000.h5", inner]
    assert build_store(corpus.manifest(), corpus.folder, tmp_path, front_end).computed == 0
    store = open_store(tmp_path, front_end)
    assert store.read(np.arange(40))[0].any(axis=(1, 2)).all()
    (found,) = status(tmp_path, corpus.manifest())
    assert (found.rows, found.state) == (40, "current")
    assert found.size_bytes > inner.stat().st_size + (folder / "shard-00000.h5").stat().st_size
    report = verify(folder, corpus.manifest(), corpus.folder, sample=40)
    assert (report.shards, report.rows, report.recomputed, report.problems) == (2, 40, 40, ())


def test_a_shard_of_an_earlier_version_is_used_where_it_lies(corpus, tmp_path, front_end, monkeypatch):
    build_store(corpus.manifest(), corpus.folder, tmp_path, front_end)
    folder = store_folder(tmp_path, front_end)
    monkeypatch.setattr("ser_pipeline.store.shard.PER_FOLDER", 1)
    (folder / "index.parquet").unlink()
    for number in (34, 40):
        corpus.add(f"c{number}.wav", number + 100)  # one has changed, one is new; both are of shard 1
        assert build_store(corpus.manifest(), corpus.folder, tmp_path, front_end).computed == 1
    assert [path.parent for path in shard_paths(folder)] == [folder, folder]


def test_what_cannot_be_used_is_found_in_sub_folders(corpus, tmp_path, front_end, two_folders):
    build_store(corpus.manifest(), corpus.folder, tmp_path / "a", front_end)
    folder = store_folder(tmp_path / "a", front_end)
    path = folder / "shards-00001" / "shard-00001.h5"
    (found,) = merge_caches(tmp_path / "b", [tmp_path / "a"])
    assert (found.rows, found.copied) == (40, 2)
    assert (found.folder / "shards-00001" / "shard-00001.h5").read_bytes() == path.read_bytes()
    corpus.names.remove("c39.wav")
    (foreign,) = garbage(tmp_path / "a", corpus.manifest())
    assert (foreign.path, foreign.rows) == (path, {corpus.digest("c39.wav")})
    collect([foreign])
    assert len(open_store(tmp_path / "a", front_end)) == 39
    path.write_bytes(b"no shard")
    report = verify(folder, None, None, sample=0)
    assert (report.damaged, repair(report)) == ((path,), 1)
    (left,) = garbage(tmp_path / "a", corpus.manifest())
    assert (left.path, left.reason) == (path.with_suffix(".h5.damaged"), "damaged shard that was set aside")
    collect([Garbage(folder, "outdated", 0)])
    assert not folder.exists()
