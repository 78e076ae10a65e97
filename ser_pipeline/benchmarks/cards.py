"""How fast networks train and decide on a graphics card: against the plain way, and what the card can do.

Everything also runs on the processor, where it only shows that it runs.
"""

import statistics
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from ser_pipeline.api import Watcher
from ser_pipeline.benchmarks.embeddings import ENCODER, padded_windows
from ser_pipeline.benchmarks.learning import BATCH, PlainCRNN
from ser_pipeline.benchmarks.measure import Measurement
from ser_pipeline.datasets.batch import Batch, Clips
from ser_pipeline.datasets.prepare import read_inputs
from ser_pipeline.datasets.run_data import RunData
from ser_pipeline.datasets.sampling import ordered_batches
from ser_pipeline.encoders import encoder_folders, located
from ser_pipeline.encoders.embed import Embedding, Encoder
from ser_pipeline.errors import EncoderError, SettingsError
from ser_pipeline.evaluation.predict import predict_clips
from ser_pipeline.models.build import build_model
from ser_pipeline.options import EmbeddingOptions, Recipe
from ser_pipeline.processes import chosen_device, multiply_in
from ser_pipeline.runs.curves import EpochReport
from ser_pipeline.training.checkpoint import load_model
from ser_pipeline.training.device import choose_precision
from ser_pipeline.training.run import train_run

AGREE: Final = 0.999
"""Share of the clips on which the device has to decide as the processor does."""

LARGE: Final = 256
"""Clips of a large batch, which a card is busier with than with the usual ones."""

STEPS: Final = 10
SIZES: Final = {"cuda": (8192, 1 << 30), "cpu": (512, 1 << 24)}
"""Rows of the matrices that are multiplied, and bytes that are copied."""
ALONE: Final = 40
"""Clips that are predicted one after another, or embedded."""


def card_figures(
    recipe: Recipe, manifests: Path, cache: Path, work: Path, device: str
) -> Iterator[Measurement]:
    """Clips a second of a training step, an epoch, prediction and embeddings.

    Args:
        recipe: of the CRNN; its mels are in the cache.
        manifests: folder of the manifest and its splits.
        cache: folder of the stores; recordings are not read.
        work: folder to write to.
        device: ``auto`` for a graphics card, or one that is named, ``cpu`` among them.

    Raises:
        SettingsError: there is no such device, or ``auto`` finds no graphics card.
    """
    on = chosen_device(device)
    if on == "cpu" and device != "cpu":
        raise SettingsError("bench gpu: this machine has no graphics card; --device cpu shows that it runs")
    train = recipe.train.model_copy(update={"device": on, "epochs": 2})
    recipe = recipe.model_copy(update={"train": train})
    data = read_inputs(recipe, manifests=manifests, cache=cache).run_data(None)
    bf16 = choose_precision(train, on) == "bf16-mixed"
    products = _products(on, torch.bfloat16 if bf16 else torch.float32)
    copies = _copies(on)
    name = torch.cuda.get_device_name() if on == "cuda" else on
    kind = "bf16" if bf16 else "fp32"
    yield Measurement(f"{name}: matrix products, {kind}", products / 1e12, "TFLOP/s")
    yield Measurement(f"{name}: copies, read and written", copies / 1e9, "GB/s")
    yield from _steps(data, on, bf16, products)
    yield _epoch(data, work, on)
    yield from _predictions(data, work, on)
    yield from _embeddings(data, on)


def timed(work: Callable[[], object], device: str, rounds: int = 3) -> float:
    """Median seconds of a call after two that are not measured; a card is waited for.

    Examples:
        >>> timed(lambda: None, "cpu", 3) >= 0
        True
    """
    took = []
    for _ in range(rounds + 2):
        _wait(device)
        start = time.perf_counter()
        work()
        _wait(device)
        took.append(time.perf_counter() - start)
    return statistics.median(took[2:])


def _wait(device: str) -> None:
    if device == "cuda":
        torch.cuda.synchronize()


def _products(device: str, dtype: torch.dtype) -> float:
    """Floating-point operations a second of a large matrix product."""
    rows, _ = SIZES.get(device, SIZES["cpu"])
    one = torch.randn(rows, rows, device=device, dtype=dtype)
    return 2 * rows**3 / timed(lambda: one @ one, device)


def _copies(device: str) -> float:
    """Bytes a second that are read and written when memory is copied."""
    _, size = SIZES.get(device, SIZES["cpu"])
    one = torch.zeros(size, dtype=torch.uint8, device=device)
    other = torch.empty_like(one)
    return 2 * size / timed(lambda: other.copy_(one), device)


def _trained(network: nn.Module, device: str, *, bf16: bool) -> Callable[[tuple[Any, ...], Tensor], Tensor]:
    """Steps of AdamW; each takes what the network is called with, and targets, and gives the loss."""
    optimizer = torch.optim.AdamW(network.parameters(), fused=True)

    def step(given: tuple[Any, ...], targets: Tensor) -> Tensor:
        optimizer.zero_grad()
        with torch.autocast(device, torch.bfloat16, enabled=bf16):
            scores: Tensor = network(*given)
        loss = nn.functional.cross_entropy(scores.float(), targets)
        loss.backward()  # type: ignore[no-untyped-call]  # torch publishes no type for it
        optimizer.step()
        return loss.detach()

    return step


def _as_written(data: RunData, device: str) -> Callable[[Tensor, Tensor], float]:
    """Steps of the network as one would write it, each of which tells its loss."""
    step = _trained(_fresh(data, device, plain=True), device, bf16=False)

    def told(mels: Tensor, targets: Tensor) -> float:
        multiply_in("tf32")
        loss = float(step((mels,), targets))
        multiply_in("ieee")
        return loss

    return told


def _fresh(data: RunData, device: str, *, plain: bool) -> nn.Module:
    torch.manual_seed(0)
    n_mels, classes = data.store.shape[0], len(data.task.emotions)
    made: nn.Module = PlainCRNN(n_mels, classes) if plain else build_model(data.recipe.model, n_mels, classes)
    return made.to(device).train()


def _steps(data: RunData, device: str, bf16: bool, products: float) -> Iterator[Measurement]:
    """Clips a second of one training step, with the usual batch and with a large one."""
    clips = data.training_clips(data.learned())
    for size in (BATCH, LARGE) if device == "cuda" else (BATCH,):
        batch = clips.__getitems__([number % len(clips) for number in range(size)])
        operations = _operations(data, batch)
        batch = batch.to(device)
        step, plain = (
            _trained(_fresh(data, device, plain=False), device, bf16=bf16),
            _as_written(data, device),
        )
        if device == "cuda":
            torch.cuda.reset_peak_memory_stats()
        own = timed(partial(step, batch.given(), batch.targets), device, STEPS)
        peak = f", peak {torch.cuda.max_memory_allocated() / 2**20:.0f} MiB" if device == "cuda" else ""
        alone = timed(partial(plain, batch.inputs, batch.targets), device, STEPS)
        yield Measurement(
            f"CRNN training step, batch {size}", size / own, "clips/s",
            "as one would write it, padded, fp32 (TF32 on a card)", size / alone,
            note=f"{'bf16' if bf16 else 'fp32'}, {operations / size / 1e9:.3f} GFLOP a clip: "
            f"{100 * operations / own / products:.1f} % of matrix products{peak}",
        )  # fmt: skip


def _operations(data: RunData, batch: Batch) -> int:
    """Floating-point operations of a step, counted on the processor, where those of the LSTM are seen."""
    with FlopCounterMode(display=False) as counter:
        _trained(_fresh(data, "cpu", plain=False), "cpu", bf16=False)(batch.given(), batch.targets)
    return int(counter.get_total_flops())


class _Last(Watcher):
    """Remembers the last epoch."""

    report: EpochReport

    def epoch_done(self, report: EpochReport) -> None:
        """Remember it."""
        self.report = report


def _epoch(data: RunData, work: Path, device: str) -> Measurement:
    """The second epoch of a run, against steps on batches of clips that are read one by one."""
    last = _Last()
    train_run(data, work / "run", last, command="ser bench gpu")
    rows = data.rows("train")
    reading = data.clips(rows, data.learned(), memory_limit=0)
    step = _as_written(data, device)
    start = time.perf_counter()
    for numbers in ordered_batches(len(rows), BATCH):
        each = [reading[number] for number in numbers]
        mels = torch.cat([clip.inputs for clip in each])
        step(mels.to(device), torch.cat([clip.targets for clip in each]).to(device))
    plain = time.perf_counter() - start
    return Measurement(
        "epoch of the CRNN", last.report.clips_per_second, "clips/s",
        "clips read one by one, padded, fp32", len(rows) / plain,
        note=f"{len(rows)} clips, second epoch; validation {last.report.row['validation_seconds']} s",
    )  # fmt: skip


def _predictions(data: RunData, work: Path, device: str) -> Iterator[Measurement]:
    """Clips a second of prediction by the trained network, and how often the processor decides alike."""
    network, card = load_model(work / "run")
    every = np.arange(len(data.examples))
    clips: Clips = data.clips(every, card.learned)
    there = predict_clips(network, clips, device=device)
    own = timed(lambda: predict_clips(network, clips, device=device), device, 3)
    some = range(min(ALONE, len(every)))

    def one_by_one() -> None:
        with torch.inference_mode():
            for number in some:
                network(*clips[number].to(device).given()).softmax(1).cpu()

    plain = timed(one_by_one, device, 3)
    yield Measurement(
        "prediction by the CRNN, from mels", len(every) / own, "clips/s", "one clip after another",
        len(some) / plain, note=f"{len(every)} clips, fp32",
    )  # fmt: skip
    here = predict_clips(network, clips, device="cpu")
    alike = float((here.argmax(1) == there.argmax(1)).mean())
    yield Measurement(
        "clips decided as on the processor", alike, "share", floor=AGREE, goal=1.0,
        note=f"{len(every)} clips; probabilities differ by at most {np.abs(here - there).max():.2g}",
    )  # fmt: skip


def _embeddings(data: RunData, device: str) -> Iterator[Measurement]:
    """Clips a second of an encoder on noise as long as the store's clips, in fp32."""
    try:
        asked = EmbeddingOptions(encoder=ENCODER, device="cuda" if device == "cuda" else "cpu")
        options, _ = located(asked, encoder_folders())
    except EncoderError as error:
        yield Measurement("embeddings left out", 0.0, "clips/s", note=str(error))
        return
    front_end = data.recipe.front_end
    _, frames, _ = data.store.read(data.positions[:ALONE])
    hops = np.asarray(frames) * front_end.hop_length / front_end.sample_rate
    rng = np.random.default_rng(0)
    samples = [round(each * options.sample_rate) for each in hops.tolist()]
    waves = [(0.05 * rng.standard_normal(count)).astype(np.float32) for count in samples]
    encoder = Encoder(options)
    own = timed(lambda: encoder.embed(waves), device, 3)
    some = waves[: ALONE // 10]  # a window of 30 s takes the processor a second
    plain = timed(padded_windows(lambda: some, options, device), device, 1)
    processor = Encoder(options.model_copy(update={"device": "cpu"}))
    there, here = (
        np.stack([each.values for each in one.embed(some) if isinstance(each, Embedding)])
        for one in (encoder, processor)
    )
    yield Measurement(
        f"embeddings, {ENCODER}, all layers, from waves", len(waves) / own, "clips/s",
        "transformers, 30 s windows", len(some) / plain,
        note=f"{len(waves)} stretches of noise, {hops.sum() / own:.0f} x real time, fp32; "
        f"at most {np.abs(there - here).max():.2g} away from the processor's",
    )  # fmt: skip
