"""All that decides a model."""

from collections.abc import Iterator, Sequence
from typing import Annotated, Any, Final, Literal, Self, cast

from pydantic import BeforeValidator, Field, field_serializer, model_validator

from ser_pipeline.labels import DIMENSIONS, parse_merges
from ser_pipeline.options.augment import WaveAugment
from ser_pipeline.options.base import (
    ANY_MODEL,
    AUGMENTATION,
    BY_EPOCHS,
    DATA,
    DECLARED,
    EMBEDDINGS,
    FEATURES,
    FRONT_END,
    LIST,
    MODEL,
    OF_EMBEDDINGS,
    OF_FEATURES,
    OF_MELS,
    OF_POOLED,
    OF_VECTORS,
    TRAINING,
    Options,
    in_order,
    option,
)
from ser_pipeline.options.embeddings import (
    LAYER_CHOICES,
    POOLINGS,
    EmbeddingOptions,
    EncoderPooling,
    Layers,
    WaveOptions,
    encoders_named,
    layers_in_words,
    layers_of,
)
from ser_pipeline.options.features import FeatureOptions, FeatureSet
from ser_pipeline.options.front_end import FrontEnd
from ser_pipeline.options.registry import MODELS, SEQUENCES, VECTORS
from ser_pipeline.options.stored import Augmented, Fused, InputOptions, ModelInputs, feature_options
from ser_pipeline.options.training import ModelOptions, TrainOptions

Preset = Literal["default", "paper"]
PRESETS: tuple[Preset, ...] = ("default", "paper")
Input = Literal["mels", "frames", "features", "embeddings"]
INPUTS: Final[tuple[Input, ...]] = ("mels", "frames", "features", "embeddings")
Normalise = Literal["none", "relative", "speaker", "adaptive"]
Dimension = Literal["valence", "arousal", "dominance"]


def _merges(value: Any) -> Any:
    return parse_merges(value) if isinstance(value, str) else value


def _layers(value: Any) -> Any:
    if isinstance(value, str) and "/" in value:
        return tuple(_layers(part.strip()) for part in value.split("/"))
    if isinstance(value, list | tuple) and any(isinstance(each, str) for each in value):
        return tuple(map(_layers, value))
    return layers_of(value) if isinstance(value, str) and value not in LAYER_CHOICES else value


def _named(value: Any) -> Any:
    if isinstance(value, str) and not value.strip(" ,"):
        raise ValueError(f"name one or more of {', '.join(DIMENSIONS)}, as in valence,arousal")
    return value


class Recipe(Options):
    """All that decides a model: preset, inputs, network, training, data choice."""

    preset: Preset = option("default", "Start from the settings of this preset.", panel=DATA)
    front_end: FrontEnd = option(FrontEnd(), "How recordings become mels.", panel=FRONT_END, needs=OF_MELS)
    features: FeatureOptions = option(
        FeatureOptions(),
        "How the toolkit's own features are computed.",
        panel=FEATURES,
        needs=OF_FEATURES,
    )
    embeddings: EmbeddingOptions = option(
        EmbeddingOptions(),
        "What a pretrained speech encoder makes of a recording.",
        panel=EMBEDDINGS,
        needs=OF_EMBEDDINGS,
    )
    more_encoders: tuple[EmbeddingOptions, ...] = option(
        (),
        "Also learn from these encoders, kept with the folders they were found in; 'embeddings.encoder' "
        "names all of them.",
        flag="",
        panel=EMBEDDINGS,
        needs=OF_EMBEDDINGS,
    )
    layers: Annotated[Layers | tuple[Layers, ...], BeforeValidator(_layers)] = option(
        "middle",
        "Learn from these layers of the encoder, as in 2,3,4; 'middle' are those from a third to half of its "
        "depth, 'all' are those that are cached, and 'best' chooses among them on validation clips. Several "
        "encoders share the choice, or have one each in their order, as in 2,3/middle.",
        panel=EMBEDDINGS, needs=OF_EMBEDDINGS,
    )  # fmt: skip
    embeddings_pooling: Annotated[
        tuple[EncoderPooling, ...], LIST, Field(min_length=1), in_order(POOLINGS)
    ] = option(
        ("mean",),
        "Learn from these statistics of a layer's steps: one or more of mean, std and max.",
        panel=EMBEDDINGS, needs=OF_POOLED,
    )  # fmt: skip
    on: Annotated[tuple[Input, ...], LIST, Field(min_length=1), in_order(INPUTS)] = option(
        ("features",),
        "Let a model of vectors learn from 'features', from 'embeddings', the layers of a pretrained "
        "encoder, or from both side by side, as in features,embeddings. A network on mels takes them beside "
        "its mels, as in mels,features, and the probe takes features beside its frames, as in "
        "frames,features.",
        panel=FEATURES, needs=OF_VECTORS,
    )  # fmt: skip
    feature_set: FeatureSet = option(
        "named",
        "Use these features: 'named' are the toolkit's own 253, 'egemaps' and 'compare' are openSMILE's.",
        flag="set", panel=FEATURES, needs=OF_FEATURES,
    )  # fmt: skip
    normalise: Normalise = option(
        "none",
        "Scale vectors in this way: 'none' uses statistics of the training clips alone; 'speaker' first "
        "centres and scales each speaker's clips, whose labels it never sees; 'adaptive' does so with any "
        "number of clips, even none: the fewer there are, the nearer to the average training speaker; "
        "'relative' first expresses each clip's values relative to reference values of that clip, and is for "
        "features alone.",
        panel=FEATURES, needs=OF_VECTORS,
    )  # fmt: skip
    augment: WaveAugment = option(
        WaveAugment(), "How the variants of recordings are drawn.", flag="", panel=AUGMENTATION
    )
    model: ModelOptions = option(ModelOptions(), "The network.", panel=MODEL, needs=DECLARED)
    train: TrainOptions = option(TrainOptions(), "How it is fitted.", panel=TRAINING, needs=BY_EPOCHS)
    task: str = option(
        "4class",
        "Classify these emotions: 4class, 6class, iemocap4, all, or a task that you define in ser.toml.",
        panel=DATA,
    )
    target: Annotated[
        tuple[Dimension, ...], LIST, BeforeValidator(_named), in_order(DIMENSIONS)
    ] = option(
        (),
        "Predict these ratings instead of emotions: one or more of valence, arousal and dominance, "
        "as in valence,arousal. All recordings that are rated are used, whatever their emotion.",
        panel=DATA, needs=ANY_MODEL,
    )  # fmt: skip
    merges: Annotated[dict[str, str], BeforeValidator(_merges)] = option(
        {},
        "Count some emotions as others, as in calm=neutral.",
        flag="merge", panel=DATA, paper={"calm": "neutral", "excitement": "happiness"},
    )  # fmt: skip
    split: str = option(
        "speaker", "Use this split, such as speaker, stratified or loco.", panel=DATA, paper="stratified"
    )
    fold: str | None = option(
        None, "Use this fold of the split, by its number or name, or 'all' of them.", panel=DATA
    )
    corpora: Annotated[tuple[str, ...], LIST] = option((), "Use only these corpora.", panel=DATA)
    languages: Annotated[tuple[str, ...], LIST] = option(
        (), "Use only recordings in these languages.", panel=DATA
    )
    where: str = option(
        "",
        "Use only recordings for which this condition on columns of the manifest holds, as in "
        '"agreement >= 0.6" or "gender = \'female\' and duration_s < 10" (SQL).',
        panel=DATA,
    )
    train_corpora: Annotated[tuple[str, ...], LIST] = option(
        (), "Learn from these corpora only; the test clips stay the same.", panel=DATA
    )
    train_share: Annotated[float, Field(gt=0, le=1)] = option(
        1.0,
        "Learn from this share of each corpus's training speakers, chosen by the seed; the test clips stay "
        "the same.",
        panel=DATA,
    )

    @model_validator(mode="before")
    @classmethod
    def _pooled_as_kept(cls, values: Any) -> Any:
        """Learn from what is said to be kept where nothing else is said, as all runs did once."""
        if not isinstance(values, dict) or "embeddings_pooling" in values:
            return values
        kept = values.get("embeddings")
        said = kept.model_dump(exclude_unset=True) if isinstance(kept, EmbeddingOptions) else kept
        if not isinstance(said, dict) or "pooling" not in said:
            return values
        return values | {"embeddings_pooling": said["pooling"]}

    @field_serializer("on")
    def _one_text(self, value: tuple[Input, ...]) -> str:
        return ",".join(value)

    @model_validator(mode="after")
    def _related(self) -> Self:
        if "name" not in self.model.model_fields_set:
            return self  # as where a store is made; which model learns from it is said later
        self._check_on()
        self._check_frames()
        if self.model.architecture.inputs in ("frames", "waves"):
            self._check_steps()
        elif "embeddings" in self.vectors:
            self._check_embeddings()
        return self

    def _check_frames(self) -> None:
        model, frames = self.model.architecture, self.front_end.max_frames
        if model.inputs == "mels" and frames < model.frames_per_step:
            raise ValueError(
                f"max_s {self.front_end.max_s} and hop_length {self.front_end.hop_length} give {frames} "
                f"frames; {self.model.name} needs at least {model.frames_per_step}"
            )

    def _check_on(self) -> None:
        model, own = self.model.architecture, self.model.architecture.inputs
        sequences = [name for name in self.on if name in SEQUENCES]
        if own == "features" and sequences:
            readers = [name for name, each in MODELS.items() if each.inputs == sequences[0]]
            raise ValueError(
                f"on: {self.model.name} learns from vectors, which are {' and '.join(VECTORS)}; "
                f"{sequences[0]} are read by {', '.join(readers)}"
            )
        wrong = [*({*sequences} - {own}), *(name for name in self.vectors if name not in model.beside)]
        if own in SEQUENCES and wrong:
            able = " or ".join(name for name in VECTORS if name in model.beside)
            raise ValueError(
                f"on: {self.model.name} reads {own} and takes {able} beside them, as in {own},features; it "
                f"takes no {wrong[0]}"
            )

    def _check_steps(self) -> None:
        if self.layers == "best" or self._one_each:
            raise ValueError(
                f"layers: {self.model.name} learns how much each layer counts; name layers of its encoder, "
                "as in 2,3,4, or take middle or all"
            )
        if len(self.encoders) > 1:
            raise ValueError(f"embeddings.encoder: {self.model.name} learns from one encoder; name one")
        if self.model.name == "finetune" and self.model.unfreeze and self.model.lora:
            raise ValueError("model.unfreeze and model.lora: finetune uses one or the other; leave one out")
        if self.model.name == "finetune" and self.train.devices > 1:
            raise ValueError("train.devices: finetune trains on one device")

    def _check_embeddings(self) -> None:
        if self.normalise == "relative":
            raise ValueError("normalise relative is for features; embeddings take none, speaker or adaptive")
        if "best" in self.encoder_layers and self.target:
            raise ValueError(
                "layers: 'best' are chosen by how well they predict emotions; with ratings as the target "
                "name layers, as in 2,3,4, or take middle or all"
            )
        if self._one_each and len(self.layers) != len(self.encoders):
            raise ValueError(
                f"layers: there are choices for {len(self.layers)} encoders and {len(self.encoders)} to "
                "learn from; name one choice for all, or one for each"
            )
        names = [each.encoder for each in self.encoders]
        if not self.more_encoders and len(set(names)) < len(names):
            raise ValueError(f"embeddings.encoder: '{self.embeddings.encoder}' names an encoder twice")
        if len({part.sample_rate for part in self.parts if not isinstance(part, FrontEnd)}) > 1:
            raise ValueError(
                f"features.sample_rate: must be {EmbeddingOptions.SAMPLE_RATE} beside embeddings, which hear "
                f"that rate; it is {self.features.sample_rate}"
            )

    @property
    def _one_each(self) -> bool:
        """Whether layers are chosen for each encoder by itself."""
        return isinstance(self.layers, tuple) and not all(isinstance(each, int) for each in self.layers)

    @property
    def encoders(self) -> tuple[EmbeddingOptions, ...]:
        """The encoders whose layers are learned from, in the order in which they lie side by side."""
        first = self.embeddings
        if first.weights:
            return (first, *self.more_encoders)
        named = (first.model_copy(update={"encoder": name}) for name in encoders_named(first.encoder))
        return (*named, *self.more_encoders)

    @property
    def encoder_layers(self) -> tuple[Layers, ...]:
        """What is said of the layers of each encoder."""
        said = self.layers if self._one_each else (self.layers,) * len(self.encoders)
        return cast(tuple[Layers, ...], said)

    def with_encoders(self, found: Sequence[EmbeddingOptions], layers: Sequence[Layers]) -> Self:
        """The same recipe for encoders that were found in the cache.

        Args:
            found: the encoders.
            layers: of each, or "best" where they are still to be chosen.
        """
        told = {"embeddings": found[0], "more_encoders": tuple(found[1:])}
        return self.model_copy(update=told | {"layers": layers[0] if len(layers) == 1 else tuple(layers)})

    @property
    def rated(self) -> tuple[str, ...]:
        """Dimensions that are rated, instead of emotions or beside them; none in most runs."""
        return self.target or (DIMENSIONS if self.model.dimensions else ())

    @property
    def about(self) -> str:
        """What is told of a recording: name of the task, or the dimensions that are its target.

        Examples:
            >>> Recipe().about, Recipe(target="dominance,valence").about
            ('4class', 'valence, dominance')
        """
        return ", ".join(self.target) or self.task

    @property
    def vectors(self) -> tuple[str, ...]:
        """Which vectors are learned from, alone or beside a sequence that is named with them."""
        own = self.model.architecture.inputs
        return tuple(name for name in self.on if name in VECTORS and (own == "features" or own in self.on))

    @property
    def parts(self) -> tuple[InputOptions, ...]:
        """What a model learns from, side by side; a sequence, as mels or frames, comes first."""
        own = self.model.architecture.inputs
        encoders = tuple(each.model_copy(update={"frames": own == "frames"}) for each in self.encoders)
        if own == "waves":
            return tuple(each.waves.model_copy(update={"encoder": each}) for each in encoders)
        sequence = {"mels": (self.front_end,), "frames": encoders}.get(own, ())
        features = (feature_options(self.feature_set, self.features),) if "features" in self.vectors else ()
        return (*sequence, *features, *(encoders if "embeddings" in self.vectors else ()))

    @property
    def words(self) -> str:
        """Model and inputs, as in ``logreg on layers 2, 3 of whisper-base``."""
        return f"{self.model.name} on {' and '.join(self._in_words())}"

    def _in_words(self) -> Iterator[str]:
        layers = iter(self.encoder_layers)
        for part in self.parts:
            encoder = part.encoder if isinstance(part, WaveOptions) else part
            if isinstance(encoder, EmbeddingOptions):
                yield f"{layers_in_words(next(layers))} of {encoder.name}"
            else:
                yield part.kind

    @property
    def inputs(self) -> ModelInputs:
        """Options of what the model is given of a recording, with how it is read."""
        parts = self.parts
        return parts[0] if len(parts) == 1 else Fused(parts=parts)

    @property
    def variants(self) -> tuple[Augmented, ...]:
        """Options of the stores of variants that training reads beside its inputs, one for each of them."""
        if not self.train.copies:
            return ()
        return tuple(Augmented(inputs=part, changes=self.augment) for part in self.parts)
