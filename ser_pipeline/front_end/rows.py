"""From a wave to a row of any kind of store: one function per kind."""

from typing import Any

import numpy as np
import numpy.typing as npt

from ser_pipeline.audio import active_span, rms_db
from ser_pipeline.errors import AudioError
from ser_pipeline.front_end.mels import mel_of_wave
from ser_pipeline.front_end.row import Row
from ser_pipeline.settings import (
    Augmented,
    FeatureOptions,
    FrontEnd,
    InputOptions,
    SmileOptions,
    StoreOptions,
)

Float32s = npt.NDArray[np.float32]


def row_of_wave(wave: Float32s, options: InputOptions, *, modality: str = "speech") -> Row:
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
) -> Row:
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


def _named(wave: Float32s, options: FeatureOptions, modality: str) -> Row:
    from ser_pipeline.features.extract import extract

    span = _span(wave, options.trim_db)
    kept = wave[slice(*span)]
    return _vector(extract(kept, options, modality=modality), kept, span)


def _smile(wave: Float32s, options: SmileOptions) -> Row:
    from ser_pipeline.features.smile import functionals

    span = _span(wave, options.trim_db)
    kept = wave[slice(*span)]
    return _vector(functionals(kept, options), kept, span)


def _span(wave: Float32s, trim_db: float | None) -> tuple[int, int]:
    return (0, wave.size) if trim_db is None else active_span(wave, trim_db)


def _vector(values: npt.NDArray[Any], wave: Float32s, span: tuple[int, int]) -> Row:
    if not np.isfinite(values).all():
        raise AudioError(
            f"{np.count_nonzero(~np.isfinite(values))} of its features are not finite; "
            "the recording cannot be used"
        )
    return Row(values.astype(np.float32), 1, rms_db(wave), span)
