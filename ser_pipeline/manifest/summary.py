"""The result of a build, in numbers for the screen."""

import posixpath
import re
import unicodedata
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final

import pyarrow as pa

from ser_pipeline.corpora.discover import UNKNOWN
from ser_pipeline.corpora.words import is_nobody, numbered_thing
from ser_pipeline.errors import ManifestError, some
from ser_pipeline.manifest.describe import (
    VARYING,
    RejectReason,
    held_by,
    kind_of,
    named_speakers,
    reject_reasons,
)
from ser_pipeline.manifest.read import REJECTS_NAME, Manifest
from ser_pipeline.manifest.scan import Scanned
from ser_pipeline.records import MissingAudio
from ser_pipeline.tables.cells import people, plural, thousands

SHOWN: Final = 10
"""Reasons that are spelled out."""

SHORTEST_NAME: Final = 3
"""Letters that the name of a person has; shorter ones are codes, which every corpus may use."""


@dataclass(frozen=True)
class CorpusSummary:
    """What a build found of one corpus.

    Attributes:
        corpus: corpus id, or ``unknown``.
        files: recordings.
        rows: usable ones.
        rejects: the others; ``rows + rejects == files``.
        speakers: number of speakers heard, as far as the corpora name them.
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
    """The result of a build.

    Attributes:
        path: of the manifest.
        digest: of its bytes.
        corpora: one entry per corpus, in the order they are listed elsewhere.
        files: recordings found.
        rows: usable ones.
        rejects: the others; ``rows + rejects == files``.
        read: recordings that were read now; the others are unchanged since an earlier build.
        speakers: number of speakers heard, as far as the corpora name them.
        reasons: why the others were rejected, the most frequent one first.
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
    reasons: tuple[RejectReason, ...]
    missing: tuple[MissingAudio, ...]
    warnings: tuple[str, ...]
    synthetic: tuple[str, ...]
    rejects_digest: str = ""
    unchanged: bool = False

    def __repr__(self) -> str:
        """One line: file, recordings, speakers, rejects."""
        return f"ManifestSummary({self.path}: {self.held}, {self.rejects} rejected)"

    @property
    def held(self) -> str:
        """How many recordings by how many speakers there are, in words."""
        return f"{plural(self.rows, 'recording')} by {people(self.speakers)}"

    def with_warnings(self, lines: list[str]) -> "ManifestSummary":
        """Return this summary with further warnings."""
        return replace(self, warnings=(*self.warnings, *lines))

    def to_json(self) -> dict[str, Any]:
        """Plain values, without what belongs to one call: the path and what was read."""
        return {**asdict(self), "path": None, "read": 0}

    @classmethod
    def from_json(cls, values: Mapping[str, Any], path: Path) -> "ManifestSummary":
        """Make a summary of what :meth:`to_json` gave.

        Raises:
            KeyError: a value is missing; ``TypeError`` or ``ValueError``: one is odd.
        """
        lists: dict[str, Any] = {
            "corpora": tuple(CorpusSummary(**entry) for entry in values["corpora"]),
            "reasons": tuple(RejectReason(**entry) for entry in values["reasons"]),
            "missing": tuple(
                MissingAudio(**{**entry, "examples": tuple(entry["examples"])}) for entry in values["missing"]
            ),
            "warnings": tuple(values["warnings"]),
            "synthetic": tuple(values["synthetic"]),
        }
        return cls(**{**values, **lists, "path": path})


def summarise(manifest: Manifest, scanned: Scanned, rejects: pa.Table, read: int) -> ManifestSummary:
    """Sum up a build; other warnings are added later, by ``with_warnings``."""
    rows = manifest.table
    return ManifestSummary(
        path=manifest.path,
        digest=manifest.digest,
        corpora=tuple(_corpora(manifest, scanned, rejects)),
        files=scanned.files.total(),
        rows=rows.num_rows,
        rejects=rejects.num_rows,
        read=read,
        speakers=named_speakers(rows),
        reasons=tuple(sorted(reject_reasons(rejects, manifest.corpora), key=lambda kind: -kind.files)),
        missing=tuple(scanned.missing),
        warnings=(*_remarks(scanned), *namesakes(rows, scanned.own)),
        synthetic=scanned.synthetic,
    )


def refuse_rejects(summary: ManifestSummary) -> None:
    """Raise if any recording was rejected, for ``--strict``.

    Raises:
        ManifestError: gives the first ten reasons, and counts the others.
    """
    if summary.rejects:
        files = plural(summary.files, "recording")
        raise ManifestError(
            f"{plural(summary.rejects, f'of {files} was rejected', f'of {files} were rejected')}: "
            f"{some(list(map(reason_line, summary.reasons)), show=SHOWN)}; "
            f"all are in {summary.path.with_name(REJECTS_NAME)}"
        )


def reason_line(kind: RejectReason) -> str:
    """How many recordings were rejected, why, and the first of them.

    Examples:
        >>> reason_line(RejectReason("emodb", "empty: 0 bytes", "EmoDB/wav/a.wav", 1200, "EmoDB/wav"))
        '1,200 x empty: 0 bytes (EmoDB/wav/a.wav)'
    """
    return f"{thousands(kind.files)} x {kind.reason} ({kind.example})"


def failure_reasons(failures: Iterable[tuple[str, str]]) -> list[RejectReason]:
    """Group recordings that failed by kind of reason, most frequent first.

    Args:
        failures: path and reason of each.

    Examples:
        >>> (kind,) = failure_reasons([("b/1.wav", "1.wav: silent"), ("b/2.wav", "2.wav: silent")])
        >>> kind.files, kind.reason, kind.example
        (2, 'silent', 'b/1.wav')
    """
    kinds: dict[str, list[tuple[str, str]]] = {}
    for path, reason in failures:
        own = reason.removeprefix(f"{posixpath.basename(path)}: ")
        kinds.setdefault(VARYING.sub("*", own), []).append((path, own))
    return sorted((kind_of("", "", rows) for rows in kinds.values()), key=lambda kind: -kind.files)


def unknown_folders(reasons: Iterable[RejectReason]) -> list[str]:
    """Folders of recordings that follow the layout of no known corpus, relative to the data folder."""
    return list(dict.fromkeys(kind.folder for kind in reasons if kind.corpus == UNKNOWN))


def count_by(table: pa.Table, column: str) -> dict[str, int]:
    """Number of rows by value of a column."""
    return {entry["values"]: entry["counts"] for entry in table[column].value_counts().to_pylist()}


def _corpora(manifest: Manifest, scanned: Scanned, rejects: pa.Table) -> list[CorpusSummary]:
    rejected = count_by(rejects, "corpus")
    held = {each.name: each for each in held_by(manifest.table, "corpus", manifest.corpora)}
    summaries = []
    for corpus, files in scanned.files.items():
        found = held.get(corpus)
        summaries.append(
            CorpusSummary(
                corpus=corpus,
                files=files,
                rows=found.clips if found else 0,
                rejects=rejected.get(corpus, 0),
                speakers=found.speakers if found else 0,
                hours=found.seconds / 3600 if found else 0.0,
                missing=sum(gap.count for gap in scanned.missing if gap.corpus == corpus),
            )
        )
    return summaries


def _remarks(scanned: Scanned) -> list[str]:
    lines = list(scanned.half_there)
    lines += [f"{problem.corpus}: {problem.table}: {problem.reason}" for problem in scanned.problems]
    if scanned.linked:
        files = plural(len(scanned.linked), "recording")
        lines.append(
            f"links lead out of the data folder for {files}, which 'ser manifest doctor' lists and "
            f"--no-follow-links leaves out: {some(list(scanned.linked), show=3)}"
        )
    if scanned.synthetic:
        lines.append(f"synthetic recordings, made by 'ser corpora synth': {', '.join(scanned.synthetic)}")
    if scanned.left_out:
        lines.append(f"--limit left out {plural(scanned.left_out, 'recording')}, not counted anywhere")
    return lines


def namesakes(rows: pa.Table, own: Collection[str]) -> Iterator[str]:
    """Yield a line on speakers of the same name in several of the user's own corpora.

    Args:
        rows: columns of a manifest.
        own: ids of the corpora.
    """
    corpora: dict[str, list[str]] = defaultdict(list)
    pairs = rows.select(["corpus", "speaker_id"]).group_by(["corpus", "speaker_id"]).aggregate([])
    for pair in sorted(pairs.to_pylist(), key=lambda pair: (pair["corpus"], pair["speaker_id"])):
        name = unicodedata.normalize("NFC", pair["speaker_id"].removeprefix(f"{pair['corpus']}-"))
        if pair["corpus"] in own and name != pair["speaker_id"] and _is_name(name):
            corpora[name].append(pair["corpus"])
    shared = [f"{name!r} ({', '.join(found)})" for name, found in corpora.items() if len(found) > 1]
    if shared:
        yield (
            "speakers of the same name in several corpora count as different people: "
            f"{some(shared, show=3)}; if they are the same people, pass one table, or say speakers_of in a "
            "description"
        )


def _is_name(text: str) -> bool:
    """Whether a name is that of a person, and not a number or a code as ``spk1``."""
    letters = re.sub(r"[\W\d_]", "", text)
    return len(letters) >= SHORTEST_NAME and not is_nobody(text) and numbered_thing(letters) is None
