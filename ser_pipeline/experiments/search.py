"""Search the settings of one arm for the best validation score, with Optuna."""

import json
import math
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa

from ser_pipeline.atomic import write_parquet
from ser_pipeline.errors import SettingsError
from ser_pipeline.experiments.arms import Arm, Design
from ser_pipeline.experiments.cells import Cell, Ground, cell_of
from ser_pipeline.experiments.place import Places, all_records, only_one, read_record
from ser_pipeline.experiments.progress import State
from ser_pipeline.experiments.run import NO_TIME, Clock, Watcher, run_cell
from ser_pipeline.experiments.schedule import cost_of, rows_of, seconds_per_work, work_of
from ser_pipeline.experiments.spec import Among, SearchSpec
from ser_pipeline.options import merged
from ser_pipeline.records import PARTS
from ser_pipeline.runs.findings import experiment_folder
from ser_pipeline.splits import parts_for
from ser_pipeline.training.trackers import check_trackers

if TYPE_CHECKING:
    import optuna

TRIALS_TABLE: Final = "trials.parquet"

_SCHEMA: Final = pa.schema(
    [
        pa.field("trial", pa.int64(), nullable=False),
        pa.field("status", pa.string(), nullable=False),
        pa.field("reason", pa.string(), nullable=False),
        pa.field("validation_uar", pa.float64()),
        pa.field("seconds", pa.float64()),
        pa.field("key", pa.string(), nullable=False),
        pa.field("settings", pa.string(), nullable=False),
    ]
)


@dataclass(frozen=True)
class Trial:
    """One try.

    Attributes:
        number: counted from 1.
        values: field of a recipe, as ``train.learning_rate`` -> what was tried.
        cell: that was trained.
        state: how it ended.
    """

    number: int
    values: Mapping[str, Any]
    cell: Cell
    state: State

    @property
    def score(self) -> float | None:
        """Mean recall over the classes on validation clips; None where it did not come to an end."""
        return None if self.state.record is None else self.state.record.validation_uar


def search(
    design: Design,
    ground: Ground,
    places: Places,
    watcher: Watcher,
    *,
    command: str,
    trials: int | None = None,
    epochs: int | None = None,
    budget_s: float = math.inf,
    jobs: int = 1,
) -> list[Trial]:
    """Try settings one after another; each is a cell, so a trial that was done before is not trained again.

    The search draws from its own seed and from the scores so far alone: the same command goes on where it
    was stopped. Test clips are scored with each cell, as always, and not looked at.

    Args:
        design: of an experiment with ``[search]``.
        ground: the recordings.
        places: folders.
        watcher: is told of everything.
        command: as typed.
        trials: how many; None takes the file's.
        epochs: at most this many in every network.
        budget_s: wall time.
        jobs: processes that build stores.

    Returns:
        Every trial, in order; :func:`best` picks one.

    Raises:
        SettingsError: no ``[search]``, or a field, arm or protocol of it that does not exist; Optuna is not
            installed; the protocol has folds, or no validation clips.
        RunError: another process runs experiments in the same folder.
    """
    spec = _spec(design)
    deadline = time.monotonic() + budget_s
    clock = Clock(deadline, watcher)
    count = trials or spec.trials
    done: list[Trial] = []
    folder = experiment_folder(places.runs, design.experiment.name)
    with only_one(places.runs):
        for trial in _trials(_study(spec), design, ground, spec, epochs, count, done):
            watcher.began(trial.cell, count - trial.number + 1, _expected(done, count))
            state = State("not run", NO_TIME)
            if time.monotonic() < deadline or read_record(places.runs, trial.cell.key) is not None:
                work = work_of(trial.cell, ground)
                state = run_cell(
                    trial.cell, ground, places, watcher, clock, work=work, jobs=jobs, command=command
                )
            watcher.ended(trial.cell, state)
            done.append(replace(trial, state=state))
            _write(folder / TRIALS_TABLE, done)
            if state.reason == NO_TIME:
                break
    return done


def search_seconds(
    design: Design,
    ground: Ground,
    places: Places,
    *,
    trials: int | None = None,
    epochs: int | None = None,
    jobs: int = 1,
) -> tuple[int, float]:
    """Trials that a search has not done yet, and the seconds that they should take.

    Args and errors are those of :func:`search`. Each is taken for as large as the arm without changes.
    """
    spec = _spec(design)
    arm, protocol = _arm(design, spec)
    cell = _cell(design, ground, arm, protocol, {}, 0, epochs)
    cost = cost_of(cell, ground, places, seconds_per_work(all_records(places.runs)), {}, jobs=jobs)
    count = trials or spec.trials
    done: list[Trial] = []
    for trial in _trials(_study(spec), design, ground, spec, epochs, count, done):
        record = read_record(places.runs, trial.cell.key)
        if record is None:
            break
        done.append(replace(trial, state=State("done", record=record)))
    left = count - len(done)
    return left, left * cost.training + cost.building


def best(trials: list[Trial]) -> Trial | None:
    """The trial with the highest validation score, the first of equals; None where none came to an end."""
    scored = [trial for trial in trials if trial.score is not None]
    return max(scored, key=lambda trial: (trial.score, -trial.number), default=None)


def as_toml(values: Mapping[str, Any]) -> str:
    """Values as lines for ``ser.toml``.

    Examples:
        >>> print(as_toml({"train.learning_rate": 0.002, "model.dropout": 0.4, "train.loss": "focal"}))
        [model]
        dropout = 0.4
        <BLANKLINE>
        [train]
        learning_rate = 0.002
        loss = "focal"
    """
    groups: dict[str, list[str]] = {}
    for field, value in sorted(values.items()):
        group, _, name = field.rpartition(".")
        groups.setdefault(group, []).append(f"{name} = {json.dumps(value)}")
    return "\n\n".join(
        "\n".join([*([f"[{group}]"] if group else []), *lines]) for group, lines in groups.items()
    )


def _spec(design: Design) -> SearchSpec:
    spec = design.experiment.search
    if spec is None:
        raise SettingsError(f"experiment '{design.experiment.name}' has no [search]; add one to its file")
    return spec


def _study(spec: SearchSpec) -> "optuna.Study":
    try:
        import optuna
    except ImportError:
        raise SettingsError("a search needs Optuna; pip install 'ser-pipeline[search]'") from None
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    sampler = optuna.samplers.TPESampler(seed=spec.seed)
    return optuna.create_study(direction="maximize", sampler=sampler)


def _trials(
    study: "optuna.Study",
    design: Design,
    ground: Ground,
    spec: SearchSpec,
    epochs: int | None,
    count: int,
    done: list[Trial],
) -> Iterator[Trial]:
    """Ask for settings, and tell what came of them when the next ones are wanted."""
    arm, protocol = _arm(design, spec)
    for number in range(1, count + 1):
        asked = study.ask()
        values = {name: _drawn(asked, name, among) for name, among in spec.space.items()}
        cell = _cell(design, ground, arm, protocol, values, number, epochs)
        yield Trial(number, values, cell, State("not run"))
        score = done[-1].score
        if score is None:
            study.tell(asked, state=_failed())
        else:
            study.tell(asked, score)


def _failed() -> "optuna.trial.TrialState":
    from optuna.trial import TrialState

    return TrialState.FAIL


def _arm(design: Design, spec: SearchSpec) -> tuple[Arm, str]:
    where = f"experiment '{design.experiment.name}': search"
    protocol = spec.protocol or next(iter(design.experiment.protocols))
    if spec.arm not in design.names:
        raise SettingsError(f"{where}: there is no arm '{spec.arm}'; valid are {', '.join(design.names)}")
    if protocol not in design.experiment.protocols:
        known = ", ".join(design.experiment.protocols)
        raise SettingsError(f"{where}: there is no protocol '{protocol}'; valid are {known}")
    return design.names[spec.arm], protocol


def _drawn(asked: "optuna.Trial", name: str, among: Among) -> Any:
    if among.choices is not None:
        return asked.suggest_categorical(name, among.choices)
    low, high = among.ends()
    if among.whole:
        return asked.suggest_int(name, round(low), round(high), log=among.log)
    short = float(f"{asked.suggest_float(name, low, high, log=among.log):.4g}")
    return min(max(short, low), high)


def _cell(
    design: Design,
    ground: Ground,
    arm: Arm,
    protocol: str,
    values: Mapping[str, Any],
    number: int,
    epochs: int | None,
) -> Cell:
    """The arm with the values drawn."""
    drawn: dict[str, Any] = {}
    for field, value in values.items():
        group, _, name = field.rpartition(".")
        drawn = merged(drawn, {group: {name: value}} if group else {name: value})
    changed = replace(
        arm,
        name=f"{arm.name}, trial {number}",
        settings=merged(arm.settings, drawn),
        own=merged(arm.own, drawn),
    )
    cell = cell_of(design, ground, changed, protocol, design.experiment.seeds[0], epochs)
    where = f"experiment '{design.experiment.name}': search"
    if cell.problem:
        raise SettingsError(f"{where}: {cell.problem}")
    _check_chooses(cell, ground, f"{where}: protocol '{protocol}'")
    check_trackers(cell.recipe.train.log)
    return cell


def _check_chooses(cell: Cell, ground: Ground, where: str) -> None:
    """Make sure that there are validation clips to choose settings by, and that none is tested."""
    recipe, instead = cell.recipe, "choose a split without folds and with validation clips, such as 'speaker'"
    if recipe.fold is not None:
        raise SettingsError(
            f"{where} has folds, whose validation clips are test clips of other folds; {instead}"
        )
    parts = parts_for(ground.split(recipe.split), ground.manifest)
    if not (rows_of(recipe, ground.manifest.table) & (parts == PARTS.index("validation"))).any():
        raise SettingsError(
            f"{where}: split '{recipe.split}' has no validation clips of these recordings; {instead}"
        )


def _expected(done: list[Trial], count: int) -> float:
    """Seconds that the trials left should take; 0 before the first."""
    spent = [trial.state.record.seconds for trial in done if trial.state.record is not None]
    return sum(spent) / len(spent) * (count - len(done)) if spent else 0.0


def _write(path: Path, trials: list[Trial]) -> None:
    rows = [
        {
            "trial": trial.number,
            "status": trial.state.status,
            "reason": trial.state.reason,
            "validation_uar": trial.score,
            "seconds": None if trial.state.record is None else trial.state.record.seconds,
            "key": trial.cell.key,
            "settings": json.dumps(dict(trial.values), sort_keys=True),
        }
        for trial in trials
    ]
    write_parquet(path, pa.Table.from_pylist(rows, _SCHEMA))
