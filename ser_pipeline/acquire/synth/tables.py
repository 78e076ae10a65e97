"""The corpora's own tables, in the form of the official files.

Each function is pure: clips in, file contents out, keyed by path below the corpus's folder.
All people, votes and ratings in them are made up.
"""

import csv
import io
from collections.abc import Callable, Mapping, Sequence
from statistics import fmean, median
from types import MappingProxyType
from typing import Final

from ser_pipeline.acquire.synth.dialogue import iemocap_tables
from ser_pipeline.acquire.synth.layouts import Clip
from ser_pipeline.acquire.synth.profiles import Sex
from ser_pipeline.acquire.synth.raters import Votes, cast_votes, recognised
from ser_pipeline.acquire.synth.seeds import named_rng

Cell = str | int | float
Tables = Mapping[str, bytes]

_LETTERS = {"anger": "A", "disgust": "D", "fear": "F", "happiness": "H", "neutral": "N", "sadness": "S"}
_LETTER_WORDS = ("Anger", "Disgust", "Fear", "Happy", "Neutral", "Sad")
_CHANNELS = (("voice", 1, 0.5), ("face", 2, 0.8), ("both", 3, 1.1))  # faces are read better than voices
_VOTE_COLUMNS = (
    "", *_LETTERS.values(), "fileName", "numResponses", "agreement", "emoVote",
    *(f"{kind}{suffix}" for suffix in ("", "Norm") for kind in (
        "meanEmoResp", *(f"mean{word}Resp" for word in _LETTER_WORDS), "medianEmoResp")),
)  # fmt: skip
_EMODB_EMOTIONS = ("anger", "boredom", "disgust", "fear", "happiness", "sadness", "neutral")


def _no_tables(clips: Sequence[Clip], seconds: Sequence[float], seed: int) -> Tables:
    return {}


def cremad_tables(clips: Sequence[Clip], seconds: Sequence[float], seed: int) -> Tables:
    """CREMA-D's actors, file numbers, votes (three rows a clip) and vote summary."""
    names = [clip.path.stem for clip in clips]
    actors: dict[str, Sex] = {clip.speaker: clip.part.sex for clip in clips}
    people: list[list[Cell]] = [
        [int(actor), _age(seed, actor), sex.title(), "Synthetic", "Synthetic"]
        for actor, sex in actors.items()
    ]
    votes = {
        channel: [cast_votes(clip, tuple(_LETTERS), seed, channel, sharpness=sharpness) for clip in clips]
        for channel, _, sharpness in _CHANNELS
    }
    table = [
        _vote_row(f"{digit}{number:05d}", name, answers)
        for channel, digit, _ in _CHANNELS
        for number, (name, answers) in enumerate(zip(names, votes[channel], strict=True), 1)
    ]
    summary = [
        [
            str(number),
            name,
            *(cell for channel, _, _ in _CHANNELS for cell in _summary(votes[channel][number - 1])),
        ]
        for number, name in enumerate(names, 1)
    ]
    levels = [f"{side}{kind}" for side in ("Voice", "Face", "MultiModal") for kind in ("Vote", "Level")]
    return {
        "VideoDemographics.csv": _csv(("ActorID", "Age", "Sex", "Race", "Ethnicity"), people),
        "SentenceFilenames.csv": _csv(("Stimulus_Number", "Filename"), list(enumerate(names, 1))),
        "processedResults/tabulatedVotes.csv": _csv(_VOTE_COLUMNS, table),
        "processedResults/summaryTable.csv": _csv(("", "FileName", *levels), summary),
    }


def nemo_tables(clips: Sequence[Clip], seconds: Sequence[float], seed: int) -> Tables:
    """Table ``data.tsv`` of nEMO: UTF-8, tab-separated, blanks before the speaker as in the official file."""
    lines = ["file_id\temotion\traw_text\tnormalized_text\tspeaker_id\tgender\tage"]
    for clip in clips:
        plain = clip.text.lower().replace(",", "").rstrip(".")
        person = f"        {clip.speaker}\t{clip.part.sex}\t{_age(seed, clip.speaker)}"
        lines.append(f"{clip.path.name}\t{clip.code}\t{clip.text}\t{plain}\t{person}")
    return {"data.tsv": ("\n".join(lines) + "\n").encode()}


def emodb_tables(clips: Sequence[Clip], seconds: Sequence[float], seed: int) -> Tables:
    """EmoDB's ``erkennung.txt``: Latin-1, decimal commas, cells padded with non-breaking spaces."""
    lines = ["Nr.\tSatz\terkannt\tnatuerlich"]
    for number, clip in enumerate(clips, 1):
        shares = (f"{share},00" + 5 * "\xa0" for share in recognised(clip, _EMODB_EMOTIONS, seed))
        lines.append("\t".join((f"{number}\xa0\xa0", clip.path.name, *shares)))
    return {"erkennung.txt": ("\n".join(lines) + "\n").encode("latin-1")}


TABLES: Final[Mapping[str, Callable[[Sequence[Clip], Sequence[float], int], Tables]]] = MappingProxyType(
    {
        "cremad": cremad_tables,
        "ravdess": _no_tables,
        "ravdess-song": _no_tables,
        "savee": _no_tables,
        "tess": _no_tables,
        "iemocap": iemocap_tables,
        "nemo": nemo_tables,
        "emodb": emodb_tables,
    }
)
"""Corpus id -> its tables from clips, their lengths in seconds, and the seed."""


def _age(seed: int, speaker: str) -> int:
    return int(named_rng(seed, "age", speaker).integers(20, 66))


def _vote_row(row_name: str, name: str, votes: Votes) -> list[Cell]:
    counts = votes.counts
    total = len(votes.answers)
    winners = ":".join(_LETTERS[emotion] for emotion in votes.winners)
    # the official table also gives each level relative to the rater's own range
    normed = Votes(votes.answers, tuple(max(0, round(1.05 * (level - 8))) for level in votes.levels))
    levels = [level for kind in (votes, normed) for level in _levels(kind)]
    share = max(counts.values()) / total
    return [row_name, *(counts[emotion] for emotion in _LETTERS), name, total, share, winners, *levels]


def _levels(votes: Votes) -> list[float]:
    each = [votes.mean_level(emotion) for emotion in _LETTERS]
    return [fmean(votes.levels), *each, float(median(votes.levels))]


def _summary(votes: Votes) -> tuple[str, str]:
    levels = [votes.mean_level(emotion) for emotion in votes.winners]
    shown = f"{round(levels[0], 2):g}" if len(levels) == 1 else ":".join(f"{level:.2f}" for level in levels)
    return ":".join(_LETTERS[emotion] for emotion in votes.winners), shown


def _csv(columns: Sequence[str], rows: Sequence[Sequence[Cell]]) -> bytes:
    """Text quoted, numbers bare with 15 digits, as R writes them."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, quoting=csv.QUOTE_NONNUMERIC, lineterminator="\n")
    writer.writerow(columns)
    for row in rows:
        writer.writerow([_R(cell) if isinstance(cell, float) else cell for cell in row])
    return buffer.getvalue().encode()


class _R(float):
    """A float that prints as R does."""

    def __repr__(self) -> str:
        return f"{float(self):.15g}"

    __str__ = __repr__
