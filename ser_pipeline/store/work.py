"""What one worker does: the recordings of one chunk, from file to shard, and the steps of a few."""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import lru_cache, partial
from pathlib import Path, PurePosixPath
from typing import Final

import numpy as np

from ser_pipeline.arrays import Float32s
from ser_pipeline.atomic import remove_unfinished
from ser_pipeline.audio import Recording, prepare, read_recording, read_segment
from ser_pipeline.errors import AudioError, AudioMissing, StoreCorrupt, StoreError
from ser_pipeline.front_end import (
    Layout,
    StoreRow,
    layout_of,
    mel_of_prepared,
    row_of_variant,
    rows_of_waves,
    wave_of_variant,
)
from ser_pipeline.options import EmbeddingOptions, FrontEnd, inputs_of
from ser_pipeline.previews import ClipSteps, outline
from ser_pipeline.store.identity import fingerprint, provenance
from ser_pipeline.store.plan import Done, FailedClip, PlannedClip, Previewed, Work, one_shard
from ser_pipeline.store.shard import (
    ASPECT_DTYPE,
    KEY_DTYPE,
    ShardRows,
    joined,
    read_rows,
    shard_path,
    write_shard,
)

Row = StoreRow | AudioError
"""What a recording gives: its row, or why it has none."""

_GROUP_S: Final = 960.0
"""Seconds of sound that are decoded at once for an encoder: 60 MB."""


def row_and_steps(wave: Float32s, options: FrontEnd, clip: Previewed) -> tuple[StoreRow, ClipSteps]:
    """Compute a row of a store of mels, and show how it came about.

    Args:
        wave: mono samples at ``options.sample_rate``, shape ``(samples,)``.
        options: of the store.
        clip: whose wave it is.

    Raises:
        AudioError: the wave gives no finite numbers.
    """
    rate = options.sample_rate
    prepared = prepare(wave, options)
    row = mel_of_prepared(prepared, options)
    start, end = prepared.span
    steps = ClipSteps(
        utterance_id=clip.utterance_id,
        audio_digest=clip.digest,
        seconds=wave.size / rate,
        trim_start_s=start / rate,
        trim_end_s=end / rate,
        level_db=prepared.level_db,
        decoded=outline(wave),
        denoised=outline(prepared.gated),
        levelled=outline(prepared.wave),
        frame_s=options.hop_length / rate,
        mel=row.values[:, : row.frames],
    )
    return row, steps


def recording_of(data: Path, clip: PlannedClip | Previewed, sample_rate: int) -> Recording:
    """Decode a clip, which is a file below ``data`` or a segment of one; see :func:`read_recording`."""
    if clip.segment is None:
        return read_recording(data / clip.path, sample_rate)
    return read_segment(data / clip.path, clip.segment, sample_rate)


def steps_again(data: Path, options: FrontEnd, clip: Previewed) -> ClipSteps | None:
    """Steps of a recording whose row was made before; None where it can no longer be used."""
    try:
        recording = recording_of(data, clip, options.sample_rate)
        if recording.digest != clip.digest:
            return None
        return row_and_steps(recording.wave, options, clip)[1]
    except AudioError:
        return None


def make_shard(work: Work) -> Done:
    """Compute the clips a shard lacks and write it with what it already holds.

    Running it again, at the same time or later, changes nothing: what the shard holds by then
    is kept, and a shard that gains nothing is not written.

    Raises:
        StoreError: this process would make other numbers than the store is named after, or the build
            that it belongs to has ended.
        EncoderError: an encoder that cannot be loaded; nothing is written.
    """
    _refuse_strangers(work)
    with one_shard(work.folder, work.chunk.number):
        if work.parent not in (None, os.getppid()):  # the next build may hold this shard by now
            raise StoreError(f"{work.folder}: the build that this worker belongs to has ended")
        return _make(work)


def _refuse_strangers(work: Work) -> None:
    """A worker on another machine may have other library versions: its rows belong to another store."""
    if work.chunk.clips and fingerprint(provenance(work.options)) != work.folder.name:
        raise StoreError(
            f"{work.folder}: a worker has other settings or library versions than this machine and would "
            "make another store; install the versions in constraints.txt on every machine"
        )


def _make(work: Work) -> Done:
    path = shard_path(work.folder, work.chunk.number)
    old = _existing(path)
    present = frozenset() if old is None else old.keys()
    made: list[tuple[PlannedClip, StoreRow]] = []
    steps: list[ClipSteps] = []
    failures: list[FailedClip] = []
    before: dict[str, str] = dict(old.failed) if old is not None else {}
    kept = dict(before)
    lacking = [clip for clip in work.chunk.clips if clip.key not in present]
    for clip, row in _computed(work, lacking, steps):
        if isinstance(row, AudioMissing):  # not the recording's fault: tried again next time
            failures.append(FailedClip(clip.name, str(row), False))
        elif isinstance(row, AudioError):
            kept[clip.digest] = str(row)
            failures.append(FailedClip(clip.name, str(row), True))
        else:
            made.append((clip, row))
    if made or kept != before:
        _write(work, path, old, _rows(made, layout_of(work.options), tuple(sorted(kept.items()))))
    return Done(work.chunk.number, len(work.chunk.clips) - len(failures), tuple(failures), tuple(steps))


def _computed(
    work: Work, clips: Sequence[PlannedClip], steps: list[ClipSteps]
) -> Iterator[tuple[PlannedClip, Row]]:
    """Every clip with its row or why it has none, in their order; ``steps`` gains those that were wanted."""
    decode = lru_cache(maxsize=1)(partial(_wave, work))  # the variants of a clip lie side by side
    inputs = inputs_of(work.options)
    if isinstance(inputs, EmbeddingOptions):
        with _one_thread():
            made = dict(_embedded(work, inputs, clips, decode))
        yield from ((clip, made[clip]) for clip in clips)
        return
    previews = {clip.digest: clip for clip in work.previews}
    for clip in clips:
        try:
            wave = decode(replace(clip, variant=0))
            if clip.digest in previews and isinstance(work.options, FrontEnd):
                row, seen = row_and_steps(wave, work.options, previews[clip.digest])
                steps.append(seen)
            else:
                row = row_of_variant(
                    wave, work.options, digest=clip.digest, variant=clip.variant, modality=clip.modality
                )
            yield clip, row
        except AudioError as error:
            yield clip, error


def _embedded(
    work: Work,
    inputs: EmbeddingOptions,
    clips: Sequence[PlannedClip],
    decode: Callable[[PlannedClip], Float32s],
) -> Iterator[tuple[PlannedClip, Row]]:
    """Clips of like length together, so that a batch of a GPU has little padding; few waves at once."""
    for group in _groups(sorted(clips, key=lambda clip: clip.duration_s)):
        waves: dict[PlannedClip, Float32s] = {}
        for clip in group:
            try:
                wave = decode(replace(clip, variant=0))
                waves[clip] = wave_of_variant(wave, work.options, digest=clip.digest, variant=clip.variant)
            except AudioError as error:
                yield clip, error
        yield from zip(waves, rows_of_waves(list(waves.values()), inputs), strict=True)


def _groups(clips: Sequence[PlannedClip]) -> Iterator[list[PlannedClip]]:
    group: list[PlannedClip] = []
    seconds = 0.0
    for clip in clips:
        if group and seconds + clip.duration_s > _GROUP_S:
            yield group
            group, seconds = [], 0.0
        group.append(clip)
        seconds += clip.duration_s
    if group:
        yield group


@contextmanager
def _one_thread() -> Iterator[None]:
    """Let torch use one thread: a job is one, and how sums are cut moves their last digits."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def _write(work: Work, path: Path, old: ShardRows | None, new: ShardRows) -> None:
    rows = new if old is None else joined([old, new])
    described = provenance(work.options)
    layout = layout_of(work.options)
    remove_unfinished(path)  # a worker that was killed; the shard is held, so nobody is writing it
    write_shard(path, rows, layout=layout, name=fingerprint(described), described=described)


def _wave(work: Work, clip: PlannedClip) -> Float32s:
    recording = recording_of(work.data, clip, work.options.sample_rate)
    if recording.digest != clip.digest:
        name = PurePosixPath(clip.path).name
        raise AudioMissing(
            f"{name}: the recording or ffmpeg has changed since the manifest was built; "
            "run 'ser manifest build'"
        )
    return recording.wave


def _existing(path: Path) -> ShardRows | None:
    try:
        return read_rows(path)
    except FileNotFoundError:
        return None
    except StoreCorrupt:
        path.replace(path.with_suffix(".h5.damaged"))
        return None


def _rows(
    made: list[tuple[PlannedClip, StoreRow]], layout: Layout, failed: tuple[tuple[str, str], ...]
) -> ShardRows:
    kept = [np.asarray(row.values, layout.dtype) for _, row in made]
    empty = np.empty((0, *layout.shape), layout.dtype)
    return ShardRows(
        np.concatenate([empty, *(kept if layout.ragged else (values[None] for values in kept))]),
        np.array([row.frames for _, row in made], np.int16),
        np.array([row.level_db for _, row in made], np.float32),
        np.array([clip.digest for clip, _ in made], KEY_DTYPE),
        np.array([clip.variant for clip, _ in made], np.int16),
        np.array([clip.aspect for clip, _ in made], ASPECT_DTYPE),
        failed,
        layout.ragged,
    )
