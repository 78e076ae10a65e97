"""Simulated listeners: they answer by how near a delivery lies to each emotion's profile."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from ser_pipeline.acquire.synth.layouts import Clip
from ser_pipeline.acquire.synth.perform import traits_of
from ser_pipeline.acquire.synth.profiles import Floats, draw_speaker, heard_as
from ser_pipeline.acquire.synth.seeds import named_rng

AFFECT: Final = {
    "ang": (1.9, 3.7, 3.9), "hap": (4.0, 3.2, 3.2), "exc": (4.0, 3.8, 3.5), "neu": (3.0, 2.6, 3.0),
    "sad": (2.2, 2.3, 2.6), "fru": (2.3, 3.1, 3.4), "fea": (2.1, 3.4, 2.5), "sur": (3.2, 3.5, 2.9),
    "dis": (2.2, 2.9, 3.2), "oth": (3.0, 3.0, 3.0), "xxx": (3.0, 3.0, 3.0),
}  # fmt: skip
"""IEMOCAP label -> typical valence, arousal (activation) and dominance on its scale of 1 to 5."""


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


def hearing(clip: Clip, emotions: Sequence[str], seed: int, *, sharpness: float) -> Floats:
    """Chance that a rater hears each of ``emotions`` in the clip, shape ``(emotions,)``."""
    speaker = draw_speaker(seed, clip.part.voice, clip.part.sex)
    return heard_as(traits_of(clip.part, speaker, seed), tuple(emotions), sharpness=sharpness)


def cast_votes(clip: Clip, emotions: Sequence[str], seed: int, channel: str, *, sharpness: float) -> Votes:
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


def recognised(clip: Clip, emotions: Sequence[str], seed: int) -> tuple[int, int]:
    """Percent of 20 listeners who hear the intended emotion, and who find it natural."""
    rng = named_rng(seed, "listeners", clip.path)
    chance = hearing(clip, emotions, seed, sharpness=2.0)[list(emotions).index(clip.part.emotion)]
    return 5 * int(rng.binomial(20, chance)), 5 * int(rng.binomial(20, rng.uniform(0.55, 0.95)))


def affect(code: str, rng: np.random.Generator) -> tuple[int, int, int]:
    """One rater's valence, activation and dominance of an IEMOCAP turn, each 1 to 5."""
    values = np.rint(rng.normal(AFFECT[code], 0.6)).clip(1, 5).astype(int).tolist()
    return values[0], values[1], values[2]
