import pytest
from pydantic import ValidationError

from ser_pipeline.options import MODELS, TrainOptions, applies, recipe


@pytest.mark.parametrize("model", sorted(MODELS))
def test_every_model_is_told_by_task_split_and_seed(model):
    for setting in ("task", "split", "corpora", "merges", "train.seed", "train.monitor", "model.name"):
        assert applies(setting, model)
    mels = MODELS[model].inputs == "mels"
    steps = MODELS[model].inputs in ("frames", "waves")
    assert applies("front_end.n_mels", model) == applies("train.spec_augment", model) == mels
    for setting in ("normalise", "features.speech_db"):
        assert applies(setting, model, ("features",)) == (not (mels or steps))
        assert applies(setting, model) == (MODELS[model].inputs != "waves")  # with vectors beside a sequence
    assert applies("layers", model, ("features",)) == steps
    assert applies("embeddings_pooling", model, ("embeddings",)) == (not (mels or steps))
    assert applies("embeddings_pooling", model) == (MODELS[model].inputs in ("mels", "features"))
    assert applies("on", model) == (MODELS[model].inputs != "waves")
    assert applies("train.epochs", model) == applies("model.dropout", model) == MODELS[model].by_epochs
    assert applies("model.c", model) == (not MODELS[model].by_epochs)


def test_every_setting_says_something_about_some_model():
    groups = recipe().model_dump()
    names = [
        f"{group}.{name}" for group in ("front_end", "features", "model", "train") for name in groups[group]
    ]
    for setting in (*names, "feature_set", "normalise"):
        assert any(applies(setting, model) for model in MODELS), setting


def test_clips_on_the_device_are_read_by_no_other_process():
    assert TrainOptions(data_on="device").workers == 0
    with pytest.raises(ValidationError, match="workers 2: clips that are held on the device"):
        TrainOptions(data_on="device", workers=2)
