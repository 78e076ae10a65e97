"""Build a store: decode, front end, shards, in parallel and in any number of sittings.

Beside its shards a store keeps two files that decide nothing: ``sources.parquet`` says which bytes stood
under which name, to explain why a recording is computed again, and ``steps.parquet`` what the front end
did to a few recordings, for the report.

Nothing here loads a decoder or a compiler: workers do, each once, while this process already
hands out chunks.
"""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from ser_pipeline.atomic import write_parquet
from ser_pipeline.errors import SerError, StoreCorrupt, StoreError
from ser_pipeline.options import FrontEnd, StoreOptions
from ser_pipeline.previews import ClipSteps, read_steps, write_steps
from ser_pipeline.processes import processes
from ser_pipeline.store.index import SCHEMA, Index, read_index, set_aside
from ser_pipeline.store.plan import (
    Chunk,
    Done,
    FailedClip,
    Key,
    Previewed,
    Work,
    chunks,
    lacking,
    previewed,
    recordings,
    shard_range,
)
from ser_pipeline.store.read import store_folder
from ser_pipeline.store.shard import read_keys
from ser_pipeline.store.workers import run_tasks
from ser_pipeline.tables.cells import plural

if TYPE_CHECKING:
    from ser_pipeline.manifest import Manifest

_FILE = "sources.parquet"


@dataclass(frozen=True, slots=True)
class StoreSummary:
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
    failures: tuple[FailedClip, ...]
    repaired: tuple[str, ...] = ()

    def __repr__(self) -> str:
        """One line: folder, and how many rows it has of those wanted."""
        failed = f", {len(self.failures)} failed" if self.failures else ""
        there = f"{self.present + self.computed} of {plural(self.wanted, 'row')}"
        return f"StoreSummary({self.folder}: {there}, {self.computed} new{failed})"


@dataclass(frozen=True, slots=True)
class _State:
    """State of a store after a build: how many of the requested rows it has."""

    folder: Path
    part: Sequence[Chunk]
    rows: frozenset[Key]
    failed: dict[str, str]
    damaged: tuple[str, ...]

    @property
    def done(self) -> frozenset[Key]:
        """Recordings that need no work."""
        failed = (clip.key for chunk in self.part for clip in chunk.clips if clip.digest in self.failed)
        return self.rows | frozenset(failed)

    @property
    def lacking(self) -> bool:
        """Something is to be computed or repaired."""
        return bool(self.damaged or lacking(self.part, self.done, 1))

    def summary(
        self,
        shards: int,
        computed: int = 0,
        failures: Sequence[FailedClip] = (),
        repaired: tuple[str, ...] = (),
    ) -> StoreSummary:
        """What there was, and what was done now."""
        clips = [clip for chunk in self.part for clip in chunk.clips]
        old = [
            FailedClip(clip.name, self.failed[clip.digest], True)
            for clip in clips
            if clip.digest in self.failed
        ]
        every = tuple(sorted([*old, *failures], key=lambda failure: failure.path))
        present = sum(clip.key in self.rows for clip in clips)
        return StoreSummary(self.folder, shards, len(clips), present, computed, every, repaired)


def read_sources(folder: Path) -> dict[str, str]:
    """Path -> digest of every recording a store was built of; empty where that is not known."""
    try:
        with pq.ParquetFile(folder / _FILE) as file:
            table = file.read(["path", "audio_digest"])
    except (OSError, ValueError, KeyError, pa.ArrowException):
        return {}
    return dict(zip(table["path"].to_pylist(), table["audio_digest"].to_pylist(), strict=True))


def note_sources(folder: Path, built: Mapping[str, str]) -> None:
    """Remember the recordings a build made or found, beside those of earlier builds."""
    known = read_sources(folder) | dict(built)
    table = pa.table({"path": list(known), "audio_digest": list(known.values())})
    try:
        write_parquet(folder / _FILE, table)
    except SerError:
        return  # an explanation less; the store itself is whole


def changed_sources(folder: Path, wanted: Mapping[str, str], present: Set[str]) -> list[str]:
    """Paths whose bytes are others than when the store was built, and are not in it yet.

    Args:
        folder: of the store.
        wanted: path -> digest by the manifest.
        present: digests the store holds or has found unusable.
    """
    known = read_sources(folder)
    return sorted(
        path for path, digest in wanted.items() if digest not in present and known.get(path, digest) != digest
    )


def keep_steps(
    folder: Path,
    data: Path,
    options: StoreOptions,
    chosen: Sequence[Previewed],
    made: Sequence[ClipSteps] = (),
) -> None:
    """Write ``steps.parquet`` beside a store's shards, unless it is there for the same recordings.

    A recording whose row was made by an earlier build goes through the front end again; one that can
    no longer be used is left out.

    Args:
        folder: of the store.
        data: folder that paths are relative to.
        options: of the store; other kinds than mels have no steps.
        chosen: recordings of the store whose steps are kept.
        made: steps that the build has just seen.
    """
    there = _steps_there(folder)
    if not isinstance(options, FrontEnd) or [clip.audio_digest for clip in there] == [
        clip.digest for clip in chosen
    ]:
        return
    known = {steps.audio_digest: steps for steps in (*there, *made)}
    clips = []
    for clip in chosen:
        steps = known.get(clip.digest)
        if steps is None:
            from ser_pipeline.store.work import steps_again

            steps = steps_again(data, options, clip)
        if steps is not None:
            clips.append(steps)
    if clips:
        with suppress(SerError):  # a picture less; the store itself is whole
            write_steps(folder, clips)


def _steps_there(folder: Path) -> list[ClipSteps]:
    try:
        return read_steps(folder)
    except StoreCorrupt:
        return []  # it is written anew


def _make_shard(work: Work) -> Done:
    from ser_pipeline.store.work import make_shard

    return make_shard(work)


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
        raise StoreError(f"--shards '{text}' is empty; A must be less than B")
    return int(first), int(last) if last else None


def build_store(
    manifest: "Manifest",
    data: Path,
    cache: Path,
    options: StoreOptions,
    *,
    copies: int = 1,
    jobs: int = 1,
    scheduler: str | None = None,
    shards: tuple[int, int | None] = (0, None),
    limit: int | None = None,
    retry_failed: bool = False,
    dry_run: bool = False,
    on_start: Callable[[int], None] | None = None,
    on_progress: Callable[[int], None] | None = None,
) -> StoreSummary:
    """Compute what a store lacks; call it again to continue.

    Args:
        manifest: whose recordings are wanted.
        data: folder the manifest's paths are relative to.
        cache: folder of all stores.
        options: settings; they decide which store.
        copies: variants of each recording, in a store of variants.
        jobs: worker processes; 1 works in this process.
        scheduler: address of a Dask scheduler whose workers do the work; None works here.
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
    folder = store_folder(cache, options)
    plan = chunks(recordings(manifest.table, options, copies))
    part = plan[shards[0] : shards[1]]
    if plan and not part:
        there = plural(len(plan), "shard")
        raise StoreError(f"--shards {shards[0]}: the plan has {there}, 0 to {len(plan) - 1}")
    state = _state(folder, part, retry_failed, write=not dry_run)
    if dry_run:
        return state.summary(len(plan))
    previews = previewed(manifest.table, options)
    if not state.lacking:
        keep_steps(folder, data, options, _held(previews, state.rows))
        return state.summary(len(plan))
    if not data.is_dir():
        raise StoreError(f"{data}: is not a folder; pass the folder the manifest was built from with --data")
    with shard_range(folder, part[0].number, part[-1].number + 1):
        repaired = _set_damaged_aside(folder)
        state = _state(folder, part, retry_failed)  # what another build finished meanwhile counts
        todo = lacking(part, state.done, limit)
        if on_start is not None:
            on_start(sum(len(chunk.clips) for chunk in todo))
        computed = 0
        failures: list[FailedClip] = []
        seen: list[ClipSteps] = []
        works = [Work(folder, data, options, chunk, previews) for chunk in todo]
        for done in _run(works, jobs, scheduler):
            computed += done.computed
            failures += done.failures
            seen += done.steps
            if on_progress is not None:
                on_progress(done.computed + len(done.failures))
        present = read_index(folder).keys()
        clips = (clip for chunk in part for clip in chunk.clips if clip.key in present)
        note_sources(folder, {clip.name: clip.digest for clip in clips})
        keep_steps(folder, data, options, _held(previews, present), seen)
    return state.summary(len(plan), computed, failures, repaired)


def _held(previews: Sequence[Previewed], rows: Set[Key]) -> list[Previewed]:
    """Those of the chosen recordings that a store of mels holds."""
    return [clip for clip in previews if (clip.digest, 0, "") in rows]


def _state(folder: Path, part: Sequence[Chunk], retry_failed: bool, *, write: bool = True) -> _State:
    index = read_index(folder, write=write) if folder.is_dir() else Index(SCHEMA.empty_table())
    failed = {} if retry_failed else index.failures()
    return _State(folder, part, index.keys(), failed, index.damaged)


def _set_damaged_aside(folder: Path) -> tuple[str, ...]:
    damaged = read_index(folder).damaged
    return tuple(line for line in damaged if set_aside(Path(line.partition(": ")[0])))


def _run(works: list[Work], jobs: int, scheduler: str | None) -> Iterator[Done]:
    longest_first = sorted(works, key=lambda work: -work.chunk.seconds)  # no straggler at the end
    if scheduler is not None:  # another machine has another working folder
        longest_first = [work.absolute() for work in longest_first]
    elif len(works) > 1 and processes(jobs) > 1:
        longest_first = [replace(work, parent=os.getpid()) for work in longest_first]
    return run_tasks(_make_shard, longest_first, jobs, scheduler, works[0].folder if works else Path())


def describe(folder: Path) -> dict[str, Any] | None:
    """Provenance written in a store's first readable shard, None for an empty store."""
    for path in sorted(folder.glob("shard-*.h5")):
        try:
            return read_keys(path).described
        except StoreCorrupt:
            continue
    return None
