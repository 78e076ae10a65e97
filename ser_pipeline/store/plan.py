"""Which recordings belong to which shard, and which of them are still to be computed.

The plan depends on the manifest alone: its recordings in order (those in archives in the order in which
they lie there), cut into chunks of about as much sound each. Chunk *i* is the business of shard *i*, so
job arrays can share the work by shard numbers. A recording that already lies in any shard is left where
it is, whatever chunk it would fall into today. As there may be ten million recordings, a plan consists of
columns; a clip becomes an object when a worker is given it.

Two lock files per store, one of builds and one of their workers; byte *i* stands for shard *i*.
The operating system frees the bytes when their process ends, however it ends.
"""

import math
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ser_pipeline.arrays import Bools, Float64s, Int64s, numbers_of
from ser_pipeline.atomic import lock_file
from ser_pipeline.errors import StoreError
from ser_pipeline.front_end import aspect_of
from ser_pipeline.manifest.digest import Digests, Places, first_of_each, packed, packed_texts
from ser_pipeline.manifest.read import codes
from ser_pipeline.manifest.segments import names_of, segments_of
from ser_pipeline.options import Augmented, FrontEnd, StoreOptions
from ser_pipeline.previews import ClipSteps
from ser_pipeline.records import Segment, part_of
from ser_pipeline.remote.addresses import reading_order
from ser_pipeline.store.identity import keyed

COLUMNS = (
    "utterance_id", "corpus", "path", "audio_digest", "modality", "duration_s", "start_s", "end_s",
)  # fmt: skip
"""Columns of the manifest that a plan is made from."""

EVERY_SHARD = 1 << 40
"""End of a range that holds every shard there can be."""

MOST_PREVIEWS = 4
"""Recordings whose steps are kept, each of another corpus."""

BUILD_LOCK, WORKERS_LOCK = "build.lock", "workers.lock"

MIN_CLIPS, MAX_CLIPS = 32, 512
_ROUNDING = 1 + 1e-9
"""Equal clips fill a chunk exactly, whatever their sum rounds to."""

Key = tuple[str, int, str]
"""Digest of the recording, number of the variant, aspect."""


@dataclass(frozen=True, slots=True)
class PlannedClip:
    """One recording to compute, or one variant of it.

    Attributes:
        path: of its file below the data folder.
        digest: of its bytes.
        duration_s: its length.
        modality: ``speech`` or ``song``.
        aspect: what of its description its row depends on.
        variant: 0 is the recording as it is, 1 and above are random.
        segment: the part of the file that is meant; None for all of it.
    """

    path: str
    digest: str
    duration_s: float
    modality: str = "speech"
    aspect: str = ""
    variant: int = 0
    segment: Segment | None = None

    @property
    def key(self) -> Key:
        """What tells rows apart."""
        return self.digest, self.variant, self.aspect

    @property
    def name(self) -> str:
        """Path, with its bounds where it is a segment."""
        return part_of(self.path, self.segment)


@dataclass(frozen=True, slots=True)
class Chunk:
    """The clips that shard ``number`` still lacks."""

    number: int
    clips: tuple[PlannedClip, ...]


@dataclass(frozen=True, slots=True)
class FailedClip:
    """A recording without a row, and why; ``kept`` failures are not tried again by themselves."""

    path: str
    reason: str
    kept: bool


class Previewed(NamedTuple):
    """A recording whose steps through the front end are kept for the report."""

    utterance_id: str
    path: str
    digest: str
    segment: Segment | None = None


class Task(Protocol):
    """Work that can be done in any process, on any machine that sees its folders."""

    @property
    def folders(self) -> tuple[Path, ...]:
        """Folders that must be there."""


@dataclass(frozen=True, slots=True)
class Work:
    """All a worker needs to make one shard.

    Attributes:
        folder: of the store.
        data: folder that the clips' paths are relative to.
        options: of the store.
        chunk: which shard, and the clips it lacks.
        previews: recordings whose steps are wanted beside their rows.
        parent: the process that a worker ends with; None where it has none on its machine.
        until: no shard is begun after this time, in seconds since 1970.
    """

    folder: Path
    data: Path
    options: StoreOptions
    chunk: Chunk
    previews: tuple[Previewed, ...] = ()
    parent: int | None = None
    until: float = math.inf

    @property
    def folders(self) -> tuple[Path, ...]:
        """Folders that must be there wherever it is done."""
        return self.folder, self.data

    def absolute(self) -> "Work":
        """The same work with folders that do not depend on where it is done from."""
        return replace(self, folder=self.folder.absolute(), data=self.data.absolute())


@dataclass(frozen=True, slots=True)
class Done:
    """What a worker says of one shard.

    Attributes:
        number: of the shard.
        computed: how many of its clips have a row now.
        failures: its clips that have none.
        steps: of those recordings whose steps were wanted and whose rows were computed now.
    """

    number: int
    computed: int
    failures: tuple[FailedClip, ...]
    steps: tuple[ClipSteps, ...] = ()


@contextmanager
def shard_range(folder: Path, start: int, stop: int) -> Iterator[None]:
    """Hold shards ``start`` to ``stop - 1`` of a store while the block runs.

    Workers of a build that was killed may still be at one of them: they are waited for, and begin no
    other. From then on nobody else writes these shards.

    Raises:
        StoreError: another build holds one of them, or the folder cannot be written to.
    """
    taken = StoreError(
        f"{folder}: another build is working on {_words(start, stop)}; wait for it, or choose other --shards"
    )
    count = max(1, stop - start)
    with lock_file(folder / BUILD_LOCK, taken, start, count):
        with lock_file(folder / WORKERS_LOCK, None, start, count):
            pass
        yield


@contextmanager
def one_shard(folder: Path, number: int) -> Iterator[None]:
    """Wait for a shard, and hold it while the block runs; whoever waited looks at it again.

    Raises:
        SerError: the folder cannot be written to.
    """
    with lock_file(folder / WORKERS_LOCK, None, number, 1):
        yield


def _words(start: int, stop: int) -> str:
    return "its shards" if stop == EVERY_SHARD else f"shards {start}:{stop}"


def clips_per_shard(recordings: int) -> int:
    """Size of a chunk: about 64 chunks, between 32 and 512 clips, a power of two.

    Examples:
        >>> clips_per_shard(100), clips_per_shard(10_000), clips_per_shard(1_000_000)
        (32, 256, 512)
    """
    size = MIN_CLIPS
    while size < MAX_CLIPS and size * 64 < recordings:
        size *= 2
    return size


@dataclass(frozen=True, slots=True)
class Plan:
    """Every recording of a manifest once, or its variants side by side, cut into chunks.

    Attributes:
        table: the manifest's.
        options: of the store.
        copies: variants of each recording, in a store of variants; else 1.
        rows: of the recordings in the table, shape ``(recordings,)``.
        keys: of the clips, shape ``(recordings * copies, 2)``.
        ends: the clip after the last one of each chunk, shape ``(chunks,)``.
    """

    table: pa.Table
    options: StoreOptions
    copies: int
    rows: Int64s
    keys: Digests
    ends: Int64s

    @classmethod
    def of(cls, table: pa.Table, options: StoreOptions, copies: int = 1) -> "Plan":
        """Plan a store.

        Args:
            table: a manifest's, with at least path, digest, duration and modality.
            options: of the store.
            copies: variants of each recording, in a store of variants.
        """
        if pc.any(pc.match_substring(table["path"], "::")).as_py():
            table = table.take(pa.array(reading_order(table["path"].to_pylist())))
        modality = codes(table["modality"])
        aspects = [aspect_of(options, name) for name in modality.names]
        keys = keyed(packed(table["audio_digest"].chunks), modality.of, aspects)
        rows = np.flatnonzero(first_of_each(keys))
        keys = keys if len(rows) == len(keys) else keys[rows]
        if isinstance(options, Augmented):
            variants = np.tile(np.arange(copies), len(rows))
            keys = keyed(np.repeat(keys, copies, axis=0), variants, range(1, 1 + copies))
        else:
            copies = 1
        seconds = np.repeat(numbers_of(table["duration_s"], np.float64)[rows], copies)
        return cls(table, options, copies, rows, keys, chunk_ends(seconds))

    def __len__(self) -> int:
        """Count the chunks."""
        return len(self.ends)

    def seconds(self, clips: Int64s) -> Float64s:
        """Length of each of some clips."""
        found: Float64s = numbers_of(self.table["duration_s"], np.float64)[self.rows[clips // self.copies]]
        return found

    def span(self, chunks: range) -> slice:
        """The clips of some chunks in a row."""
        starts = np.append(0, self.ends)
        return slice(int(starts[chunks.start]), int(starts[chunks.stop]))

    def of_digests(self, digests: Collection[str]) -> Bools:
        """Whether each clip is of one of these recordings."""
        if not digests:
            return np.zeros(len(self.keys), np.bool_)
        found = Places(packed_texts([*digests])).find(packed(self.table["audio_digest"].chunks)) >= 0
        return np.repeat(found[self.rows], self.copies)

    def sources(self, numbers: Int64s) -> pa.Table:
        """Name of each recording of some clips in order, as ``path``, and its ``audio_digest``."""
        recordings = numbers // self.copies
        rows = self.rows[recordings[np.diff(recordings, prepend=-1) > 0]]
        known = self.table if len(rows) == len(self.table) else self.table.take(_places(rows))
        return pa.table({"path": names_of(known), "audio_digest": known["audio_digest"]})

    def clips(self, numbers: Int64s) -> list[PlannedClip]:
        """Clips by number, in ascending order."""
        if not len(numbers):
            return []
        rows, first = self.rows[numbers // self.copies], int(isinstance(self.options, Augmented))
        near = self.table.slice(rows[0], rows[-1] - rows[0] + 1).take(_places(rows - rows[0]))
        columns = (near[name].to_pylist() for name in ("path", "audio_digest", "duration_s", "modality"))
        variants = (first + numbers % self.copies).tolist()
        return [
            PlannedClip(path, digest, seconds, modality, aspect_of(self.options, modality), variant, segment)
            for path, digest, seconds, modality, variant, segment in zip(
                *columns, variants, segments_of(near), strict=True
            )
        ]


def _places(rows: Int64s) -> pa.Array:
    """Numbers of rows for Arrow; ``pa.array`` would load pandas, half a second."""
    return pa.Array.from_buffers(pa.int64(), len(rows), [None, pa.py_buffer(rows)])


class Todo:
    """What is still to do of a plan: the chunks that lack clips.

    Args:
        plan: of the store.
        chunks: those to work on.
        needed: whether each of their clips is still to be computed.
        limit: keep at most this many clips, the first ones.

    Attributes:
        clips: how many there are in all of them.
        seconds: sound to process in each chunk, shape ``(chunks,)``.
    """

    def __init__(self, plan: Plan, chunks: range, needed: Bools, limit: int | None = None) -> None:
        numbers = plan.span(chunks).start + np.flatnonzero(needed)[:limit]
        of, starts = np.unique(np.searchsorted(plan.ends, numbers, "right"), return_index=True)
        self._plan = plan
        self._chunks = [*zip(of.tolist(), np.split(numbers, starts[1:]), strict=False)]
        self.clips = len(numbers)
        self.seconds = np.add.reduceat(plan.seconds(numbers), starts)

    def __len__(self) -> int:
        """Count the chunks."""
        return len(self._chunks)

    def chunk(self, place: int) -> Chunk:
        """One of the chunks, made now."""
        number, clips = self._chunks[place]
        return Chunk(number, tuple(self._plan.clips(clips)))


def previewed(manifest: pa.Table, options: StoreOptions) -> tuple[Previewed, ...]:
    """Recordings whose steps are kept: one of median length from each of the first corpora.

    Args:
        manifest: its table, which alone decides; one without corpora or utterance ids has none.
        options: of the store; other kinds than mels have no steps.
    """
    if not isinstance(options, FrontEnd) or not {"corpus", "utterance_id"} <= {*manifest.column_names}:
        return ()
    chosen = []
    seconds = numbers_of(manifest["duration_s"], np.float64)
    corpora = codes(manifest["corpus"])
    for corpus in range(min(len(corpora.names), MOST_PREVIEWS)):
        own = np.flatnonzero(corpora.of == corpus)
        middle = len(own) // 2
        median = np.partition(seconds[own], middle)[middle]
        alike = own[seconds[own] == median]  # in the order of their ids, as a manifest is
        row = manifest.slice(alike[middle - np.count_nonzero(seconds[own] < median)], 1)
        found, (segment,) = row.to_pylist()[0], segments_of(row)
        chosen.append(Previewed(found["utterance_id"], found["path"], found["audio_digest"], segment))
    return tuple(chosen)


def chunk_ends(seconds: Float64s) -> Int64s:
    """Cut recordings into chunks of about as much sound each.

    A chunk ends when it holds the sound of :func:`clips_per_shard` mean clips, or twice as many
    clips, so that a corpus of long clips beside one of short ones leaves no straggler and no
    shard is huge.

    Args:
        seconds: length of each clip, in order.

    Returns:
        The clip after the last one of each chunk, shape ``(chunks,)``.

    Examples:
        >>> chunk_ends(np.ones(40)).tolist()
        [32, 40]
        >>> chunk_ends(np.repeat([10.0, 1.0], [8, 56])).tolist()
        [6, 56, 64]
    """
    size = clips_per_shard(len(seconds))
    most = min(2 * size, MAX_CLIPS)
    quota = size * float(np.cumsum(seconds)[-1] if len(seconds) else 0) / max(1, len(seconds))
    ends, end = [], 0
    while end < len(seconds):
        held = np.cumsum(seconds[end : end + most])
        within = int(np.searchsorted(held, quota * _ROUNDING, "right")) if quota else size
        end += max(1, min(within, len(held)))
        ends.append(end)
    return np.array(ends, np.int64)
