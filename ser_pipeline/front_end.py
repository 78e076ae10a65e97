"""The one path from a recording to what a model sees: settings in, one row of a store out.

The feature store, prediction, streaming and the demo all call
:func:`ser_pipeline.front_end.row_of_wave`, or the same for several waves at once; there is no second
front end anywhere. Nothing here loads a decoder, a compiler or torch before there is a wave to work on.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from ser_pipeline.arrays import Float32s, Floats, as_samples
from ser_pipeline.errors import AudioError, AudioShort
from ser_pipeline.options import (
    Augmented,
    EmbeddingOptions,
    FeatureOptions,
    FrontEnd,
    Fused,
    ModelInputs,
    SmileOptions,
    StoreOptions,
    WaveOptions,
    inputs_of,
    sequence_of,
)

if TYPE_CHECKING:
    from ser_pipeline.audio import Prepared

AtRate = Callable[[int], Float32s]
"""Gives the samples of one sound at a rate in Hz."""

FEWEST_FRAMES: Final = 10
"""Of samples for an encoder: 0.1 s, which is several steps of any of them."""


@dataclass(frozen=True, slots=True)
class StoreRow:
    """One recording as the store keeps it.

    Attributes:
        values: mels of shape ``(n_mels, max_frames)``, where frames from ``frames`` on are padding; features
            of shape ``(features,)``; samples of shape ``(frames, 1, 160)``; or of an encoder what
            :class:`~ser_pipeline.encoders.embed.Embedding` holds.
        frames: mel frames that hold sound, or steps of an encoder; 1 for a vector of features.
        level_db: RMS level of the trimmed wave before levelling, in dB of full scale.
        span: first and end sample of what the values were made of, counted in the wave.
        beside: vectors that stand beside mels or steps, shape ``(columns,)``; None for none.
    """

    values: Floats
    frames: int
    level_db: float
    span: tuple[int, int]
    beside: Float32s | None = None


@dataclass(frozen=True, slots=True)
class Layout:
    """How a store keeps its rows.

    Attributes:
        values: name of what is kept.
        shape: of one row, or of one step of it where rows are ragged.
        dtype: of its values.
        unit: of the values, in words.
        names: of the columns of a vector; empty for anything else.
        units: of the columns; empty where they are unknown.
        ragged: rows have as many steps as their recording, and lie one after another.
    """

    values: str
    shape: tuple[int, ...]
    dtype: npt.DTypeLike
    unit: str
    names: tuple[str, ...] = ()
    units: tuple[str, ...] = ()
    ragged: bool = False


def layout_of(options: StoreOptions) -> Layout:
    """Layout of the rows of these options.

    Raises:
        SettingsError: openSMILE, which alone knows its names, is not installed.
    """
    inputs = inputs_of(options)
    if isinstance(inputs, FrontEnd):
        shape = (inputs.n_mels, inputs.max_frames)
        return Layout("mels", shape, np.float16, "about [-1, 1]; see provenance")
    if isinstance(inputs, EmbeddingOptions):
        return _layout_of_embeddings(inputs)
    if isinstance(inputs, WaveOptions):
        unit = "samples in [-1, 1]; axes: frame, channel, sample; rows lie one after another, see frames"
        return Layout("waves", (1, inputs.FRAME), np.float16, unit, ragged=True)
    if isinstance(inputs, FeatureOptions):
        from ser_pipeline.features.catalogue import FEATURES

        names = tuple(row.name for row in FEATURES)
        units = tuple(row.unit for row in FEATURES)
        unit = "each column's own; see feature_unit"
        return Layout("features", (len(names),), np.float32, unit, names, units)
    from ser_pipeline.features.external import column_names

    names = column_names(inputs)
    return Layout("features", (len(names),), np.float32, "each column's own; see openSMILE's book", names)


def _layout_of_embeddings(options: EmbeddingOptions) -> Layout:
    layers, width = len(options.layers), options.width
    numbers = ", ".join(map(str, options.layers))
    if options.frames:
        unit = f"activations; axes: step, layer ({numbers}), unit; rows lie one after another, see frames"
        return Layout("steps", (layers, width), np.float16, unit, ragged=True)
    unit = f"activations; axes: row, layer ({numbers}), pooling ({', '.join(options.pooling)}), unit"
    return Layout("embeddings", (layers, len(options.pooling), width), np.float32, unit)


def vector_names(options: ModelInputs) -> tuple[str, ...]:
    """Names of the numbers that a model of vectors is given; empty for mels and frames.

    Those of several encoders have the encoder's number before them: names of encoders may change.

    Raises:
        SettingsError: openSMILE, which alone knows its names, is not installed.

    Examples:
        >>> vector_names(EmbeddingOptions(layers=(2, 3), pooling=("mean",), width=1))
        ('layer2.mean.0', 'layer3.mean.0')
    """
    if isinstance(options, Fused):
        encoders = [part for part in options.parts if isinstance(part, EmbeddingOptions)]
        before = {id(each): f"encoder{number}." for number, each in enumerate(encoders, 1)}
        several = len(encoders) > 1
        return tuple(
            f"{before.get(id(part), '') if several else ''}{name}"
            for part in options.parts
            for name in vector_names(part)
        )
    if not isinstance(options, EmbeddingOptions) or options.frames:
        return layout_of(options).names
    return tuple(
        f"layer{layer}.{pooling}.{unit}"
        for layer in options.layers
        for pooling in options.pooling
        for unit in range(options.width)
    )


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
    from ser_pipeline.audio import prepare

    return mel_of_prepared(prepare(wave, front_end), front_end)


def mel_of_prepared(prepared: "Prepared", front_end: FrontEnd) -> StoreRow:
    """Transform and pad a clip that is denoised, trimmed and levelled.

    Raises:
        AudioError: the wave gives no finite spectrogram.
    """
    from ser_pipeline.dsp.mel import log_mel

    mel = log_mel(prepared.wave, front_end)
    if not np.isfinite(mel).all():
        raise AudioError("its mel spectrogram is not finite; the recording cannot be used")
    frames = min(mel.shape[1], front_end.max_frames)
    values = np.full((front_end.n_mels, front_end.max_frames), front_end.pad_value, np.float32)
    values[:, :frames] = mel[:, :frames]
    first, last = prepared.span
    span = (first, min(last, first + round(front_end.max_s * front_end.sample_rate)))
    return StoreRow(values, frames, prepared.level_db, span)


def row_of_wave(
    wave: Float32s, options: ModelInputs, *, modality: str = "speech", at: AtRate | None = None
) -> StoreRow:
    """Compute what a store of these options keeps of a wave; of several inputs, all of them together.

    Args:
        wave: mono samples at ``options.sample_rate``, shape ``(samples,)``; of any type that
            :func:`~ser_pipeline.arrays.as_samples` knows.
        options: they decide what is computed.
        modality: ``speech`` or ``song``; our own features search a higher pitch in song.
        at: gives the sound at another rate, for inputs of several rates; None resamples the wave.

    Raises:
        AudioError: the wave gives no finite numbers, or its samples have no full scale.
        SettingsError: an extra that is not installed.
        EncoderError: the encoder cannot be loaded, or is another one than the options say.
    """
    wave = as_samples(wave)
    if isinstance(options, Fused):
        return _together(wave, options, modality, at)
    if isinstance(options, FrontEnd):
        return mel_of_wave(wave, options)
    if isinstance(options, EmbeddingOptions):
        (row,) = rows_of_waves([wave], options)
        if isinstance(row, AudioError):
            raise row
        return row
    if isinstance(options, WaveOptions):
        return _samples(wave, options)
    if isinstance(options, FeatureOptions):
        return _named(wave, options, modality)
    return _smile(wave, options)


def _together(wave: Float32s, options: Fused, modality: str, at: AtRate | None) -> StoreRow:
    from ser_pipeline.audio.decode import resample

    rate, rows = options.sample_rate, list[StoreRow]()
    for part in options.parts:
        own = wave
        if part.sample_rate != rate:
            own = resample(wave, rate, part.sample_rate) if at is None else at(part.sample_rate)
        row = row_of_wave(own, part, modality=modality)
        first, last = (round(place * rate / part.sample_rate) for place in row.span)
        rows.append(replace(row, span=(first, last)))
    if sequence_of(options) is None:
        return _side_by_side(rows)
    vectors = _side_by_side(rows[1:])
    span = (min(rows[0].span[0], vectors.span[0]), max(rows[0].span[1], vectors.span[1]))
    return replace(rows[0], span=span, beside=vectors.values.astype(np.float32))


def _side_by_side(rows: Sequence[StoreRow]) -> StoreRow:
    """Vectors of one wave as one vector; the level is the first one's, the span holds all of theirs."""
    values = np.concatenate([row.values.astype(np.float32).reshape(-1) for row in rows])
    span = (min(row.span[0] for row in rows), max(row.span[1] for row in rows))
    return StoreRow(values, 1, rows[0].level_db, span)


def rows_of_waves(waves: Sequence[Float32s], options: EmbeddingOptions) -> list[StoreRow | AudioError]:
    """Run an encoder on several waves; each gives what it gives alone.

    Args:
        waves: mono samples at ``options.sample_rate``, shape ``(samples,)`` each.
        options: located.

    Returns:
        In the order of ``waves``; the error of a wave that gives no numbers in its place.

    Raises:
        EncoderError: the encoder cannot be loaded, or is another one than the options say.
    """
    from ser_pipeline.audio import rms_db
    from ser_pipeline.encoders.embed import encoder_of

    waves = [as_samples(wave) for wave in waves]
    spans = [embedded_span(wave, options) for wave in waves]
    parts = [wave[first:last] for wave, (first, last) in zip(waves, spans, strict=True)]
    return [
        made if isinstance(made, AudioError) else StoreRow(made.values, made.steps, rms_db(part), span)
        for made, part, span in zip(encoder_of(options).embed(parts), parts, spans, strict=True)
    ]


def embedded_span(wave: Float32s, options: EmbeddingOptions | WaveOptions) -> tuple[int, int]:
    """First and end sample of what an encoder hears of a wave.

    Args:
        wave: mono samples, shape ``(samples,)``.
        options: its ``trim_db`` and ``crop_s``.
    """
    first, last = _span(wave, options.trim_db)
    longest = last if options.crop_s is None else first + round(options.crop_s * options.sample_rate)
    return first, min(last, longest)


def wave_of_variant(wave: Float32s, options: StoreOptions, *, digest: str, variant: int = 0) -> Float32s:
    """One variant of a recording, before anything is computed of it.

    Args:
        wave: mono samples at ``options.sample_rate``, shape ``(samples,)``.
        options: of recordings as they are, whose wave is returned, or of variants.
        digest: of the recording; with the variant's number it seeds all draws.
        variant: 0 is the recording as it is.
    """
    if not isinstance(options, Augmented):
        return as_samples(wave)
    from ser_pipeline.audio.augment import augment  # loads scipy.fft, which mels do without

    return augment(wave, options.sample_rate, options.changes, digest=digest, variant=variant)


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
    wave = wave_of_variant(wave, options, digest=digest, variant=variant)
    return row_of_wave(wave, inputs_of(options), modality=modality)


def warm() -> None:
    """Compile the loops of mels and of our own features, unless their code is kept already.

    Every later process on this kind of processor then starts without waiting for the compiler.
    """
    for options in (FrontEnd(), FeatureOptions()):
        time = np.arange(options.sample_rate) / options.sample_rate
        hum = 0.1 * np.sin(2 * np.pi * 150 * time) * (1.5 + np.sin(2 * np.pi * 3 * time))
        row_of_wave(hum.astype(np.float32), options)


def _samples(wave: Float32s, options: WaveOptions) -> StoreRow:
    from ser_pipeline.audio import rms_db

    first, last = embedded_span(wave, options)
    frames = (last - first) // options.FRAME
    if frames < FEWEST_FRAMES:
        raise AudioShort(
            f"{(last - first) / options.sample_rate:.3f} s are left of it, at least "
            f"{FEWEST_FRAMES * options.FRAME / options.sample_rate:g} s are needed"
        )
    kept = wave[first : first + frames * options.FRAME]
    span = (first, first + kept.size)
    return StoreRow(kept.reshape(frames, 1, options.FRAME), frames, rms_db(kept), span)


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
    from ser_pipeline.audio import active_span

    return (0, wave.size) if trim_db is None else active_span(wave, trim_db)


def _vector(values: npt.NDArray[Any], wave: Float32s, span: tuple[int, int]) -> StoreRow:
    from ser_pipeline.audio import rms_db

    if not np.isfinite(values).all():
        raise AudioError(
            f"{np.count_nonzero(~np.isfinite(values))} of its features are not finite; "
            "the recording cannot be used"
        )
    return StoreRow(values.astype(np.float32), 1, rms_db(wave), span)
