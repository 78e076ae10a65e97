"""The command ``ser demo``: a page and plain HTTP."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ser_pipeline.cli.common import RunsOption, plain_errors, say
from ser_pipeline.cli.predict import ModelOption

if TYPE_CHECKING:
    from ser_pipeline.serving.model import Model

_HERE = ("127.0.0.1", "::1", "localhost")


def demo(
    model: ModelOption = None,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port; 0 takes a free one.")] = 7860,
    page: Annotated[bool, typer.Option("--page/--no-page", help="Show the page, or HTTP alone.")] = True,
    megabytes: Annotated[float, typer.Option(min=0.01, help="Largest recording, in MB.")] = 20.0,
    seconds: Annotated[float, typer.Option(min=0.1, help="Longest recording, in seconds.")] = 600.0,
    waiting: Annotated[int, typer.Option(min=1, help="Recordings that may wait.")] = 64,
    workers: Annotated[int, typer.Option(min=1, help="Recordings worked on at once.")] = 1,
    runs: RunsOption = Path("runs"),
) -> None:
    """Serve a page to record or upload speech, and predictions over HTTP; Ctrl-C ends.

    POST /predict takes a recording, GET /health tells how it is, /docs describes both.
    """
    with plain_errors():
        from ser_pipeline.errors import SettingsError

        try:
            import uvicorn

            from ser_pipeline.serving.http import http_app

            if page:
                from ser_pipeline.serving.page import mount_page
        except ImportError:
            raise SettingsError("ser demo: not installed; pip install 'ser-pipeline[demo]'") from None
        from ser_pipeline.serving.desk import Desk, Limits

        loaded, missing = _model(model, runs)
        desk = Desk(loaded, Limits(megabytes, seconds, waiting, workers), missing)
        app = http_app(desk)
        if page:
            app = mount_page(app, desk)
        if host not in _HERE:
            say(f"{host}: other machines can reach this; there is no password")
        server = uvicorn.Server(
            uvicorn.Config(app, host=host, port=port, log_level="warning", timeout_graceful_shutdown=30)
        )
        _serve(server, host, port)


def _model(model: Path | None, runs: Path) -> "tuple[Model | None, str]":
    """The model to predict with, or a sentence on how to get one."""
    from ser_pipeline import load_model
    from ser_pipeline.errors import RunError

    try:
        loaded = load_model(model, runs=runs)
        loaded.check_speaker()
        loaded.warm_up()
        return loaded, ""
    except RunError as error:
        if model is not None:
            raise
        say(f"no model: {error}")
        return None, f"{error}"


def _serve(server: "object", host: str, port: int) -> None:
    """Listen, say where, and serve until told to stop.

    Raises:
        SettingsError: the address cannot be listened on.
    """
    import socket

    from ser_pipeline.errors import SettingsError

    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
    except OSError as error:
        listening.close()
        raise SettingsError(
            f"{host}:{port}: {error.strerror or error}; choose another --host or --port"
        ) from None
    place = f"[{host}]" if ":" in host else host
    say(f"http://{place}:{listening.getsockname()[1]}/  (HTTP: /docs; Ctrl-C ends)")
    server.run(sockets=[listening])  # type: ignore[attr-defined]
