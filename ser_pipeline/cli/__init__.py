"""The command line: one file per command group, composed here."""

import inspect
import os
import re
from collections.abc import Callable
from functools import wraps
from typing import Annotated, Any, Final

import typer
from typer.core import TyperGroup

from ser_pipeline import __version__
from ser_pipeline.cli import cache, corpora, experiment, manifest, runs
from ser_pipeline.cli.bench import bench
from ser_pipeline.cli.common import GIVEN, refuse_addresses, say
from ser_pipeline.cli.compare import compare
from ser_pipeline.cli.evaluate import evaluate
from ser_pipeline.cli.explain import explain
from ser_pipeline.cli.export import export
from ser_pipeline.cli.flags import (
    option_command,
    options_of,
    options_of_prediction,
    options_of_server,
)
from ser_pipeline.cli.predict import demo, listen, predict
from ser_pipeline.cli.report import quickstart, report
from ser_pipeline.cli.streams import SHOWN, Application
from ser_pipeline.cli.train import train
from ser_pipeline.cli.warm import warm
from ser_pipeline.errors import TOLD

SMALL: Final = (
    "the small installation ser-pipeline-onnx does not include it and can only predict (with the built-in "
    "model, or with --model GRAPH, a graph of 'ser export'); for everything else, run "
    "pip uninstall ser-pipeline-onnx, then pip install ser-pipeline"
)
"""What to do where the small installation lacks a library."""

WHOLE: Final = (
    "run pip install ser-pipeline again, or with the extra that needs it, as in "
    "pip install 'ser-pipeline[demo]'"
)
"""What to do where any other installation lacks a library."""


class PlainList(TyperGroup):
    """The commands by name, in plain text: what draws the panels of other helps takes longer to load."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Show the list where no command is named."""
        return super().parse_args(ctx, args or ["--help"])

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Write it without panels."""
        self.rich_markup_mode = None
        super().format_help(ctx, formatter)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """List every command with the whole of its first sentence."""
        rows = [(name, command.get_short_help_str(1000)) for name, command in self.commands.items()]
        with formatter.section("Commands"):
            formatter.write_dl(rows)


app = Application(
    name="ser",
    cls=PlainList,
    context_settings={"max_content_width": 160},
    help="Speech emotion recognition from a cached feature store.",
    pretty_exceptions_enable=False,
    add_completion=False,
)
app.add_typer(corpora.app, name="corpora")
app.add_typer(manifest.app, name="manifest")
app.add_typer(cache.app, name="cache")
option_command(app, options_of("train"))(train)
app.add_typer(runs.app, name="runs")
app.command()(evaluate)
app.command()(explain)
app.add_typer(experiment.app, name="experiment")
app.command()(experiment.paper)
app.command()(report)
app.command()(compare)
option_command(app, options_of_prediction)(predict)
option_command(app, options_of_prediction)(listen)
app.command()(export)
option_command(app, options_of_server)(demo)
app.command()(bench)
app.command()(quickstart)
app.command()(warm)


AT_ADDRESSES = ("data", "csv")
"""Flags that take addresses, but in the modules ``HERE``."""

HERE = ("bench", "corpora_disk", "corpora_known", "exchange", "report")

OF_STORES = ("cache_build", "embeddings", "train", "evaluate", "explain")
"""Modules of the commands whose ``--cache`` takes an address too."""


def _guarded(command: Callable[..., Any]) -> Callable[..., Any]:
    module = command.__module__.rpartition(".")[2]
    taken = () if module in HERE else (*AT_ADDRESSES, *(("cache",) if module in OF_STORES else ()))

    @wraps(command)
    def run(*words: Any, **given: Any) -> Any:
        for value in (value for name, value in given.items() if name not in taken):
            refuse_addresses(*(value if isinstance(value, list | tuple) else (value,)))
        try:
            return command(*words, **given)
        except ModuleNotFoundError as error:
            missing = (error.name or "ser_pipeline").partition(".")[0]
            if missing == "ser_pipeline" or GIVEN["debug"]:
                raise
            say(f"ser: {missing} is not installed; {SMALL if _is_small() else WHOLE}")
            raise typer.Exit(1) from None

    return run


def _is_small() -> bool:
    """Whether only ``ser-pipeline-onnx`` is installed."""
    from importlib.metadata import Distribution

    names = ("ser-pipeline", "ser-pipeline-onnx")
    return [any(Distribution.discover(name=name)) for name in names] == [False, True]


def _finish(group: typer.Typer) -> None:
    """Let the paragraphs of help flow, and tell addresses and missing libraries in one line."""
    for command in group.registered_commands:
        told = (command.callback and inspect.getdoc(command.callback)) or ""
        command.help = command.help or re.sub(r"(?<!\n)\n(?!\n)", " ", told)
        command.callback = command.callback and _guarded(command.callback)
    for inner in group.registered_groups:
        if inner.typer_instance is not None:
            _finish(inner.typer_instance)


_finish(app)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"ser {__version__}")
        raise typer.Exit


@app.callback()
def main(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
    all_columns: Annotated[
        bool, typer.Option("--all-columns", help="Show columns of a table that are empty or 0 in every row.")
    ] = False,
) -> None:
    """Speech emotion recognition: manifest, feature store, training, honest evaluation, report."""
    GIVEN.update(debug=debug, all_columns=all_columns)
    SHOWN["tables"] = 0
    TOLD[:] = [say]
    if debug:
        os.environ["SER_DEBUG"] = "1"
