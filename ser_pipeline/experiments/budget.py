"""How long an experiment may take."""

import math
import re

from ser_pipeline.errors import SettingsError

_BUDGET = re.compile(r"(?:(?P<hours>\d+)h)?(?:(?P<minutes>\d+)m)?(?:(?P<seconds>\d+)s)?")


def parse_budget(text: str | None) -> float:
    """Read a wall time in seconds; without one there is no end.

    Raises:
        SettingsError: not a time above zero.

    Examples:
        >>> parse_budget("90m"), parse_budget("1h30m"), parse_budget("45s"), parse_budget(None)
        (5400.0, 5400.0, 45.0, inf)
    """
    if text is None:
        return math.inf
    match = _BUDGET.fullmatch(text.strip())
    hours, minutes, seconds = (int(part or 0) for part in match.groups()) if match else (0, 0, 0)
    total = 3600.0 * hours + 60.0 * minutes + seconds
    if total <= 0:
        raise SettingsError(f"--budget '{text}' is not a time above zero, as 90m, 1h30m or 45s")
    return total
