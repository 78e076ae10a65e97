"""Where these functions look for folders and settings, and how they tell how far they are."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Final

from ser_pipeline.errors import SettingsError

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


def check_counts(least: int, **counts: int | None) -> None:
    """Refuse numbers that count nothing; None is not a number.

    Raises:
        SettingsError: names the first that is too small.

    Examples:
        >>> check_counts(1, jobs=4, limit=None)
        >>> check_counts(1, jobs=0)
        Traceback (most recent call last):
        ser_pipeline.errors.SettingsError: jobs: must be at least 1 (found 0)
    """
    for name, count in counts.items():
        if count is not None and count < least:
            raise SettingsError(f"{name}: must be at least {least} (found {count})")
