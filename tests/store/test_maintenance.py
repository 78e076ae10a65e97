import errno
import os
import re
import subprocess
import sys
import time
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError

import numpy as np
import pytest
import soundfile as sf

from ser_pipeline.errors import StoreCorrupt, StoreError
from ser_pipeline.front_end import StoreRow, mel_of_wave
from ser_pipeline.store import build_store, open_store, store_folder
from ser_pipeline.store.maintenance import Garbage, collect, garbage, merge_caches, repair, verify
from ser_pipeline.store.shard import read_keys, read_rows
from ser_pipeline.store.status import status


def test_another_library_version_is_named(corpus, tmp_path, front_end, monkeypatch):
    with monkeypatch.context() as patched:
        patched.setattr("ser_pipeline.store.identity.version", lambda name: "0.0.1")
        build_store(corpus.manifest(), corpus.folder, tmp_path / "cache", front_end)
    (found,) = status(tmp_path / "cache", corpus.manifest())
    assert found.state.startswith("outdated: libraries.numba: 0.0.1, now ")
    (item,) = garbage(tmp_path / "cache", corpus.manifest())
    assert "libraries.soxr" in item.reason
    collect([item])
    assert status(tmp_path / "cache", None) == []


def test_a_store_whose_library_is_not_installed_here_is_left_alone(built, corpus, monkeypatch):
    def lacking(name):
        raise PackageNotFoundError(name)

    told = []
    monkeypatch.setattr("ser_pipeline.errors.TOLD", [told.append])
    monkeypatch.setattr("ser_pipeline.store.identity.version", lacking)
    (folder,) = built.glob("mels/*")
    corpus.names = corpus.names[:10]
    assert garbage(built, corpus.manifest()) == []
    (line,) = told
    assert line.startswith(f"{folder}: left alone, as nothing can be said of it: a store of mels with these")
    assert "needs numba, which is not installed" in line
    (found,) = status(built, None)
    assert found.state.startswith("unknown: a store of mels with these settings needs numba")


def test_rows_of_recordings_that_are_gone_can_be_dropped(built, corpus, front_end):
    corpus.names = corpus.names[:10]
    listed = garbage(built, corpus.manifest())
    assert [len(item.rows) for item in listed] == [22, 8]
    assert len(open_store(built, front_end)) == 40  # listing deletes nothing
    collect(listed)
    store = open_store(built, front_end)
    assert len(store) == 10
    assert (store.rows([corpus.digest(name) for name in corpus.names]) >= 0).all()
    assert garbage(built, corpus.manifest()) == []


def test_a_store_is_removed_where_a_lock_that_is_held_stays(built, front_end, monkeypatch):
    folder = store_folder(built, front_end)
    remove = os.unlink

    def as_on_windows(path, **options):
        if holding and path == "build.lock":
            raise PermissionError(errno.EACCES, "in use")
        remove(path, **options)

    @contextmanager
    def held(*place):
        holding.append(place)
        (folder / "build.lock").touch()
        yield
        holding.clear()

    holding = []
    monkeypatch.setattr("ser_pipeline.store.maintenance.shard_range", held)
    monkeypatch.setattr(os, "unlink", as_on_windows)
    collect([Garbage(folder, "outdated", 0)])
    assert not folder.exists()


def test_only_old_left_overs_are_garbage(built, corpus, front_end):
    folder = store_folder(built, front_end)
    for name, age in ((".shard-00000.h5.1-a.partial", 7_200), (".shard-00000.h5.2-b.partial", 10)):
        (folder / name).write_bytes(b"x")
        os.utime(folder / name, (time.time() - age,) * 2)
    assert [item.path.name for item in garbage(built, corpus.manifest())] == [".shard-00000.h5.1-a.partial"]


def test_files_that_go_while_a_store_is_looked_at_are_left_out(built, corpus, front_end):
    folder = store_folder(built, front_end)
    for name in ("shard-00000.h5", ".shard-00001.h5.1-a.partial"):
        (folder / name).unlink(missing_ok=True)
        (folder / name).symlink_to("nowhere")  # listed, and not there
    assert garbage(built, corpus.manifest()) == []
    assert [found.rows for found in status(built, None)] == [8]


def test_a_manifest_of_a_few_recordings_condemns_no_rows(built, corpus):
    corpus.names = corpus.names[:10]
    manifest = corpus.manifest()
    manifest.facts = {"settings": {"limit": 10}}
    assert garbage(built, manifest) == []


def test_what_a_build_works_on_is_left_alone(built, corpus, front_end):
    corpus.names = corpus.names[:10]
    listed = garbage(built, corpus.manifest())
    folder = store_folder(built, front_end)
    code = (
        "import sys, pathlib\nfrom ser_pipeline.store.plan import shard_range\n"
        "with shard_range(pathlib.Path(sys.argv[1]), 0, 1):\n"
        "    print('held', flush=True)\n    sys.stdin.read()"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", code, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(StoreError, match="another build is working on its shards"):
            collect(listed)
    finally:
        holder.communicate("")
    assert len(open_store(built, front_end)) == 40


@pytest.fixture
def two(corpus, tmp_path, front_end):
    """The shards of two machines: 32 recordings on one, 8 on the other."""
    for name, shards in (("a", (0, 1)), ("b", (1, None))):
        build_store(corpus.manifest(), corpus.folder, tmp_path / name, front_end, shards=shards)
    return tmp_path / "a", tmp_path / "b"


def whole(corpus, cache, front_end):
    store = open_store(cache, front_end)
    return len(store) == 40 and (store.rows([corpus.digest(name) for name in corpus.names]) >= 0).all()


def test_shards_of_two_machines_make_one_store(corpus, two, tmp_path, front_end):
    (found,) = merge_caches(tmp_path / "all", two)
    assert (found.rows, found.copied, found.known, found.refused) == (40, 2, 0, ())
    assert whole(corpus, tmp_path / "all", front_end)
    assert build_store(corpus.manifest(), corpus.folder, tmp_path / "all", front_end).computed == 0


def test_merging_again_copies_nothing(two):
    merge_caches(two[0], two[1:])
    (found,) = merge_caches(two[0], two[1:])
    assert (found.rows, found.copied, found.known) == (40, 0, 1)


def test_a_number_that_is_taken_is_not_overwritten(corpus, tmp_path, front_end):
    names = corpus.names
    for cache, part in (("a", names[:20]), ("b", names[20:])):
        corpus.names = part
        build_store(corpus.manifest(), corpus.folder, tmp_path / cache, front_end)
    corpus.names = names
    path = store_folder(tmp_path / "a", front_end) / "shard-00000.h5"
    before = path.read_bytes()
    merge_caches(tmp_path / "a", [tmp_path / "b"])
    assert path.read_bytes() == before
    assert whole(corpus, tmp_path / "a", front_end)


def test_damaged_and_foreign_shards_are_left_out(two, front_end):
    a, b = two
    (shard,) = b.rglob("shard-*.h5")
    data = bytearray(shard.read_bytes())
    data[len(data) // 2] ^= 0xFF
    shard.write_bytes(data)
    foreign = store_folder(a, front_end) / "shard-00000.h5"
    other = b / "mels" / ("0" * 16)
    other.mkdir()
    (other / "shard-00000.h5").write_bytes(foreign.read_bytes())
    refused = [line for found in merge_caches(a, [b]) for line in found.refused]
    assert any(re.search("damaged: .*differ from what was written", line) for line in refused)
    assert any("made with other settings or library versions" in line for line in refused)
    assert len(open_store(a, front_end)) == 32


def test_indexes_are_made_anew(two, front_end):
    folder = store_folder(two[0], front_end)
    (folder / "index.parquet").unlink()
    (found,) = merge_caches(two[0], [])
    assert found.rows == 32
    assert (folder / "index.parquet").exists()


def test_what_is_no_cache_is_refused(two, tmp_path):
    with pytest.raises(StoreError, match="holds no store; pass the folder that holds 'mels'"):
        merge_caches(two[0], [tmp_path / "nowhere"])
    with pytest.raises(StoreError, match="is the target of the merge"):
        merge_caches(two[0], [two[0]])


def test_a_whole_store_verifies(built, corpus, front_end):
    report = verify(store_folder(built, front_end), corpus.manifest(), corpus.folder, sample=7)
    assert (report.shards, report.rows, report.recomputed, report.problems) == (2, 40, 7, ())


def test_every_flipped_byte_of_a_value_is_found_and_repaired(built, corpus, front_end, rng):
    folder = store_folder(built, front_end)
    path = folder / "shard-00001.h5"
    data = bytearray(path.read_bytes())
    keys = read_keys(path)
    size = 8 * int(np.prod(keys.shape)) * 2
    data[keys.offset + int(rng.integers(size))] ^= 1
    path.write_bytes(data)
    report = verify(folder, None, None, sample=0)
    assert report.damaged == (path,)
    assert "1 of 8 rows differ" in report.problems[0]
    assert repair(report) == 1
    assert build_store(corpus.manifest(), corpus.folder, built, front_end).computed == 8
    assert verify(folder, None, None, sample=0).problems == ()


def test_any_flipped_byte_is_harmless_or_found(built, front_end, rng):
    folder = store_folder(built, front_end)
    path = folder / "shard-00001.h5"
    whole = path.read_bytes()
    good = read_rows(path)
    found = 0
    for place in rng.integers(len(whole), size=150).tolist():
        data = bytearray(whole)
        data[place] ^= int(rng.integers(1, 256))
        path.write_bytes(data)
        try:
            rows = read_rows(path)
        except StoreCorrupt:
            found += 1
            continue
        assert np.array_equal(rows.values, good.values)  # a byte nobody reads
        assert np.array_equal(rows.digests, good.digests)
    assert found > 75


def test_numbers_that_no_recording_gives_are_found(built, corpus, front_end, monkeypatch):
    def other(wave, settings, **described):
        mel = mel_of_wave(wave, settings)
        return StoreRow(mel.values + 0.1, mel.frames, mel.level_db, mel.span)

    monkeypatch.setattr("ser_pipeline.store.maintenance.row_of_variant", other)
    report = verify(store_folder(built, front_end), corpus.manifest(), corpus.folder, sample=3)
    assert len(report.problems) == 3
    assert "recomputed values differ by 0.1" in report.problems[0]


def test_a_shard_of_another_store_is_found(built, corpus, front_end):
    folder = store_folder(built, front_end)
    other = store_folder(built, front_end.model_copy(update={"n_mels": 12}))
    folder.rename(other)
    report = verify(other, None, None, sample=0)
    assert report.rows == 0
    assert len(report.problems) == len(report.damaged) == len(list(other.glob("shard-*.h5")))
    assert "was made with other settings or library versions than its store" in report.problems[0]


def test_a_changed_recording_is_named_by_verify(built, corpus, front_end):
    manifest = corpus.manifest()
    for name in corpus.names:
        sf.write(corpus.folder / name, np.tile([0.1, -0.1], 4_000), 16_000)
    report = verify(store_folder(built, front_end), manifest, corpus.folder, sample=2)
    assert report.recomputed == 0
    assert all(
        "the recording or ffmpeg has changed since the manifest was built" in problem
        for problem in report.problems
    )
    assert len(report.problems) == 2


def test_values_that_are_no_numbers_are_found(built, corpus, front_end, monkeypatch):
    def nowhere(wave, settings, **described):
        mel = mel_of_wave(wave, settings)
        return StoreRow(mel.values * np.nan, mel.frames, mel.level_db, mel.span)

    monkeypatch.setattr("ser_pipeline.store.maintenance.row_of_variant", nowhere)
    report = verify(store_folder(built, front_end), corpus.manifest(), corpus.folder, sample=3)
    assert len(report.problems) == 3
