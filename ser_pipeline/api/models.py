"""Models: train, score and explain them, report on them, and predict with them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from ser_pipeline.api.places import CACHE, MANIFESTS, REPORTS, RUNS, SETTINGS_FILE
from ser_pipeline.errors import SettingsError
from ser_pipeline.manifest.probe_cache import Progress
from ser_pipeline.options import Recipe, configured, own_tasks
from ser_pipeline.records import PARTS
from ser_pipeline.runs.files import read_info
from ser_pipeline.runs.find import choose_runs, find_run
from ser_pipeline.runs.findings import findings_in
from ser_pipeline.runs.names import new_run
from ser_pipeline.runs.types import ALL_FOLDS, PartScores, RunInfo, RunScores

if TYPE_CHECKING:
    from ser_pipeline.datasets.prepare import Inputs
    from ser_pipeline.datasets.run_data import RunData
    from ser_pipeline.report import ReportSummary
    from ser_pipeline.runs.explanation import Explanation
    from ser_pipeline.serving.model import Model
    from ser_pipeline.serving.prediction import Prediction, PredictOptions, Unusable
    from ser_pipeline.training.recorder import EpochReport


@dataclass(frozen=True)
class ScoredRun:
    """A run that was trained or scored.

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
            SettingsError: no such part, or the split has none.
        """
        if name not in PARTS:
            raise SettingsError(f"part '{name}' does not exist; valid are {', '.join(PARTS)}")
        if name not in self.scores.parts:
            raise SettingsError(f"{self.info.name}: its split has no {name} part, only {self._parts()}")
        return self.scores.parts[name]

    def load(self) -> "Model":
        """The model of the run, ready to predict on recordings."""
        from ser_pipeline.serving.load import load_model

        return load_model(self.folder)

    def _parts(self) -> str:
        return ", ".join(self.scores.parts)

    def __repr__(self) -> str:
        """One line: name, and UAR by part."""
        shown = ", ".join(f"{part} {found.pooled.uar.value:.3f}" for part, found in self.scores.parts.items())
        return f"ScoredRun({self.info.name}: UAR {shown})"

    def _repr_html_(self) -> str:
        """A table for a notebook: scores by part, and what must be known of them."""
        from ser_pipeline.tables import html_table, table_of

        rows = [
            [part, each.clips, each.speakers, str(each.accuracy), str(each.uar), str(each.macro_f1)]
            for part, each in ((part, found.pooled) for part, found in self.scores.parts.items())
        ]
        columns = ["part", "clips", "speakers", "accuracy", "UAR", "macro-F1"]
        notes = [f"Split {self.info.split.name}: {self.info.split.note}."]
        if self.info.synthetic:
            notes.append(
                "Some of these recordings are synthetic voices: the scores say nothing of real speech."
            )
        return html_table(table_of(self.info.name, columns, rows, notes=notes))


class Watcher:
    """Is told how a training goes, and does nothing; derive from it to hear of what is of interest."""

    def clips_chosen(self, data: "RunData") -> None:
        """Training is about to begin on these clips; not for ``fold="all"``."""

    def fold_began(self, number: int, name: str) -> None:
        """A fold of ``fold="all"`` begins."""

    def folds_left_out(self, skipped: int, folds: int) -> None:
        """So many of all folds test none of the clips chosen."""

    def epoch_began(self, epoch: int, clips: int) -> None:
        """Epoch ``epoch``, counted from 1, begins; it has ``clips`` clips."""

    def step_done(self, clips: int) -> None:
        """A step with ``clips`` clips is done."""

    def epoch_done(self, report: "EpochReport") -> None:
        """An epoch is done and its files are written."""


QUIET: Final = Watcher()


def train(
    model: str | Recipe = "crnn",
    *,
    preset: str | None = None,
    name: str | None = None,
    manifests: str | Path = MANIFESTS,
    cache: str | Path = CACHE,
    runs: str | Path = RUNS,
    watcher: Watcher = QUIET,
    command: str = "",
    **changes: Any,
) -> ScoredRun:
    """Train a model on a cached store, and score every part.

    Args:
        model: name of a model, as in ``ser train NAME``, or a whole recipe.
        preset: settings to start from; None takes that of ``ser.toml``, or ``default``.
        name: of the run; None makes one up of time, model, task, split, seed and fold.
        manifests: folder of the manifest and its splits.
        cache: folder of the stores.
        runs: folder of the runs.
        watcher: is told what training sees, and of folds, steps and epochs.
        command: as typed, for the record.
        **changes: fields of :class:`ser_pipeline.options.Recipe`, each a value or a mapping of the
            fields below it, as in ``task="6class", train={"epochs": 3}``.

    Raises:
        SettingsError: a model, preset, field or value that does not exist.
        ManifestError: no manifest, or a foreign one; likewise SplitError and StoreMissing.
        TrainingError: training cannot start from these clips, or the device is not there.
        RunError: the name is taken, or cannot be a folder's.
        KeyboardInterrupt: Ctrl-C; :func:`resume` goes on.
    """
    from ser_pipeline.datasets.prepare import read_inputs
    from ser_pipeline.models import model_class

    recipe = model if isinstance(model, Recipe) else _recipe(model, preset, changes)
    model_class(recipe.model.name)  # a wrong name is said before anything is read
    own = own_tasks(SETTINGS_FILE)
    with new_run(Path(runs), recipe, name) as folder:
        inputs = read_inputs(recipe, manifests=Path(manifests), cache=Path(cache), own_tasks=own)
        return _fit_and_score(folder, inputs, watcher, command)


def _recipe(model: str, preset: str | None, changes: dict[str, Any]) -> Recipe:
    own = dict(changes.pop("model", {}))
    return configured(SETTINGS_FILE, preset, model={"name": model, **own}, **changes)


def resume(
    run: str | Path,
    *,
    manifests: str | Path = MANIFESTS,
    cache: str | Path = CACHE,
    runs: str | Path = RUNS,
    watcher: Watcher = QUIET,
    **train: Any,
) -> ScoredRun:
    """Go on with a run that was interrupted, or that is to have more epochs.

    Args:
        run: folder or name.
        manifests: folder of the manifest and its splits.
        cache: folder of the stores.
        runs: folder of the runs.
        watcher: is told what training sees, and of folds, steps and epochs.
        **train: fields of the training options that may change: epochs, device, devices, workers.

    Raises:
        RunError: no such run, or it began with other recordings or settings.
        SettingsError: a field that does not exist, or a value that does not fit.
    """
    from ser_pipeline.evaluation.run import inputs_of
    from ser_pipeline.options import TrainOptions, checked

    folder = find_run(run, Path(runs))
    info = read_info(folder)
    options = checked(TrainOptions, info.recipe.train.model_dump() | train, where="settings")
    changed = info.model_copy(update={"recipe": info.recipe.model_copy(update={"train": options})})
    inputs = inputs_of(changed, manifests=Path(manifests), cache=Path(cache), scoring=False)
    return _fit_and_score(folder, inputs, watcher, info.command)


def _fit_and_score(folder: Path, inputs: "Inputs", watcher: Watcher, command: str) -> ScoredRun:
    """Train in a run's folder what is not trained yet, and score every part."""
    from ser_pipeline.evaluation.run import keep_latency, score_folds, score_run
    from ser_pipeline.training.folds import train_folds
    from ser_pipeline.training.run import train_run

    fold = inputs.recipe.fold
    if fold == ALL_FOLDS:
        info = train_folds(
            inputs,
            folder,
            watcher,
            command=command,
            on_fold=watcher.fold_began,
            on_skipped=watcher.folds_left_out,
        )
        return ScoredRun(folder, info, score_folds(folder, inputs))
    data = inputs.run_data(fold)
    watcher.clips_chosen(data)
    info = train_run(data, folder, watcher, command=command)
    scores = score_run(folder, data)
    keep_latency(folder)
    return ScoredRun(folder, info, scores)


def evaluate(
    run: str | Path | None = None,
    *,
    manifests: str | Path = MANIFESTS,
    cache: str | Path = CACHE,
    runs: str | Path = RUNS,
    device: str = "auto",
) -> ScoredRun:
    """Predict and score a run anew from its network and the store; no audio is read.

    Args:
        run: folder or name; None takes the newest.
        manifests: folder of the manifest and the split it was trained on.
        cache: folder of the stores.
        runs: folder of the runs.
        device: ``auto``, ``cpu``, ``cuda`` or ``mps``.

    Raises:
        RunError: no such run, or it is incomplete, damaged, or belongs to other recordings.
        ManifestError: no manifest, or a foreign one; likewise SplitError and StoreMissing.
    """
    from ser_pipeline.evaluation.run import evaluate_run, keep_latency

    folder = find_run(run, Path(runs))
    scores = evaluate_run(folder, manifests=Path(manifests), cache=Path(cache), device=device)
    info = read_info(folder)
    if info.recipe.fold != ALL_FOLDS:
        keep_latency(folder)
    return ScoredRun(folder, info, scores)


def explain(
    run: str | Path | None = None,
    *,
    part: str = "test",
    repeats: int = 20,
    seed: int = 0,
    manifests: str | Path = MANIFESTS,
    cache: str | Path = CACHE,
    runs: str | Path = RUNS,
    device: str = "auto",
    on_progress: Progress = lambda done, total: None,
) -> "Explanation":
    """Tell which features a run decides by, and how each emotion moves them; writes ``explanation.json``.

    Args:
        run: folder or name; None takes the newest.
        part: that importance is measured on.
        repeats: permutations of each feature and group.
        seed: of permutations and intervals.
        manifests: folder of the manifest and the split it was trained on.
        cache: folder of the stores.
        runs: folder of the runs.
        device: ``auto``, ``cpu``, ``cuda`` or ``mps``.
        on_progress: called with how many permutations are done since, and how many there are.

    Raises:
        SettingsError: no such part.
        RunError: no such run, or one whose model does not learn from named features.
    """
    from ser_pipeline.evaluation.explain import explain_run

    if part not in PARTS:
        raise SettingsError(f"part '{part}' does not exist; valid are {', '.join(PARTS)}")
    return explain_run(
        find_run(run, Path(runs)),
        manifests=Path(manifests),
        cache=Path(cache),
        part=part,
        repeats=repeats,
        seed=seed,
        device=device,
        advance=on_progress,
    )


def make_report(
    names: Sequence[str] = (),
    *,
    manifests: str | Path = MANIFESTS,
    cache: str | Path = CACHE,
    runs: str | Path = RUNS,
    out: str | Path = REPORTS,
    pdf: bool = False,
) -> "ReportSummary":
    """Write the report of manifest, runs and experiments; needs no audio.

    Args:
        names: of the runs to show, each of which must be readable; none shows all that are.
        manifests: folder of the manifest and its splits.
        cache: folder of the stores.
        runs: folder of the runs.
        out: folder to write to.
        pdf: write each drawing as PDF too.

    Raises:
        ManifestError: the manifest is missing, foreign or broken.
        RunError: a run that was named does not exist or cannot be read.
        ReportError: ``out`` is a file.
    """
    from ser_pipeline.report.build import make_report as make

    return make(
        Path(manifests),
        choose_runs(Path(runs), names),
        Path(out),
        cache=Path(cache),
        experiments=findings_in(Path(runs)),
        strict=bool(names),
        pdf=pdf,
    )


def predict(
    recordings: str | Path | Iterable[str | Path],
    *,
    model: "str | Path | Model | None" = None,
    runs: str | Path = RUNS,
    options: "PredictOptions | None" = None,
    one_speaker: bool = False,
) -> "Prediction | list[Prediction | Unusable]":
    """Tell the emotion of recordings.

    Args:
        recordings: a file, for one prediction; several, for a list with one entry each.
        model: a run's folder or name, an ``.onnx`` file, or a loaded model; None takes the newest run.
        runs: folder of the runs.
        options: when to abstain, and the like.
        one_speaker: all recordings are of one person; for models that normalise by speaker.

    Raises:
        AudioError: the only recording cannot be used; one of several becomes an ``Unusable``.
        RunError: no model, or one that needs to know the speaker.
    """
    from ser_pipeline.serving.load import load_model
    from ser_pipeline.serving.model import Model
    from ser_pipeline.serving.prediction import PredictOptions

    loaded = model if isinstance(model, Model) else load_model(model, runs=Path(runs))
    how = PredictOptions() if options is None else options
    if isinstance(recordings, str | Path):
        return loaded.predict(recordings, how)
    return list(loaded.predict_many([Path(path) for path in recordings], how, one_speaker=one_speaker))
