import multiprocessing
import os
import pickle
from pathlib import Path

import h5py
import numpy as np
import pytest

from ser_pipeline.errors import StoreCorrupt
from ser_pipeline.options import FrontEnd, recipe
from ser_pipeline.store import build_command, build_store, open_store, store_folder
from ser_pipeline.store.maintenance import Garbage, collect


@pytest.fixture
def store(corpus, tmp_path, front_end):
    build_store(corpus.manifest(), corpus.folder, tmp_path / "cache", front_end)
    return open_store(tmp_path / "cache", front_end)


def test_unknown_recordings_have_no_row(store, corpus):
    assert store.rows(["0" * 32, corpus.digest("c01.wav")]).tolist() == [
        -1,
        store.rows([corpus.digest("c01.wav")])[0],
    ]


def test_only_the_clean_variant_is_there(store, corpus):
    assert store.rows([corpus.digest("c01.wav")], variant=1).tolist() == [-1]


def test_any_order_gives_the_same_rows(store, corpus, rng):
    positions = store.rows([corpus.digest(name) for name in corpus.names])
    values, frames, _ = store.read(positions)
    order = rng.permutation(len(positions))
    shuffled, shuffled_frames, _ = store.read(positions[order])
    assert np.array_equal(shuffled, values[order])
    assert np.array_equal(shuffled_frames, frames[order])


def _read_all(store):
    return store.read(np.arange(len(store)))[0].tobytes()


@pytest.mark.parametrize("method", ["fork", "spawn"])
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded, use of fork:DeprecationWarning")
def test_a_store_can_be_handed_to_other_processes(store, method):
    here = _read_all(store)  # handles are open before the fork
    with multiprocessing.get_context(method).Pool(2) as pool:
        assert all(there == here for there in pool.map(_read_all, [store] * 2))


def test_a_copy_leaves_open_files_behind(store):
    _read_all(store)
    copy = pickle.loads(pickle.dumps(store))  # noqa: S301  # our own bytes, made one line above
    assert copy._open == {}
    assert _read_all(copy) == _read_all(store)


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="counts open files as Linux does")
def test_few_shards_are_open_at_a_time(store, monkeypatch, rng):
    expected = _read_all(store)
    order = rng.permutation(40)
    store = pickle.loads(pickle.dumps(store))  # noqa: S301  # our own bytes, made one line above
    monkeypatch.setattr("ser_pipeline.store.read.MOST_OPEN", 1)
    before = len(os.listdir("/proc/self/fd"))
    values = [store.read([position])[0][0] for position in order.tolist()]
    assert np.stack(values)[np.argsort(order)].tobytes() == expected
    assert len(store._open) == len(os.listdir("/proc/self/fd")) - before == 1
    assert list(store._open) == [store.shards[order[-1]]]


def test_the_shard_that_was_used_last_stays_open(store, monkeypatch):
    monkeypatch.setattr("ser_pipeline.store.read.MOST_OPEN", 2)
    store.read([0, 39, 0])
    assert list(store._open) == [0, 1]
    store.read([0])
    assert list(store._open) == [1, 0]


def test_a_shard_that_changed_since_gives_no_rows_of_others(store, corpus):
    _read_all(store)
    copy = pickle.loads(pickle.dumps(store))  # noqa: S301  # our own bytes, made one line above
    path = store.folder / "shard-00000.h5"
    collect([Garbage(path, "", 0, frozenset({corpus.digest("c00.wav")}))])
    for position in (1, 31):  # another one lies there now, and none
        with pytest.raises(StoreCorrupt, match=f"{path}: was changed after the store was opened"):
            copy.read([position])
    again = open_store(store.folder.parent.parent, store.options)
    names = corpus.names[1:]
    one, other = (each.read(each.rows([corpus.digest(name) for name in names]))[0] for each in (again, store))
    assert np.array_equal(one, other)  # what was open stays


def test_rows_that_came_since_change_nothing(corpus, tmp_path, front_end):
    for limit in (20, None):
        build_store(corpus.manifest(), corpus.folder, tmp_path, front_end, limit=limit)
        if limit:
            store = open_store(tmp_path, front_end)
    assert store.read(np.arange(20))[0].any(axis=(1, 2)).all()


def test_any_h5py_user_can_read_a_shard(store, corpus):
    with h5py.File(sorted(store.folder.glob("shard-*.h5"))[0]) as file:
        assert file["mels"].dtype == np.float16
        assert file["mels"].shape == (32, 16, 44)
        assert file["audio_digest"][0].decode() == corpus.digest("c00.wav")
        assert file["level_db"].attrs["unit"] == "dB of full scale, before levelling"
        assert '"n_mels": 16' in file.attrs["provenance"]


def test_a_level_set_at_reading_shares_the_store_of_recorded_levels(tmp_path):
    kept, moved = FrontEnd(level="none"), FrontEnd(level="corpus_rms")
    assert store_folder(tmp_path, kept) == store_folder(tmp_path, moved)


@pytest.mark.parametrize(
    ("front_end", "command"),
    [
        (FrontEnd(), "ser cache mels"),
        (recipe("paper").front_end, "ser cache mels --preset paper"),
        (FrontEnd(level="corpus_rms"), "ser cache mels --level none"),
        (FrontEnd(denoise="none", n_mels=80), "ser cache mels --denoise none --n-mels 80"),
    ],
)
def test_the_command_that_builds_a_store(front_end, command):
    assert build_command(front_end) == command
