"""What the commands do, as functions: the same calls for a terminal, an experiment and a notebook."""

from pathlib import Path
from typing import Any

from ser_pipeline.corpora.discover import discover
from ser_pipeline.manifest.build import write_manifest
from ser_pipeline.manifest.probe_cache import Progress
from ser_pipeline.manifest.query import query
from ser_pipeline.manifest.read import Manifest
from ser_pipeline.manifest.scan import Find, Modules
from ser_pipeline.manifest.summary import ManifestSummary, refuse_rejects
from ser_pipeline.manifest.validate import Problems, validate
from ser_pipeline.splits.make import renew_splits
from ser_pipeline.splits.split import all_splits, damaged_splits


def build_manifest(
    data: Path,
    out: Path,
    *,
    jobs: int = 1,
    rehash: bool = False,
    decode: bool = False,
    strict: bool = False,
    limit: int | None = None,
    on_progress: Progress | None = None,
    corpora: Modules | None = None,
    find: Find = discover,
) -> ManifestSummary:
    """Write the manifest of every corpus below a folder, its rejects, and the default split.

    The manifest is replaced at the end, whole. What was read is kept, also when the build is
    interrupted, and is not read again while it is unchanged.

    Args:
        data: folder that holds the corpora; nothing in it is changed.
        out: folder to write to.
        jobs: recordings read at once.
        rehash: read all recordings, changed or not.
        decode: also decode each, so that silent and damaged samples are found now.
        strict: raise at the end if any recording was rejected.
        limit: take this many recordings of each corpus, by a fixed random choice.
        on_progress: called with how many recordings are read, and of how many.
        corpora: corpus id -> module, other than the shipped ones.
        find: gives each recording below ``data`` to one corpus.

    Raises:
        CorpusError: ``data`` is no folder or holds no corpus.
        ManifestError: no recording can be used, or ``strict`` and some cannot.
        SerError: ``out`` cannot be written to.
    """
    written = write_manifest(
        data,
        out,
        jobs=jobs,
        rehash=rehash,
        decode=decode,
        limit=limit,
        on_progress=on_progress,
        corpora=corpora,
        find=find,
    )
    summary = written.with_warnings(renew_splits(written.path, written.digest))
    if strict:
        refuse_rejects(summary)
    return summary


def validate_manifest(folder: Path, *, data: Path | None, jobs: int = 1) -> tuple[Manifest, Problems]:
    """Check a manifest, the recordings it names and its splits, without decoding.

    Args:
        folder: of the manifest.
        data: folder that the paths are relative to; None leaves the recordings unchecked.
        jobs: files looked up at once.

    Raises:
        ManifestError: the manifest cannot be read at all.
    """
    manifest, found = validate(folder, data=data, jobs=jobs)
    for line in damaged_splits(folder, manifest):
        found.add(line)
    return manifest, found


def query_manifest(folder: Path, sql: str) -> tuple[list[str], list[tuple[Any, ...]]]:
    """Run one SELECT over the tables ``manifest``, ``rejects`` and ``splits``.

    Args:
        folder: of the manifest.
        sql: one statement; ``manifest`` has the column ``emotion`` beside ``emotion_id``.

    Returns:
        Column names, and rows of plain values.

    Raises:
        ManifestError: the tables cannot be read, or the query is not one SELECT that fits them.
    """
    return query(folder, sql, splits=all_splits(folder))
