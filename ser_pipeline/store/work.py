"""What one worker does: the recordings of one chunk, from file to shard."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ser_pipeline.audio import read_recording
from ser_pipeline.errors import AudioError, AudioMissing, StoreCorrupt
from ser_pipeline.front_end import Mel, mel_of_wave
from ser_pipeline.settings import FrontEnd
from ser_pipeline.store.identity import fingerprint, provenance
from ser_pipeline.store.plan import Chunk, Clip, Failure
from ser_pipeline.store.shard import DTYPE, KEY_DTYPE, ShardRows, joined, read_rows, shard_path, write_shard


@dataclass(frozen=True, slots=True)
class Work:
    """All a worker needs to make one shard."""

    folder: Path
    data: Path
    kind: str
    front_end: FrontEnd
    chunk: Chunk


@dataclass(frozen=True, slots=True)
class Done:
    """What a worker says of one shard."""

    number: int
    computed: int
    failures: tuple[Failure, ...]


def make_shard(work: Work) -> Done:
    """Compute the clips a shard lacks and write it with what it already holds."""
    path = shard_path(work.folder, work.chunk.number)
    old = _existing(path)
    made: list[tuple[Clip, Mel]] = []
    failures: list[Failure] = []
    kept: dict[str, str] = dict(old.failed) if old is not None else {}
    for clip in work.chunk.clips:
        try:
            made.append((clip, _mel(work, clip)))
        except AudioMissing as error:  # not the recording's fault: tried again next time
            failures.append(Failure(clip.path, str(error), False))
        except AudioError as error:
            kept[clip.digest] = str(error)
            failures.append(Failure(clip.path, str(error), True))
    new = _rows(made, work.front_end, tuple(sorted(kept.items())))
    rows = new if old is None else joined([old, new])
    if len(rows) or rows.failed:
        described = provenance(work.kind, work.front_end)
        write_shard(path, rows, name=fingerprint(described), described=described)
    return Done(work.chunk.number, len(made), tuple(failures))


def _mel(work: Work, clip: Clip) -> Mel:
    path = work.data / clip.path
    recording = read_recording(path, work.front_end.sample_rate)
    if recording.digest != clip.digest:
        raise AudioMissing(f"{path.name}: changed since the manifest was built; run 'ser manifest build'")
    return mel_of_wave(recording.wave, work.front_end)


def _existing(path: Path) -> ShardRows | None:
    try:
        return read_rows(path)
    except FileNotFoundError:
        return None
    except StoreCorrupt:
        path.rename(path.with_suffix(".h5.damaged"))
        return None


def _rows(
    made: list[tuple[Clip, Mel]], front_end: FrontEnd, failed: tuple[tuple[str, str], ...]
) -> ShardRows:
    shape = (len(made), front_end.n_mels, front_end.max_frames)
    values = np.empty(shape, DTYPE)
    for number, (_, mel) in enumerate(made):
        values[number] = mel.values
    return ShardRows(
        values,
        np.array([mel.frames for _, mel in made], np.int16),
        np.array([mel.level_db for _, mel in made], np.float32),
        np.array([clip.digest for clip, _ in made], KEY_DTYPE),
        np.zeros(len(made), np.int16),
        failed,
    )
