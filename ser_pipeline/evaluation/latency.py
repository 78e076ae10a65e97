"""Time from samples to a decision, of one clip at a time."""

import time
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import torch

from ser_pipeline.atomic import write_atomically
from ser_pipeline.front_end.rows import row_of_wave
from ser_pipeline.models import one_clip
from ser_pipeline.results import LATENCY, Latency
from ser_pipeline.settings import InputOptions
from ser_pipeline.training.checkpoint import load_model

CLIP_S: Final = 3.0
REPEATS: Final = 7


def decision_ms(folder: Path) -> tuple[float, float]:
    """Time a run's network on a made clip of three seconds, warm, one clip at a time.

    Args:
        folder: of a run; has its network.

    Returns:
        Milliseconds of wall time from samples to input, and from input to probabilities: the smallest of
        several, since whatever else the machine does only adds to it.

    Raises:
        RunError: the network is missing or damaged.
    """
    network, card = load_model(folder)
    row = row_of_wave(_voice(card.inputs.sample_rate), card.inputs)
    values = row.values.astype(np.float32)[None]
    if card.learned.scaling is not None:
        values = card.learned.scaling.apply(values)
    inputs, lengths = one_clip(values[0], row.frames, masked=card.model.masked)

    def decide() -> None:
        with torch.inference_mode():
            network(inputs, lengths).softmax(1)

    return _front_end_ms(card.inputs), _least_ms(decide)


def keep_latency(folder: Path) -> Latency:
    """Measure :func:`decision_ms` of a run and write it to ``latency.json``.

    Raises:
        RunError: the network is missing or damaged.
    """
    front_end_ms, network_ms = decision_ms(folder)
    found = Latency(front_end_ms=front_end_ms, network_ms=network_ms, threads=torch.get_num_threads())
    with write_atomically(folder / LATENCY) as part:
        part.write_text(found.model_dump_json(indent=2) + "\n", encoding="utf-8")
    return found


@lru_cache(maxsize=32)
def _front_end_ms(options: InputOptions) -> float:
    wave = _voice(options.sample_rate)
    return _least_ms(lambda: row_of_wave(wave, options))


def _least_ms(work: Callable[[], object]) -> float:
    """Smallest wall time of several calls in milliseconds, after one that warms up."""
    work()
    times = []
    for _ in range(REPEATS):
        started = time.perf_counter()
        work()
        times.append(time.perf_counter() - started)
    return round(1000 * min(times), 3)


def _voice(sample_rate: int) -> npt.NDArray[np.float32]:
    """Three seconds that every front end can work on: a voice of falling pitch, in syllables."""
    t = np.arange(round(CLIP_S * sample_rate)) / sample_rate
    phase = 2 * np.pi * np.cumsum(180 - 20 * t) / sample_rate
    tone = np.sum([np.sin(k * phase) / k for k in range(1, 21)], axis=0)
    loud = 0.02 + np.clip(np.sin(2 * np.pi * 3 * t), 0, 1)
    noise = np.random.default_rng(0).normal(0, 0.01, t.size)
    wave: npt.NDArray[np.float32] = (0.1 * loud * tone + 0.1 * noise).astype(np.float32)
    return wave
