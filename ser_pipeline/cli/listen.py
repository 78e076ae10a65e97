"""The command ``ser listen``."""

from pathlib import Path
from typing import Annotated

import typer

from ser_pipeline.cli.common import Format, FormatOption, RunsOption, out, plain_errors, say
from ser_pipeline.cli.predict import AbstainOption, CorpusOption, ModelOption, WindowOption
from ser_pipeline.cli.said import Printer, share_or_auto


def listen(
    file: Annotated[Path | None, typer.Option(help="Recording to play; else the microphone.")] = None,
    model: ModelOption = None,
    live: Annotated[
        bool, typer.Option("--live/--at-once", help="Play --file at its own pace, or as fast as it goes.")
    ] = True,
    abstain: AbstainOption = "0",
    window: WindowOption = None,
    hop: Annotated[float, typer.Option(help="Seconds from one answer to the next.")] = 0.5,
    corpus: CorpusOption = None,
    runs: RunsOption = Path("runs"),
    fmt: FormatOption = Format.table,
) -> None:
    """Tell the emotion of what the microphone hears, every half second; Ctrl-C ends."""
    from ser_pipeline import load_model
    from ser_pipeline.serving.live import Timing, answers, microphone, played
    from ser_pipeline.serving.prediction import PredictOptions
    from ser_pipeline.serving.stream import Stream
    from ser_pipeline.settings import checked

    timing = Timing()
    with plain_errors():
        given = {"abstain": share_or_auto(abstain), "window_s": window, "hop_s": hop, "corpus": corpus}
        options = checked(PredictOptions, given, where="listen")
        loaded = load_model(model, runs=runs)
        loaded.warm_up()
        printer = None if fmt is Format.table else Printer(loaded.emotions, fmt)
        opened = microphone() if file is None else played(file, live=live)
        name = "microphone" if file is None else str(file)
        try:
            with opened as (sample_rate, blocks):
                if file is None:
                    say("listening; Ctrl-C ends")
                for said in answers(
                    Stream(loaded, sample_rate, options, name=name), blocks, sample_rate, timing
                ):
                    if printer is None:
                        out(_line(said.end_s, said.decision, said.confidence))
                    else:
                        printer.add(said)
        except KeyboardInterrupt:  # how a microphone is left
            say("")
        say(timing.sentence())


def _line(end_s: float, decision: str, confidence: float | None) -> str:
    bar = "" if confidence is None else f"{confidence:5.2f} {'#' * round(20 * confidence)}"
    return f"{end_s:8.1f} s  {decision:<12} {bar}".rstrip()
