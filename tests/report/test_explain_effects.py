import re

from ser_pipeline.manifest.cards import KnownCorpora
from ser_pipeline.report.document import plain
from ser_pipeline.report.drawing import INKS
from ser_pipeline.report.explain_effects import (
    correlation_blocks,
    effect_blocks,
    effects_panel,
    groups_panel,
    importance_panel,
    language_blocks,
    language_panel,
    profile_blocks,
    strongest_features,
)
from ser_pipeline.runs.explanation import ProfileSummary

KNOWN = KnownCorpora.of({})


def test_features_with_the_greatest_effects_are_chosen_by_group(fake):
    names = [f"f{number}" for number in range(6)]
    found = fake.explanation(names=names, groups=("a", "a", "a", "b", "b", "c"))
    # of three in a group the weakest is out; f3 has an effect of 0 and f5 none at all
    assert strongest_features(found, found.effects[0]) == [0, 1, 4]


def test_table_holds_effects_with_intervals_and_weighs_clear_ones(fake):
    _, table = effect_blocks("R1", fake.explanation(), ())
    assert [group.title for group in table.groups] == ["pitch", "energy"]
    name, anger, happiness, *_ = table.rows[0].entries
    assert name.text == "pitch_st_mean"
    assert (anger.value, anger.note, anger.strong) == (1.5, "+1.20 to +1.90", True)
    assert happiness.text == "\u22121.50"
    unclear = fake.explanation(names=("x", "y"), groups=("g", "g"))
    tiny = unclear.effects[0].model_copy(update={"values": ((0.1,) * 4,) * 2, "low": ((-0.1,) * 4,) * 2})
    _, table = effect_blocks("R1", unclear.model_copy(update={"effects": (tiny,)}), ())
    assert not table.rows[0].entries[1].strong


def test_nothing_measured_is_said(fake):
    found = fake.explanation()
    empty = ((None,) * 4,) * 4
    none = found.effects[0].model_copy(update={"values": empty, "low": empty, "high": empty})
    (block,) = effect_blocks("R1", found.model_copy(update={"effects": (none,)}), ())
    assert "No speaker has enough clips" in plain(block.words)


def test_languages_are_named_and_counted(fake):
    _, table = language_blocks("R1", fake.explanation(), KNOWN, ())
    assert [cell.text for cell in table.rows[0].entries][:2] == ["German (de) / Polish (pl)", "0.50"]
    assert table.rows[0].entries[4].text == "\u2013"
    assert table.notes[0].startswith("German (de): 90 clips of 9 speakers; Polish (pl): 90 clips")


def test_one_language_is_not_compared(fake):
    assert list(language_blocks("R1", fake.explanation(languages=()), KNOWN, ())) == []


def test_pairs_that_say_the_same_are_listed(fake):
    _, table = correlation_blocks("R1", fake.explanation(), ())
    assert [cell.text for cell in table.rows[0].entries] == ["pitch_st_mean", "pitch_hz_std", "\u22120.987"]
    figures = list(correlation_blocks("R1", fake.explanation(closest=[]), ()))
    assert len(figures) == 1


def test_rows_say_published_measured_and_verdict(fake):
    summary, table = profile_blocks("R1", fake.explanation(), KNOWN, ())
    assert [group.title for group in table.groups] == ["anger", "sadness"]
    assert [column.heading for column in table.columns] == [
        "Property", "Published", "Measured, g", "Verdict", "German (de)", "Polish (pl)", "Stated by",
    ]  # fmt: skip
    first = [cell.text for cell in table.rows[0].entries]
    assert first == ["mean pitch", "\u2191 up", "+1.25", "agrees", "+1.25", "\u2013", "Author 1999"]
    assert len(table.rows) == 3  # what no source states is left to the file
    assert table.rows[2].entries[3].strong  # it opposes
    assert "mean pitch: pitch_st_mean, -other" in table.notes[0]
    told = plain(summary.words)
    assert (
        "of 2 clear effects with a published direction 1 have that direction and 1 the opposite one "
        "(mean pitch in sadness)" in told
    )
    assert "3 are not clear" in told
    assert "probability of 75.0 %" in told


def test_small_chances_are_not_rounded_to_zero(fake):
    sure = ProfileSummary(agrees=14, opposes=0, unclear=0, chance=2**-14)
    summary, _ = profile_blocks("R1", fake.explanation(summary=sure), KNOWN, ())
    assert "probability of less than 0.1 %" in plain(summary.words)


def test_nothing_clear_is_said(fake):
    none = ProfileSummary(agrees=0, opposes=0, unclear=7, chance=1.0)
    summary, _ = profile_blocks("R1", fake.explanation(summary=none), KNOWN, ())
    assert "none of 7 effects with a published direction is clear enough" in plain(summary.words)


def test_features_of_other_names_have_nothing_to_compare(fake):
    (block,) = profile_blocks("R1", fake.explanation(profiles=()), KNOWN, ())
    assert "There is no published profile to compare with" in plain(block.words)


def test_importances_are_told_in_points(fake):
    entries = fake.explanation().importances
    for bars in (True, False):
        drawn = importance_panel("x", "a feature is permuted", entries, bars=bars)
        assert drawn.alt == (
            "Drop of UAR in points when a feature is permuted: pitch_st_mean 5.0; pitch_hz_std 3.0; "
            "level_mean 1.0; tempo \u22121.0"
        )
        assert "pitch_st_mean" in drawn.inline
        assert "drop of UAR in points" in drawn.inline
        assert drawn.files.keys() == {"svg"}


def test_importance_follows_the_page_into_dark_mode(fake):
    drawn = importance_panel("x", "a feature is permuted", fake.explanation().importances, bars=True)
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
        importance_panel("x", "a feature is permuted", found.importances, bars=False),
        effects_panel("x", [0, 1], found, found.effects[0]),
        groups_panel("x", found),
    ):
        assert "x" * 31 not in drawn.inline.replace(drawn.alt, "")
        assert "\x00" not in drawn.alt
