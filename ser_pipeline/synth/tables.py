"""The files beside the audio, in the form of the official ones, with simulated listeners.

Each function is pure: clips in, file contents out, keyed by path below the corpus's folder.
All people, votes and ratings in them are made up.
"""

import csv
import io
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, median
from types import MappingProxyType
from typing import Final, NamedTuple

import numpy as np

from ser_pipeline.arrays import Float64s
from ser_pipeline.synth.folders import named_rng
from ser_pipeline.synth.layouts import SynthClip
from ser_pipeline.synth.perform import traits_of
from ser_pipeline.synth.profiles import Sex, draw_speaker, heard_as

AFFECT: Final = {
    "ang": (1.9, 3.7, 3.9), "hap": (4.0, 3.2, 3.2), "exc": (4.0, 3.8, 3.5), "neu": (3.0, 2.6, 3.0),
    "sad": (2.2, 2.3, 2.6), "fru": (2.3, 3.1, 3.4), "fea": (2.1, 3.4, 2.5), "sur": (3.2, 3.5, 2.9),
    "dis": (2.2, 2.9, 3.2), "oth": (3.0, 3.0, 3.0), "xxx": (3.0, 3.0, 3.0),
}  # fmt: skip
"""IEMOCAP label -> typical valence, arousal (activation) and dominance on its scale of 1 to 5."""

WORDS: Final = {
    "ang": "Anger", "hap": "Happiness", "exc": "Excited", "neu": "Neutral", "sad": "Sadness",
    "fru": "Frustration", "fea": "Fear", "sur": "Surprise", "dis": "Disgust", "oth": "Other",
}  # fmt: skip
"""Label -> the word that raters chose."""

_HEARD = {
    "anger": "ang", "happiness": "hap", "excitement": "exc", "neutral": "neu", "sadness": "sad",
    "frustration": "fru", "fear": "fea", "surprise": "sur", "disgust": "dis", "other": "oth",
}  # fmt: skip
_RATERS = ("E2", "E3", "E4")
_PAUSE_S = 0.35

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


@dataclass(frozen=True, slots=True)
class Votes:
    """Answers of several raters to one clip.

    Attributes:
        answers: one emotion per rater.
        levels: how strong each found it, 0 to 100.
    """

    answers: tuple[str, ...]
    levels: tuple[int, ...]

    @property
    def counts(self) -> Counter[str]:
        """Number of raters by answer."""
        return Counter(self.answers)

    @property
    def winners(self) -> tuple[str, ...]:
        """The most frequent answers, in alphabetical order; several when they tie."""
        counts = self.counts
        return tuple(sorted(name for name, count in counts.items() if count == max(counts.values())))

    def mean_level(self, emotion: str) -> float:
        """Mean level that raters gave who answered ``emotion``; -1 when none did."""
        levels = [level for name, level in zip(self.answers, self.levels, strict=True) if name == emotion]
        return sum(levels) / len(levels) if levels else -1.0


class _Turn(NamedTuple):
    clip: SynthClip
    start_s: float
    end_s: float


class _R(float):
    """A float that prints as R does."""

    def __repr__(self) -> str:
        return f"{float(self):.15g}"

    __str__ = __repr__


def hearing(clip: SynthClip, emotions: Sequence[str], seed: int, *, sharpness: float) -> Float64s:
    """Chance that a rater hears each of ``emotions`` in the clip, shape ``(emotions,)``."""
    speaker = draw_speaker(seed, clip.part.voice, clip.part.sex)
    return heard_as(traits_of(clip.part, speaker, seed), tuple(emotions), sharpness=sharpness)


def cast_votes(
    clip: SynthClip, emotions: Sequence[str], seed: int, channel: str, *, sharpness: float
) -> Votes:
    """Ask 8 to 12 raters about one clip.

    Args:
        clip: what they hear.
        emotions: what they may answer.
        seed: of the whole set of corpora.
        channel: names the group of raters.
        sharpness: larger makes them agree more.
    """
    rng = named_rng(seed, "votes", channel, clip.path)
    chance = hearing(clip, emotions, seed, sharpness=sharpness)
    count = int(rng.integers(8, 13))
    places = rng.choice(len(emotions), count, p=chance)
    levels = np.clip(np.rint(rng.normal(45 + 35 * chance[places], 15)), 1, 100).astype(int)
    return Votes(tuple(emotions[place] for place in places), tuple(levels.tolist()))


def recognised(clip: SynthClip, emotions: Sequence[str], seed: int) -> tuple[int, int]:
    """Percent of 20 listeners who hear the intended emotion, and who find it natural."""
    rng = named_rng(seed, "listeners", clip.path)
    chance = hearing(clip, emotions, seed, sharpness=2.0)[list(emotions).index(clip.part.emotion)]
    return 5 * int(rng.binomial(20, chance)), 5 * int(rng.binomial(20, rng.uniform(0.55, 0.95)))


def affect(code: str, rng: np.random.Generator) -> tuple[int, int, int]:
    """One rater's valence, activation and dominance of an IEMOCAP turn, each 1 to 5."""
    values = np.rint(rng.normal(AFFECT[code], 0.6)).clip(1, 5).astype(int).tolist()
    return values[0], values[1], values[2]


def iemocap_tables(clips: Sequence[SynthClip], seconds: Sequence[float], seed: int) -> Mapping[str, bytes]:
    """Evaluation and transcript of each dialogue, keyed by path below the corpus's folder.

    Args:
        clips: the turns.
        seconds: length of each turn's recording.
        seed: of the whole set of corpora.
    """
    dialogues: dict[str, list[tuple[SynthClip, float]]] = defaultdict(list)
    for clip, length in zip(clips, seconds, strict=True):
        dialogues[f"{clip.path.parts[0]}/dialog/{{}}/{clip.path.parent.name}.txt"].append((clip, length))
    files = {}
    for path, spoken in dialogues.items():
        turns = _timed(spoken)
        blocks = [_evaluation(turn, seed) for turn in turns]
        head = "% [START_TIME - END_TIME] TURN_NAME EMOTION [V, A, D]\n\n"
        files[path.format("EmoEvaluation")] = (head + "\n".join(blocks)).encode()
        lines = [f"{t.clip.path.stem} [{t.start_s:08.4f}-{t.end_s:08.4f}]: {t.clip.text}\n" for t in turns]
        files[path.format("transcriptions")] = "".join(lines).encode()
    return files


def _timed(spoken: Sequence[tuple[SynthClip, float]]) -> list[_Turn]:
    """The two speakers take turns: number by number, each turn after the last one's end."""
    turns: list[_Turn] = []
    clock = 1.0
    for clip, length in sorted(spoken, key=lambda item: (item[0].path.stem[-3:], item[0].speaker)):
        turns.append(_Turn(clip, clock, clock + length))
        clock += length + _PAUSE_S
    return turns


def _evaluation(turn: _Turn, seed: int) -> str:
    """Block of one turn: label and mean ratings, then one line per rater and kind of answer."""
    clip = turn.clip
    rng = named_rng(seed, "evaluation", clip.path)
    ratings = [affect(clip.code, rng) for _ in _RATERS[:2]]
    mean = ", ".join(f"{value:.4f}" for value in np.mean(ratings, axis=0))
    lines = [f"[{turn.start_s:.4f} - {turn.end_s:.4f}]\t{clip.path.stem}\t{clip.code}\t[{mean}]"]
    for rater, code in zip(_RATERS, _answers(clip, rng, seed), strict=True):
        lines.append(f"C-{rater}:\t{WORDS[code]};\t()")
    own = clip.code if clip.code in WORDS else "neu"
    lines.append(f"C-{clip.speaker}1:\t{WORDS[own]};\t()")
    for rater, (valence, activation, dominance) in zip(_RATERS, ratings, strict=False):
        lines.append(f"A-{rater}:\tval {valence}; act {activation}; dom  {dominance};\t()")
    return "\n".join(lines) + "\n"


def _answers(clip: SynthClip, rng: np.random.Generator, seed: int) -> list[str]:
    """Three answers whose majority is the label; three different ones if there is no majority."""
    codes = list(_HEARD.values())
    chance = hearing(clip, tuple(_HEARD), seed, sharpness=1.0)
    if clip.code == "xxx":
        likely = chance + 0.02
        return [codes[place] for place in rng.choice(len(codes), 3, replace=False, p=likely / likely.sum())]
    answers = [clip.code, clip.code, codes[int(rng.choice(len(codes), p=chance))]]
    return [answers[place] for place in rng.permutation(3)]


def _no_tables(clips: Sequence[SynthClip], seconds: Sequence[float], seed: int) -> Tables:
    return {}


def cremad_tables(clips: Sequence[SynthClip], seconds: Sequence[float], seed: int) -> Tables:
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


def nemo_tables(clips: Sequence[SynthClip], seconds: Sequence[float], seed: int) -> Tables:
    """Table ``data.tsv`` of nEMO: UTF-8, tab-separated, blanks before the speaker as in the official file."""
    lines = ["file_id\temotion\traw_text\tnormalized_text\tspeaker_id\tgender\tage"]
    for clip in clips:
        plain = clip.text.lower().replace(",", "").rstrip(".")
        person = f"        {clip.speaker}\t{clip.part.sex}\t{_age(seed, clip.speaker)}"
        lines.append(f"{clip.path.name}\t{clip.code}\t{clip.text}\t{plain}\t{person}")
    return {"data.tsv": ("\n".join(lines) + "\n").encode()}


def emodb_tables(clips: Sequence[SynthClip], seconds: Sequence[float], seed: int) -> Tables:
    """EmoDB's ``erkennung.txt``: Latin-1, decimal commas, cells padded with non-breaking spaces."""
    lines = ["Nr.\tSatz\terkannt\tnatuerlich"]
    for number, clip in enumerate(clips, 1):
        shares = (f"{share},00" + 5 * "\xa0" for share in recognised(clip, _EMODB_EMOTIONS, seed))
        lines.append("\t".join((f"{number}\xa0\xa0", clip.path.name, *shares)))
    return {"erkennung.txt": ("\n".join(lines) + "\n").encode("latin-1")}


TABLES: Final[Mapping[str, Callable[[Sequence[SynthClip], Sequence[float], int], Tables]]] = MappingProxyType(
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
