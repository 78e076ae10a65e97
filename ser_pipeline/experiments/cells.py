"""The training runs of an experiment."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from ser_pipeline.corpora.languages import language_of
from ser_pipeline.datasets.examples import chosen_rows
from ser_pipeline.encoders import encoder_folders, located
from ser_pipeline.errors import EncoderError, LabelError, SerError, SettingsError, SplitError
from ser_pipeline.experiments.arms import Arm, Design, Groups, cell_key
from ser_pipeline.labels import task_named
from ser_pipeline.manifest import Manifest
from ser_pipeline.manifest.where import chosen_by
from ser_pipeline.options import EmbeddingOptions, Recipe, WaveOptions, configured, idle, merged
from ser_pipeline.options.made import chosen_recipe
from ser_pipeline.runs.find import find_run
from ser_pipeline.runs.types import ALL_FOLDS
from ser_pipeline.splits import KINDS, Split, make_split, read_split, split_names, write_split
from ser_pipeline.store.embeddings import folder_of_cached

SETTINGS_FILE: Final = Path("ser.toml")
LEAST_CLIPS: Final = 40
"""A corpus or a language with fewer recordings teaches nothing alone; ``each`` leaves it out."""


@dataclass(frozen=True)
class Cell:
    """One training run, of all folds where its protocol has folds.

    Attributes:
        arm: name.
        protocol: name.
        recipe: all that is trained; the seed is part of it.
        key: names its folder; empty where the split cannot be made.
        problem: why it cannot be trained; empty where nothing is known against it.
        lacking: the problem is an encoder that this machine lacks, which is not a failure.
    """

    arm: str
    protocol: str
    recipe: Recipe
    key: str
    problem: str = ""
    lacking: bool = False

    @property
    def seed(self) -> int:
        """Of weights, order and masks."""
        return self.recipe.train.seed

    @property
    def label(self) -> str:
        """As progress and messages call it."""
        return f"{self.arm}, {self.protocol}, seed {self.seed}"


@dataclass
class Ground:
    """The recordings that cells are trained on.

    Attributes:
        manifests: folder of the manifest and its splits.
        manifest: the recordings.
        own_tasks: tasks of ``ser.toml``.
        runs: folder in which teachers are looked for by name.
        cache: folder of the stores, which know where their encoders lie.
    """

    manifests: Path
    manifest: Manifest
    own_tasks: Mapping[str, Sequence[str]]
    runs: Path = Path("runs")
    cache: Path = Path("cache")
    _splits: dict[str, Split] = field(default_factory=dict)

    def split(self, name: str) -> Split:
        """A split, made in memory where its file does not exist.

        Raises:
            SplitError: it does not exist, cannot be made, or is of another manifest.
        """
        if name not in self._splits:
            if name in split_names(self.manifests):
                self._splits[name] = read_split(self.manifests, name, self.manifest)
            elif name in KINDS:
                self._splits[name] = make_split(self.manifest, name)
            else:
                valid = ", ".join(sorted({*KINDS, *split_names(self.manifests)}))
                raise SplitError(f"split '{name}' does not exist; valid are {valid}")
        return self._splits[name]

    def write_split(self, name: str) -> None:
        """Write a split's file where it does not exist yet."""
        if name not in split_names(self.manifests):
            write_split(self.manifests, self.split(name))

    def groups(self) -> Groups:
        """Corpora of at least :data:`LEAST_CLIPS` recordings, and languages of as many."""
        corpora = self.manifest.table["corpus"].to_pylist()
        tags = [language_of(tag) for tag in self.manifest.table["language"].to_pylist()]
        held = {tag: set[str]() for tag in _many(tags) if tag}
        for corpus, tag in {*zip(corpora, tags, strict=True)}:
            if tag in held:
                held[tag].add(corpus)
        return Groups(_many(corpora), {tag: tuple(sorted(names)) for tag, names in held.items()})


def _many(names: list[str]) -> tuple[str, ...]:
    """Names that stand there at least :data:`LEAST_CLIPS` times, sorted."""
    return tuple(sorted(name for name, clips in Counter(names).items() if clips >= LEAST_CLIPS))


def cells_of(design: Design, ground: Ground, *, epochs: int | None = None) -> list[Cell]:
    """Every cell of an experiment, arm by arm, protocol by protocol, seed by seed.

    Args:
        design: arms and claims.
        ground: the recordings.
        epochs: at most this many in every network.

    Raises:
        SettingsError: a setting, model, task or split that does not exist; the message names the arm.
    """
    return [
        cell_of(design, ground, arm, protocol, seed, epochs)
        for arm in design.arms
        for protocol in arm.protocols
        for seed in design.experiment.seeds
    ]


def cell_of(design: Design, ground: Ground, arm: Arm, protocol: str, seed: int, epochs: int | None) -> Cell:
    """One cell of an arm.

    Raises:
        SettingsError: a setting, model, task or split that does not exist; the message names the arm.
    """
    where = f"experiment '{design.experiment.name}': arm '{arm.name}'"
    changes = merged(arm.settings, design.experiment.protocols[protocol])
    changes = merged(changes, {"train": {"seed": seed}})
    recipe = _recipe(changes, where)
    if epochs is not None:
        train = recipe.train.model_copy(update={"epochs": min(recipe.train.epochs, epochs)})
        recipe = recipe.model_copy(update={"train": train})
    _check(recipe, arm, ground, where)
    try:
        split = ground.split(recipe.split)
        if bool(split.folds) != (recipe.fold is not None):
            needs = f"needs fold = '{ALL_FOLDS}'" if split.folds else "has no folds; leave out 'fold'"
            raise SettingsError(f"{where}: protocol '{protocol}': split '{recipe.split}' {needs}")
    except SplitError as error:
        if recipe.split not in KINDS:
            raise SettingsError(f"{where}: protocol '{protocol}': {error}") from None
        return Cell(arm.name, protocol, recipe, "", str(error))
    try:
        recipe = _with_encoders(_with_teacher(recipe, ground.runs), ground.cache)
        key = cell_key(
            recipe,
            manifest_digest=ground.manifest.digest,
            split_digest=split.digest,
            own_tasks=ground.own_tasks,
        )
    except EncoderError as error:
        return Cell(arm.name, protocol, recipe, "", str(error), lacking=True)
    except SerError as error:  # an extra that is not installed
        return Cell(arm.name, protocol, recipe, "", str(error))
    return Cell(arm.name, protocol, recipe, key)


def _with_teacher(recipe: Recipe, runs: Path) -> Recipe:
    """The same recipe with the folder of its teacher, which cells do not lie beside."""
    if recipe.train.teacher is None:
        return recipe
    folder = str(find_run(recipe.train.teacher, runs).absolute())
    return recipe.model_copy(update={"train": recipe.train.model_copy(update={"teacher": folder})})


def _with_encoders(recipe: Recipe, cache: Path) -> Recipe:
    """The same recipe with its encoders completed by what they are: their weights decide its numbers."""
    if not any(isinstance(part, EmbeddingOptions | WaveOptions) for part in recipe.parts):
        return recipe
    found = [_found(each, cache) for each in recipe.encoders]
    return recipe.with_encoders(found, recipe.encoder_layers)


def _found(encoder: EmbeddingOptions, cache: Path) -> EmbeddingOptions:
    """An encoder of this machine, or else the one that was found when its layers were cached."""
    try:
        return located(encoder, encoder_folders())[0]
    except EncoderError:
        folder = folder_of_cached(cache, encoder) if encoder.encoder else None
        if folder is None:
            raise
    return located(encoder.model_copy(update={"encoder": folder}))[0]


def _recipe(changes: dict[str, Any], where: str) -> Recipe:
    preset = changes.pop("preset", None)
    try:
        return chosen_recipe(
            configured(SETTINGS_FILE, preset, **changes)
        )  # judged with its model, named or not
    except SettingsError as error:
        raise SettingsError(f"{where}: {error}; docs/options.md lists the settings") from None
    except TypeError:
        raise SettingsError(
            f"{where}: a setting has a name that does not exist; use the names of ser.toml"
        ) from None


def _check(recipe: Recipe, arm: Arm, ground: Ground, where: str) -> None:
    """Say what cannot be trained before anything is.

    Raises:
        SettingsError: no such task, or a setting of the arm that has no effect on its model or loss.
    """
    if recipe.target:
        raise SettingsError(f"{where}: target: experiments compare decisions for emotions, not ratings")
    try:
        if recipe.task != "all":
            task_named(recipe.task, ground.own_tasks)
        for corpora in (recipe.corpora, recipe.train_corpora):
            chosen_rows(ground.manifest.table, corpora, recipe.languages)
        chosen_by(ground.manifest.table, recipe.where)
    except (LabelError, SettingsError) as error:
        raise SettingsError(f"{where}: {error}") from None
    for group, value in arm.own.items():
        names = [f"{group}.{name}" for name in value] if isinstance(value, dict) else [group]
        for name in names if group != "merges" else ():
            if about := idle(name, recipe):
                raise SettingsError(f"{where}: '{name}' has no effect on {about}; leave it out")
