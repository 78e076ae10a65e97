"""The commands ``ser manifest import`` and ``ser manifest export``."""

from pathlib import Path
from typing import Annotated

import typer

from ser_pipeline.cli.common import DataOption, ManifestsOption, next_step, out, plain_errors, say, say_short
from ser_pipeline.cli.flags import names_in

FORMAT_HELP = "csv, audiofolder, parquet, audformat, lhotse, emobox, kaldi or espnet."


def import_(
    kind: Annotated[str, typer.Argument(metavar="FORMAT", help=f"Read this format: {FORMAT_HELP}")],
    path: Annotated[Path, typer.Argument(metavar="PATH", help="Read this file or folder.")],
    data: DataOption = Path("DataSets"),
    name: Annotated[
        str | None,
        typer.Option(help="Give the corpus this id instead of the name of the file or folder."),
    ] = None,
    recordings: Annotated[
        Path | None,
        typer.Option(
            help="Look in this folder first for recordings that are named by relative paths; the data set's "
            "folder, those around it, and --data are always tried."
        ),
    ] = None,
    copy: Annotated[
        bool, typer.Option("--copy", help="Copy the recordings below --data if they lie elsewhere.")
    ] = False,
    into: Annotated[
        Path, typer.Option("--into", help="Write the description and its table to this folder.")
    ] = Path("corpora"),
) -> None:
    """Describe a data set in the format of another tool, so that ser manifest build reads it."""
    with plain_errors():
        from ser_pipeline.exchange import import_dataset
        from ser_pipeline.tables.cells import plural

        made = import_dataset(kind, path, data=data, into=into, name=name, recordings=recordings, copy=copy)
        counts = ", ".join(f"{emotion} {count}" for emotion, count in made.emotions.items())
        of = f" ({counts})" if counts else ""
        out(f"{made.description}: {plural(made.rows, 'row')} in {made.table}{of}")
        for line in made.remarks:
            say_short(f"  {line}")
        next_step("ser manifest build", data=data)


def export_(
    kind: Annotated[str, typer.Argument(metavar="FORMAT", help=f"Write this format: {FORMAT_HELP}")],
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="Write to this folder, which must be new or empty.")
    ],
    manifests: ManifestsOption = Path("manifests"),
    data: Annotated[
        Path | None,
        typer.Option(
            help="Take the recordings from this folder; by default from the one the manifest was built from."
        ),
    ] = None,
    corpora: Annotated[
        list[str] | None,
        typer.Option(
            help="Write only these corpora, by id; repeat the flag or separate ids by commas. All of them by "
            "default."
        ),
    ] = None,
    split: Annotated[
        str | None,
        typer.Option(help="Write the parts of this split; by default those that the corpora publish."),
    ] = None,
    fold: Annotated[str | None, typer.Option(help="Let this fold of the split be the test part.")] = None,
    copy: Annotated[
        bool,
        typer.Option(
            "--copy", help="Copy the recordings into the folder instead of naming them where they are."
        ),
    ] = False,
) -> None:
    """Write the recordings of the manifest as a data set in the format of another tool."""
    with plain_errors():
        from ser_pipeline.exchange import export_manifest
        from ser_pipeline.tables.cells import plural

        chosen = names_in(corpora or ())
        made = export_manifest(
            kind, folder, manifests=manifests, data=data, corpora=chosen, split=split, fold=fold, copy=copy
        )
        out(f"{made.path}: {plural(made.rows, 'row')}")
        if made.left_out:
            say(f"in no part of split {split}, and left out: {plural(made.left_out, 'row')}")
