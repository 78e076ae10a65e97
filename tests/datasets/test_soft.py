import numpy as np
import pyarrow as pa
import pytest

from ser_pipeline.datasets.soft import soft_targets, vote_cells
from ser_pipeline.labels import TASKS, emotion_id
from ser_pipeline.manifest import SCHEMA


def column(*rows, chunks=1):
    entries = [
        None if row is None else [(emotion_id(name), count) for name, count in row.items()] for row in rows
    ]
    size = -(-len(entries) // chunks)
    parts = [entries[start : start + size] for start in range(0, len(entries), size)]
    return pa.chunked_array([pa.array(part, SCHEMA.field("votes").type) for part in parts])


def test_votes_are_shares_of_the_tasks_classes():
    votes = column({"anger": 6, "sadness": 2, "disgust": 3}, {"neutral": 1})
    found = soft_targets(votes, np.array([3, 2]), TASKS["4class"])
    assert found.tolist() == [[0.75, 0, 0, 0.25], [0, 0, 1, 0]]  # disgust is no class
    assert found.dtype == np.float32


@pytest.mark.parametrize("nothing", [None, {}, {"disgust": 4, "other": 2}])
def test_without_a_vote_that_counts_the_label_stays(nothing):
    found = soft_targets(column({"anger": 1}, nothing), np.array([0, 3]), TASKS["4class"])
    assert found[1].tolist() == [0, 0, 0, 1]


def test_merged_emotions_count_as_what_they_merge_into():
    votes = column({"happiness": 1, "excitement": 2, "anger": 1})
    assert soft_targets(votes, np.array([0]), TASKS["iemocap4"])[0].tolist() == [0.25, 0.75, 0, 0]


def test_part_of_a_target_can_stay_with_the_label():
    votes = column({"anger": 1, "sadness": 1}, None)
    found = soft_targets(votes, np.array([1, 2]), TASKS["4class"], share=0.6)
    assert found[0].tolist() == pytest.approx([0.3, 0.4, 0, 0.3])
    assert found[1].tolist() == [0, 0, 1, 0]


def test_rows_are_distributions_however_the_column_is_stored(rng):
    rows = [
        {name: int(rng.integers(0, 9)) for name in ("anger", "sadness", "fear", "neutral")} for _ in range(50)
    ]
    targets = rng.integers(0, 6, 50)
    found = soft_targets(column(*rows), targets, TASKS["6class"])
    assert found.sum(1) == pytest.approx(np.ones(50))
    assert (found == soft_targets(column(*rows, chunks=7), targets, TASKS["6class"])).all()
    some = soft_targets(
        column(*rows)[10:30].take(pa.array([3, 0, 19])), targets[[13, 10, 29]], TASKS["6class"]
    )
    assert (some == found[[13, 10, 29]]).all()


def test_no_clips_have_no_votes():
    clip, identity, count = vote_cells(column({"anger": 1})[:0])
    assert (len(clip), len(identity), len(count)) == (0, 0, 0)
