"""A real Dask cluster: a scheduler and worker processes that talk over the loopback."""

import re
import time
from importlib import import_module

import pytest

from tests.store.forked import Command


def dask(kind: str, forgives: int, *words: str) -> None:
    """The command ``dask scheduler`` or ``dask worker``."""
    import_module("dask").config.set({"distributed.scheduler.allowed-failures": forgives})
    import_module(f"distributed.cli.dask_{kind}").main(words)


class Cluster:
    """A scheduler and its workers, each a process of its own."""

    def __init__(self, folder, workers: int, forgives: int) -> None:
        self.folder = folder
        self.forgives = forgives
        self.processes: list[Command] = []
        file = folder / "scheduler.json"
        self.start(
            "scheduler", "--host", "127.0.0.1", "--port", "0", "--scheduler-file", str(file), "--no-dashboard"
        )
        while not file.exists() or not (found := re.search(r"tcp://[\d.:]+", file.read_text())):
            assert self.processes[0].poll() is None
            time.sleep(0.1)
        self.address = found[0]
        for _ in range(workers):
            words = [
                "--nworkers",
                "1",
                "--nthreads",
                "1",
                "--no-nanny",
                "--no-dashboard",
                "--local-directory",
            ]
            self.start("worker", self.address, *words, str(folder))
        from distributed import Client

        with Client(self.address, set_as_default=False) as client:
            client.wait_for_workers(workers, timeout=120)

    def start(self, kind: str, *words: str) -> None:
        self.processes.append(Command(self.folder, dask, kind, self.forgives, *words))

    def stop(self) -> None:
        for process in reversed(self.processes):
            process.kill()
            process.wait()


@pytest.fixture
def cluster(tmp_path, request):
    folder = tmp_path / "dask"
    folder.mkdir()
    made = Cluster(folder, *getattr(request, "param", (2, 3)))
    yield made
    made.stop()
