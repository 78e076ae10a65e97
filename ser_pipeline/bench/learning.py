"""How fast the network trains, against the same network on padded batches in fp32."""

import numpy as np
import torch

from ser_pipeline.bench.measure import Figure, paired
from ser_pipeline.models import build_model
from ser_pipeline.settings import ModelOptions, TrainOptions, recipe
from ser_pipeline.training.device import choose_precision, keep_freed_memory

BATCH = 40
ROUNDS = 5


def training_step(frames: np.ndarray[tuple[int], np.dtype[np.int64]]) -> Figure:
    """Clips a second of a training step with one thread.

    Args:
        frames: lengths of real clips, at least 40; mels of noise are given these lengths.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    keep_freed_memory()
    mels = torch.randn(BATCH, 96, 173)
    lengths = torch.as_tensor(frames[:BATCH])
    targets = torch.arange(BATCH) % 4
    bf16 = choose_precision(TrainOptions(), "cpu") == "bf16-mixed"
    own, plain = build_model(recipe().model, 96, 4), build_model(ModelOptions(masked=False), 96, 4)

    def step(network: torch.nn.Module, low_precision: bool) -> None:
        optimizer = torch.optim.AdamW(network.parameters())
        with torch.autocast("cpu", torch.bfloat16, enabled=low_precision):
            loss = torch.nn.functional.cross_entropy(network(mels, lengths).float(), targets)
        loss.backward()  # type: ignore[no-untyped-call]  # torch publishes no type for it
        optimizer.step()

    try:
        fast, slow = paired(lambda: step(own, bf16), lambda: step(plain, False), ROUNDS)
    finally:
        torch.set_num_threads(threads)
    return Figure(
        "CRNN training step, batch 40, one thread", BATCH / fast, "clips/s", "padded, fp32", BATCH / slow,
        2.0, 2.8,
        f"bf16 {'on' if bf16 else 'off'}, mean of {float(lengths.float().mean()):.0f} frames",
    )  # fmt: skip
