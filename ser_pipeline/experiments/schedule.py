"""Which cells are trained first, what they will cost, and how long an experiment may take."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from statistics import median
from types import MappingProxyType
from typing import Final

import pyarrow as pa

from ser_pipeline.arrays import Bools
from ser_pipeline.datasets.examples import chosen_rows
from ser_pipeline.datasets.prepare import Inputs
from ser_pipeline.errors import SerError, SettingsError
from ser_pipeline.experiments.cells import Cell, Ground
from ser_pipeline.experiments.place import CellRecord, Places, all_records
from ser_pipeline.experiments.progress import Need, Progress, State
from ser_pipeline.manifest.where import chosen_by
from ser_pipeline.options import MODELS, EmbeddingOptions, Recipe, StoreOptions, inputs_of
from ser_pipeline.processes import chosen_device
from ser_pipeline.runs.types import ALL_FOLDS
from ser_pipeline.store import build_seconds, build_store, encoder_size

NOT_ASKED: Final = "left out by --only"
TYPICAL_EPOCHS: Final = 80
"""After which early stopping has usually ended a training that may go on longer."""

_FIRST_GUESS: Final[Mapping[str, float]] = MappingProxyType(
    {"crnn": 0.01, "resnet": 0.02, "mhsa": 0.01, "cnn1d": 6e-4, "dnn": 1.5e-4,
     "probe": 0.003, "finetune": 0.19, "svm": 0.02, "logreg": 0.002, "gboost": 0.02}
)  # fmt: skip
"""Seconds per unit of work, one thread, where no cell of the model is done; finetune's of whisper-base."""

Wanted = tuple[StoreOptions, int]
"""Options of a store, and how many variants of each recording it holds; 0 for the recordings as they are."""


@dataclass(frozen=True, slots=True)
class Cost:
    """Seconds that a cell should take.

    Attributes:
        training: training and scoring.
        builds: (store, seconds) for what each of its stores lacks; cells of the same store pay it once.
    """

    training: float
    builds: tuple[tuple[Wanted, float], ...]

    @property
    def building(self) -> float:
        """What this cell's stores lack."""
        return sum(seconds for _, seconds in self.builds)

    @property
    def seconds(self) -> float:
        """What this cell takes if it comes first."""
        return self.training + self.building


def wanted_stores(recipe: Recipe) -> tuple[Wanted, ...]:
    """What must be in the cache before a recipe can be trained."""
    clean: list[Wanted] = [(_kept(part), 0) for part in recipe.parts]
    return (*clean, *((_kept(variants), recipe.train.copies) for variants in recipe.variants))


def _kept(options: StoreOptions) -> StoreOptions:
    """What a store is keyed by; of an encoder also where it lies, without which nothing can be computed."""
    return options if isinstance(inputs_of(options), EmbeddingOptions) else options.stored


def total(costs: Iterable[Cost]) -> float:
    """Seconds that some cells should take together."""
    builds: dict[Wanted, float] = {}
    training = 0.0
    for cost in costs:
        training += cost.training
        builds |= cost.builds
    return training + sum(builds.values())


def estimates(
    progress: Progress, places: Places, only: Sequence[str] = (), *, jobs: int = 1
) -> dict[str, Cost]:
    """Estimate every missing cell.

    Args:
        progress: its cells; those that ``only`` leaves out are marked.
        places: folders.
        only: patterns of arms to run, as ``dnn*``; none runs all.
        jobs: processes that build stores.

    Returns:
        Costs by key, in the experiment's order, of the cells that may be run.

    Raises:
        SettingsError: a pattern that no arm matches.
    """
    names = sorted({cell.arm for cell in progress.cells})
    chosen: set[str] = set()
    for pattern in only:
        named = arms_named(pattern, names)
        if not named:
            raise SettingsError(f"--only {pattern}: no arm has this name; valid are {'; '.join(names)}")
        chosen |= named
    rates = seconds_per_work(all_records(places.runs))
    builds: dict[Wanted, float] = {}
    found: dict[str, Cost] = {}
    for cell in progress.cells:
        if not cell.key or progress.states[cell.key].status != "not run" or cell.key in found:
            continue
        if only and cell.arm not in chosen:
            progress.states[cell.key] = State("not run", NOT_ASKED)
            continue
        found[cell.key] = cost_of(cell, progress.ground, places, rates, builds, jobs=jobs)
    return found


def arms_named(pattern: str, arms: Collection[str]) -> set[str]:
    """Arms that a pattern of ``--only`` names: the one of this very name, or those that fit.

    Examples:
        >>> sorted(arms_named("svm[c=1]", ["svm[c=1]", "svmc"])), sorted(arms_named("svm*", ["svm", "dnn"]))
        (['svm[c=1]'], ['svm'])
    """
    return {pattern} if pattern in arms else {arm for arm in arms if fnmatchcase(arm, pattern)}


def cost_of(
    cell: Cell,
    ground: Ground,
    places: Places,
    rates: Mapping[str, float],
    builds: dict[Wanted, float],
    *,
    jobs: int = 1,
) -> Cost:
    """Estimate one cell.

    Args:
        cell: to be trained.
        ground: the recordings.
        places: folders.
        rates: seconds per unit of work of each model.
        builds: seconds that stores take which were looked at before; the cell's are added.
        jobs: processes that build stores.
    """
    stores = wanted_stores(cell.recipe)
    for store in stores:
        if store not in builds:
            builds[store] = _build_seconds(ground, places, *store) / jobs
    training = work_of(cell, ground) * rates[cell.recipe.model.name]
    return Cost(training, tuple((store, builds[store]) for store in stores))


def _build_seconds(ground: Ground, places: Places, options: StoreOptions, copies: int) -> float:
    try:
        planned = build_store(
            ground.manifest, places.data, places.cache, options, copies=copies, dry_run=True
        )
    except SerError:
        return 0.0  # it is an error when a cell needs the store
    return build_seconds(options, planned.left)


def work_of(cell: Cell, ground: Ground) -> float:
    """Recordings to learn from, times folds, times epochs; a classifier has one."""
    recipe = cell.recipe
    folds = len(ground.split(recipe.split).folds) if recipe.fold == ALL_FOLDS else 1
    return work_in(recipe, ground.manifest.table, folds)


def work_in(recipe: Recipe, table: pa.Table, folds: int) -> float:
    """Recordings of a manifest to learn from, times folds, times epochs; an encoder counts by its size."""
    rows = rows_of(recipe, table)
    if recipe.train_corpora:
        rows = rows & chosen_rows(table, recipe.train_corpora, ())
    emotions = table["emotion_id"].to_numpy()
    rows = rows & (emotions >= 0) & (emotions < (4 if recipe.task == "4class" else 6))
    clips = int(rows.sum()) * recipe.train_share
    epochs = min(recipe.train.epochs, TYPICAL_EPOCHS) if recipe.model.architecture.by_epochs else 1
    size = encoder_size(recipe.embeddings) if recipe.model.architecture.inputs == "waves" else 1.0
    return max(1.0, float(clips * (1 + recipe.train.copies) * folds * epochs * size))


def rows_of(recipe: Recipe, table: pa.Table) -> Bools:
    """Recordings of a manifest that a recipe takes, shape ``(rows,)``."""
    return chosen_rows(table, recipe.corpora, recipe.languages) & chosen_by(table, recipe.where).rows


def training_seconds(inputs: Inputs, runs: Path) -> float:
    """Seconds that a run should take; 0 on a graphics card for a model of which no cell was trained here.

    Args:
        inputs: of the run.
        runs: folder of the runs, whose cells tell how long trainings take on this machine.
    """
    recipe, records = inputs.recipe, all_records(runs)
    known = {record.model for record in records}
    by_epochs = recipe.model.architecture.by_epochs
    if recipe.model.name not in known and by_epochs and chosen_device(recipe.train.device) != "cpu":
        return 0.0
    folds = len(inputs.split.folds) if recipe.fold == ALL_FOLDS else 1
    return work_in(recipe, inputs.manifest.table, folds) * seconds_per_work(records)[recipe.model.name]


def seconds_per_work(records: Sequence[CellRecord]) -> dict[str, float]:
    """Median seconds per unit of work of each model; a first guess where nothing was measured."""
    found: dict[str, list[float]] = {}
    for record in records:
        found.setdefault(record.model, []).append(record.seconds / record.work)
    return {
        model: median(found[model]) if model in found else _FIRST_GUESS.get(model, 0.01) for model in MODELS
    }


def ordered(tiers: Sequence[Sequence[Need]], costs: Mapping[str, float], seconds: float) -> list[str]:
    """Put cells in the order they are trained in.

    The claim whose missing cells cost least is completed first, then the one that costs least with
    these cells done, and so on, as long as it fits; a claim that cannot be completed waits. The
    claims of a tier come before those of the next. What time is left goes to cells that complete
    nothing, the cheapest first.

    Args:
        tiers: claims by the cells they need, most important tier first.
        costs: seconds that each missing cell is expected to take.
        seconds: that are left; infinite without a budget.

    Returns:
        Keys of the cells that are expected to fit.

    Examples:
        >>> ordered([[("a", "b"), ("c",)], [("d",)]], {"a": 9, "b": 1, "c": 5, "d": 2, "e": 1}, 100)
        ['c', 'a', 'b', 'd', 'e']
        >>> ordered([[("a", "b"), ("c",)], [("d",)]], {"a": 9, "b": 1, "c": 5, "d": 2, "e": 1}, 8)
        ['c', 'd', 'b']
    """
    queue: dict[str, None] = {}
    left = seconds
    for tier in tiers:
        waiting = [[key for key in need if key in costs] for need in tier]
        while waiting:
            missing = [[key for key in need if key not in queue] for need in waiting]
            price = [sum(costs[key] for key in need) for need in missing]
            best = min(range(len(price)), key=price.__getitem__)
            if price[best] > left:
                break
            queue |= dict.fromkeys(missing[best])
            left -= price[best]
            waiting.pop(best)
    for key in sorted(costs.keys() - queue.keys(), key=lambda key: (costs[key], key)):
        if costs[key] <= left:
            queue[key] = None
            left -= costs[key]
    return list(queue)
