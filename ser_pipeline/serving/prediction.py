"""What is said of one recording, or of one window of it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

from ser_pipeline.arrays import Float64s, Floats
from ser_pipeline.labels import DIMENSIONS

NO_SPEECH: Final = "no speech"
"""Decision on a recording in which nothing is loud enough to be heard."""

HOP_S: Final = 1.0
"""From one window of a timeline to the next, in seconds."""

UNCERTAIN: Final = "uncertain"
"""Decision where the confidence lies below what was asked for."""

RATED: Final = "rated"
"""Decision of a model that predicts ratings of speech instead of an emotion."""


@dataclass(frozen=True, slots=True)
class Prediction:
    """What a model says.

    Attributes:
        name: of the recording.
        decision: an emotion, ``uncertain`` or ``no speech``; ``rated`` by a model that only rates.
        emotion: the likeliest emotion, whether or not it was decided for; None without speech or emotions.
        confidence: its probability; None without an emotion.
        probabilities: emotion -> probability, calibrated where the model is; empty without an emotion.
        start_s: where what was looked at begins, in seconds from the recording's start.
        end_s: where it ends.
        windows: how many windows it is the mean of.
        ratings: some of valence, arousal and dominance in [-1, 1], of models that rate clips; else empty.
    """

    name: str
    decision: str
    emotion: str | None
    confidence: float | None
    probabilities: dict[str, float]
    start_s: float
    end_s: float
    windows: int = 1
    ratings: dict[str, float] = field(default_factory=dict)

    def __repr__(self) -> str:
        """One line: recording, decision, confidence, ratings."""
        sure = "" if self.confidence is None else f", {self.confidence:.0%} sure"
        rated = f", {self.rated}" if self.ratings else ""
        return f"Prediction({self.name}: {self.decision}{sure}{rated})"

    @property
    def rated(self) -> str:
        """Its ratings in words."""
        return ", ".join(f"{name} {value:+.2f}" for name, value in self.ratings.items())

    def _repr_html_(self) -> str:
        """A table for a notebook: the likeliest emotion first, or the ratings of a model that only rates."""
        from ser_pipeline.tables import html_table, table_of

        rows = sorted(self.probabilities.items(), key=lambda each: -each[1]) or [*self.ratings.items()]
        columns = ["emotion", "probability"] if self.probabilities else ["dimension", "rating"]
        return html_table(table_of(f"{self.name}: {self.decision}", columns, rows), sortable=False)

    def as_dict(self) -> dict[str, Any]:
        """The prediction as JSON has it; numbers rounded to what they are good for.

        Examples:
            >>> silence("a.wav", 0.0, 1.5).as_dict()["decision"]
            'no speech'
        """
        ratings = {name: round(value, 6) for name, value in self.ratings.items()}
        return {
            "file": self.name,
            "decision": self.decision,
            "emotion": self.emotion,
            "confidence": None if self.confidence is None else round(self.confidence, 6),
            "probabilities": {name: round(value, 6) for name, value in self.probabilities.items()},
            "start_s": round(self.start_s, 3),
            "end_s": round(self.end_s, 3),
            "windows": self.windows,
            **({"ratings": ratings} if ratings else {}),
        }


@dataclass(frozen=True, slots=True)
class Unusable:
    """A recording that cannot be predicted.

    Attributes:
        name: of the recording.
        reason: one sentence.
    """

    name: str
    reason: str


def softmax(logits: Floats, temperature: float = 1.0) -> Float64s:
    """Class scores to probabilities along the last axis.

    Args:
        logits: shape ``(..., classes)``.
        temperature: above 1 softens, below 1 sharpens.

    Examples:
        >>> softmax(np.log([0.8, 0.2]), 2.0).round(3)
        array([0.667, 0.333])
    """
    scaled = np.asarray(logits, np.float64) / temperature
    weights = np.exp(scaled - scaled.max(axis=-1, keepdims=True))
    shares: Float64s = weights / weights.sum(axis=-1, keepdims=True)
    return shares


def decide(
    logits: Floats,
    emotions: Sequence[str],
    *,
    name: str,
    span_s: tuple[float, float],
    temperature: float | None,
    abstain: float,
    ratings: Sequence[Floats] = (),
    dimensions: Sequence[str] = DIMENSIONS,
) -> Prediction:
    """Turn class scores and ratings into a prediction.

    Args:
        logits: of one recording, shape ``(classes,)``, or of several windows of it,
            ``(windows, classes)``, whose probabilities are averaged.
        emotions: class names; none for a model that only rates.
        name: of the recording.
        span_s: where what was looked at begins and ends, in seconds.
        temperature: of the calibration; None leaves probabilities as they are.
        abstain: least confidence to decide.
        ratings: of each window, in [-1, 1], shape ``(dimensions,)``; they are averaged. None without.
        dimensions: their names.

    Examples:
        >>> said = decide(np.log([0.8, 0.2]), ("anger", "fear"), name="a.wav", span_s=(0, 1),
        ...               temperature=2.0, abstain=0.7)
        >>> said.decision, said.emotion, round(said.confidence, 3)
        ('uncertain', 'anger', 0.667)
    """
    rows = np.atleast_2d(logits)
    rated = dict(zip(dimensions, np.mean(ratings, axis=0).tolist(), strict=True)) if len(ratings) else {}
    if not emotions:
        return Prediction(name, RATED, None, None, {}, *span_s, windows=len(rows), ratings=rated)
    probabilities = softmax(rows, temperature or 1.0).mean(axis=0)
    best = int(probabilities.argmax())
    confidence = float(probabilities[best])
    return Prediction(
        name=name,
        decision=emotions[best] if confidence >= abstain else UNCERTAIN,
        emotion=emotions[best],
        confidence=confidence,
        probabilities=dict(zip(emotions, probabilities.tolist(), strict=True)),
        start_s=span_s[0],
        end_s=span_s[1],
        windows=len(rows),
        ratings=rated,
    )


def silence(name: str, start_s: float, end_s: float) -> Prediction:
    """Prediction on a stretch in which nothing is heard."""
    return Prediction(name, NO_SPEECH, None, None, {}, start_s, end_s)
