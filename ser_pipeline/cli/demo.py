"""The command ``ser demo``."""

from pathlib import Path
from typing import Annotated

import typer

from ser_pipeline.cli.common import RunsOption, out, plain_errors, say
from ser_pipeline.cli.predict import ModelOption


def demo(
    model: ModelOption = None,
    host: Annotated[str, typer.Option(help="Address to listen on; others can reach 0.0.0.0.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port to listen on.")] = 7860,
    max_mb: Annotated[float, typer.Option("--max-mb", help="Largest recording, in MB.")] = 25.0,
    max_s: Annotated[float, typer.Option("--max-seconds", help="Longest recording, in seconds.")] = 300.0,
    waiting: Annotated[int, typer.Option("--queue", help="Recordings that may wait; others get a 429.")] = 64,
    page: Annotated[
        bool, typer.Option("--page/--no-page", help="The page, or the HTTP interface alone.")
    ] = True,
    runs: RunsOption = Path("runs"),
) -> None:
    """Serve a page to record or upload speech, and POST /predict for programs; on this computer only."""
    from ser_pipeline.serving.demo import application, check_installed, model_or_none, serve
    from ser_pipeline.serving.service import NO_MODEL, Limits
    from ser_pipeline.settings import checked

    with plain_errors("start it again at any time"):
        check_installed()
        limits = checked(Limits, {"max_mb": max_mb, "max_s": max_s, "waiting": waiting}, where="demo")
        loaded = model_or_none(model, runs)
        if loaded is None:
            say(f"ser: {NO_MODEL}")
        with application(loaded, limits, page=page) as app:
            what = f"model {loaded[0].name}" if loaded else "no model"
            address = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
            out(f"{address}  ({what}; Ctrl-C ends)")
            if host not in ("127.0.0.1", "localhost", "::1"):
                say("others on this network can reach it; there is no password")
            serve(app, host, port)
