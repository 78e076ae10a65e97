from ser_pipeline.explanations import ProfileSummary
from ser_pipeline.report.document import plain
from ser_pipeline.report.explain_profiles import profile_blocks


def test_rows_say_published_measured_and_verdict(fake):
    summary, table = profile_blocks("R1", fake.explanation(), ())
    assert [group.title for group in table.groups] == ["anger", "sadness"]
    assert [column.title for column in table.columns] == [
        "Property", "Published", "Measured, g", "Verdict", "German (de)", "Polish (pl)", "Stated by",
    ]  # fmt: skip
    first = [cell.text for cell in table.rows[0].cells]
    assert first == ["mean pitch", "\u2191 up", "+1.25", "agrees", "+1.25", "\u2013", "Author 1999"]
    assert len(table.rows) == 3  # what no source states is left to the file
    assert table.rows[2].cells[3].strong  # it opposes
    assert "mean pitch: pitch_st_mean, -other" in table.notes[0]
    told = plain(summary.words)
    assert (
        "of 2 clear effects with a published direction 1 go that way and 1 the other (mean pitch in sadness)"
        in told
    )
    assert "3 are not clear" in told
    assert "probability of 75.0 %" in told


def test_small_chances_are_not_rounded_to_zero(fake):
    sure = ProfileSummary(agrees=14, opposes=0, unclear=0, chance=2**-14)
    summary, _ = profile_blocks("R1", fake.explanation(summary=sure), ())
    assert "probability of less than 0.1 %" in plain(summary.words)


def test_nothing_clear_is_said(fake):
    none = ProfileSummary(agrees=0, opposes=0, unclear=7, chance=1.0)
    summary, _ = profile_blocks("R1", fake.explanation(summary=none), ())
    assert "none of 7 effects with a published direction is clear enough" in plain(summary.words)


def test_features_of_other_names_have_nothing_to_compare(fake):
    (block,) = profile_blocks("R1", fake.explanation(profiles=()), ())
    assert "there is nothing to compare with" in plain(block.words)
