"""Where these functions look for folders and settings, and how they tell how far they are."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Final

Place = str | os.PathLike[str]
"""A file or folder; a :class:`~ser_pipeline.api.training.ScoredRun` stands for its own."""

OnProgress = Callable[[int, int], None]
"""Called with how much is done, and of how much."""

DATA: Final = Path("DataSets")
MANIFESTS: Final = Path("manifests")
CACHE: Final = Path("cache")
RUNS: Final = Path("runs")
REPORTS: Final = Path("reports")
SETTINGS_FILE: Final = Path("ser.toml")
