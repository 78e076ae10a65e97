"""What the commands share: options, tables, progress, and errors of one line."""

import json
import shutil
import sys
import textwrap
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from ser_pipeline.errors import SerError, some
from ser_pipeline.tables import Column, Table, csv_text, one_line, print_table, records, shortened, table_of


class Format(StrEnum):
    """Print results in this format."""

    table = "table"
    json = "json"
    csv = "csv"


DataOption = Annotated[
    Path, typer.Option("--data", help="Read recordings from this folder, which holds the corpora.")
]
BuiltFromOption = Annotated[
    Path | None,
    typer.Option(
        "--data",
        help="Read recordings from this folder; by default from the one the manifest was built from.",
    ),
]
WhereOption = Annotated[
    str,
    typer.Option(
        help="Take only recordings for which this condition on columns of the manifest holds (SQL), as in "
        '"agreement >= 0.6".'
    ),
]

ManifestsOption = Annotated[
    Path, typer.Option("--manifests", help="Use the manifest and the splits in this folder.")
]
CacheOption = Annotated[Path, typer.Option("--cache", help="Use the feature store in this folder.")]
RunsOption = Annotated[Path, typer.Option("--runs", help="Use the runs in this folder.")]
JobsOption = Annotated[int, typer.Option("--jobs", "-j", min=1, help="Use this many worker processes.")]
DeviceOption = Annotated[
    str,
    typer.Option("--device", help="Compute on this device: auto, cpu, cuda or mps; auto takes the best one."),
]
FormatOption = Annotated[Format, typer.Option("--format", help="Print results in this format.")]

GIVEN = {"debug": False, "all_columns": False}
"""Flags of ``ser`` itself: ``--debug`` keeps the traceback of an error, ``--all-columns`` hides no column."""

SHOWN = {"tables": 0}
"""Tables that this command has printed so far; a blank line separates them."""


@contextmanager
def plain_errors(interrupted: str = "run the same command again to continue") -> Iterator[None]:
    """Turn a ``SerError`` into one line on stderr and exit status 1.

    Args:
        interrupted: what to do after Ctrl-C, for the line that is printed then.
    """
    try:
        yield
    except SerError as error:
        if GIVEN["debug"]:
            raise
        say(f"ser: {one_line(str(error))}")
        raise typer.Exit(1) from None
    except KeyboardInterrupt as error:
        hint = getattr(error, "__notes__", [interrupted])[-1]
        say(f"ser: interrupted; finished work is complete: {hint}")
        raise typer.Exit(130) from None


def out(text: str) -> None:
    """Print a result."""
    typer.echo(text)


def say(text: str) -> None:
    """Print a remark, beside the results; a terminal gets it wrapped between words."""
    typer.echo(wrapped(text) if sys.stderr.isatty() else text, err=True)


def say_short(text: str) -> None:
    """Print a remark on one line, beside the results; a terminal gets it cut to its width."""
    width = shutil.get_terminal_size().columns if sys.stderr.isatty() else len(text) * 2
    typer.echo(shortened(one_line(text), width), err=True)


def wrapped(text: str, indent: str = "") -> str:
    """Wrap a text between words, to the width of the terminal.

    Args:
        text: to wrap.
        indent: before every line of it but the first.
    """
    width = shutil.get_terminal_size().columns
    wrapper = textwrap.TextWrapper(
        width, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    )
    return "\n".join(map(wrapper.fill, text.splitlines()))


def next_step(command: str) -> None:
    """Name the command that comes next, on one line so that it can be copied."""
    typer.echo(f"next: {command}", err=True)


def tell_unread(runs: Path, *chosen: Path) -> None:
    """Print in one line which runs cannot be read in the folder that runs were chosen from.

    Args:
        runs: folder of the runs.
        chosen: what the command continues with; if none of it lies in ``runs``, nothing is printed.
    """
    from ser_pipeline.runs.find import list_runs

    if any(place.parent == runs for place in chosen):
        unread = [entry for entry in list_runs(runs).unread if runs / entry.name not in chosen]
        if len(unread) == 1:
            say(one_line(unread[0].line))
        elif unread:
            names = some([entry.name for entry in unread])
            say(one_line(f"{len(unread)} runs could not be read: {names}; 'ser runs' says why"))


def show_table(
    title: str, columns: Sequence[str | Column], rows: Sequence[Sequence[Any]], fmt: Format = Format.table
) -> None:
    """Print rows as a table, a JSON list of objects, or CSV."""
    put_table(table_of(title, columns, rows), fmt)


def put_table(table: Table, fmt: Format = Format.table) -> None:
    """Print a table; as JSON a list of objects, one for each row, as CSV one line for each row."""
    if fmt is Format.json:
        out(json.dumps(records(table), ensure_ascii=False))
    elif fmt is Format.csv:
        sys.stdout.write(csv_text(table))
    else:
        if SHOWN["tables"]:
            out("")
        SHOWN["tables"] += 1
        print_table(table, everything=GIVEN["all_columns"])


@contextmanager
def progress(description: str, total: int, unit: str = "clips") -> Iterator[Callable[[int], None]]:
    """Show how far a long step is, with its rate and the time left, on stderr.

    A terminal gets a bar; anything else a plain line every ten seconds.

    Args:
        description: what is being done.
        total: number of units in all.
        unit: what is counted, in the plural.

    Yields:
        ``advance(n)``: call it with how many units were done since.
    """
    shown = _bar if sys.stderr.isatty() else _lines
    with shown(description, total, unit) as advance:
        yield advance


@contextmanager
def counted(description: str, unit: str = "clips") -> Iterator[Callable[[int, int], None]]:
    """Show how far a step is whose size is known only when it begins.

    Args:
        description: what is being done.
        unit: what is counted, in the plural.

    Yields:
        ``on_progress(done, total)``: call it with how many units are done, and of how many.
    """
    with ExitStack() as stack:
        opened: list[Callable[[int], None]] = []
        last = 0

        def on_progress(done: int, total: int) -> None:
            nonlocal last
            if not opened:
                opened.append(stack.enter_context(progress(description, total, unit)))
            opened[0](done - last)
            last = done

        yield on_progress


@contextmanager
def _lines(description: str, total: int, unit: str) -> Iterator[Callable[[int], None]]:
    started = last = time.monotonic()
    done = 0

    def advance(count: int) -> None:
        nonlocal done, last
        done += count
        now = time.monotonic()
        if now - last >= 10 and done < total:
            last = now
            rate = done / (now - started)
            say(
                f"{description}: {done}/{total} {unit}, {rate:.0f} {unit}/s, "
                f"{(total - done) / rate:.0f} s left"
            )

    yield advance
    elapsed = time.monotonic() - started
    if done:
        say(f"{description}: {done} {unit} in {elapsed:.1f} s ({done / max(elapsed, 1e-9):.0f} {unit}/s)")


@contextmanager
def _bar(description: str, total: int, unit: str) -> Iterator[Callable[[int], None]]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
    )
    started = time.monotonic()
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task(description, total=total, rate="")
        done = 0

        def advance(count: int) -> None:
            nonlocal done
            done += count
            rate = done / max(time.monotonic() - started, 1e-9)
            bar.update(task, advance=count, rate=f"{rate:.0f} {unit}/s")

        yield advance
