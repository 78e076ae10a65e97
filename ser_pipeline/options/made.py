"""A recipe from a preset, a settings file, and what a caller says of it."""

import re
import tomllib
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from ser_pipeline.errors import SettingsError
from ser_pipeline.options.base import OFF, Options
from ser_pipeline.options.checks import checked, nearest
from ser_pipeline.options.effect import idle
from ser_pipeline.options.recipe import PRESETS, Preset, Recipe
from ser_pipeline.options.registry import MODELS
from ser_pipeline.options.settings import settings_of


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
    return _made(preset, _spelt(changes))


def _spelt(values: Mapping[str, Any]) -> dict[str, Any]:
    """``model = "svm"`` is short for ``model = {name = "svm"}``."""
    name = values.get("model")
    return {**values, "model": {"name": name}} if isinstance(name, str) else dict(values)


def _made(preset: str, changes: Mapping[str, Any], spoken: Callable[[str], str] | None = None) -> Recipe:
    if preset not in PRESETS:
        raise SettingsError(
            f"--preset {preset}: must be {' or '.join(PRESETS)}"
            if spoken
            else f"preset '{preset}' does not exist; valid are {', '.join(PRESETS)}"
        )
    model = changes.get("model")
    name = str(model.get("name") if isinstance(model, Mapping) else getattr(model, "name", ""))
    mels = name not in MODELS or MODELS[name].inputs == "mels"
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
        SettingsError: the file cannot be read, or is not TOML.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    except OSError as error:
        reason = f"cannot be read ({error.strerror}); check the file's permissions"
        raise SettingsError(f"{path}: {reason}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path}: not a TOML file: {error}") from None


def configured(
    path: Path, preset: str | None = None, *, spoken: Callable[[str], str] | None = None, **changes: Any
) -> Recipe:
    """Make a recipe of defaults, a settings file, and changes, each winning over the one before.

    Args:
        path: of ``ser.toml``; its keys are the fields of :class:`Recipe`, ``tasks`` and ``descriptions``. It
            is judged together with the changes, which may name the model that it is for.
        preset: None takes the file's, or ``default``.
        spoken: path of an option -> the flag that changed it, for errors; None where no flags did.
        **changes: as for :func:`recipe`.

    Raises:
        SettingsError: a name or value that does not fit, in the file or in a change.
    """
    file = _spelt(read_toml(path))
    own = {key: value for key, value in file.items() if key not in ("tasks", "descriptions")}
    if unknown := [key for key in own if key not in Recipe.model_fields and key != "preset"]:
        valid = dict.fromkeys(["preset", *Recipe.model_fields, "tasks", "descriptions"])
        wrong = f"there is no such setting{nearest(unknown[0], valid)}"
        raise SettingsError(f"{path}: {unknown[0]}: {wrong}; valid are {', '.join(valid)}")
    chosen = preset or own.pop("preset", "default")
    own.pop("preset", None)
    odd = {key: own[key] for key in SECTIONS if not isinstance(own.get(key, {}), Mapping)}
    try:
        if odd:
            _made(chosen, odd)  # a change within it would take its place
        return _made(chosen, merged(own, _spelt(changes)), spoken)
    except SettingsError:
        try:
            _made(chosen, own, spoken if preset and not own else None)
        except SettingsError as error:
            raise SettingsError(f"{path}: {error}" if own else str(error)) from None
        raise


def names_model(path: Path) -> bool:
    """Whether a settings file names a model."""
    model = _spelt(read_toml(path)).get("model")
    return isinstance(model, Mapping) and "name" in model


def own_files(path: Path) -> tuple[str, ...]:
    """Files that a settings file names as descriptions of corpora, under ``descriptions``.

    Raises:
        SettingsError: it is not a list of texts.
    """
    named = read_toml(path).get("descriptions", [])
    if not isinstance(named, list) or not all(isinstance(name, str) for name in named):
        raise SettingsError(f"{path}: descriptions: must be a list of files, as in ['mine.toml']")
    return tuple(named)


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


SECTIONS: Final = ("train", "model", "front_end", "features", "augment", "embeddings")
"""Fields of a recipe that hold settings of their own; a setting's name is looked up in this order."""


def chosen_recipe(
    model: str | Mapping[str, Any] | Recipe | None = None,
    *,
    preset: str | None = None,
    settings: Path | None = None,
    **changes: Any,
) -> Recipe:
    """Make a recipe of defaults, a settings file, and what a caller says, each winning over the one before.

    Args:
        model: name of a model, its options, or a whole recipe, which takes the place of preset and file.
        preset: ``default`` or ``paper``; None takes the file's.
        settings: file such as ``ser.toml``; None reads none.
        **changes: fields of a recipe, or settings by their own names.

    Raises:
        SettingsError: a name or value that does not fit, or one without effect on the model or its loss.

    Examples:
        >>> made = chosen_recipe("crnn", task="6class", epochs=3, dropout=0.1)
        >>> made.task, made.train.epochs, made.model.dropout
        ('6class', 3, 0.1)
        >>> chosen_recipe(made, patience=None).train.patience is None
        True
    """
    said = nested(changes)
    usual = {}
    if said.keys() & {"embeddings", "layers"}:
        usual = {"on": "embeddings"}
    if isinstance(model, Recipe):
        if preset is not None:
            raise SettingsError(f"preset {preset}: does not go with a whole recipe; leave one of them out")
        made = checked(Recipe, merged(model.model_dump(), usual | said), where="settings")
    else:
        said = merged(said, _spelt({"model": model}))
        made = configured(Path() if settings is None else settings, preset, **(usual | said))
    for path in _paths(said):
        if about := idle(path, made):
            raise SettingsError(f"{path}: has no effect on {about}; leave it out")
    return made


def nested(changes: Mapping[str, Any]) -> dict[str, Any]:
    """Sort settings given by their own names into the sections of a recipe.

    Raises:
        SettingsError: no setting has this name.

    Examples:
        >>> nested({"epochs": 3, "task": "6class", "patience": None, "model": {"dropout": 0.1}})
        {'train': {'epochs': 3, 'patience': False}, 'task': '6class', 'model': {'dropout': 0.1}}
    """
    found: dict[str, Any] = {}
    for name, value in changes.items():
        section = "" if name in Recipe.model_fields else _section(name)
        if section and value is None and OFF in _fields(section)[name].metadata:
            value = False  # None would leave the setting as it is
        inner = {section: {name: value}} if section else {name: value}
        found = merged(found, inner)
    return found


def _section(name: str) -> str:
    for section in SECTIONS:
        if name in _fields(section):
            return section
    close = nearest(
        name, [*Recipe.model_fields, *(field for section in SECTIONS for field in _fields(section))]
    )
    raise SettingsError(
        f"settings: {name}: there is no such setting{close}; valid are those of {', '.join(SECTIONS)}, "
        f"and {', '.join(field for field in Recipe.model_fields if field not in SECTIONS)}"
    )


def _fields(section: str) -> Mapping[str, Any]:
    default: Options = Recipe.model_fields[section].get_default(call_default_factory=True)
    return type(default).model_fields


def _paths(said: Mapping[str, Any]) -> list[str]:
    """Each setting that was said something about, as ``train.epochs``."""
    found = []
    for name, value in said.items():
        if isinstance(value, Options):
            value = value.model_dump()
        inner = name in SECTIONS and isinstance(value, Mapping)
        found += [f"{name}.{each}" for each in value] if inner else [name]
    return found
