"""Working arrays that a thread uses again from one call to the next.

A fresh array of a megabyte is memory the system has just cleared, page by page, and takes back
when the array goes: for the noise gate that was measured to cost more than its arithmetic.
"""

import threading

import numpy as np

from ser_pipeline.arrays import Float32s

MOST = 8 << 20
"""Largest array that is kept, in float32 values."""

_own = threading.local()


def buffer(name: str, size: int) -> Float32s:
    """A float32 array with any content, the same memory as at the thread's last call.

    Args:
        name: what it is for; two arrays in use at the same time need two names.
        size: number of values.

    Returns:
        Shape ``(size,)``. Never hand it on: the next call with this name writes over it.

    Examples:
        >>> buffer("doctest", 4).shape
        (4,)
        >>> bool(np.shares_memory(buffer("doctest", 4), buffer("doctest", 3)))
        True
    """
    if size > MOST:
        return np.empty(size, np.float32)
    arrays: dict[str, Float32s] = _own.__dict__
    kept = arrays.get(name)
    if kept is None or kept.size < size:
        kept = arrays[name] = np.empty(size + size // 4, np.float32)
    return kept[:size]
