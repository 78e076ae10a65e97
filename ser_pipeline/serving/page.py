"""The demo page: record or upload, see what the model says and where it looked."""

import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
os.environ.setdefault("HF_HUB_OFFLINE", "1")

import gradio as gr
import numpy as np
from fastapi import FastAPI

from ser_pipeline.errors import AudioSilent, SerError
from ser_pipeline.serving.clips import Clip
from ser_pipeline.serving.desk import Desk, read_header
from ser_pipeline.serving.model import Model
from ser_pipeline.serving.prediction import Prediction, PredictOptions

LONG_S: Final = 8.0
"""A recording longer than this is shown over time as well."""

KEPT_S: Final = 600
"""Files of the page that are older are deleted."""

_CSS: Final = """
footer {display: none !important}
#trust {font-size: 0.9rem}
"""


def mount_page(app: FastAPI, desk: Desk) -> FastAPI:
    """Put the page at the root of an application.

    Args:
        app: with the routes of HTTP, which come first.
        desk: does the work.
    """
    os.environ["GRADIO_TEMP_DIR"] = str(_folder())
    theme = gr.themes.Base(font=["system-ui", "sans-serif"], font_mono=["ui-monospace", "monospace"])
    blocks = _blocks(desk)
    blocks.queue(max_size=desk.limits.waiting, default_concurrency_limit=desk.limits.workers, api_open=False)
    mounted: FastAPI = gr.mount_gradio_app(
        app, blocks, path="/", max_file_size=desk.limits.size, ssr_mode=False, theme=theme, css=_CSS,
        footer_links=[], enable_monitoring=False, pwa=False, mcp_server=False,
    )  # fmt: skip
    app.state.closing.append(remove_files)
    return mounted


def _blocks(desk: Desk) -> Any:
    with gr.Blocks(
        title="ser: emotion in speech", analytics_enabled=False, delete_cache=(60, KEPT_S)
    ) as page:
        gr.Markdown("# Emotion in speech")
        if not desk.has_model:
            gr.Markdown(f"There is no model yet. {desk.missing}")
            return page
        model = desk.model
        gr.Markdown(trust(model), elem_id="trust")
        with gr.Row():
            with gr.Column():
                sound = gr.Audio(
                    sources=["upload", "microphone"], type="filepath", label="Recording", format=None,
                    elem_id="recording", buttons=[], editable=False,
                )  # fmt: skip
                button = gr.Button("What does it sound like?", variant="primary", elem_id="ask")
                examples = _examples()
                if examples:
                    gr.Examples(
                        examples, sound, label="A machine's voice, to try it with", cache_examples=False
                    )
                gr.Markdown(
                    f"Up to {desk.limits.seconds:.0f} s and {desk.limits.megabytes:g} MB. Nothing is kept: "
                    f"recordings are deleted after {KEPT_S // 60} minutes."
                )
            with gr.Column():
                said = gr.Markdown(elem_id="said")
                bars = gr.Label(label="Probabilities", elem_id="bars", show_heading=False)
                picture = gr.Plot(show_label=False, elem_id="picture")
                time = gr.Plot(show_label=False, elem_id="timeline", visible=False)
        outputs = [said, bars, picture, time]
        button.click(
            lambda path: _answer(desk, path), sound, outputs, api_visibility="private", concurrency_limit=None
        )
    return page


def trust(model: Model) -> str:
    """What a model was trained on, and how far to believe it, in a few sentences."""
    card = model.card
    lines = [f"**{model.name}** tells {', '.join(card.emotions)} apart."]
    if card.synthetic:
        lines.append("It was trained on **synthetic voices**: what it says of real speech means nothing.")
    if card.temperature is None:
        lines.append("Its probabilities are not calibrated: they tend to be too high.")
    lines.append(
        "It learned acted emotions of few speakers, and is wrong often: of people it never heard, perhaps "
        "every second or third time. It hears how something is said, not what somebody feels. Not for "
        "decisions about people; at work and in schools, inferring emotions is forbidden in the EU."
    )
    return " ".join(lines)


def _answer(desk: Desk, path: str | None) -> tuple[Any, ...]:
    """What the page shows of a recording."""
    if path is None:
        raise gr.Error("Record something or choose a file first.", print_exception=False)
    try:
        content = Path(path).read_bytes()
        said, clip, weights, windows = desk.submit(lambda: _looked_at(desk, content)).result()
    except SerError as error:
        raise gr.Error(f"{str(error)[:1].upper()}{str(error)[1:]}", print_exception=False) from None
    except OSError:
        raise gr.Error("The recording is gone; send it again.", print_exception=False) from None
    shown = gr.update(value=_over_time(windows, desk.model.emotions), visible=True)
    return (
        _sentence(said),
        said.probabilities or None,
        None if clip is None else _seen(clip, weights),
        shown if windows else gr.update(value=None, visible=False),
    )


def _looked_at(
    desk: Desk, content: bytes
) -> tuple[Prediction, Clip | None, "np.typing.NDArray[np.float32] | None", list[Prediction]]:
    desk.check(content)
    model, options = desk.model, PredictOptions(abstain="auto", hop_s=0.5)
    said = model.predict(content, options, name="recording")
    try:
        clip: Clip | None = model.clip(content, options)
    except AudioSilent:
        clip = None
    weights = None
    if clip is not None:
        weights = model.scorer.attention(clip.values, clip.frames) if clip.values.ndim == 2 else None
        clip = clip if clip.values.ndim == 2 else None
    header = read_header(content)
    long = said.windows > 1 or (header is not None and header.seconds > LONG_S)
    windows = [*model.timeline(content, options)] if long else []
    return said, clip, weights, windows


def _sentence(said: Prediction) -> str:
    if said.emotion is None or said.confidence is None:
        return "### No speech is heard."
    sure = f"{100 * said.confidence:.0f} %"
    if said.decision == "uncertain":
        return f"### Uncertain: perhaps {said.emotion}, {sure} sure."
    return f"### {said.decision[:1].upper()}{said.decision[1:]}, {sure} sure."


def _seen(clip: Clip, weights: "np.typing.NDArray[np.float32] | None") -> Any:
    """The mel, and over it how much each step counted."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 2.6), layout="constrained")
    axes = figure.subplots()
    mel = clip.values[:, : clip.frames]
    length = max(clip.end_s - clip.start_s, 0.01)
    axes.imshow(mel, cmap="cividis", origin="lower", aspect="auto", extent=(0, length, 0, len(mel)))
    axes.set(xlabel="seconds after trimming", ylabel="mel band")
    if weights is not None:
        own = weights[: max(1, int(np.flatnonzero(weights).max(initial=0)) + 1)]
        height = own * len(own) * len(mel) / max(4.0, 1.1 * float((own * len(own)).max()))
        for colour, width in (("white", 3.2), ("#d55e00", 1.6)):
            axes.stairs(height, np.linspace(0, length, len(own) + 1), color=colour, linewidth=width)
        axes.set_title("what the model saw; line: how much each moment counted", loc="left", fontsize=9)
        axes.set_ylim(0, len(mel))
    return figure


def _over_time(windows: Sequence[Prediction], emotions: Sequence[str]) -> Any:
    from ser_pipeline.serving.picture import timeline_figure

    return timeline_figure(windows, emotions) if windows else None


def _examples() -> list[str]:
    """A few recordings by the synthetic voice, in a folder that goes with the process."""
    import soundfile as sf

    from ser_pipeline.serving.voices import example_waves

    folder, paths = _folder(), []
    for name, wave, rate in example_waves():
        path = folder / f"{name}.wav"
        sf.write(path, wave, rate, subtype="PCM_16")
        paths.append(str(path))
    return paths


def _folder() -> Path:
    """A new folder that :func:`remove_files` removes."""
    folder = Path(tempfile.mkdtemp(prefix="ser-demo-"))
    _FOLDERS.append(folder)
    return folder


_FOLDERS: list[Path] = []


def remove_files() -> None:
    """Remove examples, and what was uploaded."""
    import shutil

    while _FOLDERS:
        shutil.rmtree(_FOLDERS.pop(), ignore_errors=True)
