"""Options of networks and of how they are fitted."""

from typing import Annotated, Any, Final, Literal, Self, get_args

from pydantic import BeforeValidator, Field, model_validator

from ser_pipeline.options.augment import Mixup, RandomCrop, RandomGain
from ser_pipeline.options.base import (
    ANY_MODEL,
    AUGMENTATION,
    DISTILLATION,
    LIST,
    LOSS,
    MELS_BY_EPOCHS,
    OF_WAVES,
    OFF,
    PLACE,
    RUN,
    Count,
    OneOf,
    Options,
    Positive,
    Share,
    in_order,
    option,
)
from ser_pipeline.options.embeddings import EmbeddingOptions
from ser_pipeline.options.registry import ARCHITECTURES, LOSSES, MODELS, Architecture

BuiltFor = int | tuple[int, ...] | EmbeddingOptions
"""What a network is built for: mel bands, features, layers and width of a step, or an encoder of its own."""

Pooling = Literal["attention", "mean", "stats"]
"""How the steps of a clip become one vector."""

Tracker = Literal["tensorboard", "mlflow", "wandb"]
"""Experiment trackers that can show a run."""


def _by_inputs() -> str:
    """Which models learn from what, in words."""
    kinds: dict[str, list[str]] = {}
    for name, model in MODELS.items():
        kinds.setdefault(model.inputs, []).append(name)
    return "; ".join(
        f"{', '.join(names)} learn{'s' * (len(names) == 1)} from {kind}" for kind, names in kinds.items()
    )


TAUGHT: Final = (
    "teacher_weight", "teacher_temperature", "teacher_held_out", "teacher_embedding_weight", "unlabelled",
)  # fmt: skip
"""Options of :class:`TrainOptions` that change nothing without a teacher."""


class SpecAugment(Options):
    """Random masks over a mel spectrogram, never over padding."""

    frequency_masks: Annotated[int, Field(ge=0)] = option(2, "Mask this many stretches of mel bands.")
    frequency_width: Annotated[int, Field(ge=0)] = option(9, "Mask at most this many mel bands in a stretch.")
    time_masks: Annotated[int, Field(ge=0)] = option(2, "Mask this many stretches of frames.")
    time_width: Annotated[int, Field(ge=0)] = option(19, "Mask at most this many frames in a stretch.")
    fill: Literal["silence", "mean"] = option(
        "silence", "Fill masked bins with silence, or with each band's mean over the clip.", on_mels="mean"
    )


class ModelOptions(Options):
    """Shape of a network; each model declares which of these it reads."""

    name: Annotated[str, OneOf(ARCHITECTURES)] = option(
        "crnn",
        f"Train this model: {_by_inputs()}. 'ensemble' averages the probabilities of the runs named after "
        "it. Without a model, the best one that the stores at hand allow is trained.",
        flag="MODEL", needs=ANY_MODEL,
    )  # fmt: skip
    masked: bool = option(True, "Keep padding out of every layer.", flag="masks", paper=False)
    own_scale: bool = option(
        False,
        "Normalise each clip's mels on their own before the first layer: raise quiet bins to a floor "
        "below the clip's loud ones, by a quarter of floor_db to ceiling_db (usually 30 dB), and "
        "subtract each band's mean over the clip. This is meant for reference 'one' and scale 'fixed'.",
        on_mels=True,
    )
    attention: bool = option(
        True, "Weigh the steps of a clip when pooling over time; otherwise all count equally."
    )
    pooling: Pooling = option(
        "attention",
        "Pool the steps of a clip in this way: 'attention' and 'mean' keep their mean, with and without "
        "weights; 'stats' keeps their standard deviation as well.",
    )
    dimensions: bool = option(
        False,
        "Learn valence, arousal and dominance beside the emotions, from the clips that are rated: networks "
        "by a second head, logreg by ridge regression, svm by a linear support vector regression, gboost by "
        "boosted trees.",
        needs=ANY_MODEL,
    )
    bidirectional: bool = option(True, "Read the steps in both directions.")
    unfreeze: Count | None = option(
        None, "Train this many layers of the encoder as a whole, counted from the last one that is used."
    )
    lora: Count | None = option(
        None,
        "Train corrections of this rank to the queries and values of every layer of the encoder that is "
        "used, and nothing else of it. Without this option and --unfreeze, the rank is 8.",
    )
    checkpointing: bool = option(
        False,
        "Compute what happens inside the encoder's layers a second time for the gradient instead of keeping "
        "it: slower, with less memory.",
    )
    dropout: Share = option(0.3, "Drop this share of the units in training.")
    c: Annotated[Positive | None, OFF] = option(
        None,
        "Use this inverse strength of the penalty in svm and logreg, or this learning rate in gboost. "
        "Without it, several are tried and the best on validation clips is taken.",
    )

    @property
    def architecture(self) -> Architecture:
        """What the model declares of itself."""
        return ARCHITECTURES[self.name]


def _when(value: Any) -> Any:
    """Read the two values that the option had before it had three."""
    return ("auto" if value else "never") if isinstance(value, bool) else value


def _none(value: Any) -> Any:
    return () if value is False or value == "none" else value


class TrainOptions(Options):
    """How a network is fitted."""

    epochs: Count = option(
        150,
        "Train for at most this many epochs.",
        on_mels=35,  # the second cosine ends there; why of this and below: docs/results-archive.md
    )
    batch_size: Count = option(40, "Take this many clips in each step.")
    optimizer: Literal["adamw", "adam"] = option(
        "adamw",
        "Update the weights with this optimiser: 'adamw' decays them separately from the gradient, 'adam' "
        "adds L2 to it.",
        paper="adam",
    )
    learning_rate: Positive = option(0.001, "Use this learning rate at its peak.", flag="lr")
    encoder_learning_rate: Positive = option(
        5e-5,
        "Use this learning rate at its peak for the last layer of an encoder that is used.",
        flag="encoder-lr", needs=OF_WAVES,
    )  # fmt: skip
    layer_decay: Annotated[float, Field(gt=0, le=1)] = option(
        0.9,
        "Train each layer of an encoder at this share of the learning rate of the layer above it.",
        needs=OF_WAVES,
    )
    weight_decay: Annotated[float, Field(ge=0)] = option(
        0.01, "Decay the weights with this strength.", paper_features=0.0
    )
    warmup_epochs: Annotated[int, Field(ge=0)] = option(
        5, "Raise the learning rate linearly over this many epochs before the cosine begins.", paper=0
    )
    restart_epochs: Annotated[Count | None, OFF] = option(
        10,
        "Let the first cosine cycle of the learning rate last this many epochs; 'none' keeps the rate "
        "constant.",
        paper_features=False,
    )
    restart_factor: Count = option(2, "Make each cosine cycle this many times as long as the one before.")
    clip_norm: Positive = option(1.0, "Clip the norm of the gradient to at most this.")
    averaging: Annotated[float, Field(ge=0, lt=1)] = option(
        0.0,
        "Score and keep a moving average of the weights that retains this share of itself at each step; 0 "
        "keeps the last weights.",
        on_mels=0.99,
    )
    balance: Share = option(
        0.0,
        "Draw clips of rare pairs of corpus and emotion more often: at 1 all pairs are drawn equally "
        "often, at 0 every clip is drawn once per epoch.",
        on_mels=0.5,
    )
    patience: Annotated[Count | None, OFF] = option(
        28,
        "Stop after this many epochs without a better validation score; 'none' never stops early.",
        off="no-early-stopping",
        paper_features=False,
    )
    monitor: Literal["uar", "accuracy"] = option(
        "uar",
        "Pick the best epoch, or the best candidate, by this validation score.",
        paper="accuracy",
        needs=ANY_MODEL,
    )
    loss: Annotated[str, OneOf(LOSSES)] = option(
        "ce", "Minimise this loss.", panel=LOSS, paper="distance_ce", paper_features="ce"
    )
    rating_loss: Literal["ccc", "mse"] = option(
        "ccc",
        "Minimise this loss of ratings: 'ccc' is one minus their concordance with those of listeners, 'mse' "
        "the mean square error.",
        panel=LOSS,
    )
    distance_weight: Annotated[float, Field(ge=0)] = option(
        1.0, "Add the expected distance to the cross-entropy with this weight.", panel=LOSS
    )
    focal_gamma: Annotated[float, Field(ge=0)] = option(
        2.0, "Reduce the weight of clips that the network is sure of by this exponent.", panel=LOSS
    )
    label_smoothing: Annotated[float, Field(ge=0, lt=1)] = option(
        0.1, "Spread this share of the target over all classes.", panel=LOSS, paper_features=0.0
    )
    class_weights: bool = option(
        True,
        "Weight classes by their inverse training frequency, with a mean of 1.",
        panel=LOSS, needs=ANY_MODEL, paper_features=False,
    )  # fmt: skip
    copies: Annotated[int, Field(ge=0)] = option(
        0,
        "Also learn from this many random variants of each training clip; 'ser cache augment' makes them.",
        panel=AUGMENTATION, needs=ANY_MODEL,
    )  # fmt: skip
    spec_augment: Annotated[SpecAugment | None, OFF] = option(
        SpecAugment(),
        "Mask random stretches of the mels, anew for each clip and epoch.",
        panel=AUGMENTATION, needs=MELS_BY_EPOCHS,
    )  # fmt: skip
    random_crop: Annotated[RandomCrop | None, OFF] = option(
        None,
        "Learn from a random stretch of each mel spectrogram instead of the whole.",
        panel=AUGMENTATION, needs=MELS_BY_EPOCHS,
    )  # fmt: skip
    random_gain: Annotated[RandomGain | None, OFF] = option(
        None, "Make the mels randomly louder or quieter.", panel=AUGMENTATION, needs=MELS_BY_EPOCHS
    )
    mixup: Annotated[Mixup | None, OFF] = option(None, "Mix pairs of clips into one.", panel=AUGMENTATION)
    contrastive_weight: Annotated[float, Field(ge=0)] = option(
        0.0, "Add a supervised contrastive loss on embeddings with this weight.", panel=LOSS
    )
    contrastive_temperature: Positive = option(
        0.1, "Use this temperature in the contrastive loss; a lower one looks only at the closest clips.",
        panel=LOSS,
    )  # fmt: skip
    dimension_weight: Annotated[float, Field(ge=0)] = option(
        1.0,
        "Add the loss of ratings beside the emotions with this weight.",
        panel=LOSS,
    )
    soft_labels: Share = option(
        0.0, "Let this share of the target follow the raters' votes, where a clip has any.", panel=LOSS
    )
    intensity_strength: Annotated[float, Field(ge=0)] = option(
        0.0,
        "Give clips that show their emotion more clearly this much more weight; 0 gives all clips the same.",
        panel=LOSS,
    )
    teacher: Annotated[str | None, OFF, PLACE] = option(
        None,
        "Also learn from the probabilities of this trained run, given by its folder or name; it must have "
        "the same task, manifest, split and fold.",
        panel=DISTILLATION,
    )
    teacher_weight: Share = option(
        0.5, "Let this share of the target follow the teacher, and the rest the label.", panel=DISTILLATION
    )
    teacher_temperature: Positive = option(
        1.0,
        "Soften the teacher's probabilities by this temperature, beyond the one that was fitted to its "
        "validation clips.",
        panel=DISTILLATION,
    )
    teacher_held_out: Annotated[Literal["auto", "always", "never"], BeforeValidator(_when)] = option(
        "auto",
        "Use held-out teacher predictions for training clips, by refitting the teacher five times, each time "
        "without a fifth of their speakers: 'auto' does so with logreg, svm and gboost, which takes seconds, "
        "'always' also trains a network five more times, and 'never' uses every teacher as it is.",
        panel=DISTILLATION,
    )
    teacher_embedding_weight: Annotated[float, Field(ge=0)] = option(
        0.0,
        "Add the cosine distance between the teacher's embedding and a projection of the network's own with "
        "this weight.",
        panel=DISTILLATION,
    )
    unlabelled: Annotated[str | None, OFF, PLACE] = option(
        None,
        "Also learn what the teacher predicts for recordings without a label: those of the manifest in this "
        "folder that no part of the run has. The run's own manifest gives those outside the task.",
        panel=DISTILLATION,
    )
    seed: Annotated[int, Field(ge=0)] = option(
        0, "Draw weights, order and masks from this seed.", panel=RUN, needs=ANY_MODEL
    )
    precision: Literal["auto", "fp32", "tf32", "bf16"] = option(
        "auto",
        "Compute with this precision; 'auto' is bf16 where the processor or the graphics card multiplies it "
        "natively, and fp32 elsewhere; 'tf32' is fp32 with products that NVIDIA cards round to 11 bits.",
        panel=RUN,
    )
    device: Literal["auto", "cpu", "cuda", "mps"] = option(
        "auto", "Train on this device; 'auto' takes the fastest one.", panel=RUN
    )
    devices: Count = option(
        1,
        "Train in this many processes together, one per GPU or all on the same processor.",
        panel=RUN,
    )
    data_on: Literal["auto", "device", "host"] = option(
        "auto",
        "Hold the clips on the device that trains ('device'), or in main memory, and on disk if they take "
        "more than 2 GiB ('host'); 'auto' is 'device' on a graphics card with room for twice their size.",
        panel=RUN,
    )
    workers: Annotated[int, Field(ge=0)] = option(
        0, "Read batches in this many processes; with 0 the training process reads them itself.", panel=RUN
    )
    log: Annotated[
        tuple[Tracker, ...], LIST, BeforeValidator(_none), in_order(get_args(Tracker))
    ] = option(
        (),
        "Log the run to these experiment trackers as well, as in tensorboard,mlflow; 'none' logs to none of "
        "them. Each is an extra of the package.",
        panel=RUN, needs=ANY_MODEL,
    )  # fmt: skip

    @model_validator(mode="after")
    def _read_where_they_lie(self) -> Self:
        if self.workers and self.data_on == "device":
            raise ValueError(
                f"workers {self.workers}: clips that are held on the device (data_on device) are not read "
                "by other processes; leave one of the two out"
            )
        return self
