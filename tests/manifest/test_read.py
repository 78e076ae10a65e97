import pytest

from ser_pipeline.errors import ManifestError
from ser_pipeline.manifest import digest_file, read_manifest, read_rejects
from ser_pipeline.manifest.schema import REJECT_SCHEMA, SCHEMA, write_table
from ser_pipeline.splits import SPLIT_COLUMNS


def test_folder_and_file_give_the_same(manifest_of):
    made = manifest_of([{}, {}])
    again = read_manifest(made.path)
    assert again.table.equals(made.table)
    assert again.table.schema == SCHEMA
    assert again.digest == made.digest == digest_file(made.path)


def test_only_the_columns_that_are_asked_for(manifest_of):
    folder = manifest_of([{}]).path.parent
    assert tuple(read_manifest(folder, SPLIT_COLUMNS).table.column_names) == SPLIT_COLUMNS


def test_what_is_not_synthetic_does_not_say_so(manifest_of):
    manifest = manifest_of([{}])
    assert not manifest.synthetic
    assert manifest.synthetic_corpora == ()


def test_rejects(manifest_of):
    folder = manifest_of([{}]).path.parent
    assert read_rejects(folder).schema == REJECT_SCHEMA


@pytest.mark.parametrize("read", [read_manifest, read_rejects])
def test_nothing_there(tmp_path, read):
    with pytest.raises(ManifestError, match="parquet: not found; make it with 'ser manifest build'"):
        read(tmp_path)


def test_a_split_is_no_manifest(tmp_path):
    write_table(REJECT_SCHEMA.empty_table(), {}, tmp_path / "manifest.parquet")
    with pytest.raises(
        ManifestError, match=r"columns utterance_id, audio_digest, .* differ from schema version 1"
    ):
        read_manifest(tmp_path)
