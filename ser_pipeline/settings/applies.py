"""Which settings say something about which model: one table for the command line and the report."""

from typing import Final

from ser_pipeline.settings.training import CLASSIFIERS, MODEL_INPUTS

_OF_MELS: Final = frozenset(
    {
        "model.masked",
        "model.own_scale",
        "model.attention",
        "model.bidirectional",
        "model.pooling",
        "train.spec_augment",
        "train.random_crop",
        "train.random_gain",
    }
)
_OF_CLASSIFIERS: Final = frozenset({"model.c"})
_OF_BOTH: Final = frozenset({"train.class_weights", "train.copies", "train.monitor", "train.seed"})
"""Settings of training that classifiers have too."""


def applies(setting: str, model: str) -> bool:
    """Whether a setting of a recipe changes anything for a model.

    Args:
        setting: ``group.name``, or the name alone of a recipe's own fields.
        model: as in ``ser train NAME``.

    Examples:
        >>> applies("train.optimizer", "svm"), applies("normalise", "svm"), applies("normalise", "crnn")
        (False, True, False)
    """
    mels = MODEL_INPUTS.get(model, "mels") == "mels"
    group = setting.partition(".")[0]
    if group == "front_end" or setting in _OF_MELS:
        return mels
    if group == "features" or setting in ("feature_set", "normalise"):
        return not mels
    if setting in _OF_CLASSIFIERS:
        return model in CLASSIFIERS
    if group == "train" or setting in ("model.dropout", "model.dimensions"):
        return model not in CLASSIFIERS or setting in _OF_BOTH
    return True
