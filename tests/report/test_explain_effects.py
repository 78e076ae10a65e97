import pytest

from ser_pipeline.report.document import plain
from ser_pipeline.report.explain_effects import (
    correlation_blocks,
    effect_blocks,
    language_blocks,
    strongest_features,
)

pytestmark = pytest.mark.usefixtures("no_drawings")


def test_features_with_the_greatest_effects_are_chosen_by_group(fake):
    names = [f"f{number}" for number in range(6)]
    found = fake.explanation(names=names, groups=("a", "a", "a", "b", "b", "c"))
    # of three in a group the weakest is out; f3 has an effect of 0 and f5 none at all
    assert strongest_features(found, found.effects[0]) == [0, 1, 4]


def test_table_holds_effects_with_intervals_and_weighs_clear_ones(fake):
    _, table = effect_blocks("R1", fake.explanation(), ())
    assert [group.title for group in table.groups] == ["pitch", "energy"]
    name, anger, happiness, *_ = table.rows[0].cells
    assert name.text == "pitch_st_mean"
    assert (anger.value, anger.note, anger.strong) == (1.5, "+1.20 to +1.90", True)
    assert happiness.text == "\u22121.50"
    unclear = fake.explanation(names=("x", "y"), groups=("g", "g"))
    tiny = unclear.effects[0].model_copy(update={"values": ((0.1,) * 4,) * 2, "low": ((-0.1,) * 4,) * 2})
    _, table = effect_blocks("R1", unclear.model_copy(update={"effects": (tiny,)}), ())
    assert not table.rows[0].cells[1].strong


def test_nothing_measured_is_said(fake):
    found = fake.explanation()
    empty = ((None,) * 4,) * 4
    none = found.effects[0].model_copy(update={"values": empty, "low": empty, "high": empty})
    (block,) = effect_blocks("R1", found.model_copy(update={"effects": (none,)}), ())
    assert "No speaker has enough clips" in plain(block.words)


def test_languages_are_named_and_counted(fake):
    _, table = language_blocks("R1", fake.explanation(), ())
    assert [cell.text for cell in table.rows[0].cells][:2] == ["German (de) / Polish (pl)", "0.50"]
    assert table.rows[0].cells[4].text == "\u2013"
    assert table.notes[0].startswith("German (de): 90 clips of 9 speakers; Polish (pl): 90 clips")


def test_one_language_is_not_compared(fake):
    assert list(language_blocks("R1", fake.explanation(languages=()), ())) == []


def test_pairs_that_say_the_same_are_listed(fake):
    _, table = correlation_blocks("R1", fake.explanation(), ())
    assert [cell.text for cell in table.rows[0].cells] == ["pitch_st_mean", "pitch_hz_std", "\u22120.987"]
    figures = list(correlation_blocks("R1", fake.explanation(closest=[]), ()))
    assert len(figures) == 1
