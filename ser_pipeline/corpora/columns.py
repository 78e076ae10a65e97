"""Columns of tables: answers of listeners, speakers in several spellings, and those that are not read."""

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Collection, Hashable, Iterable, Iterator, Mapping, Sequence
from typing import Final

from ser_pipeline.corpora.description import Table
from ser_pipeline.corpora.languages import language_of_word
from ser_pipeline.corpora.table_formats import Row
from ser_pipeline.corpora.words import (
    TIMES,
    columns_of_fact,
    emotion_of_word,
    facts_of_columns,
    gender_of_word,
    is_missing,
    is_nobody,
    plain,
    rating_of_column,
)
from ser_pipeline.errors import some
from ser_pipeline.labels import DIMENSIONS, OTHER
from ser_pipeline.records import VOCABULARIES

FEWEST: Final = 3
"""Columns that are called alike, or emotions that have columns, from which on these are of listeners."""

_WHICH: Final = re.compile(r"\d+|(?<=[a-z])[A-Z]$|(?<=[\W_])[A-Za-z]$|^[A-Za-z](?=[\W_])")
"""The number or letter by which names tell listeners apart."""

_AGREED: Final = re.compile("final|gold|major|consens|agree|truth|true")
"""In the name of a column of labels that all listeners together gave."""

SEVERAL: Final = (
    "several lines name the same recording; if they are answers of listeners, add a column 'rater' that says "
    "whose, and if they are segments, the columns 'start' and 'end'"
)
"""Why a table whose lines say neither can hardly be read."""

MIXED: Final = (
    "is not read: all channels are mixed; split them first, as with "
    "'ffmpeg -i a.wav -af \"pan=mono|c0=c1\" a-1.wav' for channel 1, and name these files"
)
"""What happens where a table says in which channel somebody speaks."""

_OF_BOUNDS: Final = {"start", "begin", "onset", "end", "stop", "offset", "finish", "until"}
_OF_CHANNEL: Final = re.compile(r"(audio|wav|speaker)?_?(channel|chan|kanal|canal|canale)(_?(id|no|nr|num))?")
_CHANNELS: Final = re.compile(r"\d+(\.0)?|[a-d]|l|r|left|right|ch\d+")

_GENDERS: Final[Sequence[Mapping[str, str]]] = (
    {"h": "male", "m": "female"},
    {"h": "male", "f": "female"},
    {"k": "female", "m": "male"},
    {"k": "female", "e": "male"},
    {"v": "unknown", "m": "unknown"},  # vrouw and man, or varón and mujer
    {"nu": "female", "nan": "male"},
)
"""What words mean only beside each other, in a column that does not name both genders otherwise."""

_NUMBER: Final = re.compile(r"(\d+)(?:[.,]0+)?")


def is_agreed(column: str) -> bool:
    """Whether a column of labels is called like what listeners agreed on.

    Examples:
        >>> is_agreed("final_label"), is_agreed("ann1")
        (True, False)
    """
    return _AGREED.search(column.lower()) is not None


def are_labels(column: str, cells: Iterable[str]) -> bool:
    """Whether nearly all cells are words for emotions, of two or more in a column that is not called so.

    Args:
        column: its name.
        cells: from the first line to the last.
    """
    met = [emotion_of_word(cell) for cell in cells if cell.strip() and not is_missing(cell)]
    fewest = 1 if "emotion" in facts_of_columns([column]) else 2
    return len({*met} - {None}) >= fewest and met.count(None) <= 0.1 * len(met)


def raters_among(labels: Iterable[str]) -> tuple[str, ...]:
    """Columns of listeners: those that are called alike but for a number or letter, or all like listeners.

    Args:
        labels: names of columns that hold labels; predictions are left out.

    Returns:
        The largest such group; nothing where it has fewer than three.

    Examples:
        >>> raters_among(["gold", "ann1", "ann2", "ann3"]), raters_among(["emotion", "pred_1", "pred_2"])
        (('ann1', 'ann2', 'ann3'), ())
        >>> raters_among(["emotionA", "emotionB", "emotionC"]), raters_among(["rater_jo", "rater_al"])
        (('emotionA', 'emotionB', 'emotionC'), ())
        >>> raters_among(["rater_jo", "rater_al", "rater_ed"])
        ('rater_jo', 'rater_al', 'rater_ed')
    """
    alike: dict[str, list[str]] = defaultdict(list)
    for name in labels:
        told = next((word for word in columns_of_fact("rater") if word in name.lower()), name)
        called = _WHICH.sub("#", name)
        called = called if "#" in called else told
        if called != name and not re.search("pred|model", name.lower()):
            alike[called].append(name)
    most = max(alike.values(), key=len, default=[])
    return tuple(most) if len(most) >= FEWEST else ()


def votes_among(columns: Mapping[str, Iterable[str]]) -> dict[str, list[str]]:
    """Emotion -> columns of how many chose it, if at least three are called like emotions and hold counts.

    Args:
        columns: name -> cells.

    Examples:
        >>> votes_among({"Anger": ["2", ""], "joy": ["0", "1"], "shame": ["1", "2"], "fear": ["x", "1"]})
        {'anger': ['Anger'], 'happiness': ['joy'], 'other': ['shame']}
    """
    votes: dict[str, list[str]] = defaultdict(list)
    for name, cells in columns.items():
        emotion = emotion_of_word(name)
        if emotion is not None and all(re.fullmatch(r"(\d{1,4}(\.0)?)?", cell.strip()) for cell in cells):
            votes[emotion].append(name)
    return dict(votes) if len(votes) >= FEWEST else {}


def answers_among(lines: Sequence[Row]) -> tuple[tuple[str, ...], dict[str, list[str]]]:
    """Columns of what listeners chose: one for each of them, or else one for each emotion, by emotion.

    Args:
        lines: of a table.
    """
    cells = {name: [line[name] for line in lines] for name in lines[0]}
    raters = raters_among([name for name in cells if are_labels(name, cells[name])])
    return raters, {} if raters else votes_among(cells)


def of_raters(table: Table, label: str | None) -> Iterator[str]:
    """A line on the columns that say what listeners chose.

    Args:
        table: its description.
        label: the column of the emotion, if one says it.
    """
    if table.raters:
        names = ", ".join(map(repr, table.raters))
        chosen = f"the emotion is column {label!r}" if label else "the emotion is what most chose"
        yield f"columns {names} are read as the votes of one listener each; {chosen}"
    elif table.votes:
        names = ", ".join(map(repr, table.of_votes))
        yield f"columns {names} are read as how many listeners chose each; the emotion is what most chose"


def are_repeated(names: Sequence[Hashable]) -> bool:
    """Whether more than a few of some names occur several times.

    Examples:
        >>> are_repeated(["a", "a", "b"]), are_repeated(["a", "b"])
        (True, False)
    """
    named = Counter(names)
    return sum(count > 1 for count in named.values()) > 0.02 * len(named)


def unread(lines: Sequence[Row], columns: Mapping[str, str]) -> Iterator[str]:
    """Yield a line on what a table says and nothing reads: answers, bounds, speakers, ratings, channels.

    Args:
        lines: of the table.
        columns: fact -> column, of those that are read.
    """
    if not columns.keys() & {"rater", *TIMES} and are_repeated([line[columns["path"]] for line in lines]):
        yield SEVERAL
    words = {name: {*map(str.lower, re.findall("[A-Z]?[a-z]+|[A-Z]+", name))} for name in lines[0]}
    called = [name for name in words if words[name] & _OF_BOUNDS and name not in columns.values()]
    lone = columns.keys() & TIMES
    if (called and ({"start"} == lone or {"end"} == lone)) or (len(called) > 1 and not lone):
        rows = {"": "are whole recordings", "start": "go on to the end of their recordings"}
        so = rows.get("".join(lone), "begin with their recordings")
        what = f"column {some(called)} is" if len(called) == 1 else f"columns {some(called)} are"
        yield (
            f"{what} not read, so rows {so}; name bounds of segments start and end (seconds) or start_ms and "
            "end_ms"
        )
    people = [word for word in columns_of_fact("speaker") if len(word) > 5]
    near = [name for name in lines[0] if any(word in name.lower() for word in people)]
    near = [name for name in near if name not in columns.values()]
    if near and "speaker" not in columns:
        yield f"no column is read as who speaks; call one 'speaker' if it says so (found {some(near)})"
    yield from _unread_ratings(lines, columns)
    yield from unread_channels(lines)


def _unread_ratings(lines: Sequence[Row], columns: Mapping[str, str]) -> Iterator[str]:
    """A line on the columns of numbers that may be a rating, but not for sure, or as well as others."""
    for fact in DIMENSIONS:
        likely = [name for name in lines[0] if rating_of_column(name, surely=False) == fact]
        likely = [name for name in likely if any(re.search(r"\d", line[name]) for line in lines)]
        if fact in columns or not likely:
            continue
        are, right = ("columns", "the right one") if len(likely) > 1 else ("column", "it")
        names = some(list(map(repr, likely)), show=5)
        yield f"{are} {names} may be ratings of {fact}, and none is read; rename {right} to {fact!r}"


def unread_channels(lines: Sequence[Row]) -> Iterator[str]:
    """Yield a line on each column that says in which channel somebody speaks, where there are several."""
    for name in lines[0]:
        met = {line[name].strip().lower() for line in lines} - {""}
        if _OF_CHANNEL.fullmatch(name.lower()) and len(met) > 1 and all(map(_CHANNELS.fullmatch, met)):
            yield f"column {name!r} {MIXED}"


def counted(met: Mapping[str, int]) -> str:
    """The most frequent texts of a column, each with how often it occurs.

    Examples:
        >>> counted({"7": 1, "strong": 3})
        "'strong' (3), '7' (1)"
    """
    return some([f"{text!r} ({count})" for text, count in Counter(met).most_common()])


def genders_of(words: Collection[str]) -> dict[str, str]:
    """Word of a column -> its gender, or ``unknown`` where nobody or nothing tells it; without other words.

    Examples:
        >>> genders_of(["H", "M", "x"]), genders_of(["H", "M", "F"]), genders_of(["m", "nan"])
        ({'H': 'male', 'M': 'female'}, {'M': 'male', 'F': 'female'}, {'m': 'male', 'nan': 'unknown'})
    """
    nobody = {word: "unknown" for word in words if word and is_nobody(word)}
    found = {word: gender_of_word(word) or nobody.get(word, "") for word in words}
    if not {"female", "male"} <= {*found.values()}:
        met = {word: word.strip().lower() for word in words}
        beside = next((each for each in _GENDERS if each.keys() <= {*met.values()}), {})
        found |= {word: beside[short] for word, short in met.items() if short in beside}
    return {word: gender for word, gender in found.items() if gender}


def unknown_words(fact: str, met: Mapping[str, int], codes: Mapping[str, str]) -> Iterator[str]:
    """Yield a line on words that count as an unknown gender or style, although they say something.

    Args:
        fact: gender or style.
        met: word -> how often it occurs.
        codes: word -> value.
    """
    odd = {word: count for word, count in met.items() if codes.get(word) == "unknown" and not is_nobody(word)}
    if odd:
        valid = ", ".join(value for value in VOCABULARIES[fact] if value != "unknown")
        yield f"{fact}s that are not known: {counted(odd)}; they count as unknown, valid are {valid}"


def told_of_labels(
    met: Mapping[str, int], known: Mapping[str, str], way_out: str, *, several: bool
) -> Iterator[str]:
    """Yield lines on labels that are not emotions, that are missing, or that are read as ``other``.

    Args:
        met: label -> how often it occurs.
        known: label -> emotion.
        way_out: command that lets the user say what they mean.
        several: whether labels are votes.
    """
    rest = [label for label in met if label and label not in known]
    odd = {label: met[label] for label in rest if not is_missing(label)}
    missing = {label: met[label] for label in rest if is_missing(label)}
    others = {label: met[label] for label in known if known[label] == OTHER and plain(label)[:3] != "oth"}
    rejects, docs = "recordings that have them are rejected", f"{way_out} (docs/corpora/describe.md)"
    if odd:
        so = "they count as votes for 'other'" if several else rejects
        yield (
            f"labels that are not emotions: {counted(odd)}; {so}, unless a description of the corpus says "
            f"what they mean: {docs}"
        )
    if missing:
        yield f"labels that stand for a missing one: {counted(missing)}; {'no votes' if several else rejects}"
    if others:
        yield (
            f"labels that are read as 'other', which no task uses: {counted(others)}; a description of the "
            f"corpus may say what else they mean: {docs}"
        )


def unknown_languages(met: Mapping[str, int]) -> Iterator[str]:
    """Yield a line on what a table gives as languages and is none that is known.

    Args:
        met: word -> how often it occurs.

    Examples:
        >>> list(unknown_languages({"Englisch": 3, "": 1})), len(list(unknown_languages({"Klingon": 2})))
        ([], 1)
    """
    odd = {word: count for word, count in met.items() if word and language_of_word(word) is None}
    if odd:
        yield (
            f"unknown languages: {counted(odd)}; they count as unknown (und), write tags such as en or pt-BR"
        )


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
