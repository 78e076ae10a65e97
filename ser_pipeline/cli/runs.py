"""Commands of ``ser runs``: list the runs there are, show one, delete some."""

import json
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from ser_pipeline.cli.common import (
    Format,
    FormatOption,
    FullOption,
    RunArgument,
    RunsOption,
    next_step,
    on_screen,
    out,
    out_whole,
    plain_errors,
    say,
    show_table,
)
from ser_pipeline.cli.evaluate import RATED, interval, rating_rows, show_parts
from ser_pipeline.errors import RunError, some
from ser_pipeline.tables import NO_BREAK, Column, cells, one_line

if TYPE_CHECKING:
    from ser_pipeline.runs.find import FoundRun
    from ser_pipeline.runs.types import RunInfo, RunScores


class ListFirst(TyperGroup):
    """A group of commands that lists where no command is named."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put ``list`` before its own options, and where there is nothing at all."""
        named = args and (args[0] == "--help" or not args[0].startswith("-"))
        return super().parse_args(ctx, args if named else ["list", *args])


app = typer.Typer(cls=ListFirst, help="List, show or delete runs; list them by default.")


@app.command("list")
def list_(runs: RunsOption = Path("runs"), fmt: FormatOption = Format.table) -> None:
    """List the runs, the newest first, each with its score on the test part.

    A run that cannot be read is named in a line of its own.
    """
    with plain_errors():
        from ser_pipeline.runs.find import list_runs

        found = list_runs(runs)
        rows, unread = [], [entry.line for entry in found.unread]
        for run in reversed(found.read):
            try:
                rows.append(_Row(run))
            except RunError as error:
                rows.append(_Row(run, unread=True))
                unread.append(f"scores of run {run.folder.name} could not be read: {error}")
        if fmt is not Format.table:
            show_table("runs", _COLUMNS, [row.plain() for row in rows], fmt)
        elif rows:
            name, seed = Column("name", numeric=False, whole=True), Column("seed", keep=True)
            columns = (name, "model", "task", "split", seed, "UAR", "age", "size")
            show_table(f"runs in {runs}", columns, [row.shown() for row in rows])
        for line in unread:
            say(one_line(line))
        synthetic = [row.name for row in rows if row.info.synthetic]
        if synthetic:
            which = "all of them" if len(synthetic) == len(rows) else some(synthetic)
            say(f"trained on synthetic voices, so their scores say nothing about real speech: {which}")
        if partly := [row.name for row in rows if row.untested]:
            say(f"tested without clips of some emotions, so their UAR covers only the others: {some(partly)}")
        if not rows and not unread:
            say(f"{runs}: contains no runs")
            next_step("ser train", runs=runs)


_COLUMNS = (
    "name", "model", "task", "split", "fold", "leaks_speakers", "synthetic", "seed", "state",
    "uar", "uar_low", "uar_high", "ccc", "created", "age_s", "bytes",
)  # fmt: skip
"""Columns of the list for programs; scores are those of the test part, as shares; the
concordance (``ccc``) is the mean over the dimensions of a run whose targets are ratings."""


class _Row:
    """One run of the list.

    Args:
        run: whose settings are read.
        unread: its scores cannot be read.
    """

    def __init__(self, run: "FoundRun", *, unread: bool = False) -> None:
        from ser_pipeline.runs.files import final_scores
        from ser_pipeline.runs.folder import contents
        from ser_pipeline.runs.tested import untested

        self.info = run.info
        self.name = run.folder.name
        scores = None if unread else final_scores(run.folder, run.info)
        self.state = _state(run.info, scores, unread=unread)
        tested = None if scores is None else scores.parts.get("test")
        rated = None if scores is None else scores.rated.get("test")
        self.uar = None if tested is None else tested.pooled.uar
        self.untested = () if tested is None else untested(tested.pooled)
        self.ccc = None if rated is None else rated.ccc
        self.age_s = None if run.began is None else max(0, round(time.time() - run.began))
        self.size = sum(contents(run.folder).values())

    def shown(self) -> list[Any]:
        """Cells for a reader."""
        info, split = self.info, self.info.split
        fold = {None: "", "all": ", all folds"}.get(split.fold, f", fold {split.fold}")
        leaks = " (leaks speakers)" if split.leaks_speakers else ""
        return [
            self.name, info.model, info.recipe.about, f"{split.name}{fold}{leaks}", info.recipe.train.seed,
            self._score(), "" if self.age_s is None else age_text(self.age_s), size_text(self.size),
        ]  # fmt: skip

    def _score(self) -> str:
        if self.ccc is not None:
            return f"CCC {self.ccc:.3f}"
        if self.uar is None:
            return self.state if self.state != "scored" else "no test clips"
        return str(self.uar).replace(" ", NO_BREAK)

    def plain(self) -> list[Any]:
        """Values for a program, in the order of the columns."""
        info, split = self.info, self.info.split
        return [
            self.name, info.model, info.recipe.about, split.name, split.fold, split.leaks_speakers,
            info.synthetic, info.recipe.train.seed, self.state,
            *((None, None, None) if self.uar is None else interval(self.uar)),
            self.ccc, info.created, self.age_s, self.size,
        ]  # fmt: skip


def _state(info: "RunInfo", scores: "RunScores | None", *, unread: bool) -> str:
    if unread:
        return "scores not readable"
    if info.stopped is None:
        return "not finished"
    return "not scored" if scores is None else "scored"


def age_text(seconds: float) -> str:
    """A time span in its largest unit.

    Examples:
        >>> age_text(59), age_text(60), age_text(7_200), age_text(86_400), age_text(900_000)
        ('59 s', '1 min', '2 h', '1 day', '10 days')
    """
    for unit, length in (("day", 86_400), ("h", 3_600), ("min", 60)):
        count = int(seconds // length)
        if count:
            return f"{count} {unit}{'s' if unit == 'day' and count > 1 else ''}"
    return f"{int(seconds)} s"


def size_text(size: float) -> str:
    """A number of bytes in the unit that suits it.

    Examples:
        >>> size_text(0), size_text(1023), size_text(1024), size_text(9_500_000), size_text(3 * 2**30)
        ('0 B', '1023 B', '1.0 KiB', '9.1 MiB', '3.0 GiB')
    """
    if size < 1024:
        return f"{size:.0f} B"
    for unit in ("KiB", "MiB"):
        size /= 1024
        if size < 1024:
            return f"{size:.1f} {unit}"
    return f"{size / 1024:.1f} GiB"


@app.command()
def show(
    run: RunArgument = None,
    runs: RunsOption = Path("runs"),
    full: FullOption = False,
    fmt: FormatOption = Format.table,
) -> None:
    """Show a run: its settings, its scores by part, and its files with their sizes."""
    with plain_errors():
        from ser_pipeline.runs.files import final_scores, read_info
        from ser_pipeline.runs.find import find_run
        from ser_pipeline.runs.folder import contents

        folder = find_run(run, runs)
        info = read_info(folder)
        scores, files = final_scores(folder, info), contents(folder)
        if fmt is Format.json:
            whole = {
                "settings": info.model_dump(mode="json"),
                "scores": None if scores is None else scores.model_dump(mode="json"),
                "files": files,
            }
            out_whole(json.dumps(whole, ensure_ascii=False))
        elif fmt is Format.csv:
            show_table("run", ("about", "name", "value"), list(_lines(info, scores, files)), fmt)
        else:
            brief = on_screen() and not full
            settings = _main_settings(info) if brief else list(_settings(info))
            show_table(f"settings of {folder}", ("setting", "value"), settings)
            if brief:
                say("'ser runs show --full' shows every setting")
            if scores is None:
                say(f"{folder.name}: {_state(info, scores, unread=False)}")
            else:
                show_parts(info, scores)
            sizes = [(name, size_text(size)) for name, size in files.items()]
            show_table(f"files, {size_text(sum(files.values()))} in all", ("file", "size"), sizes)


def _main_settings(info: "RunInfo") -> list[tuple[str, str]]:
    """The settings that a reader asks for first, for one screen."""
    clips = ", ".join(f"{cells.thousands(count)} {part}" for part, count in info.counts.items())
    named = {
        "command": info.command,
        "model": f"{info.model} on {info.store_kind}, {cells.plural(info.parameters, 'parameter')}",
        "emotions": ", ".join(info.emotions),
        "corpora": ", ".join(info.corpora),
        "clips": clips,
        "split": f"{info.split.name}: {info.split.note}",
        "ended": "" if info.stopped is None else info.stopped,
        "time": "" if info.seconds is None else cells.duration(info.seconds),
        "layers": info.layers,
        "created": info.created,
    }
    return [(name, value) for name, value in named.items() if value]


def _settings(info: "RunInfo") -> Iterator[tuple[str, str]]:
    """Settings by dotted name, without those that have no effect on the run."""
    from ser_pipeline.options import idle

    for name, value in _flat(info.model_dump(mode="json")):
        group, _, option = name.partition(".")
        unused = option.startswith("augment.") and not info.recipe.train.copies
        if group != "recipe" or not (unused or idle(option, info.recipe)):
            yield name, value


def _flat(values: dict[str, Any], above: str = "") -> Iterator[tuple[str, str]]:
    for name, value in values.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{above}{name}.")
        elif isinstance(value, list) and any(isinstance(each, dict) for each in value):
            yield from _flat({str(number): each for number, each in enumerate(value, 1)}, f"{above}{name}.")
        elif isinstance(value, list):
            yield f"{above}{name}", ", ".join(map(str, value))
        else:
            yield f"{above}{name}", "" if value is None else str(value)


def _lines(
    info: "RunInfo", scores: "RunScores | None", files: dict[str, int]
) -> Iterator[tuple[str, str, Any]]:
    """Settings, scores and files, one a line."""
    for name, value in _settings(info):
        yield "settings", name, value
    for part, rated in () if scores is None else scores.rated.items():
        for row in rating_rows(rated.pooled):
            for column, number in zip(RATED[3:], row[3:], strict=True):
                yield "scores", f"{part}.{row[0]}.{column.lower()}", number
    for part, found in () if scores is None else scores.parts.items():
        pooled = found.pooled
        for name in ("clips", "speakers"):
            yield "scores", f"{part}.{name}", getattr(pooled, name)
        for name in ("accuracy", "uar", "macro_f1"):
            for end, number in zip(("", "_low", "_high"), interval(getattr(pooled, name)), strict=True):
                yield "scores", f"{part}.{name}{end}", number
    for name, size in files.items():
        yield "files", name, size


@app.command()
def delete(
    names: Annotated[list[str], typer.Argument(metavar="NAME", help="Delete these runs, by name.")],
    yes: Annotated[bool, typer.Option("--yes", help="Delete without asking.")] = False,
    runs: RunsOption = Path("runs"),
) -> None:
    """Delete runs and everything in their folders, even if they cannot be read, after asking.

    A run of all folds is deleted with its folds. Recordings, manifests and stores are left alone.
    """
    with plain_errors("runs that were not deleted are complete"):
        from ser_pipeline.runs.folder import contents, deletable, delete_run, held

        sizes = {
            folder: sum(contents(folder).values())
            for folder in dict.fromkeys(deletable(name, runs) for name in names)
        }
        with ExitStack() as stack:
            for folder in sizes:
                stack.enter_context(held(folder))
            if not yes and not _agreed(list(sizes), sum(sizes.values())):
                say("nothing was deleted")
                raise typer.Exit(1)
            for folder, size in sizes.items():
                delete_run(folder)
                out(f"deleted {folder}, {size_text(size)}")


def _agreed(folders: Sequence[Path], size: int) -> bool:
    """Ask whether to delete."""
    if not sys.stdin.isatty():
        raise RunError(
            "nothing was deleted: there is no terminal to ask on; pass --yes to delete without asking"
        )
    what = "run" if len(folders) == 1 else f"{len(folders)} runs"
    question = f"delete {what} {', '.join(map(str, folders))} ({size_text(size)})?"
    return typer.confirm(one_line(question), err=True)
