"""Stores at an address: built there, fetched to a folder of bounded size, and read by training."""

import os
import threading
from pathlib import Path

import numpy as np
import pytest

from ser_pipeline.datasets.prepare import read_inputs
from ser_pipeline.errors import SettingsError, StoreCorrupt, StoreError, StoreMissing
from ser_pipeline.manifest import read_manifest
from ser_pipeline.options import WaveOptions
from ser_pipeline.remote.addresses import State
from ser_pipeline.store import open_store
from ser_pipeline.store.mirror import Mirror, local_cache, make_room
from ser_pipeline.store.shard import read_keys

CACHE = "s3://bucket/cache"


@pytest.fixture
def here(tmp_path, monkeypatch):
    """The folder that shards are fetched to."""
    monkeypatch.setenv("SER_REMOTE_CACHE", str(tmp_path / "fetched"))
    return tmp_path / "fetched"


@pytest.fixture
def built(ser, data, bucket, here, monkeypatch):
    """A store of waves in shards of two recordings, at the address; its folder here is empty."""
    monkeypatch.setattr("ser_pipeline.store.plan.MIN_CLIPS", 2)
    ser("manifest", "build", "--data", data)
    if bucket.exists("bucket/cache"):
        bucket.rm("bucket/cache", recursive=True)
    said = ser("cache", "waves", "--cache", CACHE).output
    assert "6 of 6 recordings (6 computed now, 0 failed)" in said
    assert "s3://bucket/cache/waves/" in said
    assert not list(here.rglob("*.h5"))
    return bucket


def digests():
    return read_manifest(Path("manifests")).table["audio_digest"].to_pylist()


def test_its_rows_are_those_of_a_store_on_this_machine(ser, built, here):
    ser("cache", "waves")
    own = open_store(Path("cache"), WaveOptions())
    store = open_store(Path(CACHE), WaveOptions())
    assert not list(here.rglob("*.h5"))
    for one, other in zip(own.read(own.rows(digests())), store.read(store.rows(digests())), strict=True):
        assert np.array_equal(one, other)
    assert len(list(here.rglob("shard-*.h5"))) == 3


def test_a_shard_is_fetched_once(built, server):
    store = open_store(Path(CACHE), WaveOptions())
    store.read(store.rows(digests()))
    server.asked.clear()
    again = open_store(Path(CACHE), WaveOptions())
    again.read(again.rows(digests()))
    assert not [path for path, _ in server.asked if path.endswith(".h5")]


def test_a_complete_store_is_not_built_again(ser, built, server):
    server.asked.clear()
    said = ser("cache", "waves", "--cache", CACHE).output
    assert "6 of 6 recordings (0 computed now, 0 failed)" in said
    assert not [path for path, _ in server.asked if path.endswith(".h5")]


def test_a_build_goes_on_with_what_is_there(ser, data, bucket, here, monkeypatch):
    monkeypatch.setattr("ser_pipeline.store.plan.MIN_CLIPS", 2)
    ser("manifest", "build", "--data", data)
    words = ("cache", "waves", "--cache", "s3://bucket/slowly")
    assert "would compute 6 of 6" in ser(*words, "--dry-run").output
    assert "2 of 6 recordings (2 computed now" in ser(*words, "--limit", 2).output
    assert "would compute 4 of 6" in ser(*words, "--dry-run").output
    assert "6 of 6 recordings (4 computed now" in ser(*words).output


def test_the_folder_keeps_its_limit(built, here, monkeypatch):
    sizes = [info["size"] for path, info in built.find("bucket/cache", detail=True).items() if ".h5" in path]
    monkeypatch.setenv("SER_REMOTE_CACHE_GIB", str(2.5 * max(sizes) / 2**30))
    store = open_store(Path(CACHE), WaveOptions())
    for digest in (*digests(), *digests()):
        store.read(store.rows([digest]))
        assert len(list(here.rglob("shard-*.h5"))) <= 2
        assert len(store._open) <= 2


def test_what_was_read_last_stays(here, monkeypatch):
    monkeypatch.setenv("SER_REMOTE_CACHE_GIB", str(250 / 2**30))
    folder = here / "stores" / "a" / "waves" / "b"
    folder.mkdir(parents=True)
    for number in range(2):
        (folder / f"shard-0000{number}.h5").write_bytes(bytes(100))
    os.utime(folder / "shard-00001.h5", (1, 1))
    make_room(100, but=folder / "shard-00002.h5")
    assert [path.name for path in folder.iterdir()] == ["shard-00000.h5"]


@pytest.mark.parametrize("text", ["many", "0", "-1", "nan", "inf"])
def test_a_limit_that_is_none(here, monkeypatch, text):
    monkeypatch.setenv("SER_REMOTE_CACHE_GIB", text)
    with pytest.raises(SettingsError, match=f"SER_REMOTE_CACHE_GIB={text}: must be a number of GiB above 0"):
        make_room(1, but=Path("a"))


def test_several_at_once_fetch_a_shard_once(built, server):
    local_cache(Path(CACHE))
    server.asked.clear()
    stores = [open_store(Path(CACHE), WaveOptions()) for _ in range(4)]
    threads = [threading.Thread(target=store.read, args=(store.rows(digests()),)) for store in stores]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    asked = [path for path, _ in server.asked if path.endswith(".h5")]
    assert len(asked) == len(set(asked)) == 3


def shard(bucket):
    return sorted(path for path in bucket.find("bucket/cache") if path.endswith(".h5"))[0]


def test_a_damaged_shard_is_named_and_not_kept(built, here, tmp_path):
    path = shard(built)
    content = bytearray(built.cat_file(path))
    (tmp_path / "shard-00000.h5").write_bytes(content)
    content[read_keys(tmp_path / "shard-00000.h5").offset] ^= 1
    built.pipe_file(path, bytes(content))
    store = open_store(Path(CACHE), WaveOptions())
    with pytest.raises(StoreCorrupt, match=rf"s3://{path}: damaged: .*; upload it again"):
        store.read(store.rows(digests()))
    assert shard_names(here) == []


def shard_names(folder):
    return [path.name for path in folder.rglob("*shard*")]


def test_a_shard_that_changes_or_cannot_be_had(built, server, here):
    path = shard(built)
    store = open_store(Path(CACHE), WaveOptions())
    server.of[f"/{path}"] = [403] * 9
    with pytest.raises(StoreError, match=rf"s3://{path}: cannot be fetched: access is denied"):
        store.read(store.rows(digests()))
    server.of[f"/{path}"] = ["cut", 500]
    built.pipe_file(path, built.cat_file(path.replace("00000", "00001")))
    with pytest.raises(
        StoreError, match=rf"s3://{path}: has changed since it was listed; run the command again"
    ):
        store.read(store.rows(digests()))
    assert shard_names(here) == []


def test_an_index_of_other_shards(ser, built):
    built.rm(shard(built))
    with pytest.raises(StoreError, match="its index is not that of its shards; run the build again"):
        open_store(Path(CACHE), WaveOptions())
    assert "6 of 6 recordings (2 computed now, 0 failed)" in ser("cache", "waves", "--cache", CACHE).output


def test_training_reads_it(toy, bucket, here):
    toy.write_features()
    recipe = toy.recipe(model={"name": "logreg"})
    own = read_inputs(recipe, manifests=toy.manifests, cache=toy.cache)
    bucket.put(str(toy.cache), "bucket/toy", recursive=True)
    inputs = read_inputs(recipe, manifests=toy.manifests, cache=Path("s3://bucket/toy"))
    assert inputs.cache.is_relative_to(here)
    places = inputs.store.rows([toy.digest(number) for number in range(len(toy.rows))])
    assert np.array_equal(inputs.store.read(places)[0], own.store.read(places)[0])
    assert len(list(here.rglob("shard-*.h5"))) == 1


def test_an_address_without_a_store(bucket, here):
    with pytest.raises(StoreMissing, match="s3://bucket/nothing: holds no store"):
        open_store(Path("s3://bucket/nothing"), WaveOptions())


def test_without_a_home_a_folder_for_shards_is_asked_for(monkeypatch):
    monkeypatch.setattr("os.path.expanduser", lambda path: path)
    for name in ("SER_REMOTE_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(SettingsError, match="no home folder to keep shards in; name a folder"):
        local_cache(Path("s3://bucket/nothing"))


def test_a_folder_of_this_machine_is_no_mirror(tmp_path):
    assert Mirror.of(tmp_path / "waves" / "a") is None
    assert local_cache(tmp_path) == tmp_path
    assert State(1, 2, 3).size == 1
