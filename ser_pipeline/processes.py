"""What this machine computes with: worker processes, what became of one that is gone, and devices."""

import re
from concurrent.futures.process import BrokenProcessPool
from functools import lru_cache
from typing import Any, Literal

from ser_pipeline.errors import SettingsError, remark


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
        'a worker could not start or ended by itself (exit status 1); its output is above'
    """
    found = re.findall(r"(EXIT|SIG[A-Z]+|UNKNOWN)\((-?\d+)\)", str(error))
    names = {name: code for name, code in found if code != "0"}
    if "SIGKILL" in names:
        return "a worker was killed, perhaps because memory ran out"
    if "EXIT" in names:
        status = names["EXIT"]
        return f"a worker could not start or ended by itself (exit status {status}); its output is above"
    if names:
        return f"a worker crashed ({', '.join(names)})"
    return f"the workers stopped ({str(error).partition(chr(10))[0].rstrip('.')})"


def chosen_device(wanted: str) -> str:
    """Turn ``auto`` into the best device there is, and let a card multiply fp32 as exactly as the processor.

    Args:
        wanted: ``auto``, ``cpu``, ``cuda`` or ``mps``.

    Returns:
        ``cpu``, ``cuda`` or ``mps``.

    Raises:
        SettingsError: the device is not available.

    Examples:
        >>> chosen_device("cpu")
        'cpu'
    """
    import torch

    there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    chosen = next(name for name, present in there.items() if present) if wanted == "auto" else wanted
    if not there.get(chosen, False):
        have = ", ".join(name for name, present in there.items() if present)
        raise SettingsError(f"device '{wanted}' is not there; this machine has {have}")
    if chosen == "cuda":
        multiply_in("ieee")
    return chosen


def multiply_in(products: Literal["ieee", "tf32"]) -> None:
    """Say how a card multiplies numbers in fp32; torch by itself takes TF32 in convolutions and LSTMs.

    Args:
        products: ``ieee`` for all 24 bits of a number, ``tf32`` for 11 of them, which is several times as
            fast.
    """
    import torch

    cudnn: Any = torch.backends.cudnn  # torch publishes no types for what stands in it
    for kind in (torch.backends.cuda.matmul, cudnn.conv, cudnn.rnn):
        kind.fp32_precision = products
