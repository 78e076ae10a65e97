import os
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pytest
import soundfile as sf

from ser_pipeline.atomic import lock_file
from ser_pipeline.audio import read_recording, spectral_gate
from ser_pipeline.audio.decode import resample
from ser_pipeline.errors import StoreCorrupt, StoreError
from ser_pipeline.front_end import mel_of_wave
from ser_pipeline.manifest.digest import digest_bytes
from ser_pipeline.options import FeatureOptions, FrontEnd
from ser_pipeline.previews import STEPS, read_steps
from ser_pipeline.records import Segment, digest_as_decoded
from ser_pipeline.store import build_store, open_store, plan, store_folder, work
from ser_pipeline.store.index import set_aside
from ser_pipeline.store.maintenance import verify
from ser_pipeline.store.plan import (
    MOST_PREVIEWS,
    WORKERS_LOCK,
    Plan,
    Todo,
    Work,
    one_shard,
    previewed,
)
from ser_pipeline.store.shard import write_shard
from ser_pipeline.store.status import status
from ser_pipeline.store.work import make_shard


def first_chunk(corpus, front_end):
    plan = Plan.of(corpus.manifest().table, front_end)
    return Todo(plan, range(1), np.ones(plan.ends[0], bool)).chunk(0)


def test_a_worker_with_other_library_versions_writes_nothing(corpus, tmp_path, front_end, monkeypatch):
    """As on a cluster whose machines were not set up alike."""
    folder = store_folder(tmp_path, front_end)
    first = first_chunk(corpus, front_end)
    work = Work(folder, corpus.folder, front_end, first)
    with monkeypatch.context() as patched:
        patched.setattr("ser_pipeline.store.identity.version", lambda name: "0.0.1")
        with pytest.raises(StoreError, match="a worker has other settings or library versions"):
            make_shard(work)
    assert not folder.exists()
    assert make_shard(work).computed == len(first.clips)


@pytest.fixture
def first(corpus, tmp_path, front_end):
    """The work of the first of two shards, of 32 recordings."""
    part = first_chunk(corpus, front_end)
    return Work(store_folder(tmp_path / "cache", front_end), corpus.folder, front_end, part)


@pytest.fixture
def written(monkeypatch):
    """Names of the shards that are written."""
    names = []

    def noted(path, *args, **more):
        names.append(path.stem)
        write_shard(path, *args, **more)

    monkeypatch.setattr(work, "write_shard", noted)
    return names


class Waiting:
    """Told when somebody is about to wait for the lock of the workers."""

    def __init__(self, monkeypatch):
        self.begins = threading.Event()
        monkeypatch.setattr(plan, "lock_file", self.lock_file)

    def lock_file(self, path, taken, *place):
        if path.name == WORKERS_LOCK:
            self.begins.set()
        return lock_file(path, taken, *place)


def test_a_shard_that_was_finished_after_it_was_planned_is_left_alone(
    first, corpus, tmp_path, written, monkeypatch
):
    """The worker of another build, on another machine, that went on after that one was killed."""

    def planned_too_late(*args):
        todo = Todo(*args)
        if args[3] is None:  # planned for good, not whether there is anything to do
            make_shard(first)
        return todo

    monkeypatch.setattr("ser_pipeline.store.build.Todo", planned_too_late)
    build_store(corpus.manifest(), corpus.folder, tmp_path / "cache", first.options)
    assert written == ["shard-00000", "shard-00001"]


def test_a_build_plans_when_the_workers_of_a_killed_one_are_gone(
    first, corpus, tmp_path, written, monkeypatch
):
    holds, planned = threading.Event(), []

    def survivor(waiting):
        with one_shard(first.folder, 0):
            holds.set()
            assert waiting.begins.wait(60)  # the next build has looked, and planned this shard
            work._make(first)

    waiting = Waiting(monkeypatch)
    with ThreadPoolExecutor(1) as pool:
        done = pool.submit(survivor, waiting)
        assert holds.wait(60)
        waiting.begins.clear()
        build_store(
            corpus.manifest(), corpus.folder, tmp_path / "cache", first.options, on_start=planned.append
        )
        done.result()
    assert written == ["shard-00000", "shard-00001"]
    assert planned == [8]


@pytest.mark.usefixtures("locks_of_handles")
def test_threads_of_one_worker_do_not_make_the_same_shard(first, written, monkeypatch):
    """As in a Dask worker with several, whose client was killed and started again."""
    waiting = Waiting(monkeypatch)
    compute, computing = work._computed, threading.Event()

    def slowly(*args):
        computing.set()
        assert waiting.begins.wait(60)  # the other thread has come to the lock
        yield from compute(*args)

    monkeypatch.setattr(work, "_computed", slowly)
    with ThreadPoolExecutor(2) as pool:
        one = pool.submit(make_shard, first)
        assert computing.wait(60)
        waiting.begins.clear()
        other = pool.submit(make_shard, first)
        assert one.result() == other.result()
    assert written == ["shard-00000"]


def test_a_worker_whose_build_has_ended_writes_nothing(first, written):
    with pytest.raises(StoreError, match="the build that this worker belongs to has ended"):
        make_shard(replace(first, parent=os.getpid()))  # no process is its own parent
    assert written == []
    make_shard(replace(first, parent=os.getppid()))
    assert written == ["shard-00000"]


def test_a_damaged_shard_takes_the_place_of_an_earlier_one(first, monkeypatch):
    path = first.folder / "shard-00000.h5"
    path.parent.mkdir(parents=True)
    monkeypatch.setattr(Path, "rename", None)  # renames over no file on Windows
    for text in (b"one", b"another"):
        path.write_bytes(text)
        assert set_aside(path)
        assert path.with_suffix(".h5.damaged").read_bytes() == text


def test_a_damaged_shard_that_was_made_anew_is_not_set_aside(first):
    make_shard(first)
    path = first.folder / "shard-00000.h5"
    assert not set_aside(path)
    path.write_bytes(path.read_bytes()[:1000])
    assert set_aside(path)
    assert not set_aside(path)
    assert [each.name for each in first.folder.glob("shard*")] == ["shard-00000.h5.damaged"]


@pytest.fixture
def manifest(corpus):
    """Six corpora of the forty tones."""
    made = corpus.manifest()
    names = pa.array([f"corpus{number % 6}" for number in range(made.table.num_rows)])
    made.table = made.table.set_column(made.table.schema.get_field_index("corpus"), "corpus", names)
    return made


@pytest.fixture
def built(corpus, manifest, tmp_path, front_end):
    build_store(manifest, corpus.folder, tmp_path / "cache", front_end)
    return tmp_path / "cache"


def test_of_each_of_the_first_corpora_the_clip_of_median_length_is_chosen(corpus, manifest, front_end):
    seconds = pa.array(np.random.default_rng(0).permutation(40) / 10)
    column = manifest.table.schema.get_field_index("duration_s")
    table = manifest.table.set_column(column, "duration_s", seconds)
    for number, clip in enumerate(previewed(table, front_end)):
        own = sorted(seconds.to_numpy()[number::6])
        (row,) = (row for row in table.to_pylist() if row["utterance_id"] == clip.utterance_id)
        assert row["corpus"] == f"corpus{number}"
        assert row["duration_s"] == own[len(own) // 2]
    assert number == MOST_PREVIEWS - 1


def test_what_is_kept_is_what_the_front_end_does(built, corpus, manifest, front_end):
    kept = read_steps(store_folder(built, front_end))
    assert len({clip.audio_digest for clip in kept}) == MOST_PREVIEWS
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


def test_the_gate_is_seen_and_runs_once_for_each_clip(corpus, manifest, tmp_path, monkeypatch):
    gated = FrontEnd(n_mels=16, max_s=1.0)
    seen = []

    def counted(wave, *args, **options):
        seen.append(wave.tobytes())
        return spectral_gate(wave, *args, **options)

    monkeypatch.setattr(sys.modules["ser_pipeline.audio.prepare"], "spectral_gate", counted)
    build_store(manifest, corpus.folder, tmp_path / "cache", gated)
    assert len(seen) == len(set(seen)) == 40
    kept = read_steps(store_folder(tmp_path / "cache", gated))
    assert len(kept) == MOST_PREVIEWS
    for clip in kept:
        assert not np.array_equal(clip.decoded, clip.denoised)


def test_builds_of_some_shards_each_add_theirs(built, corpus, manifest, tmp_path, front_end):
    cache = tmp_path / "parts"
    for shards in ((1, 2), (0, 1)):
        build_store(manifest, corpus.folder, cache, front_end, shards=shards)
    whole, parts = (read_steps(store_folder(folder, front_end)) for folder in (built, cache))
    assert [clip.utterance_id for clip in parts] == [clip.utterance_id for clip in whole]
    assert all(np.array_equal(one.mel, other.mel) for one, other in zip(parts, whole, strict=True))


def test_they_are_written_once(built, corpus, manifest, front_end):
    path = store_folder(built, front_end) / STEPS
    written = path.stat().st_mtime_ns
    build_store(manifest, corpus.folder, built, front_end)
    assert path.stat().st_mtime_ns == written


def test_a_damaged_file_is_refused_and_written_anew(built, corpus, manifest, front_end):
    path = store_folder(built, front_end) / STEPS
    before = read_steps(path.parent)
    path.write_bytes(b"nothing")
    with pytest.raises(StoreCorrupt, match=r"steps.parquet: cannot be read: .* 'ser cache mels'"):
        read_steps(path.parent)
    assert build_store(manifest, corpus.folder, built, front_end).computed == 0
    for old, new in zip(before, read_steps(path.parent), strict=True):
        assert old.utterance_id == new.utterance_id
        assert np.array_equal(old.mel, new.mel)


def test_what_cannot_be_used_is_left_out(built, corpus, manifest, front_end):
    folder = store_folder(built, front_end)
    first = read_steps(folder)[0].utterance_id
    (folder / STEPS).unlink()
    sf.write(corpus.folder / first.removeprefix("made/"), np.zeros(8_000), 16_000)
    build_store(manifest, corpus.folder, built, front_end)
    kept = [clip.utterance_id for clip in read_steps(folder)]
    assert len(kept) == MOST_PREVIEWS - 1
    assert first not in kept


def test_stores_of_other_kinds_have_none(corpus, manifest, tmp_path):
    options = FeatureOptions()
    build_store(manifest, corpus.folder, tmp_path, options, limit=1)
    assert read_steps(store_folder(tmp_path, options)) == []


@pytest.fixture
def talk(corpus):
    """A manifest of three segments of one recording."""
    path = corpus.add("talk.wav", 7, seconds=3.0)
    parts = [Segment(0.0, 0.5), Segment(0.75, 1.75), Segment(2.0, 3.0)]
    whole = read_recording(path, 16_000).digest
    corpus.names = ["talk.wav"] * len(parts)
    made = corpus.manifest()
    columns = {
        "audio_digest": [part.digest(whole) for part in parts],
        "duration_s": [part.end_s - part.start_s for part in parts],
        "utterance_id": [f"made/talk#{part}" for part in parts],
    }
    for name, values in columns.items():
        made.table = made.table.set_column(made.table.schema.get_field_index(name), name, pa.array(values))
    bounds = zip(*parts, strict=True)
    for name, values in zip(("start_s", "end_s"), bounds, strict=True):
        made.table = made.table.append_column(name, pa.array(values, pa.float64()))
    return made


def test_each_segment_has_a_row_of_its_own_samples(corpus, talk, tmp_path, front_end):
    summary = build_store(talk, corpus.folder, tmp_path / "cache", front_end)
    assert (summary.computed, summary.failures) == (3, ())
    store = open_store(tmp_path / "cache", front_end)
    wave = read_recording(corpus.folder / "talk.wav", 16_000).wave
    for digest, start, end in zip(
        talk.table["audio_digest"].to_pylist(), (0.0, 0.75, 2.0), (0.5, 1.75, 3.0), strict=True
    ):
        values, frames, _ = store.read(store.rows([digest]))
        cut = resample(wave[round(start * 16_000) : round(end * 16_000)], 16_000, front_end.sample_rate)
        mel = mel_of_wave(cut, front_end)
        assert frames[0] == mel.frames
        np.testing.assert_allclose(values[0], mel.values, atol=2e-3)
    assert verify(store.folder, talk, corpus.folder, sample=3).problems == ()


def test_a_recording_that_changed_is_told_for_each_of_its_segments(corpus, talk, tmp_path, front_end):
    build_store(talk, corpus.folder, tmp_path / "cache", front_end)
    assert [store.changed for store in status(tmp_path / "cache", talk)] == [()]
    corpus.add("talk.wav", 8, seconds=3.0)
    failures = build_store(talk, corpus.folder, tmp_path / "other", front_end).failures
    assert [failure.path for failure in failures] == [
        "talk.wav#0.000-0.500",
        "talk.wav#0.750-1.750",
        "talk.wav#2.000-3.000",
    ]
    assert all("changed since the manifest was built" in failure.reason for failure in failures)


def test_a_recording_that_takes_ffmpeg_is_computed_again_for_another_version(
    corpus, tmp_path, front_end, fake_ffmpeg, make_speech, monkeypatch
):
    data = b"#!AMR\n" + bytes(100)
    (corpus.folder / "phone.amr").write_bytes(data)
    cache = tmp_path / "cache"

    def build(version):
        digest = digest_as_decoded(digest_bytes(data), f"ffmpeg {version}")
        facts = {"utterance_id": "made/phone", "path": "phone.amr", "audio_digest": digest, "duration_s": 2.0}
        table = pa.Table.from_pylist([{**facts, "modality": "speech", "corpus": "made"}])
        done = build_store(SimpleNamespace(table=table, facts={}), corpus.folder, cache, front_end)
        return done.computed, [failure.reason for failure in done.failures]

    monkeypatch.setenv("PATH", str(tmp_path))
    for _ in range(2):  # nothing is kept of what only this machine lacks
        assert "needs ffmpeg" in build("9.1")[1][0]
    fake_ffmpeg(wave=make_speech(), version="9.1")
    assert [build("9.1"), build("9.1")] == [(1, []), (0, [])]
    fake_ffmpeg(wave=make_speech(), version="9.2")
    assert "the recording or ffmpeg has changed since the manifest was built" in build("9.3")[1][0]
    assert build("9.2") == (1, [])
