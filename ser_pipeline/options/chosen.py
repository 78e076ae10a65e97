"""A recipe from what a caller says in Python: settings by their own names, or section by section."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from ser_pipeline.errors import SettingsError
from ser_pipeline.options.base import OFF, Options
from ser_pipeline.options.made import configured, merged
from ser_pipeline.options.recipe import Recipe, idle
from ser_pipeline.options.settings import checked

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
        named = {"name": model} if isinstance(model, str) else model
        said = merged(said, {"model": named})
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
    raise SettingsError(
        f"settings: {name}: there is no such setting; valid are those of {', '.join(SECTIONS)}, "
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
