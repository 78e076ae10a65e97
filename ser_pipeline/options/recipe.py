"""All that decides a model, the presets it starts from, and ``ser.toml``."""

import re
import tomllib
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, Final, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from ser_pipeline.errors import SettingsError
from ser_pipeline.labels import parse_merges
from ser_pipeline.options.augment import WaveAugment
from ser_pipeline.options.base import (
    AUGMENTATION,
    BY_EPOCHS,
    DATA,
    DECLARED,
    EMBEDDINGS,
    FEATURES,
    FRONT_END,
    LIST,
    MODEL,
    OF_EMBEDDINGS,
    OF_FEATURES,
    OF_MELS,
    OF_VECTORS,
    TRAINING,
    Options,
    option,
)
from ser_pipeline.options.embeddings import EmbeddingOptions, EncoderPooling, Layer, in_order, layers_of
from ser_pipeline.options.features import FeatureOptions, FeatureSet
from ser_pipeline.options.front_end import FrontEnd
from ser_pipeline.options.registry import LOSSES, MODELS
from ser_pipeline.options.settings import Setting, checked, settings_by_path, settings_of, with_flags
from ser_pipeline.options.stored import Augmented, InputOptions, feature_options
from ser_pipeline.options.training import ModelOptions, TrainOptions

Preset = Literal["default", "paper"]
CACHED_ONLY = frozenset({"embeddings.layers", "embeddings.pooling", "embeddings.frames", "embeddings.device"})
"""Paths of options that say how a store is made, and nothing to those who learn from it."""
PRESETS: tuple[Preset, ...] = ("default", "paper")
LayerChoice = Literal["middle", "best", "all"]
LAYER_CHOICES: Final[tuple[LayerChoice, ...]] = ("middle", "best", "all")
Normalise = Literal["none", "relative", "speaker", "adaptive"]


COMMANDS: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "train": (),
        "cache mels": ("preset", "front_end"),
        "cache features": ("feature_set", "features"),
        "cache embeddings": ("embeddings",),
        "cache augment": ("preset", "front_end", "features"),
    }
)
"""Command -> fields of a recipe that its flags change; none stands for all that training reads."""


def _merges(value: Any) -> Any:
    return parse_merges(value) if isinstance(value, str) else value


def _layers(value: Any) -> Any:
    return layers_of(value) if isinstance(value, str) and value not in LAYER_CHOICES else value


class Recipe(Options):
    """All that decides a model: preset, inputs, network, training, data choice."""

    preset: Preset = option("default", "Start from the settings of this preset.", panel=DATA)
    front_end: FrontEnd = option(FrontEnd(), "How recordings become mels.", panel=FRONT_END, needs=OF_MELS)
    features: FeatureOptions = option(
        FeatureOptions(),
        "How our own features are computed.",
        panel=FEATURES,
        needs=OF_FEATURES,
    )
    embeddings: EmbeddingOptions = option(
        EmbeddingOptions(),
        "What a pretrained speech encoder makes of a recording.",
        panel=EMBEDDINGS,
        needs=OF_EMBEDDINGS,
    )
    layers: Annotated[LayerChoice | tuple[Layer, ...], BeforeValidator(_layers)] = option(
        "middle",
        "Learn from these layers of the encoder, as in 2,3,4; 'middle' are those from a third to half of its "
        "depth, 'all' are those that are cached, and 'best' chooses among them on validation clips.",
        panel=EMBEDDINGS, needs=OF_EMBEDDINGS,
    )  # fmt: skip
    embeddings_pooling: Annotated[
        tuple[EncoderPooling, ...], LIST, Field(min_length=1), AfterValidator(in_order)
    ] = option(
        ("mean",),
        "Learn from these statistics of a layer's steps: some of mean, std and max.",
        panel=EMBEDDINGS, needs=OF_EMBEDDINGS,
    )  # fmt: skip
    on: Literal["features", "embeddings"] = option(
        "features",
        "Let a model of vectors learn from 'features', or from 'embeddings', the layers of a pretrained "
        "encoder.",
        panel=FEATURES, needs=OF_VECTORS,
    )  # fmt: skip
    feature_set: FeatureSet = option(
        "named",
        "Use these features: 'named' are our own 253, 'egemaps' and 'compare' are openSMILE's.",
        flag="set", panel=FEATURES, needs=OF_FEATURES,
    )  # fmt: skip
    normalise: Normalise = option(
        "none",
        "Scale vectors in this way: 'none' uses statistics of the training clips alone; 'speaker' first "
        "centres and scales each speaker's clips, whose labels it never sees; 'adaptive' does so with any "
        "number of clips, even none: the fewer there are, the nearer to the average training speaker; "
        "'relative' first puts each clip's values in relation to reference values of the same clip, and is "
        "for features alone.",
        panel=FEATURES, needs=OF_VECTORS,
    )  # fmt: skip
    augment: WaveAugment = option(
        WaveAugment(), "How the variants of recordings are drawn.", flag="", panel=AUGMENTATION
    )
    model: ModelOptions = option(ModelOptions(), "The network.", panel=MODEL, needs=DECLARED)
    train: TrainOptions = option(TrainOptions(), "How it is fitted.", panel=TRAINING, needs=BY_EPOCHS)
    task: str = option(
        "4class",
        "Tell these emotions apart: 4class, 6class, iemocap4, all, or a task that you define in ser.toml.",
        panel=DATA,
    )
    merges: Annotated[dict[str, str], BeforeValidator(_merges)] = option(
        {},
        "Count some emotions as others, as in calm=neutral.",
        flag="merge", panel=DATA, paper={"calm": "neutral", "excitement": "happiness"},
    )  # fmt: skip
    split: str = option(
        "speaker", "Use this split, such as speaker, stratified or loco.", panel=DATA, paper="stratified"
    )
    fold: str | None = option(
        None, "Use this fold of the split, by its number or name, or 'all' of them.", panel=DATA
    )
    corpora: Annotated[tuple[str, ...], LIST] = option((), "Use only these corpora.", panel=DATA)
    languages: Annotated[tuple[str, ...], LIST] = option(
        (), "Use only recordings in these languages.", panel=DATA
    )
    train_corpora: Annotated[tuple[str, ...], LIST] = option(
        (), "Learn from these corpora only; the test clips stay the same.", panel=DATA
    )
    train_share: Annotated[float, Field(gt=0, le=1)] = option(
        1.0,
        "Learn from this share of each corpus's training speakers, chosen by the seed; the test clips stay "
        "the same.",
        panel=DATA,
    )

    @model_validator(mode="before")
    @classmethod
    def _pooled_as_kept(cls, values: Any) -> Any:
        """Learn from what is said to be kept where nothing else is said, as all runs did once."""
        if not isinstance(values, dict) or "embeddings_pooling" in values:
            return values
        kept = values.get("embeddings")
        said = kept.model_dump(exclude_unset=True) if isinstance(kept, EmbeddingOptions) else kept
        return values | {"embeddings_pooling": said["pooling"]} if said and "pooling" in said else values

    @model_validator(mode="after")
    def _related(self) -> Self:
        if self.on == "embeddings" and self.normalise == "relative":
            raise ValueError("normalise relative is of features; embeddings take none, speaker or adaptive")
        return self

    @property
    def inputs(self) -> InputOptions:
        """Options of the store that the model learns from, with how they are read."""
        if self.model.architecture.inputs == "mels":
            return self.front_end
        if self.on == "embeddings":
            return self.embeddings
        return feature_options(self.feature_set, self.features)

    @property
    def words(self) -> str:
        """Model and inputs, as in ``logreg on layers 2, 3 of whisper-base``."""
        inputs = self.inputs
        if not isinstance(inputs, EmbeddingOptions):
            return f"{self.model.name} on {inputs.kind}"
        layers = (
            f"{self.layers} layers"
            if self.layers in LAYER_CHOICES
            else f"layers {', '.join(map(str, self.layers))}"
        )
        return f"{self.model.name} on {layers} of {inputs.name}"

    @property
    def variants(self) -> Augmented | None:
        """Options of the store of variants that training reads beside ``inputs``; None for none."""
        return Augmented(inputs=self.inputs, changes=self.augment) if self.train.copies else None


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
    """Merge nested settings; a value of None says nothing, and merges of emotions are taken whole.

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


def applies(path: str, model: str, on: str | None = None) -> bool:
    """Whether an option of a recipe changes anything for a model.

    Args:
        path: as ``train.optimizer``; the name alone of a recipe's own fields.
        model: as in ``ser train NAME``.
        on: what a model of vectors learns from, ``features`` or ``embeddings``; None for either.

    Examples:
        >>> applies("train.optimizer", "svm"), applies("normalise", "svm"), applies("normalise", "crnn")
        (False, True, False)
        >>> applies("feature_set", "svm", "features"), applies("feature_set", "svm", "embeddings")
        (True, False)
    """
    known = settings_by_path(Recipe).get(path)
    if known is None:
        return True
    other = {"features": "embeddings", "embeddings": "features"}.get(on or "")
    return model in known.models and other not in known.needs


def idle(path: str, made: Recipe) -> str:
    """What an option says nothing about in a recipe; "" where it changes something.

    Examples:
        >>> idle("train.focal_gamma", recipe()), idle("train.epochs", recipe(model={"name": "svm"}))
        ('loss ce', 'model svm')
        >>> idle("features.voice", recipe(model={"name": "svm"}, feature_set="egemaps"))
        'feature set egemaps'
    """
    if not applies(path, made.model.name):
        return f"model {made.model.name}"
    if not applies(path, made.model.name, made.on):
        return f"model {made.model.name} on {made.on}"
    section, _, name = path.rpartition(".")
    if section == "features" and made.feature_set != "named":
        return f"feature set {made.feature_set}"
    others = {option for objective in LOSSES.values() for option in objective.options}
    if section == "train" and name in others - set(LOSSES[made.train.loss].options):
        return f"loss {made.train.loss}"
    return ""


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
