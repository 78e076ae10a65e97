"""Spectral gating: turn down what does not rise above each band's own slow average.

The gate is noisereduce's non-stationary one (Sainburg, T. 2019, doi:10.5281/zenodo.3243139)
at its default settings. :func:`spectral_gate` computes the same mathematics once, in float32,
and only where there is sound: noisereduce surrounds every clip with 30,000 zeros, and what its
recursive average does there has a closed form. ``reference=True`` calls noisereduce itself.

Frames go two at a time through one complex transform, and each step is done for a whole frame
while the frame is in the processor's nearest memory. Magnitudes become the mask in place.
"""

import math
import warnings
from functools import lru_cache

import numpy as np

from ser_pipeline.arrays import Float32s, Float64s, as_samples
from ser_pipeline.dsp import plain
from ser_pipeline.dsp.buffers import buffer
from ser_pipeline.dsp.compiled import inlined, otherwise, vectorised
from ser_pipeline.dsp.fft import transform_1024, transform_1024_double
from ser_pipeline.dsp.kept import prepare_librosa
from ser_pipeline.dsp.plain import BINS, HOP, N_FFT, SLOPE, THRESHOLD
from ser_pipeline.errors import AudioError
from ser_pipeline.options import GATE_RATES

PADDING = 30_000
CHUNK = 600_000
TIME_CONSTANT_S = 2.0
SMOOTH_HZ = 500
SMOOTH_MS = 50

_SHUT = np.float32(SLOPE * (1 + THRESHOLD))
_OPEN = np.float32(-20)
_STEP = np.float32(1 / 32)
_CENTRE = (_SHUT + _OPEN) * _STEP / np.float32(2)
_TINY = np.float32(1e-37)
_TAYLOR = tuple(np.float32(math.exp(_CENTRE) / math.factorial(order)) for order in range(10))


def spectral_gate(
    wave: Float32s, sample_rate: int, *, prop_decrease: float = 1.0, reference: bool = False
) -> Float32s:
    """Reduce what is steady within each frequency band.

    Args:
        wave: mono samples, shape ``(samples,)``.
        sample_rate: in Hz.
        prop_decrease: share in [0, 1] of the gated energy that is taken away.
        reference: call noisereduce instead; the results differ by rounding alone.

    Returns:
        Shape ``(samples,)``.

    Raises:
        AudioError: the sample rate is too low or too high for the gate's mask smoothing.
    """
    wave = as_samples(wave)
    if reference:
        return _noisereduce(wave, sample_rate, prop_decrease)
    rows, columns = _kernels(sample_rate)
    if wave.size <= CHUNK:
        return _gate_region(wave, PADDING, PADDING, sample_rate, prop_decrease, rows, columns)
    gated = np.empty_like(wave)
    for start in range(0, wave.size, CHUNK):
        low, high = max(0, start - PADDING), min(wave.size, start + CHUNK + PADDING)
        lead, trail = max(0, PADDING - start), max(0, start + CHUNK + PADDING - wave.size)
        part = _gate_region(wave[low:high], lead, trail, sample_rate, prop_decrease, rows, columns)
        stop = min(wave.size, start + CHUNK)
        gated[start:stop] = part[start - low : stop - low]
    return gated


def _noisereduce(wave: Float32s, sample_rate: int, prop_decrease: float) -> Float32s:
    prepare_librosa()
    import noisereduce

    with warnings.catch_warnings():
        # a band without any energy divides by zero; such bands carry nothing to gate
        warnings.simplefilter("ignore", RuntimeWarning)
        gated = noisereduce.reduce_noise(
            y=wave, sr=sample_rate, stationary=False, prop_decrease=prop_decrease
        )
    finite: Float32s = np.nan_to_num(np.asarray(gated, np.float32), copy=False)
    return finite


@lru_cache(maxsize=8)
def _kernels(sample_rate: int) -> tuple[Float32s, Float32s]:
    """Smoothing kernels over frequency and time: triangles that sum to one."""
    bands = int(SMOOTH_HZ / (sample_rate / (N_FFT / 2)))
    frames = int(SMOOTH_MS / (HOP / sample_rate * 1000))
    if sample_rate not in GATE_RATES:  # neither would hold one
        raise AudioError(f"the noise gate needs 5,120 to 256,000 Hz, found {sample_rate} Hz; resample first")
    return _triangle(bands), _triangle(frames)


def _triangle(half: int) -> Float32s:
    rise = np.arange(1, half + 2) / (half + 1)
    kernel = np.concatenate([rise, rise[-2::-1]])
    whole: Float32s = (kernel / kernel.sum()).astype(np.float32)
    return whole


@lru_cache(maxsize=1)
def _windows() -> tuple[Float64s, Float32s]:
    """Half a Hann window for :func:`analyse`; a whole one with all factors of the way back."""
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(N_FFT) / N_FFT)
    # four squared Hann windows sum to 1.5 everywhere; the transform is not normalised
    return hann / 2, (hann / (1.5 * N_FFT)).astype(np.float32)


def _gate_region(
    wave: Float32s,
    lead: int,
    trail: int,
    sample_rate: int,
    prop_decrease: float,
    rows: Float32s,
    columns: Float32s,
) -> Float32s:
    """Gate ``wave`` as if ``lead`` zeros stood before and ``trail`` zeros after it."""
    half = N_FFT // 2
    total = lead + wave.size + trail
    first = max(0, (lead - half) // HOP + 1) if lead else 0
    last = min((lead + wave.size + half - 1) // HOP, total // HOP)
    frames, pairs = last - first + 1, (last - first + 2) // 2
    offset = first * HOP - half - lead
    span = buffer("gate span", 2 * pairs * HOP + N_FFT)
    span[:] = 0
    low, high = max(0, offset), min(wave.size, offset + (frames - 1) * HOP + N_FFT)
    span[low - offset : high - offset] = wave[low:high]
    spectra = buffer("gate spectra", 4 * pairs * BINS)
    there, back = _windows()
    magnitude, average = buffer("gate mask", 2 * pairs * BINS), buffer("gate average", frames * BINS)
    analyse(span, there, spectra, magnitude)
    mask = magnitude[: frames * BINS]  # an odd last frame has a partner that does not count
    pole = _pole(sample_rate)
    average_forwards(mask, average, pole, first > 0)
    mask_backwards(
        mask, average, pole, total // HOP - last, np.pad(rows, (0, -rows.size % 4)), rows.size // 2
    )
    if frames % 2:
        spectra[-2 * BINS :] = 0
    span[:] = 0
    synthesise(spectra, mask, columns, np.float32(prop_decrease), back, span)
    gated = np.zeros(wave.size, np.float32)
    gated[low:high] = span[low - offset : high - offset]
    return gated


def _pole(sample_rate: int) -> np.float32:
    """Share of a new frame in a band's average."""
    t_frames = TIME_CONSTANT_S * sample_rate / HOP
    return np.float32((math.sqrt(1 + 4 * t_frames**2) - 1) / (2 * t_frames**2))


@otherwise(plain.analyse)
@vectorised
def analyse(span: Float32s, window: Float64s, spectra: Float32s, magnitude: Float32s) -> None:
    """Spectra of windows that start every ``HOP`` samples.

    In double precision: bands that a recording at 16 kHz has no sound in are gated by their own faint
    noise, which the rounding of a single-precision transform would drown.

    Args:
        span: samples, shape ``(2 * pairs * HOP + N_FFT,)``.
        window: float64, half of it, since two frames share a transform; shape ``(N_FFT,)``.
        spectra: receives real and imaginary parts of one frame, then of the next, shape
            ``(pairs * 4 * BINS,)``.
        magnitude: receives magnitudes, shape ``(2 * pairs * BINS,)``.
    """
    pair, spectrum = np.empty(2 * N_FFT, np.float64), np.empty(2 * N_FFT, np.float64)
    for number in range(len(magnitude) // (2 * BINS)):
        start = 2 * number * HOP
        for i in range(N_FFT):
            pair[i] = span[start + i] * window[i]
            pair[N_FFT + i] = span[start + HOP + i] * window[i]
        transform_1024_double(pair, spectrum)
        _part(spectrum, spectra, 4 * number * BINS)
        for which in range(2):
            i, o = (4 * number + 2 * which) * BINS, (2 * number + which) * BINS
            for band in range(BINS):
                re, im = spectra[i + band], spectra[i + BINS + band]
                magnitude[o + band] = np.sqrt(re * re + im * im)


@inlined
def _part(spectrum: Float64s, spectra: Float32s, i: int) -> None:
    """Tell the spectra of two real frames apart by their symmetry."""
    for edge in (0, N_FFT // 2):
        spectra[i + edge], spectra[i + BINS + edge] = 2 * spectrum[edge], np.float32(0)
        spectra[i + 2 * BINS + edge], spectra[i + 3 * BINS + edge] = 2 * spectrum[N_FFT + edge], np.float32(0)
    for band in range(1, N_FFT // 2):
        re, im = spectrum[band], spectrum[N_FFT + band]
        mirrored_re, mirrored_im = spectrum[N_FFT - band], spectrum[2 * N_FFT - band]
        spectra[i + band], spectra[i + BINS + band] = re + mirrored_re, im - mirrored_im
        spectra[i + 2 * BINS + band], spectra[i + 3 * BINS + band] = im + mirrored_im, mirrored_re - re


@otherwise(plain.average_forwards)
@vectorised
def average_forwards(magnitude: Float32s, average: Float32s, pole: np.float32, zeros_before: bool) -> None:
    """Smooth each band by one pole, from the first frame to the last.

    Args:
        magnitude: shape ``(frames * BINS,)``.
        average: receives the averages, same shape.
        pole: share of a new frame in the average.
        zeros_before: silence goes before; else the filter starts in the first frame's steady state.
    """
    state = np.zeros(BINS, np.float32)
    for band in range(BINS if not zeros_before else 0):
        state[band] = magnitude[band]
    keep = np.float32(1) - pole
    for frame in range(len(magnitude) // BINS):
        new, averaged = _row(magnitude, frame), _row(average, frame)
        for band in range(BINS):
            state[band] = pole * new[band] + keep * state[band]
            averaged[band] = state[band]


@otherwise(plain.mask_backwards)
@vectorised
def mask_backwards(
    magnitude: Float32s, average: Float32s, pole: np.float32, trailing: int, rows: Float32s, reach: int
) -> None:
    """Smooth averages backwards, and turn magnitudes into a mask that is smooth over frequency.

    Args:
        magnitude: shape ``(frames * BINS,)``; receives the mask, in [0, 1].
        average: from :func:`average_forwards`, same shape.
        pole: share of a new frame in the average.
        trailing: number of silent frames that follow.
        rows: smoothing kernel over bands, zeros at its end make it a multiple of four long.
        reach: place of the kernel's middle.
    """
    keep, last = np.float32(1) - pole, len(magnitude) // BINS - 1
    state = _row(average, last).copy()
    if trailing > 0:
        state *= _after_silence(pole, keep, trailing)
    padded = np.zeros(BINS + len(rows), np.float32)
    opened = padded[reach : reach + BINS]
    for frame in range(last, -1, -1):
        new, averaged = _row(magnitude, frame), _row(average, frame)
        if trailing > 0 or frame < last:
            for band in range(BINS):
                state[band] = pole * averaged[band] + keep * state[band]
        for band in range(BINS):
            opened[band] = _opening(new[band] / max(state[band], _TINY))
        _smooth_row(padded, rows, new)


@inlined
def _row(frames: Float32s, number: int) -> Float32s:
    return frames[number * BINS : (number + 1) * BINS]


_after_silence = inlined(plain.after_silence)


@inlined
def _opening(ratio: np.float32) -> np.float32:
    """Gate opening 1 / (1 + exp(slope (1 + threshold - ratio))).

    exp(x) is Taylor's series of x / 32 about the middle of [-20, 30], squared five times: below
    -20 the gate is open to the last bit, and 30 is what a ratio of zero gives.
    """
    x = max(_OPEN, _SHUT - np.float32(SLOPE) * ratio) * _STEP - _CENTRE
    power = x * _TAYLOR[9] + _TAYLOR[8]
    power = (power * x + _TAYLOR[7]) * x + _TAYLOR[6]
    power = (power * x + _TAYLOR[5]) * x + _TAYLOR[4]
    power = (power * x + _TAYLOR[3]) * x + _TAYLOR[2]
    power = (power * x + _TAYLOR[1]) * x + _TAYLOR[0]
    power = power * power
    power = power * power
    power = power * power
    power = power * power
    power = power * power
    return np.float32(1) / (np.float32(1) + power)


@inlined
def _smooth_row(padded: Float32s, rows: Float32s, smooth: Float32s) -> None:
    """Sums of neighbouring bands, four taps at a time, so that they seldom travel to memory."""
    smooth[:] = 0
    for tap in range(0, len(rows), 4):
        a, b, c, d = rows[tap], rows[tap + 1], rows[tap + 2], rows[tap + 3]
        shifted = padded[tap : tap + BINS + 3]
        for i in range(BINS):
            smooth[i] += (a * shifted[i] + b * shifted[i + 1]) + (c * shifted[i + 2] + d * shifted[i + 3])


@otherwise(plain.synthesise)
@vectorised
def synthesise(
    spectra: Float32s, mask: Float32s, columns: Float32s, amount: np.float32, window: Float32s, span: Float32s
) -> None:
    """Smooth the mask over time, apply it, and add the frames up.

    Args:
        spectra: from :func:`analyse`, shape ``(pairs * 4 * BINS,)``.
        mask: from :func:`mask_backwards`, shape ``(frames * BINS,)``; beyond its ends all is shut.
        columns: smoothing kernel over frames, odd.
        amount: share in [0, 1] of the gated energy that is taken away.
        window: with all constant factors of the way back, shape ``(N_FFT,)``.
        span: receives the sum, shape ``(2 * pairs * HOP + N_FFT,)``, zeros before.
    """
    pair, summed = np.empty(2 * N_FFT, np.float32), np.empty(2 * N_FFT, np.float32)
    gains = np.empty(2 * BINS, np.float32)
    for number in range(len(spectra) // (4 * BINS)):
        for which in range(2):
            _gain(mask, columns, amount, 2 * number + which, _row(gains, which))
        _join(spectra, 4 * number * BINS, gains, pair)
        transform_1024(pair, summed)
        start = 2 * number * HOP
        for i in range(N_FFT):
            span[start + i] += summed[N_FFT + i] * window[i]
        for i in range(N_FFT):
            span[start + HOP + i] += summed[i] * window[i]


@inlined
def _gain(mask: Float32s, columns: Float32s, amount: np.float32, frame: int, gain: Float32s) -> None:
    """The middle tap, then the others by twos: what a frame's mask is after smoothing over time."""
    frames, reach = len(mask) // BINS, len(columns) // 2
    middle = columns[reach] * amount if frame < frames else np.float32(0)
    row = _row(mask, min(frame, frames - 1))
    for band in range(BINS):
        gain[band] = (np.float32(1) - amount) + middle * row[band]
    for away in range(1, reach + 1):
        a = columns[reach - away] * amount if frame - away >= 0 else np.float32(0)
        b = columns[reach + away] * amount if frame + away < frames else np.float32(0)
        before, after = _row(mask, max(frame - away, 0)), _row(mask, min(frame + away, frames - 1))
        for band in range(BINS):
            gain[band] += a * before[band] + b * after[band]


@inlined
def _join(spectra: Float32s, i: int, gains: Float32s, pair: Float32s) -> None:
    """One complex spectrum of two frames, real and imaginary parts exchanged for the way back."""
    for edge in (0, N_FFT // 2):
        pair[N_FFT + edge] = gains[edge] * spectra[i + edge]
        pair[edge] = gains[BINS + edge] * spectra[i + 2 * BINS + edge]
    for band in range(1, N_FFT // 2):
        one, other = gains[band], gains[BINS + band]
        one_re, one_im = one * spectra[i + band], one * spectra[i + BINS + band]
        other_re, other_im = other * spectra[i + 2 * BINS + band], other * spectra[i + 3 * BINS + band]
        pair[N_FFT + band], pair[band] = one_re - other_im, one_im + other_re
        pair[2 * N_FFT - band], pair[N_FFT - band] = one_re + other_im, other_re - one_im
