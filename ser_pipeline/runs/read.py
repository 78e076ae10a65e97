"""Read runs whole: settings, scores, learning curves and predictions, finished or not."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ser_pipeline.errors import RunError
from ser_pipeline.records import PARTS
from ser_pipeline.runs.curves import Curve, read_curves
from ser_pipeline.runs.explanation import EXPLANATION, Explanation, Shares, read_explanation, read_shares
from ser_pipeline.runs.files import final_scores, read_info, read_latency, score_again
from ser_pipeline.runs.find import Unread
from ser_pipeline.runs.internals import (
    ATTENTION,
    EMBEDDINGS,
    AttendedClip,
    Embeddings,
    read_attention,
    read_embeddings,
)
from ser_pipeline.runs.predictions import PREDICTIONS, Predictions, read_part
from ser_pipeline.runs.tested import chance, lacking
from ser_pipeline.runs.types import (
    WEIGHTS,
    Latency,
    PartScores,
    RunInfo,
    RunScores,
)


@dataclass(frozen=True)
class Run:
    """A finished run.

    Attributes:
        tag: short name on the page, as ``R2``.
        path: its folder.
        info: its settings.
        scores: by part.
        curves: one per training.
        predictions: of the part that is shown, None where the run keeps none.
        model_bytes: size of the weights on disk, None where they do not exist.
        explanation: what its features tell, None where it has not been explained.
        shares: what it owes to each input and layer, likewise.
        attended: clips with the attention over them; none where the run keeps none.
        embeddings: where the network puts clips, None where the run does not keep it.
        latency: time of one decision, None where it was not measured.
    """

    tag: str
    path: Path
    info: RunInfo
    scores: RunScores
    curves: tuple[Curve, ...]
    predictions: Predictions | None
    model_bytes: int | None
    explanation: Explanation | None = None
    shares: Shares | None = None
    attended: tuple[AttendedClip, ...] = ()
    embeddings: Embeddings | None = None
    latency: Latency | None = None

    def __repr__(self) -> str:
        """One line: name, and UAR, or mean concordance, by part."""
        return f"Run({self.info.name}: {self.scores.by_part})"

    @property
    def part(self) -> str:
        """The part whose scores are looked at closely: test where there is one."""
        return next(part for part in reversed(PARTS) if part in {**self.scores.parts, **self.scores.rated})

    @property
    def knows(self) -> bool:
        """Whether people who are heard in :attr:`part` may have been heard in training."""
        return self.info.split.leaks_speakers or self.part == "train"

    @property
    def shown(self) -> PartScores:
        """Scores of :attr:`part`, of a run that tells emotions."""
        return self.scores.parts[self.part]

    def scored(self, part: str) -> PartScores | None:
        """Scores of a part, None where the run has none."""
        return self.scores.parts.get(part)

    @property
    def speakers(self) -> int:
        """How many people are heard in :attr:`part`; none where nothing says who speaks."""
        rated = self.scores.rated.get(self.part)
        return self.shown.pooled.speakers if rated is None else rated.speakers

    @property
    def chance(self) -> float:
        """UAR of guessing on :attr:`part`."""
        return chance(self.shown.pooled)

    @property
    def lacking(self) -> str:
        """Emotions with no or few clips in :attr:`part`; see :func:`ser_pipeline.runs.tested.lacking`."""
        return lacking(self.part, self.shown.pooled)

    @property
    def at_chance(self) -> bool:
        """Guessing may well do as well on :attr:`part`: chance is not below the interval of UAR."""
        return self.shown.pooled.uar.reaches(self.chance)


@dataclass(frozen=True)
class Unfinished:
    """A run that shows no numbers; ``trained`` tells whether only the scoring is missing."""

    name: str
    info: RunInfo
    trained: bool


def read_runs(folders: Sequence[Path]) -> tuple[list[Run], list[Unfinished]]:
    """Read runs; one whose training has not ended, or that has no ``scores.json``, is unfinished.

    Raises:
        RunError: a result file that cannot be read or contradicts another; the message names the run.
    """
    finished: list[Run] = []
    unfinished: list[Unfinished] = []
    for folder in folders:
        _put(_read_one(folder, len(finished) + 1), finished, unfinished)
    return finished, unfinished


def read_sound_runs(folders: Sequence[Path]) -> tuple[list[Run], list[Unfinished], list[Unread]]:
    """Read runs as :func:`read_runs` does, but list those that cannot be read instead of raising."""
    finished: list[Run] = []
    unfinished: list[Unfinished] = []
    unread: list[Unread] = []
    for folder in folders:
        try:
            _put(_read_one(folder, len(finished) + 1), finished, unfinished)
        except RunError as error:
            unread.append(Unread("run", folder.name, str(error)))
    return finished, unfinished, unread


def _put(run: Run | Unfinished, finished: list[Run], unfinished: list[Unfinished]) -> None:
    if isinstance(run, Run):
        finished.append(run)
    else:
        unfinished.append(run)


def _read_one(folder: Path, number: int) -> Run | Unfinished:
    info = read_info(folder)
    scores = final_scores(folder, info)
    if scores is None:
        return Unfinished(folder.name, info, trained=info.stopped is not None)
    weights = folder / WEIGHTS
    run = Run(
        tag=f"R{number}",
        path=folder,
        info=info,
        scores=scores,
        curves=read_curves(folder),
        predictions=None,
        model_bytes=weights.stat().st_size if weights.is_file() else None,
        latency=read_latency(folder),
    )
    if scores.rated:
        return run
    return replace(
        run,
        predictions=_read_predictions(folder, info, run.part, run.shown),
        explanation=_read_explanation(folder, info),
        shares=read_shares(folder),
        attended=_read_attended(folder, info),
        embeddings=_read_embeddings(folder, info),
    )


def _read_attended(folder: Path, info: RunInfo) -> tuple[AttendedClip, ...]:
    clips = tuple(read_attention(folder))
    _known(folder / ATTENTION, info, [label for clip in clips for label in (clip.target, clip.predicted)])
    return clips


def _read_embeddings(folder: Path, info: RunInfo) -> Embeddings | None:
    found = read_embeddings(folder)
    if found is not None:
        _known(folder / EMBEDDINGS, info, found.target.tolist())
    return found


def _known(path: Path, info: RunInfo, labels: Sequence[int]) -> None:
    if any(not 0 <= label < len(info.emotions) for label in labels):
        raise RunError(
            f"{path}: has classes that the run does not know; make it again with 'ser evaluate {path.parent}'"
        )


def _read_explanation(folder: Path, info: RunInfo) -> Explanation | None:
    found = read_explanation(folder)
    if found is not None and found.emotions != info.emotions:
        raise RunError(
            f"{folder / EXPLANATION}: is about {', '.join(found.emotions)}, the run about "
            f"{', '.join(info.emotions)}; explain it again with 'ser explain {folder}'"
        )
    return found


def _read_predictions(folder: Path, info: RunInfo, part: str, scores: PartScores) -> Predictions | None:
    path = folder / PREDICTIONS
    if not path.exists():
        return None
    found = read_part(folder, info.emotions, part)
    counted = np.zeros((len(info.emotions), len(info.emotions)), np.int64)
    np.add.at(counted, (found.target, found.predicted), 1)
    if not np.array_equal(counted, scores.pooled.confusion):
        raise RunError(
            f"{path}: its {part} decisions are not those that scores.json counts; {score_again(folder)}"
        )
    return found
