"""Names of run folders."""

import re
from datetime import datetime
from pathlib import Path

from ser_pipeline.errors import RunError
from ser_pipeline.options import Recipe

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


def run_name(recipe: Recipe, now: datetime) -> str:
    """Name of a run that was given none.

    Examples:
        >>> run_name(Recipe(), datetime(2026, 1, 31, 9, 5, 7))
        '20260131-090507-crnn-4class-speaker'
    """
    return f"{now:%Y%m%d-%H%M%S}-{recipe.model.name}-{recipe.task}-{recipe.split}"


def new_run(runs: Path, name: str) -> Path:
    """Folder for a new run; it is made with its first file.

    Raises:
        RunError: the name is taken, or cannot be a folder's.
    """
    if not NAME.fullmatch(name):
        raise RunError(f"'{name}' cannot name a run; use letters, digits, '.', '_', '-', as in 'first-try'")
    folder = runs / name
    if folder.exists():
        raise RunError(
            f"{folder}: exists; choose another --name, or go on with 'ser train --resume {folder}'"
        )
    return folder
