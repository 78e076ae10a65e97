"""What one worker does: the recordings of one chunk, from file to shard, with previews of a few."""

from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from ser_pipeline.arrays import Float32s
from ser_pipeline.audio import prepare, read_recording, spectral_gate
from ser_pipeline.errors import AudioError, AudioMissing, StoreCorrupt, StoreError
from ser_pipeline.front_end import Layout, StoreRow, layout_of, mel_of_wave, row_of_variant
from ser_pipeline.options import FrontEnd, StoreOptions
from ser_pipeline.previews import ClipSteps, outline, read_steps, write_steps
from ser_pipeline.store.identity import fingerprint, provenance
from ser_pipeline.store.index import read_index
from ser_pipeline.store.plan import Done, FailedClip, PlannedClip, Work, one_shard
from ser_pipeline.store.read import store_folder
from ser_pipeline.store.shard import (
    ASPECT_DTYPE,
    KEY_DTYPE,
    ShardRows,
    joined,
    read_rows,
    shard_path,
    write_shard,
)

if TYPE_CHECKING:
    from ser_pipeline.manifest import Manifest


MOST: Final = 4
"""Recordings whose steps are kept, each of another corpus."""


def keep_steps(manifest: "Manifest", data: Path, cache: Path, options: StoreOptions) -> int:
    """Write ``steps.parquet`` beside a store of mels, unless it is there for the same recordings.

    The recordings are chosen by the manifest alone: of each of the first :data:`MOST` corpora the one of
    median length. A recording that cannot be used is left out; the store names it anyway.

    Args:
        manifest: whose recordings the store holds.
        data: folder its paths are relative to.
        cache: folder of all stores.
        options: of the store; other kinds than mels have no steps.

    Returns:
        Recordings whose steps are kept; 0 where the store does not hold them.
    """
    folder = store_folder(cache, options)
    if not isinstance(options, FrontEnd) or not folder.is_dir():
        return 0
    rows = read_index(folder, write=False).keys()
    held = {digest for digest, _, _ in rows}
    chosen = [row for row in _chosen(manifest) if row[2] in held]
    if [clip.audio_digest for clip in _there(folder)] == [digest for _, _, digest in chosen]:
        return len(chosen)
    clips = []
    for name, path, digest in chosen:
        try:
            recording = read_recording(data / path, options.sample_rate)
            if recording.digest == digest:
                clips.append(_steps(name, digest, recording.wave, options))
        except AudioError:
            continue
    if clips:
        write_steps(folder, clips)
    return len(clips)


def _there(folder: Path) -> list[ClipSteps]:
    try:
        return read_steps(folder)
    except StoreCorrupt:
        return []  # it is written anew


def _chosen(manifest: "Manifest") -> list[tuple[str, str, str]]:
    """Utterance, path and digest of the recording of median length of each of the first corpora."""
    columns = ("corpus", "duration_s", "utterance_id", "path", "audio_digest")
    by_corpus: dict[str, list[tuple[float, str, str, str]]] = {}
    for corpus, seconds, name, path, digest in zip(
        *(manifest.table[column].to_pylist() for column in columns), strict=True
    ):
        by_corpus.setdefault(corpus, []).append((seconds, name, path, digest))
    chosen = []
    for corpus in sorted(by_corpus)[:MOST]:
        rows = sorted(by_corpus[corpus])
        _, name, path, digest = rows[len(rows) // 2]
        chosen.append((name, path, digest))
    return chosen


def _steps(name: str, digest: str, wave: Float32s, options: FrontEnd) -> ClipSteps:
    rate = options.sample_rate
    gated = wave
    if options.denoise != "none":
        reference = options.denoise == "reference"
        gated = spectral_gate(wave, rate, prop_decrease=options.prop_decrease, reference=reference)
    prepared, row = prepare(wave, options), mel_of_wave(wave, options)
    start, end = prepared.span
    return ClipSteps(
        utterance_id=name,
        audio_digest=digest,
        seconds=wave.size / rate,
        trim_start_s=start / rate,
        trim_end_s=end / rate,
        level_db=prepared.level_db,
        decoded=outline(wave),
        denoised=outline(gated),
        levelled=outline(prepared.wave),
        frame_s=options.hop_length / rate,
        mel=row.values[:, : row.frames],
    )


def make_shard(work: Work) -> Done:
    """Compute the clips a shard lacks and write it with what it already holds.

    Running it again, at the same time or later, changes nothing: what the shard holds by then
    is kept, and a shard that gains nothing is not written.

    Raises:
        StoreError: this process would make other numbers than the store is named after.
    """
    _refuse_strangers(work)
    with one_shard(work.folder, work.chunk.number):
        return _make(work)


def _refuse_strangers(work: Work) -> None:
    """A worker on another machine may have other library versions: its rows belong to another store."""
    if work.chunk.clips and fingerprint(provenance(work.options)) != work.folder.name:
        raise StoreError(
            f"{work.folder}: a worker has other settings or library versions than this machine and would "
            "make another store; install the same versions everywhere, as constraints.txt lists them"
        )


def _make(work: Work) -> Done:
    path = shard_path(work.folder, work.chunk.number)
    old = _existing(path)
    present = frozenset() if old is None else old.keys()
    made: list[tuple[PlannedClip, StoreRow]] = []
    failures: list[FailedClip] = []
    before: dict[str, str] = dict(old.failed) if old is not None else {}
    kept = dict(before)
    lacking = [clip for clip in work.chunk.clips if clip.key not in present]
    decode = lru_cache(maxsize=1)(partial(_wave, work))  # the variants of a recording lie side by side
    for clip in lacking:
        try:
            wave = decode(clip.path, clip.digest)
            row = row_of_variant(
                wave, work.options, digest=clip.digest, variant=clip.variant, modality=clip.modality
            )
            made.append((clip, row))
        except AudioMissing as error:  # not the recording's fault: tried again next time
            failures.append(FailedClip(clip.path, str(error), False))
        except AudioError as error:
            kept[clip.digest] = str(error)
            failures.append(FailedClip(clip.path, str(error), True))
    if made or kept != before:
        _write(work, path, old, _rows(made, layout_of(work.options), tuple(sorted(kept.items()))))
    return Done(work.chunk.number, len(work.chunk.clips) - len(failures), tuple(failures))


def _write(work: Work, path: Path, old: ShardRows | None, new: ShardRows) -> None:
    rows = new if old is None else joined([old, new])
    described = provenance(work.options)
    layout = layout_of(work.options)
    write_shard(path, rows, layout=layout, name=fingerprint(described), described=described)


def _wave(work: Work, name: str, digest: str) -> Float32s:
    path = work.data / name
    recording = read_recording(path, work.options.sample_rate)
    if recording.digest != digest:
        raise AudioMissing(f"{path.name}: changed since the manifest was built; run 'ser manifest build'")
    return recording.wave


def _existing(path: Path) -> ShardRows | None:
    try:
        return read_rows(path)
    except FileNotFoundError:
        return None
    except StoreCorrupt:
        path.rename(path.with_suffix(".h5.damaged"))
        return None


def _rows(
    made: list[tuple[PlannedClip, StoreRow]], layout: Layout, failed: tuple[tuple[str, str], ...]
) -> ShardRows:
    values = np.empty((len(made), *layout.shape), layout.dtype)
    for number, (_, row) in enumerate(made):
        values[number] = row.values
    return ShardRows(
        values,
        np.array([row.frames for _, row in made], np.int16),
        np.array([row.level_db for _, row in made], np.float32),
        np.array([clip.digest for clip, _ in made], KEY_DTYPE),
        np.array([clip.variant for clip, _ in made], np.int16),
        np.array([clip.aspect for clip, _ in made], ASPECT_DTYPE),
        failed,
    )
