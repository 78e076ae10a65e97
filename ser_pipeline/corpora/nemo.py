"""nEMO: Polish acted speech; nine actors, six emotions, 24 kHz mono WAV.

Names   ``WR0_surprised_64.wav`` = actor, emotion, sentence; the 90 sentences are the same for all.
Tables  ``data.tsv``: text, gender and age of each recording.
Splits  none published; split by speaker.
Quirks  ``speaker_id`` in ``data.tsv`` has leading blanks. Not every actor has every sentence.
Source  doi:10.48550/arXiv.2404.06292
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Final

from ser_pipeline.corpora.files import listed, misnamed, unknown_code
from ser_pipeline.corpora.tables import CorpusTable, Facts, Row, age_of, gender_of, read_table
from ser_pipeline.records import CorpusCard, Gender, Record, Reject, Utterance

CARD: Final = CorpusCard(
    name="nemo",
    title="nEMO",
    language="pl",
    language_name="Polish",
    speakers=9,
    clips=4481,
    layout="samples/WR0_surprised_64.wav",
    folders=("samples",),
    style="acted",
    licence="CC BY-NC-SA 4.0",
    source="doi:10.48550/arXiv.2404.06292",
    obtain="https://github.com/amu-cai/nEMO",
    access="open",
    people=("EB0", "IC0", "KD0", "KS0", "MK0", "MP0", "SM0", "TP0", "WR0"),
    counts={"anger": 749, "fear": 736, "happiness": 749, "neutral": 809, "sadness": 769, "surprise": 669},
    sample_rate=24_000,
    channels=1,
    format="WAV PCM_16",
    mean_s=1.92,
)

TRACES: Final = re.compile(r"data\.tsv", re.IGNORECASE)

EMOTIONS: Final[Mapping[str, str]] = {
    "anger": "anger",
    "fear": "fear",
    "happiness": "happiness",
    "neutral": "neutral",
    "sadness": "sadness",
    "surprised": "surprise",
}

SPEAKERS: Final[Mapping[str, tuple[Gender, int]]] = {
    "EB0": ("female", 27),
    "IC0": ("female", 28),
    "KD0": ("female", 28),
    "KS0": ("male", 23),
    "MK0": ("female", 23),
    "MP0": ("male", 24),
    "SM0": ("male", 24),
    "TP0": ("male", 26),
    "WR0": ("male", 23),
}
"""Gender and age in years, as ``data.tsv`` has them; for copies without it."""

SENTENCES: Final = frozenset(map(str, range(1, 91)))

NAME: Final = re.compile(r"(?P<speaker>[A-Z]{2}\d)_(?P<emotion>[a-z]+)_(?P<sentence>[1-9]\d*)", re.ASCII)

_COLUMNS: Final = ("file_id", "emotion", "raw_text", "speaker_id", "gender", "age")


def claims(path: PurePosixPath) -> bool:
    """Whether the name is one of this corpus; touches no disk."""
    return NAME.fullmatch(path.stem) is not None


def scan(root: Path, files: Sequence[PurePosixPath] | None = None) -> Iterator[Record]:
    """Yield one row or reject per recording, in path order, then what the table lacks.

    Args:
        root: folder that holds ``samples`` and ``data.tsv``.
        files: recordings below ``root``; None finds them.
    """
    table = read_texts(root)
    seen = set()
    for path in listed(root, files):
        row = parse(path)
        seen.add(path.stem)
        yield _with_line(row, table) if isinstance(row, Utterance) else row
    yield from table.remarks(seen)


def parse(path: PurePosixPath) -> Utterance | Reject:
    """Read a row off a file name; touches no disk."""
    match = NAME.fullmatch(path.stem)
    if match is None:
        return misnamed(CARD, path)
    for what, valid in (("speaker", SPEAKERS), ("emotion", EMOTIONS)):
        if match[what] not in valid:
            return unknown_code(CARD, path, what, match[what], valid)
    if match["sentence"] not in SENTENCES:
        return unknown_code(CARD, path, "sentence", match["sentence"], ("1 to 90",))
    gender, age = SPEAKERS[match["speaker"]]
    return Utterance(
        corpus=CARD.name,
        path=path,
        canonical=f"samples/{path.stem}",
        source_label=match["emotion"],
        emotion=EMOTIONS[match["emotion"]],
        speaker_id=f"nemo-{match['speaker']}",
        language=CARD.language,
        gender=gender,
        age=age,
        sentence_id=match["sentence"],
    )


def read_texts(root: Path) -> CorpusTable:
    """Read text, speaker and emotion of each recording, by its name."""
    return read_table(CARD.name, root, "data.tsv", _line, columns=_COLUMNS, delimiter="\t")


def _line(line: Row) -> tuple[str, Facts]:
    return PurePosixPath(line["file_id"].strip()).stem, {
        "source_label": line["emotion"].strip(),
        "speaker_id": f"nemo-{line['speaker_id'].strip()}",
        "gender": gender_of(line["gender"]),
        "age": age_of(line["age"]),
        "text": line["raw_text"].strip() or None,
    }


def _with_line(row: Utterance, table: CorpusTable) -> Utterance | Reject:
    """Add the table's line to a row; they must agree on who speaks and on the emotion."""
    facts = table.facts(row.path.stem)
    named = {"source_label": row.source_label, "speaker_id": row.speaker_id}
    for field, value in named.items():
        if facts and facts[field] != value:
            what = "emotion" if field == "source_label" else "speaker"
            return Reject(
                CARD.name, row.path, f"data.tsv says {what} {facts[field]!r}, the name says {value!r}"
            )
    return row.with_facts(**facts)
