"""Importance of each input, layer and pooling for the decisions of a run on embeddings."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import get_args

import numpy as np

from ser_pipeline.arrays import Int64s, Strings
from ser_pipeline.evaluation import explain_tables as tables
from ser_pipeline.evaluation.explain_tables import Named, RunClips
from ser_pipeline.front_end import vector_names
from ser_pipeline.metrics import confusion_matrix, uar
from ser_pipeline.metrics.importance import Importance, decide, permutation_importance
from ser_pipeline.options import EmbeddingOptions, ModelInputs, parts_of, sequence_of
from ser_pipeline.runs.explanation import InputImportance, ShareKind, Shares, ShareTable

MAX_ROWS = 2_048
"""Clips in one call of the model: 75 MB of three layers with three poolings of whisper-base."""


@dataclass(frozen=True)
class Piece:
    """Numbers of a model's input that belong together.

    Attributes:
        kind: of the piece.
        name: of the piece.
        columns: of the input, or of each of its steps.
        span: beginning and end among the clip's steps, as shares of them.
        weight: that a probe gives a layer.
    """

    kind: ShareKind
    name: str
    columns: Int64s
    span: tuple[float, float] = (0.0, 1.0)
    weight: float | None = None


def pieces_of(inputs: ModelInputs, features: Sequence[Named]) -> list[Piece]:
    """What a model's input consists of, from whole inputs to a pooling of one layer.

    Args:
        inputs: as the model's card holds them.
        features: of the columns; those of an encoder need no group. What is pooled of mels or frames is one
            piece.

    Examples:
        >>> inputs = EmbeddingOptions(layers=(2, 3), pooling=("mean", "std"), width=2)
        >>> [piece.name for piece in pieces_of(inputs, ())]
        ['layer 2', 'layer 3', 'mean', 'std',
         'layer 2, mean', 'layer 2, std', 'layer 3, mean', 'layer 3, std']
    """
    parts, found, start = parts_of(inputs), list[Piece](), 0
    steps = sequence_of(inputs)
    for part in parts:
        width = len(features) - len(vector_names(inputs)) if part is steps else len(vector_names(part))
        columns = np.arange(start, start + width)
        start += len(columns)
        name = part.name if isinstance(part, EmbeddingOptions) else part.kind
        before = f"{name}, " if len(parts) > 1 else ""
        if before:
            found.append(Piece("input", name, columns))
        if part is steps:
            continue
        if isinstance(part, EmbeddingOptions):
            found += _pieces_of_encoder(part, columns, before)
        else:
            found += _groups(features, columns, before)
    return sorted(found, key=lambda piece: get_args(ShareKind).index(piece.kind))


def _pieces_of_encoder(part: EmbeddingOptions, columns: Int64s, before: str) -> Iterator[Piece]:
    grid = columns.reshape(len(part.layers), len(part.pooling), -1)
    for at, layer in enumerate(part.layers):
        yield Piece("layer", f"{before}layer {layer}", grid[at].ravel())
    if len(part.pooling) == 1:
        return
    for at, pooling in enumerate(part.pooling):
        yield Piece("pooling", f"{before}{pooling}", grid[:, at].ravel())
    if len(part.layers) == 1:
        return
    for place, layer in enumerate(part.layers):
        for at, pooling in enumerate(part.pooling):
            yield Piece("layer and pooling", f"{before}layer {layer}, {pooling}", grid[place, at])


def _groups(features: Sequence[Named], columns: Int64s, before: str) -> Iterator[Piece]:
    groups = np.array([features[at].group or "other" for at in columns.tolist()])
    for group in dict.fromkeys(groups.tolist()):
        yield Piece("group of features", f"{before}{group}", columns[groups == group])


def explain_inputs(
    clips: RunClips,
    inputs: ModelInputs,
    emotions: Sequence[str],
    *,
    part: str,
    repeats: int,
    seed: int,
    advance: Callable[[int, int], None],
) -> Shares:
    """Permute, and leave out, each piece of the input of a model, among the clips of one part.

    Args:
        clips: of all parts, checked.
        inputs: as the model's card holds them.
        emotions: class names.
        part: that it is measured on.
        repeats: permutations of each piece.
        seed: of permutations and draws.
        advance: called with the number of permuted pieces done since, and of all pieces.
    """
    heard, pieces = clips.of(part), pieces_of(inputs, clips.features)
    drops = permutation_importance(
        heard.values,
        heard.targets,
        heard.speakers,
        heard.predict,
        [piece.columns.tolist() for piece in pieces],
        classes=len(emotions),
        repeats=repeats,
        seed=seed,
        max_rows=MAX_ROWS,
        advance=lambda done: advance(done, len(pieces)),
    )
    usual, without = _without(clips, heard, pieces, len(emotions))
    decisions = decide(heard.predict, heard.values, MAX_ROWS)
    measured = Measured(part, heard.targets, heard.speakers, decisions, emotions, repeats, seed)
    return measured.shares(share_tables(pieces, drops, [usual - each for each in without]))


@dataclass(frozen=True)
class Measured:
    """What importance was measured on, and how.

    Attributes:
        part: of the split.
        targets: class numbers of its clips, shape ``(clips,)``.
        speakers: of its clips, shape ``(clips,)``.
        decisions: of the model as it is, shape ``(clips,)``.
        emotions: class names.
        repeats: permutations of each piece.
        seed: of permutations and draws.
    """

    part: str
    targets: Int64s
    speakers: Strings
    decisions: Int64s
    emotions: Sequence[str]
    repeats: int
    seed: int

    def uar(self, decisions: Int64s) -> float:
        """UAR of other decisions on these clips."""
        return float(uar(confusion_matrix(self.targets, decisions, len(self.emotions))))

    def shares(self, found: Iterable[ShareTable], notes: Iterable[str] = ()) -> Shares:
        """What was found, with all that is needed to read it."""
        usual, people, words = tables.uar_of(
            self.targets, self.decisions, self.speakers, self.emotions, self.seed, self.repeats
        )
        return Shares(
            part=self.part,
            clips=len(self.targets),
            speakers=people,
            seed=self.seed,
            repeats=self.repeats,
            emotions=tuple(self.emotions),
            uar=usual,
            tables=tuple(found),
            interval=words,
            notes=(*tables.absent_notes(self.targets, self.emotions), *notes),
        )


def share_tables(
    pieces: Sequence[Piece], drops: Importance, losses: Sequence[float], counts: Sequence[int] | None = None
) -> Iterator[ShareTable]:
    """One table for each kind of piece; shares are of the drops of that kind that are above zero.

    Args:
        pieces: what was permuted.
        drops: what that cost.
        losses: drop of UAR when each piece is left out.
        counts: of the numbers of each piece; None counts its columns.
    """
    found = tables.importances([piece.name for piece in pieces], drops)
    sizes = [len(piece.columns) for piece in pieces] if counts is None else counts
    for kind in dict.fromkeys(piece.kind for piece in pieces):
        here = [at for at, piece in enumerate(pieces) if piece.kind == kind]
        whole = sum(max(found[at].drop.value, 0.0) for at in here)
        entries = [
            InputImportance(
                **found[at].model_dump(),
                columns=sizes[at],
                without=round(losses[at], 6),
                share=round(max(found[at].drop.value, 0.0) / whole, 6) if whole else 0.0,
                weight=pieces[at].weight,
            )
            for at in here
        ]
        yield ShareTable(kind=kind, entries=tuple(entries))


def _without(
    clips: RunClips, heard: RunClips, pieces: Sequence[Piece], classes: int
) -> tuple[float, list[float]]:
    """UAR as it is, and with each piece held at its mean over training clips."""
    usual = clips.of("train").values.mean(0) if (clips.parts == "train").any() else clips.values.mean(0)
    scores = []
    for columns in (np.zeros(0, np.int64), *(piece.columns for piece in pieces)):
        values = heard.values.copy()
        values[:, columns] = usual[columns]
        decided = decide(heard.predict, values, MAX_ROWS)
        scores.append(float(uar(confusion_matrix(heard.targets, decided, classes))))
    return scores[0], scores[1:]
