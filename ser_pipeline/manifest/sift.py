"""Tell usable recordings from the others: each gets a row or a reject with its reason."""

from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ser_pipeline.labels import emotion_name
from ser_pipeline.manifest.arrays import Ints
from ser_pipeline.manifest.schema import REJECT_SCHEMA, SCHEMA

BY_ID: Final = [("utterance_id", "ascending"), ("path", "ascending")]
BY_DIGEST: Final = [("audio_digest", "ascending"), ("utterance_id", "ascending")]


def sift(described: pa.Table, probes: pa.Table, *, decoded: bool) -> tuple[pa.Table, pa.Table]:
    """Split recordings into rows of the manifest and rejects.

    Args:
        described: what the corpora say, one row per recording.
        probes: what reading found, in the same order.
        decoded: what decoding found counts too.

    Returns:
        Columns ``SCHEMA``, sorted by ``utterance_id``, and columns ``REJECT_SCHEMA``.
    """
    problem = probes["problem"]
    if decoded:
        problem = pc.coalesce(problem, probes["decode_problem"])
    usable = problem.is_null()
    bad = pc.invert(usable)
    rejects = [_rejects(described.filter(bad), problem.filter(bad))]
    rows = in_order(_measured(described, probes).filter(usable), BY_ID)
    rows, same_id = _without_repeated_ids(rows)
    rows, same_audio = _without_repeated_audio(rows)
    return rows, pa.concat_tables([*rejects, same_id, same_audio])


def in_order(table: pa.Table, keys: list[tuple[str, str]]) -> pa.Table:
    """Sort rows on this thread; ``Table.sort_by`` starts others, which may outlive Python's end."""
    return table.take(pc.sort_indices(table, keys))


def _measured(described: pa.Table, probes: pa.Table) -> pa.Table:
    measured = {
        "audio_digest": probes["digest"],
        "duration_s": probes["duration_s"],
        "sample_rate": probes["sample_rate"],
        "channels": probes["channels"],
    }
    columns = [measured[name] if name in measured else described[name] for name in SCHEMA.names]
    return pa.table(columns, schema=SCHEMA)


def _rejects(rows: pa.Table, reasons: Any) -> pa.Table:
    return pa.table([rows["corpus"], rows["path"], reasons], schema=REJECT_SCHEMA)


def _firsts(values: pa.ChunkedArray) -> Ints:
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
        f"duplicate id: {keeper} is {identity} too"
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
        labels = f"; labelled {emotion_name(own)} here, {emotion_name(other)} there" if own != other else ""
        reasons.append(f"duplicate audio: {identity} is the same bytes as {keeper}{labels}")
    return reasons
