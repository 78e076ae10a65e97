"""Read ``settings.json`` and ``scores.json`` of a run, and refuse scores that cannot be shown."""

import math
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from ser_pipeline.errors import RunError
from ser_pipeline.records import PARTS
from ser_pipeline.results import PartScores, R, RunInfo, RunScores, read_result


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
