"""Read rows of a store by key: mapped shards, checked bytes, one handle per process."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow.compute as pc

from ser_pipeline.errors import StoreCorrupt, StoreMissing
from ser_pipeline.settings import PRESETS, FrontEnd, recipe
from ser_pipeline.store.identity import fingerprint, provenance
from ser_pipeline.store.index import Index, read_index
from ser_pipeline.store.shard import DTYPE, ShardKeys, damaged, read_keys, row_checksum, shard_path


def store_folder(cache: Path, kind: str, front_end: FrontEnd) -> Path:
    """Folder of the store of these settings."""
    return cache / kind / fingerprint(provenance(kind, front_end))


def build_command(kind: str, front_end: FrontEnd) -> str:
    """The command that builds the store of these settings.

    Examples:
        >>> build_command("mels", recipe("paper").front_end)
        'ser cache mels --preset paper'
        >>> build_command("mels", FrontEnd(n_mels=80))
        'ser cache mels --n-mels 80'
    """
    candidates = []
    for preset in PRESETS:
        base = recipe(preset).front_end.stored.model_dump()
        flags = [] if preset == "default" else [f"--preset {preset}"]
        for name, value in front_end.stored.model_dump().items():
            if value != base[name]:
                flags.append(f"--{name.replace('_', '-')} {'none' if value is None else value}")
        candidates.append(flags)
    return " ".join(["ser cache", kind, *min(candidates, key=len)])


class Store:
    """Rows of one feature store.

    Handles are opened late and by each process for itself, so a store can be handed to workers
    that were forked or spawned. A row's bytes are checked the first time a process reads it.

    Attributes:
        folder: of the store.
        kind: ``mels``.
        fingerprint: its name.
        front_end: settings it was built with.
        shards: shard of each position, shape ``(rows,)``.
        shard_rows: row within that shard, shape ``(rows,)``.
    """

    def __init__(self, folder: Path, kind: str, front_end: FrontEnd, index: Index) -> None:
        self.folder = folder
        self.kind = kind
        self.fingerprint = folder.name
        self.front_end = front_end
        self.failures = index.failures()
        table = index.table.filter(pc.invert(index.table["failed"]))
        self.shards = table["shard"].to_numpy()
        self.shard_rows = table["row"].to_numpy()
        self._position = {
            key: number
            for number, key in enumerate(
                zip(table["audio_digest"].to_pylist(), table["variant"].to_pylist(), strict=True)
            )
        }
        self._checked = np.zeros(len(self.shard_rows), bool)
        self._open: dict[int, tuple[ShardKeys, npt.NDArray[np.float16]]] = {}

    def __len__(self) -> int:
        """Number of rows."""
        return len(self.shard_rows)

    def __getstate__(self) -> dict[str, Any]:
        """Leave open files behind: every process opens its own."""
        return {**self.__dict__, "_open": {}, "_checked": np.zeros(len(self.shard_rows), bool)}

    def rows(self, digests: Sequence[str], variant: int = 0) -> npt.NDArray[np.int64]:
        """Positions of recordings, -1 where the store has none.

        Args:
            digests: of the recordings' bytes.
            variant: 0 is the clean clip.

        Returns:
            Shape ``(len(digests),)``.
        """
        find = self._position.get
        return np.array([find((digest, variant), -1) for digest in digests], np.int64)

    def read(
        self, positions: npt.ArrayLike
    ) -> tuple[npt.NDArray[np.float16], npt.NDArray[np.int64], npt.NDArray[np.float32]]:
        """Read rows by position.

        Args:
            positions: from :meth:`rows`, shape ``(n,)``.

        Returns:
            Values ``(n, n_mels, max_frames)``, frames that hold sound ``(n,)``, and levels in dB
            of full scale ``(n,)``.

        Raises:
            StoreCorrupt: a row's bytes are not those that were written.
        """
        wanted = np.asarray(positions, np.int64)
        shape = (self.front_end.n_mels, self.front_end.max_frames)
        values = np.empty((wanted.size, *shape), DTYPE)
        frames = np.empty(wanted.size, np.int64)
        level_db = np.empty(wanted.size, np.float32)
        order = np.argsort(wanted, kind="stable")  # neighbours on disk are read one after another
        for place in order.tolist():
            position = int(wanted[place])
            row = int(self.shard_rows[position])
            keys, mapped = self._shard_of(int(self.shards[position]))
            values[place] = mapped[row]
            frames[place], level_db[place] = keys.frames[row], keys.level_db[row]
            if not self._checked[position]:
                self._check(position, values[place], keys, row)
        return values, frames, level_db

    def _check(self, position: int, values: npt.NDArray[np.float16], keys: ShardKeys, row: int) -> None:
        found = row_checksum(
            values, keys.frames[row], keys.level_db[row], keys.digests[row], keys.variants[row]
        )
        if found != keys.checksums[row]:
            path = shard_path(self.folder, int(self.shards[position]))
            raise damaged(path, f"row {row} differs from what was written")
        self._checked[position] = True

    def _shard_of(self, number: int) -> tuple[ShardKeys, npt.NDArray[np.float16]]:
        opened = self._open.get(number)
        if opened is None:
            path = shard_path(self.folder, number)
            try:
                keys = read_keys(path)
                if keys.offset is None:
                    raise damaged(path, "its values have no place in the file")
                mapped = np.memmap(
                    path, DTYPE, mode="r", offset=keys.offset, shape=(len(keys.digests), *keys.shape)
                )
            except FileNotFoundError:
                raise StoreCorrupt(f"{path}: gone since the store was opened; build it again") from None
            except ValueError:
                raise damaged(path, "it is shorter than its tables say") from None
            opened = self._open[number] = (keys, mapped)
        return opened


def open_store(cache: Path, kind: str, front_end: FrontEnd) -> Store:
    """Open the store of these settings.

    Args:
        cache: folder of all stores.
        kind: ``mels``.
        front_end: settings; ``level`` corpus_rms and none share one store.

    Raises:
        StoreMissing: it has not been built; the message names the command that does.
        StoreCorrupt: a shard cannot be read.
    """
    folder = store_folder(cache, kind, front_end)
    index = read_index(folder) if folder.is_dir() else None
    if index is not None and index.damaged:
        raise StoreCorrupt(index.damaged[0])
    if index is None or index.table.num_rows == 0:
        raise StoreMissing(f"{folder}: no {kind} for these settings; run '{build_command(kind, front_end)}'")
    return Store(folder, kind, front_end.stored, index)
