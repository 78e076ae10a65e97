"""Which fields of names are the emotion, the person, the gender and so on: guesses by their values."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from ser_pipeline.corpora.languages import is_language, language_of_word
from ser_pipeline.corpora.shapes import Field
from ser_pipeline.corpora.values import PART_OF
from ser_pipeline.corpora.words import (
    emotion_of_word,
    emotions_of_codes,
    gender_of_word,
    intensity_of_word,
    is_level,
    numbered_thing,
    published_codes,
)

MOST_EMOTIONS: Final = 30
"""Different values that a field of emotions may have."""


@dataclass(frozen=True)
class Guess:
    """What one fact is read from.

    Attributes:
        fact: as in a description.
        source: the field, or the column with its table, in words.
        counts: how often each code occurs.
        sure: whether the values leave little doubt.
        codes: code -> value, of those that could be told.
        parts: facts that say it together, where no field says it alone.
        rivals: what may as well say it, in words.
    """

    fact: str
    source: str
    counts: Mapping[str, int]
    sure: bool
    codes: Mapping[str, str] = field(default_factory=dict)
    parts: tuple[str, ...] = ()
    rivals: tuple[str, ...] = ()

    @property
    def untold(self) -> list[str]:
        """Codes of which nobody knows what they stand for, by how often they occur."""
        return [code for code, _ in Counter(self.counts).most_common() if code not in self.codes]


INTENSITIES: Final = frozenset(
    {"level", "lvl", "intensity", "intensitaet", "intensitat", "strength", "stufe"}
)
"""Words before the number of an intensity."""

LEVELS: Final = MappingProxyType({"1": "low", "2": "normal", "3": "high"})
"""What three such numbers may mean."""

Found = tuple[Field, Guess]

_MEANS: Final = re.compile(r"(?=\b([^\W_]+)['\"]?[ \t]*([=:(|\t→-]|is|for|means)[ \t]*>?['\"]?([^\W_]+))")
"""Two words and what stands between them; every word may begin such a pair."""


def find_emotion(fields: Sequence[Field], told: Mapping[str, str]) -> Found | None:
    """The field that is most likely the emotion: by words, by what a text says, by first letters.

    Args:
        fields: in which the names differ.
        told: code -> emotion, as a text beside the recordings says.
    """
    best: tuple[float, Field, Guess] | None = None
    for each in fields:
        counts = each.counts
        if each.joined or not 2 <= len(counts) <= MOST_EMOTIONS:
            continue
        codes, score = meanings(counts, told)
        if score > 0.4 and (best is None or score > best[0] + 1e-9):
            unknown = [code for code in counts if code not in codes and not is_level(code)]
            sure = score > 0.95 and not unknown
            best = score, each, Guess("emotion", where(each), counts, sure, codes)
    return best[1:] if best else None


def any_emotions(fields: Sequence[Field]) -> list[Found]:
    """Fields that may be codes of emotions though nothing says what they mean, the likeliest first.

    They have few short values, and the likeliest has close to the seven that most corpora have. Of
    fields with the same values, only one is given.
    """
    likely = [
        each
        for each in fields
        if not each.joined
        and not called_like_takes(each, fields)
        and 3 <= len(each.counts) <= 15
        and max(map(len, each.counts)) <= 4
        and not any(map(_of_speakers, around(each, fields)))
        and len(each.values) >= 4 * len(each.counts)
    ]
    likely.sort(key=lambda each: (abs(len(each.counts) - 7), each.level, each.place))
    return [
        (each, Guess("emotion", where(each), each.counts, False))
        for number, each in enumerate(likely)
        if not any(each.values == other.values for other in likely[:number])
    ]


def _of_speakers(each: Field) -> bool:
    """Whether values are called like speakers, or are higher numbers than codes have."""
    words = each.letters
    high = all(map(str.isdecimal, each.counts)) and min(map(int, each.counts)) > 12
    return high or (all_called("speaker", words) and each.numbered)


def called_like_takes(each: Field, fields: Sequence[Field]) -> bool:
    """Whether a field, or what it is the number of, is called like sentences or takes."""
    return any(
        all_called("take", other.letters) for other in [*around(each, fields), *_counted(each, fields)]
    )


def _counted(each: Field, fields: Sequence[Field]) -> list[Field]:
    """A number with the one word before it, as in ``level_1``."""
    return [
        other
        for other in fields
        if other.joined and each.inside(other) and each.place[1] == other.place[1] and len(other.letters) == 1
    ]


def all_called(kind: str, words: set[str]) -> bool:
    """Whether there are words, and all stand before the numbers of speakers, or of takes."""
    return bool(words) and all(numbered_thing(word) == kind for word in words)


def around(each: Field, fields: Sequence[Field]) -> list[Field]:
    """A field and the tokens that it is a part of."""
    return [each, *(other for other in fields if each.inside(other) and not other.joined)]


def meanings(counts: Mapping[str, int], told: Mapping[str, str]) -> tuple[dict[str, str], float]:
    """What codes stand for, and how much speaks for it, from 0 to 1.3.

    Args:
        counts: code -> how often it occurs.
        told: code -> emotion, as a text beside the recordings says.
    """
    levels = {code for code in counts if is_level(code) and not emotion_of_word(code)}
    if levels and len(levels) < len(counts):
        counts = {code: count for code, count in counts.items() if code not in levels}
    words = {code: emotion for code in counts if (emotion := emotion_of_word(code))}
    kinds = len(set(words.values()) - {"other"})
    by_words = known(counts, words) + 0.05 * min(kinds, 6) if kinds >= 2 else 0.0
    if by_words >= 0.5:
        begun = {} if any(map(str.isdigit, "".join(counts))) else emotions_of_codes(list(counts))
        return {**begun, **{code: told[code] for code in counts if code in told}, **words}, by_words
    beside = {code: told[code] for code in counts if code in told}
    if len(set(beside.values())) >= 3:
        return beside, 0.6 * known(counts, beside) + 0.3 * len(beside) / len(told)
    if len(set(beside.values())) == 2 and 2 * len(beside) >= len(counts) - 1:
        return beside, 0.55
    if len(counts) > 12:
        return words, by_words
    published = published_codes(list(counts))
    if published:
        return published, min(known(counts, published), 0.9)
    begun = {} if any(map(str.isdigit, "".join(counts))) else emotions_of_codes(list(counts))
    kinds = len(set(begun.values()))
    return begun, min(known(counts, begun), 0.9 if kinds > 3 else 0.7) if kinds >= 3 else 0.0


def known(counts: Mapping[str, int], codes: Mapping[str, str]) -> float:
    """Share of recordings whose code could be told."""
    return sum(counts[code] for code in codes) / sum(counts.values())


def where(each: Field) -> str:
    """A field in words."""
    if each.level:
        return "folder" if each.level == 1 else f"folder {each.level} levels up"
    return "file name"


def says_gender(each: Field) -> bool:
    """Whether few values are words for both genders, and others rare."""
    genders = _genders(each)
    return len(each.counts) <= 3 and len(set(genders.values())) == 2 and known(each.counts, genders) > 0.6


def _genders(each: Field) -> dict[str, str]:
    return {code: gender for code in each.counts if (gender := gender_of_word(code))}


def find_gender(fields: Sequence[Field], _: Field | None) -> Found | None:
    """A field that says the gender and is not part of a longer code."""
    for each in fields:
        alone = not any(each.inside(other) and not other.joined for other in fields)
        if alone and not each.joined and says_gender(each):
            return gender_from(each)
    return None


def find_intensity(fields: Sequence[Field], _: Field | None) -> Found | None:
    """A field of words for how strong an emotion is, or of numbers behind such a word."""
    for each in fields:
        words = {word for other in _counted(each, fields) for word in other.letters}
        if words & INTENSITIES and {*each.counts} <= LEVELS.keys() and len(each.counts) == len(LEVELS):
            return each, Guess("intensity", where(each), each.counts, False, LEVELS)
        codes = {code: level for code in each.counts if (level := intensity_of_word(code))}
        if not each.joined and len(each.counts) <= 5 and known(each.counts, codes) > 0.95:
            return each, Guess("intensity", where(each), each.counts, True, codes)
    return None


def find_language(fields: Sequence[Field], _: Field | None) -> Found | None:
    """A field of tags or names of languages."""
    for each in fields:
        codes = {code: tag for code in each.counts if is_language(tag := language_of_word(code) or "")}
        if not each.joined and len(each.counts) >= 2 and len(codes) == len(each.counts):
            plain = all(code == tag for code, tag in codes.items())
            return each, Guess("language", where(each), each.counts, not plain, {} if plain else codes)
    return None


def find_parts(fields: Sequence[Field], _: Field | None) -> Found | None:
    """A field of words for the parts of a split."""
    each = find_part(fields)
    return None if each is None else (each, Guess("part", where(each), each.counts, True))


def find_part(fields: Sequence[Field]) -> Field | None:
    """The field that says to which part of a split a recording belongs; None if none does."""
    for each in fields:
        if not each.joined and len(each.counts) <= 4 and {*map(str.lower, each.counts)} <= PART_OF.keys():
            return each
    return None


def gender_from(each: Field) -> Found:
    """The gender as a field says it; anything else is unknown."""
    codes = dict.fromkeys(each.counts, "unknown") | _genders(each)
    return each, Guess("gender", where(each), each.counts, True, codes)


def codes_in(texts: Sequence[str]) -> dict[str, str]:
    """Code -> emotion, where a text says so, as in ``A = anger`` or ``anger: 3``.

    Args:
        texts: that lie beside the recordings.
    """
    found: dict[str, Counter[str]] = {}
    for text in texts:
        for one, sign, two in _MEANS.findall(text):
            for code, word in ((one, two), (two, one)):
                emotion = emotion_of_word(word) if len(word) > 2 else None
                if emotion is not None and len(code) <= 4 and emotion_of_word(code) is None:
                    found.setdefault(code, Counter())[emotion] += 9 if re.search("[=:→]", sign) else 1
    return {code: emotions.most_common(1)[0][0] for code, emotions in found.items()}
