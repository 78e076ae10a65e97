"""How fast the network trains, against the network one would write, and against itself on padded batches."""

import multiprocessing
import statistics
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor

import numpy as np
import torch

from ser_pipeline.bench import plain_network
from ser_pipeline.bench.measure import Figure
from ser_pipeline.models import Network, build_model
from ser_pipeline.settings import ModelOptions, TrainOptions, recipe
from ser_pipeline.training.device import choose_precision, keep_freed_memory

BATCH = 40
N_MELS = 96
FRAMES = 173
ROUNDS = 5


def training_steps(frames: np.ndarray[tuple[int], np.dtype[np.int64]]) -> Iterator[Figure]:
    """Clips a second of a training step with one thread, in processor time.

    The reference is :class:`ser_pipeline.bench.plain_network.PlainCRNN`, in a process of its own. The second
    figure compares with our own network fed padded batches in fp32: what is left is the padding that is
    not computed, and the precision.

    Args:
        frames: lengths of real clips, at least 40; mels of noise are given these lengths.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    keep_freed_memory()
    mels = torch.randn(BATCH, N_MELS, FRAMES)
    lengths = torch.as_tensor(frames[:BATCH])
    targets = torch.arange(BATCH) % 4
    bf16 = choose_precision(TrainOptions(), "cpu") == "bf16-mixed"
    own, padded = build_model(recipe().model, N_MELS, 4), build_model(ModelOptions(masked=False), N_MELS, 4)
    optimizers = {network: torch.optim.AdamW(network.parameters()) for network in (own, padded)}

    def step(network: Network, low_precision: bool) -> float:
        began = time.process_time()
        optimizers[network].zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=low_precision):
            loss = torch.nn.functional.cross_entropy(network(mels, lengths).float(), targets)
        loss.backward()  # type: ignore[no-untyped-call]  # torch publishes no type for it
        optimizers[network].step()
        return time.process_time() - began

    spawn = multiprocessing.get_context("spawn")
    made = (BATCH, N_MELS, FRAMES)
    try:
        with ProcessPoolExecutor(1, spawn, initializer=plain_network.prepare, initargs=made) as other:
            rounds = [
                (step(own, bf16), other.submit(plain_network.step).result(), step(padded, False))
                for _ in range(ROUNDS + 1)
            ][1:]
    finally:
        torch.set_num_threads(threads)
    fast, plain, slow = (BATCH / statistics.median(times) for times in zip(*rounds, strict=True))
    note = f"bf16 {'on' if bf16 else 'off'}, mean of {float(lengths.float().mean()):.0f} of {FRAMES} frames"
    work = "CRNN training step, batch 40, one thread"
    yield Figure(work, fast, "clips/s", "as one would write it, fp32", plain, 2.0, 2.8, note)
    yield Figure(f"{work}, of that", fast, "clips/s", "the same network padded, fp32", slow, note=note)
