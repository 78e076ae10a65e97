"""What each store below a cache folder is, whether it is current, and how long what it lacks takes."""

import os
import stat
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa

from ser_pipeline.arrays import Bools, numbers_of
from ser_pipeline.errors import SettingsError, StoreMissing, some
from ser_pipeline.front_end import aspect_of
from ser_pipeline.manifest.digest import Digests, Places, first_of_each, packed, packed_texts
from ser_pipeline.manifest.read import codes
from ser_pipeline.manifest.segments import names_of
from ser_pipeline.options import (
    PRESETS,
    Augmented,
    EmbeddingOptions,
    FrontEnd,
    StoreOptions,
    inputs_of,
    options_of,
)
from ser_pipeline.processes import chosen_device
from ser_pipeline.store.build import changed_sources, describe
from ser_pipeline.store.identity import differences, keyed, provenance
from ser_pipeline.store.index import KEYS, Index, read_index
from ser_pipeline.store.read import changes, drawn_changes
from ser_pipeline.tables.cells import plural

if TYPE_CHECKING:
    from ser_pipeline.manifest import Manifest

SOURCES = ("path", "audio_digest", "modality", "start_s", "end_s")
"""Columns of the manifest that are looked at."""

BUILD_SECONDS: Final[Mapping[str, float]] = MappingProxyType(
    {
        "mels": 0.02, "features": 0.03, "egemaps": 0.06, "compare": 0.3, "embeddings": 0.1, "frames": 0.1,
        "waves": 0.01,
        "augmented-mels": 0.05, "augmented-features": 0.06,
        "augmented-egemaps": 0.09, "augmented-compare": 0.35, "augmented-embeddings": 0.13,
        "augmented-frames": 0.13, "augmented-waves": 0.04,
    }
)  # fmt: skip
"""Seconds to compute a recording for a store of each kind; those of an encoder with whisper-base."""

_BASE: Final = 6 * 512**2
"""Layers times squared width of whisper-base: what an encoder takes grows with it."""
_READING: Final = 0.2
"""What the smallest encoder takes beside whisper-base: recordings are decoded for it as well."""


@dataclass(frozen=True, slots=True)
class StoreStatus:
    """One store, as ``ser cache status`` shows it.

    Attributes:
        folder: of the store.
        kind: as ``mels`` or ``features``.
        preset: preset with these settings, or how they differ from the default.
        rows: recordings it holds.
        failed: recordings that could not be used.
        missing: recordings of the manifest without a row.
        foreign: rows that no recording of the manifest has.
        size_bytes: of its files.
        changed: paths of recordings whose bytes have changed since it was built.
        state: ``current``, ``incomplete``, ``damaged``, ``empty``, ``outdated`` or ``unknown``, with the
            reason.
    """

    folder: Path
    kind: str
    preset: str
    rows: int
    failed: int
    missing: int | None
    foreign: int | None
    size_bytes: int
    state: str
    changed: tuple[str, ...] = ()


def stores(cache: Path) -> Iterator[Path]:
    """Folders of all stores below ``cache``, in order."""
    if cache.is_dir():
        yield from sorted(path for path in cache.glob("*/*") if path.is_dir() and len(path.name) == 16)


def status(cache: Path, manifest: "Manifest | None") -> list[StoreStatus]:
    """Describe every store below ``cache``.

    Args:
        cache: folder of all stores.
        manifest: to count what is missing; None leaves that out.
    """
    wanted = None if manifest is None else _Wanted.of(manifest.table)
    return [_status(folder, wanted) for folder in stores(cache)]


def folder_bytes(folder: Path) -> int:
    """Size of all files of a store."""
    return sum(status.st_size for _, status in files_of(folder))


def files_of(folder: Path) -> Iterator[tuple[Path, os.stat_result]]:
    """Every file of a store and its status, in order; one that goes while this looks is left out."""
    for path in sorted(folder.rglob("*")):
        with suppress(FileNotFoundError):
            found = path.stat()
            if stat.S_ISREG(found.st_mode):
                yield path, found


@dataclass(frozen=True, slots=True)
class _Wanted:
    """Recordings of a manifest: its table, the digest of each row, and how many different ones there are."""

    table: pa.Table
    digests: Digests
    count: int

    @classmethod
    def of(cls, table: pa.Table) -> "_Wanted":
        digests = packed(table["audio_digest"].chunks)
        return cls(table, digests, int(first_of_each(digests).sum()))

    def keys(self, described: dict[str, Any] | None) -> Digests:
        """What a store calls the recording of each row: its digest, and what else its values depend on."""
        try:
            options = None if described is None else options_of(described)
        except SettingsError:  # of another version
            options = None
        if options is None or not aspect_of(options, "speech"):
            return self.digests
        modality = codes(self.table["modality"])
        return keyed(self.digests, modality.of, [aspect_of(options, name) for name in modality.names])

    def sources(self, chosen: Bools) -> pa.Table:
        """Name and digest of some rows."""
        rows = self.table.filter(pa.array(chosen))
        return pa.table({"path": names_of(rows), "audio_digest": rows["audio_digest"]})


def _status(folder: Path, wanted: _Wanted | None) -> StoreStatus:
    index = read_index(folder, write=False, columns=KEYS)
    reasons = index.failures()
    rows = _whole(index.usable())
    missing = foreign = None
    changed, unknown = list[str](), 0
    described = describe(folder)
    if wanted is not None:
        keys = wanted.keys(described)
        lacking = Places(rows).find(keys) < 0
        missing = int(first_of_each(keys[lacking]).sum())
        count = wanted.count if keys is wanted.digests else int(first_of_each(keys).sum())
        foreign = len(rows) - (count - missing)
        lacking &= Places(packed_texts([*reasons])).find(wanted.digests) < 0
        unknown = int(first_of_each(keys[lacking]).sum())
        changed = changed_sources(folder, wanted.sources(lacking)) if unknown else []
    return StoreStatus(
        folder=folder,
        kind=folder.parent.name,
        preset="unknown" if described is None else settings_in_words(described),
        rows=index.table.num_rows - len(reasons),
        failed=len(reasons),
        missing=missing,
        foreign=foreign,
        size_bytes=folder_bytes(folder),
        state=_state(described, len(index.damaged), unknown, changed),
        changed=tuple(changed),
    )


def _whole(index: Index) -> Digests:
    """Recordings that have as many variants as any has, each once."""
    keys, variants = index.recordings(), numbers_of(index.table["variant"], np.int16)
    last = int(variants.max(initial=0))
    if not last:
        return keys[first_of_each(keys)]
    of = Places(keys).find(keys)
    have = np.bincount(of[variants > 0], minlength=len(keys))
    whole: Digests = keys[(of == np.arange(len(keys))) & (have >= last)]
    return whole


def _state(described: dict[str, Any] | None, damaged: int, unknown: int, changed: list[str]) -> str:
    if damaged:
        return f"damaged: {plural(damaged, 'shard')} cannot be read"
    if described is None:
        return "empty"
    try:
        old = outdated(described)
    except SettingsError as error:
        return f"unknown: {error}"
    if old:
        return "outdated: " + "; ".join(old)
    if not unknown:
        return "current"
    why = [f"recording changed: {some(changed, show=3)}"] if changed else []
    new = unknown - len(changed)
    why += [f"{new} new"] if new > 0 and changed else []
    return "; ".join([f"incomplete: {plural(unknown, 'recording')} to compute", *why])


def details(folder: Path, today: Mapping[str, StoreOptions]) -> Iterator[tuple[str, str]]:
    """All that a store's numbers depend on, and how that differs from what would be built today.

    Args:
        folder: of the store.
        today: kind -> settings of today, by preset and ``ser.toml``.

    Yields:
        What, and its value.
    """
    described = describe(folder)
    if described is None:
        yield "state", "empty"
        return
    for part in ("algorithm", "about", "settings", "libraries"):
        value = described.get(part, {})
        inner = value.items() if isinstance(value, dict) else [("version", value)]
        yield from ((f"{part}.{key}", str(held)) for key, held in inner)
    options = today.get(described["kind"])
    if options is not None:
        for line in differences(described, provenance(options)):
            yield "differs from today's settings", line


def find_store(cache: Path, name: str) -> Path:
    """Folder of the store of that name, or of the only one whose name begins so.

    Raises:
        StoreMissing: none, or more than one.
    """
    names = [folder for folder in stores(cache) if folder.name.startswith(name)]
    if len(names) != 1:
        known = some([f"{folder.parent.name}/{folder.name}" for folder in names or stores(cache)])
        found = "no store" if not names else f"{len(names)} stores"
        raise StoreMissing(f"{cache}: {found} named '{name}'; valid are {known or 'none'}")
    return names[0]


def outdated(described: dict[str, Any]) -> list[str]:
    """Why the same settings would make another store today; empty if they would not.

    Raises:
        SettingsError: that cannot be told here, as a library that they need is not installed.
    """
    try:
        options = options_of(described)
    except SettingsError as error:  # settings of another version
        return [str(error)]
    return differences(described, provenance(options))


def settings_in_words(described: dict[str, Any]) -> str:
    """Name the preset a store belongs to, or its differences from the nearest one."""
    try:
        options = options_of(described)
    except SettingsError:
        return "of another version"
    drawn: list[str] = []
    if isinstance(options, Augmented):
        drawn = [f"{key}={value}" for key, value in drawn_changes(options.changes).items()]
    inputs, names = inputs_of(options), []
    if isinstance(inputs, EmbeddingOptions):
        changed = [f"{key}={value}" for key, value in changes(inputs).items()]
        return " ".join([inputs.name, *changed, *drawn])
    for preset in PRESETS if isinstance(inputs, FrontEnd) else PRESETS[:1]:
        changed = [f"{key}={value}" for key, value in changes(inputs, preset).items()]
        names.append(" ".join([preset, *changed, *drawn]))
    return min(names, key=lambda name: name.count(" "))


def build_seconds(options: StoreOptions, clips: int) -> float:
    """Seconds that one process should take to compute some recordings for a store.

    Beside what a graphics card does with an encoder, only reading the recordings counts.
    """
    inputs = inputs_of(options)
    if not isinstance(inputs, EmbeddingOptions):
        return clips * BUILD_SECONDS[options.kind]
    if chosen_device(inputs.device) != "cpu":
        return clips * BUILD_SECONDS["waves"]
    return clips * encoder_size(inputs) * BUILD_SECONDS[options.kind]


def encoder_size(encoder: EmbeddingOptions) -> float:
    """What the layers of an encoder that are computed take, whisper-base being 1, as one not yet read is."""
    size = max(encoder.layers, default=encoder.depth) * encoder.width**2 / _BASE
    return max(size, _READING) if size else 1.0
