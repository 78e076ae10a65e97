"""Clips of different length side by side, without padding: a batch laid out as a strip of film.

A masked convolutional network zeroes invalid frames before every convolution. One row of zeros
between two clips has the same effect as any number of padding frames, so a batch is laid out in
time as *clip, zero row, clip, zero row, ...* and convolved once. Nothing is computed for padding,
and batch statistics see valid frames because only those are handed to the batch norm.

A level is the strip in front of one convolution; pooling halves a clip's frames from level to
level, ``max(1, frames // 2)``. The tables of row numbers are plain index arithmetic on lengths.
"""

from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

SHELF = 512
"""Rows of one piece of the first strip; half as many on each further one. In fp32 the library behind the
convolutions takes twice as long for the gradient of one very tall image as for that of several."""

ROW_STEP = 128
"""Strips are made this much longer at a time, so that few different shapes occur: the library
behind the convolutions compiles a kernel for each shape and keeps it."""


@dataclass(frozen=True, slots=True)
class Level:
    """Where clips lie on one strip.

    Attributes:
        counts: valid frames of each clip, shape ``(batch,)``.
        rows: length of the strip.
        pieces: of equal length that it is cut into; no clip lies in two.
        arrivals: row of each valid frame, in the order in which the level before delivers them.
        leaving: the same rows in the order in which pooling wants them: frames in pairs, then the
            only frame of clips that have one, then the last frame of other clips of odd length.
        paired: how many rows stand in pairs.
        single: how many clips have one frame.
    """

    counts: Tensor
    rows: int
    pieces: int
    arrivals: Tensor
    leaving: Tensor
    paired: int
    single: int


@dataclass(frozen=True, slots=True)
class Ragged:
    """Levels of a batch, and where its steps go in the end.

    Attributes:
        source: index of each valid frame in the batch flattened to ``(batch * frames,)``.
        levels: one in front of each pooling.
        after: one more, for convolutions behind the last pooling.
        steps: steps of each clip after the last pooling, shape ``(batch,)``, on the CPU.
        places: index of each step in a batch flattened to ``(batch * longest,)``.
    """

    source: Tensor
    levels: tuple[Level, ...]
    after: Level
    steps: Tensor
    places: Tensor

    def steps_of(self, rows: Tensor) -> Tensor:
        """Put what is left of each clip into a batch: ``(rows, ...) -> (batch, longest, features)``."""
        batch, longest = len(self.steps), int(self.steps.max())
        return put(rows.flatten(1), self.places, batch * longest).view(batch, longest, -1)


def lay_out(lengths: Tensor, frames: int, blocks: int) -> Ragged:
    """Plan the strips of a batch.

    Args:
        lengths: valid frames of each clip, shape ``(batch,)``; taken as at least 1 and at most ``frames``.
        frames: of the padded batch.
        blocks: number of convolutions, each followed by a pooling by two.

    Returns:
        Row numbers, on the device of ``lengths``.

    Examples:
        >>> plan = lay_out(torch.tensor([5, 2]), frames=6, blocks=1)
        >>> plan.levels[0].arrivals  # row 5 keeps the clips apart
        tensor([0, 1, 2, 3, 4, 6, 7])
        >>> plan.levels[0].leaving  # the fifth frame has no partner
        tensor([0, 1, 2, 3, 6, 7, 4])
        >>> plan.steps
        tensor([2, 1])
    """
    device = lengths.device
    counts = lengths.detach().cpu().long().clamp(1, frames)
    batch = torch.arange(len(counts))
    source = _ranges(batch * frames, counts)
    order, levels = batch, []
    for block in range(blocks):
        level, order = _level(counts, order, SHELF >> block)
        levels.append(level)
        counts = (counts // 2).clamp(min=1)
    longest = int(counts.max())
    places = _ranges(order * longest, counts[order])
    after, _ = _level(counts, order, SHELF >> blocks)
    *before, last = (
        Level(
            each.counts,
            each.rows,
            each.pieces,
            each.arrivals.to(device),
            each.leaving.to(device),
            each.paired,
            each.single,
        )
        for each in (*levels, after)
    )
    return Ragged(source.to(device), tuple(before), last, counts, places.to(device))


def convolved(layer: nn.Module, rows: Tensor, level: Level) -> Tensor:
    """Lay valid frames out on a strip and convolve it.

    Args:
        layer: keeps height and width of an image, and sees no further than the next row.
        rows: valid frames in the order ``level.arrivals``, shape ``(valid, mels, channels)``.
        level: where they go.

    Returns:
        The whole strip, shape ``(level.rows, mels, channels)``.
    """
    pieces = put(rows, level.arrivals, level.rows).view(level.pieces, -1, *rows.shape[1:])
    image: Tensor = layer(pieces.permute(0, 3, 1, 2))  # (pieces, channels, rows, mels), channels last
    return image.permute(0, 2, 3, 1).flatten(0, 1)


def as_image(rows: Tensor) -> Tensor:
    """``(rows, mels, channels)`` to one channels-last image ``(1, channels, rows, mels)``."""
    return rows[None].permute(0, 3, 1, 2)


def as_rows(image: Tensor) -> Tensor:
    """One image ``(1, channels, rows, mels)`` to ``(rows, mels, channels)``."""
    return image.permute(0, 2, 3, 1)[0]


def pooled(rows: Tensor, level: Level) -> Tensor:
    """Pool 2x2 within clips.

    Args:
        rows: valid frames in the order ``level.leaving``, shape ``(rows, mels, channels)``.
        level: where they come from.

    Returns:
        Half of both, in the order in which the next level expects its arrivals. A last frame without
        a partner is dropped, an only one is pooled over mels alone.
    """
    # every pair is an image of its own: threads share images out, and not the rows of one
    pairs = rows[: level.paired].reshape(-1, 2, *rows.shape[1:]).permute(0, 3, 1, 2)
    halves = F.max_pool2d(pairs, 2).permute(0, 2, 3, 1).flatten(0, 1)
    if not level.single:
        return halves
    alone = as_rows(F.max_pool2d(as_image(rows[level.paired : level.paired + level.single]), (1, 2)))
    return torch.cat([halves, alone]) if level.paired else alone


def _level(counts: Tensor, order: Tensor, shelf: int) -> tuple[Level, Tensor]:
    """One level, and the order of clips in which it hands frames on."""
    starts, pieces, length = _places(counts, shelf)
    alone = counts == 1
    several, singles = (~alone).nonzero()[:, 0], alone.nonzero()[:, 0]
    paired = _ranges(starts[several], counts[several] // 2 * 2)
    odd = several[counts[several] % 2 == 1]
    leaving = torch.cat([paired, starts[singles], starts[odd] + counts[odd] - 1])
    arrivals = _ranges(starts[order], counts[order])
    level = Level(counts, pieces * length, pieces, arrivals, leaving, len(paired), len(singles))
    return level, torch.cat([several, singles])


def _places(counts: Tensor, shelf: int) -> tuple[Tensor, int, int]:
    """First row of each clip, number of pieces and their length; a zero row follows every clip.

    Long clips first, each goes into the first piece with room for it. What fits into one piece is one,
    no longer than it has to be.
    """
    sizes = (counts + 1).tolist()
    if sum(sizes) <= shelf:
        return (counts + 1).cumsum(0) - (counts + 1), 1, -(-sum(sizes) // ROW_STEP) * ROW_STEP
    length = max(shelf, -(-max(sizes) // ROW_STEP) * ROW_STEP)
    starts, taken = [0] * len(sizes), list[int]()
    for clip in sorted(range(len(sizes)), key=lambda clip: -sizes[clip]):
        room = (piece for piece, used in enumerate(taken) if used + sizes[clip] <= length)
        piece = next(room, len(taken))
        taken += [0] if piece == len(taken) else []
        starts[clip] = piece * length + taken[piece]
        taken[piece] += sizes[clip]
    return torch.tensor(starts), len(taken), length


def _ranges(starts: Tensor, counts: Tensor) -> Tensor:
    """Concatenate the ranges ``start .. start + count``."""
    ends = counts.cumsum(0)
    total = int(ends[-1]) if len(ends) else 0
    return torch.arange(total) + (starts - (ends - counts)).repeat_interleave(counts)


class _Take(torch.autograd.Function):
    """Pick different rows; the gradient is put back without adding, as no row is picked twice."""

    @staticmethod
    def forward(ctx: Any, values: Tensor, rows: Tensor) -> Tensor:
        ctx.save_for_backward(rows)
        ctx.total = values.shape[0]
        return values.index_select(0, rows)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        (rows,) = ctx.saved_tensors
        return put(gradient, rows, ctx.total), None


class _Put(torch.autograd.Function):
    """Lay rows out at different places among zeros."""

    @staticmethod
    def forward(ctx: Any, values: Tensor, rows: Tensor, total: int) -> Tensor:
        ctx.save_for_backward(rows)
        gaps = torch.ones(total, dtype=torch.bool, device=rows.device).index_fill_(0, rows, 0).nonzero()[:, 0]
        strip = values.new_empty(total, *values.shape[1:])  # most rows are written once, not zeroed first
        return strip.index_fill_(0, gaps, 0).index_copy_(0, rows, values)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        (rows,) = ctx.saved_tensors
        return take(gradient, rows), None, None


def take(values: Tensor, rows: Tensor) -> Tensor:
    """Pick rows, each at most once: ``(all, ...) -> (len(rows), ...)``."""
    return cast(Tensor, _Take.apply(values, rows))  # type: ignore[no-untyped-call]


def put(values: Tensor, rows: Tensor, total: int) -> Tensor:
    """Lay rows out among zeros, each at its own place: ``(len(rows), ...) -> (total, ...)``."""
    return cast(Tensor, _Put.apply(values, rows, total))  # type: ignore[no-untyped-call]
