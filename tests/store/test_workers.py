"""A real Dask cluster: a scheduler and worker processes that talk over the loopback."""

import os
import re
import signal
import sys
import time
from contextlib import chdir, nullcontext
from tempfile import gettempdir
from types import SimpleNamespace

import joblib
import pytest
from joblib.externals.loky import get_reusable_executor
from joblib.externals.loky.backend import resource_tracker

from ser_pipeline.errors import StoreError
from ser_pipeline.store.build import _make_shard
from ser_pipeline.store.plan import Chunk, Work
from ser_pipeline.store.workers import _wait_for_the_end_of, run_dask, run_tasks

dask = pytest.importorskip("distributed")


@pytest.mark.slow
def test_a_cluster_that_loses_a_worker_makes_the_same_bytes(home, cluster):
    home.fill(300, seconds=1.0)
    home.manifest()
    assert home.mels("--cache", "local")[0] == 0
    words = ("cache", "mels", *home.QUICK, "--backend", "dask", "--scheduler", cluster.address)
    process = home.popen(*words)
    while len(home.stamps()) < 2:
        assert process.poll() is None, process.communicate()
        time.sleep(0.01)
    cluster.processes[1].send_signal(signal.SIGKILL)
    printed, said = process.communicate(timeout=240)
    assert process.returncode == 0, said
    assert "300 of 300 recordings (300 computed now, 0 failed)" in printed
    assert "mels: 300 clips in" in said
    assert home.contents() == home.contents("local")
    before = home.stamps()
    assert "(0 computed now" in home.ser(*words)[1]
    assert home.stamps() == before


@pytest.mark.slow
def test_a_cluster_makes_the_same_embeddings(home, cluster, make_encoder):
    encoder = make_encoder("whisper").relative_to(home.folder)  # workers have folders of their own
    home.fill(24)
    home.manifest()
    words = ("cache", "embeddings", "--encoder", str(encoder), "--layers", "1,2")
    assert home.ser(*words, "--cache", "local")[0] == 0
    code, printed, said = home.ser(*words, "--backend", "dask", "--scheduler", cluster.address)
    assert code == 0, said
    assert "24 of 24 recordings (24 computed now, 0 failed)" in printed
    assert home.contents() == home.contents("local")
    (encoder_file,) = (home.folder / encoder).glob("model.safetensors")
    encoder_file.unlink()
    gone = home.ser(*words, "--cache", "other", "--backend", "dask", "--scheduler", cluster.address)
    assert gone[0] == 1
    assert "no model.safetensors" in gone[2]


@pytest.mark.slow
@pytest.mark.parametrize("cluster", [(1, 0)], indirect=True)  # one lost worker is one too many
@pytest.mark.parametrize(
    ("lost", "line"),
    [
        (slice(1, None), "workers were lost several times"),
        (slice(0, 1), "the connection to the scheduler was lost"),
    ],
    ids=["workers", "scheduler"],
)
def test_what_a_cluster_cannot_mend_is_one_line(home, cluster, lost, line):
    home.fill(100)
    home.manifest()
    for worker in cluster.processes[1:]:
        worker.send_signal(signal.SIGSTOP)  # they take shards and never finish one
    words = ("cache", "mels", *home.QUICK, "--backend", "dask", "--scheduler", cluster.address)
    process = home.popen(*words)
    with dask.Client(cluster.address, set_as_default=False) as client:
        while not any(client.processing().values()):
            assert process.poll() is None, process.communicate()
            time.sleep(0.05)
    for victim in cluster.processes[lost]:
        victim.kill()
    _, said = process.communicate(timeout=300)
    assert process.returncode == 1
    assert "Traceback" not in said
    assert line in said.splitlines()[-1]
    assert "100 of 100" in home.mels()[1]


def test_of_many_jobs_no_more_are_begun_than_the_processors_can_use(tmp_path, monkeypatch):
    told, asked = [], []
    monkeypatch.setattr("ser_pipeline.store.workers.remark", told.append)
    monkeypatch.setattr(joblib, "cpu_count", lambda: 3)
    monkeypatch.setattr(
        joblib, "parallel_config", lambda *_, n_jobs, **__: asked.append(n_jobs) or nullcontext()
    )
    for tasks, jobs in ((20, 16), (20, 6), (2, 16)):
        assert sorted(run_tasks(len, ["ab"] * tasks, jobs, None, tmp_path)) == [2] * tasks
    assert asked == [6, 6, 2]
    assert told == ["6 worker processes: more than 2 on a processor only wait for each other"]


def test_a_folder_in_which_workers_were_begun_may_go(tmp_path):
    def where(task):  # goes to the workers as it is; they need not load this module
        return task, os.getcwd()

    get_reusable_executor().shutdown()  # of earlier tests
    resource_tracker.ensure_running()  # it may still import NumPy when the folder goes
    begun = tmp_path / "begun"
    begun.mkdir()
    with chdir(begun):
        assert {*run_tasks(where, [1, 2], 2, None, tmp_path)} == {(1, os.getcwd()), (2, os.getcwd())}
    begun.rmdir()
    elsewhere = os.path.realpath(gettempdir())
    assert {*run_tasks(where, [1, 2], 2, None, tmp_path)} == {(1, elsewhere), (2, elsewhere)}


def test_a_scheduler_that_is_not_there_is_one_line(tmp_path, front_end, monkeypatch):
    monkeypatch.setattr("ser_pipeline.store.workers._REACH_S", 1)
    work = Work(tmp_path, tmp_path, front_end, Chunk(0, ()))
    with pytest.raises(StoreError, match=r"tcp://127.0.0.1:9: cannot be reached .*'dask scheduler'"):
        list(run_dask(_make_shard, [work], "tcp://127.0.0.1:9"))
    with pytest.raises(StoreError, match="nonsense://x: cannot be reached"):
        list(run_dask(_make_shard, [work], "nonsense://x"))


def test_without_the_extra_its_name_is_said(tmp_path, front_end, monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(StoreError, match=re.escape("pip install 'ser-pipeline[cluster]'")):
        list(run_dask(_make_shard, [Work(tmp_path, tmp_path, front_end, Chunk(0, ()))], "tcp://127.0.0.1:9"))


def test_a_worker_on_windows_waits_for_the_process_that_started_it(monkeypatch):
    told = []
    system = SimpleNamespace(
        SYNCHRONIZE=1,
        INFINITE=-1,
        OpenProcess=lambda rights, inherited, number: told.append(number) or 77,
        WaitForSingleObject=lambda handle, milliseconds: told.append(handle),
    )
    monkeypatch.setitem(sys.modules, "_winapi", system)
    monkeypatch.setattr("ser_pipeline.store.workers.sys", SimpleNamespace(platform="win32"))
    monkeypatch.setattr("ser_pipeline.store.workers.os._exit", told.append)
    _wait_for_the_end_of(os.getppid())
    assert told == [os.getppid(), 77, 1]
