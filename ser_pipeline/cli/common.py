"""What the commands share: options, tables, progress, and errors of one line."""

import json
import os
import re
import shlex
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ser_pipeline.cli.streams import SHOWN, for_people, for_programs, live_bar, out_csv, put
from ser_pipeline.errors import SerError, some
from ser_pipeline.tables import (
    Column,
    Table,
    csv_text,
    one_line,
    print_table,
    prose,
    records,
    shortened,
    table_of,
)
from ser_pipeline.tables.cells import plural

if TYPE_CHECKING:
    from ser_pipeline.serving.model import Model


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
RunArgument = Annotated[
    Path | None,
    typer.Argument(metavar="RUN", help="Take this run, by folder or name; the newest one by default."),
]
JobsOption = Annotated[int, typer.Option("--jobs", "-j", min=1, help="Use up to this many worker processes.")]
DeviceOption = Annotated[
    str,
    typer.Option("--device", help="Compute on this device: auto, cpu, cuda or mps; auto takes the best one."),
]
ThreadsOption = Annotated[
    int | None, typer.Option(min=1, help="Let each process use at most this many threads.")
]
FormatOption = Annotated[Format, typer.Option("--format", help="Print results in this format.")]
FullOption = Annotated[
    bool, typer.Option("--full", help="Show all of it on a terminal, however many screens it takes.")
]

DEFAULTS = {name: name for name in ("manifests", "cache", "runs")} | {
    "data": "DataSets",
    "runs_dir": "runs",
    "out": "reports",
}
"""Folders that commands use unless they are told another, by the name of the flag."""

MOST_ROWS = 12
"""Rows of a table that fit a screen of 24 lines with what stands above and below it."""

GIVEN = {"debug": False, "all_columns": False}
"""Flags of ``ser`` itself: ``--debug`` keeps the traceback of an error, ``--all-columns`` hides no column."""


def refuse_addresses(*given: Any) -> None:
    """Refuse an address of a store in place of a folder or file, before a folder of that name is made.

    Raises:
        typer.Exit: one of the paths is an address; a line says what to do.
    """
    for path in given:
        found = re.match(r"([a-z][a-z0-9+]+):/+(.*)", str(path)) if isinstance(path, Path) else None
        if found is not None:
            say(
                f"ser: {found[1]}://{found[2]}: only folders and files of this machine are read and written "
                "here; docs/remote.md says what takes addresses"
            )
            raise typer.Exit(1)


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
        say(f"ser: {one_line('; '.join([str(error), *getattr(error, '__notes__', [])]))}")
        raise typer.Exit(1) from None
    except KeyboardInterrupt as error:
        hint = getattr(error, "__notes__", [interrupted])[-1]
        say(f"ser: interrupted; finished work is complete: {hint}")
        raise typer.Exit(130) from None


def limit_threads(threads: int | None) -> None:
    """Let torch use at most this many threads; None leaves it alone."""
    if threads is not None:
        import torch

        torch.set_num_threads(threads)


def out(text: str, hang: int = 0) -> None:
    """Print a result in words; a terminal gets it wrapped between words.

    Args:
        text: to print.
        hang: letters of a heading that stands left of the other lines, on a terminal.
    """
    text = for_people(text)
    put(wrapped(text, hang) if sys.stdout.isatty() else text)


def out_whole(text: str) -> None:
    """Print a result for programs, as it is, whatever the width of the terminal.

    Letters that could steer a terminal, or that its encoding lacks, are escaped as in JSON and TOML.
    """
    put(for_programs(text, getattr(sys.stdout, "encoding", None) or "utf-8"))


def say(text: str) -> None:
    """Print a remark, beside the results; a terminal gets it wrapped between words."""
    text = for_people(text)
    put(wrapped(text) if sys.stderr.isatty() else text, err=True)


def say_short(text: str) -> None:
    """Print a remark on one line, beside the results; a terminal gets it cut to its width."""
    width = shutil.get_terminal_size().columns if sys.stderr.isatty() else len(text) * 2
    put(shortened(one_line(text), width), err=True)


def say_whole(text: str) -> None:
    """Print a remark on one line, whatever the width of the terminal, so that it can be copied."""
    put(one_line(text), err=True)


def say_whole_parts(parts: Sequence[str]) -> None:
    """Print a remark of several parts on one line; a terminal gets as many of them as fit."""
    width = shutil.get_terminal_size().columns if sys.stderr.isatty() else None
    line = parts[0]
    for part in parts[1:]:
        if width is not None and len(line) + 2 + len(part) > width:
            break
        line += f"  {part}"
    put(line, err=True)


def wrapped(text: str, hang: int = 0) -> str:
    """Wrap a text between words, to the width of the terminal; see :func:`ser_pipeline.tables.prose`."""
    width = shutil.get_terminal_size().columns
    return "\n".join(part for line in text.splitlines() for part in prose(line, width, hang))


def next_step(command: str, **places: Path | None) -> None:
    """Name the command that comes next, in a form that works when it is pasted.

    Args:
        command: that comes next.
        places: folders that this command was given, by flag; those that are not the default are passed on.
    """
    say_command("next: ", command, **places)


def say_command(before: str, command: str, **places: Path | None) -> None:
    """Name a command after some words; see :func:`next_step`."""
    put(for_people(pasted(command + flags(**places), before)), err=True)


def flags(**places: Path | None) -> str:
    """Write the folders that are not the default as flags of a command.

    Examples:
        >>> flags(manifests=Path("manifests"), runs_dir=Path("my runs"))
        " --runs-dir 'my runs'"
    """
    return "".join(
        f" --{name.replace('_', '-')} {shlex.quote(str(place))}"
        for name, place in places.items()
        if place is not None and str(place) != DEFAULTS[name]
    )


def pasted(command: str, before: str = "") -> str:
    """Write a command; a terminal that is too narrow gets it in lines that a shell reads as one.

    Args:
        command: its words, quoted where a shell needs it.
        before: text before it, on the first line.
    """
    width = shutil.get_terminal_size().columns if sys.stderr.isatty() else 0
    line = before + command
    if os.name == "nt" or not 0 < width < len(line):
        return line
    lines = [before.rstrip()]
    for part in re.split(r" (?=--)", shlex.join(shlex.split(command))):  # a flag stays with its value
        if len(lines[-1]) + len(part) + 3 > width and len(lines[-1]) > len(before):
            lines.append("     " + part)
        else:
            lines[-1] += f" {part}" if lines[-1] else part
    return " \\\n".join(lines)


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
            say(one_line(f"{plural(len(unread), 'run')} could not be read: {names}; 'ser runs' says why"))


def show_table(
    title: str,
    columns: Sequence[str | Column],
    rows: Sequence[Sequence[Any]],
    fmt: Format = Format.table,
    *,
    most: int | None = None,
) -> None:
    """Print rows as a table, a JSON list of objects, or CSV; see :func:`put_table`."""
    put_table(table_of(title, columns, rows), fmt, most=most)


def put_table(table: Table, fmt: Format = Format.table, *, most: int | None = None) -> None:
    """Print a table; as JSON a list of objects, one for each row, as CSV one line for each row.

    Args:
        table: to print.
        fmt: how.
        most: lines of rows that a terminal gets; None for all. Anything but a terminal gets all.
    """
    if fmt is Format.json:
        out_whole(json.dumps(records(table), ensure_ascii=False))
    elif fmt is Format.csv:
        out_csv(csv_text(table))
    else:
        if SHOWN["tables"]:
            out("")
        SHOWN["tables"] += 1
        print_table(table, everything=GIVEN["all_columns"], most=most)


def on_screen() -> bool:
    """Whether results go to a terminal, which gets summaries; anything else gets all of it."""
    return sys.stdout.isatty()


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


def introduce(model: "Model") -> None:
    """Say who answers, and what speaks against it."""
    if model.about is not None:
        say(one_line(model.about.line))
        if model.about.note:
            say(one_line(f"{model.about.name}: {model.about.note}"))
        if model.about.warning:
            say(one_line(f"warning: {model.about.warning}"))
    if model.card.synthetic:
        say(f"{model.name}: trained on synthetic voices; its predictions for real speech mean nothing")


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


def _counted(number: float, unit: str) -> str:
    """A number, rounded, with what it counts; ``unit`` is in the plural, or ``MB``."""
    return plural(round(number), unit.removesuffix("s"), unit)


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
                f"{description}: {done}/{_counted(total, unit)}, {_counted(rate, unit)}/s, "
                f"{(total - done) / rate:.0f} s left"
            )

    yield advance
    elapsed = time.monotonic() - started
    if done:
        rate = _counted(done / max(elapsed, 1e-9), unit)
        say(f"{description}: {_counted(done, unit)} in {elapsed:.1f} s ({rate}/s)")


@contextmanager
def _bar(description: str, total: int, unit: str) -> Iterator[Callable[[int], None]]:
    started = time.monotonic()
    with live_bar("{task.fields[rate]}") as bar:
        task = bar.add_task(description, total=total, rate="")
        done = 0

        def advance(count: int) -> None:
            nonlocal done
            done += count
            rate = done / max(time.monotonic() - started, 1e-9)
            bar.update(task, advance=count, rate=f"{_counted(rate, unit)}/s")

        yield advance
