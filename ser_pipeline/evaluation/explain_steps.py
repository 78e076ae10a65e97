"""Importance of each layer of an encoder, and of each part of a clip, for a probe on the encoder's steps."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Final

import numpy as np
import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from ser_pipeline.arrays import Int64s, Strings
from ser_pipeline.datasets.batch import Clips
from ser_pipeline.errors import RunError
from ser_pipeline.evaluation import explain_tables as tables
from ser_pipeline.evaluation.explain_inputs import Measured, Piece, share_tables
from ser_pipeline.evaluation.predict import predict_clips
from ser_pipeline.evaluation.run import inputs_of
from ser_pipeline.metrics.importance import importance_of
from ser_pipeline.models.finetune import FineTuned
from ser_pipeline.models.probe import Probe
from ser_pipeline.options import EmbeddingOptions, WaveOptions
from ser_pipeline.runs.shares import Shares, ShareTable
from ser_pipeline.runs.types import RunInfo
from ser_pipeline.training.checkpoint import load_model
from ser_pipeline.training.device import choose_device
from ser_pipeline.training.info import check_same
from ser_pipeline.training.layers import as_trained

AT_ONCE: Final = 4
"""Clips that the probe decides on at once; more of them no longer fit the processor's cache."""

THIRDS: Final = ("first third", "middle third", "last third")

UNDONE: Final = (
    "the training of a layer is undone, which permutes nothing: its interval is over speakers alone, and the "
    "drop when it is left out is the same drop"
)


@dataclass(frozen=True)
class StepClips:
    """Clips of one part of a run that learned from an encoder's steps.

    Attributes:
        network: in evaluation mode; of a fine-tuned encoder all of it.
        layers: numbers of the encoder's layers that it weighs.
        clips: what the network is given.
        targets: class numbers, shape ``(clips,)``.
        speakers: names, shape ``(clips,)``.
        device: that is computed on.
    """

    network: Probe
    layers: tuple[int, ...]
    clips: Clips
    targets: Int64s
    speakers: Strings
    device: str

    @property
    def trained(self) -> dict[int, int]:
        """How many weights were trained of each layer of the encoder; none of an encoder that is frozen."""
        return self.network.trained if isinstance(self.network, FineTuned) else {}


def load_steps(
    folder: Path, info: RunInfo, part: str, *, manifests: Path, cache: Path, device: str
) -> StepClips:
    """Read the clips of one part of a run, and its network.

    Args:
        folder: of the run.
        info: its settings.
        part: of the split.
        manifests: folder of the manifest and the split it was trained on.
        cache: folder of the stores.
        device: what to compute on.

    Raises:
        RunError: the run has no clips of that part, or was trained on other clips than are here now.
    """
    network, card = load_model(folder)
    data = as_trained(inputs_of(info, manifests=manifests, cache=cache).run_data(info.split.fold), card)
    check_same(info, data, folder)
    tables.check_part(part, [name for name, count in data.counts().items() if count])
    rows = data.rows(part)
    encoder = card.inputs.encoder if isinstance(card.inputs, WaveOptions) else card.inputs
    if not isinstance(network, Probe) or not isinstance(encoder, EmbeddingOptions):
        raise RunError(f"{folder}: its model is no probe of an encoder; train it again")
    return StepClips(
        network=network,
        layers=encoder.layers,
        clips=data.clips(rows, card.learned, memory_limit=0),
        targets=data.examples.target[rows],
        speakers=data.examples.column("speaker_id")[rows],
        device=choose_device(device),
    )


def explain_steps(
    heard: StepClips,
    emotions: Sequence[str],
    *,
    part: str,
    repeats: int,
    seed: int,
    advance: Callable[[int, int], None],
) -> Shares:
    """Permute, and leave out, each layer and each third of the clips of one part; undo a layer's training.

    Args:
        heard: clips of the part.
        emotions: class names.
        part: that they are of.
        repeats: permutations of each layer and third.
        seed: of permutations and draws.
        advance: called with the number of pieces done since, and of all pieces.
    """
    pieces, steps = pieces_of(heard), Steps.of(heard)
    total = len(pieces) + len(heard.trained)
    usual = steps.decisions(steps.states)
    measured = Measured(part, heard.targets, heard.speakers, usual, emotions, repeats, seed)
    drops = importance_of(
        usual,
        lambda orders: (steps.permuted(piece, orders) for piece in pieces),
        heard.targets,
        heard.speakers,
        classes=len(emotions),
        repeats=repeats,
        seed=seed,
        advance=lambda done: advance(done, total),
    )
    losses = [measured.uar(usual) - measured.uar(steps.without(piece)) for piece in pieces]
    found = [*share_tables(pieces, drops, losses)]
    found += _of_training(heard, measured, lambda done: advance(done, total))
    return measured.shares(found, [UNDONE] if heard.trained else [])


def pieces_of(heard: StepClips) -> list[Piece]:
    """The layers that a probe weighs, and the thirds of a clip."""
    width = heard.network.average.shape[1]
    every = np.arange(len(heard.layers) * width)
    weights = heard.network.shares.tolist()
    layers = [
        Piece("layer", f"layer {layer}", every[at * width : (at + 1) * width], weight=round(weights[at], 6))
        for at, layer in enumerate(heard.layers)
    ]
    thirds = [
        Piece("part of the clip", name, every, span=(at / 3, (at + 1) / 3)) for at, name in enumerate(THIRDS)
    ]
    return layers + thirds


@dataclass(frozen=True)
class Steps:
    """What an encoder makes of clips, and the probe that decides on it.

    Attributes:
        probe: on the device.
        states: of each clip, shape ``(steps, layers * width)``.
        device: that is computed on.
    """

    probe: Probe
    states: list[Tensor]
    device: str

    @classmethod
    def of(cls, heard: StepClips) -> "Steps":
        """Run the encoder where it is a part of the network."""
        network, states = heard.network.to(heard.device), []
        with torch.inference_mode():
            for number in range(len(heard.clips)):
                inputs = heard.clips.__getitems__([number]).inputs
                if isinstance(network, FineTuned):
                    inputs, _ = network.heard(inputs.to(heard.device), None)
                states.append(inputs[0].flatten(1).cpu())
        probe = network.apart()[1] if isinstance(network, FineTuned) else network
        return cls(probe.to(heard.device), states, heard.device)

    def decisions(self, states: Iterable[Tensor]) -> Int64s:
        """Class numbers of clips, shape ``(clips,)``."""
        left, shape, found = iter(states), self.probe.average.shape, list[Tensor]()
        with torch.inference_mode():
            while batch := [*islice(left, AT_ONCE)]:
                padded = pad_sequence(batch, batch_first=True)
                inputs = padded.reshape(*padded.shape[:2], *shape).to(self.device)
                lengths = torch.tensor([len(clip) for clip in batch])
                found.append(self.probe(inputs, lengths).argmax(1).cpu())
        return torch.cat(found).numpy()

    def permuted(self, piece: Piece, orders: Int64s) -> Int64s:
        """Decisions where a piece is another clip's in each order, ``(repeats, clips)`` as the orders are."""
        return np.stack([self.decisions(self._swapped(piece, order)) for order in orders.tolist()])

    def _swapped(self, piece: Piece, order: Sequence[int]) -> Iterator[Tensor]:
        """Clips with a piece of another; its steps are repeated or left out until its length fits."""
        for own, other in zip(self.states, (self.states[number] for number in order), strict=True):
            nearest = ((torch.arange(len(own)) + 0.5) * (len(other) / len(own))).long()
            yield replaced(own, other[nearest], piece)

    def without(self, piece: Piece) -> Int64s:
        """Decisions where a piece is held at its mean over training."""
        mean = self.probe.average.flatten().cpu()
        return self.decisions(replaced(own, mean.expand(len(own), -1), piece) for own in self.states)


def replaced(own: Tensor, other: Tensor, piece: Piece) -> Tensor:
    """Steps of which a piece is that of other steps, all of shape ``(steps, layers * width)``."""
    first, last = (round(end * len(own)) for end in piece.span)
    made, columns = own.clone(), torch.from_numpy(piece.columns)
    made[first:last, columns] = other[first:last, columns]
    return made


def _of_training(
    heard: StepClips, measured: Measured, advance: Callable[[int], None]
) -> Iterator[ShareTable]:
    """What is lost when each trained layer of the encoder is as it was before."""
    network = heard.network
    if not isinstance(network, FineTuned):
        return

    def undone(_: Int64s) -> Iterator[Int64s]:
        for layer in network.trained:
            before = network.before_training(layer)
            yield predict_clips(before, heard.clips, device=heard.device).argmax(1)[None]

    drops = importance_of(
        measured.decisions,
        undone,
        heard.targets,
        heard.speakers,
        classes=len(measured.emotions),
        repeats=1,
        seed=measured.seed,
        advance=advance,
    )
    nothing = np.zeros(0, np.int64)
    pieces = [Piece("training of a layer", f"layer {layer}", nothing) for layer in heard.trained]
    yield from share_tables(pieces, drops, drops.drop.tolist(), [*heard.trained.values()])
