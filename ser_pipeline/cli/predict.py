"""The commands ``ser predict``, ``ser listen`` and ``ser demo``."""

import gc
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ser_pipeline.cli.archive import Archive, check_archive, predict_into
from ser_pipeline.cli.common import (
    Format,
    FormatOption,
    RunsOption,
    introduce,
    out,
    plain_errors,
    progress,
    say,
    tell_unread,
)
from ser_pipeline.cli.flags import Given
from ser_pipeline.cli.printer import Printer
from ser_pipeline.cli.streams import unswept
from ser_pipeline.tables import one_line
from ser_pipeline.tables.cells import plural

if TYPE_CHECKING:
    from ser_pipeline.options import PredictOptions
    from ser_pipeline.serving.model import Model
    from ser_pipeline.serving.prediction import Prediction, Unusable


ModelOption = Annotated[
    Path | None,
    typer.Option(
        "--model",
        help="Use this model: a run, by folder or name, or a file or folder that 'ser export' wrote; by "
        "default the best run by validation on new people, or the built-in model where nothing was trained.",
    ),
]
ThreadsOption = Annotated[int | None, typer.Option(min=1, help="Let the network use this many threads.")]
EnrolOption = Annotated[
    list[str] | None,
    typer.Option(
        "--enrol",
        help="Adapt to the speaker by these other recordings of the same person, whatever the emotion: "
        "files, folders or patterns. It needs a model trained with --normalise adaptive. Repeat it for more.",
    ),
]


def predict(
    given: Given,
    files: Annotated[
        list[str],
        typer.Argument(
            metavar="FILE",
            help="Predict on these recordings, folders, patterns or addresses, as in s3://bucket/a.wav; "
            "'-' is standard input. With --out, a manifest stands for its recordings and segments.",
        ),
    ],
    archive: Archive,
    model: ModelOption = None,
    timeline: Annotated[
        bool, typer.Option("--timeline", help="Give one prediction for each window of a recording.")
    ] = False,
    picture: Annotated[
        Path | None, typer.Option(help="Draw the timeline of one recording (.png, .svg or .pdf).")
    ] = None,
    one_speaker: Annotated[
        bool, typer.Option("--one-speaker", help="Treat all recordings as those of one person.")
    ] = False,
    enrol: EnrolOption = None,
    threads: ThreadsOption = None,
    runs: RunsOption = Path("runs"),
    fmt: FormatOption = Format.table,
) -> None:
    """Predict the emotion of recordings, or their ratings; --format json prints one JSON object per line."""
    from ser_pipeline.errors import SettingsError
    from ser_pipeline.options import PredictOptions
    from ser_pipeline.serving.reading import expand

    with plain_errors("run the command for the remaining recordings"), unswept():
        options = given.options(PredictOptions)
        _check_adapt(options, timeline)
        check_archive(
            archive, one_speaker=one_speaker, enrol=enrol, picture=picture, threads=threads, fmt=fmt
        )
        if archive.out is not None:
            place = _find(model, runs)
            _load(place, options)  # refuses one that cannot be used before any worker begins
            predict_into(files, archive, archive.out, place, options, timeline=timeline)
            return
        paths, failures = expand(files)
        _check_picture(picture, timeline, paths)
        loaded = _enrolled(_load(_find(model, runs), options, one_speaker=one_speaker), enrol, options, paths)
        _limit_threads(threads)
        if picture is not None and not loaded.emotions:
            raise SettingsError(f"--picture draws emotions, but {loaded.name} predicts none; leave it out")
        printer = Printer(loaded, fmt, whole=not timeline)
        for failure in failures:
            printer.add(failure)
        said = _timelines if timeline else _whole
        kept = []
        for each in said(loaded, paths, options, one_speaker):
            kept.append(printer.add(each))
            gc.enable()  # all that is needed is loaded
        printer.end()
        if picture is not None:
            _draw(picture, kept, loaded.emotions)
    if printer.failed:
        raise typer.Exit(1)


def _enrolled(model: "Model", words: list[str] | None, options: "PredictOptions", on: list[Path]) -> "Model":
    """The model as it is for the person whose recordings were named with ``--enrol``."""
    from ser_pipeline.errors import SettingsError
    from ser_pipeline.serving.reading import expand, itself

    if not words:
        return model
    paths, unusable = expand(list(words))
    adapted, more = model.for_speaker(paths, options)
    for each in (*unusable, *more):
        say(f"ser: --enrol: {one_line(each.reason)}")
    if unusable or len(more) == len(paths) or any(each.name in words for each in more):
        raise SettingsError("--enrol: name recordings of the speaker that can be used")
    if twice := itself(paths, on):
        say(f"ser: --enrol: {one_line(twice)}")
    say(f"adapted to the speaker with {plural(len(paths) - len(more), 'recording')}")
    return adapted


def _load(place: Path, options: "PredictOptions", *, one_speaker: bool = False) -> "Model":
    """Load a model that has a use for all options, and say that it answers."""
    from ser_pipeline.serving.ensemble import cards_of
    from ser_pipeline.serving.load import load_model
    from ser_pipeline.serving.voices import check_effect

    loaded = load_model(place)
    check_effect(loaded.name, cards_of(loaded), options, one_speaker=one_speaker)
    introduce(loaded)
    if options.abstain == "auto" and loaded.card.abstain_below is None:
        say(f"{loaded.name}: has no threshold for abstaining, so --abstain auto changes nothing")
    return loaded


def _find(model: Path | None, runs: Path) -> Path:
    """Place of the model that was asked for, or of the best."""
    from ser_pipeline.serving.load import find_model

    place = find_model(model, runs)
    tell_unread(runs, place)
    return place


def _whole(
    model: "Model", paths: Sequence[Path], options: "PredictOptions", one_speaker: bool
) -> Iterator["Prediction | Unusable"]:
    """One prediction a recording, with progress where there are several."""
    every = model.predict_many([_source(path) for path in paths], options, one_speaker=one_speaker)
    if len(paths) < 2:
        yield from every
        return
    with progress("predicting", len(paths), "recordings") as advance:
        for said in every:
            yield said
            advance(1)


def _timelines(
    model: "Model", paths: Sequence[Path], options: "PredictOptions", one_speaker: bool
) -> Iterator["Prediction | Unusable"]:
    """Predictions on windows, recording after recording."""
    from ser_pipeline.errors import AudioError
    from ser_pipeline.remote.addresses import shown
    from ser_pipeline.serving.prediction import Unusable

    for path in paths:
        try:
            yield from model.timeline(_source(path), options)
        except AudioError as error:
            yield Unusable(shown(path), str(error))


def _source(path: Path) -> Path | bytes:
    """A recording that can be read more than once: of standard input and of pipes, their bytes."""
    from ser_pipeline.serving.reading import readable

    return sys.stdin.buffer.read() if str(path) == "-" else readable(path)


def _limit_threads(threads: int | None) -> None:
    if threads is not None and "torch" in sys.modules:  # a graph computes on one thread
        import torch

        torch.set_num_threads(threads)


def _check_picture(picture: Path | None, timeline: bool, paths: Sequence[Path]) -> None:
    from ser_pipeline.errors import SettingsError

    if picture is None:
        return
    if not timeline or len(paths) != 1:
        raise SettingsError(
            "--picture draws the timeline of one recording; pass one recording, and --timeline"
        )
    if picture.suffix not in (".png", ".svg", ".pdf"):
        raise SettingsError(f"--picture {one_line(str(picture))}: must end in .png, .svg or .pdf")


def _check_adapt(options: "PredictOptions", timeline: bool) -> None:
    from ser_pipeline.errors import SettingsError

    if options.adapt and not timeline:
        raise SettingsError(
            "--adapt follows a voice through the windows of a --timeline; for whole recordings of one "
            "person, use --one-speaker, or --enrol with other recordings of that person"
        )


def _draw(picture: Path, kept: list[Any], emotions: Sequence[str]) -> None:
    from ser_pipeline.serving.picture import draw_timeline
    from ser_pipeline.serving.prediction import Prediction

    if predictions := [each for each in kept if isinstance(each, Prediction)]:
        draw_timeline(predictions, emotions, picture)
        say(f"written: {picture}")


def listen(
    given: Given,
    file: Annotated[
        Path | None, typer.Option(help="Play this recording instead of listening to the microphone.")
    ] = None,
    model: ModelOption = None,
    enrol: EnrolOption = None,
    live: Annotated[
        bool, typer.Option("--live/--at-once", help="Play --file at its own pace, or as fast as possible.")
    ] = True,
    runs: RunsOption = Path("runs"),
    fmt: FormatOption = Format.table,
) -> None:
    """Predict the emotion of what the microphone hears, every half second, until Ctrl-C."""
    from ser_pipeline.options import PredictOptions
    from ser_pipeline.serving.stream import Stream, Timing, answers, microphone, played

    timing = Timing()
    with plain_errors():
        options = given.options(PredictOptions)
        loaded = _enrolled(_load(_find(model, runs), options), enrol, options, [file] if file else [])
        loaded.warm_up()
        printer = None if fmt is Format.table else Printer(loaded, fmt)
        opened = microphone() if file is None else played(file, live=live)
        name = "microphone" if file is None else str(file)
        try:
            with opened as (sample_rate, blocks):
                if file is None:
                    say("listening; press Ctrl-C to stop")
                for said in answers(
                    Stream(loaded, sample_rate, options, name=name), blocks, sample_rate, timing
                ):
                    if printer is None:
                        out(_line(said))
                    else:
                        printer.add(said)
        except KeyboardInterrupt:  # how a microphone is left
            say("")
        say(timing.sentence())


def _line(said: "Prediction") -> str:
    confidence, rated = said.confidence, said.rated
    bar = rated if confidence is None else f"{confidence:5.2f} {'#' * round(20 * confidence):<20} {rated}"
    return f"{said.end_s:8.1f} s  {said.decision:<12} {bar}".rstrip()


def demo(
    given: Given,
    model: ModelOption = None,
    host: Annotated[
        list[str] | None,
        typer.Option(
            help="Listen on this address, 127.0.0.1 by default; on 0.0.0.0 other machines can reach it by "
            "its address. Repeat it for each name by which they may reach it.",
        ),
    ] = None,
    port: Annotated[int, typer.Option(min=1, max=65535, help="Listen on this port.")] = 7860,
    page: Annotated[
        bool, typer.Option("--page/--no-page", help="Serve the page as well, or the HTTP interface alone.")
    ] = True,
    runs: RunsOption = Path("runs"),
) -> None:
    """Serve a page to record or upload speech, and POST /predict for programs, on this computer only."""
    from ser_pipeline.options import Limits
    from ser_pipeline.serving.demo import application, check_installed, check_port, model_to_serve, serve

    with plain_errors("it can be started again at any time"):
        check_installed()
        limits = given.options(Limits)
        first, *_ = hosts = host or ["127.0.0.1"]
        check_port(first, port)
        loaded = model_to_serve(model, runs)
        tell_unread(runs, loaded[1])
        app = application(loaded, limits, hosts=hosts, page=page)
        introduce(loaded[0])
        address = f"http://[{first}]:{port}" if ":" in first else f"http://{first}:{port}"
        out(f"{address}  (model {loaded[0].name}; press Ctrl-C to stop)")
        if first not in ("127.0.0.1", "localhost", "::1"):
            say("others on this network can reach it; there is no password")
        serve(app, first, port)
