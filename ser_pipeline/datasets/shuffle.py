"""Shuffle clips that do not fit into memory: shard by shard, through a buffer."""

import numpy as np
import numpy.typing as npt

Rows = npt.NDArray[np.int64]


def buffered_order(shards: npt.ArrayLike, buffer: int, rng: np.random.Generator) -> Rows:
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
    drawn: list[Rows] = [pool]
    for number in rng.permutation(len(groups)).tolist():
        pool = rng.permutation(np.concatenate([pool, groups[number]]))
        out = max(0, len(pool) - buffer)
        drawn.append(pool[:out])
        pool = pool[out:]
    return np.concatenate([*drawn, pool])
