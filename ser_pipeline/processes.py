"""Worker processes of this machine: whether there can be any, and what became of one that is gone."""

import re
from concurrent.futures.process import BrokenProcessPool
from functools import lru_cache

from ser_pipeline.errors import remark


def processes(wanted: int, *, alone: int = 1) -> int:
    """How many workers there can be: those that are wanted, or none where processes cannot share locks.

    That is so where ``/dev/shm`` is missing or cannot be written to, as in some containers. It is told once.

    Args:
        wanted: number of worker processes.
        alone: what stands for no worker.
    """
    if wanted <= alone or not (reason := _unshared()):
        return wanted
    _tell(f"no worker processes: the system cannot share locks between them ({reason}); one process does all")
    return alone


@lru_cache(maxsize=1)
def _unshared() -> str:
    try:
        from multiprocessing import get_context

        get_context("spawn").Lock()
    except (ImportError, OSError) as error:
        return f"/dev/shm: {getattr(error, 'strerror', None) or error}"
    return ""


@lru_cache(maxsize=1)
def _tell(text: str) -> None:
    remark(text)


def lost(error: BrokenProcessPool) -> str:
    """Say what became of a worker that did not come back, in the words of its exit status.

    Examples:
        >>> lost(BrokenProcessPool("The exit codes of the workers are {SIGKILL(-9), EXIT(0)}"))
        'a worker was killed, perhaps because memory ran out'
        >>> lost(BrokenProcessPool("The exit codes of the workers are {EXIT(1)}"))
        'a worker could not start or ended by itself (exit status 1); what it said stands above'
    """
    found = re.findall(r"(EXIT|SIG[A-Z]+|UNKNOWN)\((-?\d+)\)", str(error))
    names = {name: code for name, code in found if code != "0"}
    if "SIGKILL" in names:
        return "a worker was killed, perhaps because memory ran out"
    if "EXIT" in names:
        status = names["EXIT"]
        return (
            f"a worker could not start or ended by itself (exit status {status}); what it said stands above"
        )
    if names:
        return f"a worker crashed ({', '.join(names)})"
    return f"the workers stopped ({str(error).partition(chr(10))[0].rstrip('.')})"
