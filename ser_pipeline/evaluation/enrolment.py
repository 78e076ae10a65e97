"""How many clips of a new speaker a model of mode ``adaptive`` needs: scores against their number.

Acted corpora are balanced over emotions and life is not, so the clips are chosen in three ways: as they
come, all neutral, and all of one emotion of the speaker.
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Final, Literal

import numpy as np
import pyarrow.compute as pc
from pydantic import Field

from ser_pipeline.arrays import Int64s
from ser_pipeline.datasets.normalise import Learned
from ser_pipeline.datasets.prepare import Inputs
from ser_pipeline.datasets.rows import read_vectors
from ser_pipeline.datasets.run_data import RunData
from ser_pipeline.errors import RunError
from ser_pipeline.evaluation.predict import predict_clips
from ser_pipeline.evaluation.run import inputs_of
from ser_pipeline.labels import emotion_id
from ser_pipeline.metrics import confusion_matrix, uar
from ser_pipeline.models.network import Network
from ser_pipeline.options import Options
from ser_pipeline.records import PARTS, named_among, names_nobody
from ser_pipeline.runs.files import finished_info, write_result
from ser_pipeline.runs.types import ALL_FOLDS
from ser_pipeline.training.checkpoint import load_model

ENROLMENT: Final = "enrolment.json"
COUNTS: Final = (0, 1, 2, 5, 10, 20, 50, None)
"""Enrolment clips that are tried; None stands for all there are."""

DRAWS: Final = 5
"""Random choices that each score is the mean of."""

Chosen = Literal["as they come", "all neutral", "all of one emotion"]
WAYS: Final[tuple[Chosen, ...]] = ("as they come", "all neutral", "all of one emotion")


class EnrolmentScore(Options):
    """One point of the curve.

    Attributes:
        chosen: how the enrolment clips were chosen.
        clips: how many of each speaker; None for all.
        uar: mean over draws of the UAR on the part.
        low: the least of the draws.
        high: the greatest.
    """

    chosen: Chosen
    clips: int | None
    uar: float
    low: float
    high: float


class EnrolmentCurve(Options):
    """``enrolment.json``: scores of a run against the number of enrolment clips.

    Attributes:
        part: of the split.
        speakers: of the part.
        scores: one for each way and number.
    """

    schema_version: Literal[1] = 1
    part: str
    speakers: int
    scores: tuple[EnrolmentScore, ...] = Field(min_length=1)


def enrolment_curve(
    folder: Path,
    *,
    manifests: Path,
    cache: Path,
    part: str = "test",
    seed: int = 0,
    advance: Callable[[int, int], None] = lambda done, total: None,
) -> EnrolmentCurve:
    """Score a run with more and more clips of each speaker known; writes ``enrolment.json``.

    A clip is never among those that describe its speaker. Those may be of emotions beyond the task.

    Args:
        folder: of the run.
        manifests: folder of the manifest and the split it was trained on.
        cache: folder of the stores.
        part: whose clips are scored.
        seed: of the choices.
        advance: called with how many scores were made since, and how many there are.

    Raises:
        RunError: the run was not trained with ``--normalise adaptive``, or has folds or no clips of the part.
    """
    info = finished_info(folder)
    if info.recipe.normalise != "adaptive":
        raise RunError(
            f"{folder}: was not trained to adapt to a speaker; train one with --normalise adaptive"
        )
    if info.split.fold == ALL_FOLDS:
        raise RunError(f"{folder}: has folds; choose one of them, such as {folder / 'fold-0'}")
    inputs = inputs_of(info, manifests=manifests, cache=cache)
    data = inputs.run_data(info.split.number)
    network, card = load_model(folder)
    people = _People(data, inputs, card.learned, network, part, folder)
    scores = []
    plan = [(way, count) for way in WAYS for count in COUNTS]
    for way, count in plan:
        found = [people.score(way, count, np.random.default_rng([seed, draw])) for draw in range(DRAWS)]
        scores.append(
            EnrolmentScore(
                chosen=way, clips=count, uar=float(np.mean(found)), low=min(found), high=max(found)
            )
        )
        advance(1, len(plan))
    curve = EnrolmentCurve(part=part, speakers=len(named_among(people.own)), scores=tuple(scores))
    write_result(folder / ENROLMENT, curve)
    return curve


class _People:
    """The speakers of a part, with all that is known of them."""

    def __init__(
        self, data: RunData, inputs: Inputs, learned: Learned, network: Network, part: str, folder: Path
    ) -> None:
        if learned.voice is None or learned.scaling is None:
            raise RunError(f"{folder}: model.json lacks learned.voice; train the run again")
        rows, around = data.rows(part), data.around
        if around is None or not len(rows):
            raise RunError(f"{folder}: has no {part} clips")
        self._voice, self._network = learned.voice, network
        self._targets = data.examples.target[rows]
        self._positions = data.positions[rows]
        self._values = read_vectors(data.store, self._positions)
        self._clips = partial(data.scaled, rows=rows, learned=learned, steps=data.steps(rows, learned))
        self._speakers = data.examples.column("speaker_id")[rows]
        emotions = _emotions(inputs, data)
        self.own: dict[str, Int64s] = {}
        self._emotion: dict[str, Int64s] = {}
        self._known: dict[str, np.ndarray] = {}
        for name in np.unique(self._speakers).tolist():
            own = (around.part == PARTS.index(part)) & (around.speakers == name) & (not names_nobody(name))
            here = around.positions[own]
            self.own[name] = here
            self._emotion[name] = np.array([emotions[int(place)] for place in here], np.int64)
            self._known[name] = read_vectors(data.store, here)

    def score(self, way: Chosen, count: int | None, rng: np.random.Generator) -> float:
        """UAR with one random choice of enrolment clips for each clip."""
        values = np.empty(self._values.shape, np.float64)
        for name in self.own:
            for row in np.flatnonzero(self._speakers == name):
                picked = self._pick(name, self._positions[row], way, count, rng)
                voice = self._voice.pulled(self._known[name][picked])
                values[row] = voice.apply(self._values[row : row + 1])[0]
        decided = predict_clips(self._network, self._clips(values)).argmax(1)
        classes = int(max(self._targets.max(), decided.max())) + 1
        return float(uar(confusion_matrix(self._targets, decided, classes)))

    def _pick(
        self, name: str, position: int, way: Chosen, count: int | None, rng: np.random.Generator
    ) -> Int64s:
        """Clips of a speaker that describe them, other than the one that is scored."""
        others = np.flatnonzero(self.own[name] != position)
        emotion = self._emotion[name][others]
        if way == "all neutral" and (emotion == emotion_id("neutral")).any():
            others = others[emotion == emotion_id("neutral")]
        elif way == "all of one emotion" and len(others):
            others = others[emotion == rng.choice(np.unique(emotion))]
        return others if count is None else rng.permutation(others)[:count]


def _emotions(inputs: Inputs, data: RunData) -> dict[int, int]:
    """Emotion of every recording of the manifest that the store has, by its place there."""
    table = inputs.manifest.table
    digests, modalities = table["audio_digest"].to_pylist(), table["modality"].to_pylist()
    places = data.store.rows(digests, modalities=modalities)
    ids = pc.fill_null(table["emotion_id"], -1).to_pylist()
    return dict(zip(places.tolist(), ids, strict=True))
