"""CREMA-D: American English acted speech; 91 actors, six emotions, 16 kHz mono WAV.

Names   ``1001_IEO_ANG_HI.wav`` = actor, sentence, emotion, level.
Tables  ``VideoDemographics.csv``: the actors. ``processedResults/tabulatedVotes.csv``: what some ten
        raters heard; three lines a clip, those numbered 1xxxxx are of the voice alone.
Splits  none published; split by speaker.
Quirks  ``1040_ITH_SAD_X.wav`` is distributed with a shortened level. ``1076_MTI_SAD_XX`` is in the
        tables, but its recording is silent. ``AudioMP3`` holds lossy copies of ``AudioWAV``.
Source  doi:10.1109/TAFFC.2014.2336244
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Final

from ser_pipeline.corpora.files import listed, misnamed, unknown_code
from ser_pipeline.corpora.table_formats import Row
from ser_pipeline.corpora.tables import (
    CorpusTable,
    Facts,
    age_of,
    gender_of,
    read_table,
    share_of,
    whole_number,
)
from ser_pipeline.records import CorpusCard, Intensity, Record, Reject, Utterance

CARD: Final = CorpusCard(
    name="cremad",
    title="CREMA-D",
    language="en-US",
    language_name="English (US)",
    speakers=91,
    clips=7442,
    layout="AudioWAV/1001_IEO_ANG_HI.wav",
    folders=("AudioWAV|AudioMP3|processedResults",),
    style="acted",
    licence="ODbL 1.0 (database), DbCL 1.0 (contents)",
    source="doi:10.1109/TAFFC.2014.2336244",
    obtain="https://github.com/CheyneyComputerScience/CREMA-D",
    access="open",
    people=tuple(map(str, range(1001, 1092))),
    counts=dict.fromkeys(("anger", "disgust", "fear", "happiness", "sadness"), 1271) | {"neutral": 1087},
    sample_rate=16_000,
    channels=1,
    format="WAV PCM_16",
)

TRACES: Final = re.compile(
    r"AudioWAV|AudioMP3|VideoDemographics\.csv|SentenceFilenames\.csv|tabulatedVotes\.csv|summaryTable\.csv",
    re.IGNORECASE,
)

EMOTIONS: Final[Mapping[str, str]] = {
    "ANG": "anger",
    "DIS": "disgust",
    "FEA": "fear",
    "HAP": "happiness",
    "NEU": "neutral",
    "SAD": "sadness",
}

VOTES: Final[Mapping[str, str]] = {code[0]: emotion for code, emotion in EMOTIONS.items()}
"""Column of the vote table -> emotion."""

LEVELS: Final[Mapping[str, Intensity]] = {
    "LO": "low",
    "MD": "normal",
    "HI": "high",
    "XX": "unspecified",
    "X": "unspecified",
}

SENTENCES: Final[Mapping[str, str]] = {
    "DFA": "Don't forget a jacket",
    "IEO": "It's eleven o'clock",
    "IOM": "I'm on my way to the meeting",
    "ITH": "I think I have a doctor's appointment",
    "ITS": "I think I've seen this before",
    "IWL": "I would like a new alarm clock",
    "IWW": "I wonder what this is about",
    "MTI": "Maybe tomorrow it will be cold",
    "TAI": "The airplane is almost full",
    "TIE": "That is exactly what happened",
    "TSI": "The surface is slick",
    "WSI": "We'll stop in a couple of minutes",
}

NAME: Final = re.compile(
    r"(?P<actor>1\d{3})_(?P<sentence>[A-Z]{3})_(?P<emotion>[A-Z]{3})_(?P<level>[A-Z]{1,2})", re.ASCII
)


def claims(path: PurePosixPath) -> bool:
    """Whether the name is one of this corpus; touches no disk."""
    return NAME.fullmatch(path.stem) is not None


def scan(root: Path, files: Sequence[PurePosixPath] | None = None) -> Iterator[Record]:
    """Yield one row or reject per recording, in path order, then what the tables lack.

    Args:
        root: folder that holds ``AudioWAV`` and the tables.
        files: recordings below ``root``; None finds them.
    """
    actors, votes = read_actors(root), read_votes(root)
    paths = listed(root, files)
    originals = {path.stem for path in paths if not _is_copy(path)}
    seen = set()
    for path in paths:
        row = parse(path)
        if not isinstance(row, Utterance):
            yield row
        elif _is_copy(path) and path.stem in originals:
            yield Reject(CARD.name, path, "lossy copy of a recording that is also here")
        else:
            clip = row.canonical.rpartition("/")[2]
            seen.add(clip)
            yield row.with_facts(**actors.facts(row.speaker_id), **votes.facts(clip))
    yield from votes.remarks(seen)
    yield from actors.remarks()


def parse(path: PurePosixPath) -> Utterance | Reject:
    """Read a row off a file name; touches no disk."""
    match = NAME.fullmatch(path.stem)
    if match is None:
        return misnamed(CARD, path)
    actor, sentence, emotion, level = match.group("actor", "sentence", "emotion", "level")
    if actor not in CARD.people:
        return unknown_code(CARD, path, "actor", actor, ("1001 to 1091",))
    for what, valid in (("sentence", SENTENCES), ("emotion", EMOTIONS), ("level", LEVELS)):
        if match[what] not in valid:
            return unknown_code(CARD, path, what, match[what], valid)
    return Utterance(
        corpus=CARD.name,
        path=path,
        canonical=f"AudioWAV/{actor}_{sentence}_{emotion}_{'XX' if level == 'X' else level}",
        source_label=emotion,
        emotion=EMOTIONS[emotion],
        speaker_id=f"cremad-{actor}",
        language=CARD.language,
        intensity=LEVELS[level],
        sentence_id=sentence,
        text=SENTENCES[sentence],
    )


def read_actors(root: Path) -> CorpusTable:
    """Read gender and age of the actors, by speaker id."""
    return read_table(CARD.name, root, "VideoDemographics.csv", _actor, ("ActorID", "Age", "Sex"))


def read_votes(root: Path) -> CorpusTable:
    """Read what the raters heard in each clip, by its name."""
    columns = ("", "fileName", "meanEmoResp", *VOTES)
    return read_table(CARD.name, root, "processedResults/tabulatedVotes.csv", _vote, columns)


def _actor(line: Row) -> tuple[str, Facts]:
    facts = {"gender": gender_of(line["Sex"]), "age": age_of(line["Age"])}
    return f"cremad-{line['ActorID'].strip()}", facts


def _vote(line: Row) -> tuple[str, Facts] | None:
    if not re.fullmatch(r"1\d{5}", line[""]):  # 2xxxxx: rated by the face, 3xxxxx: by both
        return None
    votes = {emotion: whole_number(line[column]) for column, emotion in VOTES.items()}
    if min(votes.values()) < 0 or sum(votes.values()) == 0:
        raise ValueError(f"{line['fileName']!r} has no votes or a negative number of them")
    return line["fileName"].strip(), {
        "votes": {emotion: count for emotion, count in votes.items() if count},
        "agreement": max(votes.values()) / sum(votes.values()),
        "rated_intensity": share_of(line["meanEmoResp"], 100),
    }


def _is_copy(path: PurePosixPath) -> bool:
    return path.parent.name.lower() == "audiomp3"
