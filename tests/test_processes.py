import multiprocessing
from concurrent.futures.process import BrokenProcessPool
from types import SimpleNamespace

import pytest

from ser_pipeline import processes as module
from ser_pipeline.processes import lost, processes
from ser_pipeline.store.workers import run_tasks


@pytest.fixture
def unshared(monkeypatch) -> list[str]:
    """A system on which processes cannot share locks, and what it is told."""
    told: list[str] = []

    def refuse():
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(multiprocessing, "get_context", lambda kind: SimpleNamespace(Lock=refuse))
    monkeypatch.setattr(module, "remark", told.append)
    for cached in (module._unshared, module._tell):
        cached.cache_clear()
    yield told
    for cached in (module._unshared, module._tell):
        cached.cache_clear()


def test_here_there_are_as_many_workers_as_are_wanted():
    assert [processes(1), processes(3), processes(0, alone=0)] == [1, 3, 0]


def test_where_locks_cannot_be_shared_one_process_does_all_and_tells_once(unshared, tmp_path):
    assert [processes(1), processes(3), processes(2, alone=0)] == [1, 1, 0]
    assert [*run_tasks(str, [1, 2], 2, None, tmp_path)] == ["1", "2"]
    (line,) = unshared
    assert "/dev/shm: Read-only file system" in line


@pytest.mark.parametrize(
    ("codes", "says"),
    [
        ("{SIGKILL(-9)}", "a worker was killed, perhaps because memory ran out"),
        ("{EXIT(1), EXIT(0)}", "could not start or ended by itself (exit status 1)"),
        ("{SIGSEGV(-11)}", "a worker crashed (SIGSEGV)"),
        ("{SIGBUS(-7), SIGTERM(-15)}", "a worker crashed (SIGBUS, SIGTERM)"),
    ],
)
def test_the_exit_status_says_what_became_of_a_worker(codes, says):
    assert says in lost(BrokenProcessPool(f"It ended.\n\nThe exit codes of the workers are {codes}\nMore."))


def test_without_an_exit_status_the_first_line_is_given():
    found = lost(BrokenProcessPool("A task has failed to un-serialize.\nMore."))
    assert found == "the workers stopped (A task has failed to un-serialize)"
