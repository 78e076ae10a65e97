"""How fast the manifest is built, and built again when nothing changed."""

import shutil
import statistics
from pathlib import Path

from ser_pipeline.bench.measure import Figure, seconds
from ser_pipeline.manifest import build_manifest, read_manifest

ROUNDS = 3


def manifest_figures(data: Path, work: Path) -> list[Figure]:
    """Clips a second of a first build, rows a second of a second one."""
    out = work / "manifests"

    def first() -> None:
        shutil.rmtree(out, ignore_errors=True)
        build_manifest(data, out, jobs=1)

    fresh, again = [], []
    for _ in range(ROUNDS + 1):
        fresh.append(seconds(first))
        again.append(seconds(lambda: build_manifest(data, out, jobs=1)))
    rows = read_manifest(out).table.num_rows
    return [
        Figure("manifest build", rows / statistics.median(fresh[1:]), "clips/s", floor=800),
        Figure("manifest build, unchanged", rows / statistics.median(again[1:]), "rows/s", floor=20_000),
    ]
