"""Read what the report shows of the data: the manifest, what lies beside it, and a store of mels."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ser_pipeline.arrays import Float64s
from ser_pipeline.errors import ManifestError, SplitError, StoreCorrupt
from ser_pipeline.manifest.cards import KnownCorpora
from ser_pipeline.manifest.describe import DESCRIBED_COLUMNS
from ser_pipeline.manifest.doctor import DOCTOR_NAME, Diagnosis, read_diagnosis
from ser_pipeline.manifest.read import REJECTS_NAME, Manifest, read_manifest, read_rejects
from ser_pipeline.manifest.schema import REJECT_SCHEMA
from ser_pipeline.previews import ClipSteps, read_steps
from ser_pipeline.runs.find import Unread
from ser_pipeline.runs.read import Run
from ser_pipeline.splits import SPLIT_COLUMNS, Split, load_split, split_names, split_path

COLUMNS = tuple(dict.fromkeys((*DESCRIBED_COLUMNS, *SPLIT_COLUMNS)))
"""Columns of the manifest that a report needs."""


@dataclass(frozen=True)
class Data:
    """All that is known of the recordings.

    Attributes:
        manifest: with :data:`COLUMNS`.
        rejects: recordings that cannot be used, with reasons.
        splits: that can be read, by name.
        unread: split files that cannot be read.
        diagnosis: what ``ser manifest doctor`` found; None if it has not looked yet.
    """

    manifest: Manifest
    rejects: pa.Table
    splits: tuple[Split, ...] = ()
    unread: tuple[Unread, ...] = ()
    diagnosis: Diagnosis | None = None

    @property
    def table(self) -> pa.Table:
        """Rows of the manifest."""
        return self.manifest.table

    @property
    def digest(self) -> str:
        """Of the manifest, in the form runs name it."""
        return self.manifest.digest

    @property
    def corpora(self) -> KnownCorpora:
        """What is known of corpora."""
        return self.manifest.corpora

    @property
    def synthetic(self) -> frozenset[str]:
        """Corpora that are here and were synthesised."""
        return frozenset(self.manifest.synthetic_corpora) & set(self.table["corpus"].unique().to_pylist())


@dataclass(frozen=True)
class StoreFacts:
    """What a page shows of a store of mels.

    Attributes:
        name: of its folder, which is its fingerprint; empty if there is no store.
        levels: recording's digest -> RMS after trimming, before levelling, in dB of full scale.
        steps: chosen recordings on their way through the front end.
        unread: files that cannot be read.
    """

    name: str = ""
    levels: dict[str, float] | None = None
    steps: tuple[ClipSteps, ...] = ()
    unread: tuple[Unread, ...] = ()

    def levels_of(self, digests: Sequence[str]) -> Float64s:
        """Levels of some recordings; those that the store does not hold are left out."""
        known = self.levels or {}
        return np.array([known[digest] for digest in digests if digest in known], np.float64)


NO_STORE: Final = StoreFacts()
"""What a page shows without a store of mels."""


def read_data(manifests: Path) -> Data:
    """Read the manifest and what lies beside it; splits and findings that cannot be read are listed.

    Args:
        manifests: folder that ``ser manifest build`` wrote to.

    Raises:
        ManifestError: there is no manifest, or one that cannot be read.
    """
    manifest = read_manifest(manifests, COLUMNS)
    there = (manifests / REJECTS_NAME).is_file()
    rejects = read_rejects(manifests) if there else REJECT_SCHEMA.empty_table()
    splits: list[Split] = []
    unread: list[Unread] = []
    for name in split_names(manifests):
        try:
            splits.append(load_split(split_path(manifests, name)))
        except SplitError as error:
            unread.append(Unread("split", name, str(error)))
    diagnosis = None
    try:
        diagnosis = read_diagnosis(manifests)
    except ManifestError as error:
        unread.append(Unread("findings", DOCTOR_NAME, str(error)))
    return Data(manifest, rejects, tuple(splits), tuple(unread), diagnosis)


def read_store_facts(cache: Path, runs: Sequence[Run]) -> StoreFacts:
    """Read what lies beside the shards of the store that the first run on mels used, or of the newest store.

    Args:
        cache: folder of all stores; it need not be there.
        runs: on the page.
    """
    stores = [(run.info.store_kind.split("+"), run.info.store_fingerprint.split("+")) for run in runs]
    used = [name for each in stores for kind, name in zip(*each, strict=False) if kind == "mels"]
    there = [path for path in (cache / "mels").glob("*") if (path / "index.parquet").is_file()]
    newest = sorted(there, key=lambda path: ((path / "index.parquet").stat().st_mtime_ns, path.name))
    folder = next((cache / "mels" / name for name in used if cache / "mels" / name in there), None)
    if folder is None:
        folder = newest[-1] if newest and not used else None
    if folder is None:
        return NO_STORE
    unread: list[Unread] = []
    levels: dict[str, float] | None = None
    steps: list[ClipSteps] = []
    try:
        table = pq.read_table(folder / "index.parquet", columns=["audio_digest", "level_db", "failed"])
        rows = table.filter(pc.invert(table["failed"]))
        levels = dict(zip(rows["audio_digest"].to_pylist(), rows["level_db"].to_pylist(), strict=True))
    except (pa.ArrowException, OSError, KeyError, ValueError) as error:
        unread.append(Unread("store", folder.name, str(error).partition("\n")[0]))
    try:
        steps = read_steps(folder)
    except StoreCorrupt as error:
        unread.append(Unread("store", folder.name, str(error)))
    return StoreFacts(folder.name, levels, tuple(steps), tuple(unread))
