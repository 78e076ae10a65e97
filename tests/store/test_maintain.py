import os
import subprocess
import sys
import time

import numpy as np
import pytest
import soundfile as sf

from ser_pipeline.errors import StoreError
from ser_pipeline.front_end import Row
from ser_pipeline.front_end.mels import mel_of_wave
from ser_pipeline.settings import recipe
from ser_pipeline.store import build_store, open_store, store_folder
from ser_pipeline.store import fingerprint as prints
from ser_pipeline.store.maintain import collect, garbage, repair, status, verify
from ser_pipeline.store.shard import read_keys


@pytest.fixture
def built(corpus, tmp_path, front_end):
    build_store(corpus.manifest(), corpus.folder, tmp_path / "cache", front_end)
    return tmp_path / "cache"


def test_a_complete_store_is_current(built, corpus):
    (found,) = status(built, corpus.manifest())
    assert (found.rows, found.failed, found.missing, found.foreign, found.state) == (40, 0, 0, 0, "current")
    assert found.preset == "default denoise=none n_mels=16 max_s=1.0"


def test_a_new_recording_makes_it_incomplete(built, corpus):
    corpus.add("new.wav", 400)
    (found,) = status(built, corpus.manifest())
    assert found.state == "incomplete: 1 recordings to compute"


def test_another_library_version_is_named(corpus, tmp_path, front_end, monkeypatch):
    with monkeypatch.context() as patched:
        patched.setattr("ser_pipeline.store.identity.version", lambda name: "0.0.1")
        build_store(corpus.manifest(), corpus.folder, tmp_path / "cache", front_end)
    (found,) = status(tmp_path / "cache", corpus.manifest())
    assert found.state.startswith("outdated: libraries.librosa: 0.0.1, now ")
    (item,) = garbage(tmp_path / "cache", corpus.manifest())
    assert "libraries.soxr" in item.reason
    collect([item])
    assert status(tmp_path / "cache", None) == []


def test_another_algorithm_is_another_store(front_end, monkeypatch):
    before = prints(prints_of(front_end))
    monkeypatch.setattr("ser_pipeline.store.identity.FRONT_END_VERSION", 99)
    assert prints(prints_of(front_end)) != before


def prints_of(front_end):
    from ser_pipeline.store import provenance

    return provenance(front_end)


def test_settings_are_named_after_the_nearest_preset(tmp_path):
    from ser_pipeline.store.maintain import settings_in_words

    described = prints_of(recipe("paper", front_end={"n_mels": 80}).front_end)
    assert settings_in_words(described) == "paper n_mels=80"


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
    from ser_pipeline.store.shard import read_rows

    good = read_rows(path)
    from ser_pipeline.errors import StoreCorrupt

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
    def other(wave, settings, modality):
        mel = mel_of_wave(wave, settings)
        return Row(mel.values + 0.1, mel.frames, mel.level_db)

    monkeypatch.setattr("ser_pipeline.store.maintain.row_of_wave", other)
    report = verify(store_folder(built, front_end), corpus.manifest(), corpus.folder, sample=3)
    assert len(report.problems) == 3
    assert "recomputed values differ by 0.1" in report.problems[0]


def test_a_changed_recording_is_named_by_verify(built, corpus, front_end):
    manifest = corpus.manifest()
    for name in corpus.names:
        sf.write(corpus.folder / name, np.ones(8_000) * 0.1, 16_000)
    report = verify(store_folder(built, front_end), manifest, corpus.folder, sample=2)
    assert all("changed since the manifest was built" in problem for problem in report.problems)
    assert len(report.problems) == 2


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


def test_only_old_left_overs_are_garbage(built, corpus, front_end):
    folder = store_folder(built, front_end)
    for name, age in ((".shard-00000.h5.1-a.partial", 7_200), (".shard-00000.h5.2-b.partial", 10)):
        (folder / name).write_bytes(b"x")
        os.utime(folder / name, (time.time() - age,) * 2)
    assert [item.path.name for item in garbage(built, corpus.manifest())] == [".shard-00000.h5.1-a.partial"]


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
        "import sys, pathlib\nfrom ser_pipeline.store.lock import shard_range\n"
        "with shard_range(pathlib.Path(sys.argv[1]), 0, 1):\n"
        "    print('held', flush=True)\n    sys.stdin.read()"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", code, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(StoreError, match="another build works on its shards"):
            collect(listed)
    finally:
        holder.communicate("")
    assert len(open_store(built, front_end)) == 40


def test_values_that_are_no_numbers_are_found(built, corpus, front_end, monkeypatch):
    def nowhere(wave, settings, modality):
        mel = mel_of_wave(wave, settings)
        return Row(mel.values * np.nan, mel.frames, mel.level_db)

    monkeypatch.setattr("ser_pipeline.store.maintain.row_of_wave", nowhere)
    report = verify(store_folder(built, front_end), corpus.manifest(), corpus.folder, sample=3)
    assert len(report.problems) == 3
