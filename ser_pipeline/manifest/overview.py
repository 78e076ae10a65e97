"""What a manifest holds, counted by corpus, language, emotion or another column."""

from collections.abc import Mapping
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ser_pipeline.corpora import CORPORA
from ser_pipeline.errors import ManifestError
from ser_pipeline.manifest.people import codes
from ser_pipeline.manifest.schema import EMOTION_NAMES

GROUPS: Final = ("corpus", "language", "emotion", "speaker", "gender", "intensity", "modality", "style")
"""What can be counted by; the first three are shown by default."""

SHOWN: Final = GROUPS[:3]

COLUMNS: Final = (
    "corpus", "audio_digest", "emotion_id", "speaker_id", "gender", "intensity", "language", "modality",
    "style", "duration_s",
)  # fmt: skip
"""Columns of the manifest that are needed for it."""

Cell = str | int | float | None


def overview(table: pa.Table, by: str) -> tuple[list[str], list[list[Cell]]]:
    """Count clips, speakers, hours and classes of each group.

    Args:
        table: rows of the manifest, with ``COLUMNS``.
        by: one of ``GROUPS``.

    Returns:
        Headings, and one row per group; emotions and corpora in their usual order.

    Raises:
        ManifestError: no such group.
    """
    if by not in GROUPS:
        raise ManifestError(f"--by {by} does not exist; valid are {', '.join(GROUPS)}")
    groups = codes(_names(table, by))
    places = table["emotion_id"].to_numpy() % len(EMOTION_NAMES)  # `other` comes last
    emotions, emotion = np.unique(places, return_inverse=True)
    n_groups = len(groups.names)
    classes = np.bincount(groups.of * len(emotions) + emotion, minlength=n_groups * len(emotions))
    speakers = codes(table["speaker_id"])
    heard = np.unique(groups.of * max(1, len(speakers.names)) + speakers.of) // max(1, len(speakers.names))
    columns = {
        "clips": np.bincount(groups.of, minlength=n_groups),
        "speakers": np.bincount(heard, minlength=n_groups),
        "hours": (np.bincount(groups.of, table["duration_s"].to_numpy(), n_groups) / 3600).round(3),
    }
    heads = [by, *columns]
    names = [] if by == "emotion" else [EMOTION_NAMES[number] for number in emotions]
    if by == "corpus":
        heads.append("published")
    rows: list[list[Cell]] = []
    for number in _order(groups.names, by):
        row: list[Cell] = [groups.names[number], *(column[number].item() for column in columns.values())]
        if by == "corpus":
            row.append(published_clips(groups.names[number]))
        if names:
            row += classes.reshape(n_groups, -1)[number].tolist()
        rows.append(row)
    return heads + names, rows


def combined(tables: Mapping[str, tuple[list[str], list[list[Cell]]]]) -> tuple[list[str], list[list[Cell]]]:
    """Put several overviews into one table, for JSON and CSV.

    Args:
        tables: what is counted by -> its overview.

    Returns:
        Headings ``by``, ``name`` and all others; a cell that a table lacks is None.
    """
    heads = list(dict.fromkeys(head for columns, _ in tables.values() for head in columns[1:]))
    rows: list[list[Cell]] = []
    for by, (columns, lines) in tables.items():
        for line in lines:
            cells = dict(zip(columns[1:], line[1:], strict=True))
            rows.append([by, line[0], *(cells.get(head) for head in heads)])
    return ["by", "name", *heads], rows


def published_clips(corpus: str) -> int | None:
    """Recordings of the complete corpus; None for one that is not shipped."""
    return CORPORA[corpus].CARD.clips if corpus in CORPORA else None


def _names(table: pa.Table, by: str) -> pa.ChunkedArray:
    if by == "emotion":
        ids = table["emotion_id"]
        known = pc.unique(ids)
        names = pa.array([EMOTION_NAMES[number] for number in known.to_pylist()], pa.string())
        return pa.chunked_array([names.take(pc.index_in(ids.combine_chunks(), known))])
    return table["speaker_id" if by == "speaker" else by]


def _order(names: tuple[str, ...], by: str) -> list[int]:
    """Positions of names: emotions by id, shipped corpora as they are listed, all else sorted."""
    usual = {"emotion": EMOTION_NAMES, "corpus": list(CORPORA)}
    rank = {name: place for place, name in enumerate(usual.get(by, []))}
    return sorted(range(len(names)), key=lambda number: (rank.get(names[number], len(rank)), names[number]))
