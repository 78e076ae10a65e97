"""From a feature store to a trained and scored run."""

import os
import shlex
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

from ser_pipeline.api.places import CACHE, MANIFESTS, RUNS, SETTINGS_FILE, Place
from ser_pipeline.errors import OutOfTimeError, SettingsError
from ser_pipeline.options import (
    ENSEMBLE,
    ModelOptions,
    Recipe,
    TrainOptions,
    checked,
    merged,
    own_tasks,
)
from ser_pipeline.options.made import chosen_recipe, nested
from ser_pipeline.records import PARTS
from ser_pipeline.runs.files import read_info
from ser_pipeline.runs.find import find_run
from ser_pipeline.runs.folder import held
from ser_pipeline.runs.names import new_run
from ser_pipeline.runs.ratings import RatedPart
from ser_pipeline.runs.types import ALL_FOLDS, PartScores, RunInfo, RunScores
from ser_pipeline.tables.cells import plural

if TYPE_CHECKING:
    from ser_pipeline.datasets.prepare import Inputs
    from ser_pipeline.runs.curves import EpochReport
    from ser_pipeline.serving.model import Model
    from ser_pipeline.training.logged import Logged

T = TypeVar("T")

MAY_CHANGE: Final = ("epochs", "device", "devices", "data_on", "workers", "log")
"""Settings of training that may change when a run goes on; all else stays as the run began."""


@dataclass(frozen=True, repr=False)
class ScoredRun(os.PathLike[str]):
    """A run that was trained or scored; wherever a run is asked for, it can be given itself.

    Attributes:
        folder: of the run.
        info: its settings: all that repeats it.
        scores: by part.
    """

    folder: Path
    info: RunInfo
    scores: RunScores

    def part(self, name: str = "test") -> PartScores:
        """Scores of one part.

        Raises:
            SettingsError: no such part, the split has none, or the run tells no emotions.
        """
        return _part(self.scores.parts, name, self.info)

    def rated(self, name: str = "test") -> RatedPart:
        """Scores of one part of a run whose targets are ratings; raises as :meth:`part`."""
        return _part(self.scores.rated, name, self.info)

    def load(self) -> "Model":
        """The model of the run, ready to predict on recordings.

        Raises:
            RunError: the model is damaged, or there is one for each fold.
        """
        from ser_pipeline.serving.load import load_model

        return load_model(self.folder)

    def __fspath__(self) -> str:
        """The folder."""
        return str(self.folder)

    def __repr__(self) -> str:
        """One line: name, and UAR, or mean concordance, by part."""
        return f"ScoredRun({self.info.name}: {self.scores.by_part})"

    def _repr_html_(self) -> str:
        """A table for a notebook: scores by part, and what must be known of them."""
        from ser_pipeline.tables import html_table

        notes = [f"Split {self.info.split.name}: {self.info.split.note}"]
        if self.info.synthetic:
            notes.append(
                "Some or all of these recordings are synthetic voices: the scores say nothing about real "
                "speech."
            )
        return html_table(self.scores.table(self.info.name, notes), sortable=False)


def _part(parts: Mapping[str, T], name: str, info: RunInfo) -> T:
    if name not in PARTS:
        raise SettingsError(f"part '{name}' does not exist; valid are {', '.join(PARTS)}")
    if not parts:
        raise SettingsError(f"{info.name}: part() has scores of emotions, rated() of ratings; use the other")
    if name not in parts:
        raise SettingsError(f"{info.name}: its split has no {name} part, only {', '.join(parts)}")
    return parts[name]


class Watcher:
    """Is told how a training goes; derive from it to hear of what is of interest."""

    def planned(self, inputs: "Inputs") -> None:
        """What a new run learns from is read, and nothing is trained yet; an error ends it here."""

    def note(self, sentence: str) -> None:
        """What training sees and what it does not, or which fold begins."""

    def warn(self, sentence: str) -> None:
        """Something went wrong without ending the training; this one says it as a warning of Python."""
        warnings.warn(sentence, stacklevel=2)

    def epoch_began(self, epoch: int, clips: int) -> None:
        """Epoch ``epoch``, counted from 1, begins; it has ``clips`` clips."""

    def step_done(self, clips: int) -> None:
        """A step with ``clips`` clips is done."""

    def epoch_done(self, report: "EpochReport") -> None:
        """An epoch is done and its files are written."""


QUIET: Final = Watcher()


def train(
    model: str | Mapping[str, Any] | Recipe | None = None,
    *,
    preset: str | None = None,
    name: str | None = None,
    manifests: Place = MANIFESTS,
    cache: Place = CACHE,
    runs: Place = RUNS,
    settings: Place | None = SETTINGS_FILE,
    watcher: Watcher = QUIET,
    command: str | None = None,
    **changes: Any,
) -> ScoredRun:
    """Train a model on a cached store, and score every part.

    Args:
        model: name of a model, as in ``ser train NAME``; its options, with ``name`` among them; or a
            whole recipe, which takes the place of preset and settings file. None takes the model that
            the settings file names, or the best that the stores at hand allow.
        preset: ``default`` or ``paper``; None takes that of the settings file.
        name: of the run; None makes one up of time, model, task, split, seed and fold.
        manifests: folder of the manifest and its splits.
        cache: folder of the stores.
        runs: folder of the runs.
        settings: settings file with tasks of one's own, which may be missing; None reads none.
        watcher: is told what training sees, and of folds, steps and epochs.
        command: for the record; None writes this call down.
        **changes: settings by their own names, or by the fields of :class:`ser_pipeline.options.Recipe`:
            ``task="6class", epochs=3`` is ``task="6class", train={"epochs": 3}``. ``fold="all"`` trains
            every fold.

    Raises:
        SettingsError: a setting that does not exist, does not fit, or has no effect on the model; a tracker
            whose library is not installed.
        LabelError: a task, an emotion or a merge that does not exist.
        ManifestError: the manifest is missing or of other recordings; SplitError and StoreMissing alike.
        TrainingError: training cannot start from these clips, or the device is not available.
        RunError: the name is taken, or cannot be a folder's.
        KeyboardInterrupt: Ctrl-C; :func:`resume` continues.
    """
    from ser_pipeline.datasets.prepare import read_inputs
    from ser_pipeline.models.build import model_class
    from ser_pipeline.training.trackers import check_trackers

    file = None if settings is None else Path(settings)
    if model is None and "model" not in changes:
        from ser_pipeline.api.data import recommended

        recipe, why = recommended(
            lambda **fields: chosen_recipe(preset=preset, settings=file, **merged(fields, nested(changes))),
            manifests=manifests, cache=cache, settings=settings,
        )  # fmt: skip
        if why:
            watcher.note(why)
    else:
        recipe = chosen_recipe(model, preset=preset, settings=file, **changes)
    if recipe.model.name == ENSEMBLE:
        raise SettingsError("an ensemble is made of runs: name two or more, as in ser train ensemble RUN RUN")
    model_class(recipe.model.name)  # a wrong name is said before anything is read
    check_trackers(recipe.train.log)
    own = {} if file is None else own_tasks(file)
    with new_run(Path(runs), recipe, name) as folder:
        inputs = read_inputs(recipe, manifests=Path(manifests), cache=Path(cache), own_tasks=own)
        watcher.planned(inputs)
        call = command or _call(model, preset, changes)
        with held(folder):
            return _trained(folder, inputs, watcher, call)


def ensemble(
    members: Sequence[Place],
    *,
    name: str | None = None,
    log: Sequence[str] | str = (),
    manifests: Place = MANIFESTS,
    runs: Place = RUNS,
    watcher: Watcher = QUIET,
    command: str | None = None,
) -> ScoredRun:
    """Average the calibrated probabilities of finished runs; the result is a run like any other.

    The members' weights, and temperature and threshold of the average, are learned from their validation
    clips alone. No store is read. The members stay where they are, and are needed to predict.

    Args:
        members: two or more runs of one task, manifest, split and fold, by folder or name; runs of all folds
            make an ensemble of each fold.
        name: of the run; None makes one up.
        log: trackers that its scores are logged to.
        manifests: folder of the manifest that they were trained on.
        runs: folder of the runs.
        watcher: is told of trackers that fail.
        command: for the record; None writes this call down.

    Raises:
        SettingsError: fewer than two different runs, or a tracker whose library is not installed.
        RunError: no such run, one that is not finished, or one that is not like the others; the name is
            taken, or cannot be a folder's.
        ManifestError: no manifest, or a foreign one.
    """
    from ser_pipeline.evaluation.ensemble import make_ensemble
    from ser_pipeline.runs.files import read_scores
    from ser_pipeline.training.logged import Logged
    from ser_pipeline.training.trackers import check_trackers

    trackers = checked(TrainOptions, {"log": log}, where="settings").log
    check_trackers(trackers)
    folders = [find_run(Path(member), Path(runs)) for member in members]
    first = read_info(folders[0]).recipe if folders else Recipe()
    recipe = first.model_copy(update={"model": ModelOptions(name=ENSEMBLE)})
    call = command or f"ensemble({[os.fspath(member) for member in members]!r})"
    with new_run(Path(runs), recipe, name) as folder, Logged(folder, trackers, watcher):
        info = make_ensemble(folder, folders, manifests=Path(manifests), command=call)
        return timed(ScoredRun(folder, info, read_scores(folder, info)))


def _call(model: object, preset: str | None, changes: Mapping[str, Any]) -> str:
    """The call as Python.

    Examples:
        >>> _call("crnn", None, {"teacher": Path("runs/a")})
        "train('crnn', teacher='runs/a')"
    """
    given = {"preset": preset, **changes} if preset else changes
    told = {key: os.fspath(each) if isinstance(each, os.PathLike) else each for key, each in given.items()}
    first = [] if model is None else ["recipe" if isinstance(model, Recipe) else repr(model)]
    return f"train({', '.join([*first, *(f'{key}={value!r}' for key, value in told.items())])})"


def resume(
    run: Place,
    *,
    manifests: Place = MANIFESTS,
    cache: Place = CACHE,
    runs: Place = RUNS,
    watcher: Watcher = QUIET,
    **changes: Any,
) -> ScoredRun:
    """Go on with a run that was interrupted, or that is to have more epochs; score every part.

    Where another process trains or scores the run, this one tells ``watcher`` and waits.

    Args:
        run: folder or name.
        manifests: folder of the manifest and its splits.
        cache: folder of the stores.
        runs: folder of the runs.
        watcher: is told what training sees, and of folds, steps and epochs.
        **changes: settings that may change: epochs, device, devices, data_on, workers, log.

    Raises:
        RunError: no such run, or it began with other recordings or settings.
        SettingsError: a setting that may not change, or a value that does not fit; fewer epochs than are
            done; a tracker whose library is not installed.
        ManifestError: the manifest is missing or of other recordings; SplitError and StoreMissing alike.
        KeyboardInterrupt: Ctrl-C; another call continues.
    """
    folder = find_run(Path(run), Path(runs))
    with held(folder, watcher.note):
        return _resumed(folder, Path(manifests), Path(cache), watcher, nested(changes))


def _resumed(folder: Path, manifests: Path, cache: Path, watcher: Watcher, said: dict[str, Any]) -> ScoredRun:
    from ser_pipeline.evaluation.run import inputs_of
    from ser_pipeline.training.run import epochs_done
    from ser_pipeline.training.trackers import check_trackers

    info = read_info(folder)
    given = said.pop("train", {})
    fixed = [*said, *(f"train.{name}" for name in given if name not in MAY_CHANGE)]
    if fixed:
        raise SettingsError(
            f"{fixed[0]}: a run continues with the settings it started with; "
            f"only {', '.join(MAY_CHANGE)} may change"
        )
    options = checked(TrainOptions, info.recipe.train.model_dump() | given, where="settings")
    check_trackers(options.log)
    if options.epochs < (done := epochs_done(folder)):
        raise SettingsError(
            f"{folder}: {plural(done, 'epoch is', 'epochs are')} done, so that epochs = {options.epochs} is "
            f"too few; give {done} to end the training there, or more to continue"
        )
    changed = info.model_copy(update={"recipe": info.recipe.model_copy(update={"train": options})})
    inputs = inputs_of(changed, manifests=manifests, cache=cache, scoring=False)
    return _trained(folder, inputs, watcher, info.command)


def fit_and_score(
    folder: Path, inputs: "Inputs", watcher: Watcher = QUIET, *, command: str, title: str = ""
) -> ScoredRun:
    """Train in a run's folder what is not trained yet, every fold if the recipe says so, and score it.

    Args:
        folder: of the run; made where it is missing.
        inputs: recipe, manifest, split and store.
        watcher: is told what training sees, and of folds, steps and epochs.
        command: for the record.
        title: that trackers show the run by; "" for the name of its folder.

    Raises:
        TrainingError: training cannot start from these clips, or the device is not available.
        RunError: the split has no folds, or the folder holds another run.
        KeyboardInterrupt: Ctrl-C; another call continues.
    """
    from ser_pipeline.training.logged import Logged

    with Logged(folder, inputs.recipe.train.log, watcher, title) as logged:
        return (_fit_folds if inputs.recipe.fold == ALL_FOLDS else _fit)(folder, inputs, logged, command)


def _fit_folds(folder: Path, inputs: "Inputs", logged: "Logged", command: str) -> ScoredRun:
    from ser_pipeline.evaluation.run import score_folds
    from ser_pipeline.training.folds import train_folds

    info = train_folds(inputs, folder, logged, command=command, on_note=logged.note)
    return ScoredRun(folder, info, score_folds(folder, inputs))


def _fit(folder: Path, inputs: "Inputs", logged: "Logged", command: str) -> ScoredRun:
    from ser_pipeline.evaluation.run import score_run
    from ser_pipeline.training.run import train_run, unfinished
    from ser_pipeline.training.teacher import taught

    data = inputs.run_data(inputs.recipe.fold)
    if unfinished(folder, data.recipe):
        data = taught(inputs, data, folder.parent)
    for sentence in data.remarks():
        logged.note(sentence)
    info = train_run(data, folder, logged, command=command)
    for sentence in filter(None, (info.layers, info.taught)):
        logged.note(sentence)
    return ScoredRun(folder, info, score_run(folder, data))


def _trained(folder: Path, inputs: "Inputs", watcher: Watcher, command: str) -> ScoredRun:
    try:
        run = timed(fit_and_score(folder, inputs, watcher, command=command))
    except (KeyboardInterrupt, OutOfTimeError) as error:
        error.add_note(f"continue with ser train --resume {shlex.quote(str(folder))}")
        raise
    if run.info.recipe.fold != ALL_FOLDS:
        with_graph(folder)
    return run


def with_graph(folder: Path) -> None:
    """Write the graph of a run, where that costs little, so that its predictions start without torch."""
    from ser_pipeline.serving.export import keep_graph

    keep_graph(folder)


def timed(run: ScoredRun) -> ScoredRun:
    """The same run, after the time of a decision was measured; a run of all folds has no model of its own."""
    from ser_pipeline.evaluation.run import keep_latency

    if run.info.recipe.fold != ALL_FOLDS:
        keep_latency(run.folder)
    return run
