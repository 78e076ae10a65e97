import re
from pathlib import Path

import pytest

from ser_pipeline.features.catalogue import FEATURES, GROUPS, NAMES, as_markdown
from ser_pipeline.features.statistics import STATISTICS

DOCS = Path(__file__).parents[2] / "docs" / "features.md"


def test_there_are_253_features_and_no_two_share_a_name():
    assert len(FEATURES) == len(set(NAMES)) == 253


def test_every_group_of_the_method_is_there():
    assert GROUPS == (
        "mfcc", "spectral", "chroma", "tonnetz", "energy", "zero crossings", "rhythm", "pitch", "voice",
        "formants", "duration",
    )  # fmt: skip


@pytest.mark.parametrize("feature", FEATURES, ids=NAMES)
def test_every_row_is_complete(feature):
    assert re.fullmatch(r"[a-z][a-z0-9]*(_[a-z0-9]+)*", feature.name)
    assert feature.unit
    assert len(feature.definition) > 10
    assert "#" not in feature.definition
    assert "|" not in feature.definition  # it stands in a table
    assert feature.source
    assert feature.statistic in STATISTICS or (feature.over, feature.statistic) == ("clip", "")


def test_a_ratio_of_moments_has_no_unit_and_a_spread_of_levels_no_zero_point():
    units = {feature.name: feature.unit for feature in FEATURES}
    assert units["pitch_st_skewness"] == "1"
    assert units["pitch_st_mean"] == "semitones"
    assert (units["level_mean"], units["level_std"]) == ("dBFS", "dB")


def test_the_page_is_the_table():
    assert DOCS.read_text(encoding="utf-8") == as_markdown(), (
        "docs/features.md is old: write ser_pipeline.features.catalogue.as_markdown() to it"
    )


def test_the_page_names_every_feature():
    page = as_markdown()
    assert [name for name in NAMES if f"| `{name}` |" not in page] == []
