"""A real Dask cluster: a scheduler and worker processes that talk over the loopback."""

import os
import re
import subprocess
import sys
import time

import pytest


class Cluster:
    """A scheduler and its workers, each a process of its own."""

    def __init__(self, folder, workers: int, forgives: int) -> None:
        self.folder = folder
        self.forgives = forgives
        self.processes: list[subprocess.Popen] = []
        file = folder / "scheduler.json"
        self.start(
            "scheduler", "--host", "127.0.0.1", "--port", "0", "--scheduler-file", str(file), "--no-dashboard"
        )
        while not file.exists() or not (found := re.search(r"tcp://[\d.:]+", file.read_text())):
            assert self.processes[0].poll() is None
            time.sleep(0.1)
        self.address = found[0]
        for _ in range(workers):
            words = (
                "--nworkers",
                "1",
                "--nthreads",
                "1",
                "--no-nanny",
                "--no-dashboard",
                "--local-directory",
            )
            self.start("worker", self.address, *words, str(folder))
        from distributed import Client

        with Client(self.address, set_as_default=False) as client:
            client.wait_for_workers(workers, timeout=120)

    def start(self, *words) -> None:
        with (self.folder / f"log-{len(self.processes)}").open("w") as log:
            self.processes.append(
                subprocess.Popen(
                    [sys.executable, "-m", "distributed.cli.dask_" + words[0], *words[1:]],
                    stdout=log,
                    stderr=log,
                    cwd=self.folder,
                    env={**os.environ, "DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": str(self.forgives)},
                )
            )

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
