import numpy as np
import pytest

from ser_pipeline.manifest.balance import quota
from ser_pipeline.manifest.dealing import Rows, deal_family, evenly, in_shares


def thirds(count):
    return quota(count, (60, 20, 20))


def test_shares_of_a_corpus_with_all_parts():
    wanted = in_shares((60, 20, 20), thirds)(10)
    assert wanted.clips.tolist() == [0.6, 0.2, 0.2]
    assert wanted.units.tolist() == [0.6, 0.2, 0.2]
    assert wanted.filled.all()


def test_shares_of_a_corpus_that_cannot_fill_all_parts():
    wanted = in_shares((60, 20, 20), thirds)(2)
    assert wanted.clips.tolist() == [0.75, 0.0, 0.25]
    assert wanted.units.tolist() == [0.5, 0.0, 0.5]
    assert wanted.filled.tolist() == [True, False, True]


@pytest.mark.parametrize(("count", "filled"), [(3, False), (4, True), (9, True)])
def test_folds_are_all_needed_when_there_are_enough_people(count, filled):
    wanted = evenly(4)(count)
    assert wanted.clips.tolist() == [0.25] * 4
    assert wanted.filled.tolist() == [filled] * 4


def test_genders_and_classes_are_balanced(manifest_of, people_rows):
    rows = people_rows(speakers=20)
    for row in rows:  # half of the speakers never sound afraid
        if row["emotion_id"] == 3 and int(row["speaker_id"][-3:]) % 4 < 2:
            row["emotion_id"] = 2
    numbered = Rows.of(manifest_of(rows).table)
    everything = np.ones(len(numbered), bool)
    parts = deal_family(
        numbered, everything, thirds, in_shares((60, 20, 20), thirds), np.random.default_rng(0)
    )
    for part, share in enumerate((0.6, 0.2, 0.2)):
        mine = parts == part
        assert mine.mean() == share
        assert numbered.gender[mine].mean() == 0.5
        for emotion in range(4):
            whole = (numbered.emotion == emotion).sum()
            assert (numbered.emotion[mine] == emotion).sum() / whole == pytest.approx(share, abs=0.03)


def test_a_unit_is_never_torn(manifest_of, people_rows):
    rows = people_rows("ravdess", 12) + [
        {
            **row,
            "corpus": "ravdess-song",
            "utterance_id": f"{row['utterance_id']}s",
            "audio_digest": f"f{n:031x}",
        }
        for n, row in enumerate(people_rows("ravdess", 5))
    ]
    numbered = Rows.of(manifest_of(rows).table)
    everything = np.ones(len(numbered), bool)
    parts = deal_family(
        numbered, everything, thirds, in_shares((60, 20, 20), thirds), np.random.default_rng(0)
    )
    for unit in range(len(numbered.people.units.names)):
        assert len(np.unique(parts[numbered.people.units.of == unit])) == 1
    songs = numbered.people.corpora.of == 1
    assert set(parts[songs].tolist()) == {0, 1, 2}
