"""Build a store: decode, front end, shards, in parallel and in any number of sittings.

Beside its shards a store keeps two files that decide nothing: ``sources.parquet`` says which bytes stood
under which name, to explain why a recording is computed again, and ``steps.parquet`` what the front end
did to a few recordings, for the report.

Nothing here loads a decoder or a compiler: workers do, each once, while this process already
hands out chunks.
"""

import math
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ser_pipeline.arrays import Bools, Int64s, numbers_of
from ser_pipeline.atomic import write_parquet
from ser_pipeline.errors import SerError, StoreCorrupt, StoreError
from ser_pipeline.manifest.digest import Places, packed_texts
from ser_pipeline.options import FrontEnd, StoreOptions
from ser_pipeline.previews import ClipSteps, read_steps, write_steps
from ser_pipeline.processes import processes
from ser_pipeline.records import WINDOW_S
from ser_pipeline.remote.addresses import is_folder
from ser_pipeline.store.index import KEYS, Index, read_index, set_aside
from ser_pipeline.store.mirror import Mirror
from ser_pipeline.store.plan import (
    Chunk,
    Done,
    FailedClip,
    Plan,
    Previewed,
    Todo,
    Work,
    previewed,
    shard_range,
)
from ser_pipeline.store.read import store_folder
from ser_pipeline.store.shard import read_keys, shard_paths
from ser_pipeline.store.workers import run_tasks
from ser_pipeline.tables.cells import plural

if TYPE_CHECKING:
    from ser_pipeline.manifest import Manifest

_NONE = Chunk(0, ())

_FILE = "sources.parquet"
_AT_ONCE = 1 << 21
"""Paths that are looked up at once, as a table of them takes memory."""

_SOURCES = pa.schema([("path", pa.string()), ("audio_digest", pa.string())])


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
        cut: of those wanted, how many are longer than a minute.
    """

    folder: Path
    shards: int
    wanted: int
    present: int
    computed: int
    failures: tuple[FailedClip, ...]
    repaired: tuple[str, ...] = ()
    cut: int = 0

    @property
    def left(self) -> int:
        """Recordings that are still to be computed."""
        return self.wanted - self.present - self.computed - len(self.failures)

    def __repr__(self) -> str:
        """One line: folder, and how many rows it has of those wanted."""
        failed = f", {len(self.failures)} failed" if self.failures else ""
        there = f"{self.present + self.computed} of {plural(self.wanted, 'row')}"
        return f"StoreSummary({self.folder}: {there}, {self.computed} new{failed})"


@dataclass(frozen=True, slots=True)
class _State:
    """What a store holds of the chunks that a build is to work on.

    Attributes:
        present: whether each of their clips has a row.
        failed: whether it could not be used.
        reasons: digest -> why it could not be used.
        held: which of the recordings whose steps are kept have a row.
        damaged: a shard cannot be read.
    """

    plan: Plan
    part: range
    present: Bools
    failed: Bools
    reasons: dict[str, str]
    held: tuple[Previewed, ...]
    damaged: bool

    def todo(self, limit: int | None = None) -> Todo:
        """What is still to be computed."""
        return Todo(self.plan, self.part, ~(self.present | self.failed), limit)

    def clips(self, chosen: Bools) -> Int64s:
        """Numbers of the clips for which something holds."""
        numbers: Int64s = np.flatnonzero(chosen) + self.plan.span(self.part).start
        return numbers

    def summary(
        self,
        folder: Path,
        computed: int = 0,
        failures: Sequence[FailedClip] = (),
        repaired: tuple[str, ...] = (),
    ) -> StoreSummary:
        """What there was, and what was done now."""
        bad = self.plan.clips(self.clips(self.failed))
        old = [FailedClip(clip.name, self.reasons[clip.digest], True) for clip in bad]
        every = tuple(sorted([*old, *failures], key=lambda failure: failure.path))
        wanted, present = len(self.present), int(self.present.sum())
        seconds = self.plan.seconds(self.clips(np.ones(wanted, np.bool_)))
        cut = int((seconds > WINDOW_S).sum())
        return StoreSummary(folder, len(self.plan), wanted, present, computed, every, repaired, cut)


def read_sources(folder: Path) -> pa.Table:
    """Path and digest of every recording a store was built of; empty where that is not known."""
    try:
        with pq.ParquetFile(folder / _FILE) as file:
            return file.read(_SOURCES.names).cast(_SOURCES)
    except (OSError, ValueError, KeyError, pa.ArrowException):
        return _SOURCES.empty_table()


def note_sources(folder: Path, built: pa.Table) -> None:
    """Remember the recordings a build made or found, beside those of earlier builds.

    Args:
        folder: of the store.
        built: their paths and digests.
    """
    known = read_sources(folder)
    if known.equals(built):
        return
    old = np.ones(len(known), np.bool_)
    for start in range(0, len(built), _AT_ONCE):
        again = pc.is_in(known["path"], built["path"].slice(start, _AT_ONCE))
        old &= ~numbers_of(again.cast(pa.uint8()), np.bool_)
    try:
        write_parquet(folder / _FILE, pa.concat_tables([known.filter(pa.array(old)), built]))
    except SerError:
        return  # an explanation less; the store itself is whole


def changed_sources(folder: Path, lacking: pa.Table) -> list[str]:
    """Paths whose bytes have changed since the store was built, sorted.

    Args:
        folder: of the store.
        lacking: path and digest of recordings that it neither holds nor has found unusable.
    """
    known, changed = read_sources(folder), list[str]()
    for start in range(0, len(lacking) if len(known) else 0, _AT_ONCE):
        some = lacking.slice(start, _AT_ONCE)
        place = pc.index_in(known["path"], some["path"])
        now = some.take(place.drop_null())
        was = known["audio_digest"].filter(place.is_valid())
        changed += now["path"].filter(pc.not_equal(was, now["audio_digest"])).to_pylist()
    return sorted(changed)


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
    if time.time() > work.until:
        return Done(work.chunk.number, 0, ())
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
    budget_s: float = math.inf,
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
        budget_s: no shard is begun after these seconds.
        dry_run: only say what would be done.
        on_start: called with the number of recordings to compute.
        on_progress: called with the number of recordings done since.

    Raises:
        StoreError: another build holds these shards, the folder cannot be written to, or the
            recordings are not where the manifest says.
    """
    until = time.time() + budget_s
    folder = store_folder(cache, options)
    plan = Plan.of(manifest.table, options, copies)
    part = range(len(plan))[slice(*shards)]
    if plan and not part:
        there = plural(len(plan), "shard")
        raise StoreError(f"--shards {shards[0]}: the plan has {there}, 0 to {len(plan) - 1}")
    previews = previewed(manifest.table, options)
    state = _state(folder, plan, part, previews, retry_failed, write=not dry_run)
    if dry_run:
        return state.summary(folder)
    if not state.damaged and not state.todo(1):
        keep_steps(folder, data, options, state.held)
        return state.summary(folder)
    if not is_folder(data):
        raise StoreError(f"{data}: is not a folder; pass the folder the manifest was built from with --data")
    with shard_range(folder, part.start, part.stop):
        repaired = _set_damaged_aside(folder)
        state = _state(
            folder, plan, part, previews, retry_failed
        )  # what another build finished meanwhile counts
        todo = state.todo(limit)
        if on_start is not None:
            on_start(todo.clips)
        computed = 0
        failures: list[FailedClip] = []
        seen: list[ClipSteps] = []
        for done in _run(Work(folder, data, options, _NONE, previews, until=until), todo, jobs, scheduler):
            computed += done.computed
            failures += done.failures
            seen += done.steps
            if on_progress is not None:
                on_progress(done.computed + len(done.failures))
        after = _state(folder, plan, part, previews, retry_failed)
        note_sources(folder, plan.sources(after.clips(after.present)))
        keep_steps(folder, data, options, after.held, seen)
    return state.summary(folder, computed, failures, repaired)


def _state(
    folder: Path,
    plan: Plan,
    part: range,
    previews: Sequence[Previewed],
    retry_failed: bool,
    *,
    write: bool = True,
) -> _State:
    index = read_index(folder, write=write, columns=KEYS) if folder.is_dir() else Index.empty()
    reasons = {} if retry_failed else index.failures()
    rows = Places(index.usable().keys())
    present = rows.find(plan.keys[plan.span(part)]) >= 0
    failed = plan.of_digests(reasons)[plan.span(part)]
    held = rows.find(packed_texts([clip.digest for clip in previews])) >= 0
    shown = tuple(clip for clip, there in zip(previews, held, strict=True) if there)
    return _State(plan, part, present, failed, reasons, shown, bool(index.damaged))


def _set_damaged_aside(folder: Path) -> tuple[str, ...]:
    return tuple(line for path, line in read_index(folder).damaged if set_aside(path))


@dataclass(frozen=True, slots=True)
class _Works:
    """Works that are made when their turn comes: at ten million recordings, all at once fill the memory."""

    work: Work
    todo: Todo

    def __len__(self) -> int:
        return len(self.todo)

    def __iter__(self) -> Iterator[Work]:
        for place in np.argsort(-self.todo.seconds, kind="stable").tolist():  # no straggler at the end
            yield replace(self.work, chunk=self.todo.chunk(place))


def _run(work: Work, todo: Todo, jobs: int, scheduler: str | None) -> Iterator[Done]:
    where = work.folder
    if scheduler is not None:  # another machine has another working folder
        work = work.absolute()
    elif len(todo) > 1 and processes(jobs) > 1:  # workers stay where the first call of this process was
        work = replace(work.absolute(), parent=os.getpid())
    return run_tasks(_make_shard, _Works(work, todo), jobs, scheduler, where)


def describe(folder: Path) -> dict[str, Any] | None:
    """Provenance written in a store's first readable shard, None for an empty store."""
    mirror = Mirror.of(folder)
    paths = shard_paths(folder) if mirror is None else map(mirror.shard, sorted(mirror.shards))
    for path in paths:
        try:
            return read_keys(path).described
        except (StoreCorrupt, FileNotFoundError):  # the second went while this looked
            continue
    return None
