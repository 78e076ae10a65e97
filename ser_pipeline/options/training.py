"""Options of networks and of how they are fitted, and which models each option applies to."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Final, Literal

from pydantic import Field

from ser_pipeline.options.augment import Mixup, RandomCrop, RandomGain
from ser_pipeline.options.base import OFF, Count, Options, Positive, Share

FRAMES_PER_STEP: Final = 8
"""Mel frames behind one step of a network, and the fewest it can look at without its mask."""

MODEL_INPUTS: Final[Mapping[str, Literal["mels", "features"]]] = MappingProxyType(
    {
        "crnn": "mels",
        "resnet": "mels",
        "mhsa": "mels",
        "cnn1d": "features",
        "dnn": "features",
        "svm": "features",
        "logreg": "features",
        "gboost": "features",
    }
)
"""What each model learns from, by its name in ``ser train NAME``."""

CLASSIFIERS: Final = frozenset({"svm", "logreg", "gboost"})
"""Models by scikit-learn: fitted at once, without epochs."""

Pooling = Literal["attention", "mean", "stats"]
"""How the steps of a clip become one vector."""


class SpecAugment(Options):
    """Random masks over a mel spectrogram, never over padding.

    Attributes:
        frequency_masks: number of masked bands of bands.
        frequency_width: widest mask, in mel bands.
        time_masks: number of masked stretches.
        time_width: widest mask, in frames.
        fill: of masked cells: ``silence``, or each band's ``mean`` over the clip.
    """

    frequency_masks: Annotated[int, Field(ge=0)] = 2
    frequency_width: Annotated[int, Field(ge=0)] = 9
    time_masks: Annotated[int, Field(ge=0)] = 2
    time_width: Annotated[int, Field(ge=0)] = 19
    fill: Literal["silence", "mean"] = "silence"


class ModelOptions(Options):
    """Shape of a network.

    Attributes:
        name: architecture, as in ``ser train NAME``.
        masked: keep padding out of every layer; preset ``paper`` has no mask.
        own_scale: put each clip's mels on a scale of its own before the first layer: a floor below its loud
            cells, and no band's mean over the clip; of networks that learn from mels. For mels at
            ``reference = one`` and ``scale = fixed``.
        attention: weigh steps when pooling over time; without, all steps of a clip count alike.
        pooling: of ``crnn``: ``attention`` and ``mean`` keep the mean over steps, ``stats`` the standard
            deviation beside it; ``mean`` is ``attention`` without weights. ``resnet`` always keeps
            both, ``mhsa`` the mean.
        dimensions: a second head for valence, arousal and dominance, fitted where clips are rated.
        bidirectional: read the steps of ``crnn`` both ways.
        dropout: share of units dropped: in the head and between LSTM layers of ``crnn``, in the head of
            ``resnet``, in the head and layers of ``mhsa``, after the first block and the hidden layer
            of ``cnn1d``, after both hidden layers of ``dnn``.
        c: inverse strength of the penalty of ``svm`` and ``logreg``, and learning rate of ``gboost``;
            None tries several and takes the best on validation clips.
    """

    name: str = "crnn"
    masked: bool = True
    own_scale: bool = False
    attention: bool = True
    pooling: Pooling = "attention"
    dimensions: bool = False
    bidirectional: bool = True
    dropout: Share = 0.3
    c: Positive | None = None


class TrainOptions(Options):
    """How a network is fitted.

    Attributes:
        epochs: at most this many.
        batch_size: clips a step.
        optimizer: ``adamw`` decays weights apart from the gradient, ``adam`` adds L2 to it.
        learning_rate: peak.
        weight_decay: strength of the decay.
        warmup_epochs: linear rise before the cosine.
        restart_epochs: length of the first cosine cycle; None keeps the rate after the warm-up.
        restart_factor: each cycle is this much longer than the last.
        clip_norm: largest gradient norm.
        averaging: the network that is scored and kept is a running mean of the weights, of which each step
            leaves this share; 0 keeps the last weights.
        balance: how much rarer pairs of corpus and class are drawn oftener: 1 draws all pairs alike, 0 takes
            every clip once an epoch.
        patience: epochs without a better ``monitor`` before stopping; None never stops early.
        monitor: validation score that picks the checkpoint.
        loss: objective.
        distance_weight: of the expected distance beside cross-entropy, for ``expected_distance``.
        focal_gamma: how fast clips that are already sure lose their weight, for ``focal``.
        label_smoothing: share of the target spread over all classes.
        class_weights: weight classes by inverse training frequency, mean 1.
        copies: random variants of each training clip that are learned beside it.
        spec_augment: masks over mels, drawn anew for each clip and epoch; None for none.
        random_crop: a stretch of each mel in its place; None for none.
        random_gain: louder and quieter mels; None for none.
        mixup: two clips in one; None for none.
        contrastive_weight: of the supervised contrastive loss on embeddings, beside ``loss``.
        contrastive_temperature: of that loss.
        dimension_weight: of the concordance loss of valence, arousal and dominance, beside ``loss``.
        soft_labels: share of the target that follows the raters' votes, where a clip has some.
        intensity_strength: how much more clips count that show their emotion more clearly; 0 not at all.
        seed: of weights, order and masks.
        precision: ``auto`` is bf16 where the processor multiplies it natively, else fp32.
        device: ``auto``, ``cpu``, ``cuda`` or ``mps``.
        devices: processes that train together.
        workers: processes that read batches; 0 reads in the training process.

    In ``ser.toml`` ``false`` stands for None.
    """

    epochs: Count = 150
    batch_size: Count = 40
    optimizer: Literal["adamw", "adam"] = "adamw"
    learning_rate: Positive = 0.001
    weight_decay: Annotated[float, Field(ge=0)] = 0.01
    warmup_epochs: Annotated[int, Field(ge=0)] = 5
    restart_epochs: Annotated[Count | None, OFF] = 10
    restart_factor: Count = 2
    clip_norm: Positive = 1.0
    averaging: Annotated[float, Field(ge=0, lt=1)] = 0.0
    balance: Share = 0.0
    patience: Annotated[Count | None, OFF] = 28
    monitor: Literal["uar", "accuracy"] = "uar"
    loss: Literal["ce", "distance_ce", "expected_distance", "focal"] = "ce"
    distance_weight: Annotated[float, Field(ge=0)] = 1.0
    focal_gamma: Annotated[float, Field(ge=0)] = 2.0
    label_smoothing: Annotated[float, Field(ge=0, lt=1)] = 0.1
    class_weights: bool = True
    copies: Annotated[int, Field(ge=0)] = 0
    spec_augment: Annotated[SpecAugment | None, OFF] = SpecAugment()
    random_crop: Annotated[RandomCrop | None, OFF] = None
    random_gain: Annotated[RandomGain | None, OFF] = None
    mixup: Annotated[Mixup | None, OFF] = None
    contrastive_weight: Annotated[float, Field(ge=0)] = 0.0
    contrastive_temperature: Positive = 0.1
    dimension_weight: Annotated[float, Field(ge=0)] = 1.0
    soft_labels: Share = 0.0
    intensity_strength: Annotated[float, Field(ge=0)] = 0.0
    seed: Annotated[int, Field(ge=0)] = 0
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    devices: Count = 1
    workers: Annotated[int, Field(ge=0)] = 0


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
