"""Build a store: decode, front end, shards, in parallel and in any number of sittings."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ser_pipeline.audio import read_recording
from ser_pipeline.errors import AudioError, AudioMissing, StoreCorrupt, StoreError
from ser_pipeline.front_end import Mel, mel_of_wave
from ser_pipeline.settings import FrontEnd
from ser_pipeline.store.identity import fingerprint, provenance
from ser_pipeline.store.index import SCHEMA, Index, read_index
from ser_pipeline.store.lock import shard_range
from ser_pipeline.store.plan import Chunk, Clip, chunks, lacking, recordings
from ser_pipeline.store.read import store_folder
from ser_pipeline.store.shard import DTYPE, KEY_DTYPE, ShardRows, joined, read_rows, shard_path, write_shard

if TYPE_CHECKING:
    from ser_pipeline.manifest import Manifest


@dataclass(frozen=True, slots=True)
class Failure:
    """A recording without a row, and why; ``kept`` failures are not tried again by themselves."""

    path: str
    reason: str
    kept: bool


@dataclass(frozen=True, slots=True)
class BuildSummary:
    """What a build did.

    Attributes:
        folder: of the store.
        shards: number of shards of the whole plan.
        wanted: recordings in the shards asked for.
        present: of these, rows that were already there.
        computed: rows made now.
        failures: every recording that has no row, those of earlier builds too.
        repaired: one line for each damaged shard that was set aside.
    """

    folder: Path
    shards: int
    wanted: int
    present: int
    computed: int
    failures: tuple[Failure, ...]
    repaired: tuple[str, ...] = ()


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


def parse_shards(text: str) -> tuple[int, int | None]:
    """Read a range of shards, ``A:B``, from A up to but without B; B may be left out.

    Raises:
        StoreError: not a range.

    Examples:
        >>> parse_shards("0:8"), parse_shards("8:")
        ((0, 8), (8, None))
    """
    first, colon, last = text.partition(":")
    if not colon or not first.isdecimal() or not (last == "" or last.isdecimal()):
        raise StoreError(f"--shards '{text}' is not a range such as 0:8")
    if last and int(last) <= int(first):
        raise StoreError(f"--shards '{text}' is empty; A must lie below B")
    return int(first), int(last) if last else None


def build_store(
    manifest: "Manifest",
    data: Path,
    cache: Path,
    front_end: FrontEnd,
    *,
    kind: str = "mels",
    jobs: int = 1,
    shards: tuple[int, int | None] = (0, None),
    limit: int | None = None,
    retry_failed: bool = False,
    dry_run: bool = False,
    on_start: Callable[[int], None] | None = None,
    on_progress: Callable[[int], None] | None = None,
) -> BuildSummary:
    """Compute what a store lacks; call it again to continue.

    Args:
        manifest: whose recordings are wanted.
        data: folder the manifest's paths are relative to.
        cache: folder of all stores.
        front_end: settings; they decide which store.
        kind: ``mels``.
        jobs: worker processes; 1 works in this process.
        shards: range of the plan to work on, for job arrays.
        limit: compute at most this many recordings now.
        retry_failed: try recordings again that failed before.
        dry_run: only say what would be done.
        on_start: called with the number of recordings to compute.
        on_progress: called with the number of recordings done since.

    Raises:
        StoreError: another build holds these shards, the folder cannot be written to, or the
            recordings are not where the manifest says.
    """
    folder = store_folder(cache, kind, front_end)
    plan = chunks(recordings(manifest.table))
    part = plan[shards[0] : shards[1]]
    state = _state(folder, part, retry_failed)
    if dry_run or not state.lacking:
        return state.summary(len(plan))
    if not data.is_dir():
        raise StoreError(f"{data}: not a folder; pass --data with the folder the manifest was built from")
    with shard_range(folder, part[0].number, part[-1].number + 1):
        repaired = _set_damaged_aside(folder)
        state = _state(folder, part, retry_failed)  # what another build finished meanwhile counts
        todo = lacking(part, state.done, limit)
        if on_start is not None:
            on_start(sum(len(chunk.clips) for chunk in todo))
        computed = 0
        failures: list[Failure] = []
        for done in _run([Work(folder, data, kind, front_end, chunk) for chunk in todo], jobs):
            computed += done.computed
            failures += done.failures
            if on_progress is not None:
                on_progress(done.computed + len(done.failures))
        read_index(folder)
    return state.summary(len(plan), computed, failures, repaired)


@dataclass(frozen=True, slots=True)
class _State:
    """What a store holds of the chunks asked for."""

    folder: Path
    part: Sequence[Chunk]
    rows: frozenset[str]
    failed: dict[str, str]
    damaged: tuple[str, ...]

    @property
    def done(self) -> frozenset[str]:
        """Digests that need no work."""
        return self.rows | self.failed.keys()

    @property
    def lacking(self) -> bool:
        """Something is to be computed or repaired."""
        return bool(self.damaged or lacking(self.part, self.done, 1))

    def summary(
        self,
        shards: int,
        computed: int = 0,
        failures: Sequence[Failure] = (),
        repaired: tuple[str, ...] = (),
    ) -> BuildSummary:
        """What there was, and what was done now."""
        clips = [clip for chunk in self.part for clip in chunk.clips]
        old = [
            Failure(clip.path, self.failed[clip.digest], True) for clip in clips if clip.digest in self.failed
        ]
        every = tuple(sorted([*old, *failures], key=lambda failure: failure.path))
        present = sum(clip.digest in self.rows for clip in clips)
        return BuildSummary(self.folder, shards, len(clips), present, computed, every, repaired)


def _state(folder: Path, part: Sequence[Chunk], retry_failed: bool) -> _State:
    index = read_index(folder, write=False) if folder.is_dir() else Index(SCHEMA.empty_table())
    rows = frozenset(digest for digest, variant in index.places() if variant == 0)
    failed = {} if retry_failed else index.failures()
    return _State(folder, part, rows, failed, index.damaged)


def _set_damaged_aside(folder: Path) -> tuple[str, ...]:
    """Rename shards that cannot be read, so that their recordings are computed again."""
    damaged = read_index(folder).damaged
    for line in damaged:
        path = Path(line.partition(": ")[0])
        path.rename(path.with_suffix(".h5.damaged"))
    return damaged


def _run(works: list[Work], jobs: int) -> Iterator[Done]:
    works = sorted(works, key=lambda work: -work.chunk.seconds)  # long ones first: no straggler at the end
    if jobs == 1 or len(works) <= 1:
        yield from map(make_shard, works)
        return
    import joblib

    workers = min(jobs, len(works))
    with joblib.parallel_config("loky", n_jobs=workers, inner_max_num_threads=1):
        parallel = joblib.Parallel(return_as="generator_unordered", batch_size=1, pre_dispatch="2*n_jobs")
        yield from parallel(joblib.delayed(make_shard)(work) for work in works)


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


def describe(folder: Path) -> dict[str, Any] | None:
    """Provenance written in a store's first readable shard, None for an empty store."""
    from ser_pipeline.store.shard import read_keys

    for path in sorted(folder.glob("shard-*.h5")):
        try:
            return read_keys(path).described
        except StoreCorrupt:
            continue
    return None
