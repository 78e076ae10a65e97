"""Read a manifest that ``build`` wrote, and tell manifests apart by their digest."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa

from ser_pipeline.arrays import Int64s
from ser_pipeline.errors import ManifestError
from ser_pipeline.manifest.cards import KnownCorpora
from ser_pipeline.manifest.fingerprint import read_fingerprint
from ser_pipeline.manifest.schema import REJECT_SCHEMA, SCHEMA, read_table
from ser_pipeline.tables.cells import plural

MANIFEST_NAME: Final = "manifest.parquet"
REJECTS_NAME: Final = "rejects.parquet"
BUILD: Final = "ser manifest build"
"""The command that mends what is wrong with a manifest."""


@dataclass(frozen=True)
class Manifest:
    """The recordings to work with.

    Attributes:
        table: columns ``SCHEMA``, or those asked for; one row per recording, sorted by ``utterance_id``.
        digest: of the file's bytes; splits and runs carry it.
        path: of the file.
        facts: versions, corpora, counts and settings of the build.
    """

    table: pa.Table
    digest: str
    path: Path
    facts: Mapping[str, Any]

    def __repr__(self) -> str:
        """One line: file, recordings and corpora."""
        corpora = ", ".join(self.facts.get("corpora", {})) or "no corpora"
        return f"Manifest({self.path}: {plural(self.table.num_rows, 'recording')} of {corpora})"

    @property
    def synthetic(self) -> bool:
        """Some of the recordings were made by ``ser corpora synth``."""
        return bool(self.facts.get("synthetic_corpora"))

    @property
    def synthetic_corpora(self) -> tuple[str, ...]:
        """Corpora whose recordings were made by ``ser corpora synth``."""
        return tuple(self.facts.get("synthetic_corpora", ()))

    @cached_property
    def corpora(self) -> KnownCorpora:
        """What is known of corpora: of those of this manifest, and of those that are shipped.

        Raises:
            ManifestError: the manifest's own description of a corpus cannot be read.
        """
        try:
            return KnownCorpora.of(self.facts)
        except (KeyError, TypeError, ValueError, AttributeError):
            raise ManifestError(
                f"{self.path}: its description of a corpus cannot be read; make it again with '{BUILD}'"
            ) from None

    @property
    def data(self) -> Path:
        """Folder the paths were relative to when the manifest was built on this machine.

        It stands in a file beside the manifest, never in it, so that a moved corpus changes no
        digest; ``DataSets`` where that file is missing.
        """
        built = read_fingerprint(self.path.parent)
        return Path("DataSets") if built is None else Path(built.data)


@dataclass(frozen=True)
class Codes:
    """A text column as numbers.

    Attributes:
        of: shape ``(rows,)``, position of each row's text in ``names``.
        names: the texts that occur, sorted.
    """

    of: Int64s
    names: tuple[str, ...]


def read_manifest(source: Path, columns: Sequence[str] | None = None) -> Manifest:
    """Read a manifest.

    Args:
        source: the file, or the folder that holds it.
        columns: read only these; all by default.

    Raises:
        ManifestError: it is missing, damaged, foreign, or of another schema version.
    """
    path = source / MANIFEST_NAME if source.suffix != ".parquet" else source
    file = read_table(path, SCHEMA, remedy=BUILD, columns=columns)
    return Manifest(file.table, file.digest, path, file.facts)


def read_rejects(folder: Path) -> pa.Table:
    """Read the recordings that can't be used, columns ``REJECT_SCHEMA``.

    Raises:
        ManifestError: the file is missing, damaged, foreign, or of another schema version.
    """
    return read_table(folder / REJECTS_NAME, REJECT_SCHEMA, remedy=BUILD).table


def codes(column: pa.ChunkedArray) -> Codes:
    """Number the texts of a column that has no null."""
    encoded = column.combine_chunks().dictionary_encode()
    names = encoded.dictionary.to_pylist()
    order = sorted(range(len(names)), key=names.__getitem__)
    rank = np.empty(len(names), np.int64)
    rank[order] = np.arange(len(names))
    indices = encoded.indices.to_numpy(zero_copy_only=False)
    return Codes(rank[indices], tuple(names[place] for place in order))
