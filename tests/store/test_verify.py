import numpy as np
import soundfile as sf

from ser_pipeline.errors import StoreCorrupt
from ser_pipeline.front_end import Row
from ser_pipeline.front_end.mels import mel_of_wave
from ser_pipeline.store import build_store, store_folder
from ser_pipeline.store.shard import read_keys, read_rows
from ser_pipeline.store.verify import repair, verify


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
        return Row(mel.values + 0.1, mel.frames, mel.level_db, mel.span)

    monkeypatch.setattr("ser_pipeline.store.verify.row_of_variant", other)
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
        sf.write(corpus.folder / name, np.ones(8_000) * 0.1, 16_000)
    report = verify(store_folder(built, front_end), manifest, corpus.folder, sample=2)
    assert all("changed since the manifest was built" in problem for problem in report.problems)
    assert len(report.problems) == 2


def test_values_that_are_no_numbers_are_found(built, corpus, front_end, monkeypatch):
    def nowhere(wave, settings, **described):
        mel = mel_of_wave(wave, settings)
        return Row(mel.values * np.nan, mel.frames, mel.level_db, mel.span)

    monkeypatch.setattr("ser_pipeline.store.verify.row_of_variant", nowhere)
    report = verify(store_folder(built, front_end), corpus.manifest(), corpus.folder, sample=3)
    assert len(report.problems) == 3
