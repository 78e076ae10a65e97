"""What a feature store can hold, by the options that decide its numbers."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Any, Final

from pydantic import Field

from ser_pipeline.errors import SettingsError
from ser_pipeline.options.augment import WaveAugment
from ser_pipeline.options.base import Options
from ser_pipeline.options.checks import checked
from ser_pipeline.options.embeddings import EMBEDDINGS_VERSION, EmbeddingOptions, WaveOptions
from ser_pipeline.options.features import FEATURES_VERSION, FeatureOptions, FeatureSet, SmileOptions
from ser_pipeline.options.front_end import FRONT_END_VERSION, FrontEnd

InputOptions = FrontEnd | FeatureOptions | SmileOptions | EmbeddingOptions | WaveOptions
"""What a model is given of a recording as it is."""


class Augmented(Options):
    """Random variants of recordings, seen through the front end of ``inputs``.

    Attributes:
        inputs: what is computed of each variant.
        changes: how variants are drawn.
    """

    inputs: InputOptions
    changes: WaveAugment = WaveAugment()

    @property
    def kind(self) -> str:
        """Name of the folder of such stores."""
        return f"augmented-{self.inputs.kind}"

    @property
    def sample_rate(self) -> int:
        """Of the waves that are changed, in Hz."""
        return self.inputs.sample_rate

    @property
    def stored(self) -> "Augmented":
        """The part that decides what a store holds."""
        return Augmented(inputs=self.inputs.stored, changes=self.changes)


StoreOptions = InputOptions | Augmented


class Fused(Options):
    """Several inputs of the same recording; no store holds them together.

    Attributes:
        parts: the inputs, in the order in which their numbers lie side by side. Mels or frames come first,
            and the vectors after them are given to the network beside them.
    """

    parts: Annotated[tuple[InputOptions, ...], Field(min_length=2)]

    @property
    def kind(self) -> str:
        """Kinds of the parts, as ``features+embeddings``."""
        return "+".join(part.kind for part in self.parts)

    @property
    def sample_rate(self) -> int:
        """Highest rate that a part asks for, in Hz."""
        return max(part.sample_rate for part in self.parts)


ModelInputs = InputOptions | Fused
"""What a model is given of a recording: one input, or several."""

_PLAIN: Final[dict[str, type[StoreOptions]]] = {
    "mels": FrontEnd,
    "features": FeatureOptions,
    "egemaps": SmileOptions,
    "compare": SmileOptions,
    "embeddings": EmbeddingOptions,
    "frames": EmbeddingOptions,
    "waves": WaveOptions,
}

KINDS: Final[Mapping[str, type[StoreOptions]]] = MappingProxyType(
    _PLAIN | {f"augmented-{kind}": Augmented for kind in _PLAIN}
)
"""Kind of store, which is the name of its folder below ``cache/`` -> its options."""


def options_of(described: Mapping[str, Any]) -> StoreOptions:
    """Read a store's options back from its provenance.

    Args:
        described: with the store's kind, its settings, and what it says about its encoder if it has one.

    Raises:
        SettingsError: no such kind, or settings of another version.

    Examples:
        >>> options_of({"kind": "egemaps", "settings": {"feature_set": "egemaps"}}).kind
        'egemaps'
    """
    kind, settings, about = described["kind"], described["settings"], described.get("about", {})
    if kind not in KINDS:
        raise SettingsError(f"store kind '{kind}' does not exist; valid are {', '.join(KINDS)}")
    if about:
        inputs = settings.get("inputs")
        settings = {**settings, **about} if inputs is None else {**settings, "inputs": {**inputs, **about}}
    return checked(KINDS[kind], settings, where=f"settings of a store of {kind}")


def parts_of(inputs: ModelInputs) -> tuple[InputOptions, ...]:
    """The inputs a model is given side by side; of most models there is one."""
    return inputs.parts if isinstance(inputs, Fused) else (inputs,)


def sequence_of(inputs: ModelInputs) -> FrontEnd | EmbeddingOptions | None:
    """The mels or frames that a model reads, alone or with vectors beside them; None where it reads none.

    Examples:
        >>> sequence_of(Fused(parts=(FrontEnd(n_mels=80), FeatureOptions())))
        FrontEnd(n_mels=80)
    """
    first = parts_of(inputs)[0]
    steps = isinstance(first, FrontEnd) or (isinstance(first, EmbeddingOptions) and first.frames)
    return first if isinstance(first, FrontEnd | EmbeddingOptions) and steps else None


def mels_of(inputs: ModelInputs) -> FrontEnd | None:
    """The front end of a model that reads mels, alone or with vectors beside them; else None."""
    first = sequence_of(inputs)
    return first if isinstance(first, FrontEnd) else None


def algorithm_version(options: InputOptions) -> int:
    """Version of the code that turns a wave into rows of these options.

    Examples:
        >>> algorithm_version(FrontEnd()) == FRONT_END_VERSION
        True
    """
    if isinstance(options, EmbeddingOptions) and options.precision == "bf16":
        return EMBEDDINGS_VERSION + 1  # convolutions in fp32 on the processor
    if isinstance(options, EmbeddingOptions | WaveOptions):
        return EMBEDDINGS_VERSION
    return FRONT_END_VERSION if isinstance(options, FrontEnd) else FEATURES_VERSION


def input_versions(inputs: ModelInputs) -> int | tuple[int, ...]:
    """Version of the code behind a model's input; one for each part where there are several."""
    if isinstance(inputs, Fused):
        return tuple(map(algorithm_version, inputs.parts))
    return algorithm_version(inputs)


def inputs_of(options: StoreOptions) -> InputOptions:
    """What a store computes of each wave, whether the wave was changed before or not.

    Examples:
        >>> inputs_of(Augmented(inputs=FrontEnd())) == inputs_of(FrontEnd())
        True
    """
    return options.inputs if isinstance(options, Augmented) else options


def feature_options(feature_set: FeatureSet, named: FeatureOptions) -> FeatureOptions | SmileOptions:
    """Options of the store of a feature set.

    Args:
        feature_set: ``named``, ``egemaps`` or ``compare``.
        named: options of the toolkit's own features; openSMILE's sets have options of their own.

    Examples:
        >>> feature_options("compare", FeatureOptions()).kind
        'compare'
    """
    return named if feature_set == "named" else SmileOptions(feature_set=feature_set)
