"""``ser cache embeddings`` and ``ser cache encoders``: layers of pretrained speech encoders."""

from pathlib import Path
from typing import Annotated, Any

import typer

from ser_pipeline.cli.cache_build import (
    Backend,
    BackendOption,
    DryOption,
    LimitOption,
    RetryOption,
    SchedulerOption,
    ShardsOption,
    Where,
    build,
)
from ser_pipeline.cli.common import (
    CacheOption,
    DataOption,
    Format,
    FormatOption,
    JobsOption,
    ManifestsOption,
    plain_errors,
    say,
    show_table,
)

EncodersOption = Annotated[
    Path | None,
    typer.Option("--encoders", help="Folder of encoders; SER_ENCODERS names more, the hub's cache is last."),
]


def embeddings(
    data: DataOption = Path("DataSets"),
    manifests: ManifestsOption = Path("manifests"),
    cache: CacheOption = Path("cache"),
    jobs: JobsOption = 1,
    encoder: Annotated[
        str | None,
        typer.Option(help="Name (see 'ser cache encoders'), folder or hub id of an encoder."),
    ] = None,
    encoders: EncodersOption = None,
    download: Annotated[
        bool, typer.Option("--download", help="Fetch the encoder from the hub if it is not on this machine.")
    ] = False,
    layers: Annotated[
        str | None, typer.Option(help="Layers to keep, as 2,3 or 0-6; nothing is computed above the last.")
    ] = None,
    pooling: Annotated[
        str | None, typer.Option(help="What to keep of a clip's steps: some of mean,std,max.")
    ] = None,
    frames: Annotated[
        bool, typer.Option("--frames", help="Keep the steps of the --layers themselves, pool nothing.")
    ] = False,
    crop_s: Annotated[float | None, typer.Option(help="Seconds of a recording the encoder hears.")] = None,
    trim_db: Annotated[
        float | None, typer.Option(help="Cut silence this far below the loudest frame from both ends.")
    ] = None,
    precision: Annotated[
        str | None, typer.Option(help="Of the encoder's arithmetic: fp32, bf16 or fp16.")
    ] = None,
    device: Annotated[str | None, typer.Option(help="Device: auto, cpu, cuda or mps.")] = None,
    copies: Annotated[
        int, typer.Option("--copies", min=0, max=1000, help="Random variants of each recording instead.")
    ] = 0,
    shards: ShardsOption = None,
    limit: LimitOption = None,
    retry_failed: RetryOption = False,
    dry_run: DryOption = False,
    backend: BackendOption = Backend.loky,
    scheduler: SchedulerOption = None,
) -> None:
    """Run a pretrained speech encoder on every recording in the manifest, and keep all its layers, pooled.

    With --copies it hears random variants of each recording, as 'ser cache augment' draws them for training.
    """
    where = Where(data, manifests, cache, jobs, shards, limit, retry_failed, dry_run, backend, scheduler)
    with plain_errors():
        from ser_pipeline.encoders import encoder_folders, located, need_transformers
        from ser_pipeline.errors import SettingsError
        from ser_pipeline.options import Augmented, configured, layers_of

        need_transformers()
        asked: dict[str, Any] = {
            "encoder": encoder,
            "layers": None if layers is None else layers_of(layers),
            "pooling": None if pooling is None else tuple(pooling.split(",")),
            "frames": frames or None,
            "crop_s": crop_s,
            "trim_db": trim_db,
            "precision": precision,
            "device": device,
        }
        recipe = configured(Path("ser.toml"), embeddings=asked)
        if recipe.embeddings.frames and not recipe.embeddings.layers:
            raise SettingsError("--frames: needs --layers, as in --layers 3; steps of all would fill a disk")
        inputs, _ = located(recipe.embeddings, encoder_folders(encoders), fetch=download)
        say(f"{inputs.encoder}: layers {', '.join(map(str, inputs.layers))} of {inputs.folder}")
        options = Augmented(inputs=inputs, changes=recipe.augment) if copies else inputs
        build(options, where, "ser cache status", max(1, copies))


def encoders(folder: EncodersOption = None, fmt: FormatOption = Format.table) -> None:
    """List encoders known by name, and those in --encoders: size, licence, languages, and where they are."""
    from ser_pipeline.encoders import KNOWN, encoder_folders, read_checkpoint
    from ser_pipeline.errors import EncoderError

    columns = (
        "name",
        "meant for",
        "layers",
        "million weights",
        "MB to fetch",
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
    show_table("encoders", columns, rows, fmt)


def _place(name: str, folders: tuple[Path, ...]) -> str:
    from ser_pipeline.encoders import locate
    from ser_pipeline.errors import EncoderError

    try:
        return str(locate(name, folders).folder)
    except EncoderError:
        return "no"
