"""The clips of a run as rows of named features, with the model that decides on them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import torch

from ser_pipeline.datasets.scaling import Scaling
from ser_pipeline.errors import RunError
from ser_pipeline.evaluation.run import inputs_of
from ser_pipeline.features.catalogue import FEATURES
from ser_pipeline.metrics.importance import Predict
from ser_pipeline.models import Network
from ser_pipeline.records import PARTS
from ser_pipeline.results import RunInfo
from ser_pipeline.training.checkpoint import load_model
from ser_pipeline.training.device import choose_device
from ser_pipeline.training.info import check_same


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


@dataclass(frozen=True, slots=True)
class Column:
    """A feature by name, with what is known of it."""

    name: str
    unit: str = ""
    group: str = ""


@dataclass(frozen=True)
class RunClips:
    """Clips of all parts of a run; arrays have shape ``(clips,)`` but for ``values``.

    Attributes:
        values: features before they are standardised, shape ``(clips, features)``; a level or scale of
            each speaker's own may have been taken away, effects are the same.
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
    if info.store_kind == "mels":
        raise RunError(
            f"{folder}: model {info.model} was trained on mels, which have no names; only runs on features "
            "can be explained, as of 'ser train logreg'"
        )
    inputs = inputs_of(info, manifests=manifests, cache=cache)
    data = inputs.run_data(info.split.fold)
    check_same(info, data, folder)
    network, card = load_model(folder)
    if card.learned.scaling is None:
        raise RunError(f"{folder}: its model says nothing of how features are scaled; train it again")
    return RunClips(
        values=data.vectors(np.arange(len(data.examples))),
        targets=data.examples.target,
        speakers=data.examples.column("speaker_id"),
        languages=data.examples.column("language"),
        parts=np.array(PARTS)[data.examples.part],
        features=_columns(data.store.names),
        predict=_decisions(network.to(choose_device(device)), card.learned.scaling),
    )


def _columns(names: Sequence[str]) -> list[Column]:
    """What is known of features by their names; openSMILE's have neither unit nor group here."""
    known = {row.name: row for row in FEATURES}
    return [
        Column(name, known[name].unit, known[name].group) if name in known else Column(name) for name in names
    ]


def _decisions(network: Network, scaling: Scaling) -> Predict:
    device = next((weight.device for weight in network.parameters()), torch.device("cpu"))

    def decide(values: npt.NDArray[np.floating[Any]]) -> npt.NDArray[np.int64]:
        inputs = torch.from_numpy(scaling.apply(values)).to(device)
        with torch.inference_mode():
            found: npt.NDArray[np.int64] = network(inputs).argmax(1).cpu().numpy()
        return found

    return decide
