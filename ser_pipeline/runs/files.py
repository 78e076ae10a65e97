"""The JSON files of a run's folder: one reader and one writer for all of them."""

import math
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

from pydantic import ValidationError

from ser_pipeline.atomic import write_atomically
from ser_pipeline.errors import RunError
from ser_pipeline.options import Options
from ser_pipeline.records import PARTS
from ser_pipeline.runs.types import LATENCY, SCORES, SETTINGS, Latency, PartScores, RunInfo, RunScores

if TYPE_CHECKING:
    import pyarrow as pa

R = TypeVar("R", bound=Options)

TRAIN_AGAIN: Final = "train it again"


def read_result(kind: type[R], path: Path, *, remedy: str = TRAIN_AGAIN) -> R:
    """Read one JSON result file.

    Args:
        kind: type of its content.
        path: of the file.
        remedy: how to make the file again, for the message.

    Raises:
        RunError: the file is missing, cannot be read, is not JSON, or was written by another version.
    """
    content = read_file(path, remedy)
    try:
        return kind.model_validate_json(content)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"])) or "file"
        raise RunError(f"{path}: {place}: {first['msg']}; written by another version? {remedy}") from error


def read_file(path: Path, remedy: str) -> bytes:
    """Read a file as it is; arguments as for :func:`read_result`.

    Raises:
        RunError: the file is missing, or cannot be read.
    """
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise RunError(f"{path}: not found; {remedy}") from None
    except OSError as error:
        raise RunError(
            f"{path}: cannot be read ({error.strerror}); check the disk and the file's permissions"
        ) from None


def read_table(path: Path, *, remedy: str, columns: Sequence[str] | None = None) -> "pa.Table":
    """Read one Parquet result file.

    Args:
        path: of the file.
        remedy: how to make the file again, for the message.
        columns: to read; None reads all.

    Raises:
        RunError: the file is missing or damaged.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return pq.read_table(path, columns=columns)
    except FileNotFoundError:
        raise RunError(f"{path}: not found; {remedy}") from None
    except (pa.ArrowException, OSError) as error:
        reason = str(error).partition("\n")[0]
        raise RunError(f"{path}: cannot be read: {reason}; {remedy}") from None


def write_result(path: Path, content: Options) -> None:
    """Write one JSON result file, whole or not at all.

    Raises:
        SerError: the folder cannot be written to, or the disk is full.
    """
    with write_atomically(path) as part:
        part.write_text(content.model_dump_json(indent=2) + "\n", encoding="utf-8", newline="\n")


def read_info(folder: Path) -> RunInfo:
    """Read the settings of a run.

    Raises:
        RunError: the file cannot be read, or was written by another version.
    """
    return read_result(RunInfo, folder / SETTINGS)


def finished_info(folder: Path) -> RunInfo:
    """Read the settings of a run whose training has ended: only such a run may be judged by its test part.

    Raises:
        RunError: its training has not ended; and as :func:`read_info`.
    """
    info = read_info(folder)
    if info.stopped is None:
        command = f"ser train --resume {shlex.quote(str(folder))}"
        raise RunError(f"{folder}: its training has not ended; continue with '{command}'")
    return info


def write_info(folder: Path, info: RunInfo) -> None:
    """Write the settings of a run.

    Raises:
        SerError: the folder cannot be written to, or the disk is full.
    """
    write_result(folder / SETTINGS, info)


def read_latency(folder: Path) -> Latency | None:
    """Read the time that one decision of a run takes; None where it was not measured.

    Raises:
        RunError: the file cannot be read, or was written by another version.
    """
    path = folder / LATENCY
    return read_result(Latency, path, remedy=score_again(folder)) if path.exists() else None


def score_again(folder: Path) -> str:
    """How to make the scores of a run again, for messages."""
    return f"score it again with 'ser evaluate {folder}'"


def read_scores(folder: Path, info: RunInfo) -> RunScores:
    """Read the scores of a run and check them against its settings.

    Raises:
        RunError: the file cannot be read, a score is not a finite number, a part does not exist, or
            the classes are not those of the run.
    """
    path = folder / SCORES
    try:
        scores = read_result(RunScores, path, remedy=score_again(folder))
    except RunError as error:
        if isinstance(error.__cause__, ValidationError) and (place := _lost(error.__cause__)):
            raise _lost_number(path, place) from None
        raise
    if place := _not_finite(scores.model_dump()):
        raise _lost_number(path, place)
    parts = scores.rated if info.recipe.target else scores.parts
    known = [part for part in PARTS if part in parts]
    if not known or len(known) != len(parts):
        raise RunError(
            f"{path}: has parts {', '.join(parts) or 'none'}, valid are {', '.join(PARTS)}; "
            f"{score_again(folder)}"
        )
    for part, found in scores.parts.items():
        _check_classes(folder, info, part, found)
    return scores


def final_scores(folder: Path, info: RunInfo) -> RunScores | None:
    """Read the scores of a run whose training has ended; None where it has not, or was not scored.

    Scores of a training that still goes on would be those of an epoch in passing.

    Raises:
        RunError: as :func:`read_scores`.
    """
    if info.stopped is None or not (folder / SCORES).exists():
        return None
    return read_scores(folder, info)


def write_scores(folder: Path, scores: RunScores) -> None:
    """Write the scores of a run.

    Raises:
        SerError: the folder cannot be written to, or the disk is full.
    """
    write_result(folder / SCORES, scores)


def _lost(error: ValidationError) -> str:
    """Place of the first null where a number belongs, as JSON writes NaN; empty if there is none."""
    for found in error.errors():
        value = found["input"]
        lost = value is None or (isinstance(value, float) and not math.isfinite(value))
        if lost and found["type"] in ("float_type", "int_type", "finite_number"):
            return ".".join(map(str, found["loc"]))
    return ""


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
        f"{path}: {place}: the scores are not finite numbers; {score_again(path.parent)} or {TRAIN_AGAIN}"
    )


def _check_classes(folder: Path, info: RunInfo, part: str, scores: PartScores) -> None:
    pooled = scores.pooled
    size = len(info.emotions)
    whole = [entry.emotion for entry in pooled.classes] == list(info.emotions)
    square = [len(row) for row in pooled.confusion] == [size] * size
    if not whole or not square or sum(map(sum, pooled.confusion)) != pooled.clips:
        raise RunError(
            f"{folder / SCORES}: {part}: classes and confusion do not fit the run's emotions "
            f"({', '.join(info.emotions)}); {score_again(folder)}"
        )
