"""Words that people label recordings with: emotions and genders in many languages, and headings of columns.

The words themselves are in ``words.toml``.
"""

import re
import tomllib
import unicodedata
from collections.abc import Mapping, Sequence
from functools import cache, lru_cache
from importlib import resources
from string import ascii_lowercase
from typing import Any, Final

from ser_pipeline.labels import DIMENSIONS

PLAIN = {"ł": "l", "\N{LATIN SMALL LETTER DOTLESS I}": "i", "ß": "ss", "ø": "o", "æ": "ae"}
"""Letters that are not another letter with a mark."""

TIMES: Final = ("start", "end", "duration")
"""Which part of its recording a line of a table is about."""

ARTICLE: Final = "\N{ARABIC LETTER ALEF}\N{ARABIC LETTER LAM}"
"""The article that Arabic writes as a part of the word."""


@lru_cache(maxsize=1 << 14)
def plain(word: str) -> str:
    """A word without case, accents, digits and marks.

    Examples:
        >>> plain("Öfke"), plain("Pleasant_Surprise"), plain("Colère")
        ('ofke', 'pleasantsurprise', 'colere')
    """
    text = "".join(PLAIN.get(letter, letter) for letter in word.lower())
    return re.sub(r"\d", "", letters(text))


def letters(name: str) -> str:
    """A name without case, accents, blanks and marks, by which headings and folders are compared."""
    return re.sub(r"[\W_]", "", unicodedata.normalize("NFKD", name.lower()))


def emotion_of_word(word: str) -> str | None:
    """The emotion that a label means in any of many languages; None where it is not known.

    Examples:
        >>> emotion_of_word("Traurig"), emotion_of_word("HAP"), emotion_of_word("strong")
        ('sadness', 'happiness', None)
    """
    known, bare = _meanings("emotions"), plain(word)
    return known.get(bare) or known.get(bare.removeprefix(ARTICLE))


def emotions_of_codes(codes: Sequence[str]) -> dict[str, str]:
    """What short codes stand for, if most are the first letters of a language's words for emotions.

    Args:
        codes: all that occur in one field.

    Returns:
        Code -> emotion, of the language that explains most; of two emotions that a code fits, the usual one.
        None where the codes are the first letters of the alphabet, as these count takes.

    Examples:
        >>> emotions_of_codes(["W", "L", "E", "A", "F", "T", "N"])["T"]
        'sadness'
        >>> emotions_of_codes(["a", "b", "c", "x", "y", "z"]), emotions_of_codes(["a", "b", "c", "d"])
        ({}, {})
    """
    best: dict[str, str] = {}
    if "".join(sorted(codes)).lower() == ascii_lowercase[: len(codes)]:
        return best
    for words in known_words()["initials"].values():
        known = {word: emotion for word in words.split() if (emotion := emotion_of_word(word))}
        options = {
            code: [*dict.fromkeys(known[word] for word in known if bare and word.startswith(bare))]
            for code, bare in zip(codes, map(plain, codes), strict=True)
        }
        found: dict[str, str] = {}
        for code in sorted(options, key=lambda code: len(options[code])):
            free = [emotion for emotion in options[code] if emotion not in found.values()]
            found |= {code: free[0]} if free else {}
        if 2 * len(found) > len(codes) and len(found) > max(2, len(best)):
            best = found
    return best


def published_codes(codes: Sequence[str]) -> dict[str, str]:
    """What codes stand for, if they are those of a published set of which no first letters tell all.

    Examples:
        >>> published_codes(["A", "C", "D", "F", "H", "N", "O", "S", "U", "X"])["U"]
        'surprise'
        >>> published_codes(["A", "H", "N", "S"])
        {}
    """
    for told in known_words()["sets"].values():
        known = dict(pair.split("=") for pair in told.split())
        if len(codes) >= 6 and set(codes) <= known.keys():
            return {code: known[code] for code in codes if known[code] != "?"}
    return {}


def gender_of_word(word: str) -> str | None:
    """The gender that a word means by itself; None where it is not known.

    Examples:
        >>> gender_of_word("Frau"), gender_of_word("M"), gender_of_word("nan")
        ('female', 'male', None)
    """
    return None if is_nobody(word) else _meanings("genders").get(plain(word))


def is_nobody(speaker: str) -> bool:
    """Whether the code of a speaker says that nobody knows who speaks.

    Examples:
        >>> is_nobody("<UNK>"), is_nobody("?"), is_nobody("NA")
        (True, True, False)
    """
    word = speaker.strip().lower()
    known = str(known_words()["nobody"]["words"]).split()
    return word in known or word.strip("<>[]()") in known or not re.search(r"\w", word)


def is_missing(word: str) -> bool:
    """Whether a word stands where a value is missing, as ``None`` of pandas or ``NA`` of R."""
    return is_nobody(word) or word.strip() == "NA"


def is_level(word: str) -> bool:
    """Whether a word says how strong or which way, which is not an emotion.

    Examples:
        >>> is_level("strong"), is_level("sad")
        (True, False)
    """
    return plain(word) in _meanings("levels")


def numbered_thing(word: str) -> str | None:
    """What a word counts: a ``speaker`` or a ``take``, or a ``group`` of an age; None where it is not known.

    Examples:
        >>> numbered_thing("Actor"), numbered_thing("Session"), numbered_thing("x")
        ('speaker', 'take', None)
    """
    return _meanings("numbered").get(plain(word))


def is_copy(word: str) -> bool:
    """Whether a word says which copy of the recordings this is, or how they were recorded.

    Examples:
        >>> is_copy("FLAC"), is_copy("16k"), is_copy("anna")
        (True, True, False)
    """
    return plain(word) in _meanings("copies")


def intensity_of_word(word: str) -> str | None:
    """The intensity that a word means: ``low``, ``normal`` or ``high``; None where it is not known.

    Examples:
        >>> intensity_of_word("STRONG"), intensity_of_word("md"), intensity_of_word("sad")
        ('high', 'normal', None)
    """
    return _meanings("intensities").get(plain(word))


def style_of_word(word: str) -> str | None:
    """How an emotion came about, as a word says: ``acted``, ``elicited`` or ``conversational``.

    Examples:
        >>> style_of_word("Scripted"), style_of_word("improvised"), style_of_word("whispered")
        ('acted', 'elicited', None)
    """
    return _meanings("styles").get(plain(word))


def facts_of_columns(heading: Sequence[str]) -> dict[str, str]:
    """Which columns of a table say what, by their names: fact -> column, each column once.

    Of several columns for one fact, the one whose name comes first in ``words.toml`` is taken; words for
    emotion and gender may also be a part of the name, unless it is of predictions, words for speakers beside
    one as ``id``, and words for ratings beside one as ``mean`` if only one column is called so. Case, accents
    and marks do not matter. A duration counts only beside a start; ``V``, ``A`` and ``D`` do if the
    first two occur.

    Examples:
        >>> facts_of_columns(["File", "Emotion", "Speaker ID", "x"])
        {'path': 'File', 'emotion': 'Emotion', 'speaker': 'Speaker ID'}
    """
    names: dict[str, str] = {}
    for column in heading:
        names.setdefault(letters(column), column)
    found: dict[str, str] = {}
    for fact, words in known_words()["columns"].items():
        if fact in TIMES:
            left = [column for column in names.values() if column not in found.values()]
            times = (column for word in words.split() for column in left if _is_time(column, word))
            if (time := next(times, None)) is not None:
                found[fact] = time
            continue
        called = next((names[word] for word in map(letters, words.split()) if word in names), None)
        alone = called is not None and len(called) == 1 and not {"v", "a"} <= names.keys()
        if called is not None and called not in found.values() and not alone:
            found[fact] = called
    for fact in DIMENSIONS:
        alike = [column for column in names.values() if rating_of_column(column) == fact]
        if fact not in found and len(alike) == 1:
            found[fact] = alike[0]
    before, after = (
        "|".join(map(letters, known_words()["beside_speakers"][at].split())) for at in ("before", "after")
    )
    for fact in ("emotion", "speaker", "gender"):
        words = "|".join(word for word in map(letters, columns_of_fact(fact)) if _telling(word))
        barred = "|".join(["pred", *(_not_of_speakers() if fact == "gender" else ())])
        form = rf"(?!.*({barred})).*({words}).*"
        form = rf"({before})*({words})s?({after}|\d)*" if fact == "speaker" else form
        free = {name: column for name, column in names.items() if column not in found.values()}
        inside = [column for name, column in free.items() if re.fullmatch(form, name)]
        if fact not in found and inside:
            found[fact] = inside[0]
    if "start" not in found:
        found.pop("duration", None)
    return found


@lru_cache(maxsize=1 << 12)
def _is_time(column: str, word: str) -> bool:
    """Whether a column is called like a bound of segments, alone or beside words as ``time`` and a unit."""
    beside = {at: "|".join(some.split()) for at, some in known_words()["beside_times"].items()}
    units = f"{beside['units']}|{beside['milliseconds']}"
    form = rf"({beside['before']})?{word}({beside['after']})*({units})?"
    return re.fullmatch(form, letters(column)) is not None


def in_milliseconds(column: str) -> bool:
    """Whether the name of a column of times ends in milliseconds.

    Examples:
        >>> [in_milliseconds(column) for column in ("START_MS", "start (ms)", "startMs", "start_s")]
        [True, True, True, False]
    """
    return letters(column).endswith(tuple(known_words()["beside_times"]["milliseconds"].split()))


@cache
def _not_of_speakers() -> Sequence[str]:
    """Words of headings that are about others than who speaks."""
    others = known_words()["not_speakers"]["words"].split()
    return [letters(word) for word in (*columns_of_fact("rater"), *others)]


@lru_cache(maxsize=1 << 12)
def rating_of_column(column: str, *, surely: bool = True) -> str | None:
    """The rating that a column is called like: its name, alone or beside one as ``mean``; None for others.

    Args:
        column: heading of a table.
        surely: whether nothing else may stand beside it; otherwise what is not a mark of another number.

    Examples:
        >>> rating_of_column("Valence (1-5)"), rating_of_column("avg_act"), rating_of_column("act_1")
        ('valence', 'arousal', None)
        >>> rating_of_column("valence_std", surely=False), rating_of_column("valence_r2", surely=False)
        (None, 'valence')
    """
    beside = known_words()["beside_ratings"]
    same = "|".join(beside["same"].split())
    apart = {*re.findall("[a-z]+", re.sub("(?<=[a-z])(?=[A-Z])", " ", column).lower())}
    differs = apart & {*beside["other"].split()}
    for fact in DIMENSIONS:
        words = {letters(word) for word in columns_of_fact(fact)}
        long = "|".join(sorted(word for word in words if len(word) > 4))
        short = "|".join(sorted(word for word in words if 1 < len(word) <= 4))
        sure = rf"({same}|\d)*({long})({same}|\d)*|({same})*({short})({same})*"
        if re.fullmatch(sure, letters(column)):
            return fact
        if not surely and re.search(long, letters(column)) and not differs:
            return fact
    return None


def columns_of_fact(fact: str) -> list[str]:
    """What the column of a fact may be called, the usual names first.

    Examples:
        >>> columns_of_fact("path")[:3]
        ['path', 'file', 'filename']
    """
    return str(known_words()["columns"][fact]).split()


def _telling(word: str) -> bool:
    """Whether a word is long enough to be recognised within a longer one."""
    return len(word) >= (6 if word.isascii() else 2)


@cache
def known_words() -> Mapping[str, Any]:
    """All of ``words.toml``, by the names of its tables."""
    text = resources.files("ser_pipeline.corpora").joinpath("words.toml").read_text("utf-8")
    return tomllib.loads(text)


@cache
def _meanings(kind: str) -> Mapping[str, str]:
    found: dict[str, str] = {}
    for meaning, words in known_words()[kind].items():
        for word in words.split():
            found.setdefault(plain(word), meaning)
    found.pop("", None)
    return found
