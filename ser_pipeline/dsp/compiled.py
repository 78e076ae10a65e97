"""Loops that NumPy cannot express without copies are compiled on their first call."""

from collections.abc import Callable
from typing import TypeVar, cast

import numba

F = TypeVar("F", bound=Callable[..., object])

REORDERED = frozenset({"contract", "reassoc", "nsz", "arcp"})
"""What the compiler may do to sums and products; NaN and infinity stay what they are."""


def compiled(function: F) -> F:
    """Compile a function on its first call and keep the machine code for the next process.

    Where neither the package's folder nor the user's cache can be written, numba refuses to
    keep it; the function is then compiled again in each process.

    Args:
        function: of arrays and numbers, in the subset of Python that numba knows.
    """
    return _compiled(function, fastmath=False)


def vectorised(function: F) -> F:
    """Compile like :func:`compiled`, and let sums be reordered so that they fill vector registers.

    Args:
        function: of arrays and numbers, in the subset of Python that numba knows.
    """
    return _compiled(function, fastmath=set(REORDERED))


def inlined(function: F) -> F:
    """Make a piece of other compiled functions; what it is called with is known to the compiler there.

    Args:
        function: of arrays and numbers, in the subset of Python that numba knows.
    """
    return cast(F, numba.njit(inline="always")(function))


def fused(function: F) -> F:
    """Make a piece of :func:`vectorised` functions, compiled into each of them.

    Without this a process that compiles the caller may run the piece's own machine code and a
    process that finds the caller on disk the copy in it; where sums are reordered, the two
    differ in their last bits.

    Args:
        function: of arrays and numbers, in the subset of Python that numba knows.
    """
    return cast(F, numba.njit(error_model="numpy", fastmath=set(REORDERED), forceinline=True)(function))


def _compiled(function: F, *, fastmath: bool | set[str]) -> F:
    try:
        return cast(F, numba.njit(cache=True, error_model="numpy", fastmath=fastmath)(function))
    except RuntimeError:
        return cast(F, numba.njit(error_model="numpy", fastmath=fastmath)(function))
