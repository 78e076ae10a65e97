"""Which cells are trained first, so that a time budget decides as many claims as it can."""

from collections.abc import Mapping, Sequence

Need = tuple[str, ...]
"""Keys of the cells that a claim waits for."""


def ordered(tiers: Sequence[Sequence[Need]], costs: Mapping[str, float], seconds: float) -> list[str]:
    """Put cells in the order they are trained in.

    The claim whose missing cells cost least is completed first, then the one that costs least with
    these cells done, and so on, as long as it fits; a claim that cannot be completed waits. The
    claims of a tier come before those of the next. What time is left goes to cells that complete
    nothing, the cheapest first.

    Args:
        tiers: claims by the cells they need, most important tier first.
        costs: seconds that each missing cell is expected to take.
        seconds: that are left; infinite without a budget.

    Returns:
        Keys of the cells that are expected to fit.

    Examples:
        >>> ordered([[("a", "b"), ("c",)], [("d",)]], {"a": 9, "b": 1, "c": 5, "d": 2, "e": 1}, 100)
        ['c', 'a', 'b', 'd', 'e']
        >>> ordered([[("a", "b"), ("c",)], [("d",)]], {"a": 9, "b": 1, "c": 5, "d": 2, "e": 1}, 8)
        ['c', 'd', 'b']
    """
    queue: dict[str, None] = {}
    left = seconds
    for tier in tiers:
        waiting = [[key for key in need if key in costs] for need in tier]
        while waiting:
            missing = [[key for key in need if key not in queue] for need in waiting]
            price = [sum(costs[key] for key in need) for need in missing]
            best = min(range(len(price)), key=price.__getitem__)
            if price[best] > left:
                break
            queue |= dict.fromkeys(missing[best])
            left -= price[best]
            waiting.pop(best)
    for key in sorted(costs.keys() - queue.keys(), key=lambda key: (costs[key], key)):
        if costs[key] <= left:
            queue[key] = None
            left -= costs[key]
    return list(queue)
