"""Read rows of a store by key: mapped shards, checked bytes, one handle per process."""

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ser_pipeline.arrays import Float32s, Floats, Int64s, numbers_of
from ser_pipeline.encoders import asked_as
from ser_pipeline.errors import StoreCorrupt, StoreMissing
from ser_pipeline.front_end import aspect_of, layout_of
from ser_pipeline.manifest.digest import Digests, Places, packed_texts
from ser_pipeline.options import (
    PRESETS,
    Augmented,
    EmbeddingOptions,
    FeatureOptions,
    FrontEnd,
    InputOptions,
    SmileOptions,
    StoreOptions,
    WaveAugment,
    WaveOptions,
    flags_of,
    inputs_of,
    recipe,
)
from ser_pipeline.store.identity import fingerprint, keyed, provenance
from ser_pipeline.store.index import Index, read_index
from ser_pipeline.store.mirror import Mirror, limit_bytes, local_cache
from ser_pipeline.store.shard import (
    ShardKeys,
    damaged,
    packed_keys,
    read_keys,
    row_checksum,
    row_slices,
    shard_path,
)
from ser_pipeline.tables.cells import plural

MOST_OPEN = 256
"""Shards of one store that a process keeps open: each is one of the 1,024 files it may usually have open."""


class Store:
    """Rows of one feature store.

    Handles are opened late and by each process for itself, so a store can be handed to workers
    that were forked or spawned. A row's bytes are checked the first time a process reads it.

    Attributes:
        folder: of the store.
        options: settings it was built with.
        kind: of its rows.
        fingerprint: its name.
        shape: of one row, or of one step of it where rows are ragged.
        ragged: rows have as many steps as frames.
        names: of the columns of a vector; empty for anything else.
        shards: shard of each position, shape ``(rows,)``.
        shard_rows: row within that shard, shape ``(rows,)``.
        frames: that hold sound, shape ``(rows,)``.
        copies: highest number of a variant; 0 where recordings lie as they are.
    """

    def __init__(self, folder: Path, options: StoreOptions, index: Index) -> None:
        layout = layout_of(options)
        self.folder = folder
        self._mirror = Mirror.of(folder)
        self.options = options
        self.kind = options.kind
        self.fingerprint = folder.name
        self.shape = layout.shape
        self.ragged = layout.ragged
        self.names = layout.names
        self._dtype = np.dtype(layout.dtype)
        self.failures = index.failures()
        index = index.usable()
        self.shards, self.shard_rows = (numbers_of(index.table[name], np.int32) for name in ("shard", "row"))
        self.frames, variants = (numbers_of(index.table[name], np.int16) for name in ("frames", "variant"))
        self.copies = int(variants.max(initial=0))
        self._places = Places(index.keys())
        self._checked = np.zeros(len(self.shard_rows), bool)
        self._open: dict[int, tuple[ShardKeys, Floats, list[slice | int]]] = {}

    def __repr__(self) -> str:
        """One line: folder, rows and their shape."""
        return f"Store({self.folder}: {plural(len(self), 'row')} of shape {self.shape})"

    def __len__(self) -> int:
        """Number of rows."""
        return len(self.shard_rows)

    def __getstate__(self) -> dict[str, Any]:
        """Leave open files behind: every process opens its own."""
        return {**self.__dict__, "_open": {}, "_checked": np.zeros(len(self.shard_rows), bool)}

    def find(self, keys: Digests) -> Int64s:
        """Position of each key, -1 where the store has no such row."""
        return self._places.find(keys)

    def rows(
        self, digests: Sequence[str], variant: int = 0, *, modalities: Sequence[str] | None = None
    ) -> Int64s:
        """Positions of recordings, -1 where the store has none.

        Args:
            digests: of the recordings' bytes.
            variant: 0 is the clean clip.
            modalities: of the recordings; looked at where values depend on it, None means speech.

        Returns:
            Shape ``(len(digests),)``.
        """
        keys = packed_texts(digests)
        names, of = np.unique(["speech"] if modalities is None else modalities, return_inverse=True)
        aspects = [aspect_of(self.options, name) for name in names.tolist()]
        keys = keyed(keys, np.broadcast_to(of, len(keys)), aspects)
        return self.find(keyed(keys, np.zeros(len(keys), np.int8), [variant]))

    def read(self, positions: npt.ArrayLike, part: Any = ...) -> tuple[Floats, Int64s, Float32s]:
        """Read rows by position.

        Args:
            positions: from :meth:`rows`, shape ``(n,)``.
            part: index of what is wanted of each row, where it is not all of it; rows are checked whole.

        Returns:
            Values ``(n, *shape)``, frames that hold sound ``(n,)``, and levels in dB of full scale ``(n,)``.
            Values of ragged rows are ``(n, most frames, *shape)``, with zeros after the end of each.

        Raises:
            StoreCorrupt: a row's bytes are not those that were written, or it lies elsewhere by now.
        """
        wanted = np.asarray(positions, np.int64)
        longest = (int(self.frames[wanted].max(initial=0)),) if self.ragged else ()
        shape = np.empty((*longest, *self.shape), np.bool_)[part].shape
        values = np.zeros((wanted.size, *shape), self._dtype)
        frames = np.empty(wanted.size, np.int64)
        level_db = np.empty(wanted.size, np.float32)
        order = np.argsort(wanted, kind="stable")  # neighbours on disk are read one after another
        for place in order.tolist():
            position = int(wanted[place])
            row = int(self.shard_rows[position])
            keys, mapped, slices = self._shard_of(int(self.shards[position]))
            found = mapped[slices[row]]
            values[(place, slice(len(found))) if self.ragged else place] = found[part]
            frames[place], level_db[place] = keys.frames[row], keys.level_db[row]
            if not self._checked[position]:
                self._check(position, found, keys, row)
        return values, frames, level_db

    def _check(self, position: int, values: Floats, keys: ShardKeys, row: int) -> None:
        found = row_checksum(
            values,
            keys.frames[row],
            keys.level_db[row],
            keys.digests[row],
            keys.variants[row],
            keys.aspects[row],
        )
        if found != keys.checksums[row]:
            path = shard_path(self.folder, int(self.shards[position]))
            raise damaged(path, f"row {row} differs from what was written")
        self._checked[position] = True

    def _shard_of(self, number: int) -> tuple[ShardKeys, Floats, list[slice | int]]:
        opened = self._open.pop(number, None)
        if opened is None:
            path = self._place_of(number)
            try:
                keys = read_keys(path)
                if keys.offset is None or (keys.shape, keys.dtype) != (self.shape, self._dtype):
                    raise damaged(path, "its values are not of this store's shape and type")
                self._check_keys(number, path, keys)
                slices = row_slices(keys.frames, self.ragged)
                rows = int(keys.frames.sum(dtype=np.int64)) if self.ragged else len(slices)
                mapped = np.memmap(path, keys.dtype, mode="r", offset=keys.offset, shape=(rows, *keys.shape))
            except FileNotFoundError:
                raise StoreCorrupt(
                    f"{path}: was removed after the store was opened; build it again"
                ) from None
            except ValueError:
                raise damaged(path, "it is shorter than its tables say") from None
            opened = (keys, mapped, slices)
            if len(self._open) >= MOST_OPEN:
                del self._open[next(iter(self._open))]
        self._open[number] = opened  # the last one is the one that was used last
        return opened

    def _check_keys(self, number: int, path: Path, keys: ShardKeys) -> None:
        """Make sure that rows lie where the index said, by which they are asked for."""
        first, last = self.shards.searchsorted(np.array([number, number + 1], self.shards.dtype))
        rows = self.shard_rows[first:last]
        there = int(rows.max(initial=-1)) < len(keys.digests)
        if not there or not np.array_equal(packed_keys(keys)[rows], self._places.keys[first:last]):
            raise StoreCorrupt(
                f"{path}: was changed after the store was opened; open the store, or run the command, again"
            )

    def _place_of(self, number: int) -> Path:
        """A shard on this machine; what was fetched and is open takes no more room than the limit says."""
        if self._mirror is None:
            return shard_path(self.folder, number)
        path = self._mirror.shard(number)
        held = [self._mirror.size(each) for each in (number, *self._open)]
        while self._open and sum(held) > limit_bytes():
            del self._open[next(iter(self._open))], held[1]
        return path


def store_folder(cache: Path, options: StoreOptions) -> Path:
    """Folder of the store of these settings."""
    return cache / options.kind / fingerprint(provenance(options))


def build_command(options: StoreOptions, copies: int = 1) -> str:
    """The command that builds the store of these settings; ``copies`` count in one of variants.

    Examples:
        >>> build_command(recipe("paper").front_end)
        'ser cache mels --preset paper'
        >>> build_command(FrontEnd(n_mels=80))
        'ser cache mels --n-mels 80'
        >>> build_command(SmileOptions(feature_set="egemaps"))
        'ser cache features --set egemaps'
        >>> build_command(Augmented(inputs=FrontEnd()), copies=2)
        'ser cache augment --copies 2'
        >>> build_command(EmbeddingOptions(encoder="whisper-base", layers=(2, 3), depth=6))
        'ser cache embeddings --encoder whisper-base --layers 2,3'
        >>> build_command(WaveOptions(crop_s=4))
        'ser cache waves --crop-s 4.0'
    """
    inputs = inputs_of(options)
    variants = [f"--copies {copies}"] if isinstance(options, Augmented) else []
    if isinstance(inputs, EmbeddingOptions):
        command, own = "cache embeddings", [f"--encoder {asked_as(inputs.name, inputs.folder)}"]
    elif isinstance(inputs, WaveOptions):
        command, own = "cache waves", []
    elif variants:
        command, own = "cache augment", [] if inputs.kind == "mels" else [f"--of {inputs.kind}"]
    else:
        command, own = f"cache {'mels' if isinstance(inputs, FrontEnd) else 'features'}", _set_of(inputs)
    return " ".join([f"ser {command}", *variants, *own, *flags_for(inputs, command)])


def build_again(folder: Path, options: StoreOptions, copies: int = 1) -> str:
    """The command that goes on with a store in the cache that it lies in.

    Args:
        folder: of the store; that of a mirror stands for the store at its address.
        options: of the store.
        copies: variants of each recording, in a store of them.

    Examples:
        >>> build_again(Path("cache/mels/0"), FrontEnd()), build_again(Path("my cache/mels/0"), FrontEnd())
        ('ser cache mels', "ser cache mels --cache 'my cache'")
    """
    mirror = Mirror.of(folder)
    cache = str(folder.parent.parent) if mirror is None else mirror.address.rsplit("/", 2)[0]
    return build_command(options, copies) + ("" if cache == "cache" else f" --cache {shlex.quote(cache)}")


def train_command(model: str, options: StoreOptions, copies: int = 1) -> str:
    """The command that trains a model on the store of these settings.

    Examples:
        >>> train_command("crnn", recipe("paper").front_end)
        'ser train crnn --preset paper'
        >>> train_command("dnn", Augmented(inputs=SmileOptions(feature_set="compare")), copies=2)
        'ser train dnn --set compare --copies 2'
    """
    inputs = inputs_of(options)
    variants = [f"--copies {copies}"] if isinstance(options, Augmented) else []
    return " ".join([f"ser train {model}", *_set_of(inputs), *flags_for(inputs, "train"), *variants])


def _set_of(options: InputOptions) -> list[str]:
    return [f"--set {options.feature_set}"] if isinstance(options, SmileOptions) else []


def flags_for(options: InputOptions, command: str) -> list[str]:
    """The fewest flags of a command that make these settings; openSMILE's sets have none."""
    if isinstance(options, SmileOptions):
        return []
    names = {(each.section, each.name): each.flag for each in flags_of(command)}
    sections = {FrontEnd: "front_end", FeatureOptions: "features"}
    section = sections.get(type(options), "embeddings")
    candidates = []
    for preset in PRESETS if isinstance(options, FrontEnd) else PRESETS[:1]:
        flags = [] if preset == "default" else [f"--preset {preset}"]
        flags += [
            f"--{names[section, name]}" + ("" if value is True else f" {value}")
            for name, value in changes(options, preset).items()
        ]
        candidates.append(flags)
    return min(candidates, key=len)


def drawn_changes(changes: WaveAugment) -> dict[str, Any]:
    """Options in which the drawing of variants differs from the default."""
    return changes.model_dump(mode="json", exclude_defaults=True)


def changes(options: InputOptions, preset: str = "default") -> dict[str, Any]:
    """Settings in which options differ from a preset's, ``none`` for those that are switched off."""
    if isinstance(options, EmbeddingOptions):
        return _embedding_changes(options)
    bases: dict[str, InputOptions] = {
        "mels": recipe(preset).front_end,
        "features": FeatureOptions(),
        "waves": WaveOptions(),
    }
    smile = SmileOptions(feature_set="compare" if options.kind == "compare" else "egemaps")
    base: InputOptions = bases.get(options.kind, smile)
    usual = base.stored.model_dump(mode="json")
    now = options.stored.model_dump(mode="json")
    return {name: "none" if value is None else value for name, value in now.items() if value != usual[name]}


def _embedding_changes(options: EmbeddingOptions) -> dict[str, Any]:
    """Settings in which embeddings differ from what is kept by default of every layer."""
    what = {"encoder", "folder", "weights", "width", "depth", "device"}  # what it is, not how it is used
    now = options.stored.model_dump(mode="json", exclude_defaults=True, exclude=what)
    if options.depth and options.layers == tuple(range(options.depth + 1)):
        del now["layers"]
    return {
        name: ",".join(map(str, value)) if isinstance(value, list) else value for name, value in now.items()
    }


def open_store(cache: Path, options: StoreOptions, copies: int = 1) -> Store:
    """Open the store of these settings.

    Args:
        cache: folder of all stores, or its address.
        options: settings; ``level`` corpus_rms and none share one store.
        copies: variants wanted of a store of them, for the message if there is none.

    Raises:
        StoreMissing: it has not been built; the message names the command that does.
        StoreCorrupt: a shard cannot be read.
    """
    folder = store_folder(local_cache(cache), options)
    index = read_index(folder) if folder.is_dir() else None
    if index is not None and index.damaged:
        raise StoreCorrupt(index.damaged[0][1])
    if index is None or index.table.num_rows == 0:
        what = options.kind.replace("-", " ")
        mirror = Mirror.of(folder)
        place = folder if mirror is None else mirror.address
        command = build_again(folder, options, copies)
        raise StoreMissing(f"{place}: no {what} for these settings; run '{command}'")
    return Store(folder, options.stored, index)
