"""Serve a model: the page and the HTTP interface, on this computer unless told otherwise."""

import importlib.util
import signal
import socket
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from ser_pipeline.errors import SettingsError
from ser_pipeline.options import Limits
from ser_pipeline.serving.load import RUNS, find_model, load_model
from ser_pipeline.serving.model import Model
from ser_pipeline.serving.model_card import caveats
from ser_pipeline.serving.service import Service

NEEDED: Final = ("fastapi", "multipart", "uvicorn")

GRACE_S: Final = 10
"""Requests that have begun may take this long after the server is told to stop."""


def check_installed() -> None:
    """Refuse where the extra is missing.

    Raises:
        SettingsError: it is.
    """
    missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        raise SettingsError(
            f"the demo needs {', '.join(missing)}; install with pip install 'ser-pipeline[demo]'"
        )


def model_to_serve(source: Path | None, runs: Path = RUNS) -> tuple[Model, Path]:
    """Load the model to serve, with the place it came from.

    Raises:
        RunError: a model was named and cannot be used, none is good enough to answer without being named,
            or it cannot judge one recording alone.
        SettingsError: it tells no emotions.
    """
    place = find_model(source, runs)
    model = load_model(place)
    if not model.emotions:
        raise SettingsError(
            f"{model.name}: rates {', '.join(model.dimensions)}, and the demo shows emotions; "
            "use 'ser predict'"
        )
    model.check_speaker()
    model.warm_up()
    return model, place


def application(
    loaded: tuple[Model, Path], limits: Limits, *, hosts: Sequence[str] = (), page: bool = True
) -> Any:
    """The ASGI application.

    Args:
        loaded: model and where it came from.
        limits: what it takes.
        hosts: names and addresses it answers to, beside those of the loopback.
        page: with the page, or the HTTP interface alone.
    """
    from ser_pipeline.serving.http import http_app

    service = Service(loaded[0], limits)
    app = http_app(service, hosts)
    if page:
        from ser_pipeline.serving.page import add_page

        add_page(app, service, caveats(*loaded))
    return app


def serve(app: Any, host: str, port: int) -> None:
    """Answer until told to stop by Ctrl-C or SIGTERM.

    Args:
        app: from :func:`application`.
        host: address to listen on.
        port: to listen on; see :func:`check_port`.
    """
    import uvicorn

    config = uvicorn.Config(
        app, host=host, port=port, log_level="warning", timeout_graceful_shutdown=GRACE_S, access_log=False
    )
    # uvicorn stops in good order on either, then raises the signal again: leave by way of every 'with'
    before = signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        uvicorn.Server(config).run()
    except KeyboardInterrupt:  # how a server is ended
        pass
    finally:
        signal.signal(signal.SIGTERM, before)


def check_port(host: str, port: int) -> None:
    """Refuse an address that cannot be listened on.

    Raises:
        SettingsError: says why.
    """
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        raise SettingsError(
            f"{host}:{port}: cannot be used: {error.strerror or error}; choose another --port or --host"
        ) from None
