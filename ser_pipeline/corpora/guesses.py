"""Which fields of names are the emotion, the person, the gender and so on: guesses by their values."""

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from ser_pipeline.corpora.shapes import Field
from ser_pipeline.corpora.values import PART_OF
from ser_pipeline.corpora.words import (
    emotion_of_word,
    emotions_of_codes,
    gender_of_word,
    intensity_of_word,
    is_copy,
    is_language,
    is_level,
    numbered_thing,
)

MOST_EMOTIONS: Final = 30
"""Different values that a field of emotions may have."""

LIKELY: Final = 1.5
CERTAIN: Final = 2.0
MARGIN: Final = 0.75
"""Scores of a field from which on it is taken for the speaker, and without doubt if no other comes near."""


@dataclass(frozen=True)
class Guess:
    """What one fact is read from.

    Attributes:
        fact: as in a description.
        source: the field, or the column with its table, in words.
        counts: how often each code occurs.
        sure: whether the values leave little doubt.
        codes: code -> value, of those that could be told.
    """

    fact: str
    source: str
    counts: Mapping[str, int]
    sure: bool
    codes: Mapping[str, str] = field(default_factory=dict)

    @property
    def untold(self) -> list[str]:
        """Codes of which nobody knows what they stand for, by how often they occur."""
        return [code for code, _ in Counter(self.counts).most_common() if code not in self.codes]


Found = tuple[Field, Guess]


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
        codes, score = _emotions(counts, told)
        if score > 0.4 and (best is None or score > best[0] + 1e-9):
            unknown = [code for code in counts if code not in codes and not is_level(code)]
            sure = score > 0.95 and not unknown
            best = score, each, Guess("emotion", where(each), counts, sure, codes)
    return best[1:] if best else None


def any_emotion(fields: Sequence[Field]) -> Found | None:
    """The field that may be codes of emotions though nothing says what they mean; None if none may.

    That is one of few short values, as near as can be to the seven that most corpora have.
    """
    likely = [
        each
        for each in fields
        if not each.joined
        and not _of_takes(each, fields)
        and 3 <= len(each.counts) <= 15
        and max(map(len, each.counts)) <= 4
        and not any(map(_of_speakers, _around(each, fields)))
        and len(each.values) >= 4 * len(each.counts)
    ]
    likely.sort(key=lambda each: (abs(len(each.counts) - 7), each.level, each.place))
    return (likely[0], Guess("emotion", where(likely[0]), likely[0].counts, False)) if likely else None


def _of_speakers(each: Field) -> bool:
    """Whether values are called like speakers, or are higher numbers than codes have."""
    words = _letters(each)
    high = all(map(str.isdecimal, each.counts)) and min(map(int, each.counts)) > 12
    return high or (_all("speaker", words) and _numbered(each))


def _of_takes(each: Field, fields: Sequence[Field]) -> bool:
    """Whether a field, or the token that it is the number of, is called like sentences or takes."""
    return any(_all("take", _letters(other)) for other in _around(each, fields))


def _all(kind: str, words: set[str]) -> bool:
    return bool(words) and all(numbered_thing(word) == kind for word in words)


def _around(each: Field, fields: Sequence[Field]) -> list[Field]:
    """A field and the tokens that it is a part of."""
    return [each, *(other for other in fields if _inside(each, other) and not other.joined)]


def _letters(each: Field) -> set[str]:
    """Letters of the values, without digits and marks."""
    return {re.sub(r"[\W\d_]", "", value).lower() for value in each.counts} - {""}


def _numbered(each: Field) -> bool:
    return all(any(map(str.isdigit, value)) for value in each.counts)


def _emotions(counts: Mapping[str, int], told: Mapping[str, str]) -> tuple[dict[str, str], float]:
    """What codes stand for, and how much speaks for it."""
    words = {code: emotion for code in counts if (emotion := emotion_of_word(code))}
    kinds = len(set(words.values()) - {"other"})
    by_words = known(counts, words) + 0.05 * min(kinds, 6) if kinds >= 2 else 0.0
    if by_words >= 0.5:
        begun = {} if any(map(str.isdigit, counts)) else emotions_of_codes(list(counts))
        return {**begun, **{code: told[code] for code in counts if code in told}, **words}, by_words
    beside = {code: told[code] for code in counts if code in told}
    if len(set(beside.values())) >= 3:
        return beside, 0.6 * known(counts, beside) + 0.3 * len(beside) / len(told)
    if len(counts) > 12:
        return words, by_words
    begun = {} if any(map(str.isdigit, counts)) else emotions_of_codes(list(counts))
    return begun, min(known(counts, begun), 0.9) if len(set(begun.values())) >= 3 else 0.0


def known(counts: Mapping[str, int], codes: Mapping[str, str]) -> float:
    """Share of recordings whose code could be told."""
    return sum(counts[code] for code in codes) / sum(counts.values())


def find_others(fields: Sequence[Field], emotion: Field | None, columns: Mapping[str, Guess]) -> list[Found]:
    """Fields of other facts, each used once; of a part of the speaker's code that is the gender, both.

    Args:
        fields: in which the names differ.
        emotion: that of the emotion, if it is one of them.
        columns: fact -> what a table says of it; fields that say the same are left out.
    """
    facts = list(columns)
    told = [column.counts.keys() for column in columns.values()]
    fields = [
        each
        for each in fields
        if not any(each.counts.keys() <= codes for codes in told)
        and not all(map(is_copy, each.counts))
        and not (emotion and _same_classes(each, emotion))
    ]
    found: list[Found] = []
    for fact, find in _FINDERS.items():
        taken = [each for each, _ in found] + ([emotion] if emotion else [])
        free = [
            each
            for each in fields
            if not any(_same(each, other) and not (each.joined and _inside(other, each)) for other in taken)
        ]
        guess = find(free, emotion) if fact not in facts else None
        if guess is not None:
            found.append(guess)
    speaker = next((each for each, guess in found if guess.fact == "speaker"), None)
    gendered = {guess.fact for _, guess in found} | set(facts)
    if speaker is not None and "gender" not in gendered:
        found += [_gendered(each) for each in fields if _inside(each, speaker) and _says_gender(each)][:1]
    return found


def where(each: Field) -> str:
    """A field in words."""
    if each.level:
        return "folder" if each.level == 1 else f"folder {each.level} levels up"
    return "file name"


def _same(one: Field, other: Field) -> bool:
    return one.values == other.values or (one.level == other.level and _overlap(one, other))


def _same_classes(one: Field, other: Field) -> bool:
    """Whether two fields say the same in other words, as ``angry/A01`` does."""
    return len(set(zip(one.values, other.values, strict=True))) == len(one.counts) == len(other.counts)


def _overlap(one: Field, other: Field) -> bool:
    (start, stop), (begin, end) = one.place, other.place
    return one.place == other.place or (start < end and begin < stop)


def _inside(each: Field, other: Field) -> bool:
    (start, stop), (begin, end) = each.place, other.place
    return each.level == other.level and each.place != other.place and begin <= start and stop <= end


def _says_gender(each: Field) -> bool:
    genders = _genders(each)
    return len(each.counts) <= 3 and len(set(genders.values())) == 2 and known(each.counts, genders) > 0.6


def _genders(each: Field) -> dict[str, str]:
    return {code: gender for code in each.counts if (gender := gender_of_word(code))}


def _gendered(each: Field) -> Found:
    codes = dict.fromkeys(each.counts, "unknown") | _genders(each)
    return each, Guess("gender", where(each), each.counts, True, codes)


def _gender(fields: Sequence[Field], _: Field | None) -> Found | None:
    """A field that says the gender and is no part of a longer code."""
    for each in fields:
        alone = not any(_inside(each, other) and not other.joined for other in fields)
        if alone and not each.joined and _says_gender(each):
            return _gendered(each)
    return None


def _intensity(fields: Sequence[Field], _: Field | None) -> Found | None:
    for each in fields:
        codes = {code: level for code in each.counts if (level := intensity_of_word(code))}
        if not each.joined and len(each.counts) <= 5 and known(each.counts, codes) > 0.95:
            return each, Guess("intensity", where(each), each.counts, True, codes)
    return None


def _language(fields: Sequence[Field], _: Field | None) -> Found | None:
    for each in fields:
        if not each.joined and len(each.counts) >= 2 and all(map(is_language, each.counts)):
            return each, Guess("language", where(each), each.counts, False)
    return None


def _part(fields: Sequence[Field], _: Field | None) -> Found | None:
    for each in fields:
        if not each.joined and len(each.counts) <= 4 and {*map(str.lower, each.counts)} <= PART_OF.keys():
            return each, Guess("part", where(each), each.counts, True)
    return None


def _speaker(fields: Sequence[Field], emotion: Field | None) -> Found | None:
    """The field that is most likely the person: crossed with the emotions, early in the path, called so."""
    scored = [(_like_a_speaker(each, emotion, fields), each) for each in fields]
    scored.sort(key=lambda pair: (-pair[0], pair[1].level, pair[1].place))
    if not scored or scored[0][0] < LIKELY:
        return None
    score, best = scored[0]
    rivals = [other for other, each in scored[1:] if not _same(each, best)]
    sure = score >= CERTAIN and (not rivals or score - rivals[0] >= MARGIN) and _plainly(best, fields)
    return best, Guess("speaker", where(best), best.counts, sure)


def _plainly(each: Field, fields: Sequence[Field]) -> bool:
    """Whether values say that they are people, where those of sentences or takes might look the same."""
    if _numbered(each):
        return bool(each.level) or _called(each)
    capital = all(value[0].isupper() for value in each.counts)
    return _repeated(each, fields) or (len(each.counts) >= 4 and (bool(each.level) or capital))


def _called(each: Field) -> bool:
    letters = _letters(each)
    return bool(letters) and (
        _all("speaker", letters) or letters <= {"female", "male"} or _gendered_number(each)
    )


def _gendered_number(each: Field) -> bool:
    """Whether values are a gender and a number, as ``F01`` is."""
    sides = [re.fullmatch(r"s?([fmw])([\W_]*)\d+|\d+([\W_]*)([fmw])", text.lower()) for text in each.counts]
    letters = {side[1] or side[4] for side in sides if side}
    apart = any(side[2] or side[3] for side in sides if side)
    lowest = min(int(re.sub(r"\D", "", text) or 0) for text in each.counts)
    return all(sides) and len(letters) == 2 and (lowest <= 3 or not apart)  # F-21 is a woman of 21


def _repeated(each: Field, fields: Sequence[Field]) -> bool:
    """Whether a folder and a name say the same."""
    return any(other.level != each.level and other.values == each.values for other in fields)


def _like_a_speaker(each: Field, emotion: Field | None, fields: Sequence[Field]) -> float:
    """How much speaks for a field; -1 if it cannot be the speaker."""
    counts, total = each.counts, len(each.values)
    odd = sum(bool(emotion_of_word(value)) or is_level(value) for value in counts) / len(counts)
    if not 2 <= len(counts) <= max(2, total // 4) or odd > 0.5 or _says_gender(each):
        return -1.0
    parts = [other for other in fields if _inside(other, each) and not other.joined]
    if each.joined and not _gendered_number(each):
        return -1.0
    if _of_takes(each, fields) or (len(counts) <= 3 and len(_around(each, fields)) > 1):
        return -1.0  # the second: a part of a code that has more values
    score = 0.0
    if emotion is not None:
        pairs = len(set(zip(each.values, emotion.values, strict=True)))
        if pairs > 0.6 * total and not each.level:  # a running number: nobody says everything once
            return -1.0
        crossed = pairs / (len(counts) * len(emotion.counts))
        score += 1.5 * crossed - 0.5 * (crossed < 0.4 and not each.level)
    score += _by_form(each) + _by_place(each, emotion, fields)
    score += 0.75 * _repeated(each, fields) - 0.5 * bool(parts)
    return score - 0.25 * (max(counts.values()) > 0.6 * total)


def _by_form(each: Field) -> float:
    """What the values themselves say."""
    count = len(each.counts)
    score = 1.5 * _called(each)
    score += 0.5 if count >= 5 else -0.5 if count <= 3 else 0.0
    return score + 0.5 * (_numbered(each) and min(map(len, each.counts)) >= 4)


def _by_place(each: Field, emotion: Field | None, fields: Sequence[Field]) -> float:
    """What the place in the path says: speakers are folders, or come first; last are takes and texts."""
    neighbours = [other for other in fields if other.level == each.level == 0 and not _overlap(other, each)]
    begins = emotion is None or emotion.level or emotion.place > each.place
    first = begins and all(other.place > each.place for other in neighbours)
    last = each.level == 0 and all(other.place < each.place for other in neighbours)
    named = all(value.isalpha() and 2 <= len(value) <= 12 for value in each.counts)
    if last and not neighbours and all(map(str.isdecimal, each.counts)):
        return -1.5  # the name is nothing but a running number
    if last:
        initials = named and all(value.isupper() and len(value) <= 4 for value in each.counts)
        return 0.75 if initials else -1.0 if named else -0.5
    return (1.0 if each.level else 0.75 if first else 0.0) + 0.75 * named


def _sentence(fields: Sequence[Field], _: Field | None) -> Found | None:
    """What is left and occurs often enough to be the same words, or the same take, again."""
    for each in fields:
        if not each.joined and len(each.values) >= 2 * len(each.counts):
            return each, Guess("sentence", where(each), each.counts, False)
    return None


_FINDERS: Final[Mapping[str, Callable[[Sequence[Field], Field | None], Found | None]]] = {
    "part": _part,
    "gender": _gender,
    "intensity": _intensity,
    "language": _language,
    "speaker": _speaker,
    "sentence": _sentence,
}
