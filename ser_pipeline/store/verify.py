"""Whether a store is whole: every byte read again, some rows computed anew."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ser_pipeline.audio import read_recording
from ser_pipeline.errors import AudioError, StoreCorrupt
from ser_pipeline.front_end.rows import row_of_variant
from ser_pipeline.settings import options_of
from ser_pipeline.store.build import describe
from ser_pipeline.store.identity import fingerprint
from ser_pipeline.store.index import read_index
from ser_pipeline.store.lock import shard_range
from ser_pipeline.store.plan import Clip, recordings
from ser_pipeline.store.read import Store
from ser_pipeline.store.shard import read_keys, read_rows, shard_number

if TYPE_CHECKING:
    from ser_pipeline.manifest import Manifest

TOLERANCE = 2e-3
"""Largest difference of a recomputed value, relative where it is above 1: a step of float16, rounding."""


@dataclass(frozen=True, slots=True)
class VerifyReport:
    """What ``ser cache verify`` found.

    Attributes:
        shards: shards read.
        rows: rows whose checksum fits.
        recomputed: rows computed again from their recording.
        problems: one line each.
        damaged: shards that must be built again.
    """

    shards: int
    rows: int
    recomputed: int
    problems: tuple[str, ...]
    damaged: tuple[Path, ...]


def verify(
    folder: Path, manifest: "Manifest | None", data: Path | None, *, sample: int, seed: int = 0
) -> VerifyReport:
    """Read every byte of a store again, and compute a sample of its rows anew.

    Args:
        folder: of the store.
        manifest: to find recordings; None recomputes nothing.
        data: folder the manifest's paths are relative to.
        sample: rows to recompute at most.
        seed: of the choice.
    """
    problems, damaged, rows, shards = [], [], 0, 0
    for path in sorted(folder.glob("shard-*.h5")):
        shards += 1
        try:
            if fingerprint(read_keys(path).described) != folder.name:
                raise StoreCorrupt(f"{path}: was made with other settings or library versions than its store")
            rows += len(read_rows(path))
        except StoreCorrupt as error:
            problems.append(str(error))
            damaged.append(path)
    recomputed = 0
    described = describe(folder)
    if manifest is not None and data is not None and data.is_dir() and described is not None and not damaged:
        recomputed, wrong = _recompute(folder, manifest, data, described, sample, seed)
        problems += wrong
    return VerifyReport(shards, rows, recomputed, tuple(problems), tuple(damaged))


def _recompute(
    folder: Path, manifest: "Manifest", data: Path, described: dict[str, Any], sample: int, seed: int
) -> tuple[int, list[str]]:
    options = options_of(described["kind"], described["settings"])
    store = Store(folder, options, read_index(folder, write=False))
    wanted = recordings(manifest.table, options, copies=max(1, store.copies))
    present = [(clip, position) for clip in wanted if (position := store.find(clip.key)) >= 0]
    chosen = np.random.default_rng(seed).permutation(len(present))[:sample]
    problems = []
    for number in sorted(chosen.tolist()):
        clip, position = present[number]
        try:
            recording = read_recording(data / clip.path, options.sample_rate)
        except AudioError as error:
            problems.append(f"cannot recompute {clip.path}: {error}")
            continue
        if recording.digest != clip.digest:
            problems.append(f"{clip.path}: changed since the manifest was built; run 'ser manifest build'")
            continue
        off = _off(store, position, clip, recording.wave)
        if not off <= TOLERANCE:  # also where it is not a number
            problems.append(
                f"{clip.path}: recomputed values differ by {off:.2g}; delete {folder} and build it"
            )
    return len(chosen), problems


def _off(store: Store, position: int, clip: Clip, wave: npt.NDArray[np.float32]) -> float:
    """Largest difference between a row and what its recording gives today."""
    values, frames, _ = store.read([position])
    row = row_of_variant(
        wave, store.options, digest=clip.digest, variant=clip.variant, modality=clip.modality
    )
    if int(frames[0]) != row.frames:
        return math.inf
    return float((np.abs(values[0] - row.values) / np.maximum(1, np.abs(row.values))).max())


def repair(report: VerifyReport) -> int:
    """Set damaged shards aside, so that the next build computes their recordings again.

    Raises:
        StoreError: a build works on one of them.
    """
    for path in report.damaged:
        with shard_range(path.parent, shard_number(path), shard_number(path) + 1):
            path.rename(path.with_suffix(".h5.damaged"))
    return len(report.damaged)
