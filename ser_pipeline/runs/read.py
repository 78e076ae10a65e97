"""Read runs: settings, scores, learning curves and predictions, finished or not."""

import csv
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pydantic import ValidationError

from ser_pipeline.arrays import Float64s, Int64s
from ser_pipeline.errors import RunError, some
from ser_pipeline.records import PARTS
from ser_pipeline.runs.explanation import EXPLANATION, Explanation, read_explanation
from ser_pipeline.runs.internals import (
    ATTENTION,
    EMBEDDINGS,
    AttendedClip,
    Embeddings,
    read_attention,
    read_embeddings,
)
from ser_pipeline.runs.types import (
    LATENCY,
    METRIC_COLUMNS,
    Latency,
    PartScores,
    R,
    RunInfo,
    RunScores,
    Unread,
    read_result,
)


def read_info(folder: Path) -> RunInfo:
    """Read the settings of a run.

    Raises:
        RunError: the file cannot be read, or was written by another version.
    """
    return _read(RunInfo, folder / "settings.json")


def read_scores(folder: Path, info: RunInfo) -> RunScores:
    """Read the scores of a run and check them against its settings.

    Raises:
        RunError: the file cannot be read, a score is not a finite number, a part does not exist, or
            the classes are not those of the run.
    """
    path = folder / "scores.json"
    try:
        scores = _read(RunScores, path)
    except RunError as error:
        if not isinstance(error.__cause__, OSError):
            _refuse_lost_number(path)
        raise
    if place := _not_finite(scores.model_dump()):
        raise _lost_number(path, place)
    known = [part for part in PARTS if part in scores.parts]
    if not known or len(known) != len(scores.parts):
        raise RunError(
            f"{path}: has parts {', '.join(scores.parts) or 'none'}, valid are "
            f"{', '.join(PARTS)}; score it again with 'ser evaluate {folder}'"
        )
    for part in known:
        _check_classes(folder, info, part, scores.parts[part])
    return scores


def _read(kind: type[R], path: Path) -> R:
    try:
        return read_result(kind, path)
    except OSError as error:
        raise RunError(f"{path}: cannot be read ({error.strerror}); check the disk and its rights") from error


def _refuse_lost_number(path: Path) -> None:
    """Tell null where a number belongs from a file of another form: JSON writes NaN as null."""
    try:
        RunScores.model_validate_json(path.read_bytes())
    except ValidationError as error:
        for found in error.errors():
            if found["type"] in ("float_type", "int_type", "finite_number") and _lost(found["input"]):
                raise _lost_number(path, ".".join(map(str, found["loc"]))) from None


def _lost(value: object) -> bool:
    return value is None or (isinstance(value, float) and not math.isfinite(value))


def _not_finite(value: Any, place: str = "") -> str:
    """Place of the first number that is NaN or infinite; empty where all are finite."""
    if isinstance(value, float):
        return "" if math.isfinite(value) else place
    if isinstance(value, dict):
        inner = list(value.items())
    else:
        inner = list(enumerate(value)) if isinstance(value, list | tuple) else []
    places = (_not_finite(entry, f"{place}.{key}" if place else str(key)) for key, entry in inner)
    return next(filter(None, places), "")


def _lost_number(path: Path, place: str) -> RunError:
    return RunError(
        f"{path}: {place}: the scores are not finite numbers; "
        f"score it again with 'ser evaluate {path.parent}' or train it again"
    )


def _check_classes(folder: Path, info: RunInfo, part: str, scores: PartScores) -> None:
    pooled = scores.pooled
    size = len(info.emotions)
    whole = [entry.emotion for entry in pooled.classes] == list(info.emotions)
    square = [len(row) for row in pooled.confusion] == [size] * size
    if not whole or not square or sum(map(sum, pooled.confusion)) != pooled.clips:
        raise RunError(
            f"{folder / 'scores.json'}: {part}: classes and confusion do not fit the run's emotions "
            f"({', '.join(info.emotions)}); score it again with 'ser evaluate {folder}'"
        )


WEIGHTS = ("model.safetensors", "model.skops")

Epoch = dict[str, float]
"""One line of ``metrics.csv``: what was measured, by column; a missing value is absent."""


@dataclass(frozen=True)
class Curve:
    """How one training went; ``name`` tells folds apart and is empty for a single training."""

    name: str
    epochs: tuple[Epoch, ...]

    def column(self, name: str) -> tuple[Float64s, Float64s]:
        """Epochs and values where ``name`` was measured, shape ``(epochs,)`` each."""
        held = [(epoch["epoch"], epoch[name]) for epoch in self.epochs if name in epoch]
        pairs = np.array(held, dtype=np.float64).reshape(-1, 2)
        return pairs[:, 0], pairs[:, 1]


@dataclass(frozen=True)
class Predictions:
    """Decisions on the clips of one part.

    Attributes:
        clips: utterance ids.
        target: true class of each clip, shape ``(clips,)``.
        predicted: decided class, shape ``(clips,)``.
        probabilities: shape ``(clips, classes)``.
    """

    clips: tuple[str, ...]
    target: Int64s
    predicted: Int64s
    probabilities: Float64s


@dataclass(frozen=True)
class Run:
    """A finished run.

    Attributes:
        tag: short name on the page, as ``R2``.
        path: its folder.
        info: its settings.
        scores: by part.
        curves: one per training.
        predictions: of the part that is shown, None where the run keeps none.
        model_bytes: size of the weights on disk, None where they are not there.
        explanation: what its features tell, None where it has not been explained.
        attended: clips with the attention over them; none where the run keeps none.
        embeddings: where the network puts clips, None where the run does not keep it.
        latency: time of one decision, None where it was not measured.
    """

    tag: str
    path: Path
    info: RunInfo
    scores: RunScores
    curves: tuple[Curve, ...]
    predictions: Predictions | None
    model_bytes: int | None
    explanation: Explanation | None = None
    attended: tuple[AttendedClip, ...] = ()
    embeddings: Embeddings | None = None
    latency: Latency | None = None

    @property
    def part(self) -> str:
        """The part whose scores are looked at closely: test where there is one."""
        return next(part for part in reversed(PARTS) if part in self.scores.parts)

    @property
    def shown(self) -> PartScores:
        """Scores of :attr:`part`."""
        return self.scores.parts[self.part]

    def scored(self, part: str) -> PartScores | None:
        """Scores of a part, None where the run has none."""
        return self.scores.parts.get(part)


@dataclass(frozen=True)
class Unfinished:
    """A run that shows no numbers; ``trained`` tells whether only the scoring is missing."""

    name: str
    info: RunInfo
    trained: bool


def choose_runs(folder: Path, names: Sequence[str] = ()) -> list[Path]:
    """Folders of the runs to show, oldest first; those whose settings cannot be read are last.

    Args:
        folder: where runs are.
        names: of runs in ``folder``, or paths to run folders; none chooses all of ``folder``.

    Raises:
        RunError: a name that is no run.
    """
    there = [path.parent for path in folder.glob("*/settings.json")]
    if not names:
        return sorted(there, key=_age)
    found: dict[Path, None] = {}
    for name in names:
        place = next(
            (path for path in (folder / name, Path(name)) if (path / "settings.json").is_file()), None
        )
        if place is None:
            known = some(sorted(run.name for run in there)) or "none yet"
            raise RunError(f"{folder / name}: no run of this name; in {folder} there are: {known}")
        found[place] = None
    return list(found)


def _age(folder: Path) -> tuple[bool, str, str]:
    try:
        return False, read_info(folder).created, folder.name
    except RunError:
        return True, "", folder.name  # the reason is given where the run is read to be shown


def read_runs(folders: Sequence[Path]) -> tuple[list[Run], list[Unfinished]]:
    """Read runs; one whose training has not ended, or that has no ``scores.json``, is unfinished.

    Raises:
        RunError: a result file that cannot be read or contradicts another; the message names the run.
    """
    finished: list[Run] = []
    unfinished: list[Unfinished] = []
    for folder in folders:
        _put(_read_one(folder, len(finished) + 1), finished, unfinished)
    return finished, unfinished


def read_sound_runs(folders: Sequence[Path]) -> tuple[list[Run], list[Unfinished], list[Unread]]:
    """Read runs as :func:`read_runs` does, but list those that cannot be read instead of raising."""
    finished: list[Run] = []
    unfinished: list[Unfinished] = []
    unread: list[Unread] = []
    for folder in folders:
        try:
            _put(_read_one(folder, len(finished) + 1), finished, unfinished)
        except RunError as error:
            unread.append(Unread("run", folder.name, str(error)))
    return finished, unfinished, unread


def _put(run: Run | Unfinished, finished: list[Run], unfinished: list[Unfinished]) -> None:
    if isinstance(run, Run):
        finished.append(run)
    else:
        unfinished.append(run)


def _read_one(folder: Path, number: int) -> Run | Unfinished:
    info = read_info(folder)
    ended = info.stopped is not None
    # scores of a training that still goes on are those of a passing epoch: never shown
    if not ended or not (folder / "scores.json").is_file():
        return Unfinished(folder.name, info, ended)
    scores = read_scores(folder, info)
    shown = [part for part in PARTS if part in scores.parts][-1]
    weights = [path for name in WEIGHTS if (path := folder / name).is_file()]
    return Run(
        tag=f"R{number}",
        path=folder,
        info=info,
        scores=scores,
        curves=read_curves(folder),
        predictions=_read_predictions(folder, info, shown, scores.parts[shown]),
        model_bytes=sum(path.stat().st_size for path in weights) or None,
        explanation=_read_explanation(folder, info),
        attended=_read_attended(folder, info),
        embeddings=_read_embeddings(folder, info),
        latency=read_result(Latency, folder / LATENCY) if (folder / LATENCY).is_file() else None,
    )


def _read_attended(folder: Path, info: RunInfo) -> tuple[AttendedClip, ...]:
    clips = tuple(read_attention(folder))
    _known(folder / ATTENTION, info, [label for clip in clips for label in (clip.target, clip.predicted)])
    return clips


def _read_embeddings(folder: Path, info: RunInfo) -> Embeddings | None:
    found = read_embeddings(folder)
    if found is not None:
        _known(folder / EMBEDDINGS, info, found.target.tolist())
    return found


def _known(path: Path, info: RunInfo, labels: Sequence[int]) -> None:
    if any(not 0 <= label < len(info.emotions) for label in labels):
        raise RunError(
            f"{path}: has classes that the run does not know; make it again with 'ser evaluate {path.parent}'"
        )


def _read_explanation(folder: Path, info: RunInfo) -> Explanation | None:
    found = read_explanation(folder)
    if found is not None and found.emotions != info.emotions:
        raise RunError(
            f"{folder / EXPLANATION}: is about {', '.join(found.emotions)}, the run about "
            f"{', '.join(info.emotions)}; explain it again with 'ser explain {folder}'"
        )
    return found


def read_curves(folder: Path) -> tuple[Curve, ...]:
    """Read ``metrics.csv`` of a run, or of each fold in a folder of its own.

    Raises:
        RunError: a file with other columns, or a value that is no number.
    """
    alone = folder / "metrics.csv"
    if alone.is_file():
        return (Curve("", _read_epochs(alone)),)
    return tuple(Curve(path.parent.name, _read_epochs(path)) for path in sorted(folder.glob("*/metrics.csv")))


def _read_epochs(path: Path) -> tuple[Epoch, ...]:
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
    except UnicodeDecodeError as error:
        raise RunError(f"{path}: not a text file ({error.reason}); train the run again") from None
    except (OSError, csv.Error) as error:
        raise RunError(f"{path}: cannot be read ({error}); train the run again") from None
    if rows and not {"epoch", "train_loss"} <= rows[0].keys():
        raise RunError(f"{path}: needs the columns {', '.join(METRIC_COLUMNS)}; train the run again")
    epochs: list[Epoch] = []
    for number, row in enumerate(rows, start=2):
        if None in row or None in row.values():  # how `csv` marks too many and too few
            raise RunError(f"{path}: line {number}: not one value per column; train the run again")
        try:
            values = {key: float(value) for key, value in row.items() if value}
        except ValueError as error:
            raise RunError(f"{path}: line {number}: {error}; train the run again") from None
        epochs.append({key: value for key, value in values.items() if math.isfinite(value)})
    return tuple(epoch for epoch in epochs if "epoch" in epoch)


def _read_predictions(folder: Path, info: RunInfo, part: str, scores: PartScores) -> Predictions | None:
    path = folder / "predictions.parquet"
    if not path.is_file():
        return None
    columns = ["utterance_id", "part", "target", "predicted", *(f"p_{name}" for name in info.emotions)]
    again = f"score it again with 'ser evaluate {folder}'"
    try:
        table = pq.read_table(path)
        rows = table.filter(pc.equal(table["part"], part)).select(columns)
        predictions = Predictions(
            clips=tuple(rows["utterance_id"].to_pylist()),
            target=rows["target"].to_numpy().astype(np.int64),
            predicted=rows["predicted"].to_numpy().astype(np.int64),
            probabilities=np.column_stack([rows[name].to_numpy() for name in columns[4:]]).astype(np.float64),
        )
    except (pa.ArrowException, OSError, KeyError, ValueError) as error:
        first = str(error).splitlines()[0]
        raise RunError(f"{path}: cannot be read ({first}); {again}") from None
    if not _agree(predictions, scores):
        raise RunError(f"{path}: its {part} decisions are not those that scores.json counts; {again}")
    return predictions


def _agree(predictions: Predictions, scores: PartScores) -> bool:
    expected = np.array(scores.pooled.confusion)
    counted = np.zeros_like(expected)
    for index in (predictions.target, predictions.predicted):
        if len(index) and not 0 <= index.min() <= index.max() < len(expected):
            return False
    np.add.at(counted, (predictions.target, predictions.predicted), 1)
    return bool((counted == expected).all())
