"""Options of networks and of how they are fitted."""

from typing import Annotated, Literal

from pydantic import Field

from ser_pipeline.options.augment import Mixup, RandomCrop, RandomGain
from ser_pipeline.options.base import (
    ANY_MODEL,
    AUGMENTATION,
    BY_EPOCHS,
    LOSS,
    MELS_BY_EPOCHS,
    OFF,
    RUN,
    Count,
    OneOf,
    Options,
    Positive,
    Share,
    option,
)
from ser_pipeline.options.registry import LOSSES, MODELS, Architecture

Pooling = Literal["attention", "mean", "stats"]
"""How the steps of a clip become one vector."""


def _by_inputs() -> str:
    """Which models learn from what, in words."""
    kinds: dict[str, list[str]] = {}
    for name, model in MODELS.items():
        kinds.setdefault(model.inputs, []).append(name)
    return "; ".join(f"{', '.join(names)} learn from {kind}" for kind, names in kinds.items())


class SpecAugment(Options):
    """Random masks over a mel spectrogram, never over padding."""

    frequency_masks: Annotated[int, Field(ge=0)] = option(2, "This many stretches of mel bands are masked.")
    frequency_width: Annotated[int, Field(ge=0)] = option(
        9, "A masked stretch has at most this many mel bands."
    )
    time_masks: Annotated[int, Field(ge=0)] = option(2, "This many stretches of frames are masked.")
    time_width: Annotated[int, Field(ge=0)] = option(19, "A masked stretch has at most this many frames.")
    fill: Literal["silence", "mean"] = option(
        "silence", "Masked cells become silence, or each band's mean over the clip.", on_mels="mean"
    )


class ModelOptions(Options):
    """Shape of a network; each model declares which of these it reads."""

    name: Annotated[str, OneOf(MODELS)] = option(
        "crnn", f"The model: {_by_inputs()}.", flag="MODEL", needs=ANY_MODEL
    )  # fmt: skip
    masked: bool = option(True, "Padding is kept out of every layer.", flag="masks", paper=False)
    own_scale: bool = option(
        False,
        "Each clip's mels are put on a scale of their own before the first layer: a floor below the clip's "
        "loud cells, and no band's mean over the clip. Meant for reference 'one' and scale 'fixed'.",
        on_mels=True,
    )
    attention: bool = option(
        True, "Pooling over time weighs the steps of a clip; without it all of them count alike."
    )
    pooling: Pooling = option(
        "attention",
        "What is kept of the steps: 'attention' and 'mean' keep their mean, 'stats' the standard deviation "
        "beside it; 'mean' is 'attention' without weights.",
    )
    dimensions: bool = option(
        False,
        "A second head for valence, arousal and dominance is fitted where clips are rated.",
        needs=BY_EPOCHS,
    )
    bidirectional: bool = option(True, "The steps are read both ways.")
    dropout: Share = option(0.3, "This share of units is dropped in training.")
    c: Annotated[Positive | None, OFF] = option(
        None,
        "The inverse strength of the penalty of svm and logreg, and the learning rate of gboost. Without it "
        "several are tried, and the best on validation clips is taken.",
    )

    @property
    def architecture(self) -> Architecture:
        """What the model declares of itself."""
        return MODELS[self.name]


class TrainOptions(Options):
    """How a network is fitted."""

    epochs: Count = option(
        150,
        "Training takes at most this many epochs.",
        on_mels=35,  # the second cosine ends there; docs/results.md says why of this and of those below
    )
    batch_size: Count = option(40, "Each step sees this many clips.")
    optimizer: Literal["adamw", "adam"] = option(
        "adamw",
        "How weights are updated: 'adamw' decays them apart from the gradient, 'adam' adds L2 to it.",
        paper="adam",
    )
    learning_rate: Positive = option(0.001, "The learning rate at its peak.", flag="lr")
    weight_decay: Annotated[float, Field(ge=0)] = option(
        0.01, "The strength of the weight decay.", paper_features=0.0
    )
    warmup_epochs: Annotated[int, Field(ge=0)] = option(
        5, "The learning rate rises linearly over this many epochs before the cosine.", paper=0
    )
    restart_epochs: Annotated[Count | None, OFF] = option(
        10,
        "The first cosine cycle of the learning rate takes this many epochs; 'none' keeps the rate.",
        paper_features=False,
    )
    restart_factor: Count = option(2, "Each cosine cycle is this many times as long as the one before.")
    clip_norm: Positive = option(1.0, "The norm of the gradient is cut to at most this.")
    averaging: Annotated[float, Field(ge=0, lt=1)] = option(
        0.0,
        "The network that is scored and kept is a running mean of the weights, of which each step keeps this "
        "share; 0 keeps the last weights.",
        on_mels=0.99,
    )
    balance: Share = option(
        0.0,
        "How much more often clips of rarer pairs of corpus and emotion are drawn: at 1 all pairs are drawn "
        "equally often, at 0 every clip is drawn once in an epoch.",
        on_mels=0.5,
    )
    patience: Annotated[Count | None, OFF] = option(
        28,
        "Training stops after this many epochs without a better validation score; 'none' never stops early.",
        off="no-early-stopping",
        paper_features=False,
    )
    monitor: Literal["uar", "accuracy"] = option(
        "uar", "The validation score that picks the best epoch.", paper="accuracy", needs=ANY_MODEL
    )
    loss: Annotated[str, OneOf(LOSSES)] = option(
        "ce", "What training minimises.", panel=LOSS, paper="distance_ce", paper_features="ce"
    )
    distance_weight: Annotated[float, Field(ge=0)] = option(
        1.0, "The weight of the expected distance beside the cross-entropy.", panel=LOSS
    )
    focal_gamma: Annotated[float, Field(ge=0)] = option(
        2.0, "How fast clips that are already sure lose their weight.", panel=LOSS
    )
    label_smoothing: Annotated[float, Field(ge=0, lt=1)] = option(
        0.1, "This share of the target is spread over all classes.", panel=LOSS, paper_features=0.0
    )
    class_weights: bool = option(
        True,
        "Classes are weighted by inverse training frequency, with mean 1.",
        panel=LOSS, needs=ANY_MODEL, paper_features=False,
    )  # fmt: skip
    copies: Annotated[int, Field(ge=0)] = option(
        0,
        "This many random variants of each training clip, made by 'ser cache augment', are learned "
        "beside it.",
        panel=AUGMENTATION, needs=ANY_MODEL,
    )  # fmt: skip
    spec_augment: Annotated[SpecAugment | None, OFF] = option(
        SpecAugment(),
        "Random stretches of the mels are masked, anew for each clip and epoch.",
        panel=AUGMENTATION, needs=MELS_BY_EPOCHS,
    )  # fmt: skip
    random_crop: Annotated[RandomCrop | None, OFF] = option(
        None,
        "A random stretch of each mel spectrogram is learned in its place.",
        panel=AUGMENTATION, needs=MELS_BY_EPOCHS,
    )  # fmt: skip
    random_gain: Annotated[RandomGain | None, OFF] = option(
        None, "Mels become randomly louder or quieter.", panel=AUGMENTATION, needs=MELS_BY_EPOCHS
    )
    mixup: Annotated[Mixup | None, OFF] = option(
        None, "Pairs of clips are mixed into one.", panel=AUGMENTATION
    )
    contrastive_weight: Annotated[float, Field(ge=0)] = option(
        0.0, "The weight of a supervised contrastive loss on embeddings, beside the loss.", panel=LOSS
    )
    contrastive_temperature: Positive = option(
        0.1, "The temperature of the contrastive loss; a smaller one looks at the closest clips alone.",
        panel=LOSS,
    )  # fmt: skip
    dimension_weight: Annotated[float, Field(ge=0)] = option(
        1.0,
        "The weight of the concordance loss of valence, arousal and dominance, beside the loss.",
        panel=LOSS,
    )
    soft_labels: Share = option(
        0.0, "This share of the target follows the raters' votes, where a clip has some.", panel=LOSS
    )
    intensity_strength: Annotated[float, Field(ge=0)] = option(
        0.0, "How much more clips count that show their emotion more clearly; 0 is not at all.", panel=LOSS
    )
    seed: Annotated[int, Field(ge=0)] = option(
        0, "Weights, order and masks are drawn from this seed.", panel=RUN, needs=ANY_MODEL
    )
    precision: Literal["auto", "fp32", "bf16"] = option(
        "auto",
        "The precision of the arithmetic; 'auto' is bf16 where the processor multiplies it natively, and "
        "fp32 elsewhere.",
        panel=RUN,
    )
    device: Literal["auto", "cpu", "cuda", "mps"] = option(
        "auto", "The device that trains; 'auto' takes the fastest there is.", panel=RUN
    )
    devices: Count = option(1, "This many processes train together.", panel=RUN)
    workers: Annotated[int, Field(ge=0)] = option(
        0, "This many processes read batches; with 0 the training process reads them itself.", panel=RUN
    )
