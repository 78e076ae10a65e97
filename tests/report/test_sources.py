import hashlib
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ser_pipeline.corpora import CORPORA as MODULES
from ser_pipeline.errors import ManifestError
from ser_pipeline.report.sources import (
    CLAIMS,
    CORPORA,
    corpus_title,
    file_digest,
    language_title,
    read_data,
    synthetic_corpora,
)


def test_manifest_rejects_and_splits_are_read_together(manifests, rows):
    data = read_data(manifests)
    assert data.table.num_rows == len(rows)
    assert data.rejects.num_rows == 2
    assert [split.name for split in data.splits] == ["speaker", "stratified"]
    assert [split.leaks_speakers for split in data.splits] == [False, True]
    assert not any(split.stale or split.has_folds for split in data.splits)


def test_digest_is_that_of_the_bytes(manifests):
    content = (manifests / "manifest.parquet").read_bytes()
    assert file_digest(manifests / "manifest.parquet") == hashlib.blake2b(content, digest_size=16).hexdigest()


def test_missing_manifest_names_the_command(tmp_path):
    with pytest.raises(
        ManifestError, match=r"manifest\.parquet: not found; make it with 'ser manifest build'"
    ):
        read_data(tmp_path)


def test_manifest_of_another_version_is_refused(tmp_path, rows, fake):
    folder = fake.manifest(tmp_path, rows, schema_version=2)
    with pytest.raises(ManifestError, match="schema version 2, this ser reads 1"):
        read_data(folder)


def test_manifest_without_a_column_names_it(tmp_path, rows):
    table = pa.Table.from_pylist(rows).drop_columns(["speaker_id"])
    pq.write_table(table, tmp_path / "manifest.parquet")
    with pytest.raises(ManifestError, match="has no column speaker_id"):
        read_data(tmp_path)


def test_damaged_manifest_is_one_line(tmp_path):
    (tmp_path / "manifest.parquet").write_bytes(b"PAR1 nothing")
    with pytest.raises(ManifestError, match="cannot be read") as caught:
        read_data(tmp_path)
    assert "\n" not in str(caught.value)


def test_manifest_with_foreign_metadata_is_refused(tmp_path, rows):
    table = pa.Table.from_pylist(rows).replace_schema_metadata({b"ser": b"[1]"})
    pq.write_table(table, tmp_path / "manifest.parquet")
    with pytest.raises(ManifestError, match="was not written by 'ser'"):
        read_data(tmp_path)


def test_damaged_split_is_listed_with_its_command(manifests):
    (manifests / "splits" / "speaker.parquet").write_bytes(b"no")
    data = read_data(manifests)
    assert [split.name for split in data.splits] == ["stratified"]
    (unread,) = data.unread
    assert (unread.kind, unread.name) == ("split", "speaker")
    assert "speaker.parquet: cannot be read" in unread.reason
    assert unread.reason.endswith("make it again with 'ser manifest split speaker'")


@pytest.mark.parametrize("digest", ["", "a", "00" * 200])
def test_split_of_a_digest_of_any_length_is_stale(manifests, rows, fake, digest):
    fake.split(manifests, "odd", rows, fake.by_speaker, manifest_digest=digest)
    assert [split.name for split in read_data(manifests).splits if split.stale] == ["odd"]


def test_split_of_another_manifest_is_stale(manifests, rows, fake):
    fake.split(manifests, "old", rows, fake.by_speaker, manifest_digest="00" * 16)
    assert [split.name for split in read_data(manifests).splits if split.stale] == ["old"]


def test_half_written_splits_are_not_read(manifests):
    (manifests / "splits" / ".speaker.parquet.7-ab.partial").write_bytes(b"no")
    assert len(read_data(manifests).splits) == 2


def test_manifest_without_rejects_file_has_none(manifests):
    (manifests / "rejects.parquet").unlink()
    assert read_data(manifests).rejects.num_rows == 0


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ({}, set()),
        ({"synthetic": False}, set()),
        ({"synthetic": True}, {"a", "b"}),
        ({"synthetic": True, "synthetic_corpora": ["b", "gone"]}, {"b"}),
        ({"synthetic": False, "synthetic_corpora": []}, set()),
    ],
)
def test_synthetic_corpora(facts, expected):
    assert synthetic_corpora(facts, {"a", "b"}) == expected


def test_metadata_is_that_of_the_file(manifests):
    stored = json.loads(pq.read_schema(manifests / "manifest.parquet").metadata[b"ser"])
    assert read_data(manifests).facts == stored


def test_published_sizes_are_those_of_the_corpora_own_cards():
    cards = {
        name: (module.CARD.title, module.CARD.clips, module.CARD.speakers) for name, module in MODULES.items()
    }
    assert {name: (CORPORA[name].clips, CORPORA[name].speakers) for name in CORPORA} == {
        name: card[1:] for name, card in cards.items()
    }
    assert list(CORPORA) == list(MODULES)


def test_claims_are_the_source_reports():
    crnn = {claim.task: (claim.accuracy, claim.macro_f1) for claim in CLAIMS if claim.model == "CRNN"}
    assert crnn == {"4 classes": (81.29, 83.63), "6 classes": (76.76, 82.8)}


@pytest.mark.parametrize(("tag", "title"), [("en-GB", "English (UK)"), ("pl", "Polish (pl)"), ("xx", "xx")])
def test_language_titles(tag, title):
    assert language_title(tag) == title


def test_strays_have_no_corpus():
    assert corpus_title("unknown") == "no known corpus"


def test_room_needs_neither_torch_nor_the_manifest_room():
    import subprocess
    import sys

    code = (
        "import sys, ser_pipeline.report;"
        "bad = {'torch', 'librosa', 'h5py', 'pandas', 'ser_pipeline.manifest', 'ser_pipeline.corpora'};"
        "print(sorted(bad & set(sys.modules)))"
    )
    folder = Path(__file__).parents[2]
    found = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=folder
    )
    assert found.stdout.strip() == "[]"
