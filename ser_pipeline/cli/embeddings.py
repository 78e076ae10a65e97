"""``ser cache embeddings | waves | encoders``: layers of pretrained speech encoders, and what they hear."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ser_pipeline.cli.cache_build import Where, build
from ser_pipeline.cli.common import Format, FormatOption, on_screen, plain_errors, say, show_table
from ser_pipeline.cli.flags import Given

if TYPE_CHECKING:
    from ser_pipeline.options import EmbeddingOptions

EncodersOption = Annotated[
    Path | None,
    typer.Option(
        "--encoders",
        help="Look for encoders in this folder first, then those of SER_ENCODERS, then the hub's cache.",
    ),
]


DownloadOption = Annotated[
    bool, typer.Option("--download", help="Download the encoder from the hub if it is not on this machine.")
]
VariantsOption = Annotated[
    int,
    typer.Option(
        "--copies",
        min=0,
        max=1000,
        help="Compute this many random variants of each recording instead of the recording itself.",
    ),
]


def embeddings(
    given: Given,
    where: Where,
    encoders: EncodersOption = None,
    download: DownloadOption = False,
    copies: VariantsOption = 0,
) -> None:
    """Run a pretrained speech encoder on every recording in the manifest, and keep all its layers, pooled.

    With --copies, the encoder hears random variants of each recording, as in 'ser cache augment'.
    """
    with plain_errors():
        from ser_pipeline.encoders import encoder_folders, located, need_transformers
        from ser_pipeline.errors import SettingsError
        from ser_pipeline.options import Augmented

        need_transformers()
        recipe = given.settings_read()
        if recipe.embeddings.frames and not recipe.embeddings.layers:
            raise SettingsError(
                "--frames: needs --layers, as in --layers 3; the steps of all layers would fill a disk"
            )
        inputs, _ = located(recipe.embeddings, encoder_folders(encoders), fetch=download)
        say(f"{inputs.encoder}: layers {', '.join(map(str, inputs.layers))} of {inputs.folder}")
        options = Augmented(inputs=inputs, changes=recipe.augment) if copies else inputs
        build(options, where, _training(inputs, recipe.embeddings.layers, copies), copies)


def _training(inputs: "EmbeddingOptions", layers: "Sequence[int]", copies: int) -> str:
    """The command that trains a model on what was kept."""
    from ser_pipeline.encoders import asked_as

    words = ["probe" if inputs.frames else "logreg --on embeddings"]
    words += [f"--encoder {asked_as(inputs.name, inputs.folder)}"]
    words += [f"--layers {','.join(map(str, layers))}"] if layers else []
    words += [f"--copies {copies}"] if copies else []
    return f"ser train {' '.join(words)}"


def waves(given: Given, where: Where, copies: VariantsOption = 0) -> None:
    """Keep the samples of every recording at 16 kHz, as encoders hear them, to fine-tune encoders on.

    With --copies random variants of each recording are kept, as 'ser cache augment' draws them for training.
    """
    with plain_errors():
        from ser_pipeline.options import Augmented

        recipe = given.settings_read()
        inputs = recipe.embeddings.waves
        options = Augmented(inputs=inputs, changes=recipe.augment) if copies else inputs
        build(options, where, "ser train finetune", copies)


def encoders(folder: EncodersOption = None, fmt: FormatOption = Format.table) -> None:
    """List encoders known by name, and those in --encoders: size, licence, languages, and where they are."""
    from ser_pipeline.encoders import KNOWN, encoder_folders, read_checkpoint
    from ser_pipeline.errors import EncoderError

    columns = (
        "name",
        "meant for",
        "layers",
        "million weights",
        "MB to download",
        "licence",
        "languages",
        "here",
    )
    folders = encoder_folders(folder)
    rows: list[tuple[Any, ...]] = [
        (
            known.name,
            known.meant_for,
            known.layers,
            known.parameters_m,
            known.download_mb,
            known.licence,
            known.languages,
            _place(known.name, folders),
        )
        for known in KNOWN
    ]
    names = {known.name for known in KNOWN}
    for place in sorted(path for parent in folders if parent.is_dir() for path in parent.iterdir()):
        if place.name in names or not (place / "config.json").is_file():
            continue
        try:
            rows.append((place.name, "", read_checkpoint(place).layers, None, None, "", "", str(place)))
        except EncoderError as error:
            say(f"ser: {error}")
    if fmt is Format.table and on_screen():  # places are long
        rows = [(*row[:-1], row[-1] if row[-1] == "no" else "yes") for row in rows]
    show_table("encoders", columns, rows, fmt)


def _place(name: str, folders: tuple[Path, ...]) -> str:
    from ser_pipeline.encoders import locate
    from ser_pipeline.errors import EncoderError

    try:
        return str(locate(name, folders).folder)
    except EncoderError:
        return "no"
