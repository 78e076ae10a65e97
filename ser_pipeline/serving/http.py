"""Predictions over HTTP: ``POST /predict``, ``GET /health``, and a page that lists them."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse
from jinja2 import Environment, PackageLoader, Template
from markupsafe import Markup
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocketClose

from ser_pipeline import __version__
from ser_pipeline.errors import AudioError, AudioTooLarge, RunError, SerError, ServerBusy, SettingsError
from ser_pipeline.options import Options, RequestOptions, checked
from ser_pipeline.serving.details import check_windows, checked_recording, enrolled
from ser_pipeline.serving.ensemble import cards_of
from ser_pipeline.serving.model import Model
from ser_pipeline.serving.prediction import Prediction
from ser_pipeline.serving.reading import itself
from ser_pipeline.serving.service import MOST_ENROLLED, BadBody, Sent, Service, read_recordings
from ser_pipeline.serving.voices import check_effect
from ser_pipeline.tables import one_line

T = TypeVar("T")
O = TypeVar("O", bound=Options)  # noqa: E741

STATUS: Final[tuple[tuple[type[SerError], int], ...]] = (
    (ServerBusy, 429),
    (AudioTooLarge, 413),
    (BadBody, 400),
    (AudioError, 422),
    (RunError, 422),
)
"""HTTP status of an error; the first that fits."""

TEMPLATES: Final = Path(__file__).parent / "templates"

BINARY: Final = {"schema": {"type": "string", "format": "binary"}}


def _schemas(kind: type[Options]) -> Mapping[str, dict[str, Any]]:
    """Parameters of an address as OpenAPI describes them: name -> schema."""
    ours = ("title", "flag", "off", "many", "panel", "needs", "presets")  # of command lines
    every: dict[str, dict[str, Any]] = kind.model_json_schema()["properties"]
    return {name: {key: each[key] for key in each if key not in ours} for name, each in every.items()}


DESCRIBED: Final[dict[str, Any]] = {
    "parameters": [
        {"name": name, "in": "query", "description": schema["description"], "schema": schema}
        for name, schema in _schemas(RequestOptions).items()
    ],
    "requestBody": {
        "required": True,
        "description": "A recording of any format that can be decoded: raw, or as the file of a form. A form "
        f"may also hold up to {MOST_ENROLLED} other recordings of the person who speaks, each as a file "
        "'enrol': a model trained with '--normalise adaptive' adapts to them. Its other fields mean the same "
        "as the parameters of these names.",
        "content": {
            "application/octet-stream": BINARY,
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "properties": {
                        "file": BINARY["schema"],
                        "enrol": {"type": "array", "items": BINARY["schema"], "maxItems": MOST_ENROLLED},
                        **_schemas(RequestOptions),
                    },
                    "required": ["file"],
                }
            },
        },
    },
}

REFUSED: Final[dict[int | str, dict[str, Any]]] = {
    400: {"description": "The form cannot be read, or holds no file."},
    413: {"description": "The recording is larger or longer than this server takes."},
    422: {"description": "No recording that can be used, or something that does not fit the model."},
    429: {"description": "Too many wait already; come back after the seconds of Retry-After."},
}

NOT_HERE: Final = (
    "this server does not answer to the name in the request's Host header; use the address that it was "
    "started with, or start it with that name as one more --host"
)
"""What is said to a request that was sent to another name."""

POLICY: Final = (
    "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; media-src 'self' blob:; "
    "object-src 'none'; base-uri 'none'; frame-ancestors 'self'"
)
"""Content security policy: a browser fetches nothing from elsewhere, whatever a page asks for."""


class Door:
    """Let in what was sent to this server by name, and send every answer with headers that keep it to itself.

    A web site may have a name of its own resolve to 127.0.0.1; its scripts would then reach this server as
    if they came from it. The name in the Host header, which a browser always sends, gives them away.

    Args:
        app: the application within.
        hosts: names and addresses that lead here, beside those of the loopback; with an address that stands
            for all (0.0.0.0), every address without a name does.
    """

    def __init__(self, app: ASGIApp, hosts: Sequence[str]) -> None:
        self._app = app
        self._names = frozenset(_host(host) for host in hosts)
        self._any_address = any(
            isinstance(name, IPv4Address | IPv6Address) and name.is_unspecified for name in self._names
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it; see ASGI."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers["Content-Security-Policy"] = POLICY
                headers["X-Content-Type-Options"] = "nosniff"
                headers["Referrer-Policy"] = "no-referrer"
            await send(message)

        if self._leads_here(Headers(scope=scope).getlist("host")):
            await self._app(scope, receive, with_headers)
        elif scope["type"] == "websocket":
            await WebSocketClose(1008, NOT_HERE)(scope, receive, send)
        else:
            await _error_answer(403, NOT_HERE)(scope, receive, with_headers)

    def _leads_here(self, sent: Sequence[str]) -> bool:
        """Whether the values of Host are one, and it names this server."""
        try:
            (value,) = sent
            name = _host(urlsplit(f"//{value}").hostname or "")
        except ValueError:
            return False
        if isinstance(name, IPv4Address | IPv6Address):
            return name.is_loopback or self._any_address or name in self._names
        return name == "localhost" or name in self._names


def _host(name: str) -> "str | IPv4Address | IPv6Address":
    """An address, or a name as it compares."""
    try:
        return ip_address(name)
    except ValueError:
        return name.lower().rstrip(".")


def api_page(openapi: dict[str, Any], address: str, *, page: bool) -> str:
    """HTML of an OpenAPI description.

    Args:
        openapi: as ``/openapi.json`` gives it.
        address: under which the server was asked, for the examples.
        page: whether the page for people is served, too.
    """
    style = Markup((TEMPLATES / "page.css").read_text(encoding="utf-8"))
    return template("api.html.j2").render(openapi=openapi, address=address, style=style, page=page)


def template(name: str) -> Template:
    """A page of the server, to be filled."""
    templates = Environment(
        loader=PackageLoader("ser_pipeline.serving"), autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    return templates.get_template(name)


def http_app(service: Service, hosts: Sequence[str] = ()) -> FastAPI:
    """Build the application.

    Args:
        service: predicts; it is stopped when the application ends.
        hosts: names and addresses it answers to, beside those of the loopback; see :class:`Door`.
    """

    @asynccontextmanager
    async def life(_app: FastAPI) -> AsyncIterator[None]:
        yield
        await asyncio.to_thread(service.stop)

    app = FastAPI(
        title="ser: speech emotion recognition",
        version=__version__,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        lifespan=life,
    )
    app.add_middleware(Door, hosts=hosts)
    _add_errors(app)
    _add_predict(app, service)
    _add_rest(app, service)
    return app


def _add_predict(app: FastAPI, service: Service) -> None:
    @app.post("/predict", openapi_extra=DESCRIBED, responses=REFUSED)
    async def predict(request: Request) -> dict[str, Any]:
        """Tell the emotion of one recording."""
        return await answered(request, service, RequestOptions, partial(_answer, service))


async def answered(
    request: Request, service: Service, kind: type[O], work: Callable[[Model, Sent, O], T]
) -> T:
    """What ``work`` makes of the recordings of a request, in the order in which requests come.

    Args:
        request: whose body was not read yet.
        service: predicts.
        kind: what it may ask for.
        work: done in the service's thread, with what was asked for.

    Raises:
        SerError: the body cannot be used, too many wait, or what ``work`` raises.
    """
    asked(request, kind)  # a wrong address is refused before a recording is read
    with service.place() as place:
        sent = await read_recordings(request, place, service.limits.body_s)
        options = asked(request, kind, sent.fields)
        try:
            return await asyncio.wrap_future(service.start(lambda model: work(model, sent, options)))
        except asyncio.CancelledError:  # the time for what has begun is over
            raise ServerBusy("the server is stopping; ask another one") from None


def asked(request: Request, kind: type[O], fields: Sequence[tuple[str, str]] = ()) -> O:
    """What the parameters of an address say, and the fields of a form, which mean the same.

    Raises:
        SettingsError: a name or value that does not fit, or two values of one name.
    """
    said: dict[str, str] = {}
    for name, value in (*request.query_params.multi_items(), *fields):
        if said.setdefault(name, value) != value:
            raise SettingsError(f"{name}: given as {said[name]!r} and as {value!r}; give it once")
    return checked(kind, said, where=f"{request.method} {request.url.path}")


def _answer(service: Service, model: Model, sent: Sent, options: RequestOptions) -> dict[str, Any]:
    """What is sent back for a recording."""
    if options.adapt and not options.timeline:
        raise SettingsError("adapt: goes with timeline=true")
    check_effect(model.name, cards_of(model), options, dashes="")
    content, duration_s = checked_recording(sent.recording, service.limits, "recording")
    check_windows(duration_s, options, service.limits)
    model = enrolled(model, sent.enrol, options, service.limits)
    answer = _without_file(model.predict(content, options))
    answer |= {"duration_s": round(duration_s, 3), "model": model.name, "synthetic": model.card.synthetic}
    answer |= {} if model.about is None else {"answered_by": model.about.as_dict()}
    answer |= {"enrolled": len(sent.enrol)} if sent.enrol else {}
    if twice := itself(sent.enrol, [sent.recording]):
        answer["warning"] = f"enrol: {twice}"
    if options.timeline:
        answer["timeline"] = [_without_file(said) for said in model.timeline(content, options)]
    return answer


def _without_file(said: Prediction) -> dict[str, Any]:
    return {name: value for name, value in said.as_dict().items() if name != "file"}


def _add_rest(app: FastAPI, service: Service) -> None:
    @app.get("/health")
    async def health(request: Request) -> dict[str, Any]:
        """Which model answers, and how many recordings wait."""
        asked(request, Options)
        return {
            "status": "ok",
            "model": service.model.name,
            "emotions": list(service.model.emotions),
            "waiting": service.waiting,
            "version": __version__,
        }

    @app.get("/docs", include_in_schema=False)
    async def docs(request: Request) -> HTMLResponse:
        asked(request, Options)
        page = any(getattr(route, "path", "") == "/" for route in app.routes)
        return HTMLResponse(api_page(app.openapi(), str(request.base_url), page=page))


def _add_errors(app: FastAPI) -> None:
    """Every refusal is a sentence, with a word for programs: ``{"error": "...", "code": "..."}``."""

    @app.exception_handler(SerError)
    async def refused(_request: Request, error: Exception) -> JSONResponse:
        status = next((number for kind, number in STATUS if isinstance(error, kind)), 422)
        return _error_answer(status, str(error), error.code if isinstance(error, SerError) else SerError.code)

    @app.exception_handler(RequestValidationError)
    async def invalid(_request: Request, error: Exception) -> JSONResponse:
        first = error.errors()[0] if isinstance(error, RequestValidationError) else {}
        place = next(iter(first.get("loc", ())[1:]), "request")  # what follows names kinds of numbers
        return _error_answer(422, f"{place}: {first.get('msg', 'does not fit')}")

    @app.exception_handler(ClientDisconnect)
    async def gone(_request: Request, _error: Exception) -> JSONResponse:
        return _error_answer(400, "the connection ended before the recording did", BadBody.code)

    @app.exception_handler(HTTPException)
    async def other(_request: Request, error: Exception) -> JSONResponse:
        status = error.status_code if isinstance(error, HTTPException) else 400
        said = _error_answer(status, str(getattr(error, "detail", error)))
        said.headers.update(getattr(error, "headers", None) or {})  # of a 405, the methods there are
        return said


def _error_answer(status: int, sentence: str, code: str = SerError.code) -> JSONResponse:
    headers = {"Retry-After": "2"} if status == 429 else None
    return JSONResponse({"error": one_line(sentence), "code": code}, status, headers=headers)
