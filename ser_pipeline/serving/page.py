"""The demo page: record or upload, and see what the model says and why.

Gradio's recorder makes WAV in the browser; an upload may be of any format that can be decoded. Pictures are
part of the answer; the only files are what was uploaded, which Gradio needs to play it, in a folder that is
emptied every minute and removed in the end.
"""

import base64
import io
import os
from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path
from typing import Any, Final

import soundfile
from fastapi import FastAPI

from ser_pipeline.errors import SerError
from ser_pipeline.options import PredictOptions, mels_of
from ser_pipeline.serving.details import Details, details, enrolled
from ser_pipeline.serving.model import Model
from ser_pipeline.serving.picture import COLOURS, mel_figure, moved_figure, timeline_figure
from ser_pipeline.serving.prediction import NO_SPEECH, UNCERTAIN, Prediction
from ser_pipeline.serving.service import MOST_ENROLLED, NO_MODEL, Place, Service
from ser_pipeline.serving.voices import adaptive
from ser_pipeline.synth import ROOMS, synth_recording

KEPT_S: Final = 300
"""Uploads are kept this long at most, for the player of the page."""

HOP_S: Final = 0.5
"""Seconds between windows of a longer recording."""

ANSWER_S: Final = 120
"""The page waits this long for an answer."""

MOST_PIECES: Final = 8
"""Parts of a vector that are shown."""

FOR: Final = "#b35806"
AGAINST: Final = "#542788"
"""Of the palette that the picture of mels uses; told apart by every kind of eye."""

MOVED: Final = (
    "What moved the decision: each patch was replaced by the recording's mean. Orange spoke for the "
    "decision, purple against it."
)

STYLE: Final = Path(__file__).parent / "templates" / "demo.css"
FONTS: Final = ("system-ui", "sans-serif")
VOICES: Final = (("anger", 3, "female"), ("happiness", 5, "male"), ("neutral", 2, "female"),
                 ("sadness", 8, "male"))  # fmt: skip
"""Emotion, voice and sex of the examples."""


def answer(details: Details) -> str:
    """The decision, its confidence, and a bar for each emotion.

    Args:
        details: what was found.
    """
    said = details.prediction
    if said.decision == NO_SPEECH:
        return (
            f"<div class='ser-answer'><strong>{NO_SPEECH}</strong><span>nothing is loud enough</span></div>"
        )
    of = (
        f"mean of {said.windows} windows" if said.windows > 1 else f"{said.start_s:.1f} to {said.end_s:.1f} s"
    )
    perhaps = f": perhaps {said.emotion}" if said.decision == UNCERTAIN else ""
    head = (
        f"<div class='ser-answer'><strong>{escape(said.decision + perhaps)}</strong>"
        f"<span>{round(100 * (said.confidence or 0))} % sure · {of} of "
        f"{details.duration_s:.1f} s</span></div>"
    )
    return head + _bars(said)


def _bars(said: Prediction) -> str:
    ranked = sorted(said.probabilities.items(), key=lambda each: -each[1])
    return "".join(
        f"<div class='ser-bar'><span>{escape(name)}</span>"
        f"<div><i style='width:{100 * share:.1f}%;background:{COLOURS.get(name, '#0b6e5b')}'></i></div>"
        f"<b>{round(100 * share)} %</b></div>"
        for name, share in ranked
    )


def picture(figure: Any, caption: str) -> str:
    """A matplotlib figure inside the page, so that nothing is kept as a file.

    Args:
        figure: to draw.
        caption: below it, and its text for those who cannot see it.
    """
    drawn = io.BytesIO()
    figure.savefig(drawn, format="png", dpi=120)
    data = base64.b64encode(drawn.getvalue()).decode()
    said = escape(caption)
    return (
        f"<figure class='ser-figure'><img alt='{said}' src='data:image/png;base64,{data}'>"
        f"<figcaption>{said}</figcaption></figure>"
    )


def sentences(lines: Iterable[str], kind: str) -> str:
    """Paragraphs in a box of class ``ser-<kind>``."""
    inside = "".join(f"<p>{escape(line)}</p>" for line in lines)
    return f"<div class='ser-{kind}'>{inside}</div>"


def add_page(app: FastAPI, service: Service, trusted: Sequence[str], folder: Path) -> FastAPI:
    """Put the page at ``/`` of an application.

    Args:
        app: with the HTTP interface.
        service: predicts.
        trusted: what to say of the model.
        folder: for uploads and examples; the caller removes it.
    """
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    os.environ["GRADIO_TEMP_DIR"] = str(folder)
    os.environ["HF_HUB_OFFLINE"] = "1"
    import gradio

    theme = gradio.themes.Soft(
        primary_hue="teal", font=FONTS, font_mono=("ui-monospace", "monospace"), radius_size="md"
    )
    with gradio.Blocks(
        title="ser: emotion in speech", analytics_enabled=False, delete_cache=(60, KEPT_S)
    ) as blocks:
        _lay_out(gradio, service, trusted, folder)
    blocks.queue(max_size=service.limits.waiting, default_concurrency_limit=8, api_open=False)
    mounted: FastAPI = gradio.mount_gradio_app(
        app, blocks, path="/", theme=theme, css_paths=STYLE, footer_links=[], run_history=False,
        max_file_size=service.limits.max_bytes, ssr_mode=False, enable_monitoring=False, show_error=True,
        allowed_paths=[str(folder)],
    )  # fmt: skip
    return mounted


def _lay_out(gradio: Any, service: Service, trusted: Sequence[str], folder: Path) -> None:
    limits = service.limits
    gradio.Markdown("# Emotion in speech\nSpeak, or choose a recording; the model says what it hears.")
    if service.model is None:
        gradio.HTML(sentences([_capital(NO_MODEL)], "error"), elem_id="ser-result")
        return
    heard = gradio.Audio(
        sources=["microphone", "upload"], type="filepath", label="Recording", elem_id="ser-audio",
        buttons=[], editable=False,
    )  # fmt: skip
    gradio.Examples(
        examples=[[str(path)] for path in _examples(folder)],
        example_labels=[f"{emotion} ({sex})" for emotion, _, sex in VOICES],
        inputs=[heard], label="Synthetic voices", cache_examples=False, api_visibility="private",
    )  # fmt: skip
    known = gradio.File(
        file_count="multiple", file_types=["audio", "video"], elem_id="ser-enrol",
        label=f"Other recordings of the same person, of any emotion (optional, at most {MOST_ENROLLED})",
        visible=adaptive(service.model.card),
    )  # fmt: skip
    result = gradio.HTML(elem_id="ser-result")
    with gradio.Accordion("What it was trained on, and how far to trust it", open=True):
        gradio.HTML(sentences(trusted, "trust"))
    gradio.HTML(
        f"<p class='ser-note'>At most {limits.max_mb:g} MB and {limits.max_s:g} s. Recordings are deleted "
        f"within {KEPT_S // 60 + 1} minutes and sent nowhere else. <a href='docs'>For programs</a></p>"
    )
    for changed in (heard, known):
        changed.change(
            lambda path, others: shown(service, path, others or ()),
            [heard, known],
            [result],
            api_visibility="private",
            trigger_mode="always_last",
        )


def shown(service: Service, path: str | None, others: Sequence[str] = ()) -> str:
    """HTML for a recording that was uploaded.

    Args:
        service: predicts.
        path: of the upload; None after the page was cleared.
        others: other recordings of the person who speaks.
    """
    if path is None:
        return ""
    if len(others) > MOST_ENROLLED:
        return sentences([f"Give at most {MOST_ENROLLED} other recordings of the person."], "error")
    try:
        with service.place() as place:
            content, *known = (_uploaded(each, place) for each in (path, *others))
            options, limits = PredictOptions(abstain="auto", hop_s=HOP_S), service.limits
            work = service.start(
                lambda model: details(
                    enrolled(model, known, options, limits), content, options, limits, "The recording"
                )
            )
            return _html(work.result(ANSWER_S), service.model)
    except SerError as error:
        return sentences([_capital(str(error))], "error")
    except TimeoutError:
        return sentences([f"There was no answer within {ANSWER_S} s; try a shorter recording."], "error")
    except OSError:
        return sentences(["The recording is not there any more; record or upload it again."], "error")


def _uploaded(path: str, place: Place) -> bytes:
    place.grow(Path(path).stat().st_size)
    return Path(path).read_bytes()


def _html(found: Details, model: Model | None) -> str:
    if model is None:
        return sentences([NO_MODEL], "error")
    parts = [answer(found)]
    options = mels_of(model.card.inputs)
    if found.timeline:
        figure = timeline_figure(found.timeline, model.emotions)
        parts.append(picture(figure, "Emotion over time: probabilities in overlapping windows."))
    if found.clip is not None and options is not None:
        line = (
            "" if found.attention is None else " The line is the network's attention: high where it looked."
        )
        figure = mel_figure(
            found.clip, found.attention, options, model.card.model.architecture.frames_per_step
        )
        parts.append(picture(figure, f"What the network saw: {options.n_mels} mel bands.{line}"))
    if found.clip is not None and options is not None and found.moved is not None:
        parts.append(picture(moved_figure(found.clip, found.moved, options), MOVED))
    if found.pieces:
        parts.append(_moved(found.pieces))
    return "".join(parts)


def _moved(pieces: Sequence[tuple[str, float]]) -> str:
    """What spoke for the decision, and what against it: the strongest pieces first."""
    strongest = sorted(pieces, key=lambda each: -abs(each[1]))[:MOST_PIECES]
    most = max(abs(fall) for _, fall in strongest) or 1.0
    bars = "".join(
        f"<div class='ser-piece'><span>{escape(name)}</span>"
        f"<div><i style='width:{100 * abs(fall) / most:.1f}%;"
        f"background:{FOR if fall >= 0 else AGAINST}'></i></div>"
        f"<b>{'for' if fall >= 0 else 'against'}</b></div>"
        for name, fall in strongest
    )
    said = "What spoke for this decision, and what against it: each part was replaced by an average one."
    return f"<div class='ser-moved'><p>{said}</p>{bars}</div>"


def _examples(folder: Path) -> list[Path]:
    """Write recordings of synthetic voices."""
    paths = []
    for emotion, seed, sex in VOICES:
        path = folder / "examples" / f"{emotion}.wav"
        path.parent.mkdir(exist_ok=True)
        wave = synth_recording(emotion, seed, sex="male" if sex == "male" else "female", corpus="emodb")
        soundfile.write(path, wave, ROOMS["emodb"].sample_rate)
        paths.append(path)
    return paths


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
