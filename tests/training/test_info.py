from dataclasses import replace

import pytest

from ser_pipeline.errors import RunError
from ser_pipeline.records import PARTS
from ser_pipeline.runs.files import read_info, write_info
from ser_pipeline.training.info import check_same, describe


def test_a_run_is_described_by_what_repeats_it(toy, tmp_path):
    data = toy.data(train={"seed": 7, "precision": "fp32", "device": "cpu"})
    info = describe(data, tmp_path / "a", command="ser train crnn --seed 7", parameters=5)
    assert (info.name, info.command, info.parameters, info.model) == (
        "a",
        "ser train crnn --seed 7",
        5,
        "crnn",
    )
    assert info.recipe.train.seed == 7
    assert info.manifest_digest == data.manifest_digest
    assert info.split.digest == data.split.digest
    assert info.store_fingerprint == data.store.fingerprint
    assert {"torch", "numpy", "python"} <= info.versions.keys()
    assert (info.extra["device"], info.extra["precision"]) == ("cpu", "32-true")
    write_info(tmp_path / "a", info)
    assert read_info(tmp_path / "a") == info


def test_a_run_says_which_corpora_it_learned_from(toy, tmp_path):
    data = toy.data()
    parts = data.examples.part.copy()
    parts[data.examples.column("corpus") == "emodb"] = PARTS.index("test")
    info = describe(
        replace(data, examples=replace(data.examples, part=parts)), tmp_path, command="", parameters=1
    )
    assert info.corpora == ("emodb", "nemo")
    assert info.train_corpora == info.learned_from == ("nemo",)
    before = info.model_copy(update={"train_corpora": ()})
    assert before.learned_from == ("emodb", "nemo")


def test_a_run_that_goes_on_keeps_its_start(toy, tmp_path):
    first = describe(toy.data(), tmp_path, command="first", parameters=1)
    write_info(tmp_path, first.model_copy(update={"created": "2020-01-01T00:00:00+00:00"}))
    again = describe(toy.data(), tmp_path, command="again", parameters=1)
    assert (again.command, again.created) == ("first", "2020-01-01T00:00:00+00:00")


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"manifest_digest": "x"}, "manifest"),
        ({"store_fingerprint": "x"}, "feature store"),
        ({"emotions": ("fear", "calm")}, "list of emotions"),
    ],
)
def test_other_inputs_are_refused_by_name(toy, tmp_path, change, what):
    data = toy.data()
    info = describe(data, tmp_path, command="", parameters=1).model_copy(update=change)
    with pytest.raises(RunError, match=f"the {what} is not the one this run was trained on"):
        check_same(info, data, tmp_path)


def test_a_manifest_with_other_clips_says_how_many(toy, tmp_path):
    data = toy.data()
    info = describe(data, tmp_path, command="", parameters=1).model_copy(update={"manifest_digest": "x"})
    with pytest.raises(
        RunError, match=r"\(as many clips, of which files or labels differ; 'ser manifest build'"
    ):
        check_same(info, data, tmp_path)
    train = info.counts["train"]
    more = info.model_copy(update={"counts": {**info.counts, "train": train + 2}})
    with pytest.raises(
        RunError, match=rf"trained on \({train + 2} clips for train then and {train} now; 'ser"
    ):
        check_same(more, data, tmp_path)


def test_another_split_is_refused_by_name(toy, tmp_path):
    data = toy.data()
    info = describe(data, tmp_path, command="", parameters=1)
    other = info.model_copy(update={"split": info.split.model_copy(update={"digest": "x"})})
    with pytest.raises(RunError, match="the split 'speaker' is not the one"):
        check_same(other, data, tmp_path)
