"""Time work fairly, and measure the peak memory of a build."""

import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import soundfile

from ser_pipeline.audio.decode import read_recording
from ser_pipeline.benchmarks import one_build
from ser_pipeline.manifest import Manifest
from ser_pipeline.options import FrontEnd

LARGE_CORPUS = 20_000
"""Recordings of a corpus whose shards are as long as any corpus's."""

SHARD_CLIPS = 512
LONG_S = 1800
LONG_RATE = 44_100
COLUMNS = ("path", "audio_digest", "duration_s", "modality")


@dataclass(frozen=True, slots=True)
class Measurement:
    """One measured figure.

    Attributes:
        work: what was done.
        rate: of the toolkit, in ``unit``.
        unit: of both rates.
        reference: what it is compared with.
        reference_rate: of the reference; None if there is no reference.
        floor: smallest ratio, or rate if there is no reference, that is acceptable.
        goal: ratio or rate aimed at.
        note: breakdown, or how it was measured.
        peak_mib: peak memory of the process that did it, where that was measured.
    """

    work: str
    rate: float
    unit: str
    reference: str = ""
    reference_rate: float | None = None
    floor: float | None = None
    goal: float | None = None
    note: str = ""
    peak_mib: float | None = None

    @property
    def ratio(self) -> float | None:
        """How many times the reference's rate."""
        return None if self.reference_rate is None else self.rate / self.reference_rate


def seconds(work: Callable[[], object], clock: Callable[[], float] = time.perf_counter) -> float:
    """Time of one call, in seconds.

    Args:
        work: what to time.
        clock: wall time; or ``time.process_time``, which other processes on the machine hardly touch.
    """
    start = clock()
    work()
    return clock() - start


def spent(*words: object) -> float:
    """Processor seconds of a whole ``ser`` command and of all that it starts.

    Args:
        words: of the command.
    """
    import resource  # which Windows lacks

    def used() -> float:
        usage = resource.getrusage(resource.RUSAGE_CHILDREN)
        return usage.ru_utime + usage.ru_stime

    command = [sys.executable, "-m", "ser_pipeline", *map(str, words)]
    return seconds(lambda: subprocess.run(command, check=True, capture_output=True), used)


def paired(
    one: Callable[[], object],
    other: Callable[[], object],
    rounds: int,
    clock: Callable[[], float] = time.perf_counter,
) -> tuple[float, float]:
    """Median seconds of two pieces of work that run in turn, after one unmeasured round.

    Args:
        one: first piece.
        other: second piece.
        rounds: measured rounds.
        clock: see :func:`seconds`.

    Examples:
        >>> all(value >= 0 for value in paired(lambda: None, lambda: None, 3))
        True
    """
    one()
    other()
    pairs = [(seconds(one, clock), seconds(other, clock)) for _ in range(rounds)]
    return statistics.median(pair[0] for pair in pairs), statistics.median(pair[1] for pair in pairs)


def memory_figures(manifest: Manifest, data: Path, work: Path, front_end: FrontEnd) -> Iterator[Measurement]:
    """Peak resident memory of a fresh process that builds one shard.

    It loads what a worker loads, and the table of the manifest besides. A corpus of 10,000 clips
    or of a million has shards of at most 512 clips, so the second figure holds for both.

    Args:
        manifest: clips to build, 512 of them at most.
        data: folder its paths are relative to.
        work: folder to write to.
        front_end: settings.
    """
    clips = manifest.table.select(COLUMNS).slice(0, SHARD_CLIPS)
    paths = [str((data / path).resolve()) for path in clips["path"].to_pylist()]
    clips = clips.set_column(0, "path", pa.array(paths))
    corpora = {
        "a small corpus": clips.slice(0, 40),
        f"a corpus of {LARGE_CORPUS:,} clips": pa.concat_tables([clips, _made_up(LARGE_CORPUS, clips)]),
        "a recording of 30 minutes": pa.concat_tables([_long(work, clips), clips.slice(0, 8)]),
    }
    for name, table in corpora.items():
        computed, mib = _built(table, work / f"memory {name}", front_end)
        note = f"peak of one process that built {computed:.0f} clips; at most 350 MiB, goal 300"
        yield Measurement(f"memory, {name}", mib, "MiB", note=note)


def _built(table: pa.Table, target: Path, front_end: FrontEnd) -> tuple[float, float]:
    """Rows made, and peak memory in MiB, of building a table's first shard in a process of its own."""
    rows = target.with_suffix(".parquet")
    pq.write_table(table, rows)
    script = [sys.executable, "-P", one_build.__file__]  # -P: its neighbours are not top-level modules
    call = [*script, str(rows), str(target), front_end.model_dump_json()]
    said = subprocess.run(call, check=True, capture_output=True, text=True).stdout.split()
    return float(said[0]), float(said[1])


def _made_up(rows: int, like: pa.Table) -> pa.Table:
    """Rows of recordings that are never read: their shards are not built."""
    digests = [f"{number:032x}" for number in range(rows)]
    columns = [digests, digests, [1.0] * rows, ["speech"] * rows]
    return pa.table(columns, names=list(COLUMNS)).cast(like.schema)


def _long(work: Path, like: pa.Table) -> pa.Table:
    """A manifest's row of half an hour of tone and noise, which is written here."""
    path = work / "long.wav"
    rng = np.random.default_rng(0)
    with soundfile.SoundFile(path, "w", LONG_RATE, 1) as file:
        tone = 0.2 * np.sin(2 * np.pi * 220 * np.arange(LONG_RATE) / LONG_RATE)
        for _ in range(LONG_S):
            file.write(tone + 0.01 * rng.standard_normal(LONG_RATE))
    digest = read_recording(path, LONG_RATE, max_s=1.0).digest
    columns = [[str(path.resolve())], [digest], [float(LONG_S)], ["speech"]]
    return pa.table(columns, names=list(COLUMNS)).cast(like.schema)
