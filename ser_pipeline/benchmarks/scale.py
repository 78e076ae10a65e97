"""Time and peak memory against the number of recordings, and their picture."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import cycle
from pathlib import Path
from types import MappingProxyType
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import soundfile as sf
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Drawing

from ser_pipeline.atomic import write_atomically
from ser_pipeline.benchmarks.measure import Measurement
from ser_pipeline.front_end import layout_of
from ser_pipeline.manifest import SCHEMA, digest_file
from ser_pipeline.manifest.schema import write_table
from ser_pipeline.options import FrontEnd
from ser_pipeline.store import provenance, store_folder
from ser_pipeline.store.shard import ASPECT_DTYPE, KEY_DTYPE, ShardRows, shard_path, write_shard

TINY = FrontEnd(denoise="none", n_mels=8, max_s=0.1)
"""Quick settings: what is measured is the machinery, not the signal processing."""
KEYS, CLIPS = (10_000, 100_000, 1_000_000, 10_000_000), (1_000, 10_000, 100_000)
STEPS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "read": "read_manifest(manifests)",
        "validate": "check_rows(read_manifest(manifests).table)",
        "split": "make_split(read_manifest(manifests, SPLIT_COLUMNS), 'speaker')",
        "index": "read_index(store_folder(cache, tiny))",
        "status": "status(cache, read_manifest(manifests, SOURCES))",
        "complete": "build_store(read_manifest(manifests, COLUMNS), folder / 'data', cache, tiny)",
        "cache": "build_store(read_manifest(manifests, COLUMNS), folder / 'data', cache, tiny)",
    }
)
"""What each step runs. As text, so that its process loads what the step needs and nothing else."""
_BEFORE = """
import json, sys, time
from pathlib import Path
from ser_pipeline.manifest import read_manifest
from ser_pipeline.splits import SPLIT_COLUMNS, make_split
from ser_pipeline.manifest.validate import check_rows
from ser_pipeline.options import FrontEnd
from ser_pipeline.store import build_store, store_folder
from ser_pipeline.store.index import read_index
from ser_pipeline.store.plan import COLUMNS
from ser_pipeline.store.status import SOURCES, status
folder, tiny = Path(sys.argv[1]), FrontEnd.model_validate_json(sys.argv[2])
manifests, cache = folder / "manifests", folder / "cache"
start = time.perf_counter()
"""
_AFTER = """
spent = time.perf_counter() - start
(peak,) = [line for line in open("/proc/self/status") if line.startswith("VmHWM")]
sys.stdout.write(json.dumps({"seconds": spent, "mib": int(peak.split()[1]) / 1024}))
"""
_SHARD = 512
_SPEAKERS = 1_000

_STYLES: Final = (
    ("#0072b2", "o"), ("#d55e00", "s"), ("#009e73", "^"), ("#cc79a7", "D"),
    ("#e69f00", "v"), ("#56b4e9", "P"), ("#000000", "X"),
)  # fmt: skip
"""Colours of Okabe and Ito, told apart by every kind of eye, each with a marker of its own."""


def figures(
    work: Path, keys: tuple[int, ...] = KEYS, clips: tuple[int, ...] = CLIPS
) -> Iterator[Measurement]:
    """Seconds of every step at every size, with its peak memory.

    Args:
        work: folder to write to.
        keys: sizes of made manifests and stores.
        clips: numbers of tiny recordings that are really cached.
    """
    for rows in keys:
        folder = work / f"scale-{rows}"
        make_manifest(folder, rows)
        make_store(folder, rows)
        for step in ("read", "validate", "split", "index", "status", "complete"):
            yield measured(step, folder, rows)
    for rows in clips:
        folder = work / f"clips-{rows}"
        make_recordings(folder, rows)
        make_manifest(folder, rows)
        yield measured("cache", folder, rows)


def measured(step: str, folder: Path, rows: int) -> Measurement:
    """Run one step in a fresh process."""
    words = [sys.executable, "-c", _BEFORE + STEPS[step] + _AFTER, str(folder), TINY.model_dump_json()]
    said = json.loads(subprocess.run(words, check=True, capture_output=True, text=True).stdout)
    note = f"peak {said['mib']:.0f} MiB"
    return Measurement(f"{step} {rows:,}", said["seconds"], "s", note=note, peak_mib=said["mib"])


def make_manifest(folder: Path, rows: int) -> None:
    """Write a manifest of made recordings by a thousand speakers, or of those in the folder ``data``."""
    numbers = np.arange(rows)
    named = pc.utf8_lpad(pa.array(numbers).cast(pa.string()), 8, "0")
    speakers = pa.array([f"emodb-{number}" for number in range(_SPEAKERS)])
    columns: dict[str, pa.Array] = {
        "utterance_id": pc.binary_join_element_wise("emodb/", named, ""),
        "path": pc.binary_join_element_wise(named, ".wav", ""),
        "audio_digest": _digests(folder, rows),
        "speaker_id": speakers.take(pa.array(numbers % _SPEAKERS)),
        "emotion_id": pa.array(numbers // _SPEAKERS % 4, pa.int8()),
        "gender": pa.array(["female", "male"]).take(pa.array(numbers % _SPEAKERS % 2)),
    }
    same = {
        "corpus": "emodb", "source_label": "x", "intensity": "unspecified", "language": "de",
        "modality": "speech", "style": "acted", "duration_s": 0.1, "sample_rate": 8_000, "channels": 1,
    }  # fmt: skip
    columns |= {
        name: pa.repeat(pa.scalar(value, SCHEMA.field(name).type), rows) for name, value in same.items()
    }
    arrays = [columns.get(field.name, pa.nulls(rows, field.type)) for field in SCHEMA]
    write_table(pa.Table.from_arrays(arrays, schema=SCHEMA), {}, folder / "manifests" / "manifest.parquet")


def _digests(folder: Path, rows: int) -> pa.Array:
    """Digests of the recordings in the folder, or as many random ones, the same at every call."""
    if (folder / "data").is_dir():
        return pa.array([digest_file(path) for path in sorted((folder / "data").iterdir())])
    data = np.random.default_rng(0).bytes(16 * rows).hex().encode()
    ends = pa.array(np.arange(rows + 1, dtype=np.int32) * 32)
    return pa.StringArray.from_buffers(rows, ends.buffers()[1], pa.py_buffer(data))


def make_store(folder: Path, rows: int) -> None:
    """Write a complete store of zeros for :func:`make_manifest`'s recordings."""
    described, layout = provenance(TINY), layout_of(TINY)
    store = store_folder(folder / "cache", TINY)
    digests = _digests(folder, rows)
    for number, start in enumerate(range(0, rows, _SHARD)):
        keys = np.array(digests[start : start + _SHARD].to_pylist(), KEY_DTYPE)
        count = len(keys)
        ones = np.ones(count, np.int16)
        made = ShardRows(
            np.zeros((count, *layout.shape), np.float16), ones, np.zeros(count, np.float32), keys,
            0 * ones, np.zeros(count, ASPECT_DTYPE),
        )  # fmt: skip
        write_shard(shard_path(store, number), made, layout=layout, name=store.name, described=described)


def make_recordings(folder: Path, rows: int) -> None:
    """Write noises of a tenth of a second."""
    (folder / "data").mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    for number in range(rows):
        sf.write(folder / "data" / f"{number:08d}.wav", 0.1 * rng.standard_normal(800), 8_000)


def draw_scale(figures: Sequence[Measurement], path: Path) -> None:
    """Write one line per step; a step whose time grows with its size has slope 1.

    Args:
        figures: their ``work`` is a step and a size, their ``rate`` seconds.
        path: of the SVG to write.
    """
    drawing = Drawing(figsize=(9.6, 4.4), layout="constrained")
    times, memory = drawing.subplots(1, 2)
    _lines(times, figures, lambda figure: figure.rate)
    _lines(memory, figures, lambda figure: figure.peak_mib)
    times.set_ylabel("seconds")
    memory.set_ylabel("peak memory, MiB")
    times.legend(frameon=False)
    with write_atomically(path) as part:
        drawing.savefig(part, format="svg", metadata={"Date": None})


def _lines(axes: Axes, figures: Sequence[Measurement], value: Callable[[Measurement], float | None]) -> None:
    steps: dict[str, list[tuple[int, float]]] = {}
    for figure in figures:
        step, _, size = figure.work.rpartition(" ")
        found = value(figure)
        if found is not None:
            steps.setdefault(step, []).append((int(size.replace(",", "")), found))
    for (step, points), (colour, marker) in zip(steps.items(), cycle(_STYLES), strict=False):
        axes.loglog(*zip(*sorted(points), strict=True), color=colour, marker=marker, label=step)
    axes.set_xlabel("recordings")
    axes.grid(which="both", alpha=0.3)
