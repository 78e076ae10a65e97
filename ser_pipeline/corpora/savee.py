"""SAVEE: British English acted speech; four men, seven emotions, 44.1 kHz mono WAV.

Names   ``DC/a01.wav`` = speaker, emotion, sentence; flattened copies say ``DC_a01.wav``.
Splits  none published; split by speaker.
Quirks  Neutral has 30 sentences a speaker, the others 15. Sentence numbers count within an emotion:
        ``a01`` and ``d01`` need not be the same words. The ages are published as 27 to 31 only.
Source  http://kahlan.eps.surrey.ac.uk/savee/
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Final

from ser_pipeline.corpora.files import contradiction, listed, misnamed, unknown_code
from ser_pipeline.records import CorpusCard, Record, Reject, Utterance

CARD: Final = CorpusCard(
    name="savee",
    title="SAVEE",
    language="en-GB",
    language_name="English (UK)",
    speakers=4,
    clips=480,
    layout="AudioData/DC/a01.wav",
    folders=("AudioData", "DC|JE|JK|KL"),
    style="acted",
    licence="free for research, on registration; no licence stated",
    source="http://kahlan.eps.surrey.ac.uk/savee/",
    obtain="http://kahlan.eps.surrey.ac.uk/savee/",
    access="registration",
    people=("DC", "JE", "JK", "KL"),
    counts=dict.fromkeys(("anger", "disgust", "fear", "happiness", "sadness", "surprise"), 60)
    | {"neutral": 120},
    sample_rate=44_100,
)

TRACES: Final = re.compile("AudioData", re.IGNORECASE)

EMOTIONS: Final[Mapping[str, str]] = {
    "a": "anger",
    "d": "disgust",
    "f": "fear",
    "h": "happiness",
    "n": "neutral",
    "sa": "sadness",
    "su": "surprise",
}

SPEAKERS: Final = CARD.people

NAME: Final = re.compile(
    r"(?:(?P<speaker>DC|JE|JK|KL)_)?(?P<emotion>a|d|f|h|n|sa|su)(?P<sentence>\d\d)",
    re.IGNORECASE | re.ASCII,
)


def claims(path: PurePosixPath) -> bool:
    """Whether name and folder are of this corpus; ``a01.wav`` alone is not; touches no disk."""
    match = NAME.fullmatch(path.stem)
    return match is not None and (match["speaker"] is not None or _folder(path) is not None)


def scan(root: Path, files: Sequence[PurePosixPath] | None = None) -> Iterator[Record]:
    """Yield one row or reject per recording, in path order.

    Args:
        root: folder that holds ``AudioData``.
        files: recordings below ``root``; None finds them.
    """
    yield from map(parse, listed(root, files))


def parse(path: PurePosixPath) -> Utterance | Reject:
    """Read a row off a file name and its folder; touches no disk."""
    match = NAME.fullmatch(path.stem)
    if match is None:
        return misnamed(CARD, path)
    folder, named = _folder(path), (match["speaker"] or "").upper()
    speaker = named or folder
    if not speaker:
        valid = ", ".join(SPEAKERS)
        return Reject(CARD.name, path, f"neither folder nor name says who speaks; valid are {valid}")
    if folder and folder != speaker:
        return contradiction(CARD, path, folder, speaker)
    emotion = match["emotion"].lower()
    sentences = [f"{number:02d}" for number in range(1, 31 if emotion == "n" else 16)]
    if match["sentence"] not in sentences:
        return unknown_code(
            CARD, path, f"sentence of {emotion!r}", match["sentence"], (f"01 to {sentences[-1]}",)
        )
    sentence = emotion + match["sentence"]
    return Utterance(
        corpus=CARD.name,
        path=path,
        canonical=f"AudioData/{speaker}/{sentence}",
        source_label=emotion,
        emotion=EMOTIONS[emotion],
        speaker_id=f"savee-{speaker}",
        language=CARD.language,
        gender="male",
        sentence_id=sentence,
    )


def _folder(path: PurePosixPath) -> str | None:
    """The speaker that the file's own folder names."""
    name = path.parent.name.upper()
    return name if name in SPEAKERS else None
