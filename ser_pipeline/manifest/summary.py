"""What a build did and what a manifest holds, counted for the screen."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ser_pipeline.corpora import CORPORA
from ser_pipeline.errors import ManifestError, some
from ser_pipeline.manifest.read import REJECTS_NAME, Manifest, codes
from ser_pipeline.manifest.scan import Scanned
from ser_pipeline.manifest.schema import EMOTION_NAMES
from ser_pipeline.records import MissingAudio, Reject

GROUPS: Final = ("corpus", "language", "emotion", "speaker", "gender", "intensity", "modality", "style")
"""What can be counted by; the first three are shown by default."""

SHOWN_GROUPS: Final = GROUPS[:3]

COLUMNS: Final = (
    "corpus", "audio_digest", "emotion_id", "speaker_id", "gender", "intensity", "language", "modality",
    "style", "duration_s",
)  # fmt: skip
"""Columns of the manifest that are needed for it."""

Cell = str | int | float | None

SHOWN: Final = 10
"""Rejects that are spelled out."""


@dataclass(frozen=True)
class CorpusSummary:
    """What a build found of one corpus.

    Attributes:
        corpus: corpus id, or ``unknown``.
        files: recordings.
        rows: usable ones.
        rejects: the others; ``rows + rejects == files``.
        speakers: number of speakers heard.
        hours: of usable recordings.
        missing: rows of its tables that have no recording.
    """

    corpus: str
    files: int
    rows: int
    rejects: int
    speakers: int
    hours: float
    missing: int


@dataclass(frozen=True)
class ManifestSummary:
    """What a build did.

    Attributes:
        path: of the manifest.
        digest: of its bytes.
        corpora: one entry per corpus, in the order they are listed elsewhere.
        files: recordings found.
        rows: usable ones.
        rejects: the others; ``rows + rejects == files``.
        read: recordings that were read now; the others are unchanged since an earlier build.
        speakers: number of speakers heard.
        first_rejects: the first ten, by path.
        missing: rows of the corpora's tables without a recording.
        warnings: what else the user should know, one line each.
        synthetic: corpora whose recordings were made by ``ser corpora synth``.
        rejects_digest: of the bytes of ``rejects.parquet``.
        unchanged: nothing below the folder has changed since the last build, which did all this.
    """

    path: Path
    digest: str
    corpora: tuple[CorpusSummary, ...]
    files: int
    rows: int
    rejects: int
    read: int
    speakers: int
    first_rejects: tuple[Reject, ...]
    missing: tuple[MissingAudio, ...]
    warnings: tuple[str, ...]
    synthetic: tuple[str, ...]
    rejects_digest: str = ""
    unchanged: bool = False

    def __repr__(self) -> str:
        """One line: file, recordings, speakers, rejects."""
        return (
            f"ManifestSummary({self.path}: {self.rows} recordings by {self.speakers} speakers, "
            f"{self.rejects} rejected)"
        )

    def with_warnings(self, lines: list[str]) -> "ManifestSummary":
        """Return this summary with further warnings."""
        return replace(self, warnings=(*self.warnings, *lines))

    def to_json(self) -> dict[str, Any]:
        """Plain values, without what belongs to one call: the path and what was read."""
        values = asdict(replace(self, first_rejects=()))
        rejects = [[reject.corpus, str(reject.path), reject.reason] for reject in self.first_rejects]
        return {**values, "first_rejects": rejects, "path": None, "read": 0}

    @classmethod
    def from_json(cls, values: Mapping[str, Any], path: Path) -> "ManifestSummary":
        """Make a summary of what :meth:`to_json` gave.

        Raises:
            KeyError: a value is missing; ``TypeError`` or ``ValueError``: one is odd.
        """
        lists: dict[str, Any] = {
            "corpora": tuple(CorpusSummary(**entry) for entry in values["corpora"]),
            "first_rejects": tuple(
                Reject(corpus, PurePosixPath(place), reason)
                for corpus, place, reason in values["first_rejects"]
            ),
            "missing": tuple(
                MissingAudio(**{**entry, "examples": tuple(entry["examples"])}) for entry in values["missing"]
            ),
            "warnings": tuple(values["warnings"]),
            "synthetic": tuple(values["synthetic"]),
        }
        return cls(**{**values, **lists, "path": path})


def overview(table: pa.Table, by: str) -> tuple[list[str], list[list[Cell]]]:
    """Count clips, speakers, hours and classes of each group.

    Args:
        table: rows of the manifest, with ``COLUMNS``.
        by: one of ``GROUPS``.

    Returns:
        Headings, and one row per group; emotions and corpora in their usual order.

    Raises:
        ManifestError: no such group.
    """
    if by not in GROUPS:
        raise ManifestError(f"--by {by} does not exist; valid are {', '.join(GROUPS)}")
    groups = codes(_names(table, by))
    places = table["emotion_id"].to_numpy() % len(EMOTION_NAMES)  # `other` comes last
    emotions, emotion = np.unique(places, return_inverse=True)
    n_groups = len(groups.names)
    classes = np.bincount(groups.of * len(emotions) + emotion, minlength=n_groups * len(emotions))
    speakers = codes(table["speaker_id"])
    heard = np.unique(groups.of * max(1, len(speakers.names)) + speakers.of) // max(1, len(speakers.names))
    columns = {
        "clips": np.bincount(groups.of, minlength=n_groups),
        "speakers": np.bincount(heard, minlength=n_groups),
        "hours": (np.bincount(groups.of, table["duration_s"].to_numpy(), n_groups) / 3600).round(3),
    }
    heads = [by, *columns]
    names = [] if by == "emotion" else [EMOTION_NAMES[number] for number in emotions]
    if by == "corpus":
        heads.append("published")
    rows: list[list[Cell]] = []
    for number in _order(groups.names, by):
        row: list[Cell] = [groups.names[number], *(column[number].item() for column in columns.values())]
        if by == "corpus":
            row.append(published_clips(groups.names[number]))
        if names:
            row += classes.reshape(n_groups, -1)[number].tolist()
        rows.append(row)
    return heads + names, rows


def combined(tables: Mapping[str, tuple[list[str], list[list[Cell]]]]) -> tuple[list[str], list[list[Cell]]]:
    """Put several overviews into one table, for JSON and CSV.

    Args:
        tables: what is counted by -> its overview.

    Returns:
        Headings ``by``, ``name`` and all others; a cell that a table lacks is None.
    """
    heads = list(dict.fromkeys(head for columns, _ in tables.values() for head in columns[1:]))
    rows: list[list[Cell]] = []
    for by, (columns, lines) in tables.items():
        for line in lines:
            cells = dict(zip(columns[1:], line[1:], strict=True))
            rows.append([by, line[0], *(cells.get(head) for head in heads)])
    return ["by", "name", *heads], rows


def published_clips(corpus: str) -> int | None:
    """Recordings of the complete corpus; None for one that is not shipped."""
    return CORPORA[corpus].CARD.clips if corpus in CORPORA else None


def _names(table: pa.Table, by: str) -> pa.ChunkedArray:
    if by == "emotion":
        ids = table["emotion_id"]
        known = pc.unique(ids)
        names = pa.array([EMOTION_NAMES[number] for number in known.to_pylist()], pa.string())
        return pa.chunked_array([names.take(pc.index_in(ids.combine_chunks(), known))])
    return table["speaker_id" if by == "speaker" else by]


def _order(names: tuple[str, ...], by: str) -> list[int]:
    """Positions of names: emotions by id, shipped corpora as they are listed, all else sorted."""
    usual = {"emotion": EMOTION_NAMES, "corpus": list(CORPORA)}
    rank = {name: place for place, name in enumerate(usual.get(by, []))}
    return sorted(range(len(names)), key=lambda number: (rank.get(names[number], len(rank)), names[number]))


def summarise(manifest: Manifest, scanned: Scanned, rejects: pa.Table, read: int) -> ManifestSummary:
    """Sum up a build; splits have their say afterwards, by ``with_warnings``."""
    rows = manifest.table
    first = rejects.slice(0, SHOWN).to_pylist()
    return ManifestSummary(
        path=manifest.path,
        digest=manifest.digest,
        corpora=tuple(_corpora(rows, scanned, rejects)),
        files=scanned.files.total(),
        rows=rows.num_rows,
        rejects=rejects.num_rows,
        read=read,
        speakers=pc.count_distinct(rows["speaker_id"]).as_py(),
        first_rejects=tuple(Reject(r["corpus"], PurePosixPath(r["path"]), r["reason"]) for r in first),
        missing=tuple(scanned.missing),
        warnings=tuple(_remarks(scanned)),
        synthetic=scanned.synthetic,
    )


def refuse_rejects(summary: ManifestSummary) -> None:
    """Raise if any recording was rejected, for ``--strict``.

    Raises:
        ManifestError: names the first ten and counts the others.
    """
    if summary.rejects:
        lines = [f"{reject.path} ({reject.reason})" for reject in summary.first_rejects]
        more = [""] * (summary.rejects - len(lines))
        raise ManifestError(
            f"{summary.rejects} of {summary.files} recordings were rejected: "
            f"{some(lines + more, show=SHOWN)}; all are in {summary.path.with_name(REJECTS_NAME)}"
        )


def count_by(table: pa.Table, column: str) -> dict[str, int]:
    """Number of rows by value of a column."""
    return {entry["values"]: entry["counts"] for entry in table[column].value_counts().to_pylist()}


def _corpora(rows: pa.Table, scanned: Scanned, rejects: pa.Table) -> list[CorpusSummary]:
    rejected = count_by(rejects, "corpus")
    measured = rows.group_by("corpus", use_threads=False).aggregate(
        [("utterance_id", "count"), ("speaker_id", "count_distinct"), ("duration_s", "sum")]
    )
    by_corpus = {row["corpus"]: row for row in measured.to_pylist()}
    summaries = []
    for corpus, files in scanned.files.items():
        row = by_corpus.get(corpus, {})
        summaries.append(
            CorpusSummary(
                corpus=corpus,
                files=files,
                rows=row.get("utterance_id_count", 0),
                rejects=rejected.get(corpus, 0),
                speakers=row.get("speaker_id_count_distinct", 0),
                hours=row.get("duration_s_sum", 0.0) / 3600,
                missing=sum(gap.count for gap in scanned.missing if gap.corpus == corpus),
            )
        )
    return summaries


def _remarks(scanned: Scanned) -> list[str]:
    lines = list(scanned.half_there)
    lines += [f"{problem.corpus}: {problem.table}: {problem.reason}" for problem in scanned.problems]
    if scanned.synthetic:
        lines.append(f"synthetic recordings, made by 'ser corpora synth': {', '.join(scanned.synthetic)}")
    if scanned.left_out:
        lines.append(f"--limit left out {scanned.left_out} recordings; they are in no count")
    return lines
