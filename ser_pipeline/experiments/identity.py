"""What a cell's numbers depend on, and its name made of that."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from ser_pipeline.results import RESULT_SCHEMA
from ser_pipeline.settings import Recipe, applies
from ser_pipeline.store import provenance
from ser_pipeline.training.checkpoint import ModelCard

CELL_VERSION: Final = 1
"""Raised whenever the same settings train another model; part of every cell's key."""

_CHANGES_NOTHING: Final = frozenset({"preset", "train.device", "train.workers"})
"""What a recipe says that decides no number: a preset is the settings it stands for."""


def deciding(recipe: Recipe) -> dict[str, Any]:
    """Settings that decide what a model is, by ``group.name``.

    Those that say nothing about the model are left out, so that a classifier of features is not
    trained again because the mels have other bands.

    Examples:
        >>> from ser_pipeline.settings import recipe
        >>> one = recipe(model={"name": "svm"}, front_end={"n_mels": 80})
        >>> deciding(one) == deciding(recipe(model={"name": "svm"}, train={"epochs": 9}))
        True
    """
    flat: dict[str, Any] = {}
    for field, value in recipe.model_dump(mode="json").items():
        inner = isinstance(value, dict) and field != "merges"
        flat |= {f"{field}.{name}": each for name, each in value.items()} if inner else {field: value}
    model = recipe.model.name
    return {
        name: value
        for name, value in flat.items()
        if name not in _CHANGES_NOTHING
        and applies(name, model)
        and (recipe.train.copies or not name.startswith("augment."))
    }


def cell_key(
    recipe: Recipe,
    *,
    manifest_digest: str,
    split_digest: str,
    own_tasks: Mapping[str, Sequence[str]] | None = None,
) -> str:
    """Name of a cell: 24 hex digits of BLAKE2b over all that decides its numbers.

    Args:
        recipe: with seed and model.
        manifest_digest: of the recordings.
        split_digest: of the split file.
        own_tasks: tasks of ``ser.toml``; a task of one's own counts by its emotions.

    Raises:
        SettingsError: a library that the inputs need is not installed.
    """
    content = {
        "versions": [CELL_VERSION, RESULT_SCHEMA, ModelCard.model_fields["schema_version"].default],
        "settings": deciding(recipe),
        "emotions": list((own_tasks or {}).get(recipe.task, ())),
        "manifest": manifest_digest,
        "split": split_digest,
        "store": provenance(recipe.inputs),
    }
    if recipe.variants is not None:
        content["variants"] = provenance(recipe.variants)
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.blake2b(text.encode(), digest_size=12).hexdigest()
