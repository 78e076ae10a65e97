"""``ser.toml``: settings that stand in a file."""

import re
import tomllib
from pathlib import Path
from typing import Any

from ser_pipeline.errors import SettingsError
from ser_pipeline.settings.recipe import Recipe, merged, recipe


def read_toml(path: Path) -> dict[str, Any]:
    """Read a settings file; a missing one is empty.

    Raises:
        SettingsError: the file is not TOML.
    """
    if not path.is_file():
        return {}
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path}: not a TOML file: {error}") from None


def configured(path: Path, preset: str | None = None, **changes: Any) -> Recipe:
    """Make a recipe of defaults, a settings file, and flags, each winning over the one before.

    Args:
        path: of ``ser.toml``; its keys are the fields of :class:`Recipe`, and ``tasks``.
        preset: as a flag; None takes the file's, or ``default``.
        **changes: flags, as for :func:`recipe`.

    Raises:
        SettingsError: a name or value that does not fit, in the file or in a flag.
    """
    own = {key: value for key, value in read_toml(path).items() if key != "tasks"}
    chosen = preset or own.pop("preset", "default")
    own.pop("preset", None)
    try:
        recipe(chosen, **own)
    except SettingsError as error:
        raise SettingsError(f"{path}: {error}" if own else str(error)) from None
    return recipe(chosen, **merged(own, changes))


def own_tasks(path: Path) -> dict[str, tuple[str, ...]]:
    """Tasks a settings file defines under ``[tasks]``: name -> emotions.

    Raises:
        SettingsError: not a table of lists, or a name that cannot stand in a folder's.
    """
    tasks = read_toml(path).get("tasks", {})
    if not isinstance(tasks, dict) or not all(isinstance(value, list) for value in tasks.values()):
        raise SettingsError(f"{path}: tasks: each must be a list of emotions, as in mine = ['anger', 'calm']")
    wrong = [name for name in tasks if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", name)]
    if wrong:
        raise SettingsError(
            f"{path}: tasks: '{wrong[0]}' cannot name a task; use letters, digits, '.', '_', '-'"
        )
    return {name: tuple(str(item) for item in value) for name, value in tasks.items()}
