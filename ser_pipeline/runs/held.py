"""One process at a time trains, scores or deletes a run."""

import hashlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

from ser_pipeline.atomic import lock_file
from ser_pipeline.errors import RunError, SerError
from ser_pipeline.runs.find import is_run

LOCK: Final = ".held.lock"
"""File beside the runs, of which every run has a byte; a run's own folder holds results alone."""


@contextmanager
def held(folder: Path, waiting: Callable[[str], None] | None = None) -> Iterator[None]:
    """Hold a run while the block runs; the system frees it however the process ends.

    A fold is held with the run that it belongs to. Where nothing can be locked, because the disk may only be
    read or has no locks, nothing is held.

    Args:
        folder: of the run.
        waiting: is told in one line that another process has it, before this one waits; None does not wait.

    Raises:
        RunError: another process has it, and this one does not wait.
    """
    place = folder.resolve()
    place = place.parent if is_run(place.parent) else place
    lock, byte = place.with_name(LOCK), int(hashlib.blake2b(place.name.encode()).hexdigest()[:7], 16)
    said = f"{folder}: is being trained or scored by another process"
    with ExitStack() as stack:
        try:
            stack.enter_context(
                lock_file(lock, RunError(f"{said}; wait for its end, then try again"), byte, 1)
            )
        except RunError:
            if waiting is None:
                raise
            waiting(f"{said}; waiting for its end")
            stack.enter_context(lock_file(lock, None, byte, 1))
        except SerError:
            pass
        yield
