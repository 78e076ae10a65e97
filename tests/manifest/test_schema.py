"""The published form of the manifest: a change here is a new schema version."""

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import ser_pipeline
from ser_pipeline.errors import ManifestError, SplitError
from ser_pipeline.labels import EMOTIONS
from ser_pipeline.manifest.digest import digest_file
from ser_pipeline.manifest.schema import (
    FACTS_KEY,
    MEASURED,
    PART_CODES,
    REJECT_SCHEMA,
    ROW_GROUP,
    SCHEMA,
    SCHEMA_VERSION,
    SPLIT_SCHEMA,
    read_table,
    write_table,
)
from ser_pipeline.records import PARTS, RATINGS, VOCABULARIES, Utterance

PUBLISHED = [
    "utterance_id", "corpus", "path", "audio_digest", "source_label", "emotion_id", "intensity", "speaker_id",
    "session_id", "gender", "age", "language", "modality", "style", "sentence_id", "text", "take",
    "duration_s", "sample_rate", "channels", "valence", "arousal", "dominance", "votes", "agreement",
    "naturalness", "rated_intensity", "start_s", "end_s", "part", "fold", "decoder", "channel",
]  # fmt: skip


def test_columns_and_their_order_are_fixed():
    assert SCHEMA_VERSION == 4
    assert SCHEMA.names == PUBLISHED


def test_the_docs_page_has_every_column():
    page = (Path(__file__).parents[2] / "docs" / "formats.md").read_text(encoding="utf-8")
    for name in PUBLISHED:
        assert f"`{name}`" in page


def test_the_docs_page_has_every_emotion_with_its_id():
    page = (Path(__file__).parents[2] / "docs" / "formats.md").read_text(encoding="utf-8")
    assert ", ".join(f"{number} {name}" for number, name in enumerate(EMOTIONS)) in page


def test_types_are_fixed():
    types = {name: str(SCHEMA.field(name).type) for name in PUBLISHED}
    numbers = {
        "emotion_id": "int8", "age": "int16", "duration_s": "double", "sample_rate": "int32",
        "channels": "int16", "votes": "map<int8, int16>", **dict.fromkeys(RATINGS, "float"),
        "start_s": "double", "end_s": "double", "fold": "int16", "channel": "int16",
    }  # fmt: skip
    assert types == {name: numbers.get(name, "string") for name in PUBLISHED}


def test_every_row_has_what_later_steps_rely_on():
    nullable = {field.name for field in SCHEMA if field.nullable}
    people = {"session_id", "age", "sentence_id", "text", "take", "votes", *RATINGS}
    assert nullable == people | {"start_s", "end_s", "part", "fold", "decoder", "channel"}


def test_rules_are_about_columns_that_exist():
    assert set(VOCABULARIES) | set(RATINGS) | set(MEASURED) <= set(SCHEMA.names)


def test_what_a_corpus_says_has_a_column():
    fields = set(Utterance.__dataclass_fields__) - {"canonical", "emotion"}
    assert fields <= set(SCHEMA.names)


def test_parts_are_numbered_in_their_order():
    assert list(PART_CODES) == list(PARTS)
    assert list(PART_CODES.values()) == [0, 1, 2]


def test_splits_have_three_columns():
    assert SPLIT_SCHEMA.names == ["utterance_id", "part", "fold"]
    assert SPLIT_SCHEMA.field("fold").type == pa.int16()


TABLE = pa.table([["emodb"], ["a.wav"], ["too short"]], schema=REJECT_SCHEMA)


def read(path, **options):
    return read_table(path, REJECT_SCHEMA, remedy="ser manifest build", **options)


def test_what_is_written_is_read(tmp_path):
    path = tmp_path / "deep" / "a.parquet"
    digest = write_table(TABLE, {"b": [1], "a": "ü"}, path)
    file = read(path)
    assert file.table.equals(TABLE)
    assert file.digest == digest == digest_file(path)
    assert file.facts == {
        "schema_version": SCHEMA_VERSION,
        "tool_version": ser_pipeline.__version__,
        "a": "ü",
        "b": [1],
    }


def test_the_same_rows_and_facts_give_the_same_bytes(tmp_path):
    first = write_table(TABLE, {"a": 1, "b": 2}, tmp_path / "a.parquet")
    assert write_table(TABLE, {"b": 2, "a": 1}, tmp_path / "b.parquet") == first
    assert write_table(TABLE, {"a": 1, "b": 3}, tmp_path / "c.parquet") != first


def test_only_some_columns(tmp_path):
    write_table(TABLE, {}, tmp_path / "a.parquet")
    assert read(tmp_path / "a.parquet", columns=["path"]).table.column_names == ["path"]


def test_a_reader_needs_to_hold_one_row_group(tmp_path):
    rows = pa.table([pa.array(["x"] * (ROW_GROUP + 1))] * 3, schema=REJECT_SCHEMA)
    write_table(rows, {}, tmp_path / "a.parquet")
    assert pq.ParquetFile(tmp_path / "a.parquet").num_row_groups == 2


def test_a_missing_file(tmp_path):
    with pytest.raises(ManifestError, match=r"a.parquet: not found; make it with 'ser manifest build'"):
        read(tmp_path / "a.parquet")


@pytest.mark.parametrize("content", [b"", b"text", b"PAR1" + bytes(100) + b"PAR1"])
def test_a_file_that_is_not_parquet(tmp_path, content):
    (tmp_path / "a.parquet").write_bytes(content)
    with pytest.raises(
        ManifestError, match=r"a.parquet: cannot be read \(.*make it again with 'ser manifest build'"
    ):
        read(tmp_path / "a.parquet")


def test_a_flipped_byte_is_found_or_harmless(tmp_path, rng):
    path = tmp_path / "a.parquet"
    names = [rng.bytes(20).hex() for _ in range(500)]
    table = pa.table([names] * 3, schema=REJECT_SCHEMA)
    write_table(table, {}, path)
    whole = path.read_bytes()
    found = 0
    for place in rng.integers(4, len(whole) // 2, 20):
        damaged = bytearray(whole)
        damaged[place] ^= 0xFF
        path.write_bytes(damaged)
        try:
            assert read(path).table.equals(table)
        except ManifestError:
            found += 1
    assert found > 15


def test_a_truncated_file(tmp_path):
    path = tmp_path / "a.parquet"
    write_table(TABLE, {}, path)
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(ManifestError, match="cannot be read"):
        read(path)


@pytest.mark.parametrize("metadata", [None, {b"ser": b"no json"}, {b"ser": b"[1]"}, {b"ser": b"{}"}])
def test_a_foreign_parquet_file(tmp_path, metadata):
    pq.write_table(TABLE.replace_schema_metadata(metadata), tmp_path / "a.parquet")
    with pytest.raises(ManifestError, match=r"a.parquet: was not written by 'ser'"):
        read(tmp_path / "a.parquet")


@pytest.mark.parametrize("version", [0, SCHEMA_VERSION + 1])
def test_another_schema_version(tmp_path, version):
    facts = json.dumps({"schema_version": version}).encode()
    pq.write_table(TABLE.replace_schema_metadata({FACTS_KEY: facts}), tmp_path / "a.parquet")
    with pytest.raises(
        ManifestError,
        match=f"has schema version {version}, this ser reads versions up to 4; make it again with 'ser",
    ):
        read(tmp_path / "a.parquet")


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (TABLE.drop_columns("path"), "columns path differ from schema version 4"),
        (TABLE.append_column("more", pa.array([1])), "columns more differ"),
        (TABLE.select(["path", "corpus", "reason"]), "its columns are in another order"),
        (
            TABLE.cast(pa.schema([pa.field(f.name, pa.large_string()) for f in REJECT_SCHEMA])),
            "columns corpus, path, reason",
        ),
    ],
)
def test_other_columns(tmp_path, table, message):
    write_table(table, {}, tmp_path / "a.parquet")
    with pytest.raises(ManifestError, match=message):
        read(tmp_path / "a.parquet")


def test_the_error_is_of_the_wanted_kind(tmp_path):
    with pytest.raises(SplitError, match="not found"):
        read(tmp_path / "a.parquet", error=SplitError)
