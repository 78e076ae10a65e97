"""What each store below a cache folder is, and whether it is current."""

from collections.abc import Iterator, Set
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ser_pipeline.errors import SettingsError
from ser_pipeline.settings import PRESETS, FrontEnd, options_of
from ser_pipeline.store.build import describe
from ser_pipeline.store.identity import differences, provenance
from ser_pipeline.store.index import read_index
from ser_pipeline.store.read import changes

if TYPE_CHECKING:
    from ser_pipeline.manifest import Manifest


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
        state: ``current``, ``incomplete``, ``damaged``, ``empty`` or ``outdated``, with the reason.
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
    digests = None if manifest is None else set(manifest.table["audio_digest"].to_pylist())
    return [_status(folder, digests) for folder in stores(cache)]


def _status(folder: Path, digests: Set[str] | None) -> StoreStatus:
    index = read_index(folder, write=False)
    rows = {digest for digest, _ in index.clean()}
    failed = index.failures().keys()
    missing = None if digests is None else len(digests - rows)
    described = describe(folder)
    return StoreStatus(
        folder=folder,
        kind=folder.parent.name,
        preset="unknown" if described is None else settings_in_words(described),
        rows=index.table.num_rows - len(failed),
        failed=len(failed),
        missing=missing,
        foreign=None if digests is None else len(rows - digests),
        size_bytes=sum(path.stat().st_size for path in folder.glob("*") if path.is_file()),
        state=_state(described, index.damaged, missing, len(failed)),
    )


def _state(
    described: dict[str, Any] | None, damaged: tuple[str, ...], missing: int | None, failed: int
) -> str:
    if damaged:
        return f"damaged: {len(damaged)} shards cannot be read"
    if described is None:
        return "empty"
    old = outdated(described)
    if old:
        return "outdated: " + "; ".join(old)
    if missing is not None and missing > failed:
        return f"incomplete: {missing - failed} recordings to compute"
    return "current"


def outdated(described: dict[str, Any]) -> list[str]:
    """Why the same settings would make another store today; empty if they would not."""
    try:
        options = options_of(described["kind"], described["settings"])
        return differences(described, provenance(options))
    except SettingsError as error:  # settings of another version, or an extra that is gone
        return [str(error)]


def settings_in_words(described: dict[str, Any]) -> str:
    """Name the preset a store belongs to, or its differences from the nearest one."""
    try:
        options = options_of(described["kind"], described["settings"])
    except SettingsError:
        return "of another version"
    names = []
    for preset in PRESETS if isinstance(options, FrontEnd) else PRESETS[:1]:
        changed = [f"{key}={value}" for key, value in changes(options, preset).items()]
        names.append(" ".join([preset, *changed]))
    return min(names, key=lambda name: name.count(" "))
