"""Whether a store is whole: every byte read again, some rows computed anew."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ser_pipeline.audio import read_recording
from ser_pipeline.errors import AudioError, StoreCorrupt
from ser_pipeline.front_end.rows import row_of_wave
from ser_pipeline.settings import options_of
from ser_pipeline.store.build import describe
from ser_pipeline.store.index import read_index
from ser_pipeline.store.lock import shard_range
from ser_pipeline.store.read import Store
from ser_pipeline.store.shard import read_rows, shard_number

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
    columns = ("audio_digest", "path", "modality")
    digests, paths, modalities = (manifest.table[name].to_pylist() for name in columns)
    positions = store.rows(digests, modalities=modalities)
    present = np.flatnonzero(positions >= 0)
    chosen = np.random.default_rng(seed).permutation(present)[:sample]
    problems = []
    for number in sorted(chosen.tolist()):
        try:
            recording = read_recording(data / paths[number], options.sample_rate)
        except AudioError as error:
            problems.append(f"cannot recompute {paths[number]}: {error}")
            continue
        if recording.digest != digests[number]:
            problems.append(
                f"{paths[number]}: changed since the manifest was built; run 'ser manifest build'"
            )
            continue
        values, frames, _ = store.read([positions[number]])
        row = row_of_wave(recording.wave, options, modality=modalities[number])
        off = float((np.abs(values[0] - row.values) / np.maximum(1, np.abs(row.values))).max())
        if int(frames[0]) != row.frames or not off <= TOLERANCE:  # also where it is not a number
            problems.append(
                f"{paths[number]}: recomputed values differ by {off:.2g}; delete {folder} and build it"
            )
    return len(chosen), problems


def repair(report: VerifyReport) -> int:
    """Set damaged shards aside, so that the next build computes their recordings again.

    Raises:
        StoreError: a build works on one of them.
    """
    for path in report.damaged:
        with shard_range(path.parent, shard_number(path), shard_number(path) + 1):
            path.rename(path.with_suffix(".h5.damaged"))
    return len(report.damaged)
