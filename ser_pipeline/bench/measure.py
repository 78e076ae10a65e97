"""Time work fairly: pairs run in turn, the median of several counts."""

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured figure.

    Attributes:
        work: what was done.
        rate: of the toolkit, in ``unit``.
        unit: of both rates.
        reference: what it is compared with.
        reference_rate: of the reference; None where there is no reference.
        floor: smallest ratio, or rate where there is no reference, that is acceptable.
        goal: ratio or rate aimed at.
        note: breakdown, or how it was measured.
        peak_mib: peak memory of the process that did it, where that was measured.
    """

    work: str
    rate: float
    unit: str
    reference: str = ""
    reference_rate: float | None = None
    floor: float | None = None
    goal: float | None = None
    note: str = ""
    peak_mib: float | None = None

    @property
    def ratio(self) -> float | None:
        """How many times the reference's rate."""
        return None if self.reference_rate is None else self.rate / self.reference_rate


def seconds(work: Callable[[], object], clock: Callable[[], float] = time.perf_counter) -> float:
    """Time of one call, in seconds.

    Args:
        work: what to time.
        clock: wall time; or ``time.process_time``, which other processes on the machine hardly touch.
    """
    start = clock()
    work()
    return clock() - start


def paired(
    one: Callable[[], object],
    other: Callable[[], object],
    rounds: int,
    clock: Callable[[], float] = time.perf_counter,
) -> tuple[float, float]:
    """Median seconds of two pieces of work that run in turn, after one unmeasured round.

    Args:
        one: first piece.
        other: second piece.
        rounds: measured rounds.
        clock: see :func:`seconds`.

    Examples:
        >>> all(value >= 0 for value in paired(lambda: None, lambda: None, 3))
        True
    """
    one()
    other()
    pairs = [(seconds(one, clock), seconds(other, clock)) for _ in range(rounds)]
    return statistics.median(pair[0] for pair in pairs), statistics.median(pair[1] for pair in pairs)
