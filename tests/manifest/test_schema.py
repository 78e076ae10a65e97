"""The published form of the manifest: a change here is a new schema version."""

from pathlib import Path

import pyarrow as pa

from ser_pipeline.labels import EMOTIONS
from ser_pipeline.manifest.schema import (
    MEASURED,
    PART_CODES,
    RATINGS,
    SCHEMA,
    SCHEMA_VERSION,
    SPLIT_SCHEMA,
    VOCABULARIES,
)
from ser_pipeline.records import PARTS, Utterance

PUBLISHED = [
    "utterance_id", "corpus", "path", "audio_digest", "source_label", "emotion_id", "intensity", "speaker_id",
    "session_id", "gender", "age", "language", "modality", "style", "sentence_id", "text", "take",
    "duration_s", "sample_rate", "channels", "valence", "arousal", "dominance", "votes", "agreement",
    "naturalness", "rated_intensity",
]  # fmt: skip


def test_columns_and_their_order_are_fixed():
    assert SCHEMA_VERSION == 1
    assert SCHEMA.names == PUBLISHED


def test_the_docs_page_has_every_column():
    page = (Path(__file__).parents[2] / "docs" / "manifest.md").read_text(encoding="utf-8")
    for name in PUBLISHED:
        assert f"`{name}`" in page


def test_the_docs_page_has_every_emotion_with_its_id():
    page = (Path(__file__).parents[2] / "docs" / "manifest.md").read_text(encoding="utf-8")
    assert ", ".join(f"{number} {name}" for number, name in enumerate(EMOTIONS)) in page


def test_types_are_fixed():
    types = {name: str(SCHEMA.field(name).type) for name in PUBLISHED}
    numbers = {
        "emotion_id": "int8", "age": "int16", "duration_s": "double", "sample_rate": "int32",
        "channels": "int16", "votes": "map<int8, int16>", **dict.fromkeys(RATINGS, "float"),
    }  # fmt: skip
    assert types == {name: numbers.get(name, "string") for name in PUBLISHED}


def test_every_row_has_what_later_steps_rely_on():
    nullable = {field.name for field in SCHEMA if field.nullable}
    assert nullable == {"session_id", "age", "sentence_id", "text", "take", "votes", *RATINGS}


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
