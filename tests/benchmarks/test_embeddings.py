from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pytest
import soundfile as sf

from ser_pipeline.benchmarks import embeddings
from ser_pipeline.manifest import digest_file


@pytest.fixture
def clips(tmp_path):
    names = [f"{number}.wav" for number in range(3)]
    for number, name in enumerate(names):
        sf.write(tmp_path / name, 0.1 * np.sin(np.arange(8_000) * (0.1 + number / 50)), 16_000)
    digests = [digest_file(tmp_path / name) for name in names]
    columns = {"path": names, "audio_digest": digests, "duration_s": [0.5] * 3, "modality": ["speech"] * 3}
    return SimpleNamespace(table=pa.table(columns))


def test_own_length_is_timed_against_padded_windows(clips, tmp_path, make_encoder, monkeypatch):
    folder = make_encoder("whisper", "whisper-base", max_source_positions=1_500)
    monkeypatch.setenv("SER_ENCODERS", str(folder.parent))
    monkeypatch.setattr(embeddings, "ROUNDS", 1)
    whole, stopped = embeddings.embedding_figures(clips, tmp_path, tmp_path)
    assert whole.ratio > 1
    assert "encoder" in whole.note
    assert stopped.work.endswith("layers 1, 2")
    assert stopped.reference == "all layers"


def test_without_the_encoder_the_bench_says_so(clips, tmp_path, monkeypatch):
    monkeypatch.delenv("SER_ENCODERS", raising=False)
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    (left_out,) = embeddings.embedding_figures(clips, tmp_path, tmp_path)
    assert "--download' fetches it" in left_out.note
