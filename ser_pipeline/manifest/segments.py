"""Segments of longer recordings: what is measured of them, and why one can't be used.

A row with bounds is a part of its file. Bounds are seconds, to the millisecond. Its digest is that of
the file's bytes and the bounds, so that two parts of one recording differ and the same part of two
copies of it is the same audio. An end may lie up to 10 ms beyond the recording, as rounding leaves it.
A segment that leaves out no more than that at either end is its whole recording: a row without bounds.
"""

import math
from itertools import repeat
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ser_pipeline.arrays import Float64s, Int64s
from ser_pipeline.errors import some
from ser_pipeline.manifest.read import codes
from ser_pipeline.records import MIN_CLIP_S, Segment, part_of
from ser_pipeline.tables.cells import plural

SLACK_S: Final = 0.01
"""An end this far beyond the recording is taken for its end, and segments may overlap by as much."""

_NAMED: Final = 1 << 16
"""Rows that are named at once."""

_MEASURED: Final = ("digest", "lead", "duration_s", "problem", "wave_problem", "channel")


def segments_of(table: pa.Table) -> list[Segment | None]:
    """The segment that each row of a manifest is; None for a row that is its whole recording.

    Args:
        table: a manifest's; one without the columns ``start_s`` and ``end_s`` has no segments.
    """
    if not _has_segments(table):
        return [None] * table.num_rows
    bounds = (table[name].to_pylist() for name in ("start_s", "end_s"))
    return [Segment.of(start, end) for start, end in zip(*bounds, strict=True)]


def names_of(table: pa.Table) -> pa.ChunkedArray:
    """Path of each row of a manifest, with its bounds where it is a segment."""
    if not _has_segments(table):
        return table["path"]
    return pa.chunked_array(
        [
            [*map(part_of, part["path"].to_pylist(), segments_of(part))]
            for part in map(table.slice, range(0, len(table), _NAMED), repeat(_NAMED))
        ],
        pa.string(),
    )


def _has_segments(table: pa.Table) -> bool:
    """Whether a row has bounds."""
    there = {"start_s", "end_s"} <= {*table.column_names}
    return there and any(table[name].null_count < len(table) for name in ("start_s", "end_s"))


def measure(described: pa.Table, probes: pa.Table) -> pa.Table:
    """What was read of recordings, with that of its part of the recording for each row that is a segment.

    Args:
        described: what the corpora say; the bounds of segments are looked at.
        probes: what reading found of the rows' files, in the same order.

    Returns:
        ``probes`` with the digest, duration and problems of each row, and its ``start_s`` and ``end_s``.
    """
    bounds = segments_of(described)
    rows = [row for row, segment in enumerate(bounds) if segment]
    values = {name: probes[name].to_pylist() for name in _MEASURED} if rows else {}
    starts: list[float | None] = [None] * len(bounds)
    ends = starts.copy()
    for row in rows:
        whole_s, problem = values["duration_s"][row], values["problem"][row]
        start_s, end_s, odd = _heard(bounds[row], whole_s)
        if odd is None and start_s <= SLACK_S and end_s >= whole_s - SLACK_S:
            continue  # the recording itself
        values["wave_problem"][row] = values["channel"][row] = (
            None  # of the recording, not of this part of it
        )
        if problem is None:
            values["problem"][row] = odd
            starts[row], ends[row], values["duration_s"][row] = start_s, end_s, round(end_s - start_s, 3)
            whole, lead = values["digest"][row], values["lead"][row]
            values["digest"][row] = Segment(start_s, end_s).digest(whole, lead)
    for name, column in values.items():
        place = probes.schema.get_field_index(name)
        probes = probes.set_column(place, name, pa.array(column, probes.schema.field(name).type))
    for name, column in {"start_s": starts, "end_s": ends}.items():
        probes = probes.append_column(name, pa.array(column, pa.float64()))
    return probes


def _heard(segment: Segment | None, whole_s: float) -> tuple[float, float, str | None]:
    """Bounds of a segment of a recording of ``whole_s`` seconds, and why it can't be used."""
    start_s, end_s = segment or (0.0, None)
    end_s = whole_s if end_s is None else end_s
    heard_s = round(min(end_s, whole_s), 3)
    length = f"its recording is {whole_s:.3f} s long"
    if not math.isfinite(start_s) or not math.isfinite(end_s):
        why = f"a bound is not a number of seconds; {length}"
    elif start_s < 0:
        why = f"it begins before its recording; {length}"
    elif start_s >= whole_s:
        why = f"it begins after its recording has ended; {length}"
    elif end_s <= start_s:
        why = f"its end does not come after its start; {length}"
    elif end_s > whole_s + SLACK_S:
        why = f"it ends after its recording; {length}"
    elif round(heard_s - start_s, 3) < MIN_CLIP_S:
        why = f"too short: {heard_s - start_s:.3f} s; at least {MIN_CLIP_S} s are needed"
    else:
        return start_s, heard_s, None
    return start_s, heard_s, f"segment {segment} s: {why}"


def with_sessions(rows: pa.Table) -> tuple[pa.Table, list[str]]:
    """Make each recording in which people are heard at once a session, where the corpus gives none.

    Otherwise a split by speaker would have the same sound on both sides. A recording is heard in its copies,
    too, also in those of another corpus: then a slash begins the session's name, which holds in all corpora.

    Args:
        rows: columns of a manifest, and ``file``, the digest of all of the recording.

    Returns:
        The rows without ``file``, and lines on those that overlap. They are usable: listeners rate windows
        that overlap, too.
    """
    cut = rows["file"].filter(rows["start_s"].is_valid())
    heard = rows.filter(pc.is_in(rows["file"], pc.unique(cut)))
    crossed = _crossed(heard)
    lines = _overlaps(heard, sorted(crossed.values()))
    kept = rows.drop_columns(["file"])
    if not crossed:
        return kept, lines
    alone = rows["session_id"].is_null()
    taken = pc.and_(alone, pc.is_in(rows["file"], pa.array(crossed, pa.string())))
    place = kept.schema.get_field_index("session_id")
    sessions = pc.if_else(taken, _recordings(rows), rows["session_id"])
    return kept.set_column(place, kept.schema.field(place), sessions), lines


def _overlaps(heard: pa.Table, crossed: list[str]) -> list[str]:
    """Lines on rows that overlap an earlier one of the same recording, by the same speaker or by another."""
    earlier, later = _overlapping(heard, "file", "speaker_id")
    lines = []
    if len(later):
        names = heard["utterance_id"]
        found = [f"{names[two]} overlaps {names[one]}" for one, two in zip(earlier, later, strict=True)]
        lines.append(
            f"{plural(len(found), 'segment')} and an earlier one by the same speaker overlap, so a split by "
            f"clip would have the same sound on both sides: {some(found, show=1)}"
        )
    if crossed:
        many = plural(len(crossed), "recording")
        lines.append(
            f"in {many}, segments of different speakers overlap; splits by speaker keep these together, as "
            f"people of one session: {some(crossed, show=1)}"
        )
    return lines


def _crossed(heard: pa.Table) -> dict[str, str]:
    """Digest of each recording in which rows of different speakers overlap -> a path of it."""
    earlier, later = _overlapping(heard, "file")
    speakers = codes(heard["speaker_id"]).of
    found = heard.take(pa.array(later[speakers[earlier] != speakers[later]]))
    return dict(zip(found["file"].to_pylist(), found["path"].to_pylist(), strict=True))


def _recordings(rows: pa.Table) -> pa.Array:
    """Name of the recording of each row: its first id, without bounds; without the corpus if it is in one."""
    files, corpora = codes(rows["file"]), codes(rows["corpus"])
    first = np.unique(files.of, return_index=True)[1]
    count = len(corpora.names)
    shared = np.bincount(np.unique(files.of * count + corpora.of) // count) > 1
    ids = rows["utterance_id"].take(pa.array(first)).combine_chunks()
    ids = pc.replace_substring_regex(ids, r"#\d+\.\d{3}-(end|\d+\.\d{3})$", "")
    own, everywhere = (pc.replace_substring_regex(ids, *how) for how in ((r"^[^/]*/", ""), (r"^", "/")))
    return pc.if_else(pa.array(shared), everywhere, own).take(pa.array(files.of))


def _overlapping(heard: pa.Table, *same: str) -> tuple[Int64s, Int64s]:
    """Overlapping rows that are alike in some columns, in order of time; one without bounds is all it is of.

    Returns:
        Of each pair, the one that ends last so far, and the one that begins before that.
    """
    if not heard.num_rows:
        return np.empty(0, np.int64), np.empty(0, np.int64)
    bounds = (pc.coalesce(heard["start_s"], 0.0), pc.coalesce(heard["end_s"], heard["duration_s"]))
    starts, ends = (np.rint(1000 * bound.to_numpy()).astype(np.int64) for bound in bounds)
    order = np.lexsort((starts, *(codes(heard[name]).of for name in same)))
    alike = np.stack([codes(heard[name]).of[order] for name in same])
    group = np.concatenate([[0], (np.diff(alike) != 0).any(axis=0).cumsum()])
    apart = group * (ends.max() + 1)  # later than all of the groups before
    starts, ends = starts[order] + apart, ends[order] + apart
    latest = np.maximum.accumulate(ends)
    rises = np.concatenate([[True], ends[1:] > latest[:-1]])
    last = np.maximum.accumulate(np.where(rises, np.arange(len(ends)), 0))
    met = starts[1:] < latest[:-1] - round(1000 * SLACK_S)
    return order[last[:-1][met]], order[1:][met]


def bounds_fit(table: pa.Table) -> pa.Array:
    """Whether the bounds of each row are both there, in order, and give its duration; null without bounds."""
    starts, ends = table["start_s"], table["end_s"]
    none = pc.and_(starts.is_null(), ends.is_null())
    length: Float64s = pc.subtract(ends, starts).to_numpy(zero_copy_only=False)
    off = np.abs(length - table["duration_s"].to_numpy())
    fits = pa.array(off < 1e-6)  # also false where a bound is missing
    return pc.if_else(none, None, fits)
