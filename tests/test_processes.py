import multiprocessing
from concurrent.futures.process import BrokenProcessPool
from types import SimpleNamespace

import pytest
import torch

from ser_pipeline import processes as module
from ser_pipeline.errors import SettingsError
from ser_pipeline.processes import chosen_device, lost, multiply_in, processes
from ser_pipeline.store.workers import run_tasks

PRODUCTS = (torch.backends.cuda.matmul, torch.backends.cudnn.conv, torch.backends.cudnn.rnn)


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


@pytest.fixture
def products_as_before():
    before = [kind.fp32_precision for kind in PRODUCTS]
    yield
    for kind, value in zip(PRODUCTS, before, strict=True):
        kind.fp32_precision = value


@pytest.fixture
def a_card(monkeypatch, products_as_before):
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)

    def there(present):
        monkeypatch.setattr(torch.cuda, "is_available", lambda: present)

    return there


def test_auto_takes_what_is_there(a_card):
    a_card(False)
    assert chosen_device("auto") == chosen_device("cpu") == "cpu"
    a_card(True)
    assert chosen_device("auto") == "cuda"


def test_a_device_that_is_not_there_is_named(a_card):
    a_card(False)
    with pytest.raises(SettingsError, match="device 'cuda' is not there; this machine has cpu"):
        chosen_device("cuda")


def test_a_card_multiplies_as_exactly_as_the_processor_unless_told_otherwise(a_card):
    a_card(True)
    multiply_in("tf32")
    assert [kind.fp32_precision for kind in PRODUCTS] == ["tf32"] * 3
    chosen_device("cpu")
    assert [kind.fp32_precision for kind in PRODUCTS] == ["tf32"] * 3
    chosen_device("auto")
    assert [kind.fp32_precision for kind in PRODUCTS] == ["ieee"] * 3
