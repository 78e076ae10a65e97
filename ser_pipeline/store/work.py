"""What one worker does: the recordings of one chunk, from file to shard, and the steps of a few."""

from functools import lru_cache, partial
from pathlib import Path

import numpy as np

from ser_pipeline.arrays import Float32s
from ser_pipeline.audio import prepare, read_recording
from ser_pipeline.errors import AudioError, AudioMissing, StoreCorrupt, StoreError
from ser_pipeline.front_end import Layout, StoreRow, layout_of, mel_of_prepared, row_of_variant
from ser_pipeline.options import FrontEnd
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


def steps_again(data: Path, options: FrontEnd, clip: Previewed) -> ClipSteps | None:
    """Steps of a recording whose row was made before; None where it can no longer be used."""
    try:
        recording = read_recording(data / clip.path, options.sample_rate)
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
    steps: list[ClipSteps] = []
    previews = {clip.digest: clip for clip in work.previews}
    failures: list[FailedClip] = []
    before: dict[str, str] = dict(old.failed) if old is not None else {}
    kept = dict(before)
    lacking = [clip for clip in work.chunk.clips if clip.key not in present]
    decode = lru_cache(maxsize=1)(partial(_wave, work))  # the variants of a recording lie side by side
    for clip in lacking:
        try:
            wave = decode(clip.path, clip.digest)
            if clip.digest in previews and isinstance(work.options, FrontEnd):
                row, seen = row_and_steps(wave, work.options, previews[clip.digest])
                steps.append(seen)
            else:
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
    return Done(work.chunk.number, len(work.chunk.clips) - len(failures), tuple(failures), tuple(steps))


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
