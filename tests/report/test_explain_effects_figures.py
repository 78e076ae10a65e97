import re

from ser_pipeline.manifest.cards import KnownCorpora
from ser_pipeline.report.drawing import INKS
from ser_pipeline.report.explain_effects import (
    effects_panel,
    groups_panel,
    importance_panel,
    language_panel,
)

KNOWN = KnownCorpora.of({})


def test_importances_are_told_in_points(fake):
    entries = fake.explanation().importances
    for bars in (True, False):
        drawn = importance_panel("x", "a feature", entries, bars=bars)
        assert drawn.alt == (
            "Drop of UAR in points when a feature is permuted: pitch_st_mean 5.0; pitch_hz_std 3.0; "
            "level_mean 1.0; tempo \u22121.0"
        )
        assert "pitch_st_mean" in drawn.inline
        assert "drop of UAR in points" in drawn.inline
        assert drawn.png.startswith(b"\x89PNG")


def test_importance_follows_the_page_into_dark_mode(fake):
    drawn = importance_panel("x", "a feature", fake.explanation().importances, bars=True)
    colours = set(re.findall(r"(?:fill|stroke): (#[0-9a-f]{6}|var\(--\w+\))", drawn.inline))
    assert colours <= set(INKS.values())


def test_effects_stand_in_cells_with_their_signs(fake):
    found = fake.explanation()
    drawn = effects_panel("x", [0, 2, 3], found, found.effects[0])
    assert "pitch_st_mean: anger +1.50, happiness \u22121.50, neutral +1.50" in drawn.alt
    assert drawn.alt.endswith("tempo: ")  # cells without a number are empty
    assert drawn.inline.count("+1.50") >= 2
    assert drawn.wide


def test_languages_and_groups_are_told(fake):
    found = fake.explanation()
    assert "German (de) / Polish (pl): anger +0.50, happiness +0.20" in language_panel("x", found, KNOWN).alt
    drawn = groups_panel("y", found)
    assert "pitch: pitch 1.00, energy 0.25, rhythm 0.25" in drawn.alt


def test_names_are_cut_and_cleaned(fake):
    long = "x" * 60 + "\x00"
    found = fake.explanation(names=(long, "b", "c", "d"), groups=("g" * 50, "a", "b", "c"))
    for drawn in (
        importance_panel("x", "a feature", found.importances, bars=False),
        effects_panel("x", [0, 1], found, found.effects[0]),
        groups_panel("x", found),
    ):
        assert "x" * 31 not in drawn.inline.replace(drawn.alt, "")
        assert "\x00" not in drawn.alt
