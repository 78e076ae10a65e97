"""From what the corpora say to rows of the manifest, and from rows to those that can be used."""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ser_pipeline.arrays import Int64s
from ser_pipeline.corpora import Corpus
from ser_pipeline.corpora.discover import UNKNOWN, Discovery, Found, discover
from ser_pipeline.corpora.files import leading_out, tables_of
from ser_pipeline.errors import ManifestError
from ser_pipeline.labels import emotion_id, emotion_name
from ser_pipeline.manifest.cards import card_facts
from ser_pipeline.manifest.schema import MEASURED, OUTSIDE, REJECT_SCHEMA, SCHEMA
from ser_pipeline.manifest.segments import measure, with_sessions
from ser_pipeline.records import MissingAudio, Record, Reject, TableProblem, Utterance
from ser_pipeline.remote.addresses import printable

DESCRIBED: Final[pa.Schema] = pa.schema([column for column in SCHEMA if column.name not in MEASURED])
"""The columns that come from the corpora."""

BATCH: Final = 1 << 14
"""Rows held as Python objects at once."""

SYNTHETIC_MARK: Final = "SYNTHETIC.txt"
"""A file of this name says that the recordings below its folder were made by ``ser corpora synth``."""

Modules = Mapping[str, Corpus]
Find = Callable[[Path], Discovery]

_MADE: Final = frozenset({"utterance_id", "path", "emotion_id", "votes"})
"""Columns that are made from a row's fields; the others are its fields."""

BY_ID: Final = [("utterance_id", "ascending"), ("path", "ascending")]
BY_DIGEST: Final = [("audio_digest", "ascending"), ("utterance_id", "ascending")]


@dataclass
class Scanned:
    """What the corpora say of the recordings below a folder.

    Attributes:
        table: one row per recording that a corpus can name, columns ``DESCRIBED``.
        rejects: recordings that no corpus can name; paths are relative to the folder.
        missing: rows of the corpora's own tables that have no recording.
        problems: tables of the corpora that cannot be read in full.
        files: corpus -> number of recordings.
        half_there: one line for each corpus folder that holds no recording.
        synthetic: corpora that are marked as synthetic.
        linked: recordings outside the folder that links lead to.
        left_out: recordings that ``limit`` left out; they are in no other count.
        own: corpora of the user's own tables and descriptions.
        cards: corpus -> what a manifest keeps of its card, of those in ``files``.
    """

    table: pa.Table = field(default_factory=DESCRIBED.empty_table)
    rejects: list[Reject] = field(default_factory=list)
    missing: list[MissingAudio] = field(default_factory=list)
    problems: list[TableProblem] = field(default_factory=list)
    files: Counter[str] = field(default_factory=Counter)
    half_there: tuple[str, ...] = ()
    synthetic: tuple[str, ...] = ()
    left_out: int = 0
    linked: tuple[str, ...] = ()
    own: tuple[str, ...] = ()
    cards: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    @property
    def unnamed(self) -> pa.Table:
        """The rejects as a table, columns ``REJECT_SCHEMA``."""
        rows = [(each.corpus, str(each.path), each.reason) for each in self.rejects]
        columns = list(map(list, zip(*rows, strict=True))) or [[], [], []]
        return pa.table(columns, schema=REJECT_SCHEMA)


def scan_corpora(
    data: Path,
    *,
    corpora: Modules,
    limit: int | None = None,
    find: Find | None = None,
    follow_links: bool = True,
) -> Scanned:
    """Read names, folders and tables of every corpus below ``data``; opens no recording.

    Args:
        data: folder that holds the corpora.
        corpora: corpus id -> module or description.
        limit: take this many recordings of each corpus, by a fixed random choice.
        find: gives each recording below ``data`` to one corpus; by their names and folders by default.
        follow_links: take recordings outside ``data`` that links lead to; else they become rejects.

    Raises:
        CorpusError: ``data`` holds no corpus, or a folder cannot be listed.
        ManifestError: a corpus module does not account for every recording.
    """
    discovery = discover(data, corpora) if find is None else find(data)
    scanned = Scanned(half_there=discovery.half_there)
    choice = _choice(discovery, limit)
    batches: list[pa.RecordBatch] = []
    with tables_of(data, {found.root for found in discovery.found}) as tables:
        scanned.synthetic = _synthetic(tables, discovery)
        for found in discovery.found:
            records = corpora[found.corpus].scan(tables / found.root, found.files)
            kept = _kept(_one_for_each(found, records, scanned), found.corpus, choice, scanned)
            while chunk := list(islice(kept, BATCH)):
                batches.append(_sorted_out(chunk, found.root, scanned))
    strays = list(_kept(iter(discovery.rejects()), UNKNOWN, choice, scanned))
    _sorted_out(strays, PurePosixPath(), scanned)
    scanned.table = pa.Table.from_batches(batches, DESCRIBED)
    scanned.own = tuple(name for name in scanned.files if getattr(corpora.get(name), "own", False))
    scanned.cards = card_facts(corpora, scanned.files)
    scanned.linked = tuple(leading_out(data, pc.unique(scanned.table["path"]).to_pylist()))
    if not follow_links:
        _refuse_links(scanned)
    return scanned


def _refuse_links(scanned: Scanned) -> None:
    """Turn recordings outside the folder that links lead to into rejects; nothing reads them."""
    out = pc.is_in(scanned.table["path"], pa.array(scanned.linked, pa.string()))
    refused = scanned.table.filter(out).select(["corpus", "path"]).to_pylist()
    reason = "a link that leads out of the data folder, which --no-follow-links does not follow"
    scanned.rejects += [Reject(row["corpus"], PurePosixPath(row["path"]), reason) for row in refused]
    scanned.table = scanned.table.filter(pc.invert(out))
    scanned.linked = ()


def _synthetic(data: Path, discovery: Discovery) -> tuple[str, ...]:
    """Corpora with a mark in a folder that holds recordings of theirs, or in one around it."""
    marked = set()
    for found in discovery.found:
        inside = {
            folder for file in {path.parent for path in found.files} for folder in (file, *file.parents)
        }
        folders = {*(found.root / folder for folder in inside), *found.root.parents, found.root}
        if any((data / folder / SYNTHETIC_MARK).is_file() for folder in folders):
            marked.add(found.corpus)
    return tuple(sorted(marked))


def _choice(discovery: Discovery, limit: int | None) -> dict[str, Iterator[bool]]:
    """Corpus -> whether each of its recordings is taken, in path order; empty takes all."""
    if limit is None:
        return {}
    totals = Counter({UNKNOWN: len(discovery.strays)})
    for found in discovery.found:
        totals[found.corpus] += len(found.files)
    choice = {}
    for corpus, total in totals.items():
        taken = np.zeros(total, bool)
        taken[np.random.default_rng(0).permutation(total)[:limit]] = True
        choice[corpus] = iter(taken.tolist())
    return choice


def _kept(
    records: Iterator[Utterance | Reject],
    corpus: str,
    choice: Mapping[str, Iterator[bool]],
    scanned: Scanned,
) -> Iterator[Utterance | Reject]:
    taken = choice.get(corpus)
    last, take = None, True
    for record in records:
        if taken is not None and record.path != last:  # a recording is taken with all its segments
            last, take = record.path, next(taken)
        if take:
            scanned.files[corpus] += 1
            yield record
        else:
            scanned.left_out += 1


def _one_for_each(found: Found, records: Iterator[Record], scanned: Scanned) -> Iterator[Utterance | Reject]:
    """Pass on the rows and rejects, one per recording or segment of it; put remarks on tables aside."""
    files, last = iter(found.files), None
    expected = next(files, None)
    for record in records:
        if isinstance(record, MissingAudio):
            scanned.missing.append(record)
        elif isinstance(record, TableProblem):
            scanned.problems.append(record)
        else:
            if record.path is expected or record.path == expected:
                last, expected = expected, next(files, None)
            elif record.path != last or not _is_part(record):
                raise ManifestError(_unaccounted(found, expected, record.path))
            yield record
    if expected is not None:
        raise ManifestError(_unaccounted(found, expected, None))


def _is_part(record: Utterance | Reject) -> bool:
    """Whether a record may follow another one of the same file."""
    return isinstance(record, Reject) or record.segment is not None


def _unaccounted(found: Found, expected: PurePosixPath | None, got: PurePosixPath | None) -> str:
    return (
        f"{found.corpus}: scan of {found.root} must yield one row or reject per recording, in path order; "
        f"it yielded {got or 'nothing'} instead of {expected or 'nothing'}"
    )


def _sorted_out(chunk: Iterable[Utterance | Reject], root: PurePosixPath, scanned: Scanned) -> pa.RecordBatch:
    """Turn utterances into a batch, and put rejects aside with paths relative to the data folder."""
    prefix = "" if root == PurePosixPath() else f"{root}/"
    rows: list[Utterance] = []
    paths: list[str] = []
    for record in chunk:
        path = f"{prefix}{record.path}"
        if isinstance(record, Reject):
            found = Reject(record.corpus, PurePosixPath(path), record.reason)
            scanned.rejects.append(_printable_reject(found))
        elif not path.isascii() and printable(path) != path:
            found = Reject(record.corpus, PurePosixPath(path), "name is not UTF-8; rename the file")
            scanned.rejects.append(_printable_reject(found))
        elif re.search(OUTSIDE, path):
            reason = "its path leads out of the data folder, or begins as a drive of Windows does; rename it"
            scanned.rejects.append(Reject(record.corpus, PurePosixPath(path), reason))
        else:
            rows.append(record)
            paths.append(path)
    return batch_of(rows, paths)


def _printable_reject(reject: Reject) -> Reject:
    return Reject(reject.corpus, PurePosixPath(printable(str(reject.path))), printable(reject.reason))


def batch_of(rows: list[Utterance], paths: list[str]) -> pa.RecordBatch:
    """Columns ``DESCRIBED`` of some utterances.

    Args:
        rows: of one corpus.
        paths: relative to the data folder, one per row.

    Raises:
        LabelError: an emotion is not in the vocabulary.
        ManifestError: a field holds what its column cannot.
    """
    identities = {name: emotion_id(name) for name in {row.emotion for row in rows}}
    columns: dict[str, list[Any]] = {
        "utterance_id": [row.utterance_id for row in rows],
        "path": paths,
        "emotion_id": [identities[row.emotion] for row in rows],
        "votes": [_votes(row.votes) for row in rows],
    }
    for name in DESCRIBED.names:
        if name not in _MADE:
            columns[name] = [getattr(row, name) for row in rows]
    arrays = [_array(columns[column.name], column, rows) for column in DESCRIBED]
    return pa.record_batch(arrays, schema=DESCRIBED)


def _votes(votes: Mapping[str, int]) -> list[tuple[int, int]] | None:
    return sorted((emotion_id(name), count) for name, count in votes.items()) or None


def _array(values: list[Any], column: pa.Field, rows: list[Utterance]) -> pa.Array:
    try:
        return pa.array(values, column.type)
    except (pa.ArrowException, TypeError, OverflowError, UnicodeEncodeError) as error:
        raise ManifestError(
            f"{rows[0].corpus}: a row's {column.name} does not fit {column.type}: {error}"
        ) from None


def filter_rows(
    described: pa.Table, probes: pa.Table, *, decoded: bool
) -> tuple[pa.Table, pa.Table, list[str]]:
    """Split recordings into rows of the manifest and rejects.

    Args:
        described: what the corpora say, one row per recording.
        probes: what reading found, in the same order.
        decoded: what decoding found counts too.

    Returns:
        Columns ``SCHEMA``, sorted by ``utterance_id``, columns ``REJECT_SCHEMA``, and lines on rows that
        overlap.
    """
    files = probes["digest"]
    probes = measure(described, probes)
    problem = probes["problem"]
    if decoded:
        problem = pc.coalesce(problem, probes["decode_problem"], probes["wave_problem"])
    else:  # a plain build says the same, whatever an earlier one has decoded
        place = probes.schema.get_field_index("channel")
        probes = probes.set_column(place, "channel", pa.nulls(len(probes), pa.int16()))
    usable = problem.is_null()
    bad = pc.invert(usable)
    rejects = [_rejects(described.filter(bad), problem.filter(bad))]
    measured = _measured(described, probes).append_column("file", files)
    rows = in_order(measured.filter(usable), BY_ID)
    rows, same_id = _without_repeated_ids(rows)
    rows, same_audio = _without_repeated_audio(rows)
    rows, overlaps = with_sessions(rows)
    return rows, pa.concat_tables([*rejects, same_id, same_audio]), overlaps


def in_order(table: pa.Table, keys: list[tuple[str, str]]) -> pa.Table:
    """Sort rows on this thread; ``Table.sort_by`` starts others, which may outlive Python's end."""
    return table.take(pc.sort_indices(table, keys))


def _measured(described: pa.Table, probes: pa.Table) -> pa.Table:
    measured = {
        "audio_digest": probes["digest"],
        "duration_s": probes["duration_s"],
        "sample_rate": probes["sample_rate"],
        "channels": probes["channels"],
        "decoder": pc.if_else(
            pc.equal(probes["decoder"], ""), pa.scalar(None, pa.string()), probes["decoder"]
        ),
        "channel": probes["channel"],
        "start_s": probes["start_s"],
        "end_s": probes["end_s"],
    }
    columns = [measured[name] if name in measured else described[name] for name in SCHEMA.names]
    return pa.table(columns, schema=SCHEMA)


def _rejects(rows: pa.Table, reasons: Any) -> pa.Table:
    return pa.table([rows["corpus"], rows["path"], reasons], schema=REJECT_SCHEMA)


def _firsts(values: pa.ChunkedArray) -> Int64s:
    """Position of the first of each run of equal values, for every value of a sorted column."""
    positions = np.arange(len(values))
    if len(values) < 2:
        return positions
    starts = np.ones(len(values), bool)
    starts[1:] = pc.not_equal(values.slice(1), values.slice(0, len(values) - 1)).to_numpy()
    return np.maximum.accumulate(np.where(starts, positions, 0))


def _without_repeated_ids(rows: pa.Table) -> tuple[pa.Table, pa.Table]:
    """Keep the first file, in path order, of those that are the same official recording."""
    first = _firsts(rows["utterance_id"])
    again = first != np.arange(len(first))
    repeated = rows.filter(pa.array(again))
    keepers = rows["path"].take(pa.array(first[again])).to_pylist()
    reasons = [
        f"duplicate id: {keeper!r} is {identity!r}, too"
        for keeper, identity in zip(keepers, repeated["utterance_id"].to_pylist(), strict=True)
    ]
    return rows.filter(pa.array(~again)), _rejects(repeated, pa.array(reasons, pa.string()))


def _without_repeated_audio(rows: pa.Table) -> tuple[pa.Table, pa.Table]:
    """Keep the first, by utterance id, of recordings that are the same bytes."""
    order = pc.sort_indices(rows.select(["audio_digest", "utterance_id"]), BY_DIGEST).to_numpy()
    first = _firsts(rows["audio_digest"].take(pa.array(order)))
    again = first != np.arange(len(first))
    lost, kept = order[again], order[first[again]]
    by_place = np.argsort(lost)
    lost, kept = lost[by_place], kept[by_place]
    repeated, keepers = rows.take(pa.array(lost)), rows.take(pa.array(kept))
    keep = np.ones(rows.num_rows, bool)
    keep[lost] = False
    reasons = pa.array(_same_audio(repeated, keepers), pa.string())
    return rows.filter(pa.array(keep)), _rejects(repeated, reasons)


def _same_audio(repeated: pa.Table, keepers: pa.Table) -> list[str]:
    reasons = []
    for identity, keeper, own, other in zip(
        repeated["utterance_id"].to_pylist(),
        keepers["utterance_id"].to_pylist(),
        repeated["emotion_id"].to_pylist(),
        keepers["emotion_id"].to_pylist(),
        strict=True,
    ):
        reason = f"duplicate audio: {identity!r} has the same bytes as {keeper!r}"
        if own != other:
            reason += f"; labelled {emotion_name(own)!r} here, {emotion_name(other)!r} there"
        reasons.append(reason)
    return reasons
