"""What lies beside the manifest in the feature store: levels of recordings, and a few clips step by step."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ser_pipeline.errors import StoreCorrupt
from ser_pipeline.report.runs import Run
from ser_pipeline.report.unread import Unread
from ser_pipeline.steps import ClipSteps, read_steps


@dataclass(frozen=True)
class StoreFacts:
    """What a page shows of a store of mels.

    Attributes:
        name: of its folder, which is its fingerprint; empty where there is no store.
        levels: recording's digest -> RMS after trimming, before levelling, in dB of full scale.
        steps: chosen recordings on their way through the front end.
        unread: files that cannot be read.
    """

    name: str = ""
    levels: dict[str, float] | None = None
    steps: tuple[ClipSteps, ...] = ()
    unread: tuple[Unread, ...] = ()

    def levels_of(self, digests: Sequence[str]) -> npt.NDArray[np.float64]:
        """Levels of some recordings; those that the store does not hold are left out."""
        known = self.levels or {}
        return np.array([known[digest] for digest in digests if digest in known], np.float64)


def read_store_facts(cache: Path, runs: Sequence[Run]) -> StoreFacts:
    """Read what lies beside the shards of the store that the first run on mels used, or of the newest store.

    Args:
        cache: folder of all stores; it need not be there.
        runs: on the page.
    """
    used = [run.info.store_fingerprint for run in runs if run.info.store_kind == "mels"]
    there = [path for path in (cache / "mels").glob("*") if (path / "index.parquet").is_file()]
    newest = sorted(there, key=lambda path: ((path / "index.parquet").stat().st_mtime_ns, path.name))
    folder = next((cache / "mels" / name for name in used if cache / "mels" / name in there), None)
    if folder is None:
        folder = newest[-1] if newest and not used else None
    if folder is None:
        return StoreFacts()
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
