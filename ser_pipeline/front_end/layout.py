"""How the rows of each kind of store are kept: shape, type, names and units."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ser_pipeline.settings import FeatureOptions, FrontEnd, StoreOptions, inputs_of


@dataclass(frozen=True, slots=True)
class Layout:
    """How a store keeps its rows.

    Attributes:
        shape: of one row.
        dtype: of its values.
        unit: of the values, in words.
        names: of the columns of a vector; empty for mels.
        units: of the columns; empty where they are unknown.
    """

    shape: tuple[int, ...]
    dtype: npt.DTypeLike
    unit: str
    names: tuple[str, ...] = ()
    units: tuple[str, ...] = ()


def layout_of(options: StoreOptions) -> Layout:
    """Layout of the rows of these options.

    Raises:
        SettingsError: openSMILE, which alone knows its names, is not installed.
    """
    inputs = inputs_of(options)
    if isinstance(inputs, FrontEnd):
        shape = (inputs.n_mels, inputs.max_frames)
        return Layout(shape, np.float16, "about [-1, 1]; see provenance")
    if isinstance(inputs, FeatureOptions):
        from ser_pipeline.features.catalogue import FEATURES

        names = tuple(row.name for row in FEATURES)
        units = tuple(row.unit for row in FEATURES)
        return Layout((len(names),), np.float32, "each column's own; see feature_unit", names, units)
    from ser_pipeline.features.smile import column_names

    names = column_names(inputs)
    return Layout((len(names),), np.float32, "each column's own; see openSMILE's book", names)


def aspect_of(options: StoreOptions, modality: str) -> str:
    """What of a recording's description its row depends on: part of the row's key.

    Returns:
        The modality for our own features, whose pitch search it decides; else nothing.
    """
    return modality if isinstance(inputs_of(options), FeatureOptions) else ""
