"""Which recordings belong to which shard, and which of them are still to be computed.

The plan depends on the manifest alone: its recordings in order, cut into chunks of
about as much sound each. Chunk *i* is the business of shard *i*, so job arrays can share the work by
shard numbers. A recording that already lies in any shard is left where it is, whatever chunk it would
fall into today.

Two lock files per store, one of builds and one of their workers; byte *i* stands for shard *i*.
The operating system frees the bytes when their process ends, however it ends.
"""

from collections.abc import Container, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple, Protocol

import pyarrow as pa
import pyarrow.compute as pc

from ser_pipeline.atomic import lock_file
from ser_pipeline.errors import StoreError
from ser_pipeline.front_end import aspect_of
from ser_pipeline.manifest.segments import segments_of
from ser_pipeline.options import Augmented, FrontEnd, StoreOptions
from ser_pipeline.previews import ClipSteps
from ser_pipeline.records import Segment, part_of

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

    @property
    def seconds(self) -> float:
        """Sound to process, for putting long chunks first."""
        return sum(clip.duration_s for clip in self.clips)


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
    """

    folder: Path
    data: Path
    options: StoreOptions
    chunk: Chunk
    previews: tuple[Previewed, ...] = ()
    parent: int | None = None

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
        f"{folder}: another build works on {_words(start, stop)}; wait for it, or choose other --shards"
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


def recordings(manifest: pa.Table, options: StoreOptions, copies: int = 1) -> list[PlannedClip]:
    """Every recording of a manifest once, in its order.

    Args:
        manifest: its table.
        options: of the store.
        copies: variants of each recording, side by side, in a store of variants.
    """
    columns = (manifest[name].to_pylist() for name in ("path", "audio_digest", "duration_s", "modality"))
    variants = range(1, copies + 1) if isinstance(options, Augmented) else range(1)
    unique: dict[Key, PlannedClip] = {}
    for path, digest, duration_s, modality, segment in zip(*columns, segments_of(manifest), strict=True):
        aspect = aspect_of(options, modality)
        for variant in variants:
            clip = PlannedClip(path, digest, duration_s, modality, aspect, variant, segment)
            unique.setdefault(clip.key, clip)
    return list(unique.values())


def previewed(manifest: pa.Table, options: StoreOptions) -> tuple[Previewed, ...]:
    """Recordings whose steps are kept: of each of the first corpora the one of median length.

    Args:
        manifest: its table, which alone decides; one without corpora or utterance ids has none.
        options: of the store; other kinds than mels have no steps.
    """
    if not isinstance(options, FrontEnd) or not {"corpus", "utterance_id"} <= {*manifest.column_names}:
        return ()
    chosen = []
    for corpus in sorted(pc.unique(manifest["corpus"]).to_pylist())[:MOST_PREVIEWS]:
        own = manifest.filter(pc.equal(manifest["corpus"], corpus))
        order = own.sort_by([("duration_s", "ascending"), ("utterance_id", "ascending")])
        chosen_row = order.slice(own.num_rows // 2, 1)
        middle, (segment,) = chosen_row.to_pylist()[0], segments_of(chosen_row)
        chosen.append(Previewed(middle["utterance_id"], middle["path"], middle["audio_digest"], segment))
    return tuple(chosen)


def chunks(clips: Sequence[PlannedClip]) -> list[Chunk]:
    """Cut recordings into chunks of about as much sound each; chunk *i* belongs to shard *i*.

    A chunk ends when it holds the sound of :func:`clips_per_shard` mean clips, or twice as many
    clips, so that a corpus of long clips beside one of short ones leaves no straggler and no
    shard is huge.

    Examples:
        >>> [len(c.clips) for c in chunks([PlannedClip(str(i), str(i), 1.0) for i in range(40)])]
        [32, 8]
        >>> clips = [PlannedClip(str(i), str(i), 1.0 + 9 * (i < 8)) for i in range(64)]
        >>> [len(c.clips) for c in chunks(clips)]
        [6, 50, 8]
    """
    size = clips_per_shard(len(clips))
    most = min(2 * size, MAX_CLIPS)
    quota = size * sum(clip.duration_s for clip in clips) / max(1, len(clips))
    plan: list[Chunk] = []
    current: list[PlannedClip] = []
    seconds = 0.0
    for clip in clips:
        full = seconds + clip.duration_s > quota * _ROUNDING if quota else len(current) == size
        if current and (full or len(current) == most):
            plan.append(Chunk(len(plan), tuple(current)))
            current, seconds = [], 0.0
        current.append(clip)
        seconds += clip.duration_s
    return [*plan, Chunk(len(plan), tuple(current))] if current else plan


def lacking(plan: Sequence[Chunk], done: Container[Key], limit: int | None = None) -> list[Chunk]:
    """What is still to do of a plan.

    Args:
        plan: chunks.
        done: keys of clips that need no work.
        limit: keep at most this many clips, the first ones.
    """
    left = limit if limit is not None else sum(len(chunk.clips) for chunk in plan)
    todo = []
    for chunk in plan:
        clips = tuple(clip for clip in chunk.clips if clip.key not in done)[:left]
        left -= len(clips)
        if clips:
            todo.append(Chunk(chunk.number, clips))
    return todo
