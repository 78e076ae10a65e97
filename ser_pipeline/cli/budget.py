"""The flag ``--budget``: how long a command may take, and the question before work that takes hours."""

import math
import re
from typing import Annotated, Final

import typer

from ser_pipeline.errors import SettingsError
from ser_pipeline.tables.cells import duration

BudgetOption = Annotated[
    str | None,
    typer.Option(
        "--budget",
        help="Stop after this time, as in 90m or 1h30m; what does not fit is left for the next run. "
        "'none' sets no limit. Without a budget, nothing that takes more than an hour is started.",
    ),
]

LONG_S: Final = 3600.0
"""What takes longer than this is not begun without a budget."""

_BUDGET = re.compile(r"(?:(?P<hours>\d+)h)?(?:(?P<minutes>\d+)m)?(?:(?P<seconds>\d+)s)?")


def parse_budget(text: str | None) -> float:
    """Read a wall time in seconds; ``none``, or none at all, is no end.

    Raises:
        SettingsError: not a time above zero.

    Examples:
        >>> parse_budget("90m"), parse_budget("1h30m"), parse_budget("45s"), parse_budget("none")
        (5400.0, 5400.0, 45.0, inf)
    """
    if text is None or text.strip() == "none":
        return math.inf
    match = _BUDGET.fullmatch(text.strip())
    hours, minutes, seconds = (int(part or 0) for part in match.groups()) if match else (0, 0, 0)
    total = 3600.0 * hours + 60.0 * minutes + seconds
    if total <= 0:
        raise SettingsError(
            f"--budget '{text}' must be a time above zero, such as 90m, 1h30m or 45s, or none"
        )
    return total


def need_budget(
    budget: str | None, seconds: float, what: str, *, after: str = "run it again to continue"
) -> None:
    """Ask for a budget before hours of work.

    Args:
        budget: as it was given; None where nothing was said.
        seconds: that the work should take.
        what: would take them, as ``2 runs are left, which take``.
        after: how what does not fit is done.

    Raises:
        SettingsError: it takes more than :data:`LONG_S`, and no budget was given.
    """
    if budget is None and seconds > LONG_S:
        raise SettingsError(
            f"{what} about {duration(seconds)}: pass --budget, as in --budget 1h, and {after}; "
            "--budget none does all of it now"
        )
