import re

import pytest

from ser_pipeline.errors import StoreError
from ser_pipeline.store import build_store, open_store, store_folder
from ser_pipeline.store.merge import merge_caches


@pytest.fixture
def two(corpus, tmp_path, front_end):
    """The shards of two machines: 32 recordings on one, 8 on the other."""
    for name, shards in (("a", (0, 1)), ("b", (1, None))):
        build_store(corpus.manifest(), corpus.folder, tmp_path / name, front_end, shards=shards)
    return tmp_path / "a", tmp_path / "b"


def whole(corpus, cache, front_end):
    store = open_store(cache, front_end)
    return len(store) == 40 and (store.rows([corpus.digest(name) for name in corpus.names]) >= 0).all()


def test_shards_of_two_machines_make_one_store(corpus, two, tmp_path, front_end):
    (found,) = merge_caches(tmp_path / "all", two)
    assert (found.rows, found.copied, found.known, found.refused) == (40, 2, 0, ())
    assert whole(corpus, tmp_path / "all", front_end)
    assert build_store(corpus.manifest(), corpus.folder, tmp_path / "all", front_end).computed == 0


def test_merging_again_copies_nothing(two, tmp_path):
    merge_caches(two[0], two[1:])
    (found,) = merge_caches(two[0], two[1:])
    assert (found.rows, found.copied, found.known) == (40, 0, 1)


def test_a_number_that_is_taken_is_not_overwritten(corpus, tmp_path, front_end):
    names = corpus.names
    for cache, part in (("a", names[:20]), ("b", names[20:])):
        corpus.names = part
        build_store(corpus.manifest(), corpus.folder, tmp_path / cache, front_end)
    corpus.names = names
    path = store_folder(tmp_path / "a", front_end) / "shard-00000.h5"
    before = path.read_bytes()
    merge_caches(tmp_path / "a", [tmp_path / "b"])
    assert path.read_bytes() == before
    assert whole(corpus, tmp_path / "a", front_end)


def test_damaged_and_foreign_shards_are_left_out(two, front_end):
    a, b = two
    (shard,) = b.rglob("shard-*.h5")
    data = bytearray(shard.read_bytes())
    data[len(data) // 2] ^= 0xFF
    shard.write_bytes(data)
    foreign = store_folder(a, front_end) / "shard-00000.h5"
    other = b / "mels" / ("0" * 16)
    other.mkdir()
    (other / "shard-00000.h5").write_bytes(foreign.read_bytes())
    refused = [line for found in merge_caches(a, [b]) for line in found.refused]
    assert any(re.search("damaged: .*differ from what was written", line) for line in refused)
    assert any("made with other settings or library versions" in line for line in refused)
    assert len(open_store(a, front_end)) == 32


def test_indexes_are_made_anew(two, front_end):
    folder = store_folder(two[0], front_end)
    (folder / "index.parquet").unlink()
    (found,) = merge_caches(two[0], [])
    assert found.rows == 32
    assert (folder / "index.parquet").exists()


def test_what_is_no_cache_is_refused(two, tmp_path):
    with pytest.raises(StoreError, match="holds no store; pass the folder that holds 'mels'"):
        merge_caches(two[0], [tmp_path / "nowhere"])
    with pytest.raises(StoreError, match="is the cache to merge into"):
        merge_caches(two[0], [two[0]])
