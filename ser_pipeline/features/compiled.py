"""Loops that NumPy cannot express without copies are compiled on their first call."""

from collections.abc import Callable
from typing import TypeVar, cast

import numba

F = TypeVar("F", bound=Callable[..., object])


def compiled(function: F) -> F:
    """Compile a function on its first call and keep the machine code for the next process.

    Where neither the package's folder nor the user's cache can be written, numba refuses to
    keep it; the function is then compiled anew in each process.

    Args:
        function: of arrays and numbers, in the subset of Python that numba knows.
    """
    try:
        return cast(F, numba.njit(cache=True, error_model="numpy")(function))
    except RuntimeError:
        return cast(F, numba.njit(error_model="numpy")(function))
