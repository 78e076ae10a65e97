"""The order of clips, and how often each is drawn, the same for any number of workers."""

from collections.abc import Iterator
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from torch.utils.data import Sampler

from ser_pipeline.arrays import Float64s, Int64s

MOST: Final = 8.0
"""No clip is drawn more than this many times as often as the median, or a lone clip is learned by heart."""


class EpochBatches(Sampler[list[int]]):
    """Batches of clip numbers, shuffled again each epoch.

    With several processes each takes its share of every batch, so a batch has the same clips
    whatever the number of processes. A last batch with fewer clips than processes is left out.

    Args:
        clips: number of clips.
        batch_size: clips of a batch, over all processes.
        seed: of the order.
        rank: number of this process.
        world: number of processes.
        shards: shard of each clip, where clips do not fit into memory; None shuffles all at once.
        buffer: clips that are mixed at a time, with ``shards``.
        chances: of each clip to be drawn, shape ``(clips,)``: an epoch draws as many clips as there are,
            with repeats; None takes every clip once.

    Examples:
        >>> order = EpochBatches(5, 2, seed=0)
        >>> [len(batch) for batch in order], sorted(sum(order, []))
        ([2, 2, 1], [0, 1, 2, 3, 4])
    """

    def __init__(
        self,
        clips: int,
        batch_size: int,
        *,
        seed: int,
        rank: int = 0,
        world: int = 1,
        shards: Int64s | None = None,
        buffer: int = 0,
        chances: Float64s | None = None,
    ) -> None:
        self.clips = clips
        self.batch_size = batch_size
        self.seed = seed
        self.rank = rank
        self.world = world
        self.epoch = 0
        self._shards = shards
        self._buffer = buffer
        self._chances = chances

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch whose order comes next, counted from 0."""
        self.epoch = epoch

    def __len__(self) -> int:
        """Number of batches."""
        whole, rest = divmod(self.clips, self.batch_size)
        return whole + (rest >= self.world)

    def __iter__(self) -> Iterator[list[int]]:
        """Yield this process's share of each batch."""
        rng = np.random.default_rng((self.seed, self.epoch))
        drawn = np.arange(self.clips)
        if self._chances is not None:
            drawn = rng.choice(self.clips, self.clips, p=self._chances)
        if self._shards is None:
            order = rng.permutation(drawn)
        else:
            order = drawn[buffered_order(self._shards[drawn], self._buffer, rng)]
        for start in range(0, len(self) * self.batch_size, self.batch_size):
            yield order[start : start + self.batch_size][self.rank :: self.world].tolist()


def draw_chances(corpora: npt.ArrayLike, targets: npt.ArrayLike, balance: float) -> Float64s:
    """Chance of each clip to be a draw.

    A clip of a pair (corpus, class) with ``n`` clips weighs ``n^-balance``, so that at 1 all pairs are
    drawn alike and at 0 all clips. Weights above :data:`MOST` times their median are cut to that.

    Args:
        corpora: of each clip, shape ``(clips,)``.
        targets: class numbers, shape ``(clips,)``.
        balance: in [0, 1].

    Returns:
        Shape ``(clips,)``; the sum is 1.

    Examples:
        >>> draw_chances(["a", "a", "a", "b"], [0, 0, 1, 1], 1.0).round(2)
        array([0.17, 0.17, 0.33, 0.33])
    """
    names = np.unique(np.asarray(corpora, np.str_), return_inverse=True)[1]
    numbers = np.asarray(targets, np.int64)
    cells = names * (numbers.max(initial=0) + 1) + numbers
    weights = np.bincount(cells)[cells].astype(np.float64) ** -balance
    if len(weights) == 0:
        return np.zeros(0)
    weights = np.minimum(weights, MOST * np.median(weights))
    chances: Float64s = weights / weights.sum()
    return chances


def ordered_batches(clips: int, batch_size: int, *, rank: int = 0, world: int = 1) -> list[list[int]]:
    """Batches of this process's share of all clips, in order.

    Examples:
        >>> ordered_batches(5, 2)
        [[0, 1], [2, 3], [4]]
        >>> ordered_batches(5, 2, rank=1, world=2)
        [[1, 3]]
    """
    share = list(range(rank, clips, world))
    return [share[start : start + batch_size] for start in range(0, len(share), batch_size)]


def buffered_order(shards: npt.ArrayLike, buffer: int, rng: np.random.Generator) -> Int64s:
    """Random order of clips in which few shards are in use at a time.

    Shards come in random order. The clips of each join a pool, and clips are drawn from the pool
    at random whenever it holds more than ``buffer``. A batch is thus a random mixture of as many
    shards as the buffer holds, and what is read fits into memory; with a buffer of all clips this
    is a plain shuffle.

    Args:
        shards: shard of each clip, shape ``(clips,)``.
        buffer: clips in the pool.
        rng: of all draws.

    Returns:
        Every clip number once, shape ``(clips,)``.

    Examples:
        >>> order = buffered_order([0, 0, 1, 1, 2, 2], 2, np.random.default_rng(0))
        >>> sorted(order.tolist())
        [0, 1, 2, 3, 4, 5]
    """
    of_clip = np.asarray(shards, np.int64)
    by_shard = np.argsort(of_clip, kind="stable")
    _, starts = np.unique(of_clip[by_shard], return_index=True)
    groups = np.split(by_shard, starts[1:])
    pool = np.zeros(0, np.int64)
    drawn: list[Int64s] = [pool]
    for number in rng.permutation(len(groups)).tolist():
        pool = rng.permutation(np.concatenate([pool, groups[number]]))
        out = max(0, len(pool) - buffer)
        drawn.append(pool[:out])
        pool = pool[out:]
    return np.concatenate([*drawn, pool])


def whole_batch(batch: Any) -> Any:
    """Collation for a loader whose data set already returns whole batches."""
    return batch
