"""The command ``ser predict``."""

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ser_pipeline.cli.common import Format, FormatOption, RunsOption, one_line, plain_errors, progress, say
from ser_pipeline.cli.said import Printer, share_or_auto

if TYPE_CHECKING:
    from ser_pipeline.serving.model import Model
    from ser_pipeline.serving.prediction import Failure, Prediction, PredictOptions

ModelOption = Annotated[
    Path | None, typer.Option("--model", help="Run (folder or name) or .onnx file; else the newest run.")
]
AbstainOption = Annotated[
    str, typer.Option(help="Confidence below which to say 'uncertain'; auto: as learned with the model.")
]
CorpusOption = Annotated[
    str | None, typer.Option(help="Corpus whose recording level these have (models of level corpus_rms).")
]
WindowOption = Annotated[float | None, typer.Option("--window", help="Seconds of a window.")]


def predict(
    files: Annotated[list[str], typer.Argument(help="Recordings, folders, patterns; '-' is standard input.")],
    model: ModelOption = None,
    timeline: Annotated[
        bool, typer.Option("--timeline", help="One prediction for each window of a recording.")
    ] = False,
    picture: Annotated[
        Path | None, typer.Option(help="Draw the timeline of one recording (.png, .svg or .pdf).")
    ] = None,
    abstain: AbstainOption = "0",
    window: WindowOption = None,
    hop: Annotated[
        float | None,
        typer.Option(help="Seconds from one window to the next: 1 with --timeline, else half a window."),
    ] = None,
    one_speaker: Annotated[
        bool, typer.Option("--one-speaker", help="All recordings are of one person.")
    ] = False,
    corpus: CorpusOption = None,
    modality: Annotated[str, typer.Option(help="speech or song.")] = "speech",
    threads: Annotated[int | None, typer.Option(min=1, help="Threads of the network.")] = None,
    runs: RunsOption = Path("runs"),
    fmt: FormatOption = Format.table,
) -> None:
    """Tell the emotion of recordings; with --format json one JSON object a line."""
    from ser_pipeline import load_model
    from ser_pipeline.serving.files import expand
    from ser_pipeline.serving.prediction import PredictOptions
    from ser_pipeline.settings import checked

    with plain_errors("give the recordings that are left"):
        given = {"abstain": share_or_auto(abstain), "window_s": window, "hop_s": hop,
                 "corpus": corpus, "modality": modality}  # fmt: skip
        options = checked(PredictOptions, given, where="predict")
        paths, failures = expand(files)
        _check_picture(picture, timeline, paths)
        _limit_threads(threads)
        loaded = load_model(model, runs=runs)
        if loaded.card.synthetic:
            say(f"{loaded.name}: trained on synthetic voices: what it says of real speech means nothing")
        printer = Printer(loaded.emotions, fmt)
        for failure in failures:
            printer.add(failure)
        said = _timelines if timeline else _whole
        kept = [printer.add(each) for each in said(loaded, paths, options, one_speaker)]
        printer.end()
        if picture is not None:
            _draw(picture, kept, loaded.emotions)
    if printer.failed:
        raise typer.Exit(1)


def _whole(
    model: "Model", paths: Sequence[Path], options: "PredictOptions", one_speaker: bool
) -> Iterator["Prediction | Failure"]:
    """One prediction a recording, with progress where there are several."""
    sources = [_stdin() if str(path) == "-" else path for path in paths]
    every = model.predict_many(sources, options, one_speaker=one_speaker)
    if len(paths) < 2:
        yield from every
        return
    with progress("predicted", len(paths), "recordings") as advance:
        for said in every:
            yield said
            advance(1)


def _timelines(
    model: "Model", paths: Sequence[Path], options: "PredictOptions", one_speaker: bool
) -> Iterator["Prediction | Failure"]:
    """Predictions on windows, recording after recording."""
    from ser_pipeline.errors import AudioError
    from ser_pipeline.serving.prediction import Failure

    for path in paths:
        try:
            yield from model.timeline(_stdin() if str(path) == "-" else path, options)
        except AudioError as error:
            yield Failure(str(path), str(error))


def _stdin() -> bytes:
    """A whole recording from standard input."""
    return sys.stdin.buffer.read()


def _limit_threads(threads: int | None) -> None:
    if threads is not None:
        import torch

        torch.set_num_threads(threads)


def _check_picture(picture: Path | None, timeline: bool, paths: Sequence[Path]) -> None:
    from ser_pipeline.errors import SettingsError

    if picture is None:
        return
    if not timeline or len(paths) != 1:
        raise SettingsError("--picture draws the --timeline of one recording; give one, and --timeline")
    if picture.suffix not in (".png", ".svg", ".pdf"):
        raise SettingsError(f"--picture {one_line(str(picture))}: must end in .png, .svg or .pdf")


def _draw(picture: Path, kept: list[Any], emotions: Sequence[str]) -> None:
    from ser_pipeline.serving.picture import draw_timeline
    from ser_pipeline.serving.prediction import Prediction

    predictions = [each for each in kept if isinstance(each, Prediction)]
    if predictions:
        draw_timeline(predictions, emotions, picture)
        say(f"written: {picture}")
