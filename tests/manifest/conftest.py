"""Manifests and corpora that the tests make."""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import soundfile

from ser_pipeline.api import build_manifest
from ser_pipeline.manifest import Manifest, digest_bytes, read_manifest, read_rejects
from ser_pipeline.manifest.read import MANIFEST_NAME, REJECTS_NAME
from ser_pipeline.manifest.schema import REJECT_SCHEMA, SCHEMA, write_table
from ser_pipeline.manifest.summary import ManifestSummary
from ser_pipeline.splits import read_split

Row = Mapping[str, Any]

DEFAULTS: dict[str, Any] = {
    "corpus": "emodb",
    "source_label": "X",
    "emotion_id": 0,
    "intensity": "unspecified",
    "gender": "female",
    "language": "de",
    "modality": "speech",
    "style": "acted",
    "duration_s": 1.0,
    "sample_rate": 16_000,
    "channels": 1,
}


def table_of(rows: Iterable[Row]) -> pa.Table:
    """Columns of the manifest from rows that may lack most of them."""
    full = []
    for number, row in enumerate(rows):
        values = {**DEFAULTS, **row}
        values.setdefault("speaker_id", f"{values['corpus']}-1")
        values.setdefault("utterance_id", f"{values['corpus']}/clip{number:05d}")
        values.setdefault("path", f"{values['utterance_id']}.wav")
        values.setdefault("audio_digest", f"{number:032x}")
        full.append({name: values.get(name) for name in SCHEMA.names})
    return pa.Table.from_pylist(full, SCHEMA).sort_by("utterance_id")


@pytest.fixture(scope="session")
def in_memory() -> Callable[[Iterable[Row]], Manifest]:
    """A manifest of some rows that lies nowhere; for tests that make very many."""
    return lambda rows: Manifest(table_of(rows), "0" * 32, Path("manifests") / MANIFEST_NAME, {})


@pytest.fixture
def manifest_of(tmp_path: Path) -> Callable[[Iterable[Row]], Manifest]:
    """Write a manifest of some rows to ``tmp_path / "manifests"`` and read it."""

    def make(rows: Iterable[Row]) -> Manifest:
        table, folder = table_of(rows), tmp_path / "manifests"
        counts = {"files": table.num_rows, "rows": table.num_rows, "rejects": 0}
        write_table(REJECT_SCHEMA.empty_table(), {"counts": counts}, folder / REJECTS_NAME)
        write_table(table, {"counts": counts}, folder / MANIFEST_NAME)
        return read_manifest(folder)

    return make


@pytest.fixture
def people_rows() -> Callable[..., list[Row]]:
    """Rows of one corpus: so many speakers, each with so many clips of every emotion."""

    def make(
        corpus: str = "emodb", speakers: int = 10, clips: int = 2, emotions: int = 4, **more: Any
    ) -> list[Row]:
        return [
            {
                "corpus": corpus,
                "utterance_id": f"{corpus}/{speaker:03d}-{emotion}-{clip}",
                "audio_digest": digest_bytes(f"{corpus} {speaker} {emotion} {clip}".encode()),
                "speaker_id": f"{corpus}-{speaker:03d}",
                "gender": "female" if speaker % 2 else "male",
                "emotion_id": emotion,
                **more,
            }
            for speaker in range(speakers)
            for emotion in range(emotions)
            for clip in range(clips)
        ]

    return make


@pytest.fixture
def record() -> Callable[..., Path]:
    """Write a short recording of noise; another seed gives other bytes."""

    def make(path: Path, *, seconds: float = 0.2, seed: int = 0, gain: float = 0.1, **options: Any) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        noise = np.random.default_rng(seed).standard_normal(round(seconds * 16_000)) * gain
        soundfile.write(path, noise.astype(np.float32), 16_000, **options)
        return path

    return make


@pytest.fixture
def data(tmp_path: Path, record: Callable[..., Path]) -> Path:
    """A folder with a small EmoDB, RAVDESS and RAVDESS songs: 36 recordings, all different."""
    folder = tmp_path / "DataSets"
    names = [
        f"EmoDB/wav/{speaker}a01{emotion}a.wav" for speaker in ("03", "08", "09", "10") for emotion in "WFNT"
    ]
    for channel, actors in (("01", 4), ("02", 1)):
        corpus = "RAVDESS" if channel == "01" else "RAVDESS-Song"
        names += [
            f"{corpus}/Actor_{actor:02d}/03-{channel}-{emotion}-01-01-01-{actor:02d}.wav"
            for actor in range(1, actors + 1)
            for emotion in ("01", "03", "04", "05")
        ]
    for number, name in enumerate(names):
        record(folder / name, seed=number)
    return folder


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """Where builds write to."""
    return tmp_path / "manifests"


@pytest.fixture
def built() -> Callable[..., ManifestSummary]:
    """Build, and check what must hold after every build."""

    def build(data: Path, out: Path, **options: Any) -> ManifestSummary:
        summary = build_manifest(data, out, **options)
        manifest = read_manifest(out)
        assert summary.rows + summary.rejects == summary.files
        assert (manifest.table.num_rows, read_rejects(out).num_rows) == (summary.rows, summary.rejects)
        assert sum(corpus.rows for corpus in summary.corpora) == summary.rows
        assert all(corpus.rows + corpus.rejects == corpus.files for corpus in summary.corpora)
        assert read_split(out, "speaker", manifest).table.num_rows == summary.rows
        return summary

    return build


@pytest.fixture
def rejects() -> Callable[[Path], dict[str, tuple[str, str]]]:
    """Path -> corpus and reason, of the rejects of a build."""
    return lambda out: {row["path"]: (row["corpus"], row["reason"]) for row in read_rejects(out).to_pylist()}


@pytest.fixture
def contents() -> Callable[[Path], dict[Path, bytes]]:
    """The bytes of all tables that others read."""
    return lambda out: {
        path.relative_to(out): path.read_bytes()
        for path in out.rglob("*.parquet")
        if not path.name.startswith(".")
    }
