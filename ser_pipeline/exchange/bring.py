"""Turn a data set of another tool into the description of a corpus and its table.

Recordings stay where they are if they lie below the data folder. They are copied into it on request, and
unpacked into it if the data set itself holds them.
"""

import json
import os
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Final

from ser_pipeline.atomic import write_atomically
from ser_pipeline.corpora import OWN_FOLDER
from ser_pipeline.corpora.columns import counted, genders_of, unknown_languages, unknown_words
from ser_pipeline.corpora.described import Described, plain_id
from ser_pipeline.corpora.description import Description, parse_description
from ser_pipeline.corpora.draft_text import untold_line
from ser_pipeline.corpora.files import is_recording
from ser_pipeline.corpora.guesses import MOST_EMOTIONS
from ser_pipeline.corpora.languages import language_of_word
from ser_pipeline.corpora.values import Values, usual_scales
from ser_pipeline.corpora.words import emotion_of_word, style_of_word
from ser_pipeline.errors import CorpusError, some
from ser_pipeline.exchange.formats import checked_format
from ser_pipeline.exchange.items import TOLD, VOTES, Foreign, Item, Places, columns_of, safe_path, write_once
from ser_pipeline.exchange.table import write_csv
from ser_pipeline.labels import EMOTIONS, OTHER
from ser_pipeline.records import RATINGS
from ser_pipeline.tables.cells import plural

SUFFIXES: Final = {
    b"RIFF": ".wav",
    b"RF64": ".wav",
    b"fLaC": ".flac",
    b"OggS": ".ogg",
    b"FORM": ".aiff",
    b"ID3": ".mp3",
}
"""First bytes of a recording -> the suffix its name should have."""

_VOTES: Final = frozenset(VOTES + emotion for emotion in (*EMOTIONS, OTHER))


@dataclass(frozen=True)
class Imported:
    """What an import wrote.

    Attributes:
        description: file that describes the corpus.
        table: file beside it with a line for each recording or segment.
        rows: lines of the table.
        emotions: emotion -> lines.
        remarks: what a user should know, one line each.
    """

    description: Path
    table: Path
    rows: int
    emotions: Mapping[str, int]
    remarks: tuple[str, ...] = ()


@dataclass
class _Lines:
    """Lines of the table to be, and what went wrong on the way.

    Attributes:
        places: path of the recording of each line.
        facts: facts of each line.
        missing: names of recordings that are not there.
        repeated: names that occur a second time.
    """

    places: list[Path] = field(default_factory=list)
    facts: list[dict[str, str]] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    repeated: list[str] = field(default_factory=list)


def import_dataset(
    kind: str,
    path: Path,
    *,
    data: Path,
    into: Path = Path(OWN_FOLDER),
    name: str | None = None,
    recordings: Path | None = None,
    copy: bool = False,
) -> Imported:
    """Write the description of a data set of another tool, and its table.

    Args:
        kind: format, as ``kaldi``.
        path: file or folder of the data set.
        data: folder of all corpora, below which its recordings must lie in the end.
        into: folder of descriptions.
        name: id of the corpus; made from the name of the file or folder by default.
        recordings: folder that relative paths start from, if it is none of the usual ones.
        copy: copies the recordings below ``data``.

    Raises:
        SettingsError: there is no such format.
        CorpusError: the data set cannot be read, its recordings are missing or lie elsewhere, its labels are
            neither emotions nor codes, or there is a description of this name.
        SerError: a file cannot be written.
    """
    read = checked_format(kind).read
    if not path.exists():
        raise CorpusError(f"{path}: no such file or folder")
    corpus = plain_id(name or (path.stem if path.is_file() else path.resolve().name)) or "imported"
    description, table = into / f"{corpus}.toml", into / f"{corpus}.csv"
    if there := next((file for file in (description, table) if file.exists()), None):
        raise CorpusError(f"{there}: exists already; choose another --name, or delete it")
    root = path.parent if path.is_file() else path
    foreign = read(path, Places.around(root, data, recordings))
    lines = _lines(foreign, data / corpus, path)
    if copy:
        lines.places = _copied(lines.places, data / corpus)
    folder = _folder(lines.places, Path(os.path.abspath(root)), data)
    answered = {*_VOTES, "rater"}
    needed = [facts for facts in lines.facts if "emotion" in facts or answered.isdisjoint(facts)]
    labels = Counter(facts.get("emotion", "") for facts in needed)
    codes = _codes(labels, foreign.labels, path) if needed else {}
    text = _description_text(corpus, folder.name, foreign.about, codes, labels, lines.facts)
    told = parse_description(text, str(description))
    remarks = [*foreign.remarks, *_remarks(lines, labels, codes, description)]
    remarks += _in_own_words(lines.facts)
    remarks += _without_unreadable(lines.facts, told)
    text = _description_text(corpus, folder.name, foreign.about, codes, labels, lines.facts)
    home = _home(Described(told), lines.places, data)
    rows = [
        {"path": place.relative_to(home).as_posix(), **facts}
        for place, facts in zip(lines.places, lines.facts, strict=True)
    ]
    with write_atomically(table) as part:
        write_csv(part, ["path", *columns_of(lines.facts)], rows)
    with write_atomically(description) as part:
        part.write_text(text, encoding="utf-8", newline="\n")
    emotions = Counter(codes[facts["emotion"]] for facts in lines.facts if facts.get("emotion") in codes)
    return Imported(description, table, len(rows), emotions, tuple(remarks))


def _lines(foreign: Foreign, folder: Path, path: Path) -> _Lines:
    """Where each recording lies; those that the data set holds are unpacked first.

    Raises:
        CorpusError: no recording is there.
    """
    lines = _Lines()
    taken: set[tuple[Path, str, str]] = set()
    for item in foreign.items:
        place = item.place if item.audio is None else _unpacked(item, item.audio, folder, taken)
        if place is None:
            lines.missing.append(item.name)
            continue
        key = (place, item.facts.get("start", ""), item.facts.get("end", ""))
        if key in taken and "rater" not in item.facts:
            lines.repeated.append(item.name)
            continue
        taken.add(key)
        lines.places.append(place)
        lines.facts.append(_plain(item.facts, folder.name))
    if not lines.places and lines.missing:
        raise CorpusError(
            f"{path}: not one of its recordings is there ({some(lines.missing, show=3)}); "
            "--recordings is the folder that its paths start from"
        )
    if not lines.places:
        raise CorpusError(f"{path}: lists no recordings")
    return lines


def _unpacked(item: Item, audio: bytes, folder: Path, taken: set[tuple[Path, str, str]]) -> Path:
    """Write a recording that the data set holds, at the place that its name says unless that is taken."""
    name = Path(safe_path(item.name))
    if not is_recording(name.name):
        ending = next((end for head, end in SUFFIXES.items() if audio.startswith(head)), ".wav")
        name = name.with_name(name.name + ending)
    place = Path(os.path.abspath(folder / name))
    number = 2
    while (place, "", "") in taken:
        place = place.with_stem(f"{name.stem}-{number}")
        number += 1
    write_once(place, audio)
    return place


def _copied(places: Sequence[Path], folder: Path) -> list[Path]:
    """Copies of recordings in a folder, in the folders they have in common."""
    common = os.path.commonpath([place.parent for place in places])
    target = Path(os.path.abspath(folder))
    for place in dict.fromkeys(places):
        write_once(target / place.relative_to(common), place.read_bytes())
    return [target / place.relative_to(common) for place in places]


def _home(corpus: Described, places: Sequence[Path], data: Path) -> Path:
    """The folder that a build will take for the corpus's own: paths of the table start there."""
    base = Path(os.path.abspath(data))
    top = PurePosixPath(base.name)
    homes = {corpus.home(top / place.relative_to(base).as_posix()) for place in places}
    home = min(homes, key=lambda path: len(path.parts))
    return base / home.relative_to(top) if home.is_relative_to(top) else base


def _folder(places: Sequence[Path], root: Path, data: Path) -> Path:
    """The folder below the data folder by whose name the corpus is known.

    Raises:
        CorpusError: recordings lie elsewhere, or in folders that hold other corpora too.
    """
    base = Path(os.path.abspath(data))
    outside = [place for place in places if not place.is_relative_to(base)]
    if outside:
        raise CorpusError(
            f"outside {data}: {plural(len(outside), 'recording')} of {len(places)} (such as {outside[0]}); "
            "choose a --data folder that holds them, or copy them there with --copy"
        )
    if root.is_relative_to(base) and all(place.is_relative_to(root) for place in places):
        return root
    tops = sorted({place.relative_to(base).parts[0] for place in places})
    if len(tops) > 1 or places[0].parent == base:
        raise CorpusError(
            f"the recordings lie in {plural(len(tops), 'place')} of {data} ({some(tops, show=3)}), and no "
            "folder is theirs alone; copy them into one with --copy"
        )
    return base / tops[0]


def _codes(labels: Mapping[str, int], own: Mapping[str, str], path: Path) -> dict[str, str]:
    """Label -> emotion, of those labels that are one.

    Raises:
        CorpusError: none of them is, and there are none or more than codes are.
    """
    known = {}
    for label in labels:
        word = own.get(label, label)
        emotion = word if word in (*EMOTIONS, OTHER) else emotion_of_word(word)
        if label and emotion:
            known[label] = emotion
    if not known and not 0 < len({*labels} - {""}) <= MOST_EMOTIONS:
        raise CorpusError(
            f"{path}: none of its labels is an emotion: {counted(labels)}; valid are {', '.join(EMOTIONS)}, "
            "and usual words for them in many languages"
        )
    return known


def _plain(facts: Mapping[str, str], corpus: str) -> dict[str, str]:
    """Facts in the words that a description knows; ids of speakers without the corpus that precedes them."""
    told = {fact: text for fact, text in facts.items() if text and (fact in TOLD or fact in _VOTES)}
    if "language" in told:
        told["language"] = language_of_word(told["language"]) or told["language"]
    if "speaker" in told:
        told["speaker"] = told["speaker"].removeprefix(f"{corpus}-")
    return told


def _in_own_words(lines: Sequence[dict[str, str]]) -> Iterator[str]:
    """Write genders and styles as a description names them, and yield a line on those that are not known."""
    for fact in ("gender", "style"):
        met = Counter(facts[fact] for facts in lines if fact in facts)
        codes = (
            genders_of(met) if fact == "gender" else {word: style_of_word(word) or "unknown" for word in met}
        )
        codes = dict.fromkeys(met, "unknown") | codes
        yield from unknown_words(fact, met, codes)
        for facts in lines:
            if fact in facts:
                facts[fact] = codes[facts[fact]]


def _without_unreadable(lines: Sequence[dict[str, str]], description: Description) -> list[str]:
    """Take out facts of which a value cannot be read, and say which; those that each line needs stay."""
    values, remarks = Values(description), []
    for fact in columns_of(lines):
        if fact in TOLD and fact not in ("emotion", "speaker", "start", "end"):
            try:
                for text in {facts[fact] for facts in lines if fact in facts}:
                    values.of(fact, text)
            except ValueError as error:
                remarks.append(f"{fact!r} is left out: {error}")
                for facts in lines:
                    facts.pop(fact, None)
    return remarks


def _remarks(
    lines: _Lines, labels: Mapping[str, int], codes: Mapping[str, str], description: Path
) -> list[str]:
    remarks = []
    odd = {label: count for label, count in labels.items() if label not in codes}
    if odd:
        remarks.append(
            f"labels that are not emotions: {counted(odd)}; their recordings will be rejected until you say "
            f"in {description} what each means, under [codes.emotion]"
        )
    for what, names, one in (
        ("not there", lines.missing, "recording"),
        ("named again", lines.repeated, "line"),
    ):
        if names:
            remarks.append(f"{what}, and left out: {plural(len(names), one)} ({some(names, show=3)})")
    remarks += unknown_languages(Counter(facts.get("language", "") for facts in lines.facts))
    if not any("speaker" in facts for facts in lines.facts):
        remarks.append("nothing says who speaks, so no split by speaker can be made")
    return remarks


def _description_text(
    corpus: str,
    folder: str,
    about: Mapping[str, str],
    codes: Mapping[str, str],
    labels: Mapping[str, int],
    facts: Sequence[Mapping[str, str]],
) -> str:
    """The description as TOML, in which a JSON string is a string as well."""
    columns = columns_of(facts)
    told = {"name": corpus, **{key: text for key, text in about.items() if text}}
    blocks = [f"{key} = {_quoted(text)}" for key, text in told.items()]
    blocks += [f"folders = [{_quoted(re.escape(folder))}]", "", "[codes.emotion]"]
    blocks += [f"{_quoted(label)} = {_quoted(emotion)}" for label, emotion in sorted(codes.items())]
    odd = [label for label in labels if label and label not in codes]
    blocks += [untold_line(_quoted(label), labels[label]) for label in odd]
    if scales := _scales(facts):
        blocks += ["", "[scales]"]
        blocks += [f"{fact} = [{low:g}, {high:g}]" for fact, (low, high) in scales.items()]
    by_fact = {"path": "path", **{fact: fact for fact in columns if fact in TOLD}}
    votes = {fact.removeprefix(VOTES): fact for fact in columns if fact not in TOLD}
    blocks += [
        "",
        "[[tables]]",
        f"file = {_quoted(corpus + '.csv')}",
        "rows = true",
        _inline("columns", by_fact),
    ]
    return "\n".join([*blocks, *([_inline("votes", votes)] if votes else [])]) + "\n"


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _inline(key: str, pairs: Mapping[str, str]) -> str:
    return f"{key} = {{ {', '.join(f'{name} = {_quoted(value)}' for name, value in pairs.items())} }}"


def _scales(facts: Sequence[Mapping[str, str]]) -> dict[str, tuple[float, float]]:
    """Fact -> usual scale of its ratings, of those that go beyond the range of their fact."""
    found = usual_scales({fact: [line[fact] for line in facts if line.get(fact)] for fact in RATINGS})
    return {
        fact: (low, high)
        for fact, (low, high) in found.items()
        if low < RATINGS[fact][0] or high > RATINGS[fact][1]
    }
