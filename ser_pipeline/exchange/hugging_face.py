"""Data sets as ``datasets`` of Hugging Face loads them: a folder of recordings, or Parquet that holds them.

A folder (``audiofolder``) has ``metadata.csv``, ``metadata.jsonl`` or ``metadata.parquet`` with a column
``file_name``, or a folder for each label. Parquet has a column whose values hold the bytes of a recording and
its name. The names of folders or files say the parts.

References:
    https://huggingface.co/docs/datasets/audio_dataset
    https://huggingface.co/docs/hub/datasets-audio
"""

import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from ser_pipeline.corpora.files import is_recording, walk
from ser_pipeline.corpora.table_formats import cell_of
from ser_pipeline.corpora.tables import table_lines
from ser_pipeline.corpora.values import PART_OF
from ser_pipeline.errors import CorpusError, some
from ser_pipeline.exchange.items import (
    Foreign,
    Item,
    Places,
    Recordings,
    Row,
    by_part,
    columns_of,
    free_path,
    piece,
)
from ser_pipeline.exchange.table import fact_columns, told
from ser_pipeline.labels import EMOTIONS, OTHER
from ser_pipeline.remote.opening import holds_files

METADATA: Final = ("metadata.csv", "metadata.jsonl", "metadata.parquet")
FILE_NAME: Final = "file_name"
REST: Final = "rest"
"""Name of the split with the recordings of no part, where others are in one."""

SHARD_BYTES: Final = 256 << 20
"""A Parquet file takes further recordings until it holds this much audio."""

ROW_GROUP: Final = 100
"""Recordings that a reader of Parquet must hold at once."""

_NUMBERS: Final[Mapping[str, pa.DataType]] = {
    "age": pa.int64(), "fold": pa.int64(), "valence": pa.float64(), "arousal": pa.float64(),
    "dominance": pa.float64(), "agreement": pa.float64(), "naturalness": pa.float64(),
    "rated_intensity": pa.float64(),
}  # fmt: skip


def read_folder(path: Path, places: Places) -> Foreign:
    """Read a folder of recordings with metadata, or with a folder for each label.

    Raises:
        CorpusError: neither is there, or a table cannot be read.
    """
    tables = [found for name in METADATA for found in sorted(path.rglob(name))] if path.is_dir() else []
    if tables:
        odd: list[str] = []
        return Foreign([item for table in tables for item in _listed(table, path, odd)], remarks=odd)
    items = [] if not path.is_dir() else list(_by_folders(path))
    if not items:
        raise CorpusError(
            f"{path}: holds neither {', '.join(METADATA)} nor recordings in folders named like labels"
        )
    return Foreign(items)


def _listed(table: Path, root: Path, odd: list[str]) -> Iterator[Item]:
    """Lines of a table of metadata; ``odd`` takes what should be known of those that are not read in full."""
    met: list[str] = []
    lines = table_lines(table, met)
    odd += [f"{table.relative_to(root)}: {line}" for line in met]
    if FILE_NAME not in lines[0]:
        raise CorpusError(f"{table}: has no column {FILE_NAME!r} (found {some(list(lines[0]))})")
    columns = fact_columns(table, lines[0], path=FILE_NAME)
    beside, top = Places([table.parent]), Path(os.path.abspath(root))
    for line in lines:
        name = line[FILE_NAME].strip()
        folder = Path(os.path.abspath(table.parent / name)).parent
        part = part_in(folder.relative_to(top).as_posix()) if folder.is_relative_to(top) else ""
        facts = {"part": part, **told(line, columns)}
        yield Item(name, beside.find(name), facts)


def _by_folders(root: Path) -> Iterator[Item]:
    for folder in walk(root):
        for name in filter(is_recording, folder.files):
            path = folder.path / name
            if folder.path.name:
                facts = {"emotion": folder.path.name, "part": part_in(path.parent.parent.as_posix() + "/")}
                yield Item(path.as_posix(), root / path, facts)


def part_in(path: str) -> str:
    """The part that a path names by its first word for one; "" where it names none.

    Examples:
        >>> part_in("devel/a.wav"), part_in("data/test-00000-of-00001.parquet"), part_in("trainer/a.wav")
        ('validation', 'test', '')
    """
    words = re.split(r"[-._ /0-9]+", path.lower())
    return next((PART_OF[word] for word in words if word in PART_OF), "")


def read_parquet(path: Path, places: Places) -> Foreign:
    """Read Parquet that holds the recordings: one file, or all below a folder.

    Raises:
        CorpusError: there is none, or a file cannot be read or holds no recordings or labels.
    """
    files = [path] if path.is_file() else sorted(path.rglob("*.parquet"))
    if not files:
        raise CorpusError(f"{path}: holds no '*.parquet'")
    root = path.parent if path.is_file() else path
    for file in files:
        _columns(file)
    return Foreign(
        item for file in files for item in _rows(file, part_in(file.relative_to(root).as_posix()), places)
    )


def _columns(file: Path) -> tuple[str, dict[str, str], dict[str, list[str]]]:
    """The column of the recordings, fact -> column, and column -> names of its classes.

    Raises:
        CorpusError: the file cannot be read, or lacks recordings or labels.
    """
    try:
        schema = pq.read_schema(file)
    except (pa.ArrowException, OSError) as error:
        raise CorpusError(f"{file}: cannot be read as Parquet ({str(error).partition(chr(10))[0]})") from None
    audio = next((each.name for each in schema if holds_files(each.type)), None)
    if audio is None:
        raise CorpusError(
            f"{file}: no column holds recordings as 'bytes' and 'path' (found {some(schema.names)}); for a "
            "table that names files, the format is csv"
        )
    plain = {each.name: None for each in schema if not pa.types.is_nested(each.type)}
    return audio, fact_columns(file, {audio: None, **plain}, path=audio), _classes(schema)


def _classes(schema: pa.Schema) -> dict[str, list[str]]:
    try:
        features = json.loads((schema.metadata or {}).get(b"huggingface", b"{}"))["info"]["features"]
        return {
            name: list(map(str, each["names"]))
            for name, each in features.items()
            if each.get("_type") == "ClassLabel"
        }
    except (KeyError, TypeError, ValueError, AttributeError):
        return {}


def _rows(file: Path, part: str, places: Places) -> Iterator[Item]:
    audio, columns, classes = _columns(file)
    number = 0
    try:
        with pa.OSFile(str(file)) as source:
            batches = pq.ParquetFile(source).iter_batches(
                ROW_GROUP, columns=[*dict.fromkeys(columns.values())]
            )
            for line in (line for batch in batches for line in batch.to_pylist()):
                number += 1
                held = line.pop(audio) or {}
                texts = {name: _text(value, classes.get(name, ())) for name, value in line.items()}
                name = held.get("path") or f"{file.stem}-{number:06d}"
                place = None if held.get("bytes") else places.find(name)
                shown = f"{part}/{name}" if part and held.get("bytes") and part_in(name) != part else name
                yield Item(shown, place, {"part": part, **told(texts, columns)}, held.get("bytes"))
    except (pa.ArrowException, OSError) as error:
        raise CorpusError(
            f"{file}: row {number + 1} cannot be read ({str(error).partition(chr(10))[0]})"
        ) from None


def _text(value: Any, classes: Sequence[str]) -> str:
    if isinstance(value, int) and 0 <= value < len(classes):
        return classes[value]
    return cell_of(value)


def write_folder(folder: Path, rows: Sequence[Row], recordings: Recordings, name: str) -> None:
    """Write the recordings and ``metadata.parquet``, in a folder for each part; segments are cut out.

    ``datasets`` wants the same columns and types in all parts, and would have to guess them from CSV.
    """
    parts = by_part(rows, REST)
    facts = _facts(rows)
    kinds = [(FILE_NAME, pa.string()), *((fact, _NUMBERS.get(fact, pa.string())) for fact in facts)]
    for part, own in parts.items():
        place = folder / part
        lines = []
        for row in own:
            path, content = piece(row)
            path = free_path(place, path)
            (place / path).write_bytes(content)
            lines.append({FILE_NAME: path, **_values(row, facts)})
        pq.write_table(pa.Table.from_pylist(lines, pa.schema(kinds)), place / METADATA[-1])
    files = {part: f"{part}/**" for part in parts}
    (folder / "README.md").write_text(_card(rows, files), encoding="utf-8", newline="\n")


def write_parquet(folder: Path, rows: Sequence[Row], recordings: Recordings, name: str) -> None:
    """Write Parquet files that hold the recordings, some for each part; segments are cut out."""
    parts = by_part(rows, REST)
    labels = [label for label in (*EMOTIONS, OTHER) if any(row.facts["emotion"] == label for row in rows)]
    facts = [fact for fact in _facts(rows) if fact != "emotion"]
    schema = _schema(labels, facts)
    (folder / "data").mkdir()
    for part, own in parts.items():
        shards = _shards(own)
        for number, shard in enumerate(shards):
            path = folder / "data" / f"{part}-{number:05d}-of-{len(shards):05d}.parquet"
            with pq.ParquetWriter(path, schema, compression="zstd", write_page_checksum=True) as writer:
                for start in range(0, len(shard), ROW_GROUP):
                    lines = [_line(row, labels, facts) for row in shard[start : start + ROW_GROUP]]
                    writer.write_table(pa.Table.from_pylist(lines, schema))
    files = {part: f"data/{part}-*" for part in parts}
    (folder / "README.md").write_text(_card(rows, files), encoding="utf-8", newline="\n")


def _schema(labels: Sequence[str], facts: Sequence[str]) -> pa.Schema:
    """Columns, and what they mean in the words of ``datasets``."""
    features: dict[str, Any] = {
        "audio": {"_type": "Audio"},
        "emotion": {"names": list(labels), "_type": "ClassLabel"},
        **{
            fact: {
                "dtype": str(_NUMBERS.get(fact, pa.string())).replace("double", "float64"),
                "_type": "Value",
            }
            for fact in facts
        },
    }
    fields = [
        pa.field("audio", pa.struct([("bytes", pa.binary()), ("path", pa.string())])),
        pa.field("emotion", pa.int64()),
    ]
    fields += [pa.field(fact, _NUMBERS.get(fact, pa.string())) for fact in facts]
    return pa.schema(fields, {"huggingface": json.dumps({"info": {"features": features}})})


def _line(row: Row, labels: Sequence[str], facts: Sequence[str]) -> dict[str, Any]:
    path, content = piece(row)
    values: dict[str, Any] = {
        "audio": {"bytes": content, "path": path},
        "emotion": labels.index(row.facts["emotion"]),
    }
    return values | _values(row, facts)


def _values(row: Row, facts: Sequence[str]) -> dict[str, Any]:
    """Facts of a row, of which some are numbers; None where it has none."""
    values: dict[str, Any] = {}
    for fact in facts:
        text, kind = row.facts.get(fact), _NUMBERS.get(fact)
        values[fact] = text if not text or kind is None else int(text) if kind == pa.int64() else float(text)
    return values


def _shards(rows: Sequence[Row]) -> list[list[Row]]:
    """Rows in their order, in groups of about ``SHARD_BYTES``."""
    shards: list[list[Row]] = [[]]
    held = 0
    for row in rows:
        size = row.source.stat().st_size
        if row.segment is not None:  # which is cut out, mostly in samples of two bytes
            size = round(row.duration_s * row.sample_rate) * row.channels * 2
        if held and held + size > SHARD_BYTES:
            shards.append([])
            held = 0
        shards[-1].append(row)
        held += size
    return shards


def _facts(rows: Sequence[Row]) -> list[str]:
    """Facts that still hold where a segment is a recording by itself, in a folder that says its part."""
    return [fact for fact in columns_of(row.facts for row in rows) if fact not in ("start", "end", "part")]


def _card(rows: Sequence[Row], files: Mapping[str, str]) -> str:
    """The page of the data set, which also says where each part lies."""
    languages = sorted({row.facts["language"] for row in rows})
    corpora = sorted({row.corpus for row in rows})
    split = {REST: "train"} if list(files) == [REST] else {}
    return "\n".join(
        [
            "---",
            "task_categories:",
            "- audio-classification",
            "language:",
            *(f"- {json.dumps(language)}" for language in languages),
            "configs:",
            "- config_name: default",
            "  data_files:",
            *(
                f"  - split: {split.get(part, part)}\n    path: {json.dumps(path)}"
                for part, path in files.items()
            ),
            "---",
            "",
            f"Recordings of {', '.join(corpora)}, which keep the licences of these corpora.",
            "",
        ]
    )
