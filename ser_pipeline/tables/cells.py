"""Numbers as people read them: entries of tables and words of sentences."""

import math
from collections.abc import Sequence
from typing import Protocol

from ser_pipeline.tables.table import EN_DASH, MINUS, NOTHING, Entry


class Estimate(Protocol):
    """A number with its interval; ``low`` and ``high`` are None where none can be given."""

    @property
    def value(self) -> float: ...  # noqa: D102 - said above

    @property
    def low(self) -> float | None: ...  # noqa: D102 - said above

    @property
    def high(self) -> float | None: ...  # noqa: D102 - said above


def words(text: str, *, target: str = "", note: str = "", strong: bool = False) -> Entry:
    """Make an entry of words."""
    return Entry(text, text, note=note, target=target, strong=strong)


def missing() -> Entry:
    """Make an entry for a number that does not exist."""
    return Entry(NOTHING)


def count(number: int | None) -> Entry:
    """Make an entry of a whole number."""
    return missing() if number is None else Entry(thousands(number).replace("-", MINUS), number)


def decimal(number: float | None, places: int = 2) -> Entry:
    """Make an entry of a number with ``places`` decimals."""
    if number is None or not math.isfinite(number):
        return missing()
    return Entry(f"{number:.{places}f}".replace("-", MINUS), number)


def hours(seconds: float) -> Entry:
    """Make an entry of a time in hours: two decimals for people, three for machines.

    Examples:
        >>> hours(5400).text, hours(9).text, hours(9).value
        ('1.50', '< 0.01', 0.003)
    """
    found = seconds / 3600
    return Entry("< 0.01" if 0 < found < 0.01 else f"{found:,.2f}", round(found, 3))


def percent(share: float | None, *, bar: bool = False) -> Entry:
    """Make an entry of a share in [0, 1], shown in percent without the sign."""
    if share is None or not math.isfinite(share):
        return missing()
    return Entry(f"{100 * share:.1f}", share, bar=share if bar else None)


def score(estimate: Estimate | None, *, strong: bool = False) -> Entry:
    """Make an entry of a score in percent, its interval as second line."""
    if estimate is None:
        return missing()
    text = f"{100 * estimate.value:.1f}".replace("-", MINUS)
    return Entry(text, estimate.value, note=interval(estimate), strong=strong)


def effect(value: float | None, low: float | None, high: float | None, *, strong: bool = False) -> Entry:
    """Make an entry of a number around zero with its sign, its interval as second line."""
    if value is None:
        return missing()
    inside = "" if low is None or high is None else f"{signed(low)} to {signed(high)}"
    return Entry(signed(value), value, note=inside, strong=strong)


def signed(value: float) -> str:
    """Write a number with two decimals and its sign.

    Examples:
        >>> signed(0.5), signed(-1.204).replace(MINUS, "-"), signed(-0.001)
        ('+0.50', '-1.20', '0.00')
    """
    return "0.00" if abs(value) < 0.005 else f"{value:+.2f}".replace("-", MINUS)


def in_points(value: float, sign: str = "", *, points: bool = True) -> str:
    """Write a share in points with one decimal, or another number with three digits; plain hyphens.

    Args:
        value: to write.
        sign: ``+`` writes the sign of numbers above zero too.
        points: the number is a share; else it is written as it is.

    Examples:
        >>> in_points(0.1234), in_points(0.05, "+"), in_points(12.345, points=False)
        ('12.3', '+5.0', '12.3')
    """
    return f"{100 * value:{sign}.1f}" if points else f"{value:{sign}.3g}"


def p_text(p: float) -> str:
    """Write a p-value with three decimals.

    Examples:
        >>> p_text(0.0004), p_text(0.25)
        ('< 0.001', '0.250')
    """
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def interval(estimate: Estimate) -> str:
    """Write an interval in percent; empty if there is none.

    Examples:
        >>> from types import SimpleNamespace
        >>> interval(SimpleNamespace(value=0.6, low=0.512, high=0.7)).replace(EN_DASH, "-")
        '51.2-70.0'
    """
    if estimate.low is None or estimate.high is None:
        return ""
    low, high = f"{100 * estimate.low:.1f}", f"{100 * estimate.high:.1f}"
    if low.startswith("-"):  # a dash beside a minus cannot be read
        return f"{low} to {high}".replace("-", MINUS)
    return f"{low}{EN_DASH}{high}"


def percent_text(share: float) -> str:
    """Write a share in percent with its sign.

    Examples:
        >>> percent_text(0.5)
        '50.0 %'
    """
    return f"{100 * share:.1f} %"


def score_text(estimate: Estimate) -> str:
    """Write a score with its interval."""
    inside = interval(estimate)
    return percent_text(estimate.value) + (f" ({inside})" if inside else "")


def thousands(number: int) -> str:
    """Write a whole number with commas.

    Examples:
        >>> thousands(28229)
        '28,229'
    """
    return f"{number:,}"


def duration(seconds: float) -> str:
    """Write a wall time.

    Examples:
        >>> duration(42.4), duration(185), duration(600), duration(7500)
        ('42 s', '3 min 5 s', '10 min', '2 h 5 min')
    """
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s".removesuffix(" 0 s")
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def people(number: int) -> str:
    """Write how many speakers there are; of none it is unknown who speaks.

    Examples:
        >>> people(1), people(1200), people(0)
        ('1 speaker', '1,200 speakers', 'unknown speakers')
    """
    return plural(number, "speaker") if number else "unknown speakers"


def persons(number: int, which: str = "") -> str:
    """Write how many people are heard, and who they are where that is known.

    Examples:
        >>> persons(1), persons(2, " that it knows"), persons(0, " that it knows")
        ('1 person', '2 people that it knows', 'people who are not named')
    """
    return plural(number, "person", "people") + which if number else "people who are not named"


def listed(names: Sequence[str], word: str = "and") -> str:
    """Write names with a word before the last.

    Examples:
        >>> listed(["a"]), listed(["a", "b", "c"]), listed(["a", "b"], "or")
        ('a', 'a, b and c', 'a or b')
    """
    return f" {word} ".join(filter(None, (", ".join(names[:-1]), *names[-1:])))


def sentence(words: str) -> str:
    """Write words as a sentence.

    Examples:
        >>> sentence("no clips of fear")
        'No clips of fear.'
    """
    return f"{words[:1].upper()}{words[1:]}."


def plural(number: int, one: str, many: str = "") -> str:
    """Write a number with its noun.

    Examples:
        >>> plural(1, "run"), plural(2000, "run"), plural(2, "corpus", "corpora")
        ('1 run', '2,000 runs', '2 corpora')
    """
    return f"{thousands(number)} {one if number == 1 else many or one + 's'}"
