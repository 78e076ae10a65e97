import os
import subprocess
import sys
import time

import pytest

from ser_pipeline.errors import StoreError
from ser_pipeline.store import build_store, open_store, store_folder
from ser_pipeline.store.garbage import collect, garbage
from ser_pipeline.store.status import status


def test_another_library_version_is_named(corpus, tmp_path, front_end, monkeypatch):
    with monkeypatch.context() as patched:
        patched.setattr("ser_pipeline.store.identity.version", lambda name: "0.0.1")
        build_store(corpus.manifest(), corpus.folder, tmp_path / "cache", front_end)
    (found,) = status(tmp_path / "cache", corpus.manifest())
    assert found.state.startswith("outdated: libraries.numba: 0.0.1, now ")
    (item,) = garbage(tmp_path / "cache", corpus.manifest())
    assert "libraries.soxr" in item.reason
    collect([item])
    assert status(tmp_path / "cache", None) == []


def test_rows_of_recordings_that_are_gone_can_be_dropped(built, corpus, front_end):
    corpus.names = corpus.names[:10]
    listed = garbage(built, corpus.manifest())
    assert [len(item.rows) for item in listed] == [22, 8]
    assert len(open_store(built, front_end)) == 40  # listing deletes nothing
    collect(listed)
    store = open_store(built, front_end)
    assert len(store) == 10
    assert (store.rows([corpus.digest(name) for name in corpus.names]) >= 0).all()
    assert garbage(built, corpus.manifest()) == []


def test_only_old_left_overs_are_garbage(built, corpus, front_end):
    folder = store_folder(built, front_end)
    for name, age in ((".shard-00000.h5.1-a.partial", 7_200), (".shard-00000.h5.2-b.partial", 10)):
        (folder / name).write_bytes(b"x")
        os.utime(folder / name, (time.time() - age,) * 2)
    assert [item.path.name for item in garbage(built, corpus.manifest())] == [".shard-00000.h5.1-a.partial"]


def test_a_manifest_of_a_few_recordings_condemns_no_rows(built, corpus):
    corpus.names = corpus.names[:10]
    manifest = corpus.manifest()
    manifest.facts = {"settings": {"limit": 10}}
    assert garbage(built, manifest) == []


def test_what_a_build_works_on_is_left_alone(built, corpus, front_end):
    corpus.names = corpus.names[:10]
    listed = garbage(built, corpus.manifest())
    folder = store_folder(built, front_end)
    code = (
        "import sys, pathlib\nfrom ser_pipeline.store.lock import shard_range\n"
        "with shard_range(pathlib.Path(sys.argv[1]), 0, 1):\n"
        "    print('held', flush=True)\n    sys.stdin.read()"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", code, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(StoreError, match="another build works on its shards"):
            collect(listed)
    finally:
        holder.communicate("")
    assert len(open_store(built, front_end)) == 40
