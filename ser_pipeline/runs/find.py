"""Which runs there are, which of them is the newest, and which one a name means."""

import errno
import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal

from ser_pipeline.errors import RunError, some
from ser_pipeline.runs.files import read_info
from ser_pipeline.runs.names import NAME
from ser_pipeline.runs.types import SETTINGS, RunInfo

_NOT_THERE = (errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG, errno.ELOOP)


@dataclass(frozen=True)
class Unread:
    """A run folder, split file, experiment, file of a store or file of findings that could not be read.

    Attributes:
        kind: ``run``, ``split``, ``experiment``, ``store`` or ``findings``.
        name: of the run folder, the split, the experiment, the store or the file.
        reason: one line with the file, what is wrong, and what to do.
    """

    kind: Literal["run", "split", "experiment", "store", "findings"]
    name: str
    reason: str

    @property
    def line(self) -> str:
        """The whole as one line.

        Examples:
            >>> Unread("run", "mine", "runs/mine/settings.json: not JSON").line
            'run mine could not be read: runs/mine/settings.json: not JSON'
        """
        return f"{self.kind} {self.name} could not be read: {self.reason}"


@dataclass(frozen=True)
class FoundRun:
    """A run whose settings can be read: its folder and what it is."""

    folder: Path
    info: RunInfo

    @property
    def began(self) -> float | None:
        """When the run began, in seconds since 1970 in UTC; None where ``created`` is not a time.

        A time without a zone is taken as local.
        """
        try:
            return datetime.fromisoformat(self.info.created).timestamp()
        except (ValueError, OverflowError, OSError):
            return None


@dataclass(frozen=True)
class Runs:
    """What a folder of runs holds.

    Attributes:
        folder: that was looked into; it need not exist.
        read: runs whose settings can be read, oldest first. Those whose beginning is unknown come before
            all others, so that none of them is taken for the newest.
        unread: the others, by name.
    """

    folder: Path
    read: tuple[FoundRun, ...]
    unread: tuple[Unread, ...]

    def __repr__(self) -> str:
        """Describe the runs in one line: their number, and how many of them cannot be read."""
        unread = f", {len(self.unread)} unread" if self.unread else ""
        return f"Runs({self.folder}: {len(self.read)}{unread})"

    def newest(self, *, having: str = SETTINGS, what: str = "run") -> Path:
        """Folder of the run that was begun last.

        Args:
            having: file that the run must have.
            what: the word for such a run, for the message; it takes an s in the plural.

        Raises:
            RunError: there is none.
        """
        for found in reversed(self.read):
            if (found.folder / having).is_file():
                return found.folder
        lost = some([entry.name for entry in self.unread])
        unread = f" that can be read; 'ser runs' says what is wrong with {lost}" if lost else ""
        raise RunError(f"{self.folder}: contains no {what}s{unread}; train one with 'ser train crnn'")

    @property
    def latest_names(self) -> str:
        """The ten newest by name, for a message."""
        return ", ".join(found.folder.name for found in self.read[-10:]) or "none"


def list_runs(runs: Path) -> Runs:
    """Find the runs of a folder, finished or not; one that cannot be read hides no other.

    A run is a folder that holds ``settings.json``, whatever that file holds. Hidden folders are not runs.

    Args:
        runs: folder to look into; one that is not there holds no runs.

    Raises:
        RunError: the folder itself cannot be listed.
    """
    read: list[FoundRun] = []
    unread: list[Unread] = []
    for folder in _folders(runs):
        try:
            read.append(FoundRun(folder, read_info(folder)))
        except RunError as error:
            unread.append(Unread("run", folder.name, str(error)))
    return Runs(runs, tuple(sorted(read, key=_age)), tuple(unread))


def _age(run: FoundRun) -> tuple[bool, float, str]:
    began = run.began
    return began is not None, began or 0.0, run.folder.name


def _folders(runs: Path) -> list[Path]:
    try:
        names = sorted(os.listdir(runs))
    except FileNotFoundError:
        return []
    except OSError as error:
        raise RunError(f"{runs}: cannot be listed ({error.strerror}); choose another folder") from None
    return [runs / name for name in names if not name.startswith(".") and is_run(runs / name)]


def is_run(folder: Path) -> bool:
    """Whether a folder holds a run, readable or not.

    One that may not be looked into counts if its name could be that of a run.
    """
    try:
        os.lstat(folder / SETTINGS)
    except OSError as error:
        return error.errno not in _NOT_THERE and NAME.fullmatch(folder.name) is not None
    return True


def find_run(run: str | Path | None, runs: Path) -> Path:
    """Folder of a run given as path or name; the newest one where none is given.

    Raises:
        RunError: there is no such run, or none at all.
    """
    if run is None:
        return list_runs(runs).newest()
    for folder in (Path(run), runs / run):
        if is_run(folder):
            return folder
    raise RunError(f"run '{run}' does not exist; the newest in {runs} are: {list_runs(runs).latest_names}")


def choose_runs(runs: Path, names: Sequence[str] = ()) -> list[Path]:
    """Folders of the runs to show, oldest first; those whose settings cannot be read are last.

    Args:
        runs: where runs are.
        names: of runs in ``runs``, or paths to run folders; none chooses all of ``runs``.

    Raises:
        RunError: a name that is not a run.
    """
    if names:
        return list(dict.fromkeys(find_run(name, runs) for name in names))
    there = list_runs(runs)
    return [*(found.folder for found in there.read), *(runs / entry.name for entry in there.unread)]
