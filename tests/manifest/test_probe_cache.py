import os
import shutil
import threading

import numpy as np
import pytest

from ser_pipeline.manifest import probe_cache as module
from ser_pipeline.manifest.digest import digest_file
from ser_pipeline.manifest.fingerprint import AT_ONCE, Pool, file_states
from ser_pipeline.manifest.probe_cache import PROBE_CACHE_NAME, PROBE_SCHEMA, ProbeCache
from ser_pipeline.manifest.schema import write_table


@pytest.mark.parametrize("jobs", [1, 3])
def test_states_are_those_of_the_files_in_order(tmp_path, jobs):
    names = [f"{number}.wav" for number in range(20)]
    for number, name in enumerate(names):
        (tmp_path / name).write_bytes(bytes(number))
    names.insert(7, "absent.wav")
    with Pool(jobs) as pool:
        states = file_states(pool, tmp_path, names)
    assert states[7].tolist() == [-1, -1, -1]
    kept = np.delete(states, 7, axis=0)
    assert kept[:, 0].tolist() == list(range(20))
    assert kept[3, 1:].tolist() == [
        os.stat(tmp_path / "3.wav").st_mtime_ns,
        os.stat(tmp_path / "3.wav").st_ctime_ns,
    ]


def test_more_files_than_one_task_takes(tmp_path):
    (tmp_path / "a").write_bytes(b"abc")
    with Pool(2) as pool:
        states = file_states(pool, tmp_path, ["a"] * (AT_ONCE + 1))
    assert states.shape == (AT_ONCE + 1, 3)
    assert (states[:, 0] == 3).all()


def test_no_files(tmp_path):
    with Pool(1) as pool:
        assert file_states(pool, tmp_path, []).shape == (0, 3)


def test_leaving_early_drops_what_has_not_begun():
    begun = []
    gate = threading.Event()

    def work(number):
        begun.append(number)
        gate.wait(10)

    with Pool(1) as pool:
        futures = [pool.submit(work, number) for number in range(50)]
        futures[-1].add_done_callback(lambda _: gate.set())
    assert begun in ([], [0])
    assert futures[-1].cancelled()


@pytest.fixture
def folder(tmp_path, record):
    for number in range(5):
        record(tmp_path / "data" / f"{number}.wav", seed=number)
    return tmp_path


PATHS = [f"{number}.wav" for number in range(5)]


def read(folder, **options):
    cache = ProbeCache.load(folder / PROBE_CACHE_NAME, folder / "data")
    table, count = cache.read_all(options.pop("paths", PATHS), **options)
    cache.save(table)
    return table, count


def test_rows_stand_in_the_order_of_the_paths(folder):
    paths = list(reversed(PATHS))
    table, count = read(folder, paths=paths, jobs=3)
    assert count == 5
    assert table.schema == PROBE_SCHEMA
    assert table["path"].to_pylist() == paths
    assert table["digest"].to_pylist() == [digest_file(folder / "data" / name) for name in paths]


def test_what_lies_in_archives_is_read_from_front_to_back(tmp_path, monkeypatch):
    read, probe = [], module.probe
    monkeypatch.setattr(module, "probe", lambda path, **how: read.append(path) or probe(path, **how))
    names = ["parquet:/x/10::b", "a.wav", "tar:/b::c", "parquet:/x/9::b", "tar:/a::c"]
    table, _ = ProbeCache(tmp_path / "cache", tmp_path).read_all(names)
    assert [path.removeprefix(f"{tmp_path}/") for path in read] == [names[n] for n in (1, 3, 0, 2, 4)]
    assert table["path"].to_pylist() == names


def test_unchanged_recordings_are_not_read_again(folder, monkeypatch):
    first, _ = read(folder)

    def refuse(*args, **kwargs):
        raise AssertionError("read again")

    monkeypatch.setattr(module, "probe", refuse)
    again, count = read(folder)
    assert count == 0
    assert again.equals(first)


@pytest.mark.parametrize("change", ["content", "size", "same size and time"])
def test_a_changed_recording_is_read_again_alone(folder, record, change):
    read(folder)
    path = folder / "data" / "2.wav"
    before = os.stat(path)
    record(path, seed=99, seconds=0.3 if change == "size" else 0.2)
    if change == "same size and time":
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    table, count = read(folder)
    assert count == 1
    assert table["digest"][2].as_py() == digest_file(path)


def test_rehash_reads_all(folder):
    first, _ = read(folder)
    again, count = read(folder, rehash=True)
    assert count == 5
    assert again.equals(first)


def test_decoding_reads_what_was_not_decoded_once(folder):
    read(folder)
    assert read(folder, decode=True)[1] == 5
    assert read(folder, decode=True)[1] == 0
    assert read(folder)[1] == 0


def test_a_recording_that_is_useless_anyway_is_not_decoded_again_and_again(folder):
    (folder / "data" / "0.wav").write_bytes(b"nothing")
    assert read(folder, decode=True)[1] == 5
    assert read(folder, decode=True)[1] == 0


def test_new_and_gone_recordings(folder, record):
    read(folder)
    record(folder / "data" / "new.wav", seed=7)
    table, count = read(folder, paths=["1.wav", "new.wav"])
    assert (count, table["path"].to_pylist()) == (1, ["1.wav", "new.wav"])


def test_what_could_not_be_read_is_tried_again(folder, record):
    table, _ = read(folder, paths=["0.wav", "late.wav"])
    assert table["problem"].to_pylist() == [None, "deleted after the folder was listed"]
    record(folder / "data" / "late.wav", seed=7)
    table, count = read(folder, paths=["0.wav", "late.wav"])
    assert (count, table["problem"].to_pylist()) == (1, [None, None])


@pytest.mark.parametrize("damage", [b"", b"PAR1 not really"])
def test_a_damaged_cache_is_empty(folder, damage):
    read(folder)
    (folder / PROBE_CACHE_NAME).write_bytes(damage)
    assert read(folder)[1] == 5


def test_readings_by_other_code_do_not_count(folder):
    table, _ = read(folder)
    write_table(table, {"reader": "another"}, folder / PROBE_CACHE_NAME)
    assert read(folder)[1] == 5


def test_an_interrupt_keeps_what_was_read(folder, monkeypatch):
    monkeypatch.setattr(module, "READ_AT_ONCE", 2)
    real = module.probe

    def probe(path, **options):
        if path.endswith("3.wav"):
            raise KeyboardInterrupt
        return real(path, **options)

    monkeypatch.setattr(module, "probe", probe)
    with pytest.raises(KeyboardInterrupt):
        read(folder)
    monkeypatch.setattr(module, "probe", real)
    kept = ProbeCache.load(folder / PROBE_CACHE_NAME, folder / "data").table["path"].to_pylist()
    assert kept == ["0.wav", "1.wav"]
    assert read(folder)[1] == 3


def test_a_long_reading_is_saved_now_and_then(folder, monkeypatch):
    monkeypatch.setattr(module, "READ_AT_ONCE", 1)
    monkeypatch.setattr(module, "PACK_AT_ONCE", 2)
    monkeypatch.setattr(module, "SAVE_EVERY_S", 0.0)
    saved = []
    real = ProbeCache.save

    def save(self, table):
        saved.append(table.num_rows)
        real(self, table)

    monkeypatch.setattr(ProbeCache, "save", save)
    table, count = read(folder)
    assert saved[:5] == [1, 2, 3, 4, 5]
    assert (count, table["path"].to_pylist()) == (5, PATHS)


def test_readings_are_packed_as_they_come(folder, monkeypatch):
    monkeypatch.setattr(module, "READ_AT_ONCE", 1)
    monkeypatch.setattr(module, "PACK_AT_ONCE", 2)
    table, count = read(folder)
    assert (count, table["path"].to_pylist()) == (5, PATHS)
    assert table["digest"].num_chunks > 0


def test_a_reading_that_was_taken_is_let_go_of(folder, monkeypatch):
    tasks, left, submitted = [], [], module._Reading._tasks
    monkeypatch.setattr(module, "READ_AT_ONCE", 1)
    monkeypatch.setattr(module._Reading, "_tasks", lambda *how: tasks.append(submitted(*how)) or tasks[0])
    read(folder, on_progress=lambda done, total: left.append(len(tasks[0])))
    assert left == [4, 3, 2, 1, 0]


def test_progress_counts_every_recording(folder, monkeypatch):
    monkeypatch.setattr(module, "READ_AT_ONCE", 2)
    seen = []
    read(folder, on_progress=lambda done, total: seen.append((done, total)))
    assert seen == [(2, 5), (4, 5), (5, 5)]
    seen.clear()
    read(folder, on_progress=lambda done, total: seen.append((done, total)))
    assert seen == []


def test_compare_names_what_is_gone_and_what_has_changed(folder, record):
    read(folder)
    (folder / "data" / "1.wav").unlink()
    record(folder / "data" / "3.wav", seed=42, seconds=0.4)
    cache = ProbeCache.load(folder / PROBE_CACHE_NAME, folder / "data")
    absent, changed = cache.compare([*PATHS, "unknown.wav"])
    assert absent.tolist() == [False, True, False, False, False, True]
    assert changed.tolist() == [False, False, False, True, False, False]


def test_updated_keeps_what_a_smaller_build_did_not_look_at(folder):
    table, _ = read(folder)
    cache = ProbeCache.load(folder / PROBE_CACHE_NAME, folder / "data")
    part = table.slice(1, 2)
    assert sorted(cache.updated(part)["path"].to_pylist()) == PATHS


def test_a_moved_cache_does_not_hide_other_content(folder, record):
    read(folder)
    other = folder / "other"
    (other / "data").mkdir(parents=True)
    for number, name in enumerate(PATHS):
        record(other / "data" / name, seed=number + 50)
    shutil.copy(folder / PROBE_CACHE_NAME, other / PROBE_CACHE_NAME)
    table, count = read(other)
    assert count == 5
    assert table["digest"].to_pylist() == [digest_file(other / "data" / name) for name in PATHS]
