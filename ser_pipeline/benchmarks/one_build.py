"""Build a store's first shard and print rows and peak memory; run as a script, in a process of its own.

By its path and not as a module of the package: the benches beside it load torch, which no worker does.
"""

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any


def peak_mib() -> float:
    """Peak resident memory of this process, in MiB.

    Linux counts it per program in ``VmHWM``; the portable ``ru_maxrss`` there also remembers the
    process that started this one.
    """
    status = Path("/proc/self/status")
    if status.is_file():
        line = next(line for line in status.read_text("ascii").splitlines() if line.startswith("VmHWM:"))
        return int(line.split()[1]) / 1024
    import resource

    unit = 1 << 20 if sys.platform == "darwin" else 1 << 10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


def main(table: Path, target: Path, settings: str) -> None:
    """Build and print.

    Args:
        table: Parquet file with the manifest's columns that a build reads.
        target: folder of the stores.
        settings: of the front end, as JSON.
    """
    import pyarrow.parquet as pq

    from ser_pipeline.options import FrontEnd
    from ser_pipeline.store import build_store

    manifest: Any = SimpleNamespace(table=pq.read_table(table))
    summary = build_store(manifest, Path("."), target, FrontEnd.model_validate_json(settings), shards=(0, 1))
    sys.stdout.write(f"{summary.computed} {peak_mib()}\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3])
