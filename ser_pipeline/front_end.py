"""The one path from a recording to what a model sees: settings in, one row of a store out.

The feature store, prediction, streaming and the demo all call
:func:`ser_pipeline.front_end.row_of_wave`; there is no second front end anywhere. Nothing here
loads a decoder or a compiler before there is a wave to work on.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ser_pipeline.arrays import Float32s
from ser_pipeline.audio import Prepared, active_span, prepare, rms_db
from ser_pipeline.errors import AudioError
from ser_pipeline.features import log_mel
from ser_pipeline.options import (
    Augmented,
    FeatureOptions,
    FrontEnd,
    InputOptions,
    SmileOptions,
    StoreOptions,
    inputs_of,
)


@dataclass(frozen=True, slots=True)
class StoreRow:
    """One recording as the store keeps it.

    Attributes:
        values: mels of shape ``(n_mels, max_frames)``, where frames from ``frames`` on are padding, or
            features of shape ``(features,)``.
        frames: mel frames that hold sound; 1 for a vector of features.
        level_db: RMS level of the trimmed wave before levelling, in dB of full scale.
        span: first and end sample of what the values were made of, counted in the wave.
    """

    values: Float32s
    frames: int
    level_db: float
    span: tuple[int, int]


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
    from ser_pipeline.features.external import column_names

    names = column_names(inputs)
    return Layout((len(names),), np.float32, "each column's own; see openSMILE's book", names)


def aspect_of(options: StoreOptions, modality: str) -> str:
    """What of a recording's description its row depends on: part of the row's key.

    Returns:
        The modality for our own features, whose pitch search it decides; else nothing.
    """
    return modality if isinstance(inputs_of(options), FeatureOptions) else ""


def mel_of_wave(wave: Float32s, front_end: FrontEnd) -> StoreRow:
    """Denoise, trim, level, transform and pad one clip.

    Args:
        wave: mono samples at ``front_end.sample_rate``, shape ``(samples,)``.
        front_end: all settings.

    Raises:
        AudioError: the wave gives no finite spectrogram.
    """
    return mel_of_prepared(prepare(wave, front_end), front_end)


def mel_of_prepared(prepared: Prepared, front_end: FrontEnd) -> StoreRow:
    """Transform and pad a clip that is denoised, trimmed and levelled.

    Raises:
        AudioError: the wave gives no finite spectrogram.
    """
    mel = log_mel(prepared.wave, front_end)
    if not np.isfinite(mel).all():
        raise AudioError("its mel spectrogram is not finite; the recording cannot be used")
    frames = min(mel.shape[1], front_end.max_frames)
    values = np.full((front_end.n_mels, front_end.max_frames), front_end.pad_value, np.float32)
    values[:, :frames] = mel[:, :frames]
    first, last = prepared.span
    span = (first, min(last, first + round(front_end.max_s * front_end.sample_rate)))
    return StoreRow(values, frames, prepared.level_db, span)


def row_of_wave(wave: Float32s, options: InputOptions, *, modality: str = "speech") -> StoreRow:
    """Compute what a store of these options keeps of a wave.

    Args:
        wave: mono samples at ``options.sample_rate``, shape ``(samples,)``.
        options: they decide what is computed.
        modality: ``speech`` or ``song``; our own features search a higher pitch in song.

    Raises:
        AudioError: the wave gives no finite numbers.
        SettingsError: an extra that is not installed.
    """
    if isinstance(options, FrontEnd):
        return mel_of_wave(wave, options)
    if isinstance(options, FeatureOptions):
        return _named(wave, options, modality)
    return _smile(wave, options)


def row_of_variant(
    wave: Float32s, options: StoreOptions, *, digest: str, variant: int = 0, modality: str = "speech"
) -> StoreRow:
    """Compute what a store of these options keeps of one variant of a recording.

    Args:
        wave: mono samples at ``options.sample_rate``, shape ``(samples,)``.
        options: of recordings as they are, or of variants.
        digest: of the recording; with the variant's number it seeds all draws.
        variant: 0 is the recording as it is.
        modality: ``speech`` or ``song``.

    Raises:
        AudioError: the wave gives no finite numbers.
        SettingsError: an extra that is not installed.
    """
    if isinstance(options, Augmented):
        from ser_pipeline.audio.augment import augment  # alone loads scipy.signal

        wave = augment(wave, options.sample_rate, options.changes, digest=digest, variant=variant)
        options = options.inputs
    return row_of_wave(wave, options, modality=modality)


def _named(wave: Float32s, options: FeatureOptions, modality: str) -> StoreRow:
    from ser_pipeline.features.extract import extract

    span = _span(wave, options.trim_db)
    kept = wave[slice(*span)]
    return _vector(extract(kept, options, modality=modality), kept, span)


def _smile(wave: Float32s, options: SmileOptions) -> StoreRow:
    from ser_pipeline.features.external import functionals

    span = _span(wave, options.trim_db)
    kept = wave[slice(*span)]
    return _vector(functionals(kept, options), kept, span)


def _span(wave: Float32s, trim_db: float | None) -> tuple[int, int]:
    return (0, wave.size) if trim_db is None else active_span(wave, trim_db)


def _vector(values: npt.NDArray[Any], wave: Float32s, span: tuple[int, int]) -> StoreRow:
    if not np.isfinite(values).all():
        raise AudioError(
            f"{np.count_nonzero(~np.isfinite(values))} of its features are not finite; "
            "the recording cannot be used"
        )
    return StoreRow(values.astype(np.float32), 1, rms_db(wave), span)
