"""Which options have an effect on which model, and which commands have a flag for them."""

from collections.abc import Mapping, Sequence
from functools import cache
from types import MappingProxyType
from typing import Any, Final

from ser_pipeline.options.recipe import Recipe
from ser_pipeline.options.registry import ARCHITECTURES, LOSSES, MODELS, SEQUENCES
from ser_pipeline.options.settings import Setting, in_words, settings_by_path, settings_of, with_flags
from ser_pipeline.options.training import TAUGHT

CACHED_ONLY = frozenset({"embeddings.layers", "embeddings.pooling", "embeddings.frames", "embeddings.device"})
"""Paths of options of how a store is made, which have no effect on learning from it."""

OF_EMOTIONS: Final = frozenset(
    {
        "task", "merges", "model.dimensions", "train.monitor", "train.loss", "train.distance_weight",
        "train.focal_gamma", "train.label_smoothing", "train.class_weights", "train.contrastive_weight",
        "train.contrastive_temperature", "train.dimension_weight", "train.soft_labels",
        "train.intensity_strength", "train.teacher", *(f"train.{name}" for name in TAUGHT),
    }
)  # fmt: skip
"""Paths of options that have no effect on a run whose targets are ratings."""

CHANGES_NOTHING: Final = frozenset(
    {"preset", "train.device", "train.data_on", "train.workers", "train.log", "embeddings.pooling"}
)
"""What a recipe says that decides no number: a preset is the settings it stands for, and a store may keep
more than is learned from."""

COMMANDS: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "train": (),
        "cache mels": ("preset", "front_end"),
        "cache features": ("feature_set", "features"),
        "cache embeddings": ("embeddings",),
        "cache waves": ("embeddings.crop_s", "embeddings.trim_db"),
        "cache augment": ("preset", "front_end", "features"),
    }
)
"""Command -> fields of a recipe that its flags change; none stands for all that training reads."""


@cache
def flags_of(command: str) -> tuple[Setting, ...]:
    """Options that a command has flags for, each with the flag it has there.

    Examples:
        >>> [each.spoken for each in flags_of("cache features") if each.name == "trim_db"]
        ['--trim-db']
        >>> [each.spoken for each in flags_of("train") if each.name == "trim_db"]
        ['--trim-db', '--features-trim-db', '--embeddings-trim-db']
    """
    fields = COMMANDS[command]
    every = settings_of(Recipe)
    if not fields:
        return with_flags(each for each in every if each.path not in CACHED_ONLY)
    return with_flags(each for each in every if {each.section, each.path} & {*fields})


def applies(path: str, model: str, on: Sequence[str] | None = None) -> bool:
    """Whether an option of a recipe changes anything for a model.

    Args:
        path: as ``train.optimizer``; the name alone of a recipe's own fields.
        model: as in ``ser train NAME``.
        on: what it learns from, some of :data:`INPUTS`; None for any of them.

    Examples:
        >>> applies("train.optimizer", "svm"), applies("normalise", "svm")
        (False, True)
        >>> applies("normalise", "crnn", ("mels",)), applies("normalise", "crnn", ("mels", "features"))
        (False, True)
        >>> applies("feature_set", "svm", ("features",)), applies("feature_set", "svm", ("embeddings",))
        (True, False)
    """
    known = settings_by_path(Recipe).get(path)
    if known is None or model not in ARCHITECTURES:
        return True  # a model of another version may read it
    architecture = ARCHITECTURES[model]
    return known.read_by(
        model, architecture.has | architecture.beside if on is None else architecture.learning(on)
    )


def idle(path: str, made: Recipe) -> str:
    """What in a recipe makes an option idle, as in ``model svm``; "" where the option has an effect.

    Examples:
        >>> idle("train.focal_gamma", Recipe()), idle("train.epochs", Recipe(model={"name": "svm"}))
        ('loss ce', 'model svm')
        >>> idle("features.voice", Recipe(model={"name": "svm"}, feature_set="egemaps"))
        'feature set egemaps'
    """
    if not applies(path, made.model.name):
        return f"model {made.model.name}"
    if made.target and path in OF_EMOTIONS:
        return f"a run whose target is {in_words(made.target)}"
    if path == "train.rating_loss" and not made.rated:
        return "a run without ratings, which --target or --dimensions has"
    own = made.model.architecture.inputs
    if path == "on" and own in SEQUENCES and own not in made.on:
        return f"model {made.model.name} unless {own} are named too, as in {own},features"
    if not applies(path, made.model.name, made.on):
        learned = [*([own] if own in SEQUENCES else []), *made.vectors]
        return f"model {made.model.name} on {' and '.join(learned)}"
    section, _, name = path.rpartition(".")
    if path == "embeddings.precision" and made.model.architecture.inputs == "waves":
        return f"model {made.model.name}"
    if section == "front_end" and name in made.front_end.idle:
        return made.front_end.idle[name]
    if section == "features" and made.feature_set != "named":
        return f"feature set {made.feature_set}"
    others = {option for objective in LOSSES.values() for option in objective.options}
    if section == "train" and name in others - set(LOSSES[made.train.loss].options):
        return f"loss {made.train.loss}"
    if section == "train" and name in TAUGHT and made.train.teacher is None:
        return "training without a teacher"
    return ""


def deciding(recipe: Recipe) -> dict[str, Any]:
    """Settings that decide what a model is, by ``group.name``.

    Those that have no effect on the model are left out, so that a classifier of features is not
    trained again because the mels have other bands.

    Examples:
        >>> from ser_pipeline.options import recipe
        >>> one = recipe(model={"name": "svm"}, front_end={"n_mels": 80})
        >>> deciding(one) == deciding(recipe(model={"name": "svm"}, train={"epochs": 9}))
        True
    """
    flat: dict[str, Any] = {}
    for field, value in recipe.model_dump(mode="json").items():
        inner = isinstance(value, dict) and field != "merges"
        flat |= {f"{field}.{name}": each for name, each in value.items()} if inner else {field: value}
    model = recipe.model.architecture
    like = [name for name, other in MODELS.items() if other.has == model.has]
    return {
        name: value
        for name, value in flat.items()
        if name not in CHANGES_NOTHING
        and any(applies(name, other, recipe.on) for other in like)
        and (name != "on" or recipe.on != ("features",))  # keys from before there were embeddings
        and (name not in ("target", "train.rating_loss") or recipe.rated)  # nor ratings as the target
        and (recipe.train.copies or not name.startswith("augment."))
    }
