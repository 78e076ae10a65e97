"""Predictions on an archive of recordings: in parallel, in one Parquet file, continued after a stop.

Recordings are divided into tasks. Each task writes its rows into a file of its own, whole or not at all, in a
folder beside the target. When all are there, their rows become the target and the folder goes. A row is known
by the digest of its recording's bytes: what an earlier target or an interrupted command holds of the same
bytes is taken over.
"""

import hashlib
import io
import json
import shutil
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import soundfile

from ser_pipeline import __version__
from ser_pipeline.atomic import lock_file, write_atomically, write_parquet
from ser_pipeline.audio.decode import read_channels
from ser_pipeline.errors import AudioError, AudioMissing, RunError
from ser_pipeline.manifest.digest import digest_file
from ser_pipeline.manifest.read import MANIFEST_NAME, read_manifest
from ser_pipeline.manifest.segments import segments_of
from ser_pipeline.options import PredictOptions
from ser_pipeline.records import Segment, part_of
from ser_pipeline.remote.addresses import ABSENT, printable, shown
from ser_pipeline.remote.opening import state_at
from ser_pipeline.runs.card import card_digest
from ser_pipeline.serving.load import load_model
from ser_pipeline.serving.model import Model
from ser_pipeline.serving.prediction import Prediction, Unusable
from ser_pipeline.serving.reading import expand
from ser_pipeline.store.workers import run_tasks

TASK_CLIPS: Final = 64
"""Recordings of a task."""

LONGEST_S: Final = 1e7
"""Seconds, longer than any recording; infinity is no time for ffmpeg."""

_KEY: Final = b"ser"
"""Key of a file's metadata under which everything stands as JSON."""

_KNOWN: Final = "known.parquet"


class ArchiveClip(NamedTuple):
    """A recording to predict on, or a part of one.

    Attributes:
        path: of its file.
        name: that its rows shall have.
        segment: the part that is meant, whose times count from its own start; None for all of it.
    """

    path: Path
    name: str
    segment: Segment | None = None

    @classmethod
    def of(cls, path: Path, segment: Segment | None = None, root: Path = Path()) -> "ArchiveClip":
        """A recording below ``root``, named by its path, with its bounds where it is a part."""
        return cls((root / path).absolute(), part_of(shown(path), segment), segment)


@dataclass(frozen=True, slots=True)
class ArchiveTask:
    """What a worker is asked for.

    Attributes:
        place: file to write.
        model: run folder or graph.
        options: of the predictions.
        timeline: give a row for each window rather than for each recording.
        clips: to predict on.
        known: files of earlier rows of the same model and options.
        facts: metadata of the file to write.
    """

    place: Path
    model: Path
    options: PredictOptions
    timeline: bool
    clips: tuple[ArchiveClip, ...]
    known: tuple[Path, ...]
    facts: str

    @property
    def folders(self) -> tuple[Path, ...]:
        """Folders that must be there wherever it is done."""
        return self.place.parent, self.model.parent, self.clips[0].path.parent


class Made(NamedTuple):
    """What a worker says of its task: recordings, and how many of them were predicted on now."""

    clips: int
    computed: int


@dataclass(frozen=True, slots=True)
class ArchiveSummary:
    """What was done.

    Attributes:
        out: file with all rows.
        recordings: in it.
        computed: how many were predicted on now; the others were known.
        failed: how many could not be used; their rows say why.
    """

    out: Path
    recordings: int
    computed: int
    failed: int


def archive_clips(words: Sequence[str]) -> tuple[list[ArchiveClip], list[Unusable]]:
    """Find the recordings that words of a command line name.

    Args:
        words: files, folders and patterns, and manifests: ``manifest.parquet`` or the folder that holds one.

    Returns:
        Recordings in the order of the words, those of a manifest in its own, each once, and what names none,
        with the reason.

    Raises:
        ManifestError: a manifest is damaged, foreign, or of another schema version.
    """
    clips: list[ArchiveClip] = []
    failures: list[Unusable] = []
    for word in words:
        if word.endswith(".parquet") or (Path(word) / MANIFEST_NAME).is_file():
            manifest = read_manifest(Path(word), ("path", "start_s", "end_s"))
            rows = zip(manifest.table["path"].to_pylist(), segments_of(manifest.table), strict=True)
            clips += [ArchiveClip.of(Path(path), segment, manifest.data) for path, segment in rows]
        else:
            paths, more = expand([word])
            clips += map(ArchiveClip.of, paths)
            failures += more
    return list(dict.fromkeys(clips)), failures


def predict_archive(
    model: Path,
    clips: Sequence[ArchiveClip],
    out: Path,
    options: PredictOptions,
    *,
    timeline: bool = False,
    jobs: int = 1,
    scheduler: str | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> ArchiveSummary:
    """Predict on many recordings and write one Parquet file; call it again to continue.

    Recordings that could not be opened, as without ffmpeg, are tried again by the next call.

    Args:
        model: run folder or graph.
        clips: recordings, or parts of them.
        out: file to write. One that is there must be of the same model and options.
        options: of the predictions.
        timeline: give a row for each window rather than for each recording.
        jobs: worker processes; 1 works in this process.
        scheduler: address of a Dask scheduler whose workers do the work; None works on this machine.
        on_progress: called with the number of recordings that are done, and of how many.

    Raises:
        RunError: ``out`` is something else, or another command writes it.
        SerError: the folder cannot be written to, the disk is full, or a worker was killed.
    """
    model, out = model.absolute(), out.absolute()  # another machine has another working folder
    identity = _identity(model, options, timeline)
    if out.exists() and _facts(out).get("identity") != identity:
        raise RunError(
            f"{out}: exists, and holds no predictions of this model with these options; choose another "
            "--out, or delete it"
        )
    parts = out.with_name(f".{out.name}.parts")
    with lock_file(parts / "lock", RunError(f"{out}: another command writes it; wait for it")):
        plan = _plan(clips, identity)
        if out.exists() and (before := _facts(out))["plan"] == plan and not before.get("missing"):
            failures = pq.read_table(out, columns=["error"])["error"]
            shutil.rmtree(parts, ignore_errors=True)
            return ArchiveSummary(out, len(clips), 0, len(failures) - failures.null_count)
        known = tuple(path for path in (out, _earlier(parts, plan, identity)) if path.exists())
        facts = json.dumps({"identity": identity, "plan": plan, "model": str(model), "version": __version__})
        tasks = [
            ArchiveTask(
                parts / f"{plan}-{first // TASK_CLIPS:06}.parquet",
                model, options, timeline, tuple(clips[first : first + TASK_CLIPS]), known, facts,
            )
            for first in range(0, len(clips), TASK_CLIPS)
        ]  # fmt: skip
        todo = [task for task in tasks if not task.place.exists() or _facts(task.place).get("missing")]
        total = sum(len(task.clips) for task in todo)
        done = computed = 0
        for made in run_tasks(make_part, todo, jobs, scheduler, out):
            done, computed = done + made.clips, computed + made.computed
            if on_progress is not None:
                on_progress(done, total)
        failed = _join(out, [task.place for task in tasks])
        shutil.rmtree(parts, ignore_errors=True)
    return ArchiveSummary(out, len(clips), computed, failed)


def make_part(task: ArchiveTask) -> Made:
    """Predict on the recordings of a task and write its file.

    Raises:
        RunError: the model cannot be loaded, or needs to know the speaker.
        SerError: the file cannot be written.
    """
    model = _loaded(task.model)
    digests = [_digest(clip) for clip in task.clips]
    known = _known(task.known, digests)
    rows: list[dict[str, Any]] = []
    computed, missing = 0, False
    for clip, digest in zip(task.clips, digests, strict=True):
        told = known.get(digest, [])
        if not told:
            said = [*_said(model, clip, task)]
            whole = not any(isinstance(each, AudioError) for each in said)
            missing |= any(isinstance(each, AudioMissing) for each in said)
            told = [_row(each, digest if whole else None, model) for each in said]
            computed += 1
        rows += [{**row, "file": clip.name} for row in told]
    facts = {_KEY: json.dumps({**json.loads(task.facts), "missing": missing}).encode()}
    write_parquet(task.place, pa.Table.from_pylist(rows, _schema(model).with_metadata(facts)))
    return Made(len(task.clips), computed)


@lru_cache(maxsize=1)
def _loaded(model: Path) -> Model:
    return load_model(model)


def _schema(model: Model) -> pa.Schema:
    return pa.schema(
        [
            pa.field("file", pa.string(), nullable=False),
            pa.field("start_s", pa.float64()),
            pa.field("end_s", pa.float64()),
            pa.field("decision", pa.string()),
            pa.field("emotion", pa.string()),
            pa.field("confidence", pa.float32()),
            *(pa.field(f"p_{name}", pa.float32()) for name in model.emotions),
            *(pa.field(name, pa.float32()) for name in model.dimensions),
            pa.field("windows", pa.int32()),
            pa.field("error", pa.string()),
            pa.field("audio_digest", pa.string()),
        ]
    )


def _said(model: Model, clip: ArchiveClip, task: ArchiveTask) -> Iterator[Prediction | AudioError]:
    """Predictions on a recording, or why there are none; windows before damage stand."""
    try:
        source = clip.path if clip.segment is None else _cut(clip.path, clip.segment)
        if task.timeline:
            yield from model.timeline(source, task.options, name=clip.name)
        else:
            yield model.predict(source, task.options, name=clip.name)
    except AudioError as error:
        yield error


def _cut(path: Path, segment: Segment) -> bytes:
    """A part of a recording as a recording of its own, of the very samples that were decoded."""
    channels = read_channels(path, segment, max_s=LONGEST_S)
    file = io.BytesIO()
    soundfile.write(file, channels.samples, channels.sample_rate, format="WAV", subtype="FLOAT")
    return file.getvalue()


def _row(said: Prediction | AudioError, digest: str | None, model: Model) -> dict[str, Any]:
    if isinstance(said, AudioError):
        return {"error": printable(str(said))}
    return {
        "start_s": said.start_s,
        "end_s": said.end_s,
        "decision": said.decision,
        "emotion": said.emotion,
        "confidence": said.confidence,
        **{f"p_{name}": said.probabilities.get(name) for name in model.emotions},
        **{name: said.ratings.get(name) for name in model.dimensions},
        "windows": said.windows,
        "audio_digest": digest,
    }


def _digest(clip: ArchiveClip) -> str | None:
    """Digest of a recording's bytes, or of a part of it; None where they cannot be read."""
    try:
        whole = digest_file(clip.path)
    except OSError:
        return None
    return whole if clip.segment is None else clip.segment.digest(whole)


def _known(files: Sequence[Path], digests: Sequence[str | None]) -> dict[str | None, list[dict[str, Any]]]:
    """Earlier rows of recordings, by digest; those of one recording in their order."""
    wanted = pa.array((digest for digest in digests if digest is not None), pa.string())
    rows: dict[str | None, list[dict[str, Any]]] = {}
    for path in files:
        found: dict[str, dict[str, dict[tuple[float, float], Any]]] = defaultdict(lambda: defaultdict(dict))
        for row in pq.read_table(path, filters=pc.field("audio_digest").isin(wanted)).to_pylist():
            found[row["audio_digest"]][row["file"]][row["start_s"], row["end_s"]] = row
        for digest, copies in found.items():
            rows.setdefault(digest, [*next(iter(copies.values())).values()])
    return rows


def _identity(model: Path, options: PredictOptions, timeline: bool) -> str:
    """What rows depend on beside the recordings: the model, the options and this program's version."""
    weights = digest_file(model) if model.is_file() else card_digest(model)
    told = [weights, options.model_dump(mode="json"), timeline, __version__]
    return hashlib.blake2b(json.dumps(told).encode(), digest_size=16).hexdigest()


def _plan(clips: Iterable[ArchiveClip], identity: str) -> str:
    """Name of a plan: it changes with the list of recordings, and with the size or date of one of them."""
    state = hashlib.blake2b(identity.encode(), digest_size=8)
    for clip in clips:
        found = state_at(str(clip.path))
        stamp = "-" if found == ABSENT else f"{found.size} {found.mtime_ns}"
        state.update(f"{clip.name}\0{stamp}\n".encode())
    return state.hexdigest()


def _facts(path: Path) -> dict[str, Any]:
    """Metadata of a file of predictions; empty where it is something else."""
    try:
        facts = json.loads(pq.read_schema(path).metadata[_KEY])
    except (OSError, ValueError, KeyError, TypeError, pa.ArrowException):
        return {}
    return facts if isinstance(facts, dict) else {}


def _earlier(parts: Path, plan: str, identity: str) -> Path:
    """Put what interrupted commands with other recordings have made into one file, and give its path."""
    known = parts / _KNOWN
    left = [path for path in sorted(parts.glob("*.parquet")) if not path.name.startswith(f"{plan}-")]
    whole = [path for path in left if _facts(path).get("identity") == identity]
    if whole and whole != [known]:
        _join(known, whole)
    for path in left:
        if path != known or not whole:
            path.unlink()
    return known


def _join(out: Path, parts: Sequence[Path]) -> int:
    """Write the rows of several files into one, a file at a time; says how many of them are errors."""
    failed, told = 0, [_facts(path) for path in parts]
    facts = {**told[0], "missing": any(each.get("missing") for each in told)}
    schema = pq.read_schema(parts[0]).with_metadata({_KEY: json.dumps(facts).encode()})
    with write_atomically(out) as place, pq.ParquetWriter(place, schema, compression="zstd") as file:
        for path in parts:
            table = pq.read_table(path)
            failed += table.num_rows - table["error"].null_count
            file.write_table(table.replace_schema_metadata(schema.metadata))
    return failed
