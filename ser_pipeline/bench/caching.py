"""How fast the store is built: against the plain pipeline, with workers, and when nothing is to do."""

import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from ser_pipeline.audio import prepare, read_recording, spectral_gate
from ser_pipeline.bench.measure import Figure, cpu_seconds, paired, seconds
from ser_pipeline.bench.plain import plain_mel, plain_store
from ser_pipeline.features import log_mel
from ser_pipeline.front_end.mels import mel_of_wave
from ser_pipeline.manifest import Manifest
from ser_pipeline.settings import FrontEnd
from ser_pipeline.store import build_store

ROUNDS = 3


def against_plain(
    manifest: Manifest, data: Path, work: Path, front_end: FrontEnd, name: str, aims: tuple[float, float]
) -> Iterator[Figure]:
    """Clips per processor second into HDF5 on one worker, against the plain pipeline on the same clips.

    Args:
        manifest: of the clips.
        data: folder its paths are relative to.
        work: folder to write to.
        front_end: settings of both.
        name: of the figures.
        aims: smallest ratio that is acceptable, and the one aimed at.
    """
    paths = [data / path for path in manifest.table["path"].to_pylist()]

    def ours() -> None:
        shutil.rmtree(work / "ours", ignore_errors=True)
        build_store(manifest, data, work / "ours", front_end)

    def plain() -> None:
        (work / "plain.h5").unlink(missing_ok=True)
        plain_store(paths, work / "plain.h5", front_end)

    own, other = paired(ours, plain, ROUNDS, cpu_seconds)
    clips, sound_s = len(paths), sum(manifest.table["duration_s"].to_pylist())
    yield Figure(
        f"mels into HDF5, {name}", clips / own, "clips/s", "plain pipeline", clips / other, *aims,
        f"{sound_s / own:.0f} x real time; {_stages(paths, front_end)}",
    )  # fmt: skip
    yield _agreement(paths, front_end, name)


def _stages(paths: list[Path], front_end: FrontEnd) -> str:
    """Milliseconds a clip by stage."""
    names = ("decode", "gate", "trim and level", "mel")
    bare = front_end.model_copy(update={"denoise": "none"})
    steps = []
    for path in paths:
        times = [time.process_time()]
        wave = read_recording(path, front_end.sample_rate).wave
        times.append(time.process_time())
        if front_end.denoise != "none":
            wave = spectral_gate(wave, front_end.sample_rate, prop_decrease=front_end.prop_decrease)
        times.append(time.process_time())
        ready = prepare(wave, bare).wave
        times.append(time.process_time())
        log_mel(ready, front_end)
        times.append(time.process_time())
        steps.append(np.diff(times))
    means = (1000 * np.mean(steps, axis=0)).tolist()
    return ", ".join(f"{name} {mean:.2f} ms" for name, mean in zip(names, means, strict=True))


def _agreement(paths: list[Path], front_end: FrontEnd, name: str) -> Figure:
    """Largest difference from the plain pipeline where both trim alike."""
    largest, apart = 0.0, []
    for path in paths:
        mel = mel_of_wave(read_recording(path, front_end.sample_rate).wave, front_end)
        expected = plain_mel(path, front_end)
        if expected.shape[1] != mel.frames:
            apart.append(path.name)
        else:
            largest = max(largest, float(np.abs(mel.values[:, : mel.frames] - expected).max()))
    note = f"{len(apart)} of {len(paths)} clips are trimmed otherwise" + (
        f": {', '.join(apart)}" if apart else ""
    )
    return Figure(f"difference from plain, {name}", largest, "of [-1, 1]", note=note)


def two_workers(manifest: Manifest, data: Path, work: Path, front_end: FrontEnd) -> Figure:
    """Clips a second with two workers against one, on enough shards to share evenly."""
    from joblib.externals.loky import get_reusable_executor

    def build(jobs: int) -> None:
        shutil.rmtree(work / f"jobs{jobs}", ignore_errors=True)
        build_store(manifest, data, work / f"jobs{jobs}", front_end, jobs=jobs)

    build(1)
    get_reusable_executor().shutdown(wait=True)
    cold = seconds(lambda: build(2))
    two, one = paired(lambda: build(2), lambda: build(1), ROUNDS)
    clips = manifest.table.num_rows
    return Figure(
        "two workers", clips / two, "clips/s", "one worker", clips / one, 1.8, 1.9,
        f"{clips} clips; workers that are already running, started anew {one / cold:.2f} x",
    )  # fmt: skip


def complete(work: Path, front_end: FrontEnd, rows: int = 10_000) -> Figure:
    """Seconds of a second call on a complete store of made clips, in a fresh process."""
    from ser_pipeline.front_end import layout_of
    from ser_pipeline.store.identity import fingerprint, provenance
    from ser_pipeline.store.shard import ASPECT_DTYPE, KEY_DTYPE, ShardRows, shard_path, write_shard

    described = provenance(front_end)
    folder = work / "full" / "mels" / fingerprint(described)
    digests = [f"{number:032x}" for number in range(rows)]
    shape = (front_end.n_mels, front_end.max_frames)
    for number, start in enumerate(range(0, rows, 128)):
        keys = np.array(digests[start : start + 128], KEY_DTYPE)
        count = len(keys)
        values = np.zeros((count, *shape), np.float16)
        ones = np.ones(count, np.int16)
        made = ShardRows(
            values, ones, np.zeros(count, np.float32), keys, ones * 0, np.zeros(count, ASPECT_DTYPE)
        )
        write_shard(
            shard_path(folder, number),
            made,
            layout=layout_of(front_end),
            name=folder.name,
            described=described,
        )
    table = pa.table(
        {"path": digests, "audio_digest": digests, "duration_s": [1.0] * rows, "modality": ["speech"] * rows}
    )
    pq.write_table(table, work / "full.parquet")
    code = (
        "import sys, pathlib, types, pyarrow.parquet as pq\n"
        "from ser_pipeline.settings import FrontEnd\nfrom ser_pipeline.store import build_store\n"
        "manifest = types.SimpleNamespace(table=pq.read_table(sys.argv[1]))\n"
        "front_end = FrontEnd.model_validate_json(sys.argv[3])\n"
        "summary = build_store(manifest, pathlib.Path('.'), pathlib.Path(sys.argv[2]), front_end)\n"
        "assert summary.present == summary.wanted"
    )
    words = [sys.executable, "-c", code, str(work / "full.parquet"), str(work / "full")]
    call = [*words, front_end.model_dump_json()]
    spent = [seconds(lambda: subprocess.run(call, check=True)) for _ in range(ROUNDS + 1)]
    return Figure(
        f"complete store of {rows:,} clips, called again",
        statistics.median(spent[1:]),
        "s",
        note="at most 3 s, goal 1 s",
    )


def sampled(manifest: Manifest, clips: int, seed: int = 0) -> Manifest:
    """A manifest of some of the recordings, chosen at random."""
    rows = manifest.table.num_rows
    chosen = np.sort(np.random.default_rng(seed).permutation(rows)[:clips])
    return replace(manifest, table=manifest.table.take(pa.array(chosen)))
