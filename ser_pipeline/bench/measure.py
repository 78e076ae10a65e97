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
    """

    work: str
    rate: float
    unit: str
    reference: str = ""
    reference_rate: float | None = None
    floor: float | None = None
    goal: float | None = None
    note: str = ""

    @property
    def ratio(self) -> float | None:
        """How many times the reference's rate."""
        return None if self.reference_rate is None else self.rate / self.reference_rate


def seconds(work: Callable[[], object]) -> float:
    """Wall time of one call, in seconds."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def cpu_seconds(work: Callable[[], object]) -> float:
    """Seconds this process kept a processor busy during one call, whatever else the machine does."""
    start = time.process_time()
    work()
    return time.process_time() - start


def paired(
    one: Callable[[], object],
    other: Callable[[], object],
    rounds: int,
    clock: Callable[[Callable[[], object]], float] = seconds,
) -> tuple[float, float]:
    """Median seconds of two pieces of work that run in turn, after one unmeasured round.

    Args:
        one: first piece.
        other: second piece.
        rounds: measured rounds.
        clock: :func:`seconds`, or :func:`cpu_seconds` for work in this process alone.

    Examples:
        >>> all(value >= 0 for value in paired(lambda: None, lambda: None, 3))
        True
    """
    one()
    other()
    pairs = [(clock(one), clock(other)) for _ in range(rounds)]
    return statistics.median(pair[0] for pair in pairs), statistics.median(pair[1] for pair in pairs)
