import numpy as np
import pyarrow as pa
import pytest

from ser_pipeline.datasets.examples import (
    COLUMNS,
    Examples,
    _of_some_speakers,
    drawn_as,
    resolve_task,
    restrict_training,
    select_examples,
)
from ser_pipeline.errors import LabelError, SettingsError, TrainingError
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
    assert ids(select_examples(manifest, PARTS, task, languages=["EN", "pl"])) == ["u1"]


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


def rows(*groups):
    """Manifest and parts of groups (emotion, part, clips, speakers)."""
    emotions, speakers, parts = [], [], []
    for emotion, part, clips, people in groups:
        emotions += [emotion_id(emotion)] * clips
        speakers += [f"{part}-{number % people}" for number in range(clips)]
        parts += [part] * clips
    table = pa.table({"emotion_id": pa.array(emotions, pa.int8()), "speaker_id": speakers})
    return table, np.array(parts, np.int8)


ENOUGH = [("anger", 0, 20, 2), ("anger", 2, 20, 2), ("boredom", 0, 40, 5), ("boredom", 2, 20, 2)]


def test_named_tasks_need_no_recordings():
    assert resolve_task("6class", *rows()).emotions[-1] == "surprise"


def test_all_takes_classes_with_enough_clips_and_speakers_in_each_part():
    table, parts = rows(
        *ENOUGH, ("fear", 0, 99, 9), ("fear", 2, 19, 9), ("calm", 0, 50, 5), ("calm", 2, 50, 1)
    )
    assert resolve_task("all", table, parts).emotions == ("anger", "boredom")


def test_all_asks_for_no_speakers_where_none_is_known():
    table, parts = rows(*ENOUGH, ("fear", 0, 99, 1), ("fear", 2, 99, 1))
    unknown = table.set_column(1, "speaker_id", [["c-unknown"] * len(table)])
    assert resolve_task("all", unknown, parts).emotions == ("anger", "fear", "boredom")
    speakers = table["speaker_id"].to_pylist()
    some = table.set_column(1, "speaker_id", [[*speakers[:-1], "c-unknown"]])  # and nobody is no second one
    assert resolve_task("all", some, parts).emotions == ("anger", "boredom")


def test_all_counts_after_merging_and_keeps_the_merge():
    table, parts = rows(*ENOUGH, ("neutral", 0, 10, 2), ("neutral", 2, 20, 2), ("calm", 0, 10, 2))
    assert "neutral" not in resolve_task("all", table, parts).emotions
    merged = resolve_task("all", table, parts, merges={"calm": "neutral", "contempt": "disgust"})
    assert merged.emotions == ("anger", "neutral", "boredom")
    assert merged.merges == {"calm": "neutral"}


def test_rows_without_a_part_count_for_nothing():
    table, parts = rows(*ENOUGH, ("fear", -1, 99, 9))
    assert resolve_task("all", table, parts).emotions == ("anger", "boredom")


def test_all_with_one_class_is_an_error():
    with pytest.raises(LabelError, match="task 'all': 1 emotions have 20 clips and 2 speakers in each part"):
        resolve_task("all", *rows(*ENOUGH[:2]))


def test_own_tasks_come_first():
    assert resolve_task("all", *rows(), own={"all": ["fear", "calm"]}).emotions == ("fear", "calm")


def test_unknown_tasks_are_named():
    with pytest.raises(LabelError, match="task '5class' does not exist; valid are 4class"):
        resolve_task("5class", *rows())


def part_ids(data, part):
    return data.examples.column("utterance_id")[data.rows(part)].tolist()


def speakers(data):
    return set(data.examples.column("speaker_id")[data.rows("train")].tolist())


@pytest.mark.parametrize(
    "changes", [{"train_corpora": ("emodb",)}, {"train_share": 0.4}, {"train_share": 0.1}]
)
def test_the_test_clips_never_change(toy, changes):
    whole, some = toy.data(), toy.data(**changes)
    assert part_ids(some, "test") == part_ids(whole, "test")
    assert set(part_ids(some, "train")) < set(part_ids(whole, "train"))


def test_a_share_leaves_validation_alone_and_a_choice_of_corpora_does_not_look_at_others(toy):
    whole = part_ids(toy.data(), "validation")
    assert part_ids(toy.data(train_share=0.4), "validation") == whole
    chosen = part_ids(toy.data(train_corpora=("emodb",)), "validation")
    assert chosen == [name for name in whole if name.startswith("emodb/")]


def test_training_keeps_the_corpora_named(toy):
    assert {name.partition("-")[0] for name in speakers(toy.data(train_corpora=("nemo",)))} == {"nemo"}


def test_a_share_keeps_whole_speakers_of_every_corpus(toy):
    whole, some = toy.data(), toy.data(train_share=0.5)
    kept = speakers(some)
    assert sorted(name.partition("-")[0] for name in kept) == ["emodb", "emodb", "nemo", "nemo"]
    names = whole.examples.column("speaker_id")[whole.rows("train")].tolist()
    assert some.counts()["train"] == sum(name in kept for name in names)


def test_a_share_of_speakers_is_not_rounded_up_by_a_trace():
    names = [f"a-{number:03}" for number in range(100)]
    table = pa.table({"speaker_id": names, "corpus": ["a"] * 100, "utterance_id": names})
    kept = _of_some_speakers(Examples(table, *[np.zeros(100, np.int8)] * 2), np.ones(100, np.bool_), 0.55, 0)
    assert kept.sum() == 55


def test_a_larger_share_holds_a_smaller_one_and_seeds_differ(toy):
    assert speakers(toy.data(train_share=0.3)) < speakers(toy.data(train_share=0.6))
    found = {frozenset(speakers(toy.data(train_share=0.3, train={"seed": seed}))) for seed in range(8)}
    assert len(found) > 1


@pytest.mark.parametrize("named", [0, 10])
def test_a_share_of_clips_of_nobody_is_drawn_clip_by_clip(named):
    names = [f"a-{number}" for number in range(named)] + ["a-unknown"] * 40
    columns = {"utterance_id": [f"a/{n}" for n in range(len(names))], "corpus": ["a"] * len(names)}
    table = pa.table({**columns, "speaker_id": names})
    examples = Examples(table, np.zeros(len(names), np.int8), np.zeros(len(names), np.int64))
    kept = []
    for share in (0.1, 0.5):
        some = restrict_training(examples, corpora=(), share=share, seed=0)
        nobodys = some.column("speaker_id") == "a-unknown"
        assert [nobodys.sum(), (~nobodys).sum()] == [40 * share, named * share]
        kept.append(set(some.column("utterance_id").tolist()))
    assert kept[0] < kept[1]
    assert drawn_as(table, 1.0).tolist() == names


def test_wrong_values_are_said(toy):
    with pytest.raises(SettingsError, match="corpus 'savee' is not in the manifest"):
        toy.data(train_corpora=("savee",))
    with pytest.raises(SettingsError, match="train_share"):
        toy.recipe(train_share=0.0)
    with pytest.raises(TrainingError, match="no training clip"):
        toy.data(train_corpora=("nemo",), corpora=("emodb",))
