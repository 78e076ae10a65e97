import numpy as np
import pyarrow as pa
import pytest
import soundfile as sf

from ser_pipeline.audio import read_recording
from ser_pipeline.errors import StoreCorrupt, StoreError
from ser_pipeline.front_end import mel_of_wave
from ser_pipeline.options import FeatureOptions, FrontEnd
from ser_pipeline.previews import STEPS, read_steps
from ser_pipeline.store import build_store, store_folder
from ser_pipeline.store.plan import chunks, recordings
from ser_pipeline.store.work import MOST, Work, keep_steps, make_shard


def test_a_worker_with_other_library_versions_writes_nothing(corpus, tmp_path, front_end, monkeypatch):
    """As on a cluster whose machines were not set up alike."""
    folder = store_folder(tmp_path, front_end)
    (first, *_) = chunks(recordings(corpus.manifest().table, front_end))
    work = Work(folder, corpus.folder, front_end, first)
    with monkeypatch.context() as patched:
        patched.setattr("ser_pipeline.store.identity.version", lambda name: "0.0.1")
        with pytest.raises(StoreError, match="a worker has other settings or library versions"):
            make_shard(work)
    assert not folder.exists()
    assert make_shard(work).computed == len(first.clips)


@pytest.fixture
def manifest(corpus):
    """Six corpora of the forty tones."""
    made = corpus.manifest()
    names = [f"corpus{number % 6}" for number in range(made.table.num_rows)]
    made.table = made.table.append_column("corpus", pa.array(names))
    return made


@pytest.fixture
def built(corpus, manifest, tmp_path, front_end):
    build_store(manifest, corpus.folder, tmp_path / "cache", front_end)
    return tmp_path / "cache"


def test_what_is_kept_is_what_the_front_end_does(built, corpus, manifest, front_end):
    assert keep_steps(manifest, corpus.folder, built, front_end) == MOST
    kept = read_steps(store_folder(built, front_end))
    assert len({clip.audio_digest for clip in kept}) == MOST
    for clip in kept:
        wave = read_recording(
            corpus.folder / clip.utterance_id.removeprefix("made/"), front_end.sample_rate
        ).wave
        row = mel_of_wave(wave, front_end)
        assert np.array_equal(clip.mel, row.values[:, : row.frames])
        assert clip.level_db == pytest.approx(row.level_db)
        assert clip.seconds == pytest.approx(wave.size / front_end.sample_rate)
        assert clip.decoded.max() == wave.max()
        assert clip.decoded.min() == wave.min()
        assert np.array_equal(clip.decoded, clip.denoised)  # nothing is denoised here
        assert 0 <= clip.trim_start_s < clip.trim_end_s <= clip.seconds


def test_the_gate_is_seen(built, corpus, manifest, tmp_path):
    gated = FrontEnd(n_mels=16, max_s=1.0)
    build_store(manifest, corpus.folder, built, gated)
    keep_steps(manifest, corpus.folder, built, gated)
    for clip in read_steps(store_folder(built, gated)):
        assert not np.array_equal(clip.decoded, clip.denoised)


def test_they_are_written_once_and_leave_shards_alone(built, corpus, manifest, front_end):
    folder = store_folder(built, front_end)
    before = {path.name: path.read_bytes() for path in folder.glob("*") if path.is_file()}
    keep_steps(manifest, corpus.folder, built, front_end)
    stamp = (folder / STEPS).stat().st_mtime_ns
    assert keep_steps(manifest, corpus.folder, built, front_end) == MOST
    assert (folder / STEPS).stat().st_mtime_ns == stamp
    assert all((folder / name).read_bytes() == content for name, content in before.items())


def test_a_damaged_file_is_refused_and_written_anew(built, corpus, manifest, front_end):
    path = store_folder(built, front_end) / STEPS
    path.write_bytes(b"nothing")
    with pytest.raises(StoreCorrupt, match=r"steps.parquet: cannot be read: .* 'ser cache mels'"):
        read_steps(path.parent)
    keep_steps(manifest, corpus.folder, built, front_end)
    assert len(read_steps(path.parent)) == MOST


def test_what_cannot_be_used_is_left_out(built, corpus, manifest, front_end):
    keep_steps(manifest, corpus.folder, built, front_end)
    folder = store_folder(built, front_end)
    first = read_steps(folder)[0].utterance_id
    (folder / STEPS).unlink()
    sf.write(corpus.folder / first.removeprefix("made/"), np.zeros(8_000), 16_000)
    assert keep_steps(manifest, corpus.folder, built, front_end) == MOST - 1
    assert first not in [clip.utterance_id for clip in read_steps(folder)]


def test_stores_without_mels_or_rows_have_none(built, corpus, manifest, tmp_path, front_end):
    assert keep_steps(manifest, corpus.folder, built, FeatureOptions()) == 0
    assert keep_steps(manifest, corpus.folder, tmp_path / "elsewhere", front_end) == 0
