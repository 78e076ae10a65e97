from pathlib import Path

import pytest

from ser_pipeline.evaluation.profiles import (
    PROFILED,
    PROPERTIES,
    PUBLISHED,
    SOURCES,
    measured_properties,
    published,
)
from ser_pipeline.features.catalogue import NAMES
from ser_pipeline.labels import EMOTIONS


def test_every_row_has_a_property_an_emotion_and_known_sources():
    named = {row.name for row in PROPERTIES}
    for row in PUBLISHED:
        assert row.property in named
        assert row.emotion in PROFILED
        assert row.sources
        assert set(row.sources) <= set(SOURCES)
        assert row.direction != "not stated"
    assert len({(row.property, row.emotion) for row in PUBLISHED}) == len(PUBLISHED)
    assert set(PROFILED) <= set(EMOTIONS)


@pytest.mark.parametrize("row", PROPERTIES, ids=lambda row: row.name)
def test_every_property_is_measured_by_features_that_exist(row):
    assert set(row.features) <= set(NAMES)
    assert set(row.features.values()) <= {1, -1}


def test_properties_are_found_by_the_names_of_their_features():
    found = {row.name: (columns, signs) for row, columns, signs in measured_properties(NAMES)}
    assert found.keys() == {row.name for row in PROPERTIES}
    columns, signs = found["high-frequency energy"]
    assert [(NAMES[at], sign) for at, sign in zip(columns, signs, strict=True)] == [
        ("alpha_ratio_mean", 1),
        ("hammarberg_mean", -1),
    ]
    assert list(measured_properties(("F0semitoneFrom27.5Hz_sma3nz_amean",))) == []


def test_what_no_source_says_is_not_stated():
    assert published("speech rate", "disgust").direction == "not stated"
    assert published("speech rate", "surprise").sources == ()


def test_the_page_has_the_same_table():
    page = (Path(__file__).parents[2] / "docs" / "explain.md").read_text(encoding="utf-8")
    lines = [line for line in page.splitlines() if line.startswith("| ")]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    head = next(row for row in rows if row[0] == "property")
    assert head[2:] == list(PROFILED)
    for row in PROPERTIES:
        name, features, *directions = next(cells for cells in rows if cells[0] == row.name)
        told = ", ".join(
            f"`{feature}`" + (" (turned)" if sign < 0 else "") for feature, sign in row.features.items()
        )
        assert features == told
        stated = [published(name, emotion).direction for emotion in PROFILED]
        assert [direction or "not stated" for direction in directions] == stated
