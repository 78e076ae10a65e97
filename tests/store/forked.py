"""Commands in processes of their own, forked from one that has loaded what they need: none loads it again."""

import atexit
import ctypes
import gc
import multiprocessing
import os
import runpy
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import cache, partial
from multiprocessing.context import BaseContext
from multiprocessing.forkserver import ForkServer
from pathlib import Path

from joblib.externals.loky import process_executor

PRELOADED = (
    *(__name__, "ser_pipeline.cli", "ser_pipeline.store.work", "ser_pipeline.api.data", "joblib", "pandas"),
    *("distributed.cli.dask_scheduler", "distributed.cli.dask_worker"),
)
"""What a build loads before it has made anything, and a cluster, where it is installed."""


def warm() -> BaseContext:
    """Starts processes, forked from one that has loaded what they need where the system can fork."""
    if "forkserver" not in multiprocessing.get_all_start_methods():  # Windows
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([*PRELOADED])
    return context


@cache
def trainer() -> ForkServer:
    """Forks processes from one that has loaded what trains, too."""
    server = ForkServer()
    server.set_forkserver_preload([*PRELOADED, "ser_pipeline.training.run", "ser_pipeline.training.recorder"])
    return server


def fork_workers() -> None:
    """Let joblib fork its workers where the system can: by itself it starts each as a new Python."""
    if "fork" in multiprocessing.get_all_start_methods():
        process_executor.get_context = partial(multiprocessing.get_context, "fork")
        os.register_at_fork(after_in_child=gc.freeze)  # joblib collects garbage, through all that is loaded


def ser(*words: str) -> None:
    """The command ``ser``."""
    from ser_pipeline.cli import app

    sys.argv = ["ser", *words]
    app()


def without_override(*words: str) -> None:
    """The command ``ser`` of a user who is held to permissions; root has a right to write everywhere."""
    version, cap_dac_override = 0x20080522, 1
    header, rights = (ctypes.c_uint32 * 2)(version, 0), (ctypes.c_uint32 * 6)()
    libc = ctypes.CDLL(None)
    libc.capget(header, rights)
    rights[0] &= ~(1 << cap_dac_override)
    libc.capset(header, rights)
    ser(*words)


def with_small_files(*words: str) -> None:
    """The command ``ser`` where no file may have more than 60,000 bytes."""
    import resource

    os.environ.pop("COVERAGE_PROCESS_CONFIG", None)  # its file in a worker may not grow either
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, before[1]))
    try:
        ser(*words)
    finally:  # nor may the one of this process
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def run_python(words: tuple[str, ...]) -> None:
    """The command ``python`` with a file, or with code after ``-c``."""
    sys.argv = [*words]
    if words[0] == "-c":
        exec(sys.argv.pop(1), {"__name__": "__main__"})
    else:
        runpy.run_path(words[0], run_name="__main__")


def python(words: Sequence[str], **_: object) -> subprocess.CompletedProcess[str]:
    """``subprocess.run`` of a Python that runs a file, or code after ``-c``.

    Args:
        words: of the command, from ``sys.executable`` on.
    """
    command = Command(Path.cwd(), run_python, tuple(word for word in words[1:] if word != "-P"))
    printed, said = command.communicate()
    assert command.returncode == 0, said
    return subprocess.CompletedProcess(words, command.returncode, printed, said)


class Command:
    """A command as ``subprocess.Popen`` has it, in a session of its own.

    Args:
        folder: that it works in.
        command: a function that a new process can import.
        given: to it.
    """

    def __init__(self, folder: Path, command: Callable[..., object], *given: object) -> None:
        self._said, theirs = zip(*(multiprocessing.Pipe(duplex=False) for _ in range(2)), strict=True)
        self._process = warm().Process(target=_run, args=(folder, theirs, command, given))
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
    fork_workers()
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
    sys.stdout.flush()
    os._exit(status or 0)
