"""The build from a folder of corpora to the files of the manifest; what is bad stands next door."""

import json

import pyarrow.parquet as pq
import pytest

from ser_pipeline.manifest import SCHEMA, digest_file, read_manifest
from ser_pipeline.splits import make_split, read_split, write_split
from ser_pipeline.splits.make import empty_parts


def test_a_clean_folder(data, out, built):
    summary = built(data, out)
    assert (summary.files, summary.rows, summary.rejects, summary.read) == (36, 36, 0, 36)
    assert summary.speakers == 8  # the singer is one of the actors
    assert [corpus.corpus for corpus in summary.corpora] == ["ravdess", "ravdess-song", "emodb"]
    assert summary.digest == digest_file(out / "manifest.parquet")
    table = read_manifest(out).table
    assert table.schema == SCHEMA
    assert table["utterance_id"].to_pylist() == sorted(table["utterance_id"].to_pylist())
    for row in table.slice(0, 5).to_pylist():
        assert row["audio_digest"] == digest_file(data / row["path"])
        assert (row["duration_s"], row["sample_rate"], row["channels"]) == (0.2, 16_000, 1)


def test_metadata_says_what_was_built_but_neither_time_nor_place(data, out, tmp_path, built, contents):
    built(data, out)
    text = pq.read_metadata(out / "manifest.parquet").metadata[b"ser"].decode()
    facts = json.loads(text)
    assert facts["corpora"] == {"emodb": 16, "ravdess": 16, "ravdess-song": 4}
    assert facts["counts"] == {"files": 36, "rows": 36, "rejects": 0, "left_out": 0}
    assert facts["settings"] == {"decode": False, "limit": None}
    assert (facts["schema_version"], facts["synthetic"]) == (4, False)
    for path in contents(out):
        assert str(tmp_path).encode() not in (out / path).read_bytes()


@pytest.mark.parametrize("options", [{"decode": True}, {"limit": 1000}])
def test_options_that_change_no_row_give_the_same_manifest(data, out, built, options):
    first = built(data, out)
    again = built(data, out, **options)
    assert (again.digest, again.unchanged) == (first.digest, False)


@pytest.mark.parametrize("jobs", [1, 4])
def test_the_same_input_gives_the_same_bytes(data, out, tmp_path, jobs, built, contents):
    built(data, out)
    first = contents(out)
    built(data, out, jobs=jobs, rehash=True)
    assert contents(out) == first
    moved = data.rename(tmp_path / "Elsewhere")
    built(moved, tmp_path / "again", jobs=jobs)
    assert contents(tmp_path / "again") == first


def test_an_unchanged_folder_is_neither_read_nor_scanned(data, out, monkeypatch, built, contents):
    first = built(data, out)
    before = contents(out)

    def refuse(*args, **kwargs):
        raise AssertionError("scanned again")

    monkeypatch.setattr("ser_pipeline.manifest.build.scan_corpora", refuse)
    again = built(data, out)
    assert (again.read, again.unchanged, first.unchanged) == (0, True, False)
    assert contents(out) == before
    assert (again.corpora, again.reasons, again.warnings) == (
        first.corpora,
        first.reasons,
        first.warnings,
    )


@pytest.mark.parametrize("victim", ["manifest.parquet", "rejects.parquet", "splits/speaker.parquet"])
def test_what_is_lost_or_damaged_is_written_again(data, out, victim, built, contents):
    built(data, out)
    before = contents(out)
    (out / victim).write_bytes(b"damaged")
    built(data, out)
    assert contents(out) == before
    (out / victim).unlink()
    built(data, out)
    assert contents(out) == before


def test_a_new_a_changed_and_a_removed_recording(data, out, record, built):
    built(data, out)
    record(data / "EmoDB/wav/11a01Wa.wav", seed=100)
    record(data / "EmoDB/wav/03a01Wa.wav", seed=101)
    (data / "EmoDB/wav/03a01Fa.wav").unlink()
    summary = built(data, out)
    assert (summary.files, summary.rows, summary.read) == (36, 36, 2)
    ids = read_manifest(out).table["utterance_id"].to_pylist()
    assert "emodb/wav/11a01Wa" in ids
    assert "emodb/wav/03a01Fa" not in ids


def test_a_table_that_changes_changes_the_rows_without_reading_audio(data, out, built):
    built(data, out)
    (data / "EmoDB/erkennung.txt").write_text(
        "Satz\terkannt\tnatuerlich\n03a01Wa.wav\t90,00\t80,00\n", "latin-1"
    )
    summary = built(data, out)
    assert (summary.read, summary.unchanged) == (0, False)
    row = {r["utterance_id"]: r for r in read_manifest(out).table.to_pylist()}["emodb/wav/03a01Wa"]
    assert row["agreement"] == pytest.approx(0.9)


def test_limit(data, out, built):
    full = built(data, out)
    few = built(data, out, limit=3)
    assert few.files == 9
    assert few.read == 0
    assert "--limit left out 27 recordings, not counted anywhere" in few.warnings
    again = built(data, out)
    assert (again.read, again.digest) == (0, full.digest)


def test_synthetic_corpora_are_named_everywhere(data, out, built):
    (data / "EmoDB" / "SYNTHETIC.txt").write_text("made by ser corpora synth")
    summary = built(data, out)
    manifest = read_manifest(out)
    assert summary.synthetic == manifest.synthetic_corpora == ("emodb",)
    assert manifest.synthetic
    assert "synthetic recordings, made by 'ser corpora synth': emodb" in summary.warnings


def test_the_default_split_keeps_its_own_seed_and_ratios(data, out, record, built):
    built(data, out)
    write_split(out, make_split(read_manifest(out), "speaker", seed=7, ratios=(50, 25, 25)))
    built(data, out)
    record(data / "EmoDB/wav/11b01Wa.wav", seed=600)
    built(data, out)
    recipe = read_split(out, "speaker", read_manifest(out)).recipe
    assert (recipe.seed, recipe.ratios) == (7, (50.0, 25.0, 25.0))


def test_splits_of_the_earlier_manifest_are_named_with_their_command(data, out, record, built):
    built(data, out)
    write_split(out, make_split(read_manifest(out), "kfold", folds=3))
    assert not any("split" in line for line in built(data, out).warnings)
    record(data / "EmoDB/wav/11b01Wa.wav", seed=600)
    line = (
        "split kfold was made for an earlier manifest; "
        f"make it again with 'ser manifest split kfold --folds 3 --manifests {out}'"
    )
    assert line in built(data, out).warnings
    (out / "splits" / "odd.parquet").write_bytes(b"odd")
    assert any("odd.parquet: cannot be read" in line for line in built(data, out).warnings)


def test_an_empty_part_is_said(tmp_path, out, record, built):
    for emotion in "WFNT":
        record(tmp_path / "DataSets/EmoDB/wav" / f"03a01{emotion}a.wav", seed=ord(emotion))
    summary = built(tmp_path / "DataSets", out)
    assert [line for line in summary.warnings if "is empty" in line] == [
        f"split speaker: part {part} is empty; three speakers of one corpus are needed to fill all parts"
        for part in ("validation", "test")
    ]
    split = make_split(read_manifest(out), "stratified", ratios=(80, 0, 20))
    assert "part validation" not in " ".join(empty_parts(split))


def test_the_folder_of_the_recordings_is_known_beside_the_manifest(data, out, built):
    built(data, out)
    assert read_manifest(out).data == data
    (out / ".build.json").unlink()
    assert str(read_manifest(out).data) == "DataSets"


def test_progress_counts_what_is_read(data, out, built):
    seen = []
    built(data, out, on_progress=lambda done, total: seen.append((done, total)))
    assert seen[-1] == (36, 36)
    seen.clear()
    built(data, out, on_progress=lambda done, total: seen.append((done, total)))
    assert seen == []


@pytest.mark.real
def test_the_real_recordings(real_data, out, built, rejects):
    summary = built(real_data, out, jobs=2)
    assert summary.rows > 1000
    reasons = [reason for _, reason in rejects(out).values()]
    assert reasons == [
        "duplicate audio: 'ravdess/Actor_07/03-01-03-01-02-02-07' has the same bytes as "
        "'ravdess/Actor_07/03-01-03-01-02-01-07'"
    ]
    assert built(real_data, out).read == 0
