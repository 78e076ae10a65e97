"""Whether measured effects go the way that others have published."""

from math import comb

from ser_pipeline.explanations import Direction, Verdict


def verdict(direction: Direction, low: float | None, high: float | None) -> Verdict:
    """Compare a measured effect with a published direction.

    Args:
        direction: as published.
        low: lower end of the effect's interval, None where there is none.
        high: upper end.

    Returns:
        ``unclear`` where the interval holds 0 or is missing; ``not compared`` where no one direction
        is published.

    Examples:
        >>> verdict("up", 0.2, 0.9), verdict("down", 0.2, 0.9), verdict("up", -0.1, 0.9)
        ('agrees', 'opposes', 'unclear')
    """
    if direction not in ("up", "down"):
        return "not compared"
    if low is None or high is None or low <= 0 <= high:
        return "unclear"
    return "agrees" if (low > 0) == (direction == "up") else "opposes"


def chance_of_agreement(agrees: int, opposes: int) -> float:
    """Probability that tossing a coin for each clear effect would agree as often or more.

    Args:
        agrees: clear effects that go the published way.
        opposes: clear effects that go the other way.

    Returns:
        Upper tail of the binomial distribution with a share of one half; 1 where nothing is clear.

    Examples:
        >>> chance_of_agreement(3, 1)
        0.3125
    """
    tosses = agrees + opposes
    return float(sum(comb(tosses, heads) for heads in range(agrees, tosses + 1)) / 2**tosses)
