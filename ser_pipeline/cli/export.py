"""The command ``ser export``."""

from collections.abc import Iterator, Sequence
from enum import StrEnum
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Annotated

import typer

from ser_pipeline.cli.common import RunsOption, out, plain_errors, progress, say, say_command, tell_unread
from ser_pipeline.tables import one_line
from ser_pipeline.tables.cells import plural

if TYPE_CHECKING:
    from ser_pipeline.arrays import Float32s
    from ser_pipeline.serving.export import Export
    from ser_pipeline.serving.graph import GraphCheck
    from ser_pipeline.serving.model import Model


class Target(StrEnum):
    """Format of an exported network."""

    onnx = "onnx"


def export(
    run: Annotated[
        Path | None,
        typer.Argument(
            metavar="RUN",
            help="Take this run, by folder or name; by default the best one by validation on new people.",
        ),
    ] = None,
    target: Annotated[Target, typer.Option("--format", help="Write this format.")] = Target.onnx,
    int8: Annotated[
        bool, typer.Option("--int8", help="Store the weights of LSTM and linear layers in 8 bits.")
    ] = False,
    front_end: Annotated[
        bool,
        typer.Option(
            "--front-end",
            help="Put the front end into the graph as well, so that it takes samples.",
        ),
    ] = False,
    check: Annotated[
        list[str] | None,
        typer.Option(help="Compare the graph with the model on these recordings, folders or patterns."),
    ] = None,
    card: Annotated[
        bool, typer.Option("--model-card", help="Write only the model card, in Markdown.")
    ] = False,
    hub: Annotated[
        Path | None,
        typer.Option(
            "--hub",
            help="Write a folder that is ready to be uploaded to the Hugging Face Hub: the graph, its model "
            "card, its settings and its licence.",
        ),
    ] = None,
    to: Annotated[
        Path | None, typer.Option("--out", help="Write to this file; by default to the run's folder.")
    ] = None,
    runs: RunsOption = Path("runs"),
) -> None:
    """Write a network and all it needs for its input as one ONNX file or folder, or write its model card."""
    from ser_pipeline.serving.load import find_model

    with plain_errors():
        if hub is not None:
            _check_alone("--hub", {"--model-card": card, "--front-end": front_end, "--out": to is not None})
        if card:
            _check_alone("--model-card", {"--int8": int8, "--front-end": front_end, "--check": bool(check)})
        _check_suffix(to, ".md" if card else f".{target}")
        folder = find_model(run, runs, built_in=False)
        tell_unread(runs, folder)
        if card:
            _write_card(folder, to)
            return
        if hub is not None:
            _write_folder(folder, hub, int8=int8, check=check or [])
            return
        path = to or folder / f"{'model-wave' if front_end else 'model'}{'-int8' if int8 else ''}.{target}"
        _write_graph(folder, path, int8=int8, front_end=front_end, check=check or [])


def _check_alone(flag: str, others: dict[str, bool]) -> None:
    from ser_pipeline.errors import SettingsError

    if given := [name for name, is_given in others.items() if is_given]:
        raise SettingsError(f"{flag}: does not go with {' or '.join(given)}; leave it out")


def _check_suffix(to: Path | None, suffix: str) -> None:
    from ser_pipeline.errors import SettingsError

    if to is not None and to.suffix != suffix:
        raise SettingsError(f"--out {one_line(str(to))}: must end in {suffix}")


def _write_folder(folder: Path, hub: Path, *, int8: bool, check: list[str]) -> None:
    from ser_pipeline import load_model
    from ser_pipeline.runs.files import read_info
    from ser_pipeline.serving.export import export_folder
    from ser_pipeline.serving.hub import licence_line

    model = load_model(folder)
    waves = _waves(model, _recordings(check))
    made = export_folder(model, folder, hub, int8=int8, waves=waves, trained_on=_corpora(folder))
    out(f"{hub}: {made.size / 2**20:.2f} MiB of graph, model card, settings and licence")
    _tell(made, asked=bool(check))
    say(licence_line(read_info(folder), model.card))
    say_command("upload it with: ", f"hf upload USER/{quote(model.name)} {quote(str(hub))}")


def _write_card(folder: Path, to: Path | None) -> None:
    from ser_pipeline.atomic import write_atomically
    from ser_pipeline.serving.model_card import write_model_card

    path = to or folder / "model-card.md"
    text = write_model_card(folder)
    with write_atomically(path) as part:
        part.write_text(text, encoding="utf-8", newline="\n")
    out(f"{path}: model card")


def _write_graph(folder: Path, path: Path, *, int8: bool, front_end: bool, check: list[str]) -> None:
    from ser_pipeline import load_model
    from ser_pipeline.serving.export import export_graph

    model = load_model(folder)
    waves = _waves(model, _recordings(check))
    made = export_graph(model, path, int8=int8, front_end=front_end, waves=waves, trained_on=_corpora(folder))
    takes = " and ".join(f"'{name}'" for name in made.facts.inputs)
    out(f"{made.path}: {made.size / 2**20:.2f} MiB, takes {takes}")
    _tell(made, asked=bool(check))


def _recordings(words: list[str]) -> list[Path]:
    """Paths that words name; what names no recording is told."""
    from ser_pipeline.serving.reading import expand

    paths, failures = expand(words)
    for failure in failures:
        say(f"ser: {failure.reason}")
    return paths


def _waves(model: "Model", paths: list[Path]) -> "Iterator[Float32s]":
    """Samples of recordings, one after another; those that cannot be used are named in a line."""
    from ser_pipeline.audio import decode_file
    from ser_pipeline.errors import AudioError

    if not paths:
        return
    with progress("compare", len(paths), "recordings") as advance:
        for path in paths:
            try:
                yield decode_file(path, model.sample_rate)
            except AudioError as error:
                say(f"ser: {error}; skipped")
            advance(1)


def _corpora(folder: Path) -> tuple[str, ...]:
    from ser_pipeline.runs.files import read_info
    from ser_pipeline.runs.types import SETTINGS

    return read_info(folder).learned_from if (folder / SETTINGS).exists() else ()


def _tell(made: "Export", *, asked: bool) -> None:
    say(_sentence("made-up sound", made.made_up, made.facts.card.emotions))
    if made.clips.clips:
        say(_sentence("recording", made.clips, made.facts.card.emotions))
    else:
        which = "none of those named could be used" if asked else "name some with --check"
        say(f"not compared on any recordings{_fewer(made.clips)}; {which}")


def _fewer(found: "GraphCheck") -> str:
    return f" ({found.unusable} silent or too short left out)" if found.unusable else ""


def _sentence(what: str, found: "GraphCheck", emotions: Sequence[str]) -> str:
    agree = f", {100 * found.agreement:.1f} % of the decisions agree" if emotions else ""
    return (
        f"compared with the network on {plural(found.clips, what)}{_fewer(found)}: "
        f"{'probabilities' if emotions else 'ratings'} differ by at most {found.largest:.2g}{agree}"
    )
