import math
import os
import subprocess
import sys
import time
from dataclasses import replace

import pytest

from ser_pipeline.errors import RunError
from ser_pipeline.experiments import run
from ser_pipeline.experiments.place import one_cell, read_record
from ser_pipeline.experiments.queue import _Queue
from ser_pipeline.experiments.run import NO_TIME, do_task
from tests.experiments.conftest import Quiet
from tests.store.forked import Command, ser

dask = pytest.importorskip("distributed")

THREE = """
title = "Three"
seeds = [0, 1, 2]
[arms.logreg]
settings = { model = { name = "logreg", c = 0.03 } }
"""

LARGE = THREE.replace("logreg]", "mels]").replace('"logreg", c = 0.03', '"crnn"').replace(", 1, 2", "")


def queued(lab, text=THREE, until=math.inf):
    """A queue as a command at a cluster has it; the stores are there, so nobody is asked to build any."""
    return _Queue(lab.progress(text), lab.places, Quiet(), "c", until, (), 1, "tcp://127.0.0.1:9")


def test_a_worker_trains_what_one_process_trains(lab):
    done = [do_task(task) for task in queued(lab)]
    assert [(each.state.status, each.warnings) for each in done] == [("done", ())] * 3
    lab.at(lab.toy.folder / "elsewhere")
    whole, _ = lab.run(THREE)
    timed = {"seconds": 0.0}
    for each in done:
        assert each.state.record.model_copy(update=timed) == whole.states[each.key].record.model_copy(
            update=timed
        )


def test_a_cell_that_was_done_meanwhile_is_not_trained_again(lab, monkeypatch):
    (task, *_) = queued(lab)
    record = do_task(task).state.record
    monkeypatch.setattr(run, "train_cell", None)
    assert do_task(task).state.record == record


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (
            lambda task: replace(task, version="0.0.7"),
            r"has version .* and this command has 0\.0\.7; install",
        ),
        (
            lambda task: replace(task, cell=replace(task.cell, key="ab" * 12)),
            "other library versions and would",
        ),
    ],
    ids=["package", "libraries"],
)
def test_a_worker_of_another_version_is_refused(lab, change, line):
    (task, *_) = queued(lab)
    with pytest.raises(RunError, match=f"^logreg, speaker, seed .: the worker on .* {line}"):
        do_task(change(task))
    assert read_record(lab.runs, task.cell.key) is None


def test_cells_are_handed_out_while_they_fit_and_begun_while_they_fit(lab):
    assert list(queued(lab, until=time.time())) == []
    (task, *_) = queued(lab)
    late = do_task(replace(task, until=time.time()))
    assert (late.state.status, late.state.reason) == ("not run", NO_TIME)


def test_a_cell_whose_store_cannot_be_built_is_not_handed_out(lab):
    queue = queued(lab, LARGE)
    assert list(queue) == []
    (state,) = queue.watcher.states
    assert state.status == "failed"
    assert "is not a folder; pass the folder" in state.reason


def test_a_cell_waits_for_who_trains_it_and_for_no_other(lab):
    first, second, _ = (task.cell.key for task in queued(lab))
    code = (
        "from pathlib import Path; from ser_pipeline.experiments.place import one_cell\n"
        "import sys\n"
        "with one_cell(Path(sys.argv[1]), sys.argv[2]): print('mine')"
    )
    words = [sys.executable, "-c", code, str(lab.runs)]
    with one_cell(lab.runs, first):
        assert subprocess.run([*words, second], capture_output=True, check=True).stdout
        with pytest.raises(subprocess.TimeoutExpired):
            subprocess.run([*words, first], capture_output=True, check=True, timeout=2)


@pytest.mark.slow
@pytest.mark.usefixtures("forked_trainers")
def test_a_cluster_that_loses_a_worker_trains_the_same_cells(lab, cluster, tmp_path):
    (tmp_path / "three.toml").write_text(THREE)
    words = ("experiment", "run", "three.toml", "--backend", "dask", "--scheduler", cluster.address)
    process = Command(tmp_path, ser, *words)
    with dask.Client(cluster.address, set_as_default=False) as client:
        while not (busy := [name for name, tasks in client.processing().items() if tasks]):
            assert process.poll() is None, process.communicate()
            time.sleep(0.05)
        pid = client.run(os.getpid, workers=busy[:1])[busy[0]]
    next(each for each in cluster.processes[1:] if each.pid == pid).kill()
    printed, said = process.communicate(timeout=240)
    assert process.returncode == 0, said
    assert "3 runs done, 0 failed, 0 not run" in printed
    assert "logreg, speaker, seed 2: test UAR " in said
    there = lab.progress(THREE)
    lab.at(lab.toy.folder / "elsewhere")
    here, _ = lab.run(THREE)
    timed = {"seconds": 0.0, "front_end_ms": 0.0, "network_ms": 0.0}
    for cell in here.cells:
        records = [each.state(cell).record.model_copy(update=timed) for each in (there, here)]
        assert records[0] == records[1]
