"""Spectral gating: turn down what does not rise above each band's own slow average.

The gate is noisereduce's non-stationary one (Sainburg, T. 2019, doi:10.5281/zenodo.3243139)
at its default settings. :func:`spectral_gate` computes the same mathematics once, in float32,
and only where there is sound: noisereduce surrounds every clip with 30,000 zeros, and what its
recursive average does there has a closed form. ``reference=True`` calls noisereduce itself.
"""

import math
import warnings
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from ser_pipeline.audio.gate_loops import (
    BINS,
    HOP,
    N_FFT,
    analyse,
    average_forwards,
    mask_backwards,
    synthesise,
)
from ser_pipeline.errors import AudioError
from ser_pipeline.first_import import before_librosa
from ser_pipeline.scratch import scratch

Float32s = npt.NDArray[np.float32]
Float64s = npt.NDArray[np.float64]

PADDING = 30_000
CHUNK = 600_000
TIME_CONSTANT_S = 2.0
SMOOTH_HZ = 500
SMOOTH_MS = 50


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
    before_librosa()
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
    if bands < 1 or frames < 1:
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
    span = scratch("gate span", 2 * pairs * HOP + N_FFT)
    span[:] = 0
    low, high = max(0, offset), min(wave.size, offset + (frames - 1) * HOP + N_FFT)
    span[low - offset : high - offset] = wave[low:high]
    spectra = scratch("gate spectra", 4 * pairs * BINS)
    there, back = _windows()
    magnitude, average = scratch("gate mask", 2 * pairs * BINS), scratch("gate average", frames * BINS)
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
