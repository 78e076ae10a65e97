"""A small corpus of tones, and a manifest of it, for the store's tests."""

import hashlib
from collections.abc import Callable, Iterator
from contextlib import chdir
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pytest
import soundfile as sf
from typer.testing import CliRunner

from ser_pipeline.api import build_manifest
from ser_pipeline.cli import app
from ser_pipeline.options import FrontEnd
from ser_pipeline.store import build_store
from ser_pipeline.store.shard import read_keys, read_rows
from tests.store.cluster import cluster  # noqa: F401 - a fixture of these tests
from tests.store.forked import Command, ser


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
                "corpus": ["made"] * len(names),
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


class Home:
    """A folder as a user has it: EMO-DB by name, tones by content, worked on by real commands.

    Attributes:
        folder: holds ``DataSets``, ``manifests`` and ``cache``.
    """

    SPEAKERS = ("03", "08", "09", "10", "11", "12", "13", "14", "15", "16")
    SENTENCES = ("a01", "a02", "a04", "a05", "a07", "b01", "b02", "b03", "b09", "b10")
    QUICK = ("--denoise", "none", "--n-mels", "16")

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.wav = folder / "DataSets" / "EmoDB" / "wav"
        self.begun: list[Command] = []

    def fill(self, count: int, seconds: float = 0.3) -> None:
        self.wav.mkdir(parents=True, exist_ok=True)
        t = np.arange(round(seconds * 16_000)) / 16_000
        names = (
            f"{a}{b}{c}{d}.wav" for c in "WFN" for d in "ab" for a in self.SPEAKERS for b in self.SENTENCES
        )
        for number, name in zip(range(count), names, strict=False):
            sf.write(self.wav / name, 0.2 * np.sin(2 * np.pi * (200 + number) * t), 16_000)

    def manifest(self) -> None:
        build_manifest(self.folder / "DataSets", self.folder / "manifests", jobs=1)

    def popen(self, *words: str) -> Command:
        self.begun.append(Command(self.folder, ser, *words))
        return self.begun[-1]

    def ser(self, *words: str) -> tuple[int, str, str]:
        """Run a command here."""
        with chdir(self.folder):
            done = CliRunner().invoke(app, words)
        assert isinstance(done.exception, SystemExit | None), done.exception
        return done.exit_code, done.stdout, done.stderr

    def mels(self, *words: str) -> tuple[int, str, str]:
        return self.ser("cache", "mels", *self.QUICK, *words)

    def done(self, command: Callable[..., None], *words: str) -> tuple[int, str, str]:
        """Run a command as a process of its own, in circumstances of its own."""
        process = Command(self.folder, command, *words)
        printed, said = process.communicate(timeout=300)
        return process.returncode, printed, said

    def stamps(self, cache: str = "cache") -> dict[str, tuple[int, int]]:
        found = (self.folder / cache).glob("*/*/shard-*.h5")
        return {path.name: (path.stat().st_ino, path.stat().st_mtime_ns) for path in found}

    def contents(self, cache: str = "cache") -> dict[str, str]:
        """Every key -> its values and attributes, and every shard's own attributes."""
        held = {}
        for path in sorted((self.folder / cache).glob("*/*/shard-*.h5")):
            rows, keys = read_rows(path), read_keys(path)
            for row in range(len(rows)):
                key = (rows.digests[row], int(rows.variants[row]), rows.aspects[row])
                held[key] = (rows.values[row].tobytes(), int(rows.frames[row]), float(rows.level_db[row]))
            held[path.name] = (rows.failed, keys.described)
        return held


@pytest.fixture
def home(tmp_path) -> Iterator[Home]:
    made = Home(tmp_path)
    yield made
    for command in made.begun:
        command.kill()
