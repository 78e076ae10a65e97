"""The clips of a run, ready to be read in batches."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ser_pipeline.datasets.examples import Examples
from ser_pipeline.datasets.level import corpus_gains, shifts
from ser_pipeline.datasets.mels import MEMORY_LIMIT, MelClips, MelStore, read_levels
from ser_pipeline.labels import Task
from ser_pipeline.records import PARTS
from ser_pipeline.results import SplitInfo
from ser_pipeline.settings import Recipe


@dataclass(frozen=True)
class RunData:
    """The clips of a run.

    Attributes:
        recipe: what was asked for.
        task: its classes.
        split: which split, and fold.
        manifest_digest: of the manifest.
        synthetic: some of the manifest's recordings were synthesised.
        store: the open store.
        examples: clips of all parts.
        positions: their rows in the store, shape ``(clips,)``.
        failed: (utterance id, reason) of clips that the store could not use.
    """

    recipe: Recipe
    task: Task
    split: SplitInfo
    manifest_digest: str
    synthetic: bool
    store: MelStore
    examples: Examples
    positions: npt.NDArray[np.int64]
    failed: tuple[tuple[str, str], ...]

    def rows(self, part: str) -> npt.NDArray[np.int64]:
        """Numbers of the clips of one part."""
        return np.flatnonzero(self.examples.part == PARTS.index(part))

    def counts(self) -> dict[str, int]:
        """Clips by part."""
        return {part: len(self.rows(part)) for part in PARTS}

    def class_counts(self) -> dict[str, tuple[int, ...]]:
        """Clips of each class by part."""
        classes = len(self.task.emotions)
        targets = self.examples.target
        return {
            part: tuple(np.bincount(targets[self.rows(part)], minlength=classes).tolist()) for part in PARTS
        }

    def names(self, column: str) -> tuple[str, ...]:
        """Different values of a column of the manifest among the clips, sorted."""
        return tuple(sorted(set(self.examples.column(column).tolist())))

    def gains(self) -> dict[str, float]:
        """Level of each corpus over training clips, in dB to the target; empty at other levels."""
        front_end = self.recipe.front_end
        if front_end.level != "corpus_rms":
            return {}
        rows = self.rows("train")
        levels = read_levels(self.store, self.positions[rows])
        return corpus_gains(levels, self.examples.column("corpus")[rows], front_end.target_rms)

    def clips(
        self, rows: npt.NDArray[np.int64], gains: Mapping[str, float], *, memory_limit: int = MEMORY_LIMIT
    ) -> MelClips:
        """Data set of some clips, in the order given."""
        shift = shifts(gains, self.examples.column("corpus")[rows], self.store.front_end)
        return MelClips(
            self.store, self.positions[rows], self.examples.target[rows], shift, memory_limit=memory_limit
        )
