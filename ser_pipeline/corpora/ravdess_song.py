"""RAVDESS, song: 23 of RAVDESS's 24 actors sing the same statements in six emotions.

Names   as in RAVDESS speech, with channel 02: ``03-02-05-01-02-01-01.wav``.
Splits  none published; split by speaker, together with RAVDESS.
Quirks  Actor 18 did not sing. The files lie in a folder of their own or among those of RAVDESS;
        channel 02 belongs here wherever it lies. Speaker ids are RAVDESS's.
Source  doi:10.1371/journal.pone.0196391
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Final

from ser_pipeline.corpora import ravdess
from ser_pipeline.corpora.files import listed
from ser_pipeline.records import CorpusCard, Download, Record, Reject, Utterance

CARD: Final = CorpusCard(
    name="ravdess-song",
    title="RAVDESS song",
    language="en-US",
    language_name="English (US)",
    speakers=23,
    clips=1012,
    layout="Actor_01/03-02-05-01-02-01-01.wav",
    folders=(r"Actor_\d\d",),
    style="acted",
    modality="song",
    licence="CC BY-NC-SA 4.0",
    source="doi:10.1371/journal.pone.0196391",
    obtain="https://zenodo.org/records/1188976",
    access="open",
    people=tuple(f"{number:02d}" for number in range(1, 25) if number != 18),
    counts=dict.fromkeys(("anger", "calm", "fear", "happiness", "sadness"), 184) | {"neutral": 92},
    sample_rate=48_000,
    format="WAV PCM_16",
    mean_s=4.63,
    notes="The singers are the speakers of RAVDESS; actor 18 does not sing.",
    downloads=(
        Download(
            url="https://zenodo.org/records/1188976/files/Audio_Song_Actors_01-24.zip",
            size=225_505_317,
            md5="5411230427d67a21e18aa4d466e6d1b9",
        ),
    ),
)

TRACES: Final = re.compile(r"Audio_Song_Actors_01-24", re.IGNORECASE)

EMOTIONS: Final[Mapping[str, str]] = {
    code: emotion for code, emotion in ravdess.EMOTIONS.items() if code not in ("07", "08")
}

ACTORS: Final = CARD.people

NAME: Final = ravdess.NAME


def claims(path: PurePosixPath) -> bool:
    """Whether the name is one of this corpus: channel 02; touches no disk."""
    match = NAME.fullmatch(path.stem)
    return match is not None and match["channel"] == "02"


def scan(root: Path, files: Sequence[PurePosixPath] | None = None) -> Iterator[Record]:
    """Yield one row or reject per recording, in path order.

    Args:
        root: folder that holds ``Actor_01``.
        files: recordings below ``root``; None finds them.
    """
    yield from map(parse, listed(root, files))


def parse(path: PurePosixPath) -> Utterance | Reject:
    """Read a row off a file name; touches no disk."""
    return ravdess.parse_channel(path, CARD, EMOTIONS, ACTORS)
