import pytest

from ser_pipeline.errors import ManifestError, SettingsError
from ser_pipeline.evaluation.condition import score_where
from ser_pipeline.evaluation.run import score_folds, score_run
from ser_pipeline.training.folds import train_folds
from ser_pipeline.training.run import train_run
from tests.training.conftest import Silent

TRAIN = {"epochs": 1, "spec_augment": {"frequency_masks": 0, "time_masks": 0}}


def test_scores_of_some_clips_are_those_of_their_group(toy, tmp_path):
    data, folder = toy.data(train=TRAIN), tmp_path / "run"
    train_run(data, folder, Silent(), command="c")
    whole = score_run(folder, data).parts["test"]
    found, left_out = score_where(folder, "corpus = 'nemo'", part="test", manifests=toy.manifests)
    group = next(group for group in whole.groups if group.name == "nemo")
    assert (found.pooled.clips, found.pooled.uar.value) == (group.clips, group.uar)
    every, _ = score_where(folder, "duration_s > 0", part="test", manifests=toy.manifests)
    assert (every, left_out) == (whole, "")


def test_clips_of_all_folds_are_pooled(toy, tmp_path):
    inputs, folder = toy.inputs(split="loco", fold="all", train=TRAIN), tmp_path / "run"
    train_folds(inputs, folder, Silent(), command="c", on_note=lambda sentence: None)
    whole = score_folds(folder, inputs).parts["test"]
    every, _ = score_where(folder, "true", part="test", manifests=toy.manifests)
    assert every == whole


def test_what_cannot_be_scored_is_said(toy, tmp_path):
    data, folder = toy.data(train=TRAIN), tmp_path / "run"
    train_run(data, folder, Silent(), command="c")
    score_run(folder, data)
    with pytest.raises(
        ManifestError, match=r"holds for none of 24 recordings; 24 recordings have no agr.*test"
    ):
        score_where(folder, "agreement > 0.5", part="test", manifests=toy.manifests)
    with pytest.raises(SettingsError, match="no column 'agree'"):
        score_where(folder, "agree > 0.5", part="test", manifests=toy.manifests)
