"""How fast the network trains, against the network one would write, and against itself on padded batches.

Every choice is the library's default: channels before height and width, padded batches, fp32, ReLU before
pooling.
"""

import itertools
import multiprocessing
import statistics
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor

import numpy as np
import torch
from torch import Tensor, nn

from ser_pipeline.benchmarks.measure import Measurement
from ser_pipeline.models.build import build_model
from ser_pipeline.options import ModelOptions, TrainOptions, recipe
from ser_pipeline.training.device import choose_precision, keep_freed_memory

CHANNELS = (1, 32, 64, 128)
HIDDEN = 128
HEAD = 64

BATCH = 40
N_MELS = 96
FRAMES = 173
ROUNDS = 5


class PlainCRNN(nn.Module):
    """Three blocks of convolution, batch norm, ReLU and pooling; two LSTM layers both ways; attention; head.

    Args:
        n_mels: mel bands, at least 8.
        n_classes: number of outputs.
        dropout: share of units dropped in the head and between LSTM layers.
    """

    def __init__(self, n_mels: int, n_classes: int, dropout: float = 0.3) -> None:
        super().__init__()
        blocks: list[nn.Module] = []
        for into, out in itertools.pairwise(CHANNELS):
            blocks += [nn.Conv2d(into, out, 3, padding=1), nn.BatchNorm2d(out), nn.ReLU(), nn.MaxPool2d(2)]
        self.blocks = nn.Sequential(*blocks)
        features = CHANNELS[-1] * (n_mels // 8)
        self.lstm = nn.LSTM(features, HIDDEN, 2, batch_first=True, bidirectional=True, dropout=dropout)
        self.attention = nn.Sequential(nn.Linear(2 * HIDDEN, HEAD), nn.Tanh(), nn.Linear(HEAD, 1))
        self.head = nn.Sequential(
            nn.Linear(2 * HIDDEN, HEAD), nn.ReLU(), nn.Dropout(dropout), nn.Linear(HEAD, n_classes)
        )

    def forward(self, mels: Tensor) -> Tensor:
        """Class scores of padded mels, ``(batch, n_mels, frames) -> (batch, n_classes)``."""
        image = self.blocks(mels[:, None])  # (batch, channels, mels, steps)
        states, _ = self.lstm(image.permute(0, 3, 1, 2).flatten(2))
        weights = self.attention(states).softmax(1)
        scores: Tensor = self.head((states * weights).sum(1))
        return scores


class Training:
    """Steps of AdamW on one padded batch of noise.

    Args:
        network: its weights are trained.
        scores: of padded mels; None takes the network itself.
        batch: clips.
        n_mels: mel bands.
        frames: of the padded batch.
        bf16: compute in bf16.
    """

    def __init__(
        self,
        network: nn.Module,
        batch: int,
        n_mels: int,
        frames: int,
        *,
        scores: Callable[[Tensor], Tensor] | None = None,
        bf16: bool = False,
    ) -> None:
        self._scores = scores or network
        self._bf16 = bf16
        self._optimizer = torch.optim.AdamW(network.parameters())
        self._mels = torch.randn(batch, n_mels, frames)
        self._targets = torch.arange(batch) % 4

    def step(self) -> float:
        """Train one step; returns its processor time in seconds."""
        began = time.process_time()
        self._optimizer.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=self._bf16):
            loss = nn.functional.cross_entropy(self._scores(self._mels).float(), self._targets)
        loss.backward()  # type: ignore[no-untyped-call]  # torch publishes no type for it
        self._optimizer.step()
        return time.process_time() - began


_PLAIN: list[Training] = []
"""What the process of the plain network trains."""


def training_steps(frames: np.ndarray[tuple[int], np.dtype[np.int64]]) -> Iterator[Measurement]:
    """Clips a second of a training step with one thread, in processor time.

    The reference is :class:`ser_pipeline.benchmarks.learning.PlainCRNN`, in a process of its own, since how
    the C library keeps freed memory is set for a whole process. The second figure compares with our own
    network fed padded batches in fp32: what is left is the padding that is not computed, and the precision.

    Args:
        frames: lengths of real clips, at least 40; mels of noise are given these lengths.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    keep_freed_memory()
    lengths = torch.as_tensor(frames[:BATCH])
    bf16 = choose_precision(TrainOptions(), "cpu") == "bf16-mixed"
    size = (BATCH, N_MELS, FRAMES)
    network = build_model(recipe().model, N_MELS, 4)
    own = Training(network, *size, scores=lambda mels: network(mels, lengths), bf16=bf16)
    padded = Training(build_model(ModelOptions(masked=False), N_MELS, 4), *size)
    spawn = multiprocessing.get_context("spawn")
    try:
        with ProcessPoolExecutor(1, spawn, initializer=_prepare, initargs=size) as other:
            rounds = [
                (own.step(), other.submit(_plain_step).result(), padded.step()) for _ in range(ROUNDS + 1)
            ][1:]
    finally:
        torch.set_num_threads(threads)
    fast, plain, slow = (BATCH / statistics.median(times) for times in zip(*rounds, strict=True))
    note = f"bf16 {'on' if bf16 else 'off'}, mean of {float(lengths.float().mean()):.0f} of {FRAMES} frames"
    work = "CRNN training step, batch 40, one thread"
    yield Measurement(work, fast, "clips/s", "as one would write it, fp32", plain, 2.5, 4.0, note)
    yield Measurement(f"{work}, of that", fast, "clips/s", "the same network padded, fp32", slow, note=note)


def _prepare(batch: int, n_mels: int, frames: int) -> None:
    torch.set_num_threads(1)
    _PLAIN[:] = [Training(PlainCRNN(n_mels, 4), batch, n_mels, frames)]


def _plain_step() -> float:
    return _PLAIN[0].step()
