"""The demo page: record or upload, and see what the model says and why, in the reader's language.

The browser makes WAV of the microphone's sound. Nothing is written to disk: a recording is read into
memory, and the answer holds its pictures.
"""

import base64
import io
import json
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from html import escape
from typing import Any, Final

import soundfile
from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse, Response
from markupsafe import Markup
from pydantic import BaseModel, ConfigDict
from starlette.exceptions import HTTPException

from ser_pipeline.options import Options, PredictOptions, mels_of
from ser_pipeline.options.base import option
from ser_pipeline.serving.details import MOST_VALUES, Details, details, enrolled
from ser_pipeline.serving.http import TEMPLATES, answered, asked, template
from ser_pipeline.serving.model import Model
from ser_pipeline.serving.model_card import Caveat
from ser_pipeline.serving.picture import COLOURS, mel_figure, moved_figure, timeline_figure
from ser_pipeline.serving.prediction import NO_SPEECH, RATED, UNCERTAIN, Prediction
from ser_pipeline.serving.reading import itself
from ser_pipeline.serving.service import MOST_ENROLLED, Sent, Service
from ser_pipeline.serving.voices import adaptive
from ser_pipeline.synth import ROOMS, synth_recording

MOST_PIECES: Final = 8
"""Parts of a vector that are shown."""

FOR: Final = "#b35806"
AGAINST: Final = "#542788"
"""Of the palette that the picture of mels uses; told apart by every kind of eye."""

FILES: Final = {"page.css": "text/css", "page.js": "text/javascript"}
VOICES: Final = (("anger", 3, "female"), ("happiness", 5, "male"), ("neutral", 2, "female"),
                 ("sadness", 8, "male"))  # fmt: skip
"""Emotion, voice and sex of the examples."""

PARTS: Final = ("trust_in", "refusals", "emotions")
"""Tables of their own among the texts of a language."""

SPOKEN: Final = (
    "record", "stop", "recording", "no_microphone", "refused_microphone", "working", "unusable", "failed",
)  # fmt: skip
"""Texts that the page's script says."""


class PageOptions(Options):
    """What a request for the page, or for what it shows, asks for."""

    lang: str = option("", "Language; without it, or with an unknown one, as the browser asks.", flag="")


class Texts(BaseModel):
    """What the page says in one language; see ``templates/texts.toml``.

    Attributes:
        code: of the language, as in HTML.
        words: a text for each key, with placeholders.
        trust_in: sentences about a model, by the keys of :class:`Caveat`.
        refusals: why a recording is not judged, by the codes of errors.
        emotions: their names.
    """

    model_config = ConfigDict(frozen=True)

    code: str
    words: dict[str, str]
    trust_in: dict[str, str]
    refusals: dict[str, str]
    emotions: dict[str, str]

    def __call__(self, key: str, **values: Any) -> str:
        """A text with its values; numbers are written as in the language."""
        return self._filled(self.words[key], values)

    def caveat(self, said: Caveat) -> str:
        """A sentence about a model."""
        values = {name: self._inside(name, value) for name, value in said.values.items()}
        return self._filled(self.trust_in[said.key], values)

    def refusal(self, code: str, **values: Any) -> str:
        """Why a recording is not judged."""
        return self._filled(self.refusals[code], values)

    def _inside(self, name: str, value: Any) -> Any:
        """A value of a caveat in words, where it is another text, or a list of names."""
        if isinstance(value, Caveat):
            return self.caveat(value)
        if isinstance(value, tuple):
            return ", ".join(self.emotions.get(each, each) for each in map(str, value))
        return value

    def _filled(self, text: str, values: Mapping[str, Any]) -> str:
        return text.format_map({name: self._number(value) for name, value in values.items()})

    def _number(self, value: Any) -> Any:
        """Digits in groups of three, and a decimal where it has one."""
        if isinstance(value, bool) or not isinstance(value, int | float):
            return value
        written = f"{value:,}" if isinstance(value, int) else f"{value:,.1f}"
        signs = str.maketrans({",": self.words["thousands"], ".": self.words["decimal"]})
        return written.translate(signs)


@lru_cache
def languages() -> dict[str, Texts]:
    """Texts by the code of their language; the first is for all who ask for none of them."""
    with (TEMPLATES / "texts.toml").open("rb") as file:
        read = tomllib.load(file)
    return {
        code: Texts(code=code, **{name: found.pop(name) for name in PARTS}, words=found)
        for code, found in read.items()
    }


def language_of(wanted: str | None, accepted: str) -> Texts:
    """Texts for a reader.

    Args:
        wanted: the language that was chosen on the page.
        accepted: the header Accept-Language.

    Examples:
        >>> language_of(None, "fr, pl;q=0.5, en;q=0.4").code, language_of("de", "en").code
        ('pl', 'de')
        >>> language_of(None, "de-AT;q=0.9, *;q=x").code, language_of("xx", "").code
        ('de', 'en')
    """
    known = languages()
    if wanted in known:
        return known[wanted]
    ranked: list[tuple[float, int, str]] = []
    for each in accepted.lower().split(","):
        tag, _, quality = each.strip().partition(";q=")
        code = tag.partition("-")[0]
        try:
            share = float(quality or 1)
        except ValueError:
            continue
        if code in known and share > 0:
            ranked.append((-share, len(ranked), code))
    return known[min(ranked)[2]] if ranked else next(iter(known.values()))


def answer(found: Details, texts: Texts) -> str:
    """The decision, its confidence, and a bar for each emotion, as HTML.

    Args:
        found: in a recording.
        texts: of the reader's language.
    """
    said = found.prediction
    if said.decision == NO_SPEECH:
        return _decision(texts("no_speech"), texts("quiet"))
    of = (
        texts("windows", windows=said.windows)
        if said.windows > 1
        else texts("stretch", start=float(said.start_s), end=float(said.end_s))
    )
    of = f"{of} {texts('length', duration=float(found.duration_s))}"
    if said.decision == RATED:
        return _decision(", ".join(f"{texts(name)} {value:+.2f}" for name, value in said.ratings.items()), of)
    name = _named(said.emotion or "", texts)
    decided = texts("perhaps", emotion=name) if said.decision == UNCERTAIN else name
    sure = texts("sure", percent=round(100 * (said.confidence or 0)))
    return _decision(decided, f"{sure} · {of}") + _bars(said, texts)


def _decision(decided: str, how: str) -> str:
    return f"<p class='decision'><strong>{escape(decided)}</strong> <span>{escape(how)}</span></p>"


def _named(emotion: str, texts: Texts) -> str:
    return texts.emotions.get(emotion, emotion)


def _bars(said: Prediction, texts: Texts) -> str:
    ranked = sorted(said.probabilities.items(), key=lambda each: -each[1])
    rows = "".join(
        _row(
            _named(name, texts),
            share,
            COLOURS.get(name, "#0b6e5b"),
            texts("percent", percent=round(100 * share)),
        )
        for name, share in ranked
    )
    return _table(texts("probabilities"), (texts("emotion"), texts("probability")), rows)


def _row(name: str, share: float, colour: str, said: str) -> str:
    """A bar of a share in [0, 1], with its name before it and what it says behind it."""
    return (
        f"<tr><th scope='row'>{escape(name)}</th><td><div><i aria-hidden='true'>"
        f"<b style='width:{100 * share:.1f}%;background:{colour}'></b></i>"
        f"<span>{escape(said)}</span></div></td></tr>"
    )


def _table(caption: str, columns: Sequence[str], rows: str) -> str:
    heads = "".join(f"<th scope='col'>{escape(column)}</th>" for column in columns)
    return (
        f"<table class='bars'><caption>{escape(caption)}</caption><thead><tr>{heads}</tr></thead>"
        f"<tbody>{rows}</tbody></table>"
    )


def _moved(pieces: Sequence[tuple[str, float]], texts: Texts) -> str:
    """What spoke for the decision, and what against it: the strongest pieces first."""
    strongest = sorted(pieces, key=lambda each: -abs(each[1]))[:MOST_PIECES]
    most = max(abs(fall) for _, fall in strongest) or 1.0
    rows = "".join(
        _row(name, abs(fall) / most, *((FOR, texts("for")) if fall >= 0 else (AGAINST, texts("against"))))
        for name, fall in strongest
    )
    table = _table(texts("pieces"), (texts("part"), texts("side")), rows)
    return f"<div class='pieces'>{table}</div>"


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
    image = f"<img alt='{said}' src='data:image/png;base64,{data}'>"
    return f"<figure>{image}<figcaption>{said}</figcaption></figure>"


def add_page(app: FastAPI, service: Service, trusted: Sequence[Caveat]) -> None:
    """Put the page at ``/`` of an application.

    Args:
        app: with the HTTP interface.
        service: predicts.
        trusted: what to say of the model.
    """

    def read_by(request: Request, options: PageOptions) -> Texts:
        return language_of(options.lang, request.headers.get("accept-language", ""))

    @app.api_route("/", methods=["GET", "HEAD"], include_in_schema=False)
    async def page(request: Request) -> HTMLResponse:
        texts = read_by(request, asked(request, PageOptions))
        headers = {"Content-Language": texts.code, "Vary": "Accept-Language"}
        return HTMLResponse(_page(service, trusted, texts), headers=headers)

    @app.post("/show", include_in_schema=False)
    async def show(request: Request) -> HTMLResponse:

        def work(model: Model, sent: Sent, options: PageOptions) -> str:
            return shown(model, sent, service, read_by(request, options))

        return HTMLResponse(await answered(request, service, PageOptions, work))

    @app.get("/examples/{number}.wav", include_in_schema=False)
    def example(number: int) -> Response:
        if not 0 <= number < len(VOICES):
            raise HTTPException(404)
        return Response(_example(number), media_type="audio/wav")

    for name, kind in FILES.items():
        app.add_api_route(f"/{name}", _file(name, kind), include_in_schema=False)


def _file(name: str, kind: str) -> Callable[[], Response]:
    content = (TEMPLATES / name).read_bytes()
    return lambda: Response(content, media_type=kind)


def _page(service: Service, trusted: Sequence[Caveat], texts: Texts) -> str:
    limits = service.limits
    most = {"mb": f"{limits.max_mb:g}", "seconds": f"{limits.max_s:g}"}
    filled = {
        **texts.words,
        "code": texts.code,
        "upload_note": texts("upload_note", **most),
        "enrol_note": texts("enrol_note", most=MOST_ENROLLED),
    }
    spoken: dict[str, Any] = {key: filled[key] for key in SPOKEN}
    spoken["refusals"] = {code: texts.refusal(code, values=MOST_VALUES, **most) for code in texts.refusals}
    return template("page.html.j2").render(
        texts=filled,
        # inside a script nothing is escaped, so that no text may end it
        spoken=Markup(_in_script(spoken | {"most_seconds": limits.max_s, "most_bytes": limits.max_bytes})),
        languages={code: each.words["name"] for code, each in languages().items()},
        adaptive=adaptive(service.model.card),
        examples=[texts(sex, emotion=texts.emotions[emotion]) for emotion, _, sex in VOICES],
        trusted=[texts.caveat(each) for each in trusted],
    )


def shown(model: Model, sent: Sent, service: Service, texts: Texts) -> str:
    """HTML for recordings that were sent.

    Args:
        model: predicts.
        sent: the recording, and others of the person who speaks.
        service: whose limits hold.
        texts: of the reader's language.

    Raises:
        AudioError: a recording cannot be used.
        RunError: the model was not trained to adapt to others.
    """
    options, limits = PredictOptions(abstain="auto"), service.limits
    model = enrolled(model, sent.enrol, options, limits)
    found = details(model, sent.recording, options, limits, "recording")
    twice = f"<p class='note'>{escape(texts('itself'))}</p>" if itself(sent.enrol, [sent.recording]) else ""
    return "".join([answer(found, texts), twice, _answered_by(model, texts), *_pictures(found, model, texts)])


def _answered_by(model: Model, texts: Texts) -> str:
    """Who answers; how good it is stands below every answer."""
    about = model.about
    if about is None:
        return ""
    return f"<p class='note'>{escape(texts('answered_by', model=about.name, kind=about.model))}</p>"


def _pictures(found: Details, model: Model, texts: Texts) -> Iterator[str]:
    options = mels_of(model.card.inputs)
    if found.timeline:
        over = [texts("axis_middle"), texts("axis_probability")]
        figure = timeline_figure(found.timeline, model.emotions, labels=over, names=texts.emotions)
        yield picture(figure, texts("over_time"))
    if found.clip is not None and options is not None:
        line = "" if found.attention is None else " " + texts("attention")
        labels = [texts("axis_seconds"), texts("axis_mel"), texts("axis_attention")]
        steps = model.card.model.architecture.frames_per_step
        figure = mel_figure(found.clip, found.attention, options, steps, labels)
        yield picture(figure, texts("mel", bands=options.n_mels) + line)
        if found.moved is not None:
            yield picture(moved_figure(found.clip, found.moved, options, labels), texts("moved"))
    if found.pieces:
        yield _moved(found.pieces, texts)


def _in_script(values: Mapping[str, Any]) -> str:
    return json.dumps(values, ensure_ascii=False).replace("<", "\\u003c")


@lru_cache(len(VOICES))
def _example(number: int) -> bytes:
    """A recording of a synthetic voice."""
    emotion, seed, sex = VOICES[number]
    wave = synth_recording(emotion, seed, sex="male" if sex == "male" else "female", corpus="emodb")
    held = io.BytesIO()
    soundfile.write(held, wave, ROOMS["emodb"].sample_rate, format="WAV")
    return held.getvalue()
