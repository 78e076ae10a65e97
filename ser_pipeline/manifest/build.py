"""Build the manifest: scan the corpora, read what is new, and write what can be used.

Where nothing has changed since the last build (:mod:`ser_pipeline.manifest.fingerprint`), nothing is done.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from ser_pipeline.corpora import known_corpora
from ser_pipeline.corpora.description import tables_beside
from ser_pipeline.errors import CorpusError, ManifestError, some
from ser_pipeline.manifest.cards import KnownCorpora
from ser_pipeline.manifest.describe import RejectReason, reject_reasons
from ser_pipeline.manifest.digest import digest_file
from ser_pipeline.manifest.fingerprint import (
    BuildFingerprint,
    absolute,
    inputs_digest,
    read_fingerprint,
    write_fingerprint,
)
from ser_pipeline.manifest.probe_cache import PROBE_CACHE_NAME, ProbeCache, Progress
from ser_pipeline.manifest.read import MANIFEST_NAME, REJECTS_NAME, Manifest
from ser_pipeline.manifest.scan import Find, Modules, Scanned, filter_rows, in_order, scan_corpora
from ser_pipeline.manifest.schema import write_table
from ser_pipeline.manifest.summary import (
    ManifestSummary,
    count_by,
    reason_line,
    summarise,
    unknown_folders,
)
from ser_pipeline.manifest.validate import check_rows
from ser_pipeline.remote.addresses import is_folder
from ser_pipeline.tables.cells import plural


def write_manifest(
    data: Path,
    out: Path,
    *,
    jobs: int = 1,
    rehash: bool = False,
    decode: bool = False,
    limit: int | None = None,
    on_progress: Progress | None = None,
    corpora: Modules | None = None,
    descriptions: Sequence[Path] = (),
    find: Find | None = None,
    told: Mapping[str, Any] | None = None,
    follow_links: bool = True,
) -> ManifestSummary:
    """Write the manifest of every corpus below a folder, and its rejects.

    The manifest is replaced as a whole at the end. What was read is kept, even if the build is
    interrupted, and is not read again as long as it is unchanged.

    Args:
        data: folder that holds the corpora; nothing in it is changed.
        out: folder to write to.
        jobs: recordings read at once.
        rehash: read all recordings, changed or not.
        decode: also decode each, so that silent and damaged samples are found now.
        limit: take this many recordings of each corpus, by a fixed random choice.
        on_progress: called with how many recordings are read, and of how many.
        corpora: corpus id -> module or description; those that are shipped, and ``descriptions``, by default.
        descriptions: files that describe further corpora.
        find: gives each recording below ``data`` to one corpus; by their names and folders by default.
        told: what ``corpora`` were made from, as JSON values that change whenever they do, with the paths of
            recordings and tables under ``files``; without it a build from ``corpora`` is never unchanged.
        follow_links: take recordings outside ``data`` that links lead to; else they become rejects.

    Raises:
        CorpusError: ``data`` is not a folder or holds no corpus.
        ManifestError: no recording can be used.
        SerError: ``out`` cannot be written to.
    """
    from ser_pipeline.audio.ffmpeg import decoder

    if not is_folder(data):
        raise CorpusError(
            f"{data}: no such folder; put the corpora's folders there, or pass the folder that holds "
            f"them with --data ('ser corpora list' shows their layouts, "
            f"'ser corpora synth {data}' makes synthetic ones)"
        )
    settings: dict[str, Any] = {"decode": decode, "limit": limit}
    if not follow_links:
        settings["follow_links"] = False
    described = {
        str(place): digest_file(place)
        for path in descriptions
        if path.is_file()
        for place in (path, *tables_beside(path))
    }
    settings_seen = {**settings, "decoder": decoder()}
    seen = ""
    if corpora is None:
        state = {**settings_seen, **({"descriptions": described} if described else {})}
        seen = inputs_digest(data, state, jobs=jobs)
    elif told is not None:
        seen = inputs_digest(data, {**settings_seen, **told}, jobs=jobs, paths=told["files"])
    summary = None if rehash or not seen else _unchanged(out, seen)
    if summary is None:
        modules = known_corpora(descriptions) if corpora is None else corpora
        scanned = scan_corpora(data, corpora=modules, limit=limit, find=find, follow_links=follow_links)
        cache = ProbeCache.load(out / PROBE_CACHE_NAME, data)
        files = scanned.table["path"].combine_chunks().dictionary_encode()  # one for all its segments
        paths = files.dictionary.to_pylist()
        probes, read = cache.read_all(paths, jobs=jobs, rehash=rehash, decode=decode, on_progress=on_progress)
        cache.save(probes if limit is None else cache.updated(probes))
        summary = _write(data, out, scanned, probes.take(files.indices), read, settings)
        if pc.min(probes["size"]).as_py() < 0:  # what could not be read at all is tried again
            seen = ""
        write_fingerprint(out, _fingerprint(data, seen, summary))
    return summary


def _unchanged(out: Path, seen: str) -> ManifestSummary | None:
    """The summary of the last build, if it saw the same and its files are still there."""
    fingerprint = read_fingerprint(out)
    if fingerprint is None or not fingerprint.holds(out, seen):
        return None
    return replace(ManifestSummary.from_json(fingerprint.summary, out / MANIFEST_NAME), unchanged=True)


def _fingerprint(data: Path, seen: str, summary: ManifestSummary) -> BuildFingerprint:
    outputs = {MANIFEST_NAME: summary.digest, REJECTS_NAME: summary.rejects_digest}
    return BuildFingerprint(absolute(data), seen, outputs, summary.to_json())


def _write(
    data: Path, out: Path, scanned: Scanned, probes: pa.Table, read: int, settings: Mapping[str, Any]
) -> ManifestSummary:
    """Write rejects and manifest, in this order: the manifest is what others wait for."""
    rows, rejects, overlaps = _rows_and_rejects(scanned, probes, bool(settings["decode"]))
    facts = _facts(scanned, rows, rejects, settings)
    rejects_digest = write_table(rejects, {"counts": facts["counts"]}, out / REJECTS_NAME)
    if not rows.num_rows:
        raise ManifestError(_nothing_usable(data, out, reject_reasons(rejects, KnownCorpora.of(facts))))
    digest = write_table(rows, facts, out / MANIFEST_NAME)
    manifest = Manifest(rows, digest, out / MANIFEST_NAME, facts)
    summary = summarise(manifest, scanned, rejects, read)
    return replace(summary.with_warnings(overlaps), rejects_digest=rejects_digest)


def _rows_and_rejects(
    scanned: Scanned, probes: pa.Table, decode: bool
) -> tuple[pa.Table, pa.Table, list[str]]:
    """Rows, rejects and lines on overlaps; checked: none lost, and values as the schema's rules want them."""
    rows, unusable, overlaps = filter_rows(scanned.table, probes, decoded=decode)
    rejects = pa.concat_tables([unusable, scanned.unnamed])
    files = scanned.files.total()
    if rows.num_rows + rejects.num_rows != files:
        raise ManifestError(
            f"found {plural(files, 'recording')}, which gave {plural(rows.num_rows, 'row')} and "
            f"{plural(rejects.num_rows, 'reject')}; nothing was written"
        )
    found = check_rows(rows)
    if found.count:
        raise ManifestError(
            f"{plural(found.count, 'value does', 'values do')} not fit, nothing was written: "
            f"{'; '.join(found.examples)}"
        )
    return rows, in_order(rejects, [("path", "ascending"), ("reason", "ascending")]), overlaps


def _facts(
    scanned: Scanned, rows: pa.Table, rejects: pa.Table, settings: Mapping[str, Any]
) -> dict[str, Any]:
    """What the manifest's metadata says; no time and no absolute path, and no option that changed no row.

    Runs are compared by the manifest's bytes, which a check that finds nothing must not change.
    """
    per_corpus = count_by(rows, "corpus")
    limit = settings["limit"] if scanned.left_out else None
    return {
        "corpora": {corpus: per_corpus.get(corpus, 0) for corpus in sorted(scanned.files)},
        "counts": {
            "files": scanned.files.total(),
            "rows": rows.num_rows,
            "rejects": rejects.num_rows,
            "left_out": scanned.left_out,
        },
        "settings": {**settings, "decode": False, "limit": limit},
        "cards": scanned.cards,
        "synthetic": bool(scanned.synthetic),
        "synthetic_corpora": list(scanned.synthetic),
    }


def _nothing_usable(data: Path, out: Path, reasons: Sequence[RejectReason]) -> str:
    unknown = unknown_folders(reasons)
    folder = data / unknown[0] if len(unknown) == 1 else "FOLDER"
    hint = f"; a new corpus is described with 'ser corpora init {folder}'" if unknown else ""
    return (
        f"{data}: none of {plural(sum(kind.files for kind in reasons), 'recording')} can be used, so no "
        f"manifest was written: {some(list(map(reason_line, reasons)))}{hint}; "
        f"all reasons are in {out / REJECTS_NAME}"
    )
