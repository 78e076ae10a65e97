"""Words that people label recordings with: emotions and genders in many languages, and languages.

The words themselves are in ``words.toml``.
"""

import re
import tomllib
import unicodedata
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import resources
from typing import Any

PLAIN = {"ł": "l", "\N{LATIN SMALL LETTER DOTLESS I}": "i", "ß": "ss", "ø": "o", "æ": "ae"}
"""Letters that are no other letter with a mark."""


def plain(word: str) -> str:
    """A word without case, accents, digits and marks.

    Examples:
        >>> plain("Öfke"), plain("Pleasant_Surprise"), plain("Colère")
        ('ofke', 'pleasantsurprise', 'colere')
    """
    text = "".join(PLAIN.get(letter, letter) for letter in word.lower())
    flat = unicodedata.normalize("NFKD", text)
    return re.sub(r"[\W_\d]", "", "".join(mark for mark in flat if not unicodedata.combining(mark)))


def emotion_of_word(word: str) -> str | None:
    """The emotion that a label means in any of many languages; None where it is not known.

    Examples:
        >>> emotion_of_word("Traurig"), emotion_of_word("HAP"), emotion_of_word("strong")
        ('sadness', 'happiness', None)
    """
    return _meanings("emotions").get(plain(word))


def gender_of_word(word: str) -> str | None:
    """The gender that a word means; None where it is not known.

    Examples:
        >>> gender_of_word("Frau"), gender_of_word("M"), gender_of_word("x")
        ('female', 'male', None)
    """
    return _meanings("genders").get(plain(word))


def is_level(word: str) -> bool:
    """Whether a word says how strong or which way, which is no emotion.

    Examples:
        >>> is_level("strong"), is_level("sad")
        (True, False)
    """
    return plain(word) in _meanings("levels")


def facts_of_columns(heading: Sequence[str]) -> dict[str, str]:
    """Which columns of a table say what, by their names: fact -> column, each column once.

    Of several columns for one fact, the one whose name comes first in ``words.toml`` is taken.

    Examples:
        >>> facts_of_columns(["File", "Emotion", "Speaker ID", "x"])
        {'path': 'File', 'emotion': 'Emotion', 'speaker': 'Speaker ID'}
    """
    names: dict[str, str] = {}
    for column in heading:
        names.setdefault(_heading(column), column)
    found: dict[str, str] = {}
    for fact, words in _words()["columns"].items():
        called = next((names[word] for word in map(_heading, words.split()) if word in names), None)
        if called is not None and called not in found.values():
            found[fact] = called
    return found


def _heading(column: str) -> str:
    return re.sub(r"[\W_]", "", column.lower())


def language_name(tag: str) -> str:
    """The language of a BCP 47 tag in English; the tag itself where it is not among the usual ones.

    Examples:
        >>> language_name("it"), language_name("pt-BR"), language_name("und")
        ('Italian', 'Portuguese (BR)', 'unknown')
    """
    language, _, rest = tag.partition("-")
    name = _words()["languages"].get(language.lower())
    if name is None:
        return tag
    return f"{name} ({rest})" if rest else str(name)


@cache
def _words() -> Mapping[str, Any]:
    text = resources.files("ser_pipeline.corpora").joinpath("words.toml").read_text("utf-8")
    return tomllib.loads(text)


@cache
def _meanings(kind: str) -> Mapping[str, str]:
    found: dict[str, str] = {}
    for meaning, words in _words()[kind].items():
        for word in words.split():
            found.setdefault(plain(word), meaning)
    return found
