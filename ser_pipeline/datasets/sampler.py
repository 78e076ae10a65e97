"""The order of clips: seeded by (seed, epoch), the same for any number of workers."""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
from torch.utils.data import Sampler

from ser_pipeline.datasets.shuffle import Rows, buffered_order


class EpochBatches(Sampler[list[int]]):
    """Batches of clip numbers, shuffled anew each epoch.

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
        shards: Rows | None = None,
        buffer: int = 0,
        chances: npt.NDArray[np.float64] | None = None,
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
