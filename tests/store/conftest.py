"""A small corpus of tones, and a manifest of it, for the store's tests."""

import hashlib
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pytest
import soundfile as sf

from ser_pipeline.settings import FrontEnd
from ser_pipeline.store import build_store


class Corpus:
    """Recordings below one folder, with the manifest columns the store reads."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.names: list[str] = []

    def add(self, name: str, seed: int, seconds: float = 0.4) -> Path:
        rng = np.random.default_rng(seed)
        t = np.arange(round(seconds * 16_000)) / 16_000
        wave = 0.2 * np.sin(2 * np.pi * (200 + 10 * seed) * t) + 0.01 * rng.standard_normal(t.size)
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        sf.write(path, wave, 16_000)
        if name not in self.names:
            self.names.append(name)
        return path

    def digest(self, name: str) -> str:
        return hashlib.blake2b((self.folder / name).read_bytes(), digest_size=16).hexdigest()

    def manifest(self):
        names = sorted(self.names)
        table = pa.table(
            {
                "utterance_id": [f"made/{name}" for name in names],
                "path": names,
                "audio_digest": [self.digest(name) for name in names],
                "duration_s": [0.4] * len(names),
                "modality": ["speech"] * len(names),
            }
        )
        return SimpleNamespace(table=table, facts={})


@pytest.fixture
def corpus(tmp_path) -> Corpus:
    made = Corpus(tmp_path / "data")
    for number in range(40):
        made.add(f"c{number:02d}.wav", number)
    return made


@pytest.fixture
def front_end() -> FrontEnd:
    """Quick settings: no noise reduction, few bands, one second."""
    return FrontEnd(denoise="none", n_mels=16, max_s=1.0)


@pytest.fixture
def built(corpus, tmp_path, front_end) -> Path:
    """Cache folder with a complete store."""
    build_store(corpus.manifest(), corpus.folder, tmp_path / "cache", front_end)
    return tmp_path / "cache"
