"""What a feature store can hold, by the options that decide its numbers."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from ser_pipeline.errors import SettingsError
from ser_pipeline.settings.features import FEATURES_VERSION, FeatureOptions, FeatureSet, SmileOptions
from ser_pipeline.settings.front_end import FRONT_END_VERSION, FrontEnd
from ser_pipeline.settings.options import checked

StoreOptions = FrontEnd | FeatureOptions | SmileOptions

KINDS: Final[Mapping[str, type[StoreOptions]]] = MappingProxyType(
    {"mels": FrontEnd, "features": FeatureOptions, "egemaps": SmileOptions, "compare": SmileOptions}
)
"""Kind of store, which is the name of its folder below ``cache/`` -> its options."""


def options_of(kind: str, settings: Mapping[str, Any]) -> StoreOptions:
    """Read a store's options back from its provenance.

    Raises:
        SettingsError: no such kind, or settings of another version.

    Examples:
        >>> options_of("egemaps", {"feature_set": "egemaps"}).kind
        'egemaps'
    """
    if kind not in KINDS:
        raise SettingsError(f"store kind '{kind}' does not exist; valid are {', '.join(KINDS)}")
    return checked(KINDS[kind], settings, where=f"settings of a store of {kind}")


def algorithm_version(options: StoreOptions) -> int:
    """Version of the code that turns a wave into rows of these options.

    Examples:
        >>> algorithm_version(FrontEnd()) == FRONT_END_VERSION
        True
    """
    return FRONT_END_VERSION if isinstance(options, FrontEnd) else FEATURES_VERSION


def feature_options(feature_set: FeatureSet, named: FeatureOptions) -> StoreOptions:
    """Options of the store of a feature set.

    Args:
        feature_set: ``named``, ``egemaps`` or ``compare``.
        named: options of our own features; openSMILE's sets have options of their own.

    Examples:
        >>> feature_options("compare", FeatureOptions()).kind
        'compare'
    """
    return named if feature_set == "named" else SmileOptions(feature_set=feature_set)
