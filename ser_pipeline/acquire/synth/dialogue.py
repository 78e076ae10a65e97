"""IEMOCAP's files beside the audio: evaluations of each dialogue, with the raters' lines, and transcripts."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

import numpy as np

from ser_pipeline.acquire.synth.layouts import Clip
from ser_pipeline.acquire.synth.raters import affect, hearing
from ser_pipeline.acquire.synth.seeds import named_rng

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


class _Turn(NamedTuple):
    clip: Clip
    start_s: float
    end_s: float


def iemocap_tables(clips: Sequence[Clip], seconds: Sequence[float], seed: int) -> Mapping[str, bytes]:
    """Evaluation and transcript of each dialogue, keyed by path below the corpus's folder.

    Args:
        clips: the turns.
        seconds: length of each turn's recording.
        seed: of the whole set of corpora.
    """
    dialogues: dict[str, list[tuple[Clip, float]]] = defaultdict(list)
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


def _timed(spoken: Sequence[tuple[Clip, float]]) -> list[_Turn]:
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


def _answers(clip: Clip, rng: np.random.Generator, seed: int) -> list[str]:
    """Three answers whose majority is the label; three different ones where there is no majority."""
    codes = list(_HEARD.values())
    chance = hearing(clip, tuple(_HEARD), seed, sharpness=1.0)
    if clip.code == "xxx":
        likely = chance + 0.02
        return [codes[place] for place in rng.choice(len(codes), 3, replace=False, p=likely / likely.sum())]
    answers = [clip.code, clip.code, codes[int(rng.choice(len(codes), p=chance))]]
    return [answers[place] for place in rng.permutation(3)]
