"""Write recordings of a manifest in the format of another tool."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pyarrow as pa

from ser_pipeline.atomic import whole_folder
from ser_pipeline.errors import ManifestError, SettingsError, some
from ser_pipeline.exchange.formats import checked_format
from ser_pipeline.exchange.items import TOLD, VOTES, Recordings, Row
from ser_pipeline.labels import emotion_name
from ser_pipeline.manifest import Manifest, read_manifest
from ser_pipeline.records import PARTS, Segment
from ser_pipeline.remote.addresses import address_of, shown
from ser_pipeline.splits import parts_for, read_split
from ser_pipeline.tables.cells import plural

_COLUMNS: Final[Mapping[str, str]] = {
    "speaker": "speaker_id", "session": "session_id", "sentence": "sentence_id", "start": "start_s",
    "end": "end_s",
}  # fmt: skip
"""Fact -> column of the manifest, where they are not called alike."""

_UNTOLD: Final[Mapping[str, str]] = {"gender": "unknown", "intensity": "unspecified"}
"""Fact -> the value that says nothing."""


@dataclass(frozen=True)
class Exported:
    """What was written.

    Attributes:
        path: the folder.
        rows: recordings and segments in it.
        left_out: rows of the manifest that are in no part of the split.
    """

    path: Path
    rows: int
    left_out: int = 0


def export_manifest(
    kind: str,
    out: Path,
    *,
    manifests: Path,
    data: Path | None = None,
    corpora: Sequence[str] = (),
    split: str | None = None,
    fold: int | str | None = None,
    copy: bool = False,
) -> Exported:
    """Write recordings of a manifest as a data set of another tool, whole or not at all.

    Args:
        kind: format, as ``kaldi``.
        out: folder to write, which must be new or empty.
        manifests: folder of the manifest and its splits.
        data: folder that its paths are relative to; None takes the one it was built from.
        corpora: only these; all of them by default.
        split: takes the parts of this split; those that the corpora publish by default.
        fold: which fold of the split tests.
        copy: copies the recordings into the folder; some formats always do.

    Raises:
        SettingsError: there is no such format, or a fold is given without a split.
        ManifestError: the manifest, the split or a corpus is missing, or recordings are not where it says.
        SerError: the folder holds something, or cannot be written.
    """
    write = checked_format(kind).write
    if fold is not None and split is None:
        raise SettingsError(f"--fold {fold} needs --split, the split that has this fold")
    manifest = read_manifest(manifests)
    table, left_out = _chosen(manifest, manifests, corpora, split, fold)
    rows = _rows(table, manifest.data if data is None else data)
    with whole_folder(out) as folder:
        write(folder, rows, Recordings(folder, out, copied=copy), _safe_name(out))
    return Exported(out, len(rows), left_out)


def _safe_name(out: Path) -> str:
    return "".join(letter if letter.isalnum() or letter in "-_" else "-" for letter in out.name) or "exported"


def _chosen(
    manifest: Manifest, manifests: Path, corpora: Sequence[str], split: str | None, fold: int | str | None
) -> tuple[pa.Table, int]:
    """Rows to write, with their parts, and how many of the split's corpora are in no part.

    Raises:
        ManifestError: a corpus or the split is missing.
    """
    table = manifest.table
    if split is not None:
        parts = parts_for(read_split(manifests, split, manifest), manifest, fold)
        names = pa.array([PARTS[part] if part >= 0 else None for part in parts.tolist()], pa.string())
        table = table.set_column(table.schema.get_field_index("part"), "part", names)
    there = set(table["corpus"].unique().to_pylist())
    if unknown := [name for name in corpora if name not in there]:
        raise ManifestError(
            f"{manifest.path}: has no corpus {unknown[0]!r}; it has {', '.join(sorted(there))}"
        )
    if corpora:
        table = table.filter(pa.array([name in corpora for name in table["corpus"].to_pylist()]))
    kept = table if split is None else table.filter(table["part"].is_valid())
    if not kept.num_rows:
        raise ManifestError(f"split {split}: none of its parts holds a recording of {', '.join(corpora)}")
    return kept, table.num_rows - kept.num_rows


def _rows(table: pa.Table, data: Path) -> list[Row]:
    root = os.path.abspath(data)
    rows = [_row(line, root) for line in table.to_pylist()]
    if held := sorted({shown(row.source) for row in rows if address_of(row.source) is not None}):
        raise ManifestError(
            f"not files of this machine: {plural(len(held), 'recording')} of {len(rows)} rows "
            f"({some(held, show=3)}); copy them below --data as files, and build the manifest from these"
        )
    missing = sorted({str(row.source) for row in rows if not row.source.is_file()})
    if missing:
        raise ManifestError(
            f"not there: {plural(len(missing), 'recording')} of {len(rows)} rows ({some(missing, show=3)}); "
            "--data is the folder that the manifest was built from"
        )
    return rows


def _row(line: Mapping[str, Any], root: str) -> Row:
    facts = {"emotion": emotion_name(line["emotion_id"])}
    for fact in TOLD:
        if fact not in ("emotion", "rater"):
            facts[fact] = _text(fact, line[_COLUMNS.get(fact, fact)])
    facts |= {VOTES + emotion_name(emotion): str(count) for emotion, count in line["votes"] or ()}
    return Row(
        name=line["utterance_id"],
        corpus=line["corpus"],
        source=Path(os.path.join(root, line["path"])),
        facts={fact: text for fact, text in facts.items() if text},
        duration_s=line["duration_s"],
        sample_rate=line["sample_rate"],
        channels=line["channels"],
        segment=Segment.of(line["start_s"], line["end_s"]),
    )


def _text(fact: str, value: Any) -> str:
    """A value as text; of numbers the digits that they have."""
    if value is None or value == _UNTOLD.get(fact):
        return ""
    if fact in ("start", "end"):
        return f"{value:.3f}"
    return f"{value:.7g}" if isinstance(value, float) else str(value)
