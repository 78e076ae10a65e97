"""What one worker does: the recordings of one chunk, from file to shard."""

from functools import lru_cache, partial
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ser_pipeline.audio import read_recording
from ser_pipeline.errors import AudioError, AudioMissing, StoreCorrupt, StoreError
from ser_pipeline.front_end import Layout, Row, layout_of
from ser_pipeline.front_end.rows import row_of_variant
from ser_pipeline.store.identity import fingerprint, provenance
from ser_pipeline.store.lock import one_shard
from ser_pipeline.store.plan import Clip, Done, Failure, Work
from ser_pipeline.store.shard import (
    ASPECT_DTYPE,
    KEY_DTYPE,
    ShardRows,
    joined,
    read_rows,
    shard_path,
    write_shard,
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
    made: list[tuple[Clip, Row]] = []
    failures: list[Failure] = []
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
            failures.append(Failure(clip.path, str(error), False))
        except AudioError as error:
            kept[clip.digest] = str(error)
            failures.append(Failure(clip.path, str(error), True))
    if made or kept != before:
        _write(work, path, old, _rows(made, layout_of(work.options), tuple(sorted(kept.items()))))
    return Done(work.chunk.number, len(work.chunk.clips) - len(failures), tuple(failures))


def _write(work: Work, path: Path, old: ShardRows | None, new: ShardRows) -> None:
    rows = new if old is None else joined([old, new])
    described = provenance(work.options)
    layout = layout_of(work.options)
    write_shard(path, rows, layout=layout, name=fingerprint(described), described=described)


def _wave(work: Work, name: str, digest: str) -> npt.NDArray[np.float32]:
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


def _rows(made: list[tuple[Clip, Row]], layout: Layout, failed: tuple[tuple[str, str], ...]) -> ShardRows:
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
