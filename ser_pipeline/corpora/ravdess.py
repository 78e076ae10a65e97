"""RAVDESS, speech: North American English, 24 actors, eight emotions, 48 kHz WAV.

Names   ``03-01-05-01-02-01-01.wav`` = modality, channel, emotion, intensity, statement, repetition,
        actor; an odd actor is a man, an even one a woman.
Splits  none published; split by speaker.
Quirks  Neutral has no strong intensity. Five files are stereo. Two takes of actor 07 are the same
        bytes (``03-01-03-01-02-01-07`` and ``-02-07``). The singers of ``ravdess-song`` are the same
        people, so both corpora share speaker ids. Copies often mix both channels in one folder.
Source  doi:10.1371/journal.pone.0196391
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Final

from ser_pipeline.corpora.files import contradiction, listed, misnamed, nearest_folder, unknown_code
from ser_pipeline.records import CorpusCard, Download, Intensity, Record, Reject, Utterance

CARD: Final = CorpusCard(
    name="ravdess",
    title="RAVDESS",
    language="en-US",
    language_name="English (US)",
    speakers=24,
    clips=1440,
    layout="Actor_01/03-01-05-01-02-01-01.wav",
    folders=(r"Actor_\d\d",),
    style="acted",
    licence="CC BY-NC-SA 4.0",
    source="doi:10.1371/journal.pone.0196391",
    obtain="https://zenodo.org/records/1188976",
    access="open",
    people=tuple(f"{number:02d}" for number in range(1, 25)),
    counts=dict.fromkeys(("anger", "calm", "disgust", "fear", "happiness", "sadness", "surprise"), 192)
    | {"neutral": 96},
    sample_rate=48_000,
    format="WAV PCM_16",
    mean_s=3.72,
    notes="A few of the recordings are stereo.",
    downloads=(
        Download(
            url="https://zenodo.org/records/1188976/files/Audio_Speech_Actors_01-24.zip",
            size=208_468_073,
            md5="bc696df654c87fed845eb13823edef8a",
        ),
    ),
)

TRACES: Final = re.compile(r"Actor_\d\d|Audio_Speech_Actors_01-24", re.IGNORECASE | re.ASCII)

EMOTIONS: Final[Mapping[str, str]] = {
    "01": "neutral",
    "02": "calm",
    "03": "happiness",
    "04": "sadness",
    "05": "anger",
    "06": "fear",
    "07": "disgust",
    "08": "surprise",
}

CHANNELS: Final[Mapping[str, str]] = {"01": "speech", "02": "song"}

INTENSITIES: Final[Mapping[str, Intensity]] = {"01": "normal", "02": "high"}

STATEMENTS: Final[Mapping[str, str]] = {
    "01": "Kids are talking by the door",
    "02": "Dogs are sitting by the door",
}

REPETITIONS: Final = ("01", "02")

ACTORS: Final = CARD.people

NAME: Final = re.compile(
    r"(?P<modality>\d\d)-(?P<channel>\d\d)-(?P<emotion>\d\d)-(?P<intensity>\d\d)"
    r"-(?P<statement>\d\d)-(?P<repetition>\d\d)-(?P<actor>\d\d)",
    re.ASCII,
)

_FOLDER: Final = re.compile(r"Actor_(\d\d)", re.IGNORECASE | re.ASCII)


def claims(path: PurePosixPath) -> bool:
    """Whether the name is one of this corpus: any channel but song; touches no disk."""
    match = NAME.fullmatch(path.stem)
    return match is not None and match["channel"] != "02"


def scan(root: Path, files: Sequence[PurePosixPath] | None = None) -> Iterator[Record]:
    """Yield one row or reject per recording, in path order.

    Args:
        root: folder that holds ``Actor_01``.
        files: recordings below ``root``; None finds them.
    """
    yield from map(parse, listed(root, files))


def parse(path: PurePosixPath) -> Utterance | Reject:
    """Read a row off a file name; touches no disk."""
    return parse_channel(path, CARD, EMOTIONS, ACTORS)


def parse_channel(
    path: PurePosixPath, card: CorpusCard, emotions: Mapping[str, str], actors: Sequence[str]
) -> Utterance | Reject:
    """Read a row of either channel, speech or song; touches no disk.

    Args:
        path: of the file; its folders may name the actor.
        card: of the corpus; its modality is the channel that belongs to it.
        emotions: code -> emotion, those of the channel.
        actors: codes of the actors of the channel.
    """
    match = NAME.fullmatch(path.stem)
    if match is None:
        return misnamed(card, path)
    fault = _fault(match, path, card, emotions, actors)
    if fault is not None:
        return fault
    actor = match["actor"]
    return Utterance(
        corpus=card.name,
        path=path,
        canonical=f"Actor_{actor}/{path.stem}",
        source_label=match["emotion"],
        emotion=emotions[match["emotion"]],
        speaker_id=f"ravdess-{actor}",
        language=card.language,
        modality=card.modality,
        intensity=INTENSITIES[match["intensity"]],
        gender="male" if int(actor) % 2 else "female",
        sentence_id=match["statement"],
        text=STATEMENTS[match["statement"]],
        take=match["repetition"],
    )


def _fault(
    match: re.Match[str],
    path: PurePosixPath,
    card: CorpusCard,
    emotions: Mapping[str, str],
    actors: Sequence[str],
) -> Reject | None:
    """What is wrong with a name of the right form, or None."""
    if match["modality"] != "03":
        return Reject(card.name, path, f"modality {match['modality']} is video; only 03 (audio only) is read")
    if CHANNELS.get(match["channel"]) not in (card.modality, None):
        other = "ravdess-song" if match["channel"] == "02" else "ravdess"
        return Reject(card.name, path, f"channel {match['channel']} is not {card.modality}; {other} reads it")
    for what, valid in (
        ("channel", CHANNELS),
        ("emotion", emotions),
        ("intensity", INTENSITIES),
        ("statement", STATEMENTS),
        ("repetition", REPETITIONS),
        ("actor", actors),
    ):
        if match[what] not in valid:
            return unknown_code(card, path, what, match[what], valid)
    if (match["emotion"], match["intensity"]) == ("01", "02"):
        return Reject(card.name, path, "neutral (01) has no strong intensity (02)")
    folder = nearest_folder(path, _FOLDER)
    if folder is not None and folder[1] != match["actor"]:
        return contradiction(card, path, f"actor {folder[1]}", match["actor"])
    return None
