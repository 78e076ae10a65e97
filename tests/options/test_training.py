import pytest

from ser_pipeline.models import MODELS, EstimatorNetwork
from ser_pipeline.options import CLASSIFIERS, MODEL_INPUTS, applies, recipe


def test_classifiers_are_those_the_models_say():
    assert {name for name, kind in MODELS.items() if kind is EstimatorNetwork} == CLASSIFIERS


@pytest.mark.parametrize("model", sorted(MODEL_INPUTS))
def test_every_model_is_told_by_task_split_and_seed(model):
    for setting in ("task", "split", "corpora", "merges", "train.seed", "train.monitor", "model.name"):
        assert applies(setting, model)
    mels = MODEL_INPUTS[model] == "mels"
    assert applies("front_end.n_mels", model) == applies("train.spec_augment", model) == mels
    assert applies("normalise", model) == applies("features.speech_db", model) == (not mels)
    assert applies("train.epochs", model) == applies("model.dropout", model) == (model not in CLASSIFIERS)
    assert applies("model.c", model) == (model in CLASSIFIERS)


def test_every_setting_says_something_about_some_model():
    groups = recipe().model_dump()
    names = [
        f"{group}.{name}" for group in ("front_end", "features", "model", "train") for name in groups[group]
    ]
    for setting in (*names, "feature_set", "normalise"):
        assert any(applies(setting, model) for model in MODEL_INPUTS), setting
