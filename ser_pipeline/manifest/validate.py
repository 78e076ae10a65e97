"""Check a manifest again: its rows, and the recordings it names."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ser_pipeline.errors import ManifestError
from ser_pipeline.labels import EMOTIONS, OTHER_ID
from ser_pipeline.manifest.digest import first_of_each, packed
from ser_pipeline.manifest.probe_cache import PROBE_CACHE_NAME, ProbeCache
from ser_pipeline.manifest.read import BUILD, Manifest, read_manifest, read_rejects
from ser_pipeline.manifest.schema import OUTSIDE
from ser_pipeline.manifest.segments import bounds_fit
from ser_pipeline.records import MAX_FOLDS, MIN_CLIP_S, MOST_VOTES, RATINGS, SAMPLE_RATES, VOCABULARIES
from ser_pipeline.remote.addresses import is_folder
from ser_pipeline.tables.cells import plural

SHOWN: Final = 10
"""Problems that are spelled out; the others are counted."""

LONGEST_S: Final = 86_400.0
"""A recording longer than a day is a broken header."""

DIGEST_PATTERN: Final = "^[0-9a-f]{32}$"

FILLED: Final = ("utterance_id", "corpus", "path", "source_label", "speaker_id", "language")
"""Columns in which an empty text is a mistake."""


@dataclass
class Problems:
    """Problems found; the first few are spelled out.

    Attributes:
        count: of all problems.
        examples: one line for each of the first ``SHOWN``.
    """

    count: int = 0
    examples: list[str] = field(default_factory=list)

    def add(self, line: str) -> None:
        """Add one problem."""
        self.count += 1
        if len(self.examples) < SHOWN:
            self.examples.append(line)

    def add_rows(self, table: pa.Table, bad: Any, what: str, column: str) -> None:
        """Add a problem for each row where ``bad`` is true.

        Args:
            table: the rows; has ``utterance_id``.
            bad: Arrow booleans; null is not a problem.
            what: what is wrong and what is valid.
            column: whose value is shown.
        """
        bad = pc.fill_null(bad, False)
        count = pc.sum(bad).as_py() or 0
        if not count:
            return
        self.count += count
        room = SHOWN - len(self.examples)
        rows = table.select(list(dict.fromkeys(("utterance_id", column)))).filter(bad).slice(0, room)
        for identity, value in zip(rows["utterance_id"].to_pylist(), rows[column].to_pylist(), strict=True):
            self.examples.append(f"{identity}: {column} {value!r} {what}")


def validate(folder: Path, *, data: Path | None, jobs: int = 1) -> tuple[Manifest, Problems]:
    """Check everything that can be checked without decoding.

    Args:
        folder: of the manifest.
        data: folder that the paths are relative to; None leaves the recordings unchecked.
        jobs: files looked up at once.

    Raises:
        ManifestError: the manifest cannot be read at all.
    """
    manifest = read_manifest(folder)
    found = check_rows(manifest.table)
    _check_counts(manifest, found)
    if data is not None:
        _check_files(manifest, data, jobs, found)
    return manifest, found


def check_rows(table: pa.Table) -> Problems:
    """Check every value that has a rule; vectorised, a million rows take seconds."""
    found = Problems()
    _check_identity(table, found)
    for column in FILLED:
        found.add_rows(table, pc.equal(table[column], ""), "is empty", column)
    for column, valid in VOCABULARIES.items():
        odd = pc.and_(table[column].is_valid(), pc.invert(pc.is_in(table[column], pa.array(valid))))
        found.add_rows(table, odd, f"is none of {', '.join(valid)}", column)
    for column, (low, high) in RATINGS.items():
        _check_range(table, column, low, high, found)
    _check_range(table, "emotion_id", OTHER_ID, len(EMOTIONS) - 1, found)
    _check_range(table, "duration_s", MIN_CLIP_S, LONGEST_S, found)
    _check_range(table, "sample_rate", *SAMPLE_RATES, found)
    _check_range(table, "channels", 1, 1024, found)
    _check_range(table, "channel", 1, 1024, found)
    _check_range(table, "age", 1, 130, found)
    _check_range(table, "fold", 0, MAX_FOLDS, found)
    _check_range(table, "start_s", 0, LONGEST_S, found)
    found.add_rows(table, pc.invert(bounds_fit(table)), "does not fit start_s and end_s", "duration_s")
    _check_votes(table, found)
    return found


def _check_range(table: pa.Table, column: str, low: float, high: float, found: Problems) -> None:
    inside = pc.and_(pc.greater_equal(table[column], low), pc.less_equal(table[column], high))
    found.add_rows(table, pc.invert(inside), f"is not between {low:g} and {high:g}", column)


def _check_identity(table: pa.Table, found: Problems) -> None:
    whole = table.select(["utterance_id", "path"])
    if table["start_s"].null_count < len(table):  # segments share the path of their recording
        whole = whole.filter(table["start_s"].is_null())
    for column in ("utterance_id", "path", "audio_digest"):
        rows = whole if column == "path" else table
        found.add_rows(rows, _repeated(rows[column]), "occurs in an earlier row, too", column)
    pattern = pc.match_substring_regex(table["audio_digest"], DIGEST_PATTERN)
    found.add_rows(table, pc.invert(pattern), "is not a digest of 32 hexadecimal digits", "audio_digest")
    corpus = pc.binary_join_element_wise(table["corpus"], "", "/")
    lengths = pc.utf8_length(corpus)
    for width in pc.unique(lengths).to_pylist():
        named = pc.equal(pc.utf8_slice_codeunits(table["utterance_id"], 0, width), corpus)
        odd = pc.and_(pc.equal(lengths, width), pc.invert(named))
        found.add_rows(table, odd, "does not begin with its corpus", "utterance_id")
    outside = pc.match_substring_regex(table["path"], OUTSIDE)
    found.add_rows(table, outside, "leads out of the data folder", "path")


def _repeated(values: pa.ChunkedArray) -> pa.Array:
    """True for each value that stood in an earlier row.

    Texts that rise from row to row, and digests, are told apart without a table of all of them.
    """
    if pc.all(pc.less(values.slice(0, max(0, len(values) - 1)), values.slice(1))).as_py():
        return pa.nulls(len(values), pa.bool_())
    if pc.all(pc.match_substring_regex(values, DIGEST_PATTERN)).as_py():
        return pa.array(~first_of_each(packed(values.chunks)))
    codes = values.combine_chunks().dictionary_encode()
    if len(codes.dictionary) == len(values):
        return pa.array(np.zeros(len(values), bool))
    again = np.ones(len(values), bool)
    again[np.unique(codes.indices.to_numpy(), return_index=True)[1]] = False
    return pa.array(again)


def _check_votes(table: pa.Table, found: Problems) -> None:
    votes = table["votes"].combine_chunks()
    votes = votes.filter(votes.is_valid())
    _check_entries(votes.keys, "emotion id", OTHER_ID, len(EMOTIONS) - 1, found)
    _check_entries(votes.items, "count", 1, MOST_VOTES, found)


def _check_entries(values: pa.Array, what: str, low: int, high: int, found: Problems) -> None:
    inside = pc.and_(pc.greater_equal(values, low), pc.less_equal(values, high))
    bad = len(values) - (pc.sum(inside).as_py() or 0)
    if bad:
        found.add(f"votes: {plural(bad, 'entry', 'entries')} whose {what} is not between {low} and {high}")


def _check_counts(manifest: Manifest, found: Problems) -> None:
    counts = manifest.facts.get("counts", {})
    if counts.get("rows") != manifest.table.num_rows:
        found.add(f"{manifest.path}: says {counts.get('rows')} rows and has {manifest.table.num_rows}")
    try:
        rejects = read_rejects(manifest.path.parent).num_rows
    except ManifestError as error:
        found.add(str(error))
        return
    if counts.get("rejects") != rejects:
        found.add(
            f"{manifest.path}: says {counts.get('rejects')} rejects, "
            f"rejects.parquet has {rejects}; run '{BUILD}'"
        )


def _check_files(manifest: Manifest, data: Path, jobs: int, found: Problems) -> None:
    if not is_folder(data):
        found.add(f"{data}: no such folder, so no recording was checked; pass --data or --no-audio")
        return
    cache = ProbeCache.load(manifest.path.with_name(PROBE_CACHE_NAME), data)
    files = manifest.table["path"].combine_chunks().dictionary_encode()  # one for all its segments
    states = cache.compare(files.dictionary.to_pylist(), jobs=jobs)
    absent, changed = (pa.array(each).take(files.indices) for each in states)
    found.add_rows(manifest.table, absent, f"is missing below {data}", "path")
    found.add_rows(manifest.table, changed, f"has changed since; run '{BUILD}'", "path")
