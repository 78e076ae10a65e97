"""TESS: Canadian English acted speech; two women, seven emotions, 24.4 kHz mono WAV.

Names   ``OAF_angry/OAF_back_angry.wav`` = actress (older, younger), word, emotion; the words are
        spoken in the carrier phrase "Say the word ...".
Splits  none published; with two speakers one trains and one tests.
Quirks  Folder names change case and spell pleasant surprise ``ps``, ``Pleasant_surprise`` or
        ``pleasant_surprised``. One official file is called ``OA_bite_neutral.wav``. A widely used
        copy holds all files twice, the second time one folder deeper.
Source  doi:10.5683/SP2/E8H2MF
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Final

from ser_pipeline.corpora.files import contradiction, listed, misnamed, nearest_folder, unknown_code
from ser_pipeline.records import CorpusCard, Record, Reject, Utterance

CARD: Final = CorpusCard(
    name="tess",
    title="TESS",
    language="en-CA",
    language_name="English (Canada)",
    speakers=2,
    clips=2800,
    layout="OAF_angry/OAF_back_angry.wav",
    folders=(r"(OAF|YAF)_(angry|disgust|fear|happy|neutral|ps|pleasant_surprised?|sad)",),
    style="acted",
    licence="CC BY-NC-ND 4.0",
    source="doi:10.5683/SP2/E8H2MF",
    obtain="https://doi.org/10.5683/SP2/E8H2MF",
    access="open",
    people=("OAF", "YAF"),
    counts=dict.fromkeys(("anger", "disgust", "fear", "happiness", "neutral", "sadness", "surprise"), 400),
)

TRACES: Final = re.compile(CARD.folders[0], re.IGNORECASE)

EMOTIONS: Final[Mapping[str, str]] = {
    "angry": "anger",
    "disgust": "disgust",
    "fear": "fear",
    "happy": "happiness",
    "neutral": "neutral",
    "ps": "surprise",
    "sad": "sadness",
}

AGES: Final[Mapping[str, int]] = {"OAF": 64, "YAF": 26}
"""Actress -> age in years."""

SPELLINGS: Final[Mapping[str, str]] = {"pleasant_surprise": "ps", "pleasant_surprised": "ps"}

FOLDERS: Final[Mapping[tuple[str, str], str]] = {
    ("OAF", "fear"): "OAF_Fear",
    ("OAF", "ps"): "OAF_Pleasant_surprise",
    ("OAF", "sad"): "OAF_Sad",
    ("YAF", "ps"): "YAF_pleasant_surprised",
}
"""Official folders that are not just ``<actress>_<emotion>``."""

ODD_NAMES: Final[Mapping[str, str]] = {"OAF_bite_neutral": "OA_bite_neutral"}
"""Name by the rule -> official name."""

NAME: Final = re.compile(
    r"(?P<actress>OAF?|YAF)_(?P<word>[a-z]+)_(?P<emotion>[a-z]+(?:_surprised?)?)",
    re.IGNORECASE | re.ASCII,
)


def claims(path: PurePosixPath) -> bool:
    """Whether the name is one of this corpus; touches no disk."""
    return NAME.fullmatch(path.stem) is not None


def scan(root: Path, files: Sequence[PurePosixPath] | None = None) -> Iterator[Record]:
    """Yield one row or reject per recording, in path order.

    Args:
        root: folder that holds ``OAF_angry``.
        files: recordings below ``root``; None finds them.
    """
    yield from map(parse, listed(root, files))


def parse(path: PurePosixPath) -> Utterance | Reject:
    """Read a row off a file name; touches no disk."""
    match = NAME.fullmatch(path.stem)
    if match is None:
        return misnamed(CARD, path)
    actress = "YAF" if match["actress"].upper() == "YAF" else "OAF"
    word, emotion = match["word"].lower(), _code(match["emotion"])
    if emotion not in EMOTIONS:
        return unknown_code(CARD, path, "emotion", emotion, EMOTIONS)
    folder = nearest_folder(path, TRACES)
    if folder is not None and (folder[1].upper(), _code(folder[2])) != (actress, emotion):
        return contradiction(CARD, path, folder[0], f"{actress}_{emotion}")
    stem = f"{actress}_{word}_{emotion}"
    official_folder = FOLDERS.get((actress, emotion), f"{actress}_{emotion}")
    return Utterance(
        corpus=CARD.name,
        path=path,
        canonical=f"{official_folder}/{ODD_NAMES.get(stem, stem)}",
        source_label=emotion,
        emotion=EMOTIONS[emotion],
        speaker_id=f"tess-{actress}",
        language=CARD.language,
        gender="female",
        age=AGES[actress],
        sentence_id=word,
        text=f"Say the word {word}",
    )


def _code(spelling: str) -> str:
    """The official code of an emotion, however it is spelled."""
    return SPELLINGS.get(spelling.lower(), spelling.lower())
