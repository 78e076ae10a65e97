"""Loops that NumPy cannot express without copies are compiled on their first call, and the code is kept."""

import hashlib
import inspect
import pickle
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, TypeVar, cast

from ser_pipeline.atomic import lock_file
from ser_pipeline.dsp.kept import distrusted, keep_in, numba, places, why_not_first, writable
from ser_pipeline.errors import SerError, remark

FunctionCache: Any = object
if numba is not None:
    from numba.core.caching import FunctionCache, IndexDataCacheFile
    from numba.core.compiler import CompileResult
    from numba.core.runtime.nrt import rtsys

F = TypeVar("F", bound=Callable[..., object])

REORDERED = frozenset({"contract", "reassoc", "nsz", "arcp"})
"""What the compiler may do to sums and products; NaN and infinity stay what they are."""

_told: Final[set[str]] = set()
"""What was said already in this process."""


def compiled(function: F) -> F:
    """Compile a function on its first call and keep the machine code for the next process.

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
    return function if numba is None else cast(F, numba.njit(inline="always")(function))


def fused(function: F) -> F:
    """Make a piece of :func:`vectorised` functions, compiled into each of them.

    Without this a process that compiles the caller may run the piece's own machine code and a
    process that finds the caller on disk the copy in it; where sums are reordered, the two
    differ in their last bits.

    Args:
        function: of arrays and numbers, in the subset of Python that numba knows.
    """
    if numba is None:
        return function
    return cast(F, numba.njit(error_model="numpy", fastmath=set(REORDERED), forceinline=True)(function))


def otherwise(plain: F) -> Callable[[F], F]:
    """Take a function of NumPy alone in place of a compiled one where numba is not installed.

    Args:
        plain: gives what the compiled function gives, but for rounding.
    """
    return lambda function: plain if numba is None else function


def _compiled(function: F, *, fastmath: bool | set[str]) -> F:
    if numba is None:
        return cast(F, _refuse)
    if numba.config.DISABLE_JIT:
        return function
    dispatcher: Any = numba.njit(error_model="numpy", fastmath=fastmath)(function)
    dispatcher._cache = kept = _Kept(function)  # what njit(cache=True) sets to numba's own
    dispatcher.compile = kept.released_after(dispatcher.compile)
    return cast(F, dispatcher)


def _refuse(*_: object) -> None:
    raise ModuleNotFoundError("No module named 'numba'", name="numba")


class _Kept(FunctionCache):  # type: ignore[misc]  # numba's, or nothing
    """Machine code of one function: read from wherever it may be, kept where it can be.

    numba's own cache takes the one folder that it can write to, so code that an image was built with is of no
    use to another user; two kinds of processor that share a home mix their files up; and a piece in another
    file may change without notice. Of several processes that miss the same code one compiles it, and the
    others wait for it.
    """

    def __init__(self, function: Callable[..., object]) -> None:
        self._py_func = function
        self._source = Path(inspect.getfile(function))
        code, (major, minor) = function.__code__, sys.version_info[:2]
        name = f"{self._source.stem}.{function.__qualname__}-{code.co_firstlineno}.py{major}{minor}"
        self._base = name.replace("<", "").replace(">", "")
        self._held = ExitStack()
        self.enable()

    def released_after(self, work: Callable[[Any], Any]) -> Callable[[Any], Any]:
        """Let the others go on when one has compiled, or failed to: an interrupt too ends the waiting."""

        def compile_(sig: Any) -> Any:
            with self._held:
                return work(sig)

        return compile_

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """Kept code needs the runtime alone; what numba's own cache does first loads all that compiles."""
        rtsys.initialize(target_context)
        with self._guard_against_spurious_io_errors():
            return self._load_overload(sig, target_context)

    def _load_overload(self, sig: Any, target_context: Any) -> Any:
        if (found := self._found(sig, target_context)) is not None:
            return found
        _tell(self._source)
        folder = keep_in(self._source)
        if folder is None:
            return None
        with suppress(SerError):  # a folder without locks: others may compile it as well
            self._held.enter_context(lock_file(folder / f"{self._base}.lock", None))
        return self._found(sig, target_context)  # whoever waited has it now

    def _found(self, sig: Any, target_context: Any) -> Any:
        codegen = target_context.codegen()
        for file in self._files(codegen):
            try:
                found = file.load(self._index_key(sig, codegen))
            except (OSError, EOFError, pickle.UnpicklingError):  # compiled again, and overwritten
                continue
            if found is not None:
                return CompileResult._rebuild(target_context, *found)
        return None

    def _save_overload(self, sig: Any, data: Any) -> None:
        if data.lifted or data.library.has_dynamic_globals:
            return
        what = (self._index_key(sig, data.codegen), data._reduce())
        for file in self._files(data.codegen):
            if not writable(Path(file._cache_path)):
                continue
            try:
                _save(file, *what)
            except OSError:  # a full disk: the next folder
                continue
            return

    def _files(self, codegen: Any) -> Iterator[Any]:
        """The function's file in each folder, for the processor that this one is."""
        processor = hashlib.blake2b(repr(codegen.magic_tuple()).encode(), digest_size=4).hexdigest()
        for folder in places(self._source):
            if distrusted(folder, self._source):
                continue
            yield IndexDataCacheFile(str(folder), f"{self._base}-{processor}", _stamp(self._source))


def _save(file: Any, key: Any, code: Any) -> None:
    try:
        file.save(key, code)
    except (EOFError, pickle.UnpicklingError):  # what is there cannot be read
        file.flush()
        file.save(key, code)


@lru_cache(maxsize=64)
def _stamp(source: Path) -> str:
    """Digest of all that machine code is made of: numba only looks at the one file."""
    pieces = sorted({*Path(__file__).parent.glob("*.py"), source})
    return hashlib.blake2b(b"".join(map(Path.read_bytes, pieces)), digest_size=16).hexdigest()


def _tell(source: Path) -> None:
    """Say once what is waited for, and where the code is kept or why nowhere."""
    if "compiling" in _told:
        return
    _told.add("compiling")
    said = "compiling the loops of the front end for this processor takes some seconds"
    kept, first = keep_in(source), next(places(source))
    if kept is None:
        remark(f"{said}, each time: {why_not_first(source)}; set NUMBA_CACHE_DIR to a folder of your own")
    else:
        because = "" if kept == first else f", because {why_not_first(source)}"
        remark(f"{said}; the code is kept in {kept}{because}")
