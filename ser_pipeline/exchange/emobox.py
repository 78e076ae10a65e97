"""JSON lines of EmoBox: one object for each recording, in folders for the folds of an evaluation.

``NAME.jsonl`` has all recordings, ``label_map.json`` says what labels mean, and the files
``fold_1/NAME_train_fold_1.jsonl``, ``..._valid_...`` and ``..._test_...`` are the parts of the first fold.
The keys are ``key``, ``dataset``, ``wav``, ``type``, ``sample_rate``, ``num_frame``, ``task``, ``length``,
``emo`` and ``channel``, and for a segment ``start_time`` and ``end_time``; EmoBox passes over others.

References:
    https://github.com/emo-box/EmoBox
"""

import json
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from ser_pipeline.corpora.tables import read_text, table_lines
from ser_pipeline.errors import CorpusError
from ser_pipeline.exchange.items import Foreign, Item, Places, Recordings, Row

LABEL_MAP: Final = "label_map.json"
KEYS: Final[Mapping[str, str]] = {"emotion": "emo", "start": "start_time", "end": "end_time"}
"""Fact -> key of EmoBox; other facts have keys of their own names."""

MORE: Final = ("speaker", "gender", "age", "language", "text", "session", "sentence")
"""Facts that EmoBox has no key for, and that are written nevertheless."""

PARTS: Final[Mapping[str, str]] = {"train": "train", "validation": "valid", "test": "test"}
"""Part -> word in the name of its file."""

LABELS: Final[Mapping[str, str]] = {
    "anger": "Angry", "happiness": "Happy", "neutral": "Neutral", "sadness": "Sad", "fear": "Fear",
    "surprise": "Surprise", "disgust": "Disgust", "other": "Other",
}  # fmt: skip
"""Emotion -> its name in the label maps of EmoBox; others are written with a capital."""

_FOLD: Final = re.compile(r"_(train|valid|test)_fold_?(\d+)\.jsonl")


def read(path: Path, places: Places) -> Foreign:
    """Read one file of JSON lines, or the folder of a data set with its folds.

    One fold gives parts. Of several, the one in which a recording is tested is its fold.

    Raises:
        CorpusError: there are no JSON lines, or they lack ``wav`` or ``emo``.
    """
    files = [path] if path.is_file() else sorted(path.rglob("*.jsonl"))
    if not files:
        raise CorpusError(f"{path}: holds no '*.jsonl'")
    lines: dict[tuple[str, ...], dict[str, str]] = {}
    folds: dict[tuple[str, ...], list[tuple[str, str]]] = defaultdict(list)
    for file in files:
        for line in table_lines(file):
            if not {"wav", "emo"} <= set(line):
                raise CorpusError(f"{file}: a line of EmoBox has 'wav' and 'emo' (found {', '.join(line)})")
            key = tuple(line.get(name, "") for name in ("wav", "start_time", "end_time"))
            lines.setdefault(key, {**line})
            if found := _FOLD.search(file.name):
                folds[key].append((found[1], found[2]))
    several = len({number for seen in folds.values() for _, number in seen}) > 1
    items = [
        Item(line["wav"], places.find(line["wav"]), {**_facts(line), **_part(folds[key], several)})
        for key, line in lines.items()
    ]
    return Foreign(items, labels=_labels(path.parent if path.is_file() else path))


def _facts(line: Mapping[str, str]) -> dict[str, str]:
    return {fact: line.get(KEYS.get(fact, fact), "") for fact in (*KEYS, *MORE)}


def _part(seen: Sequence[tuple[str, str]], several: bool) -> dict[str, str]:
    names = {word: part for part, word in PARTS.items()}
    if not several:
        return {"part": names[seen[0][0]]} if seen else {}
    return {"fold": next((number for part, number in seen if part == "test"), "")}


def _labels(folder: Path) -> dict[str, str]:
    """What a data set says of its labels; nothing where it says nothing.

    Raises:
        CorpusError: its label map is not a JSON object of texts.
    """
    path = next(
        (place / LABEL_MAP for place in (folder, folder.parent) if (place / LABEL_MAP).is_file()), None
    )
    if path is None:
        return {}
    try:
        return {str(label): str(word) for label, word in json.loads(read_text(path)).items()}
    except (AttributeError, CorpusError, ValueError) as error:
        raise CorpusError(f"{path}: is not a JSON object of labels ({error})") from None


def write(folder: Path, rows: Sequence[Row], recordings: Recordings, name: str) -> None:
    """Write ``NAME.jsonl``, ``label_map.json``, and the parts as the first fold; paths are relative to it."""
    lines = [_line(row, recordings, name) for row in rows]
    _write_lines(folder / f"{name}.jsonl", lines)
    labels = sorted({row.facts["emotion"] for row in rows})
    meant = {label: LABELS.get(label, label.capitalize()) for label in labels}
    (folder / LABEL_MAP).write_text(json.dumps(meant, indent=4), encoding="utf-8", newline="\n")
    for part, word in PARTS.items():
        own = [line for line, row in zip(lines, rows, strict=True) if row.facts.get("part") == part]
        if own:
            (folder / "fold_1").mkdir(exist_ok=True)
            _write_lines(folder / "fold_1" / f"{name}_{word}_fold_1.jsonl", own)


def _line(row: Row, recordings: Recordings, name: str) -> dict[str, Any]:
    line: dict[str, Any] = {
        "key": row.name,
        "dataset": name,
        "wav": recordings.relative(row),
        "type": "raw",
        "sample_rate": row.sample_rate,
        "num_frame": round(row.duration_s * row.sample_rate),
        "task": "category",
        "length": row.duration_s,
        "emo": row.facts["emotion"],
        "channel": 1,
    }
    if row.segment is not None:
        start = row.segment.start_s
        line |= {"start_time": start, "end_time": row.segment.end_s or round(start + row.duration_s, 3)}
    return line | {fact: row.facts[fact] for fact in MORE if fact in row.facts}


def _write_lines(path: Path, lines: Sequence[Mapping[str, Any]]) -> None:
    text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
    path.write_text(text, encoding="utf-8", newline="\n")
