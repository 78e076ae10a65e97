"""How the text of a fact becomes its value, by the codes and scales of a description."""

import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from functools import lru_cache
from types import MappingProxyType
from typing import Any, Final

from ser_pipeline.corpora.description import FACTS, VALUES, Description, Scale, Table, parts_of
from ser_pipeline.corpora.languages import language_of_word, usual_tag
from ser_pipeline.corpora.table_formats import Row
from ser_pipeline.corpora.tables import age_of, number_of, whole_number
from ser_pipeline.corpora.words import TIMES, gender_of_word, in_milliseconds, is_missing, is_nobody
from ser_pipeline.labels import DIMENSIONS, OTHER
from ser_pipeline.records import MAX_FOLDS, MOST_VOTES, RATINGS, UNKNOWN_SPEAKER

PART_OF: Final[Mapping[str, str]] = MappingProxyType(
    {
        "train": "train", "training": "train", "trn": "train",
        "validation": "validation", "valid": "validation", "val": "validation", "dev": "validation",
        "devel": "validation",
        "development": "validation", "develop": "validation",
        "test": "test", "testing": "test", "tst": "test", "eval": "test", "evaluation": "test",
    }
)  # fmt: skip
"""Usual words for the parts of a split."""


def part_of_word(word: str) -> str | None:
    """The part of a split that a name tells, whatever stands around it; None where it is not known.

    Examples:
        >>> part_of_word("emorynlp_dev_final"), part_of_word("Test1"), part_of_word("contest")
        ('validation', 'test', None)
    """
    found = {PART_OF[token] for token in re.split(r"[\W\d_]+", word.lower()) if token in PART_OF}
    return found.pop() if len(found) == 1 else None


SHARES: Final[tuple[Scale, ...]] = ((0, 1), (0, 100))
"""Scales of agreement and naturalness, which are shares of the raters."""

SCALES: Final[tuple[Scale, ...]] = ((0, 1), (-1, 1), (1, 5), (1, 7), (1, 9), (0, 10), (-5, 5), (0, 100))
"""Usual scales of ratings; the first that all ratings fit is taken."""

MOST_CODES: Final = 12
"""Codes that a message lists; of more, the first few."""


_CALLED: Final[Mapping[str, str]] = {
    "session": "session_id", "sentence": "sentence_id", "start": "start_s", "end": "end_s",
}  # fmt: skip
"""Fact -> field of an utterance, where they are not called alike."""


class Values:
    """Reads the facts of one corpus."""

    def __init__(self, description: Description) -> None:
        self._told = description
        self._codes = {
            fact: {self._case(code): value for code, value in codes.items()}
            for fact, codes in description.codes.items()
        }
        self._readers = {fact: self._reader(fact) for fact in FACTS}
        self._fields = {
            fact: (_CALLED.get(fact, fact), read)
            for fact, read in self._readers.items()
            if fact not in ("emotion", "speaker", "path", "rater")
        }
        told = description
        self._spelt = {
            group: {
                self._case(spelling): code
                for spelling, code in (
                    *((code, code) for code in (*told.codes_of(group), *told.refused.get(group, {}))),
                    *told.spellings.get(group, {}).items(),
                )
            }
            for group in told.groups
        } if told.ignore_case or told.spellings else {}  # fmt: skip

    @property
    def by_tables(self) -> bool:
        """Whether nothing but tables says the emotion."""
        told = self._told
        beside = (fact for each in told.sidecars for fact in (*each.columns, each.fact))
        return "emotion" not in (*told.groups, *told.facts, *told.joined, *beside)

    def named(self, match: re.Match[str] | None) -> dict[str, str]:
        """What the groups of a name say, as the description spells it; of those that say something."""
        if match is None:
            return {}
        told = {group: text for group, text in match.groupdict().items() if text}
        for group, spelt in self._spelt.items():
            if group in told:
                text = self._case(told[group])
                told[group] = spelt.get(text, text)
        return told

    def of(self, fact: str, text: str) -> Any:
        """Value of a fact.

        Raises:
            ValueError: the text is none that the fact may have; says which are valid.
        """
        return self._readers[fact](text)

    def votes(self, line: Row, table: Table) -> dict[str, list[str]]:
        """What a line says of how many listeners chose each emotion: emotion -> numbers."""
        votes = {emotion: [line.get(name, "") for name in names] for emotion, names in table.votes.items()}
        for column in table.raters:
            if emotion := self.answer(line.get(column, "").strip()):
                votes.setdefault(emotion, []).append("1")
        return votes

    def answer(self, label: str) -> str:
        """The emotion that one of several listeners chose; a word that is none is another one, "" missing."""
        try:
            return parts_of(self.of("emotion", label))[0] if label else ""
        except ValueError:
            return "" if is_missing(label) else OTHER

    def fields(self, raw: Mapping[str, Any], others: Mapping[str, Any]) -> dict[str, Any]:
        """Fields of a row, by what is said of them; the emotion and who speaks are others' to find.

        Args:
            raw: fact -> text.
            others: fields that have these values where nothing is said of them.

        Raises:
            ValueError: a text is none that its fact may have.
        """
        fields = dict(others)
        for fact, text in raw.items():
            if fact in self._fields and text != "":
                name, read = self._fields[fact]
                fields[name] = read(text)
        length = fields.pop("duration", None)
        if length is not None and fields.get("end_s") is None:
            fields["end_s"] = (fields.get("start_s") or 0.0) + length
        return fields

    def _reader(self, fact: str) -> Callable[[str], Any]:
        """How the text of a fact becomes its value; raises ValueError for what it cannot be."""
        if fact in VALUES:
            return self._coded(fact, VALUES[fact])
        if fact in RATINGS:
            return self._scaled(fact)
        simple: dict[str, Callable[[str], Any]] = {
            "age": lambda text: age_of(re.sub(r"[.,]0$", "", str(text))) if str(text).strip() else None,
            "fold": fold_of,
            "language": self._language(),
        } | dict.fromkeys(TIMES, seconds_of)
        return simple.get(fact, self._plain(fact))

    def _language(self) -> Callable[[str], str]:
        """A description's own codes stand for tags; another word that is not a language is an unknown one."""
        plain, own = self._plain("language"), {*self._codes.get("language", {}).values()}

        def read(text: str) -> str:
            value = plain(text)
            return usual_tag(value) if value in own else language_of_word(value) or "und"

        return read

    def _plain(self, fact: str) -> Callable[[str], str]:
        codes, listed = self._codes.get(fact, {}), self._told.codes_of(fact)
        closed = fact in self._told.closed

        @lru_cache(maxsize=1 << 12)
        def read(text: str) -> str:
            value = codes.get(self._case(str(text)), str(text))
            if closed and value not in listed and text not in listed:
                raise ValueError(f"{fact} {text!r} does not exist; valid are {', '.join(listed)}")
            return UNKNOWN_SPEAKER if fact == "speaker" and is_nobody(value) else value

        return read if codes or closed or fact == "speaker" else str

    def _coded(self, fact: str, valid: Sequence[str]) -> Callable[[str], str]:
        own, closed = self._codes.get(fact, {}), fact in self._told.closed
        usual = PART_OF if fact == "part" else {}
        codes = own if closed else {**usual, **{value: value for value in valid}, **own}
        shown = list(self._told.codes.get(fact, {})) or list(valid)
        most = len(shown) if closed else MOST_CODES
        listed = ", ".join(shown[:most]) + (", ..." if len(shown) > most else "")

        @lru_cache(maxsize=1 << 12)
        def read(text: str) -> str:
            value = codes.get(self._case(str(text).strip()), codes.get(str(text).strip().lower()))
            if value is None and fact == "gender" and not closed:
                value = "unknown" if is_nobody(str(text)) else gender_of_word(str(text))
            if value is None:
                raise ValueError(f"{fact} {text!r} does not exist; valid are {listed}")
            return value

        return read

    def _scaled(self, fact: str) -> Callable[[str], float | None]:
        low, high = RATINGS[fact]
        lowest, highest = self._told.scales.get(fact, (low, high))

        def read(text: str) -> float | None:
            if str(text).strip().lower() in ("", "nan"):
                return None
            value = number_of(str(text))
            if not math.isfinite(value) or not lowest <= value <= highest:
                raise ValueError(f"{fact} {text} is not between {lowest:g} and {highest:g}")
            return low + (high - low) * (value - lowest) / (highest - lowest)

        return read

    def _case(self, code: str) -> str:
        return code.lower() if self._told.ignore_case else code


def fold_of(text: str) -> int:
    """Read the number of a fold.

    Raises:
        ValueError: no whole number, or none that the manifest can hold.

    Examples:
        >>> fold_of("2.0")
        2
    """
    fold = whole_number(str(text))
    if not 0 <= fold <= MAX_FOLDS:
        raise ValueError(f"fold {str(text).strip()!r} is not between 0 and {MAX_FOLDS}")
    return fold


def with_unit(text: str, column: str) -> str:
    """The text of a time with the unit that the name of its column ends in; ``NaT`` is none.

    Examples:
        >>> with_unit("1250", "START (ms)"), with_unit("1.25", "start"), with_unit("NaT", "end_ms")
        ('1250 ms', '1.25', '')
    """
    text = "" if text == "NaT" else text
    return f"{text} ms" if text and in_milliseconds(column) else text


def seconds_of(text: str) -> float:
    """Read a time in seconds, in milliseconds, or as hours, minutes and seconds.

    Raises:
        ValueError: no time of at least 0.

    Examples:
        >>> seconds_of("12,5"), seconds_of("1:02:03.5"), seconds_of("0 days 00:00:01.250000")
        (12.5, 3723.5, 1.25)
        >>> seconds_of("1250 ms")
        1.25
    """
    if str(text).endswith(" ms"):
        return seconds_of(str(text).removesuffix(" ms")) / 1000
    try:
        parts = [float(part) for part in str(text).removeprefix("0 days ").replace(",", ".").split(":")]
    except ValueError:
        parts = []
    value = math.fsum(part * 60.0**power for power, part in enumerate(reversed(parts)))
    if not 1 <= len(parts) <= 3 or not math.isfinite(value) or min(parts) < 0:
        raise ValueError(f"{text!r} is not a time, as in 12.5 (seconds) or 0:12.5")
    return value


def of_all(answers: Sequence[Mapping[str, Any]], emotion_of: Callable[[str], str]) -> Mapping[str, Any]:
    """What the answers of several listeners to one recording say together.

    Args:
        answers: fact -> text of each; all have the same facts.
        emotion_of: the emotion that a label means.

    Returns:
        Votes for emotions instead of one, mean ratings, and of other facts what the first says.

    Examples:
        >>> of_all([{"emotion": "W", "valence": "2"}, {"emotion": "W", "valence": "5"}], {"W": "anger"}.get)
        {'valence': '3.5', 'votes': Counter({'anger': 2})}
    """
    facts = dict.fromkeys(fact for answer in answers for fact in answer)
    said = {fact: [answer[fact] for answer in answers if answer.get(fact)] for fact in facts}
    told = {fact: texts[0] if texts else answers[0].get(fact, "") for fact, texts in said.items()}
    for fact in RATINGS.keys() & said.keys():
        numbers = []
        for text in said[fact]:
            with suppress(ValueError):
                numbers += [number] if math.isfinite(number := number_of(text)) else []
        told[fact] = str(math.fsum(numbers) / len(numbers)) if numbers else told[fact]
    votes = Counter[str]()
    for answer in answers:
        try:
            votes.update(votes_of(answer.get("votes") or {}))
        except ValueError:
            return told | {"votes": answer["votes"]}  # of which nothing can be read, as will be said
    if told.pop("emotion", ""):
        votes.update(filter(None, map(emotion_of, said["emotion"])))
    return told | {"votes": votes} if votes else told


def votes_of(counts: Mapping[str, Any]) -> dict[str, int]:
    """Emotion -> listeners who chose it, of those that any chose.

    Args:
        counts: emotion -> how many chose it, or several numbers to be added up.

    Raises:
        ValueError: a count is not a whole number, below 0, or more than the manifest can hold.

    Examples:
        >>> votes_of({"anger": "2.0", "fear": "", "sadness": 0, "other": ["1", "2"]})
        {'anger': 2, 'other': 3}
    """
    votes: Counter[str] = Counter()
    for emotion, cells in counts.items():
        for cell in cells if isinstance(cells, list) else [cells]:
            count = number_of(str(cell or 0))
            if not count.is_integer():
                raise ValueError(f"{cell!r} is not a whole number of votes; give counts, not shares")
            if count < 0:
                raise ValueError("a number of votes is negative")
            votes[emotion] += int(count)
    if max(votes.values(), default=0) > MOST_VOTES:
        raise ValueError(f"more than {MOST_VOTES} votes for one emotion")
    return {emotion: count for emotion, count in votes.items() if count}


def majority_of(votes: Mapping[str, int]) -> str:
    """The emotion that more listeners chose than any other; "" for none.

    Examples:
        >>> majority_of({"anger": 2, "fear": 1}), majority_of({"anger": 2, "fear": 2}), majority_of({})
        ('anger', '', '')
    """
    best = [emotion for emotion, count in votes.items() if count == max(votes.values())]
    return best[0] if len(best) == 1 else ""


def usual_scales(met: Mapping[str, Iterable[str]]) -> dict[str, Scale]:
    """Fact -> usual scale of its ratings; valence, arousal and dominance have the widest that any needs.

    Args:
        met: fact -> texts; those that are no numbers are passed over, and facts that fit no scale left out.

    Examples:
        >>> usual_scales({"valence": ["1", "4,5"], "arousal": ["6", "x"], "agreement": ["3"]})
        {'valence': (1, 7), 'arousal': (1, 7), 'agreement': (0, 100)}
    """
    found = {fact: scale for fact in RATINGS if (scale := _usual_scale(fact, met.get(fact, ())))}
    of_all = {fact: found[fact] for fact in DIMENSIONS if fact in found}
    low, high = max(of_all.values(), key=lambda scale: scale[1] - scale[0], default=(0, 1))
    if all(low <= scale[0] and scale[1] <= high for scale in of_all.values()):
        found |= dict.fromkeys(of_all, (low, high))
    return found


def _usual_scale(fact: str, met: Iterable[str]) -> Scale | None:
    values = []
    for text in met:
        with suppress(ValueError):
            values.append(number_of(text))
    values = [value for value in values if math.isfinite(value)]
    scales = SHARES if fact in ("agreement", "naturalness") else SCALES
    return next((s for s in scales if values and s[0] <= min(values) and max(values) <= s[1]), None)
