"""Recipes from presets, ``ser.toml`` and what else is said, each winning over the one before."""

import re
import tomllib
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

from ser_pipeline.errors import SettingsError
from ser_pipeline.options.recipe import PRESETS, Preset, Recipe
from ser_pipeline.options.registry import MODELS
from ser_pipeline.options.settings import checked, settings_of


@cache
def preset_values(preset: Preset, *, mels: bool) -> Mapping[str, Any]:
    """What a preset changes of the options' defaults, nested by section.

    Args:
        preset: its name.
        mels: of models that learn from mels; else of those that learn from features.
    """
    found: dict[str, Any] = {}
    for setting in settings_of(Recipe):
        value = setting.preset(preset, mels=mels)
        if value != setting.default:
            inner = found
            for section in setting.section.split(".") if setting.section else ():
                inner = inner.setdefault(section, {})
            inner[setting.name] = value
    return MappingProxyType(found | {"preset": preset})


def recipe(preset: str = "default", **changes: Any) -> Recipe:
    """Make the recipe of a preset, with changes merged into it.

    Args:
        preset: ``default`` or ``paper``.
        **changes: values by field of :class:`Recipe`; mappings are merged into the field's own,
            and a value of None is left out.

    Raises:
        SettingsError: no such preset, field, or value.

    Examples:
        >>> recipe("paper", train={"epochs": 3}).train.optimizer
        'adam'
        >>> recipe().front_end.max_frames
        173
    """
    return _made(preset, changes)


def _made(preset: str, changes: Mapping[str, Any], spoken: Callable[[str], str] | None = None) -> Recipe:
    if preset not in PRESETS:
        raise SettingsError(
            f"--preset {preset}: must be {' or '.join(PRESETS)}"
            if spoken
            else f"preset '{preset}' does not exist; valid are {', '.join(PRESETS)}"
        )
    model = str((changes.get("model") or {}).get("name"))
    mels = model not in MODELS or MODELS[model].inputs == "mels"
    values = merged(preset_values(preset, mels=mels), changes)
    return checked(Recipe, values, where="settings", spoken=spoken)


def merged(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Merge nested settings; None leaves a setting as it is, and merges of emotions are replaced as a whole.

    Examples:
        >>> merged({"train": {"epochs": 3, "seed": 1}}, {"train": {"epochs": 5}, "task": None})
        {'train': {'epochs': 5, 'seed': 1}}
    """
    both = dict(base)
    for key, value in over.items():
        if value is None:
            continue
        old = both.get(key)
        if isinstance(value, Mapping) and key != "merges":
            value = merged(old if isinstance(old, Mapping) else {}, value)
        both[key] = value
    return both


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


def configured(
    path: Path, preset: str | None = None, *, spoken: Callable[[str], str] | None = None, **changes: Any
) -> Recipe:
    """Make a recipe of defaults, a settings file, and changes, each winning over the one before.

    Args:
        path: of ``ser.toml``; its keys are the fields of :class:`Recipe`, and ``tasks``.
        preset: None takes the file's, or ``default``.
        spoken: path of an option -> the flag that changed it, for errors; None where no flags did.
        **changes: as for :func:`recipe`.

    Raises:
        SettingsError: a name or value that does not fit, in the file or in a change.
    """
    own = {key: value for key, value in read_toml(path).items() if key != "tasks"}
    chosen = preset or own.pop("preset", "default")
    own.pop("preset", None)
    try:
        _made(chosen, own, spoken if preset and not own else None)
    except SettingsError as error:
        raise SettingsError(f"{path}: {error}" if own else str(error)) from None
    return _made(chosen, merged(own, changes), spoken)


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
