"""How fast a pretrained encoder runs on clips of their own length, against its own windows of 30 s."""

import shutil
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np
import torch

from ser_pipeline.arrays import Float32s
from ser_pipeline.audio import decode_file
from ser_pipeline.benchmarks.measure import Measurement, paired
from ser_pipeline.encoders import encoder_folders, located
from ser_pipeline.encoders.embed import Encoder, pooled
from ser_pipeline.errors import EncoderError
from ser_pipeline.manifest import Manifest
from ser_pipeline.options import EmbeddingOptions
from ser_pipeline.store import build_store

ENCODER = "whisper-base"
CLIPS = 16
"""A window of 30 s takes a second on one thread."""
ROUNDS = 3


def embedding_figures(manifest: Manifest, data: Path, work: Path) -> Iterator[Measurement]:
    """Clips a second from file to store, on one thread, in processor time.

    Args:
        manifest: of the clips.
        data: folder its paths are relative to.
        work: folder to write to.
    """
    try:
        options, _ = located(EmbeddingOptions(encoder=ENCODER, device="cpu"), encoder_folders())
    except EncoderError as error:
        yield Measurement("embeddings left out", 0.0, "clips/s", note=str(error))
        return
    encoder = Encoder(options)
    paths = [data / path for path in manifest.table["path"].to_pylist()]
    sound_s = sum(manifest.table["duration_s"].to_pylist())
    build = _building(manifest, data, work, options)
    plain = padded_windows(lambda: (decode_file(path, options.sample_rate) for path in paths), options)
    whole, windows = paired(build, plain, ROUNDS, time.process_time)
    stages = _stages(paths, encoder, whole)
    yield Measurement(
        f"embeddings, {ENCODER}, all layers", len(paths) / whole, "clips/s", "transformers, 30 s windows",
        len(paths) / windows, 5.0, 10.0,
        f"{len(paths)} clips, processor time, {sound_s / whole:.0f} x real time; {stages}",
    )  # fmt: skip
    half = options.layers[: len(options.layers) // 2 + 1]
    stopped = options.model_copy(update={"layers": half[-2:]})
    some, every = paired(_building(manifest, data, work, stopped), build, ROUNDS, time.process_time)
    yield Measurement(
        f"embeddings, {ENCODER}, layers {', '.join(map(str, stopped.layers))}", len(paths) / some, "clips/s",
        "all layers", len(paths) / every, 1.5, 1.8, "nothing is computed above the last layer asked for",
    )  # fmt: skip


def _building(manifest: Manifest, data: Path, work: Path, options: EmbeddingOptions) -> Callable[[], None]:
    def build() -> None:
        shutil.rmtree(work / "embeddings", ignore_errors=True)
        build_store(manifest, data, work / "embeddings", options)

    return build


def padded_windows(
    waves: Callable[[], Iterable[Float32s]], options: EmbeddingOptions, device: str = "cpu"
) -> Callable[[], None]:
    """As one would write it with transformers: every clip in a window of 30 s, all hidden states pooled.

    Args:
        waves: gives the clips, at 16 kHz.
        options: of a Whisper.
        device: to run on.
    """
    from transformers import WhisperFeatureExtractor, WhisperModel

    network = WhisperModel.from_pretrained(
        options.folder, dtype=torch.float32, local_files_only=True, use_safetensors=True
    )
    encoder = network.get_encoder().eval().to(device)
    extract = WhisperFeatureExtractor.from_pretrained(options.folder, local_files_only=True)

    def run() -> None:
        for wave in waves():
            inputs = extract(wave, sampling_rate=options.sample_rate, return_tensors="pt")["input_features"]
            with torch.inference_mode():
                states = encoder(inputs.to(device), output_hidden_states=True).hidden_states
            np.stack([pooled(layer, None)[0].cpu().numpy() for layer in states])

    return run


def _stages(paths: list[Path], encoder: Encoder, total_s: float) -> str:
    """Milliseconds of processor time a clip by stage; what is left of the total is the store's."""
    start = time.process_time()
    waves = [decode_file(path, EmbeddingOptions.SAMPLE_RATE) for path in paths]
    decoded = time.process_time()
    encoder.embed(waves)
    embedded = time.process_time()
    spent = (decoded - start, embedded - decoded, max(0.0, total_s - (embedded - start)))
    names = ("decode", "encoder", "store")
    return ", ".join(
        f"{name} {1000 * each / len(paths):.1f} ms" for name, each in zip(names, spent, strict=True)
    )
