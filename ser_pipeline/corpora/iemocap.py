"""IEMOCAP: American English dialogues of ten actors in five sessions, improvised or from a script.

Names   ``Ses01F_impro01_F000.wav`` = session, who wears the motion-capture markers, dialogue, turn.
Tables  ``dialog/EmoEvaluation``: majority label, valence, activation and dominance of each turn, and the
        raters' own answers. ``dialog/transcriptions``: the words.
Splits  none published; split by session, since partners share one.
Quirks  The speaker is the gender in the TURN's suffix, not the one in the dialogue's name. Turns on
        which the raters did not agree are labelled ``xxx``: they have no emotion, but ratings and votes.
        Answers of ``F1`` and ``M1`` are the actors' own and are not counted. ``dialog/wav`` holds whole
        dialogues, not turns.
Source  doi:10.1007/s10579-008-9076-6
"""

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Final

from ser_pipeline.corpora.files import contradiction, listed, misnamed, nearest_folder, unknown_code
from ser_pipeline.corpora.tables import CorpusTable, Facts, read_text
from ser_pipeline.errors import CorpusError, some
from ser_pipeline.labels import OTHER
from ser_pipeline.records import CorpusCard, Record, Reject, Style, Utterance

CARD: Final = CorpusCard(
    name="iemocap",
    title="IEMOCAP",
    language="en-US",
    language_name="English (US)",
    speakers=10,
    clips=10039,
    layout="Session1/sentences/wav/Ses01F_impro01/Ses01F_impro01_F000.wav",
    folders=(
        r"Session\d",
        "sentences|dialog",
        "wav|EmoEvaluation|transcriptions",
        r"Ses\d\d[FM]_(impro|script)\w*",
    ),
    style="elicited",
    licence="research licence, signed with USC SAIL",
    source="doi:10.1007/s10579-008-9076-6",
    obtain="https://sail.usc.edu/iemocap/",
    access="request",
    people=tuple(f"Ses0{session}{gender}" for session in range(1, 6) for gender in "FM"),
)

TRACES: Final = re.compile(r"Session[1-5]|EmoEvaluation|Ses0[1-5][FM]_(impro|script)\w*\.txt", re.IGNORECASE)

EMOTIONS: Final[Mapping[str, str]] = {
    "ang": "anger",
    "hap": "happiness",
    "neu": "neutral",
    "sad": "sadness",
    "fea": "fear",
    "sur": "surprise",
    "dis": "disgust",
    "exc": "excitement",
    "fru": "frustration",
    "oth": OTHER,
    "xxx": OTHER,
}

ANSWERS: Final[Mapping[str, str]] = {
    "Anger": "anger",
    "Happiness": "happiness",
    "Neutral": "neutral",
    "Neutral state": "neutral",
    "Sadness": "sadness",
    "Fear": "fear",
    "Surprise": "surprise",
    "Disgust": "disgust",
    "Excited": "excitement",
    "Frustration": "frustration",
}
"""What a rater may tick -> emotion; anything else is ``other``."""

STYLES: Final[Mapping[str, Style]] = {"impro": "elicited", "script": "acted"}

_DIALOGUE: Final = r"Ses(?P<session>0[1-5])[FM]_(?P<kind>impro|script)\d\d(?:_\d)?[a-z]?"
NAME: Final = re.compile(rf"(?P<dialogue>{_DIALOGUE})_(?P<gender>[FM])(?:\d{{3}}|XX\d)", re.ASCII)
DIALOGUE: Final = re.compile(_DIALOGUE, re.ASCII)

_SESSION: Final = re.compile(r"Session(\d)", re.IGNORECASE | re.ASCII)
_NUMBER: Final = r"(\d+(?:\.\d+)?)"
_LABEL: Final = re.compile(
    rf"\[[\d.]+ *- *[\d.]+\]\s+(\S+)\s+(\S+)\s+\[{_NUMBER}, *{_NUMBER}, *{_NUMBER}\]\s*", re.ASCII
)
_VOTE: Final = re.compile(r"^C-E\d+:([^()\n]*)", re.MULTILINE)
_WORDS: Final = re.compile(r"^(\S+) \[[\d.]+-[\d.]+\]:(.*)$", re.MULTILINE)


def claims(path: PurePosixPath) -> bool:
    """Whether the name is one of this corpus, a turn or a whole dialogue; touches no disk."""
    return (NAME.fullmatch(path.stem) or DIALOGUE.fullmatch(path.stem)) is not None


def scan(root: Path, files: Sequence[PurePosixPath] | None = None) -> Iterator[Record]:
    """Yield one row or reject per recording, in path order, then what the tables lack.

    Args:
        root: folder that holds ``Session1``.
        files: recordings below ``root``; None finds them.
    """
    labels, words = read_labels(root), read_words(root)
    seen = set()
    for path in listed(root, files):
        row = parse(path)
        seen.add(path.stem)
        yield _labelled(row, labels, words) if isinstance(row, Utterance) else row
    yield from labels.remarks(seen)
    yield from words.remarks()


def parse(path: PurePosixPath) -> Utterance | Reject:
    """Read a row off a file name; touches no disk.

    The name holds no label: ``source_label`` is empty and the emotion ``other`` until :func:`scan`
    reads them from the tables.
    """
    match = NAME.fullmatch(path.stem)
    if match is None and DIALOGUE.fullmatch(path.stem):
        return Reject(CARD.name, path, "a whole dialogue; its turns lie in 'sentences/wav'")
    if match is None:
        return misnamed(CARD, path)
    number, dialogue = match["session"][1], match["dialogue"]
    session, parent = nearest_folder(path, _SESSION), nearest_folder(path, DIALOGUE)
    if session is not None and session[1] != number:
        return contradiction(CARD, path, f"session {session[1]}", number)
    if parent is not None and parent[0] != dialogue:
        return contradiction(CARD, path, parent[0], dialogue)
    return Utterance(
        corpus=CARD.name,
        path=path,
        canonical=f"Session{number}/sentences/wav/{dialogue}/{path.stem}",
        source_label="",
        emotion=OTHER,
        speaker_id=f"iemocap-Ses0{number}{match['gender']}",
        language=CARD.language,
        style=STYLES[match["kind"]],
        session_id=f"Ses0{number}",
        gender="female" if match["gender"] == "F" else "male",
    )


def read_labels(root: Path) -> CorpusTable:
    """Read label, dimensions and the raters' answers of each turn, by its name."""
    return _collect(root, "dialog/EmoEvaluation", _read_evaluation, "a turn without a label is a reject")


def read_words(root: Path) -> CorpusTable:
    """Read the words of each turn, by its name."""
    return _collect(root, "dialog/transcriptions", _read_transcript, "the turns lack their words")


def _labelled(row: Utterance, labels: CorpusTable, words: CorpusTable) -> Utterance | Reject:
    turn = row.path.stem
    facts = labels.facts(turn)
    if not facts:
        return Reject(CARD.name, row.path, f"no label in {labels.name!r}")
    label = facts["source_label"]
    if label not in EMOTIONS:
        return unknown_code(CARD, row.path, "label", label, EMOTIONS)
    return row.with_facts(emotion=EMOTIONS[label], **facts, **words.facts(turn))


def _collect(
    root: Path, folder: str, read: Callable[[str], tuple[dict[str, Facts], list[str]]], loss: str
) -> CorpusTable:
    """Join the files of one kind, one per dialogue, of every session below ``root``."""
    places = (f"Session[1-5]/{folder}", folder, PurePosixPath(folder).name)
    files = sorted(path for place in places for path in root.glob(f"{place}/Ses*.txt"))
    rows: dict[str, Facts] = {}
    bad = [] if files else ["not found"]
    for path in files:
        name = path.relative_to(root).as_posix()
        try:
            entries, faults = read(read_text(path, ("utf-8-sig", "cp1252")))
        except CorpusError as error:
            bad.append(f"{name} {error}")
            continue
        rows |= entries
        bad += [f"{name}: {fault}" for fault in faults]
    return CorpusTable(CARD.name, folder, rows, f"{some(bad, show=1)}; {loss}" if bad else None)


def _read_evaluation(text: str) -> tuple[dict[str, Facts], list[str]]:
    """Turns of one dialogue, and what could not be read; a turn's block begins with ``[``."""
    rows: dict[str, Facts] = {}
    bad = []
    for block in re.split(r"^(?=\[)", text, flags=re.MULTILINE)[1:]:
        first, _, answers = block.partition("\n")
        match = _LABEL.fullmatch(first)
        if match is None:
            bad.append(f"no label line: {first.strip()[:60]!r}")
            continue
        turn, label, *marks = match.groups()
        values = (min(max((float(mark) - 3) / 2, -1.0), 1.0) for mark in marks)
        dimensions = dict(zip(("valence", "arousal", "dominance"), values, strict=True))
        rows[turn] = {"source_label": label, **dimensions, **_count_answers(answers)}
    return rows, bad


def _count_answers(text: str) -> Facts:
    """Votes of the raters E1, E2, ...; a rater may tick several emotions."""
    ticked = [[word.strip() for word in answer.split(";")] for answer in _VOTE.findall(text)]
    choices = [{ANSWERS.get(word, OTHER) for word in words if word} for words in ticked]
    votes = Counter(emotion for choice in choices for emotion in sorted(choice))
    if not votes:
        return {}
    return {"votes": dict(votes), "agreement": max(votes.values()) / sum(map(bool, choices))}


def _read_transcript(text: str) -> tuple[dict[str, Facts], list[str]]:
    """Words of each turn; lines of another form are the transcribers' remarks."""
    return {turn: {"text": words.strip() or None} for turn, words in _WORDS.findall(text)}, []
