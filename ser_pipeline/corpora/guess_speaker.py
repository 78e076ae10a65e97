"""Which fields of names are the person, the sentence and so on, by their values, form and place."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from ser_pipeline.corpora.guesses import (
    Found,
    Guess,
    all_called,
    around,
    called_like_takes,
    find_gender,
    find_intensity,
    find_language,
    find_parts,
    gender_from,
    says_gender,
    where,
)
from ser_pipeline.corpora.shapes import Field
from ser_pipeline.corpora.words import emotion_of_word, is_copy, is_level
from ser_pipeline.errors import some

LIKELY: Final = 1.5
CERTAIN: Final = 2.0
MARGIN: Final = 0.75
"""From these scores on, a field is taken for the speaker, and without doubt if no other comes near."""

TALKS: Final = {"session", "sess", "ses", "dialogue", "dialog", "dia", "conversation", "conv", "talk"}
"""Words before the numbers of talks in each of which speakers may be counted anew."""

MOST_GROUPS: Final = 3
"""Values of a field that may be groups of the people whom another field tells apart."""


def find_others(
    fields: Sequence[Field],
    emotion: Field | None,
    columns: Mapping[str, Guess],
    keys: Sequence[Field],
) -> list[Found]:
    """Fields of other facts, each used once, except that the gender may be a part of the speaker's code.

    Args:
        fields: in which the names differ.
        emotion: that of the emotion, if it is one of them.
        columns: fact -> what a table says of it; fields that say the same are left out.
        keys: fields that lines of a table are looked up by; they say nothing else.
    """
    every = fields
    facts = list(columns)
    told = [column.counts.keys() for column in columns.values()]
    said = [each for each in fields if any(each.counts.keys() <= codes for codes in told)]
    fields = [
        each
        for each in fields
        if each not in said
        and not any(_same_classes(each, part) and part.inside(each) for part in said)
        and not all(map(is_copy, each.counts))
        and not (emotion and _same_classes(each, emotion))
    ]
    found: list[Found] = []
    for fact, find in _FINDERS.items():
        taken = [*(each for each, _ in found), *([emotion] if emotion else []), *keys]
        free = [
            each
            for each in fields
            if not any(_same(each, other) and not (each.joined and other.inside(each)) for other in taken)
        ]
        if fact == "sentence":
            free = [each for each in free if not any(_is_group(each, other, guess) for other, guess in found)]
        guess = find(free, emotion) if fact not in facts else None
        if guess is not None:
            found.append(guess)
    speaker = next((each for each, guess in found if guess.fact == "speaker"), None)
    turns = _turns(speaker, every, facts) if speaker else []
    if turns:
        replaced = {"speaker", *(guess.fact for _, guess in turns)}
        return [each for each in found if each[1].fact not in replaced] + turns
    told_of = {guess.fact for _, guess in found} | set(facts)
    if speaker is not None and "gender" not in told_of:
        found += [gender_from(each) for each in fields if each.inside(speaker) and says_gender(each)][:1]
    return found


def _turns(speaker: Field, fields: Sequence[Field], facts: Sequence[str]) -> list[Found]:
    """Session, gender and both as speaker, where what looks like a speaker is a talk of two.

    That is so where the name says the gender once more, and both speak in what is said to be one
    person's, as in ``Ses01F_impro01_M003``.
    """
    inside = [each for each in fields if each.inside(speaker) and not each.joined]
    session = next((each for each in inside if all(map(str.isdecimal, each.counts))), speaker)
    if not all_called("take", speaker.letters - {"f", "m"}) and not any(map(says_gender, inside)):
        words = {re.sub(r"[\W\d_]|[fm]$", "", value.lower()) for value in speaker.counts}
        if not all_called("take", words - {""}):
            return []
    for each in fields:
        if each.level or each.joined or each.overlaps(speaker) or not says_gender(each):
            continue
        met: dict[str, set[str]] = {}
        for one, two in zip(speaker.values, each.values, strict=True):
            met.setdefault(one, set()).add(two)
        if sum(len(values) > 1 for values in met.values()) > 0.6 * len(met):
            both = tuple(f"{one}-{two}" for one, two in zip(session.values, each.values, strict=True))
            people = Field(-1, (0, 1), both)
            guess = Guess("speaker", where(session), people.counts, True, parts=("session", "gender"))
            more = [(session, Guess("session", where(session), session.counts, True))]
            more += [] if "gender" in facts else [gender_from(each)]
            return [*(more if "session" not in facts else more[1:]), (people, guess)]
    return []


def _same(one: Field, other: Field) -> bool:
    return one.values == other.values or (one.level == other.level and one.overlaps(other))


def _same_classes(one: Field, other: Field) -> bool:
    """Whether two fields say the same in other words, as ``angry/A01`` does."""
    return len(set(zip(one.values, other.values, strict=True))) == len(one.counts) == len(other.counts)


def _speaker(fields: Sequence[Field], emotion: Field | None) -> Found | None:
    """The field that is most likely the person: crossed with the emotions, early in the path, called so."""
    scored = [(_like_a_speaker(each, emotion, fields), each) for each in fields]
    scored.sort(key=lambda pair: (-pair[0], -pair[1].level, pair[1].place))
    if not scored or scored[0][0] < LIKELY:
        return None
    score, best = next(
        (pair for pair in scored if pair[0] >= LIKELY and _person_within(pair[1], scored[0][1])), scored[0]
    )
    rivals = [other for other, each in scored[1:] if not _same(each, best)]
    sure = score >= CERTAIN and (not rivals or score - rivals[0] >= MARGIN) and _plainly(best, fields)
    if len(best.counts) < 3 and any(each.letters and each.letters <= TALKS for each in fields):
        sure = False  # the one and the other of every talk
    within = [each for score, each in scored if score >= LIKELY and _people_within(each, best)]
    if within:
        groups = f"the {where(best)} ({some(sorted(best.counts), show=3)})"
        return within[0], Guess("speaker", where(within[0]), within[0].counts, False, rivals=(groups,))
    return best, Guess("speaker", where(best), best.counts, sure)


def _is_group(each: Field, other: Field, guess: Guess) -> bool:
    """Whether all that a speaker says has the same value of a field."""
    pairs = {pair for pair in zip(other.values, each.values, strict=True) if all(pair)}
    return guess.fact == "speaker" and len(pairs) <= len(other.counts)


def _people_within(each: Field, group: Field) -> bool:
    """Whether a field tells apart the people of a few groups that are not numbers, each in one group."""
    pairs = {*zip(each.values, group.values, strict=True)}
    finer = len(pairs) == len(each.counts) >= 2 * len(group.counts)
    return finer and len(group.counts) <= MOST_GROUPS and not group.numbered


def _person_within(each: Field, other: Field) -> bool:
    """Whether a field is called ``actor`` or alike, and tells several people of each value of another."""
    word = all(len(letters) > 1 for letters in each.letters) and all_called("speaker", each.letters)
    finer = len(set(zip(each.values, other.values, strict=True))) == len(each.counts) > len(other.counts)
    return word and each.numbered and finer


def _plainly(each: Field, fields: Sequence[Field]) -> bool:
    """Whether values say that they are people, where those of sentences or takes might look the same."""
    if each.numbered:
        return bool(each.level) or _called(each)
    capital = all(value[0].isupper() for value in each.counts)
    return _repeated(each, fields) or (len(each.counts) >= 4 and (bool(each.level) or capital))


def _called(each: Field) -> bool:
    letters = each.letters
    if each.numbered and all(text[-1:].isalpha() for text in each.counts):  # as in User001F
        letters = {re.sub("[fmw]$", "", word) for word in letters}
    return bool(letters) and (
        all_called("speaker", letters) or letters <= {"female", "male"} or _gendered_number(each)
    )


def called_like_people(each: Field) -> bool:
    """Whether all values are numbers with a word or letter for a person, as ``spk01`` and ``P3`` are."""
    return not each.joined and each.numbered and bool(each.letters) and _called(each)


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
    if not 2 <= len(counts) <= max(2, total // 4) or odd > 0.5 or says_gender(each):
        return -1.0
    parts = [other for other in fields if other.inside(each) and not other.joined]
    if each.joined and not _gendered_number(each):
        return -1.0
    if all_called("group", each.letters) and not any(any(map(str.isdigit, value)) for value in counts):
        return -1.0
    if called_like_takes(each, fields) or (len(counts) <= 3 and len(around(each, fields)) > 1):
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
    return score + 0.5 * (each.numbered and min(map(len, each.counts)) >= 4)


def _by_place(each: Field, emotion: Field | None, fields: Sequence[Field]) -> float:
    """What the place in the path says: speakers are folders, or come first; last are takes and texts."""
    neighbours = [other for other in fields if other.level == each.level == 0 and not other.overlaps(each)]
    begins = emotion is None or emotion.level or emotion.place > each.place
    first = begins and all(other.place > each.place for other in neighbours)
    last = each.level == 0 and all(other.place < each.place for other in neighbours)
    named = all(value.isalpha() and 2 <= len(value) <= 12 for value in each.counts)
    if last and not neighbours and all(map(str.isdecimal, each.counts)):
        return -1.5  # the name is nothing but a running number
    if last:
        initials = named and all(value.isupper() and len(value) <= 4 for value in each.counts)
        bare = all(map(str.isdecimal, each.counts)) and len({*map(len, each.counts)}) > 1
        return 0.75 if initials else -1.0 if named or bare else -0.5
    return (1.0 + 0.5 * each.numbered if each.level else 0.75 if first else 0.0) + 0.75 * named


def _sentence(fields: Sequence[Field], _: Field | None) -> Found | None:
    """What is left and occurs often enough to be the same words, or the same take, again."""
    for each in fields:
        if not each.joined and len(each.values) >= 2 * len(each.counts):
            return each, Guess("sentence", where(each), each.counts, False)
    return None


_FINDERS: Final[Mapping[str, Callable[[Sequence[Field], Field | None], Found | None]]] = {
    "part": find_parts,
    "gender": find_gender,
    "intensity": find_intensity,
    "language": find_language,
    "speaker": _speaker,
    "sentence": _sentence,
}
