"""Importance of each layer of an encoder, of bands of mels, and of parts of a clip, for networks on steps."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Final

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import pad
from torch.nn.utils.rnn import pad_sequence

from ser_pipeline.arrays import Float32s, Int64s, Strings
from ser_pipeline.datasets.batch import Clips
from ser_pipeline.dsp.mel import mel_edges
from ser_pipeline.errors import RunError
from ser_pipeline.evaluation import explain_tables as tables
from ser_pipeline.evaluation.explain_inputs import Measured, Piece, share_tables
from ser_pipeline.evaluation.predict import predict_clips
from ser_pipeline.evaluation.run import inputs_of
from ser_pipeline.metrics.importance import importance_of
from ser_pipeline.models.finetune import FineTuned
from ser_pipeline.models.network import MelNetwork, falls
from ser_pipeline.models.probe import Probe
from ser_pipeline.options import EmbeddingOptions, FrontEnd, WaveOptions
from ser_pipeline.processes import chosen_device
from ser_pipeline.runs.explanation import Shares, ShareTable
from ser_pipeline.runs.internals import AttendedClip, read_attention, write_attention
from ser_pipeline.runs.types import RunInfo
from ser_pipeline.training.checkpoint import load_model
from ser_pipeline.training.info import check_same
from ser_pipeline.training.layers import as_trained

AT_ONCE: Final = 4
"""Clips that the network decides on at once; more of them no longer fit the processor's cache."""

BANDS: Final = 6
"""Parts that the mel bands are divided into."""

THIRDS: Final = ("first third", "middle third", "last third")

FEWEST: Final = 32
"""Frames that every network on mels can look at; what is missing is padding behind its mask."""

MOST_AVERAGED: Final = 512
"""Training clips over which the mean mel is taken."""

UNDONE: Final = (
    "the training of a layer is undone, which permutes nothing: its interval is over speakers alone, and the "
    "drop when it is left out is the same drop"
)


@dataclass(frozen=True)
class StepClips:
    """Clips of one part of a run that learned from an encoder's steps, or from mels.

    Attributes:
        network: in evaluation mode; of a fine-tuned encoder all of it.
        layers: numbers of the encoder's layers that it weighs; none of a network on mels.
        clips: what the network is given.
        targets: class numbers, shape ``(clips,)``.
        speakers: names, shape ``(clips,)``.
        device: that is computed on.
        front_end: that made the mels; None for the steps of an encoder.
        average: mels of the training clips, shape ``(bands,)``; None for the steps of an encoder, whose
            probe knows it.
        names: utterance ids, shape ``(clips,)``; None where nobody asks for them.
    """

    network: MelNetwork
    layers: tuple[int, ...]
    clips: Clips
    targets: Int64s
    speakers: Strings
    device: str
    front_end: FrontEnd | None = None
    average: Float32s | None = None
    names: Strings | None = None

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
    data = as_trained(inputs_of(info, manifests=manifests, cache=cache).run_data(info.split.number), card)
    check_same(info, data, folder)
    tables.check_part(part, [name for name, count in data.counts().items() if count])
    rows = data.rows(part)
    encoder = card.inputs.encoder if isinstance(card.inputs, WaveOptions) else card.inputs
    mels = card.inputs if isinstance(card.inputs, FrontEnd) else None
    probed = isinstance(network, Probe) and isinstance(encoder, EmbeddingOptions)
    if not isinstance(network, MelNetwork) or (mels is None and not probed):
        raise RunError(f"{folder}: its model is neither a probe of an encoder nor of mels; train it again")
    train = data.rows("train")  # corpus by corpus
    some = train[np.linspace(0, len(train) - 1, min(len(train), MOST_AVERAGED)).astype(np.int64)]
    return StepClips(
        network=network,
        layers=encoder.layers if isinstance(encoder, EmbeddingOptions) else (),
        clips=data.clips(rows, card.learned, memory_limit=0),
        targets=data.examples.target[rows],
        speakers=data.examples.column("speaker_id")[rows],
        device=chosen_device(device),
        front_end=mels,
        average=None if mels is None else mean_mel(data.clips(some, card.learned, memory_limit=0)),
        names=data.examples.column("utterance_id")[rows],
    )


def mean_mel(clips: Clips) -> Float32s:
    """Mean of each band over the valid frames of clips, shape ``(bands,)``."""
    total, frames = np.zeros(1), 0
    for number in range(len(clips)):
        batch = clips.__getitems__([number])
        valid = int(batch.lengths[0])
        total, frames = total + batch.inputs[0, :, :valid].sum(1).double().numpy(), frames + valid
    return np.asarray(total / max(frames, 1), np.float32)


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
    layers = _bands(heard.front_end) if heard.front_end is not None else _layers(heard)
    every = np.concatenate([piece.columns for piece in layers])
    thirds = [
        Piece("part of the clip", name, every, span=(at / 3, (at + 1) / 3)) for at, name in enumerate(THIRDS)
    ]
    return layers + thirds


def _layers(heard: StepClips) -> list[Piece]:
    if not isinstance(heard.network, Probe):
        raise TypeError("only a probe weighs layers")
    width, weights = heard.network.average.shape[1], heard.network.shares.tolist()
    every = np.arange(len(heard.layers) * width)
    return [
        Piece("layer", f"layer {layer}", every[at * width : (at + 1) * width], weight=round(weights[at], 6))
        for at, layer in enumerate(heard.layers)
    ]


def _bands(front_end: FrontEnd) -> list[Piece]:
    """Equally many mel bands each, named by the frequencies at which the first and the last one peak."""
    peaks = mel_edges(front_end.sample_rate, front_end.n_mels)[1:-1]
    return [
        Piece("band of frequencies", f"{peaks[columns[0]]:.0f} to {peaks[columns[-1]]:.0f} Hz", columns)
        for columns in np.array_split(np.arange(front_end.n_mels), BANDS)
    ]


@dataclass(frozen=True)
class Steps:
    """What a network decides on: what an encoder makes of clips, or their mels.

    Attributes:
        network: on the device; of a fine-tuned encoder the probe at its end.
        states: of each clip, shape ``(steps, layers * width)`` or ``(frames, bands)``.
        mean: of a step over the training clips, shape ``(layers * width,)`` or ``(bands,)``.
        device: that is computed on.
    """

    network: MelNetwork
    states: list[Tensor]
    mean: Tensor
    device: str

    @classmethod
    def of(cls, heard: StepClips) -> "Steps":
        """Run the encoder where it is a part of the network."""
        network, states = heard.network.to(heard.device), []
        if heard.average is not None:
            mels = [_valid(heard, number) for number in range(len(heard.clips))]
            return cls(network, mels, torch.from_numpy(heard.average), heard.device)
        with torch.inference_mode():
            for number in range(len(heard.clips)):
                inputs = heard.clips.__getitems__([number]).inputs
                if isinstance(network, FineTuned):
                    inputs, _ = network.heard(inputs.to(heard.device), None)
                states.append(inputs[0].flatten(1).cpu())
        probe = network.apart()[1] if isinstance(network, FineTuned) else network
        if not isinstance(probe, Probe):
            raise TypeError("only a probe takes the steps of an encoder")
        return cls(probe.to(heard.device), states, probe.average.flatten().cpu(), heard.device)

    def decisions(self, states: Iterable[Tensor]) -> Int64s:
        """Class numbers of clips, shape ``(clips,)``."""
        left, found = iter(states), list[Tensor]()
        with torch.inference_mode():
            while batch := [*islice(left, AT_ONCE)]:
                lengths = torch.tensor([len(clip) for clip in batch])
                inputs = self._given(pad_sequence(batch, batch_first=True)).to(self.device)
                found.append(self.network(inputs, lengths).argmax(1).cpu())
        return torch.cat(found).numpy()

    def _given(self, padded: Tensor) -> Tensor:
        """Steps ``(batch, steps, columns)`` in the shape that the network takes."""
        if isinstance(self.network, Probe):
            return padded.reshape(*padded.shape[:2], *self.network.average.shape)
        missing = max(0, FEWEST - padded.shape[1])
        return pad(padded, (0, 0, 0, missing)).transpose(1, 2)

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
        return self.decisions(replaced(own, self.mean.expand(len(own), -1), piece) for own in self.states)


def _valid(heard: StepClips, number: int) -> Tensor:
    """Frames of a clip, ``(frames, bands)``: its own, or with the padding that an unmasked network sees."""
    batch = heard.clips.__getitems__([number])
    frames = int(batch.lengths[0]) if heard.network.masked else batch.inputs.shape[-1]
    return batch.inputs[0, :, :frames].T


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


def write_moved(folder: Path, heard: StepClips) -> None:
    """Say of the clips whose attention is kept which patches of their mels moved the decision.

    Args:
        folder: of the run; one that keeps no attention is left as it is.
        heard: clips of one part; those of other parts stay as they are.
    """
    kept = read_attention(folder)
    if not kept or heard.front_end is None or heard.names is None:
        return
    places = {name: number for number, name in enumerate(heard.names.tolist())}
    write_attention(folder, [_explained(clip, heard, places.get(clip.utterance_id)) for clip in kept])


def _explained(clip: AttendedClip, heard: StepClips, number: int | None) -> AttendedClip:
    if number is None:
        return clip
    batch = heard.clips.__getitems__([number])
    values = batch.inputs[0].float().numpy()
    moved = falls(heard.network.cpu(), values, int(batch.lengths[0]), clip.predicted)
    return replace(clip, moved=moved)
