import numpy as np
import pyarrow as pa
import pytest

from ser_pipeline.datasets.examples import COLUMNS, select_examples
from ser_pipeline.errors import SettingsError, TrainingError
from ser_pipeline.labels import TASKS, emotion_id

EMOTIONS = ["anger", "calm", "sadness", "other", "fear", "neutral"]
PARTS = np.array([0, 0, 1, 2, 0, -1], np.int8)


@pytest.fixture
def manifest():
    columns = {name: ["x"] * 6 for name in COLUMNS}
    columns |= {
        "utterance_id": [f"u{number}" for number in range(6)],
        "corpus": ["emodb", "ravdess", "emodb", "nemo", "emodb", "emodb"],
        "language": ["de", "en-US", "de", "pl", "de", "de"],
        "emotion_id": pa.array([emotion_id(name) for name in EMOTIONS], pa.int8()),
    }
    return pa.table(columns)


def ids(examples):
    return examples.table["utterance_id"].to_pylist()


def test_clips_of_other_emotions_and_without_a_part_stay_out(manifest):
    found = select_examples(manifest, PARTS, TASKS["4class"])
    assert ids(found) == ["u0", "u2"]
    assert found.target.tolist() == [0, 3]
    assert found.part.tolist() == [0, 1]


def test_merged_emotions_count_as_their_target(manifest):
    found = select_examples(manifest, PARTS, TASKS["4class"].merged({"calm": "neutral"}))
    assert ids(found) == ["u0", "u1", "u2"]
    assert found.target.tolist() == [0, 2, 3]


def test_corpora_and_languages_filter(manifest):
    task = TASKS["6class"].merged({"calm": "neutral"})
    assert ids(select_examples(manifest, PARTS, task, corpora=["ravdess"])) == ["u1"]
    assert ids(select_examples(manifest, PARTS, task, languages=["de"])) == ["u0", "u2", "u4"]
    assert ids(select_examples(manifest, PARTS, task, languages=["en", "pl"])) == ["u1"]


def test_a_task_may_be_about_some_corpora_only(manifest):
    task = TASKS["4class"].merged({})
    only = type(task)(task.name, task.emotions, {"calm": "neutral"}, ("ravdess",))
    assert ids(select_examples(manifest, PARTS, only)) == ["u1"]


def test_filters_that_match_nothing_are_named(manifest):
    with pytest.raises(SettingsError, match="corpus 'savee' is not in the manifest; it has emodb, nemo, rav"):
        select_examples(manifest, PARTS, TASKS["4class"], corpora=["savee"])
    with pytest.raises(SettingsError, match="language 'e' is not in the manifest; it has de, en-US, pl"):
        select_examples(manifest, PARTS, TASKS["4class"], languages=["e"])


def test_no_clip_left_is_an_error(manifest):
    with pytest.raises(TrainingError, match="task '4class': no clip of anger, happiness, neutral, sadness"):
        select_examples(manifest, PARTS, TASKS["4class"], corpora=["nemo"])


def test_parts_and_columns(manifest):
    found = select_examples(manifest, PARTS, TASKS["4class"])
    assert ids(found.of_part("validation")) == ["u2"]
    assert found.column("language").tolist() == ["de", "de"]
    assert len(found.take(np.array([1]))) == 1
