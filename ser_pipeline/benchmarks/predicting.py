"""How long one recording takes from file to probabilities, against the plain way; warm and cold."""

import shutil
import statistics
import tempfile
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch

from ser_pipeline.audio import decode_file
from ser_pipeline.benchmarks.measure import Measurement, seconds, spent
from ser_pipeline.benchmarks.plain import plain_mel
from ser_pipeline.datasets.normalise import Learned
from ser_pipeline.errors import SettingsError
from ser_pipeline.manifest import Manifest
from ser_pipeline.models.build import build_model
from ser_pipeline.options import FrontEnd, ModelOptions, algorithm_version, recipe
from ser_pipeline.runs.card import ModelCard
from ser_pipeline.serving.export import export_graph
from ser_pipeline.serving.load import BUILT_IN_NAME, GRAPH, load_model
from ser_pipeline.serving.model import Model
from ser_pipeline.serving.scorer import clip_of_wave
from ser_pipeline.training.checkpoint import save_model

T = TypeVar("T")

CLIPS = 40
"""Recordings that are predicted, one after another; those nearest to three seconds."""

WARM_MS = {True: (9.0, 8.0), False: (15.0, 8.0)}
"""Floor and goal of a warm prediction, in milliseconds, by whether a graph makes it."""

COLD_S = {True: (1.5, 1.0), False: (3.5, 2.0)}
"""Floor and goal of a whole ``ser predict``, in seconds, likewise."""

COLD_ROUNDS = 3


def predict_figures(manifest: Manifest, data: Path) -> Iterator[Measurement]:
    """Median time of one recording, file to probabilities, on one thread.

    The network is the full CRNN of preset ``default`` with random weights: they change no time.

    Args:
        manifest: of the clips.
        data: folder its paths are relative to.
    """
    duration_s = np.array(manifest.table["duration_s"].to_pylist())
    nearest = np.argsort(np.abs(duration_s - 3.0), kind="stable")[:CLIPS]
    paths = [data / manifest.table["path"][int(number)].as_py() for number in nearest]
    note = f"{len(paths)} recordings, mean of {duration_s[nearest].mean():.2f} s"
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with tempfile.TemporaryDirectory(prefix="ser-bench-") as folder:
            yield from _figures(Path(folder), paths, note)
    finally:
        torch.set_num_threads(threads)


def _figures(folder: Path, paths: Sequence[Path], note: str) -> Iterator[Measurement]:
    model = _random_model(folder / "run", FrontEnd())
    plain_ms = _median_ms(_plain(FrontEnd()), paths)
    yield _warm("fp32", model, paths, plain_ms, note)
    try:
        graphs = [
            export_graph(model, folder / f"{bits}.onnx", int8=bits == "int8") for bits in ("fp32", "int8")
        ]
    except SettingsError as error:
        yield Measurement("predict, graphs left out", 0.0, "1/s", note=str(error))
        graphs = []
    for made in graphs:
        name = f"ONNX {made.path.stem}, {made.size / 2**20:.2f} MiB"
        yield _warm(name, load_model(made.path), paths, plain_ms, note)
    yield _cold("a run", folder / "run", paths[0], graph=False)
    for made in graphs[:1]:
        yield _cold("ONNX", made.path, paths[0], graph=True)
        shutil.copy(made.path, folder / "run" / GRAPH)
        yield _cold("a run with its graph", folder / "run", paths[0], graph=True)
    yield _cold("the built-in model", Path(BUILT_IN_NAME), paths[0], graph=True)


def _warm(name: str, model: Model, paths: Sequence[Path], plain_ms: float, note: str) -> Measurement:
    took_ms = _median_ms(model.predict, paths)
    floor, goal = WARM_MS[name != "fp32"]
    return Measurement(
        f"predict a 3 s file, warm, {name}: {took_ms:.1f} ms", 1000 / took_ms, "clips/s",
        "librosa, noisereduce, padded network", 1000 / plain_ms,
        note=f"{note}; {_stages(model, paths)}; plain {plain_ms:.0f} ms; "
        f"floor {floor:.0f} ms, goal {goal:.0f} ms",
    )  # fmt: skip


def _cold(kind: str, source: Path, path: Path, *, graph: bool) -> Measurement:
    """A whole ``ser predict`` of one file, in a process of its own."""
    took = [spent("predict", path.resolve(), "--model", source) for _ in range(COLD_ROUNDS)]
    floor, goal = COLD_S[graph]
    note = f"median of {COLD_ROUNDS}, processor time of the whole process; at most {floor} s, goal {goal} s"
    return Measurement(f"ser predict, cold, {kind}", statistics.median(took), "s", note=note)


def _stages(model: Model, paths: Sequence[Path]) -> str:
    """Milliseconds of decoding, front end and network, each by itself."""
    waves = [decode_file(path, model.sample_rate) for path in paths]
    clips = [clip_of_wave(wave, model.card) for wave in waves]
    decoding = _median_ms(lambda path: decode_file(path, model.sample_rate), paths)
    front = _median_ms(lambda wave: clip_of_wave(wave, model.card), waves)
    network = _median_ms(lambda clip: model.scorer.logits(clip.values, clip.frames), clips)
    return f"decode {decoding:.1f}, front end {front:.1f}, network {network:.1f} ms"


def _median_ms(work: Callable[[T], object], inputs: Sequence[T]) -> float:
    work(inputs[0])
    return 1000 * statistics.median(seconds(partial(work, each)) for each in inputs)


def _plain(front_end: FrontEnd) -> Callable[[Path], object]:
    """Library calls alone, then the network on a padded clip, as one would write it."""
    network = build_model(ModelOptions(masked=False), front_end.n_mels, 4).eval()

    def predict(path: Path) -> object:
        padded = np.full((front_end.n_mels, front_end.max_frames), -1, np.float32)
        mel = plain_mel(path, front_end)[:, : front_end.max_frames]
        padded[:, : mel.shape[1]] = mel
        with torch.inference_mode():
            return network(torch.from_numpy(padded)[None], None).softmax(1)

    return predict


def _random_model(folder: Path, front_end: FrontEnd) -> Model:
    options = recipe("default").model
    card = ModelCard(
        model=options,
        emotions=("anger", "happiness", "neutral", "sadness"),
        inputs=front_end,
        learned=Learned(),
        store_fingerprint="",
        synthetic=False,
        epoch=0,
        inputs_version=algorithm_version(front_end),
    )
    torch.manual_seed(0)
    save_model(folder, build_model(options, front_end.n_mels, len(card.emotions)), card)
    return load_model(folder)
