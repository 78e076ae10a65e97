import pytest

from ser_pipeline.errors import StoreError
from ser_pipeline.store import store_folder
from ser_pipeline.store.plan import chunks, recordings
from ser_pipeline.store.work import Work, make_shard


def test_a_worker_with_other_library_versions_writes_nothing(corpus, tmp_path, front_end, monkeypatch):
    """As on a cluster whose machines were not set up alike."""
    folder = store_folder(tmp_path, front_end)
    (first, *_) = chunks(recordings(corpus.manifest().table, front_end))
    work = Work(folder, corpus.folder, front_end, first)
    with monkeypatch.context() as patched:
        patched.setattr("ser_pipeline.store.identity.version", lambda name: "0.0.1")
        with pytest.raises(StoreError, match="a worker has other settings or library versions"):
            make_shard(work)
    assert not folder.exists()
    assert make_shard(work).computed == len(first.clips)
