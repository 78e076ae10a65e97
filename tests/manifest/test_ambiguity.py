import pytest

from ser_pipeline.manifest.ambiguity import ALL, ambiguities, ambiguity_table
from ser_pipeline.tables import records

ROWS = [
    {"corpus": "cremad", "emotion_id": 0, "agreement": 1.0, "votes": [(0, 4)]},
    {"corpus": "cremad", "emotion_id": 0, "agreement": 0.5, "votes": [(0, 2), (3, 2)]},
    {"corpus": "cremad", "emotion_id": 3, "agreement": 0.75, "votes": [(-1, 3), (3, 1)]},
    {"corpus": "cremad", "emotion_id": 3},
    {"corpus": "emodb", "agreement": 0.8},
    {"corpus": "nemo"},
]


def test_votes_and_agreement_by_corpus_and_emotion(in_memory):
    found = {(each.corpus, each.emotion): each for each in ambiguities(in_memory(ROWS))}
    assert [emotion for corpus, emotion in found if corpus == "cremad"] == [ALL, "anger", "sadness"]
    anger, sadness = found["cremad", "anger"], found["cremad", "sadness"]
    assert (anger.clips, anger.voted, anger.agreement, anger.majority) == (2, 2, 0.75, 0.5)
    assert (anger.label, anger.entropy, anger.confused) == (0.75, 0.5, ("sadness", 0.25))
    assert (sadness.clips, sadness.voted, sadness.majority) == (2, 1, 1.0)
    assert sadness.entropy == pytest.approx(0.811278, abs=1e-6)
    assert sadness.confused == ("other", 0.75)
    whole = found["cremad", ALL]
    assert (whole.clips, whole.voted, whole.label) == (4, 3, 7 / 12)
    assert whole.entropy == pytest.approx((2 * anger.entropy + sadness.entropy) / 3)


def test_one_voice_has_no_entropy_and_no_confusion(in_memory):
    (_, anger) = ambiguities(in_memory(ROWS[:1]))
    assert (anger.majority, anger.label, anger.entropy, anger.confused) == (1.0, 1.0, 0.0, None)


def test_corpora_without_votes_are_said_to_have_none(in_memory):
    table, notes = ambiguity_table(in_memory(ROWS))
    emodb = next(row for row in records(table) if row["corpus"] == "emodb")
    assert emodb["agreement"] == pytest.approx(0.8)
    assert emodb["entropy (bits)"] is None
    assert notes == [
        "only the agreement of listeners is known, and no votes, for emodb",
        "neither votes nor agreement of listeners are known for nemo",
    ]
    assert ambiguity_table(in_memory([]))[1] == []


def test_at_a_glance_each_corpus_has_one_row(in_memory):
    brief, notes = ambiguity_table(in_memory(ROWS), each_emotion=False)
    whole, same = ambiguity_table(in_memory(ROWS))
    assert notes == same
    assert [row.entries[0].text for row in brief.rows] == ["cremad", "emodb"]
    assert {*whole.headings} - {*brief.headings} == {"emotion", "entropy (bits)"}
    wanted = [row for row in records(whole) if row["emotion"] == ALL]
    assert records(brief) == [{name: row[name] for name in brief.headings} for row in wanted]
