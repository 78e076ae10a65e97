"""Names and folders of new runs and of their folds."""

import os
import re
import shlex
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from itertools import count
from pathlib import Path
from typing import Final

from ser_pipeline.atomic import explained
from ser_pipeline.errors import RunError
from ser_pipeline.options import Recipe
from ser_pipeline.runs.types import ALL_FOLDS, SETTINGS

NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")

EXPERIMENTS: Final = "experiments"
"""Folder of all experiments and their cells, among the runs."""

_FOLD: Final = re.compile(r"fold-(\d+)")


def run_name(recipe: Recipe, now: datetime) -> str:
    """Name of a run that was given none.

    Examples:
        >>> moment = datetime(2026, 1, 31, 9, 5, 7)
        >>> run_name(Recipe(), moment)
        '20260131-090507-crnn-4class-speaker-s0'
        >>> run_name(Recipe(split="loso", fold="3"), moment)
        '20260131-090507-crnn-4class-loso-s0-f3'
        >>> run_name(Recipe(split="my folds", fold="all"), moment)
        '20260131-090507-crnn-4class-my_folds-s0-folds'
        >>> run_name(Recipe(target="valence,arousal"), moment)
        '20260131-090507-crnn-valence-arousal-speaker-s0'
    """
    fold = {None: "", ALL_FOLDS: "-folds"}.get(recipe.fold, f"-f{recipe.fold}")
    about = "-".join(recipe.target) or recipe.task
    what = f"{recipe.model.name}-{about}-{recipe.split}-s{recipe.train.seed}{fold}"
    return f"{now:%Y%m%d-%H%M%S}-{re.sub(r'[^A-Za-z0-9._-]', '_', what)}"


@contextmanager
def new_run(
    runs: Path, recipe: Recipe, name: str | None = None, *, now: datetime | None = None
) -> Iterator[Path]:
    """Make the folder of a new run; if the block fails before it wrote a file, the folder goes again.

    The folder is made by a call that fails where it exists, so that runs which begin together, on any
    number of machines that share the disk, have one each.

    Args:
        runs: folder of the runs; made where it is missing.
        recipe: of the run, for a name.
        name: as the user chose it; None makes one up, with a counter where that is taken.
        now: moment that such a name tells; None takes the clock's.

    Yields:
        The folder, empty.

    Raises:
        RunError: the name is taken, or cannot be a folder's; a plain SerError where nothing can be written.
    """
    folder = _free(runs, run_name(recipe, now or datetime.now())) if name is None else _chosen(runs, name)
    try:
        yield folder
    except BaseException:
        with suppress(OSError):
            folder.rmdir()  # refused by the system where there is a file in it
        raise


def _free(runs: Path, name: str) -> Path:
    """A new folder of a name that is made up, with a counter behind it where it is taken."""
    return next(
        folder for number in count(1) if _made(folder := runs / (name if number == 1 else f"{name}-{number}"))
    )


def _chosen(runs: Path, name: str) -> Path:
    """A new folder of a name that the user chose."""
    if not NAME.fullmatch(name):
        raise RunError(f"'{name}' cannot name a run; use letters, digits, '.', '_', '-', as in 'first-try'")
    if name.lower() == EXPERIMENTS:
        raise RunError(
            f"'{name}' cannot name a run: experiments are kept in that folder; choose another name"
        )
    folder = runs / name
    if not _made(folder):
        again = f", or continue with 'ser train --resume {shlex.quote(str(folder))}'"
        begun = os.path.lexists(folder / SETTINGS)
        raise RunError(f"{folder}: exists; choose another --name{again if begun else ''}")
    return folder


def _made(folder: Path) -> bool:
    """Make a folder; False where there is one, or anything else of its name."""
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise explained(error, folder.parent) from None
    try:
        folder.mkdir()
    except FileExistsError:
        return False
    except OSError as error:
        raise explained(error, folder) from None
    return True


def fold_folder(folder: Path, number: int) -> Path:
    """Run folder of one fold.

    Examples:
        >>> fold_folder(Path("runs/a"), 3).name
        'fold-3'
    """
    return folder / f"fold-{number}"


def fold_folders(folder: Path) -> dict[int, Path]:
    """Run folders of all folds that were begun, by their numbers, in order."""
    found = {
        int(match[1]): path.parent
        for path in folder.glob(f"fold-*/{SETTINGS}")
        if (match := _FOLD.fullmatch(path.parent.name))
    }
    return dict(sorted(found.items()))
