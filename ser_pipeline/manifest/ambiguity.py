"""How far listeners agree about recordings: votes and agreement by corpus and emotion."""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pyarrow as pa

from ser_pipeline.arrays import Bools, Float64s, Int64s
from ser_pipeline.errors import some
from ser_pipeline.manifest.read import Manifest, codes
from ser_pipeline.manifest.schema import EMOTION_NAMES
from ser_pipeline.tables import Table, table_of

COLUMNS: Final = ("corpus", "emotion_id", "votes", "agreement")
"""Columns of the manifest that are looked at."""

ALL: Final = "all"
"""Stands for all emotions of a corpus."""


@dataclass(frozen=True)
class Ambiguity:
    """How far listeners agree about some recordings of a corpus.

    Attributes:
        corpus: corpus id.
        emotion: that the recordings are labelled with, or ``all``.
        clips: recordings.
        voted: recordings with votes.
        agreement: mean agreement in [0, 1]; None where none is known.
        majority: share of the recordings with votes for which more than half of the votes name one emotion,
            no matter which; None without votes, like all that follows.
        label: share of all votes that name the recording's own emotion.
        entropy: mean entropy of a recording's votes in bits; 0 is one voice.
        confused: the other emotion that is named most often, and its share of all votes; None where nobody
            names another one.
    """

    corpus: str
    emotion: str
    clips: int
    voted: int
    agreement: float | None
    majority: float | None = None
    label: float | None = None
    entropy: float | None = None
    confused: tuple[str, float] | None = None


def vote_cells(votes: pa.ChunkedArray) -> tuple[Int64s, Int64s, Float64s]:
    """Take the vote column apart: clip number, emotion id and number of raters of each entry."""
    flat = pa.concat_arrays(list(votes.chunks) or [pa.array([], votes.type)])
    lengths = np.diff(flat.offsets.to_numpy())
    clip = np.repeat(np.arange(len(flat)), lengths)
    span = slice(flat.offsets[0].as_py(), flat.offsets[-1].as_py())
    return (
        clip,
        np.asarray(flat.keys.to_numpy(zero_copy_only=False), np.int64)[span],
        np.asarray(flat.items.to_numpy(zero_copy_only=False), np.float64)[span],
    )


def ambiguities(manifest: Manifest) -> list[Ambiguity]:
    """Say how far listeners agree, for each corpus that has votes or agreement, and each emotion of it.

    Args:
        manifest: has at least :data:`COLUMNS`.

    Returns:
        Corpora in their usual order; of each all its emotions together, then each of them.
    """
    table = manifest.table
    clip, identity, count = vote_cells(table["votes"])
    votes = np.zeros((len(table), len(EMOTION_NAMES)))
    np.add.at(votes, (clip, identity % len(EMOTION_NAMES)), count)  # `other` comes last
    agreement = np.asarray(table["agreement"].to_numpy(zero_copy_only=False), np.float64)
    own = table["emotion_id"].to_numpy().astype(np.int64) % len(EMOTION_NAMES)
    corpora = codes(table["corpus"])
    found = []
    for corpus in _names(manifest):
        here = corpora.of == corpora.names.index(corpus)
        if not votes[here].any() and np.isnan(agreement[here]).all():
            continue
        found.append(_ambiguity(corpus, ALL, votes, agreement, own, here))
        for emotion in np.unique(own[here]).tolist():
            rows = here & (own == emotion)
            found.append(_ambiguity(corpus, EMOTION_NAMES[emotion], votes, agreement, own, rows))
    return found


def _ambiguity(
    corpus: str, emotion: str, votes: Float64s, agreement: Float64s, own: Int64s, rows: Bools
) -> Ambiguity:
    known = agreement[rows & ~np.isnan(agreement)]
    rated = rows & votes.any(1)
    clips, voted = int(rows.sum()), int(rated.sum())
    mean = float(known.mean()) if len(known) else None
    if not voted:
        return Ambiguity(corpus, emotion, clips, 0, mean)
    shares = votes[rated] / votes[rated].sum(1, keepdims=True)
    bits = np.log2(shares, out=np.zeros_like(shares), where=shares > 0)
    total, mine = votes[rated].sum(), own[rated]
    heard = votes[rated].copy()
    label = heard[np.arange(voted), mine].sum() / total
    heard[np.arange(voted), mine] = 0
    other = int(heard.sum(0).argmax())
    named = float(heard.sum(0)[other] / total)
    return Ambiguity(
        corpus,
        emotion,
        clips,
        voted,
        mean,
        majority=float((shares.max(1) > 0.5).mean()),
        label=float(label),
        entropy=max(0.0, float(-(shares * bits).sum(1).mean())),
        confused=(EMOTION_NAMES[other], named) if named else None,
    )


def ambiguity_table(manifest: Manifest, *, each_emotion: bool = True) -> tuple[Table, list[str]]:
    """Lay :func:`ambiguities` out.

    Args:
        manifest: has at least :data:`COLUMNS`.
        each_emotion: with rows of each emotion and all columns; without, each corpus has one row, and the
            columns are those that fit a narrow screen.

    Returns:
        The table, shares in [0, 1]; and sentences on the corpora that have no votes.
    """
    found = ambiguities(manifest)
    rows: list[dict[str, Any]] = [
        {
            "corpus": each.corpus,
            **({"emotion": each.emotion} if each_emotion else {}),
            "clips": each.clips,
            "with votes": each.voted,
            "agreement": each.agreement,
            "majority": each.majority,
            "votes for label": each.label,
            **({"entropy (bits)": each.entropy} if each_emotion else {}),
            "taken for": each.confused and each.confused[0],
            "votes for it": each.confused and each.confused[1],
        }
        for each in found
        if each_emotion or each.emotion == ALL
    ]
    columns = [*rows[0]] if rows else ["corpus"]
    table = table_of("how far listeners agree", columns, [[*row.values()] for row in rows])
    voted = {each.corpus for each in found if each.voted}
    rated = [each.corpus for each in found if each.emotion == ALL and each.corpus not in voted]
    silent = [name for name in _names(manifest) if name not in {each.corpus for each in found}]
    notes = []
    if rated:
        notes.append(f"only the agreement of listeners is known, and no votes, for {some(rated)}")
    if silent:
        notes.append(f"neither votes nor agreement of listeners are known for {some(silent)}")
    return table, notes


def _names(manifest: Manifest) -> list[str]:
    return manifest.corpora.order(manifest.table["corpus"].unique().to_pylist())
