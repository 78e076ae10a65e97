"""Predictions over plain HTTP: ``POST /predict``, ``GET /health``, an OpenAPI description."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Annotated, Any, Final

from fastapi import FastAPI, HTTPException, Query, Request
from fastapi.responses import HTMLResponse, JSONResponse
from starlette.formparsers import MultiPartException
from starlette.types import Message

from ser_pipeline import __version__
from ser_pipeline.errors import AudioError, RunError, SerError
from ser_pipeline.serving.desk import BusyError, Desk, NoModelError, TooMuchError
from ser_pipeline.serving.prediction import PredictOptions

_STATUS: Final[tuple[tuple[type[SerError], int], ...]] = (
    (TooMuchError, 413), (BusyError, 429), (NoModelError, 503), (AudioError, 422), (RunError, 422),
)  # fmt: skip
"""Kind of error -> status."""

_BODY: Final[dict[str, Any]] = {
    "requestBody": {
        "required": True,
        "description": "A recording of any format libsndfile reads: the bytes, or a form with one file.",
        "content": {
            "application/octet-stream": {"schema": {"type": "string", "format": "binary"}},
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["file"],
                    "properties": {"file": {"type": "string", "format": "binary"}},
                }
            },
        },
    }
}

_ANSWERS: Final[dict[int | str, dict[str, Any]]] = {
    400: {"description": "Nothing was sent, or a form without a file."},
    413: {"description": "The recording is larger or longer than is taken."},
    422: {"description": "It cannot be decoded, is too short, or an option does not fit."},
    429: {"description": "Too many recordings wait; try again after Retry-After seconds."},
    503: {"description": "There is no model; the answer says how to get one."},
}


def http_app(desk: Desk) -> FastAPI:
    """Make the application.

    Args:
        desk: does the work; it is closed when the server stops, and all of ``app.state.closing`` is called.
    """

    @asynccontextmanager
    async def life(app: FastAPI) -> AsyncIterator[None]:
        yield
        await asyncio.to_thread(desk.close)
        for close in app.state.closing:
            close()

    app = FastAPI(
        title="ser", version=__version__, summary="Emotion of recordings of speech.", docs_url=None,
        redoc_url=None, lifespan=life,
    )  # fmt: skip
    app.state.closing = []
    app.add_exception_handler(SerError, _refused)
    _routes(app, desk)
    return app


def _routes(app: FastAPI, desk: Desk) -> None:
    @app.get("/health", summary="Whether there is a model, and how much waits.")
    def health() -> dict[str, Any]:
        found: dict[str, Any] = {"status": "ok" if desk.has_model else "no model", "waiting": desk.waiting}
        if desk.has_model:
            model = desk.model
            found |= {
                "model": model.name,
                "emotions": list(model.emotions),
                "synthetic": model.card.synthetic,
            }
        return found

    @app.post("/predict", summary="Emotion of a recording.", openapi_extra=_BODY, responses=_ANSWERS)
    async def predict(
        request: Request,
        abstain: Annotated[
            str, Query(description="Confidence below which the decision is 'uncertain', or auto.")
        ] = "0",
        timeline: Annotated[bool, Query(description="One answer for each window.")] = False,
        hop_s: Annotated[float, Query(ge=0.1, le=60, description="Seconds between windows.")] = 1.0,
    ) -> dict[str, Any]:
        content, name = await _recording(request, desk.limits.size)
        options = _options(abstain, hop_s)
        work = _work(desk, content, name, options, timeline=timeline)
        return await asyncio.wrap_future(desk.submit(work))

    @app.get("/docs", response_class=HTMLResponse, include_in_schema=False)
    def docs() -> str:
        return _page(app.openapi())


def _work(
    desk: Desk, content: bytes, name: str, options: PredictOptions, *, timeline: bool
) -> Callable[[], dict[str, Any]]:
    def work() -> dict[str, Any]:
        model = desk.model
        desk.check(content)
        if timeline:
            windows = [said.as_dict() | {"file": name} for said in model.timeline(content, options)]
            return {"model": model.name, "file": name, "windows": windows}
        return {"model": model.name} | model.predict(content, options, name=name).as_dict()

    return work


def _options(abstain: str, hop_s: float) -> PredictOptions:
    try:
        share: Any = "auto" if abstain == "auto" else float(abstain)
        return PredictOptions(abstain=share, hop_s=hop_s)
    except ValueError:
        raise HTTPException(422, "abstain must be a number from 0 to 1, or auto") from None


async def _recording(request: Request, limit: int) -> tuple[bytes, str]:
    """The bytes that were sent, read no further than is taken, and the file's name."""
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size > limit + 4096:  # room for what a form puts around the file
            raise TooMuchError(f"larger than {limit / 1e6:g} MB; send a shorter piece")
        parts.append(part)
    body = b"".join(parts)
    if request.headers.get("content-type", "").startswith("multipart/form-data"):
        return await _from_form(request, body)
    if not body:
        raise HTTPException(400, "nothing was sent; send the bytes of a recording, or a form with a file")
    return body, "recording"


async def _from_form(request: Request, body: bytes) -> tuple[bytes, str]:
    async def replay() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    try:
        async with Request(request.scope, replay).form(max_files=1, max_fields=16) as form:
            for value in form.values():
                if not isinstance(value, str):
                    content = await value.read()
                    if not content:
                        raise HTTPException(400, "the file that was sent is empty")
                    return content, value.filename or "recording"
    except MultiPartException as error:
        raise HTTPException(400, f"the form cannot be read: {error.message}") from None
    raise HTTPException(400, "the form has no file; name it 'file'")


async def _refused(_request: Request, error: Exception) -> JSONResponse:
    status = next((status for kind, status in _STATUS if isinstance(error, kind)), 422)
    headers = {"Retry-After": "1"} if status == 429 else None
    return JSONResponse({"detail": str(error)}, status, headers)


def _page(described: dict[str, Any]) -> str:
    """The OpenAPI description as a page that loads nothing."""
    from html import escape

    rows = [
        f"<h2><code>{method.upper()} {escape(path)}</code></h2><p>{escape(told.get('summary', ''))}</p>"
        f"<pre>{escape(json.dumps(told, indent=2))}</pre>"
        for path, methods in described["paths"].items()
        for method, told in methods.items()
    ]
    return (
        "<!doctype html><html lang=en><meta charset=utf-8><title>ser: HTTP</title>"
        "<meta name=viewport content='width=device-width'><style>body{font:16px/1.5 system-ui;"
        "max-width:50rem;margin:2rem auto;padding:0 1rem}"
        "pre{overflow:auto;background:#8881;padding:1rem}</style>"
        "<h1>Predictions over HTTP</h1>"
        "<pre>curl --data-binary @a.wav http://127.0.0.1:7860/predict\n"
        "curl -F file=@a.wav 'http://127.0.0.1:7860/predict?timeline=true'</pre>"
        "<p>For programs: <a href=openapi.json>openapi.json</a></p>" + "".join(rows)
    )
