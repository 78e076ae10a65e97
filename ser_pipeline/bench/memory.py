"""How much memory a caching worker takes at most, on clips and on a recording of half an hour."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import soundfile

from ser_pipeline.bench.measure import Figure
from ser_pipeline.manifest import Manifest
from ser_pipeline.settings import FrontEnd

LONG_S = 1800
AIMS = "at most 600 MiB, goal 350"

_WORKER = """
import pathlib, resource, sys, types
import pyarrow.parquet as pq
from ser_pipeline.audio import read_recording
from ser_pipeline.front_end.rows import row_of_wave
from ser_pipeline.settings import FrontEnd
from ser_pipeline.store import build_store

def say():
    # what getrusage says begins with the parent's own peak; Linux has a better figure
    status = pathlib.Path("/proc/self/status")
    lines = status.read_text().splitlines() if status.exists() else []
    peaks = [int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM")]
    mac = 1024 if sys.platform == "darwin" else 1
    print(peaks[0] if peaks else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024 / mac)

table, data, cache, long, options = sys.argv[1:]
front_end = FrontEnd.model_validate_json(options)
manifest = types.SimpleNamespace(table=pq.read_table(table))
build_store(manifest, pathlib.Path(data), pathlib.Path(cache), front_end)
say()
row_of_wave(read_recording(pathlib.Path(long), front_end.sample_rate).wave, front_end)
say()
"""


def worker_memory(manifest: Manifest, data: Path, work: Path, front_end: FrontEnd) -> Iterator[Figure]:
    """Largest resident memory of a fresh process that caches clips, then one long recording.

    Args:
        manifest: of the clips.
        data: folder its paths are relative to.
        work: folder to write to.
        front_end: settings.
    """
    table, long = work / "memory.parquet", work / "long.wav"
    pq.write_table(manifest.table, table)
    _write_long(long, front_end.sample_rate)
    words = [str(table), str(data), str(work / "memory"), str(long), front_end.model_dump_json()]
    said = subprocess.run(
        [sys.executable, "-c", _WORKER, *words], check=True, capture_output=True, text=True
    ).stdout
    clips, longest = (float(line) for line in said.split())
    yield Figure("memory of a caching worker", clips, "MiB", note=f"{manifest.table.num_rows} clips; {AIMS}")
    yield Figure("memory with a recording of 30 minutes", longest, "MiB", note=AIMS)


def _write_long(path: Path, sample_rate: int) -> None:
    """Half an hour of noise at 48 kHz, or at the wanted rate if that is higher."""
    rate = max(48_000, sample_rate)
    second = np.random.default_rng(0).normal(0, 0.1, rate).astype(np.float32)
    with soundfile.SoundFile(path, "w", rate, 1) as file:
        for _ in range(LONG_S):
            file.write(second)
