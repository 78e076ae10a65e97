"""A run's folder on the disk: what it holds, one process at a time that works on it, and its deletion."""

import hashlib
import os
import secrets
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Final

from ser_pipeline.atomic import lock_file
from ser_pipeline.errors import RunError, SerError
from ser_pipeline.runs.find import find_run, is_run

_DELETED: Final = ".deleted-"
"""Begins the name of a folder that is being deleted; hidden folders are not runs."""

LOCK: Final = ".held.lock"
"""File beside the runs, of which every run has a byte; a run's own folder holds results alone."""


def contents(folder: Path) -> dict[str, int]:
    """Files below a run's folder, by path relative to it, with their sizes in bytes.

    Links are counted as such and not followed. A file that goes while this looks is left out.
    """
    found: dict[str, int] = {}
    for place, _, names in os.walk(folder):
        for name in names:
            path = Path(place) / name
            with suppress(FileNotFoundError):
                found[path.relative_to(folder).as_posix()] = path.lstat().st_size
    return dict(sorted(found.items()))


def deletable(name: str | Path, runs: Path) -> Path:
    """Folder of a run that may be deleted: one that lies in the folder of runs itself.

    A run of all folds is such a run, one of its folds is not; nor is a run of an experiment.

    Args:
        name: of the run, or path to it.
        runs: folder of the runs.

    Raises:
        RunError: there is no such run, or it is part of another one, lies elsewhere or behind a link.
    """
    place = find_run(name, runs)
    inside = [folder for folder in (place, runs / name) if _lies_in(folder, runs)]
    if not inside:
        raise RunError(f"{place}: is not a run of its own in {runs}; only such runs can be deleted")
    if inside[0].is_symlink():
        raise RunError(f"{inside[0]}: is a link to {inside[0].readlink()}; remove the link yourself")
    return inside[0]


def _lies_in(folder: Path, runs: Path) -> bool:
    visible = folder.name not in ("", "..") and not folder.name.startswith(".")
    return visible and folder.parent.resolve() == runs.resolve() and os.path.lexists(folder)


def delete_run(folder: Path) -> None:
    """Delete a folder with all that it holds; links in it go, what they lead to stays.

    The folder is renamed first, so that half a run is never found under its name. What a deletion that was
    interrupted left behind goes too.

    Args:
        folder: from :func:`deletable`.

    Raises:
        RunError: it cannot be deleted, or not all of it.
    """
    for left in folder.parent.glob(f"{_DELETED}*"):
        with suppress(RunError):
            _delete(left)
    _delete(folder)


def _delete(folder: Path) -> None:
    hidden = folder.with_name(f"{_DELETED}{secrets.token_hex(8)}")
    try:
        folder.rename(hidden)
    except OSError as error:
        raise RunError(f"{folder}: cannot be deleted: {error.strerror}; check the folder's rights") from None
    try:
        shutil.rmtree(hidden)
    except FileNotFoundError:
        pass  # another process deletes it as well
    except OSError as error:
        raise RunError(
            f"{folder}: cannot be deleted completely: {error.filename}: {error.strerror}; "
            f"delete the rest of it, {hidden}"
        ) from None


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
                lock_file(lock, RunError(f"{said}; wait until it ends, then try again"), byte, 1)
            )
        except RunError:
            if waiting is None:
                raise
            waiting(f"{said}; waiting until it ends")
            stack.enter_context(lock_file(lock, None, byte, 1))
        except SerError:
            pass
        yield
