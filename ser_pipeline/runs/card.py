"""``model.json``: what a trained model is and how to feed it; reading it needs no torch."""

import hashlib
import os
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, model_validator

from ser_pipeline.datasets.normalise import Learned
from ser_pipeline.errors import RunError
from ser_pipeline.labels import DIMENSIONS
from ser_pipeline.options import (
    BuiltFor,
    FrontEnd,
    ModelInputs,
    ModelOptions,
    Options,
    WaveOptions,
    input_versions,
    sequence_of,
)
from ser_pipeline.options.base import Positive, Share
from ser_pipeline.options.settings import in_words
from ser_pipeline.runs.files import read_file, read_result, write_result
from ser_pipeline.runs.types import CARD, EARLIER, WEIGHTS


class Member(Options):
    """A run that an ensemble is made of.

    Attributes:
        name: of the run; of one fold of it, with the fold.
        place: its folder, relative to the ensemble's.
        digest: BLAKE2b of its ``model.json``, which names its weights by theirs.
        weight: of its probabilities in the average.
    """

    name: str
    place: str
    digest: str
    weight: Share


class ModelCard(Options):
    """``model.json``: what a network is and how to feed it.

    Attributes:
        model: architecture and its options.
        emotions: class names in the order of the outputs; none in a model of ratings.
        target: names of the ratings that are its outputs instead.
        merges: emotion -> emotion it counts as.
        inputs: settings of the mels, features or embeddings it was trained on.
        learned: what reading them takes from the training clips: gains, or scales.
        store_fingerprint: of the store it was trained on.
        synthetic: some of the training recordings were synthesised.
        epoch: the epoch whose weights these are, counted from 1.
        inputs_version: of the algorithm that made its inputs, one for each of several; None in cards of
            before it was kept.
        temperature: state probabilities as ``softmax(logits / temperature)``; fitted on validation clips
            when the run is scored, None before that or without such clips: 1 then.
        abstain_below: confidence below which the model should abstain; None where none is known.
        weights_digest: BLAKE2b of the weights file; empty for an ensemble.
        members: of an ensemble: the runs whose probabilities are averaged. ``inputs`` are those of all of
            them, and nothing is learned of its own but weights, temperature and threshold.
    """

    schema_version: Literal[2] = 2
    model: ModelOptions
    emotions: tuple[str, ...]
    target: tuple[str, ...] = ()
    merges: dict[str, str] = Field(default_factory=dict)
    inputs: ModelInputs
    learned: Learned = Learned()
    store_fingerprint: str
    synthetic: bool
    epoch: int
    inputs_version: int | tuple[int, ...] | None = None
    temperature: Positive | None = None
    abstain_below: Share | None = None
    weights_digest: str = ""
    members: tuple[Member, ...] = ()

    @model_validator(mode="before")
    @classmethod
    def _without_calibration(cls, values: Any) -> Any:
        """Read cards from before there was a temperature: they held an empty ``calibration``."""
        if isinstance(values, dict) and values.get("calibration", ...) is None:
            return {name: value for name, value in values.items() if name != "calibration"}
        return values

    def __repr__(self) -> str:
        """One line: architecture, inputs and emotions."""
        return (
            f"ModelCard({self.model.name} on {self.inputs.kind}: {', '.join(self.emotions or self.target)})"
        )

    __str__ = __repr__

    @property
    def rated(self) -> tuple[str, ...]:
        """Dimensions that it rates, instead of emotions or beside them; none for most models."""
        return self.target or (DIMENSIONS if self.model.dimensions else ())

    @property
    def n_inputs(self) -> BuiltFor:
        """What the network is built for."""
        sequence = sequence_of(self.inputs)
        if isinstance(sequence, FrontEnd):
            return sequence.n_mels
        if isinstance(self.inputs, WaveOptions) and self.inputs.encoder is not None:
            return self.inputs.encoder
        return self._columns if sequence is None else (len(sequence.layers), sequence.width)

    @property
    def n_beside(self) -> int:
        """Columns of the vectors beside a sequence; 0 for none."""
        return 0 if sequence_of(self.inputs) is None else self._columns

    @property
    def _columns(self) -> int:
        return len(self.learned.scaling.names) if self.learned.scaling else 0


def read_card(folder: Path) -> ModelCard:
    """Read the card of a run's model.

    Raises:
        RunError: the file is missing, cannot be read, or was written by another version.
    """
    return read_result(ModelCard, folder / CARD)


def check_inputs_version(card: ModelCard, path: Path) -> None:
    """Refuse a model whose inputs this program no longer makes as they were in training.

    Args:
        card: of the model.
        path: it was read from, for the message.

    Raises:
        RunError: the algorithm behind the inputs is of another version.
    """
    then, now = card.inputs_version, input_versions(card.inputs)
    if then != now:
        found = "an earlier version" if then is None else f"version {in_words(then)}"
        raise RunError(
            f"{path}: inputs_version: trained on {card.inputs.kind} of {found}, this program makes version "
            f"{in_words(now)}; install the version it was trained with, or train it again"
        )


def read_weights(folder: Path, card: ModelCard) -> bytes:
    """Read the file that holds what was fitted.

    Raises:
        RunError: it is missing, cannot be read, or is not the one that the card was written for.
    """
    path = folder / WEIGHTS
    remedy = "the run has no trained network, train it again"
    if (folder / EARLIER).is_file():
        remedy = f"an earlier version wrote {EARLIER} instead; 'ser train --resume {folder}' trains it again"
    content = read_file(path, remedy)
    if content_digest(content) != card.weights_digest:
        raise RunError(f"{path}: is not the file that {CARD} was written for; train it again")
    return content


def content_digest(content: bytes) -> str:
    """BLAKE2b of a file's content, as cards name their weights by it."""
    return hashlib.blake2b(content, digest_size=16).hexdigest()


def write_card(folder: Path, card: ModelCard) -> None:
    """Write ``model.json`` alone, beside weights that stay as they are.

    Raises:
        SerError: the folder cannot be written to.
    """
    write_result(folder / CARD, card)


def card_digest(folder: Path) -> str:
    """BLAKE2b of a run's ``model.json``.

    Raises:
        RunError: the file is missing or cannot be read.
    """
    path = folder / CARD
    try:
        return content_digest(path.read_bytes())
    except OSError as error:
        raise RunError(f"{path}: cannot be read ({error.strerror}); the run has no trained model") from None


def member_folder(folder: Path, member: Member) -> Path:
    """Folder of a member of an ensemble, as it was when the ensemble was made.

    Args:
        folder: of the ensemble.
        member: of its card.

    Raises:
        RunError: the member is gone, or another one now.
    """
    place = Path(os.path.normpath(folder.absolute() / member.place))
    remedy = "restore it, or make the ensemble again"
    if not (place / CARD).is_file():
        raise RunError(f"{folder}: its member {member.name} is not at {place} any more; {remedy}")
    if card_digest(place) != member.digest:
        raise RunError(f"{folder}: its member {member.name} at {place} was changed since; {remedy}")
    return place
