"""EMO-DB: German acted speech; ten speakers, seven emotions, 16 kHz mono WAV.

Names   ``03a01Fa.wav`` = speaker 03, sentence a01, emotion F, take a.
Tables  ``erkennung.txt``: share of 20 listeners who recognised the emotion, and who found it natural.
Splits  none published; split by speaker.
Quirks  ``erkennung.txt`` is Latin-1 with decimal commas; 281 of its 816 lines are of clips that were
        never published, so a line without a recording is no fault.
Source  doi:10.21437/Interspeech.2005-446
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Final

from ser_pipeline.corpora.files import listed, misnamed, unknown_code
from ser_pipeline.corpora.tables import CorpusTable, Facts, Row, read_table, share_of
from ser_pipeline.records import CorpusCard, Gender, Record, Reject, Utterance

CARD: Final = CorpusCard(
    name="emodb",
    title="EMO-DB",
    language="de",
    language_name="German",
    speakers=10,
    clips=535,
    layout="wav/03a01Fa.wav",
    folders=("wav",),
    style="acted",
    licence="free for research; no licence stated",
    source="doi:10.21437/Interspeech.2005-446",
    obtain="http://emodb.bilderbar.info",
    access="open",
    people=("03", "08", "09", "10", "11", "12", "13", "14", "15", "16"),
    counts={
        "anger": 127,
        "boredom": 81,
        "disgust": 46,
        "fear": 69,
        "happiness": 71,
        "neutral": 79,
        "sadness": 62,
    },
    sample_rate=16_000,
    channels=1,
    format="WAV PCM_16",
    mean_s=2.77,
)

TRACES: Final = re.compile(r"erkennung\.txt", re.IGNORECASE)

EMOTIONS: Final[Mapping[str, str]] = {
    "W": "anger",
    "L": "boredom",
    "E": "disgust",
    "A": "fear",
    "F": "happiness",
    "T": "sadness",
    "N": "neutral",
}

SPEAKERS: Final[Mapping[str, tuple[Gender, int]]] = {
    "03": ("male", 31),
    "08": ("female", 34),
    "09": ("female", 21),
    "10": ("male", 32),
    "11": ("male", 26),
    "12": ("male", 30),
    "13": ("female", 32),
    "14": ("female", 35),
    "15": ("male", 25),
    "16": ("female", 31),
}
"""Gender and age in years."""

SENTENCES: Final[Mapping[str, str]] = {
    "a01": "Der Lappen liegt auf dem Eisschrank.",
    "a02": "Das will sie am Mittwoch abgeben.",
    "a04": "Heute abend könnte ich es ihm sagen.",
    "a05": "Das schwarze Stück Papier befindet sich da oben neben dem Holzstück.",
    "a07": "In sieben Stunden wird es soweit sein.",
    "b01": "Was sind denn das für Tüten, die da unter dem Tisch stehen?",
    "b02": "Sie haben es gerade hochgetragen und jetzt gehen sie wieder runter.",
    "b03": "An den Wochenenden bin ich jetzt immer nach Hause gefahren und habe Agnes besucht.",
    "b09": "Ich will das eben wegbringen und dann mit Karl was trinken gehen.",
    "b10": "Die wird auf dem Platz sein, wo wir sie immer hinlegen.",
}

NAME: Final = re.compile(
    r"(?P<speaker>\d\d)(?P<sentence>[ab]\d\d)(?P<emotion>[A-Z])(?P<take>[a-z])", re.ASCII
)


def claims(path: PurePosixPath) -> bool:
    """Whether the name is one of this corpus; touches no disk."""
    return NAME.fullmatch(path.stem) is not None


def scan(root: Path, files: Sequence[PurePosixPath] | None = None) -> Iterator[Record]:
    """Yield one row or reject per recording, in path order, then what the table lacks.

    Args:
        root: folder that holds ``wav`` and ``erkennung.txt``.
        files: recordings below ``root``; None finds them.
    """
    ratings = read_ratings(root)
    for path in listed(root, files):
        row = parse(path)
        yield row.with_facts(**ratings.facts(path.stem)) if isinstance(row, Utterance) else row
    yield from ratings.remarks()


def parse(path: PurePosixPath) -> Utterance | Reject:
    """Read a row off a file name; touches no disk."""
    match = NAME.fullmatch(path.stem)
    if match is None:
        return misnamed(CARD, path)
    for what, valid in (("speaker", SPEAKERS), ("sentence", SENTENCES), ("emotion", EMOTIONS)):
        if match[what] not in valid:
            return unknown_code(CARD, path, what, match[what], valid)
    gender, age = SPEAKERS[match["speaker"]]
    return Utterance(
        corpus=CARD.name,
        path=path,
        canonical=f"wav/{path.stem}",
        source_label=match["emotion"],
        emotion=EMOTIONS[match["emotion"]],
        speaker_id=f"emodb-{match['speaker']}",
        language=CARD.language,
        gender=gender,
        age=age,
        sentence_id=match["sentence"],
        text=SENTENCES[match["sentence"]],
        take=match["take"],
    )


def read_ratings(root: Path) -> CorpusTable:
    """Read the listeners' judgements of each clip."""
    return read_table(
        CARD.name,
        root,
        "erkennung.txt",
        _rating,
        columns=("Satz", "erkannt", "natuerlich"),
        delimiter="\t",
        # a copy saved anew as UTF-8 is read too; the official bytes are not valid UTF-8
        encodings=("utf-8-sig", "latin-1"),
    )


def _rating(line: Row) -> tuple[str, Facts]:
    return PurePosixPath(line["Satz"].strip()).stem, {
        "agreement": share_of(line["erkannt"], 100),
        "naturalness": share_of(line["natuerlich"], 100),
    }
