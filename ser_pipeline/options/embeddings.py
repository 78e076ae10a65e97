"""Options of what a pretrained speech encoder makes of a recording."""

import re
from pathlib import Path
from typing import Annotated, Any, ClassVar, Final, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field

from ser_pipeline.errors import SettingsError
from ser_pipeline.options.base import LIST, OFF, Count, Options, Positive, in_order, option

EMBEDDINGS_VERSION: Final = 2
"""Raised whenever the same settings give other embeddings; part of every store's fingerprint."""

EncoderPooling = Literal["mean", "std", "max"]
POOLINGS: Final[tuple[EncoderPooling, ...]] = ("mean", "std", "max")
"""Statistics of a layer's steps, in the order in which they lie in a store."""

USUAL_ENCODER: Final = "whisper-base"
"""What is cached if no encoder is named."""


Layer = Annotated[int, Field(ge=0)]
LayerChoice = Literal["middle", "best", "all"]
LAYER_CHOICES: Final[tuple[LayerChoice, ...]] = ("middle", "best", "all")
Layers = LayerChoice | tuple[Layer, ...]
"""Layers of one encoder that are learned from, or how they are chosen."""


def _ascending(values: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(sorted(set(values)))


def layers_of(text: str) -> tuple[int, ...]:
    """Read numbers of layers, ``all`` for no choice.

    Raises:
        SettingsError: not a list of numbers and ranges.

    Examples:
        >>> layers_of("2,4-6"), layers_of("all")
        ((2, 4, 5, 6), ())
    """
    if text == "all":
        return ()
    numbers: list[int] = []
    for part in text.split(","):
        found = re.fullmatch(r"\s*(\d{1,3})(?:-(\d{1,3}))?\s*", part)
        if found is None or (found[2] and int(found[2]) < int(found[1])):
            raise SettingsError(
                f"layers '{text}': '{part}' is not a layer; valid are lists such as 2,3 or 0-6, and all"
            )
        numbers += range(int(found[1]), int(found[2] or found[1]) + 1)
    return tuple(sorted(set(numbers)))


def layers_in_words(layers: Layers) -> str:
    """Say which layers.

    Examples:
        >>> layers_in_words("middle"), layers_in_words((2, 3))
        ('middle layers', 'layers 2, 3')
    """
    return f"{layers} layers" if isinstance(layers, str) else f"layers {', '.join(map(str, layers))}"


def encoders_named(text: str) -> tuple[str, ...]:
    """Encoders that ``--encoder`` names: one, or several with commas between them.

    Examples:
        >>> encoders_named("whisper-base, whisper-tiny.en"), encoders_named("")
        (('whisper-base', 'whisper-tiny.en'), ('',))
    """
    if Path(text).is_dir():  # a folder may have a comma in its name
        return (text,)
    return tuple(filter(None, map(str.strip, text.split(",")))) or ("",)


def _numbers(value: Any) -> Any:
    return layers_of(value) if isinstance(value, str) else value


class EmbeddingOptions(Options):
    """From samples to layers of a pretrained speech encoder.

    Layers are numbered as in ``hidden_states`` of transformers: 0 is what goes into the first layer, *n* what
    comes out of the *n*-th, with Whisper's final normalisation after its last one.
    """

    SAMPLE_RATE: ClassVar[int] = 16_000

    encoder: str = option(
        "",
        "Use this encoder: a name (see 'ser cache encoders'), a folder, or an id on the hub. The name only "
        "says where to look: the weights decide all numbers. Without it, 'ser cache' uses whisper-base, and "
        "training uses the only encoder that is cached. A model can learn from several side by side, as in "
        "whisper-base,whisper-tiny.en.",
        many=True,
    )
    folder: str = option(
        "", "The encoder was found in this folder; empty until it has been looked for.", flag=""
    )
    weights: Annotated[str, Field(pattern=r"^([0-9a-f]{32})?$")] = option(
        "", "The encoder's files have this BLAKE2b; empty until they have been read.", flag=""
    )
    depth: Annotated[int, Field(ge=0)] = option(
        0, "The encoder has this many layers; 0 until it has been read.", flag=""
    )
    width: Annotated[int, Field(ge=0)] = option(
        0, "Each step of a layer has this many numbers; 0 until the encoder has been read.", flag=""
    )
    layers: Annotated[tuple[Layer, ...], BeforeValidator(_numbers), AfterValidator(_ascending)] = option(
        (),
        "Keep these layers, as in 2,3 or 0-6, or 'all' of them; nothing is computed above the last one.",
    )
    pooling: Annotated[tuple[EncoderPooling, ...], LIST, Field(min_length=1), in_order(POOLINGS)] = option(
        POOLINGS, "Keep these statistics of a clip's steps: one or more of mean, std and max."
    )
    frames: bool = option(False, "Keep the steps themselves, as float16, and pool nothing.")
    crop_s: Annotated[Positive | None, OFF] = option(
        None,
        "Let the encoder hear only this many seconds of a recording, from its beginning; 'none' lets it hear "
        "all of it.",
    )
    trim_db: Annotated[Positive | None, OFF] = option(
        30.0, "Cut frames this many dB below the loudest one from both ends; 'none' keeps all."
    )
    precision: Literal["fp32", "bf16", "fp16"] = option(
        "fp32", "Compute with this precision in the encoder; what is pooled is pooled in fp32."
    )
    device: Literal["auto", "cpu", "cuda", "mps"] = option(
        "auto", "Run the encoder on this device; 'auto' takes the fastest one."
    )
    sample_rate: Annotated[Count, Field(ge=SAMPLE_RATE, le=SAMPLE_RATE)] = option(
        SAMPLE_RATE, "Give the encoder this rate, in Hz, which all of them were trained on.", flag=""
    )

    @property
    def waves(self) -> "WaveOptions":
        """Options of the samples that the encoder hears."""
        return WaveOptions(crop_s=self.crop_s, trim_db=self.trim_db)

    @property
    def kind(self) -> str:
        """Name of the stores of pooled vectors, and of those of steps."""
        return "frames" if self.frames else "embeddings"

    @property
    def name(self) -> str:
        """The encoder's name: the last part of a folder or of a hub's id."""
        return Path(self.encoder).name or USUAL_ENCODER

    @property
    def middle(self) -> tuple[int, ...]:
        """Those of the layers that lie from a third to half of the encoder's depth; all where none does.

        Lower layers hear more of the channel and the voice, higher ones more of the words.

        Examples:
            >>> EmbeddingOptions(depth=6, layers=tuple(range(7))).middle
            (2, 3)
            >>> EmbeddingOptions(depth=4, layers=(3, 4)).middle
            (3, 4)
        """
        found = tuple(layer for layer in self.layers if self.depth // 3 <= layer <= self.depth // 2)
        return found or self.layers

    @property
    def stored(self) -> Self:
        """The options the store is keyed by: neither the encoder's name and place nor the device."""
        changes: dict[str, Any] = {"encoder": "", "folder": "", "device": "auto"}
        return self.model_copy(update=changes | ({"pooling": POOLINGS} if self.frames else {}))

    @property
    def about(self) -> dict[str, str]:
        """What a store says of its encoder beside its key."""
        return {"encoder": self.name, "folder": self.folder}


class WaveOptions(Options):
    """Samples as an encoder hears them, in frames of 10 ms; what is left after the last whole one is dropped.

    No store depends on an encoder, so one store serves all of them.

    Attributes:
        crop_s: as in :class:`EmbeddingOptions`.
        trim_db: likewise.
        sample_rate: in Hz.
        encoder: that hears the samples as a part of the model; None in a store.
    """

    kind: ClassVar[str] = "waves"
    FRAME: ClassVar[int] = 160

    crop_s: Positive | None = None
    trim_db: Positive | None = 30.0
    sample_rate: Literal[16_000] = 16_000
    encoder: EmbeddingOptions | None = None

    @property
    def stored(self) -> Self:
        """The part that decides what a store holds."""
        return self.model_copy(update={"encoder": None})
