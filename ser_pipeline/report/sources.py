"""Read what the report shows of the data: manifest, rejects, splits. Result files, never audio."""

import hashlib
import json
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from ser_pipeline.errors import ManifestError, SplitError
from ser_pipeline.report.unread import Unread

SCHEMA_VERSION = 1
"""Of the manifests this page can read."""

MANIFEST_COLUMNS = (
    "utterance_id", "corpus", "audio_digest", "source_label", "emotion_id", "intensity",
    "speaker_id", "gender", "age", "language", "modality", "style", "duration_s", "sample_rate",
)  # fmt: skip
REJECT_COLUMNS = ("corpus", "path", "reason")
SPLIT_COLUMNS = ("utterance_id", "part", "fold")

_CHUNK = 1 << 20


@dataclass(frozen=True)
class SplitFile:
    """One file of ``manifests/splits``.

    Attributes:
        name: as in ``--split``.
        table: ``utterance_id``, ``part``, ``fold``.
        facts: the file's own description: note, seed, ratios, folds, leaks_speakers.
        stale: made for another manifest than the one beside it.
    """

    name: str
    table: pa.Table
    facts: Mapping[str, Any]
    stale: bool

    @property
    def has_folds(self) -> bool:
        """Every clip is tested in one fold, instead of belonging to one part."""
        return bool(self.table["fold"].null_count < self.table.num_rows)

    @property
    def leaks_speakers(self) -> bool:
        """The file itself says that it has the same people on both sides."""
        return bool(self.facts.get("leaks_speakers", False))

    @property
    def note(self) -> str:
        """What its reader must know."""
        return str(self.facts.get("note") or "")


@dataclass(frozen=True)
class Data:
    """All that is known of the recordings.

    Attributes:
        table: the manifest, :data:`MANIFEST_COLUMNS`.
        rejects: recordings that cannot be used, with reasons.
        splits: by name.
        synthetic: corpora whose recordings were synthesised.
        digest: of the manifest file, in the form runs name it.
        facts: the manifest's own description.
        unread: split files that cannot be read.
    """

    table: pa.Table
    rejects: pa.Table
    splits: tuple[SplitFile, ...]
    synthetic: frozenset[str]
    digest: str
    facts: Mapping[str, Any]
    unread: tuple[Unread, ...] = ()


def read_data(manifests: Path) -> Data:
    """Read the manifest and what lies beside it; split files that cannot be read are listed.

    Args:
        manifests: folder that ``ser manifest build`` wrote to.

    Raises:
        ManifestError: there is no manifest, or a file of another version.
    """
    path = manifests / "manifest.parquet"
    if not path.is_file():
        raise ManifestError(f"{path}: not found; make it with 'ser manifest build'")
    table, facts = _read(path, MANIFEST_COLUMNS, ManifestError, "build it again with 'ser manifest build'")
    version = facts.get("schema_version")
    if version != SCHEMA_VERSION:
        raise ManifestError(
            f"{path}: schema version {version}, this ser reads {SCHEMA_VERSION}; "
            "build it again with 'ser manifest build'"
        )
    corpora = set(table["corpus"].unique().to_pylist())
    splits, unread = _read_splits(manifests / "splits", path)
    return Data(
        table=table,
        rejects=_read_rejects(manifests / "rejects.parquet"),
        splits=splits,
        synthetic=synthetic_corpora(facts, corpora),
        digest=file_digest(path),
        facts=facts,
        unread=unread,
    )


def synthetic_corpora(facts: Mapping[str, Any], corpora: set[str]) -> frozenset[str]:
    """Corpora that a manifest calls synthetic; all of them where it names none in particular.

    Examples:
        >>> sorted(synthetic_corpora({"synthetic": True, "synthetic_corpora": ["tess"]}, {"tess", "savee"}))
        ['tess']
    """
    named = facts.get("synthetic_corpora")
    if named is not None:
        return frozenset(corpora & set(named))
    return frozenset(corpora if facts.get("synthetic") else ())


def file_digest(path: Path, size: int = 16) -> str:
    """BLAKE2b of a file's bytes, ``size`` bytes long, in hex."""
    state = hashlib.blake2b(digest_size=size)
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            state.update(chunk)
    return state.hexdigest()


def _read(
    path: Path, columns: tuple[str, ...], error: type[ManifestError], remedy: str
) -> tuple[pa.Table, dict[str, Any]]:
    try:
        schema = pq.read_schema(path)
        absent = [column for column in columns if column not in schema.names]
        if absent:
            raise error(f"{path}: has no column {', '.join(absent)}; {remedy}")
        facts = json.loads((schema.metadata or {}).get(b"ser", b"{}"))
        if not isinstance(facts, dict):
            raise error(f"{path}: was not written by 'ser'; {remedy}")
        return pq.read_table(path, columns=list(columns), memory_map=False), facts
    except (pa.ArrowException, OSError, ValueError) as problem:
        first = str(problem).splitlines()[0]
        raise error(f"{path}: cannot be read ({first}); {remedy}") from None


def _read_rejects(path: Path) -> pa.Table:
    if not path.is_file():
        return pa.table({column: pa.array([], pa.string()) for column in REJECT_COLUMNS})
    return _read(path, REJECT_COLUMNS, ManifestError, "build it again with 'ser manifest build'")[0]


def _read_splits(folder: Path, manifest: Path) -> tuple[tuple[SplitFile, ...], tuple[Unread, ...]]:
    splits: list[SplitFile] = []
    unread: list[Unread] = []
    for path in sorted(folder.glob("[!.]*.parquet")):
        try:
            splits.append(_read_split(path, manifest))
        except SplitError as error:
            unread.append(Unread("split", path.stem, str(error)))
    return tuple(splits), tuple(unread)


def _read_split(path: Path, manifest: Path) -> SplitFile:
    again = f"make it again with 'ser manifest split {shlex.quote(path.stem)}'"
    table, facts = _read(path, SPLIT_COLUMNS, SplitError, again)
    made_for = str(facts.get("manifest_digest", ""))
    name = str(facts.get("name") or path.stem)
    size = min(64, max(1, len(made_for) // 2))  # BLAKE2b gives 1 to 64 bytes
    return SplitFile(name, table, facts, stale=made_for != file_digest(manifest, size))
