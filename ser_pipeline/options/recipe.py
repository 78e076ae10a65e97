"""All that decides a model, the presets it starts from, and ``ser.toml``."""

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from ser_pipeline.errors import SettingsError
from ser_pipeline.options.augment import WaveAugment
from ser_pipeline.options.base import Options, checked
from ser_pipeline.options.embeddings import EmbeddingOptions
from ser_pipeline.options.features import FeatureOptions, FeatureSet
from ser_pipeline.options.front_end import FrontEnd
from ser_pipeline.options.stored import Augmented, InputOptions, feature_options
from ser_pipeline.options.training import MODEL_INPUTS, ModelOptions, TrainOptions

Preset = Literal["default", "paper"]
PRESETS: tuple[Preset, ...] = ("default", "paper")
Normalise = Literal["none", "relative", "speaker", "adaptive"]


class Recipe(Options):
    """All that decides a model: preset, inputs, network, training, data choice.

    Attributes:
        front_end: of models that learn from mels.
        features: of models that learn from our own named features.
        embeddings: of models that learn from layers of a pretrained encoder.
        feature_set: which features such a model learns from.
        normalise: ``none`` scales features by statistics of the training clips alone; ``speaker`` first
            centres and scales each speaker's clips, whose labels it never sees; ``adaptive`` does so with any
            number of clips, none included, the fewer the nearer to the average training speaker;
            ``relative`` first puts each clip's values in relation to reference values of the same clip.
        augment: how the variants are drawn of which ``train.copies`` join each training clip.
        train_corpora: train and validate on these corpora only; test clips stay those of ``corpora``.
        train_share: train on this share of each corpus's training speakers, chosen by the seed.
    """

    preset: Preset = "default"
    front_end: FrontEnd = FrontEnd()
    features: FeatureOptions = FeatureOptions()
    embeddings: EmbeddingOptions = EmbeddingOptions()
    feature_set: FeatureSet = "named"
    normalise: Normalise = "none"
    augment: WaveAugment = WaveAugment()
    model: ModelOptions = ModelOptions()
    train: TrainOptions = TrainOptions()
    task: str = "4class"
    merges: dict[str, str] = Field(default_factory=dict)
    split: str = "speaker"
    fold: str | None = None
    corpora: tuple[str, ...] = ()
    languages: tuple[str, ...] = ()
    train_corpora: tuple[str, ...] = ()
    train_share: Annotated[float, Field(gt=0, le=1)] = 1.0

    @property
    def inputs(self) -> InputOptions:
        """Options of the store that the model learns from, with how they are read."""
        if MODEL_INPUTS.get(self.model.name, "mels") == "mels":
            return self.front_end
        return feature_options(self.feature_set, self.features)

    @property
    def variants(self) -> Augmented | None:
        """Options of the store of variants that training reads beside ``inputs``; None for none."""
        return Augmented(inputs=self.inputs, changes=self.augment) if self.train.copies else None


_OWN: dict[str, Any] = {
    "model": {"own_scale": True},
    "train": {
        "epochs": 35,  # the second cosine ends there
        "averaging": 0.99,
        "balance": 0.5,
        "spec_augment": {"fill": "mean"},
    },
}
"""Preset ``default`` of networks on mels, beyond each option's own default; docs/results.md says why."""

_PAPER: dict[str, Any] = {
    "preset": "paper",
    "front_end": {
        "prop_decrease": 0.5,
        "level": "clip_rms",
        "reference": "clip_max",
        "scale": "clip_minmax",
    },
    "model": {"masked": False},
    "train": {
        "optimizer": "adam",
        "warmup_epochs": 0,
        "monitor": "accuracy",
        "loss": "distance_ce",
    },
    "merges": {"calm": "neutral", "excitement": "happiness"},
    "split": "stratified",
}

_PAPER_FEATURES: dict[str, Any] = {
    "train": {
        "weight_decay": 0.0,
        "restart_epochs": False,
        "loss": "ce",
        "label_smoothing": 0.0,
        "class_weights": False,
        "patience": False,
    },
}
"""What the source report says of its 1-D CNN: Adam, nothing else, all epochs."""


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
    if preset not in PRESETS:
        raise SettingsError(f"preset '{preset}' does not exist; valid are {', '.join(PRESETS)}")
    model = changes.get("model") or {}
    mels = MODEL_INPUTS.get(str(model.get("name")), "mels") == "mels"
    base: Mapping[str, Any] = _OWN if mels else {}
    if preset == "paper":
        base = _PAPER if mels else merged(_PAPER, _PAPER_FEATURES)
    values = merged(base, changes)
    return checked(Recipe, values, where="settings")


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
