"""The command line on any terminal, file or pipe: letters it lacks, a reader that left, a full disk."""

import errno
import gc
import io
import json
import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from typing import TYPE_CHECKING, Any, Final

import typer

from ser_pipeline.remote.addresses import in_words
from ser_pipeline.tables import one_line

if TYPE_CHECKING:
    from rich.progress import Progress

_GONE: Final = (errno.EPIPE, errno.EBADF)
"""Nobody reads any more, as behind ``| head``, which is nobody's mistake."""

SHOWN: dict[str, Any] = {"tables": 0, "bar": None}
"""Tables that this command has printed so far, as a blank line separates them; and the bar that is shown."""


class _Refused(OSError):
    """Standard output could not be written to."""


class _Output(io.TextIOWrapper):
    """Standard output, whose errors can be told from those of other files."""

    def write(self, text: str) -> int:
        try:
            return super().write(text)
        except OSError as error:
            raise _Refused(*error.args) from None

    def flush(self) -> None:
        try:
            super().flush()
        except OSError as error:
            raise _Refused(*error.args) from None


@contextmanager
def unswept() -> Iterator[None]:
    """Collect no garbage until ``gc.enable()``: going through all that a command loads first takes long."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


class Application(typer.Typer):
    """A command line whose output can fail without a traceback."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run it, and end the process.

        A file's name that the terminal's encoding lacks is written with escapes; output that nobody takes
        ends the command with status 1, and with a line unless its reader left.
        """
        _open_all()
        _prepare()
        # told by processes(), where it matters
        warnings.filterwarnings(
            "ignore", message=".*joblib will operate in serial mode", category=UserWarning
        )
        try:
            try:
                return super().__call__(*args, **kwargs)
            finally:
                sys.stdout.flush()
        except _Refused as error:
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # Python flushes once more when it ends
            if error.errno not in _GONE:
                sys.stderr.write(f"ser: standard output cannot be written to: {error.strerror}\n")
            raise SystemExit(1) from None


def _open_all() -> None:
    """Give the process the streams that it was started without; else the next file takes their number."""
    for number, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        if getattr(sys, name) is None:
            while (opened := os.open(os.devnull, os.O_RDWR)) < number:
                pass  # the numbers below are free, too
            setattr(sys, name, os.fdopen(opened, mode, encoding="utf-8"))


def _prepare() -> None:
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    if isinstance(sys.stdout, io.TextIOWrapper):
        encoding, by_line = sys.stdout.encoding, sys.stdout.line_buffering
        sys.stdout = _Output(sys.stdout.detach(), encoding, "backslashreplace", line_buffering=by_line)


def put(text: str, *, err: bool = False) -> None:
    """Write lines, above the bar where one is shown on the same terminal."""
    bar = SHOWN["bar"]
    with suppress(OSError) if err else nullcontext():  # a full disk behind standard error ends no work
        if bar is not None and (sys.stderr if err else sys.stdout).isatty():
            bar.console.print(text, highlight=False, markup=False, soft_wrap=True)
        else:
            typer.echo(text, err=err)


def out_csv(text: str) -> None:
    """Print lines of CSV: a file gets every letter as it is, a screen none that could steer it."""
    sys.stdout.write(for_people(text) if sys.stdout.isatty() else text)


def for_people(text: str) -> str:
    """Lines without letters that could steer a terminal, as a file's name may hold; addresses in full."""
    return in_words("\n".join(map(one_line, text.split("\n"))))


def for_programs(text: str, encoding: str) -> str:
    r"""Text whose letters that could steer a terminal, or that its encoding lacks, are escaped as in JSON.

    Examples:
        >>> for_programs("a\x9bb", "utf-8"), for_programs("\u00e4\u00df\u0142", "latin-1")
        ('a\\u009bb', 'äß\\u0142')
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(letter if _fits(letter, encoding) else json.dumps(letter)[1:-1] for letter in text)


def _fits(letter: str, encoding: str) -> bool:
    try:
        letter.encode(encoding)
    except UnicodeEncodeError:
        return False
    return letter.isprintable() or letter == "\n"


@contextmanager
def live_bar(unit: str, *, transient: bool = False) -> "Iterator[Progress]":
    """Show a bar on the terminal; what commands print meanwhile stands above it.

    Args:
        unit: text beside the counts.
        transient: leave nothing of it in the end.
    """
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=None),
        MofNCompleteColumn(),
        TextColumn(unit),
        TimeRemainingColumn(compact=True),
    )
    console = Console(stderr=True)
    bar = Progress(*columns, console=console, transient=transient, redirect_stdout=False, expand=True)
    with bar:
        SHOWN["bar"] = bar
        try:
            yield bar
        finally:
            SHOWN["bar"] = None
