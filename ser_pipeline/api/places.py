"""Where the commands and these functions look for folders and settings: below the current folder."""

from pathlib import Path
from typing import Final

DATA: Final = Path("DataSets")
MANIFESTS: Final = Path("manifests")
CACHE: Final = Path("cache")
RUNS: Final = Path("runs")
REPORTS: Final = Path("reports")
SETTINGS_FILE: Final = Path("ser.toml")
