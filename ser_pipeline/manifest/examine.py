"""Measure the recordings of a manifest that are new since the last time, and say what was found."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from ser_pipeline.audio.decode import read_channels
from ser_pipeline.audio.fingerprint import Fingerprint, groups_of, same_takes, take_fingerprint
from ser_pipeline.audio.mono import loudest_channel
from ser_pipeline.audio.quality import measure_quality
from ser_pipeline.errors import AudioError, AudioMissing, ManifestError
from ser_pipeline.manifest.digest import source_digest
from ser_pipeline.manifest.doctor import (
    DOCTOR,
    DOCTOR_NAME,
    DOCTOR_SCHEMA,
    PRINTS,
    Case,
    Diagnosis,
    copy_cases,
    label_cases,
    link_cases,
    recording_cases,
    summed_up,
)
from ser_pipeline.manifest.probe_cache import SAVE_EVERY_S, Progress
from ser_pipeline.manifest.read import BUILD, Manifest, read_manifest
from ser_pipeline.manifest.schema import read_table, write_table
from ser_pipeline.manifest.segments import segments_of
from ser_pipeline.processes import lost, processes
from ser_pipeline.records import Segment
from ser_pipeline.remote.addresses import is_folder
from ser_pipeline.tables.cells import plural

COLUMNS: Final = (
    "utterance_id", "corpus", "path", "audio_digest", "emotion_id", "speaker_id", "sentence_id", "text",
    "sample_rate", "start_s", "end_s",
)  # fmt: skip

_AT_ONCE: Final = 32
"""Recordings per task."""

_WORTH_A_WORKER: Final = 500
"""Recordings that are measured in the time that a worker process takes to start."""

Row = dict[str, Any]


class Wanted(NamedTuple):
    """A recording to measure: its path below the data folder, the part that is meant, and its digest."""

    path: str
    segment: Segment | None
    digest: str


@dataclass(frozen=True)
class Examination:
    """What was found, in short and in full.

    Attributes:
        diagnosis: one entry for each kind of finding and corpus.
        cases: every recording, speaker, text and emotion with a finding.
        read: recordings that were measured now; the others were known.
    """

    diagnosis: Diagnosis
    cases: tuple[Case, ...]
    read: int


def examine(
    manifests: Path,
    *,
    data: Path | None = None,
    jobs: int = 1,
    on_progress: Progress | None = None,
) -> Examination:
    """Measure what is new, search for copies, and look at who says what with which emotion.

    What was measured is kept beside the manifest, by the digest of a recording's bytes, even if
    this is interrupted; so is what was found.

    Args:
        manifests: folder of the manifest.
        data: folder that its paths are relative to; the one it was built from by default.
        jobs: worker processes; few recordings are measured in this one.
        on_progress: called with how many recordings are measured, and of how many.

    Raises:
        ManifestError: there is no manifest, or it does not fit the recordings in ``data``.
        SerError: ``manifests`` cannot be written to.
    """
    manifest = read_manifest(manifests, COLUMNS)
    path = manifests / DOCTOR_NAME
    known = _known(path)
    fresh = _measure_new(manifest, known, data or manifest.data, path, jobs, on_progress)
    kept = pa.concat_tables([known, fresh])
    digests = manifest.table["audio_digest"].combine_chunks()
    measured = kept.take(pc.index_in(digests, kept["audio_digest"].combine_chunks()))
    cases = (
        *recording_cases(manifest.table, measured),
        *copy_cases(manifest.table, groups_of(same_takes(_prints(measured)))),
        *link_cases(manifest.table, data or manifest.data),
        *label_cases(manifest.table),
    )
    corpora = manifest.corpora.order({case.corpus for case in cases})
    diagnosis = Diagnosis(manifest.table.num_rows, summed_up(cases, corpora), manifest.digest)
    _save(kept, path, diagnosis)
    return Examination(diagnosis, cases, fresh.num_rows)


def _known(path: Path) -> pa.Table:
    """What was measured by the very same code; nothing where the file is missing, damaged or older."""
    try:
        file = read_table(path, DOCTOR_SCHEMA, remedy=DOCTOR)
    except ManifestError:
        return DOCTOR_SCHEMA.empty_table()
    return file.table if file.facts.get("measured_by") == _measured_by() else DOCTOR_SCHEMA.empty_table()


def _measured_by() -> str:
    import soundfile

    return f"{source_digest('audio/*.py')} {soundfile.__libsndfile_version__}"


def _save(table: pa.Table, path: Path, diagnosis: Diagnosis | None = None) -> None:
    facts: dict[str, Any] = {"measured_by": _measured_by()}
    if diagnosis is not None:
        facts["diagnosis"] = diagnosis.to_json()
    write_table(table, facts, path)


def _measure_new(
    manifest: Manifest, known: pa.Table, data: Path, path: Path, jobs: int, on_progress: Progress | None
) -> pa.Table:
    """Measure what ``known`` lacks; however it ends, what was measured until then is saved."""
    lacking = pc.invert(pc.is_in(manifest.table["audio_digest"], known["audio_digest"].combine_chunks()))
    table = manifest.table.filter(lacking)
    columns = (table["path"].to_pylist(), segments_of(table), table["audio_digest"].to_pylist())
    wanted = [Wanted(*values) for values in zip(*columns, strict=True)]
    if wanted and not is_folder(data):
        raise ManifestError(f"{data}: no such folder; pass the one that holds the recordings with --data")
    rows: list[Row] = []
    missing: list[str] = []
    saved, whole = time.monotonic(), False
    try:
        for found, gone in _in_parallel(data, wanted, jobs):
            rows += found
            missing += gone
            if on_progress is not None:
                on_progress(len(rows) + len(missing), len(wanted))
            if time.monotonic() - saved > SAVE_EVERY_S:
                _save(pa.concat_tables([known, _table(rows)]), path)
                saved = time.monotonic()
        whole = not missing
    finally:
        if rows and not whole:
            _save(pa.concat_tables([known, _table(rows)]), path)
    if missing:
        raise ManifestError(
            f"{data}: {plural(len(missing), 'recording')} of the manifest not there or changed, first "
            f"{missing[0]}; run '{BUILD}'"
        )
    return _table(rows)


def _in_parallel(data: Path, wanted: list[Wanted], jobs: int) -> Iterator[tuple[list[Row], list[str]]]:
    starts = range(0, len(wanted), _AT_ONCE)
    some = [wanted[start : start + _AT_ONCE] for start in starts]
    jobs = processes(min(jobs, max(1, len(wanted) // _WORTH_A_WORKER)))
    if jobs == 1:
        yield from (_measure_some(data, each) for each in some)
        return
    from concurrent.futures.process import BrokenProcessPool

    import joblib

    with joblib.parallel_config("loky", n_jobs=jobs, inner_max_num_threads=1):
        try:
            place = data.absolute()  # workers stay where the first call of this process was
            tasks = (joblib.delayed(_measure_some)(place, each) for each in some)
            yield from joblib.Parallel(return_as="generator", batch_size=1)(tasks)
        except BrokenProcessPool as error:
            raise ManifestError(
                f"{lost(error)}; what was measured is kept: run the same command again, perhaps with fewer "
                "--jobs"
            ) from None


def _table(rows: list[Row]) -> pa.Table:
    return pa.Table.from_pylist(rows, DOCTOR_SCHEMA)


def _measure_some(data: Path, wanted: list[Wanted]) -> tuple[list[Row], list[str]]:
    """What was measured on some recordings, and the paths of those that are not what the manifest says."""
    rows: list[Row] = []
    missing: list[str] = []
    for path, segment, digest in wanted:
        row: Row = {"audio_digest": digest}
        try:
            recording = read_channels(data / path, segment)
        except AudioMissing:
            missing.append(path)
            continue
        except AudioError as error:
            rows.append({**row, "problem": str(error)})
            continue
        if recording.digest != digest:
            missing.append(path)
            continue
        samples, rate = recording.samples, recording.sample_rate
        loudest = samples[:, loudest_channel(samples)]
        prints = zip(PRINTS, take_fingerprint(loudest, rate).packed(), strict=True)
        rows.append({**row, **measure_quality(samples, rate)._asdict(), **dict(prints)})
    return rows, missing


def _prints(measured: pa.Table) -> list[Fingerprint]:
    columns = (measured[name].to_pylist() for name in PRINTS)
    return [Fingerprint.unpacked(*(part or b"" for part in parts)) for parts in zip(*columns, strict=True)]
