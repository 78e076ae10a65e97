"""``python -m ser_pipeline`` is ``ser``."""

from ser_pipeline.cli import app

app()
