"""How fast manifest, store and features are built and read again, against the plain way."""

import hashlib
import io
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import soundfile

from ser_pipeline.api import build_manifest
from ser_pipeline.arrays import Float64s
from ser_pipeline.audio import decode_file, prepare, read_recording, spectral_gate
from ser_pipeline.audio.decode import resample
from ser_pipeline.audio.mono import usable
from ser_pipeline.benchmarks.measure import Measurement, paired, seconds
from ser_pipeline.benchmarks.plain import plain_features, plain_mel, plain_store
from ser_pipeline.dsp.mel import log_mel
from ser_pipeline.errors import SettingsError
from ser_pipeline.front_end import mel_of_wave, row_of_wave
from ser_pipeline.manifest import Manifest, read_manifest
from ser_pipeline.options import FeatureOptions, FrontEnd, InputOptions, SmileOptions
from ser_pipeline.records import DIGEST_BYTES
from ser_pipeline.store import build_store, open_store
from ser_pipeline.store.shard import shard_path

ROUNDS = 3

BATCH = 40
READING_ROUNDS = 5

WORK = "253 features"


def manifest_figures(data: Path, work: Path) -> list[Measurement]:
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
        Measurement("manifest build", rows / statistics.median(fresh[1:]), "clips/s", floor=800),
        Measurement("manifest build, unchanged", rows / statistics.median(again[1:]), "rows/s", floor=20_000),
    ]


def shuffled_batches(manifest: Manifest, data: Path, work: Path, front_end: FrontEnd) -> Measurement:
    """Clips a second in shuffled batches of 40, against reading rows one by one through h5py."""
    build_store(manifest, data, work / "read", front_end)
    store = open_store(work / "read", front_end)
    order = np.random.default_rng(0).permutation(len(store))
    files = {
        number: h5py.File(shard_path(store.folder, number)) for number in np.unique(store.shards).tolist()
    }

    def ours() -> None:
        for start in range(0, len(order), BATCH):
            store.read(order[start : start + BATCH])

    def singly() -> None:
        for position in order.tolist():
            files[int(store.shards[position])]["mels"][int(store.shard_rows[position])]

    own, other = paired(ours, singly, READING_ROUNDS)
    for file in files.values():
        file.close()
    return Measurement(
        "shuffled batches of 40, warm", len(order) / own, "clips/s", "h5py, row by row", len(order) / other,
        note="floor 10,000 clips/s, goal 30,000",
    )  # fmt: skip


def feature_figures(manifest: Manifest, data: Path) -> Iterator[Measurement]:
    """Clips a second from file to features, on one thread, in processor time.

    Args:
        manifest: of the clips.
        data: folder its paths are relative to.
    """
    paths = [data / path for path in manifest.table["path"].to_pylist()]
    clips, sound_s = len(paths), sum(manifest.table["duration_s"].to_pylist())
    own = _each(paths, FeatureOptions())
    smile = _each(paths, SmileOptions(feature_set="egemaps"))

    def librosas() -> None:
        for path in paths:
            plain_features(path, FeatureOptions().sample_rate)

    for reference, floor, goal, other in (
        ("openSMILE eGeMAPS (88 numbers)", 2.5, 5.0, smile),
        ("librosa (183 numbers)", None, None, librosas),
    ):
        try:
            mine, theirs = paired(own, other, ROUNDS, time.process_time)
        except SettingsError as error:
            yield Measurement(f"{WORK}, {reference} left out", 0.0, "clips/s", note=str(error))
            continue
        note = (
            f"{clips} clips, processor time, {sound_s / mine:.0f} x real time; {_vector_stages(paths, mine)}"
        )
        yield Measurement(WORK, clips / mine, "clips/s", reference, clips / theirs, floor, goal, note)


def _each(paths: list[Path], options: InputOptions) -> Callable[[], None]:
    def work() -> None:
        for path in paths:
            row_of_wave(decode_file(path, options.sample_rate), options)

    return work


def _vector_stages(paths: list[Path], total_s: float) -> str:
    """Milliseconds a clip of decoding, and of all that comes after it."""
    start = time.process_time()
    for path in paths:
        decode_file(path, FeatureOptions().sample_rate)
    decoding = 1000 * (time.process_time() - start) / len(paths)
    rest = max(0.0, 1000 * total_s / len(paths) - decoding)
    return f"decode and resample {decoding:.2f} ms, trim and features {rest:.2f} ms"


def against_plain(
    manifest: Manifest, data: Path, work: Path, front_end: FrontEnd, name: str, aims: tuple[float, float]
) -> Iterator[Measurement]:
    """Clips a second into HDF5 on one worker, against the plain pipeline on the same clips."""
    paths = [data / path for path in manifest.table["path"].to_pylist()]

    def ours() -> None:
        shutil.rmtree(work / "ours", ignore_errors=True)
        build_store(manifest, data, work / "ours", front_end)

    def plain() -> None:
        (work / "plain.h5").unlink(missing_ok=True)
        plain_store(paths, work / "plain.h5", front_end)

    own, other = paired(ours, plain, ROUNDS, time.process_time)
    clips, sound_s = len(paths), sum(manifest.table["duration_s"].to_pylist())
    yield Measurement(
        f"mels into HDF5, {name}", clips / own, "clips/s", "plain pipeline", clips / other, *aims,
        f"{clips} clips, processor time, {sound_s / own:.0f} x real time; {_stages(paths, front_end, own)}",
    )  # fmt: skip
    yield _agreement(paths, front_end, name)


def _stages(paths: list[Path], front_end: FrontEnd, total_s: float) -> str:
    """Milliseconds of processor time a clip by stage; what is left of the total is the store's."""
    names = ("read and hash", "decode", "resample", "gate", "trim and level", "mel", "store")
    means = 1000 * np.mean([_steps(path, front_end) for path in paths], axis=0)
    shares = [*means.tolist(), max(0.0, 1000 * total_s / len(paths) - float(means.sum()))]
    return ", ".join(f"{name} {mean:.2f} ms" for name, mean in zip(names, shares, strict=True))


def _steps(path: Path, front_end: FrontEnd) -> Float64s:
    """Seconds of processor time of each stage of one clip."""
    bare = front_end.model_copy(update={"denoise": "none"})
    times = [time.process_time()]
    data = path.read_bytes()
    hashlib.blake2b(data, digest_size=DIGEST_BYTES).hexdigest()
    times.append(time.process_time())
    with soundfile.SoundFile(io.BytesIO(data)) as file:
        own_rate, samples = int(file.samplerate), file.read(dtype="float32", always_2d=True)
    wave = usable(samples, own_rate, path.name)
    times.append(time.process_time())
    wave = resample(wave, own_rate, front_end.sample_rate)
    times.append(time.process_time())
    if front_end.denoise != "none":
        wave = spectral_gate(wave, front_end.sample_rate, prop_decrease=front_end.prop_decrease)
    times.append(time.process_time())
    ready = prepare(wave, bare).wave
    times.append(time.process_time())
    log_mel(ready, front_end)
    return np.diff([*times, time.process_time()])


def _agreement(paths: list[Path], front_end: FrontEnd, name: str) -> Measurement:
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
    return Measurement(f"difference from plain, {name}", largest, "of [-1, 1]", note=note)


def complete(work: Path, front_end: FrontEnd, rows: int = 10_000) -> Measurement:
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
        "from ser_pipeline.options import FrontEnd\nfrom ser_pipeline.store import build_store\n"
        "manifest = types.SimpleNamespace(table=pq.read_table(sys.argv[1]))\n"
        "front_end = FrontEnd.model_validate_json(sys.argv[3])\n"
        "summary = build_store(manifest, pathlib.Path('.'), pathlib.Path(sys.argv[2]), front_end)\n"
        "assert summary.present == summary.wanted"
    )
    words = [sys.executable, "-c", code, str(work / "full.parquet"), str(work / "full")]
    call = [*words, front_end.model_dump_json()]
    spent = [seconds(lambda: subprocess.run(call, check=True)) for _ in range(ROUNDS + 1)]
    again = statistics.median(spent[1:])
    return Measurement(
        f"complete store of {rows:,} clips, called again", again, "s", note="at most 1 s, goal 0.5 s"
    )


def sampled(manifest: Manifest, clips: int, seed: int = 0) -> Manifest:
    """A manifest of some of the recordings, chosen at random."""
    rows = manifest.table.num_rows
    chosen = np.sort(np.random.default_rng(seed).permutation(rows)[:clips])
    return replace(manifest, table=manifest.table.take(pa.array(chosen)))
