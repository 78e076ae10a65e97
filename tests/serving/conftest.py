"""Recordings of made voices, a store of them, and models with weights nobody trained."""

import hashlib
import shutil
from functools import cache, lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pytest
import soundfile as sf
import torch

from ser_pipeline import load_model
from ser_pipeline.datasets.batch import MelClips, VectorClips
from ser_pipeline.datasets.normalise import Learned, Voice, learn_scaling, moments, shifts
from ser_pipeline.datasets.rows import read_vectors
from ser_pipeline.encoders import located
from ser_pipeline.evaluation.predict import certainty_of, predict_clips, state
from ser_pipeline.front_end import row_of_wave, vector_names
from ser_pipeline.models.build import build_model
from ser_pipeline.models.estimators import make_estimator
from ser_pipeline.models.fitted import EstimatorNetwork
from ser_pipeline.options import (
    EmbeddingOptions,
    FeatureOptions,
    FrontEnd,
    Fused,
    ModelOptions,
    input_versions,
)
from ser_pipeline.runs.card import ModelCard
from ser_pipeline.store import build_store, open_store
from ser_pipeline.training.checkpoint import load_model as load_network
from ser_pipeline.training.checkpoint import save_model
from tests.report.conftest import fake, rows

__all__ = ["fake", "rows"]

EMOTIONS = ("anger", "happiness", "neutral", "sadness")
SMALL = FrontEnd(denoise="none", n_mels=16, max_s=1.0)
RATE = 16_000


def voice(seconds: float, seed: int = 0, sample_rate: int = RATE) -> np.ndarray:
    """A gliding hum with breath in it: never silent, nowhere the same."""
    return _voice(seconds, seed, sample_rate).copy()


@lru_cache(maxsize=64)
def _voice(seconds: float, seed: int, sample_rate: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    t = np.arange(round(seconds * sample_rate)) / sample_rate
    pitch = 120 + 40 * np.sin(2 * np.pi * (0.7 + 0.1 * seed) * t)
    phase = 2 * np.pi * np.cumsum(pitch) / sample_rate
    tone = sum(np.sin(k * phase) / k for k in range(1, 12))
    loud = 0.6 + 0.4 * np.sin(2 * np.pi * 3 * t + seed)
    return (0.1 * loud * tone + 0.002 * rng.standard_normal(t.size)).astype(np.float32)


def save_random(folder: Path, inputs=SMALL, learned=None, **changes) -> Path:
    """Save a network with random weights whose scores differ from clip to clip."""
    options = ModelOptions(**changes.pop("model", {"name": "crnn"}))
    values = {
        "model": options,
        "emotions": EMOTIONS,
        "inputs": inputs,
        "learned": learned or Learned(),
        "store_fingerprint": "0" * 16,
        "synthetic": False,
        "epoch": 1,
        "inputs_version": input_versions(inputs),
        **changes,
    }
    card = ModelCard(**values)
    torch.manual_seed(1)
    outputs = len(card.emotions or card.target)
    network = build_model(options, card.n_inputs, outputs, rates=bool(card.target))
    with torch.no_grad():
        for parameter in network.parameters():
            if parameter.ndim > 1:
                parameter.mul_(2.5)
    save_model(folder, network, card)
    return folder


def save_probe(run: Path, encoder: EmbeddingOptions, model: ModelOptions) -> Path:
    """Save a probe on an encoder's steps, or with it inside, whose scores differ from clip to clip."""
    inputs = encoder.model_copy(update={"frames": True})
    if model.name == "finetune":
        inputs = encoder.waves.model_copy(update={"encoder": encoder})
    save_random(run, inputs, model=model.model_dump())
    network, card = load_network(run)
    with torch.no_grad():
        network.layers.copy_(torch.tensor([0.0, 0.05]))
        for name, weights in network.named_parameters():
            if name.endswith(".up"):
                weights.copy_(torch.randn(weights.shape, generator=torch.Generator().manual_seed(0)))
        network.norm.momentum = 1.0  # so that its statistics are those of one clip
        for wave in WAVES:
            network.train()(torch.from_numpy(row_of_wave(wave, inputs).values.astype(np.float32))[None])
    save_model(run, network, card)
    return run


class Voices:
    """Recordings below one folder, and what the store and the network make of them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        for number in range(6):
            wave = voice(0.5 + 0.4 * number, number, RATE if number % 2 else 48_000)
            sf.write(folder / f"v{number}.wav", wave, RATE if number % 2 else 48_000)
        self.paths = sorted(folder.iterdir())
        self.digests = [hashlib.blake2b(path.read_bytes(), digest_size=16).hexdigest() for path in self.paths]

    def store(self, options):
        table = pa.table(
            {
                "utterance_id": [f"made/{path.name}" for path in self.paths],
                "path": [path.name for path in self.paths],
                "audio_digest": self.digests,
                "duration_s": [1.0] * len(self.paths),
                "modality": ["speech"] * len(self.paths),
            }
        )
        cache = self.folder.parent / "cache"
        build_store(SimpleNamespace(table=table, facts={}), self.folder, cache, options.stored)
        return open_store(cache, options.stored)

    def cached(self, run: Path, corpus: str = "emodb") -> np.ndarray:
        """Probabilities of the stored mels, as ``ser evaluate`` states them."""
        network, card = load_network(run)
        store = self.store(card.inputs)
        count = len(self.paths)
        shift = shifts(card.learned.gains_db, [corpus] * count, card.inputs)
        clips = MelClips(store, store.rows(self.digests), np.zeros(count, np.int64), shift)
        return state(predict_clips(network, clips), certainty_of(card))


@pytest.fixture
def voices(tmp_path) -> Voices:
    return Voices(tmp_path / "voices")


@pytest.fixture(scope="module", autouse=True)
def small_everywhere(small_crnn):
    """All tests of a module build networks of one size."""


@pytest.fixture(scope="module")
def saved(tmp_path_factory) -> Path:
    """What ``run`` holds, made once."""
    return save_random(tmp_path_factory.mktemp("saved") / "small")


@pytest.fixture
def run(saved, tmp_path) -> Path:
    """Folder of a small masked CRNN of mels without noise reduction."""
    return Path(shutil.copytree(saved, tmp_path / "runs" / "small"))


WAVES = [voice(0.5 + 0.1 * number, number) for number in range(8)]


def saver(encoder_of, run):
    """What saves a model of layers of a tiny encoder, whose scores differ from clip to clip."""

    def make(family="whisper", name="dnn", mode="none", classes=4, how=None, **changes):
        folders = map(encoder_of, family.split("+"))
        if name in ("probe", "finetune"):
            options = EmbeddingOptions(encoder=str(next(folders)), layers=(1, 2), **changes)
            return save_probe(run, located(options)[0], ModelOptions(name=name, **(how or {})))
        parts = tuple(
            located(EmbeddingOptions(encoder=str(folder), layers=(1, 2), **changes))[0] for folder in folders
        )
        inputs = Fused(parts=parts) if len(parts) > 1 else parts[0]
        vectors = np.stack([row_of_wave(wave, inputs).values.reshape(-1) for wave in WAVES])
        known = None
        if mode == "adaptive":
            center, scale = moments(vectors)
            known = Voice(center=tuple(center.tolist()), scale=tuple((1.5 * scale).tolist()))
        first = vectors if known is None else known.apply(vectors)
        if mode == "speaker":
            first = (vectors - vectors.mean(0)) / vectors.std(0)
        scaling = learn_scaling(3 * first - 2 * first.mean(0), vector_names(inputs), mode)
        learned = Learned(scaling=scaling, voice=known)
        if name == "dnn":
            return save_random(run, inputs, learned, model={"name": name})
        labels = np.arange(len(WAVES)) % classes
        fitted = make_estimator(name, 0.1, balanced=True, seed=0, splits=2 if name == "svm" else None)
        fitted.fit(scaling.apply(first), labels)
        card = ModelCard(
            model=ModelOptions(name=name), emotions=EMOTIONS, inputs=inputs, learned=learned, epoch=1,
            store_fingerprint="0" * 16, synthetic=False, inputs_version=input_versions(inputs),
        )  # fmt: skip
        save_model(run, EstimatorNetwork.of(name, fitted, len(EMOTIONS)), card)
        return run

    return make


@pytest.fixture
def save(make_encoder, tmp_path):
    """Save such a model in a folder of the test."""
    return saver(make_encoder, tmp_path / "run")


@cache
def features_of_voices() -> tuple[tuple[str, ...], np.ndarray]:
    """Names of the features, and those of each recording."""
    with TemporaryDirectory() as folder:
        voices = Voices(Path(folder) / "voices")
        store = voices.store(FeatureOptions())
        return store.names, read_vectors(store, store.rows(voices.digests))


@pytest.fixture
def adapting(voices, tmp_path):
    """A model of mode ``adaptive`` and what it says of the recordings with any voice."""
    names, vectors = features_of_voices()
    usual = Voice(
        center=tuple((vectors.mean(0) + 0.5).tolist()), scale=tuple((vectors.std(0) + 0.1).tolist())
    )
    scaling = learn_scaling(usual.apply(vectors), names, "adaptive")
    learned = Learned(scaling=scaling, voice=usual)
    run = save_random(tmp_path / "run", FeatureOptions(), learned, model={"name": "dnn"})

    def expected(known):
        values = scaling.apply(usual.pulled(vectors[known]).apply(vectors))
        return predict_clips(load_network(run)[0], VectorClips(values, np.zeros(len(values), np.int64)))

    return load_model(run), expected


def shares(predictions) -> np.ndarray:
    """Probabilities of predictions, shape ``(n, classes)``."""
    return np.array([list(said.probabilities.values()) for said in predictions])
