"""Names of speakers that one table spells in several ways."""

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence

from ser_pipeline.corpora.words import is_nobody
from ser_pipeline.errors import some

_NUMBER = re.compile(r"(\d+)(?:[.,]0+)?")


def spellings_of(met: Mapping[str, int]) -> dict[str, str]:
    """Other spellings of speakers -> the usual one of each.

    Unicode forms, blanks and the ``.0`` of whole numbers don't tell people apart, nor do leading zeros where
    all names are numbers.

    Args:
        met: name -> how often it occurs.

    Examples:
        >>> spellings_of({"1": 3, "01": 1, "1.0": 1, "2": 1}), spellings_of({"1": 3, "01": 1, "b": 2})
        ({'01': '1', '1.0': '1'}, {})
        >>> spellings_of({"b  b": 1, "b b": 2, "Anna": 1, "anna": 1})
        {'b  b': 'b b'}
    """
    names = [name for name in met if name and not is_nobody(name)]
    numbers = all(map(_NUMBER.fullmatch, names))
    alike: dict[str, list[str]] = defaultdict(list)
    for name in names:
        alike[_plain(name, zeros=not numbers)].append(name)
    usual = {key: max(found, key=lambda name: met[name]) for key, found in alike.items()}
    return {name: usual[key] for key, found in alike.items() for name in found if name != usual[key]}


def _plain(name: str, *, zeros: bool) -> str:
    text = " ".join(unicodedata.normalize("NFC", name).split())
    number = _NUMBER.fullmatch(text)
    if number is None:
        return text
    return number[1] if zeros else str(int(number[1]))


def told_of(names: Iterable[str], spelt: Mapping[str, str]) -> Iterator[str]:
    """Lines on the names that are taken for one person, and on those that only case tells apart.

    Args:
        names: of the speakers of a table.
        spelt: what :func:`spellings_of` found.

    Examples:
        >>> list(told_of(["1", "01", "Anna", "anna"], {"01": "1"}))[0]
        "speakers '1' and '01' are taken for one person"
        >>> list(told_of(["1", "01", "Anna", "anna"], {"01": "1"}))[1]
        "speakers 'Anna' and 'anna' differ only in case; they are taken for 2 people"
    """
    people: dict[str, list[str]] = defaultdict(list)
    for name in names:
        people[spelt.get(name, name)].append(name)
    joined = [_listed(found) for found in people.values() if len(found) > 1]
    if joined:
        yield f"speakers {some(joined, show=5)} are taken for one person" + (" each" if joined[1:] else "")
    cases: dict[str, list[str]] = defaultdict(list)
    for name in people:
        if not is_nobody(name):
            cases[name.casefold()].append(name)
    alike = [found for found in cases.values() if len(found) > 1]
    if alike:
        names = some([_listed(found) for found in alike], show=5)
        yield f"speakers {names} differ only in case; they are taken for {sum(map(len, alike))} people"


def _listed(names: Sequence[str]) -> str:
    *first, last = map(repr, names)
    return f"{', '.join(first)} and {last}"
