"""The clips of a run as rows of named features, with the model that decides on them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from ser_pipeline.errors import RunError
from ser_pipeline.metrics.importance import Predict
from ser_pipeline.results import RunInfo


class Named(Protocol):
    """What an explanation needs to know of a feature; rows of the feature catalogue have it."""

    @property
    def name(self) -> str:
        """Unique."""

    @property
    def unit(self) -> str:
        """Of its values."""

    @property
    def group(self) -> str:
        """Of features that belong together."""


@dataclass(frozen=True)
class RunClips:
    """Clips of all parts of a run; arrays have shape ``(clips,)`` but for ``values``.

    Attributes:
        values: what the model is given, shape ``(clips, features)``; a level or scale of each speaker's own
            may have been taken away, effects are the same.
        targets: class numbers in the order of the run's emotions.
        speakers: names.
        languages: BCP 47 tags.
        parts: ``train``, ``validation`` or ``test``.
        features: of the columns.
        predict: the run's model, from such values to class numbers.
    """

    values: npt.NDArray[np.floating[Any]]
    targets: npt.NDArray[np.int64]
    speakers: npt.NDArray[np.str_]
    languages: npt.NDArray[np.str_]
    parts: npt.NDArray[np.str_]
    features: Sequence[Named]
    predict: Predict

    def of(self, part: str) -> "RunClips":
        """Clips of one part."""
        rows = self.parts == part
        return replace(
            self,
            values=self.values[rows],
            targets=self.targets[rows],
            speakers=self.speakers[rows],
            languages=self.languages[rows],
            parts=self.parts[rows],
        )


class Load(Protocol):
    """How the clips of a run are come by."""

    def __call__(self, folder: Path, info: RunInfo, *, manifests: Path, cache: Path, device: str) -> RunClips:
        """Read them; see :func:`load_clips`."""


def load_clips(folder: Path, info: RunInfo, *, manifests: Path, cache: Path, device: str) -> RunClips:
    """Read the clips of a run on named features, and its model.

    Args:
        folder: of the run.
        info: its settings.
        manifests: folder of the manifest and the split it was trained on.
        cache: folder of the stores.
        device: what to compute on.

    Raises:
        RunError: the run's store does not hold named features.
    """
    raise RunError(
        f"{folder}: model {info.model} was trained on {info.store_kind}, which have no names; "
        "only runs on named features can be explained"
    )
