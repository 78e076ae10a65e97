import pytest

from ser_pipeline.experiments.identity import cell_key, deciding
from ser_pipeline.settings import recipe


def key(manifest="m", split="s", own=None, **changes):
    return cell_key(recipe(**changes), manifest_digest=manifest, split_digest=split, own_tasks=own)


DNN = {"model": {"name": "dnn"}}


@pytest.mark.parametrize(
    "changes",
    [
        {"train": {"seed": 1}},
        {"train": {"loss": "focal"}},
        {"train": {"mixup": {"alpha": 0.3}}},
        {"normalise": "speaker"},
        {"feature_set": "egemaps"},
        {"features": {"pitch_floor_hz": 70.0}},
        {"task": "6class"},
        {"train_share": 0.5},
        {"train_corpora": ("emodb",)},
        {"corpora": ("emodb",)},
        {"merges": {"calm": "neutral"}},
        {"fold": "all"},
        {"manifest": "other"},
        {"split": "other"},
        {"own": {"4class": ["anger", "fear"]}},
    ],
)
def test_whatever_decides_a_number_changes_the_key(changes):
    pytest.importorskip("opensmile") if "feature_set" in changes else None
    assert key(**{**DNN, **changes}) != key(**DNN)


@pytest.mark.parametrize(
    "changes", [{"train": {"workers": 2}}, {"train": {"device": "cpu"}}, {"front_end": {"n_mels": 80}}]
)
def test_what_decides_nothing_does_not(changes):
    assert key(**DNN, **changes) == key(**DNN)


def test_an_epoch_more_is_another_network_but_not_another_classifier():
    more = {"train": {"epochs": 9}}
    assert key(**DNN, **more) != key(**DNN)
    svm = {"model": {"name": "svm"}}
    assert key(**svm, **more) == key(**svm)


def test_a_preset_is_the_settings_it_stands_for():
    assert "preset" not in deciding(recipe("paper"))
    assert deciding(recipe("paper")) != deciding(recipe())
