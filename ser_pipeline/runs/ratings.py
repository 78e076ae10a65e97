"""Scores with intervals, and those that tell how closely a run's answers follow listeners."""

from typing import Any, Final, Literal

from pydantic import model_validator

from ser_pipeline.options import Options
from ser_pipeline.tables import html_table, table_of
from ser_pipeline.tables.cells import sentence

GroupKind = Literal["corpus", "language", "gender", "intensity", "modality", "speaker"]

RATED_COLUMNS: Final = ("dimension", "clips", "speakers", "CCC", "Pearson", "RMSE", "MAE")
"""Heading of scores of ratings."""


class Estimate(Options):
    """A score with its interval.

    Attributes:
        value: of the score.
        low: lower end of its interval; None where none can be given.
        high: upper end, likewise.
    """

    value: float
    low: float | None = None
    high: float | None = None

    def __str__(self) -> str:
        """The score, and its interval where there is one.

        Examples:
            >>> print(Estimate(value=0.5, low=0.4, high=0.625))
            0.500 (0.400 to 0.625)
        """
        ends = "" if self.low is None or self.high is None else f" ({self.low:.3f} to {self.high:.3f})"
        return f"{self.value:.3f}{ends}"

    def reaches(self, value: float) -> bool:
        """Whether the score, or the interval of it, reaches down to a value, as that of guessing.

        Examples:
            >>> Estimate(value=0.5, low=0.2, high=0.8).reaches(0.25), Estimate(value=0.5).reaches(0.25)
            (True, False)
        """
        return (self.value if self.low is None else self.low) <= value


class RatingScores(Options):
    """How closely a model's ratings follow those of listeners.

    Attributes:
        dimension: valence, arousal or dominance.
        by: kind of group that the clips are of; None for all clips of the part.
        name: of the group; "" for all clips.
        clips: that listeners rated.
        speakers: heard in them.
        ccc: concordance correlation; None where nothing varies, as ``pearson``.
        pearson: correlation.
        rmse: root mean square error on the scale from -1 to 1.
        mae: mean absolute error on that scale; None in scores from before it was kept.
    """

    dimension: str
    by: GroupKind | None = None
    name: str = ""
    clips: int
    speakers: int
    ccc: Estimate | None
    pearson: Estimate | None
    rmse: Estimate
    mae: Estimate | None = None

    @model_validator(mode="before")
    @classmethod
    def _of_corpora(cls, values: Any) -> Any:
        """Read scores from before there were groups other than corpora."""
        if not isinstance(values, dict) or "corpus" not in values:
            return values
        rest, corpus = {**values}, values["corpus"]
        del rest["corpus"]
        return rest | {"by": "corpus" if corpus else None, "name": corpus}

    @property
    def cells(self) -> list[Any]:
        """Values of :data:`RATED_COLUMNS`, scores with their intervals in words."""
        scores = (self.ccc, self.pearson, self.rmse, self.mae)
        return [
            self.dimension,
            self.clips,
            self.speakers,
            *("" if each is None else str(each) for each in scores),
        ]


class RatedPart(Options):
    """Scores of one part of a split, of a run whose targets are ratings.

    Attributes:
        clips: of the part; listeners rated each for some dimension.
        speakers: heard in them.
        ratings: by dimension: all clips, then each group.
        interval: how the intervals were made, in words.
    """

    clips: int
    speakers: int
    ratings: tuple[RatingScores, ...]
    interval: str

    @property
    def pooled(self) -> tuple[RatingScores, ...]:
        """Scores of all clips, by dimension."""
        return tuple(each for each in self.ratings if each.by is None)

    @property
    def ccc(self) -> float | None:
        """Mean concordance over the dimensions; None where there is none."""
        known = [each.ccc.value for each in self.pooled if each.ccc is not None]
        return sum(known) / len(known) if known else None

    @property
    def mean(self) -> str:
        """The same in words."""
        return "not known" if self.ccc is None else f"{self.ccc:.3f}"

    def __repr__(self) -> str:
        """One line: mean concordance, and by dimension."""
        each = ", ".join(f"{found.dimension} {found.ccc}" for found in self.pooled)
        return f"RatedPart(mean CCC {self.mean}: {each})"

    __str__ = __repr__

    def _repr_html_(self) -> str:
        """A table for a notebook: each dimension."""
        rows, notes = (
            [each.cells for each in self.pooled],
            [sentence(self.interval)],
        )
        return html_table(
            table_of(f"mean CCC {self.mean}", [*RATED_COLUMNS], rows, notes=notes), sortable=False
        )


class VoteScores(Options):
    """How closely probabilities follow the votes of listeners.

    Attributes:
        clips: with a vote for an emotion of the task.
        speakers: heard in them.
        cross_entropy: of the probabilities against the shares of the votes, in nats, mean over clips.
        divergence: Kullback-Leibler divergence, that is cross-entropy beyond the entropy of the votes.
    """

    clips: int
    speakers: int
    cross_entropy: Estimate
    divergence: Estimate
