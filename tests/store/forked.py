"""Commands in processes of their own, forked from one that has loaded what they need: none loads it again."""

import atexit
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

LOADED = (
    *("ser_pipeline.cli", "ser_pipeline.store.work", "ser_pipeline.api.data", "joblib", "pandas"),
    *("distributed.cli.dask_scheduler", "distributed.cli.dask_worker"),
)
"""What a build loads before it has made anything, and a cluster, where it is installed."""


def ser(*words: str) -> None:
    """The command ``ser``."""
    from ser_pipeline.cli import app

    sys.argv = ["ser", *words]
    app()


class Command:
    """A command as ``subprocess.Popen`` has it, in a session of its own.

    Args:
        folder: that it works in.
        command: a function that a new process can import.
        given: to it.
    """

    def __init__(self, folder: Path, command: Callable[..., object], *given: object) -> None:
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload([__name__, *LOADED])
        self._said, theirs = zip(*(context.Pipe(duplex=False) for _ in range(2)), strict=True)
        self._process = context.Process(target=_run, args=(folder, theirs, command, given))
        self._process.start()
        for end in theirs:
            end.close()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def returncode(self) -> int | None:
        return self._process.exitcode

    def poll(self) -> int | None:
        return self.returncode

    def send_signal(self, number: int) -> None:
        with suppress(ProcessLookupError):  # it has ended
            os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def wait(self, timeout: float | None = None) -> int:
        self._process.join(timeout)
        return self.returncode

    def communicate(self, timeout: float | None = None) -> tuple[str, str]:
        """What it printed and what it said, once neither it nor a worker of it can say more."""
        texts = []
        for end in self._said:
            with os.fdopen(os.dup(end.fileno()), encoding="utf-8") as file:
                texts.append(file.read())
            end.close()
        self.wait(timeout)
        return texts[0], texts[1]


def _run(folder: Path, pipes, command: Callable[..., object], given: tuple[object, ...]) -> None:
    os.setsid()
    os.chdir(folder)
    for number, (name, pipe) in enumerate(zip(("stdout", "stderr"), pipes, strict=True), start=1):
        os.dup2(pipe.fileno(), number)
        pipe.close()
        setattr(sys, name, open(number, "w", buffering=1, encoding="utf-8", closefd=False))  # noqa: SIM115 - for good
    try:
        command(*given)
        status = 0
    except SystemExit as left:
        status = left.code
    threading._shutdown()  # as an interpreter ends
    atexit._run_exitfuncs()
    os._exit(status or 0)
