import pytest

from ser_pipeline.errors import SettingsError, TrainingError


def ids(data, part):
    return data.examples.column("utterance_id")[data.rows(part)].tolist()


def speakers(data):
    return set(data.examples.column("speaker_id")[data.rows("train")].tolist())


@pytest.mark.parametrize(
    "changes", [{"train_corpora": ("emodb",)}, {"train_share": 0.4}, {"train_share": 0.1}]
)
def test_the_test_clips_never_change(toy, changes):
    whole, some = toy.data(), toy.data(**changes)
    assert ids(some, "test") == ids(whole, "test")
    assert set(ids(some, "train")) < set(ids(whole, "train"))


def test_a_share_leaves_validation_alone_and_a_choice_of_corpora_does_not_look_at_others(toy):
    whole = ids(toy.data(), "validation")
    assert ids(toy.data(train_share=0.4), "validation") == whole
    chosen = ids(toy.data(train_corpora=("emodb",)), "validation")
    assert chosen == [name for name in whole if name.startswith("emodb/")]


def test_training_keeps_the_corpora_named(toy):
    assert {name.partition("-")[0] for name in speakers(toy.data(train_corpora=("nemo",)))} == {"nemo"}


def test_a_share_keeps_whole_speakers_of_every_corpus(toy):
    whole, some = toy.data(), toy.data(train_share=0.5)
    kept = speakers(some)
    assert sorted(name.partition("-")[0] for name in kept) == ["emodb", "emodb", "nemo", "nemo"]
    names = whole.examples.column("speaker_id")[whole.rows("train")].tolist()
    assert some.counts()["train"] == sum(name in kept for name in names)


def test_a_larger_share_holds_a_smaller_one_and_seeds_differ(toy):
    assert speakers(toy.data(train_share=0.3)) < speakers(toy.data(train_share=0.6))
    found = {frozenset(speakers(toy.data(train_share=0.3, train={"seed": seed}))) for seed in range(8)}
    assert len(found) > 1


def test_wrong_values_are_said(toy):
    with pytest.raises(SettingsError, match="corpus 'savee' is not in the manifest"):
        toy.data(train_corpora=("savee",))
    with pytest.raises(SettingsError, match="train_share"):
        toy.recipe(train_share=0.0)
    with pytest.raises(TrainingError, match="no training clip"):
        toy.data(train_corpora=("nemo",), corpora=("emodb",))
