"""Spectral gating: turn down what does not rise above each band's own slow average.

The gate is noisereduce's non-stationary one (Sainburg, T. 2019, doi:10.5281/zenodo.3243139)
at its default settings. :func:`spectral_gate` computes the same mathematics once, in float32,
and only where there is sound: noisereduce surrounds every clip with 30,000 zeros, and what its
recursive average does there has a closed form. ``reference=True`` calls noisereduce itself.
"""

import warnings
from functools import lru_cache

import numba
import numpy as np
import numpy.typing as npt
import scipy.fft

from ser_pipeline.errors import AudioError

Float32s = npt.NDArray[np.float32]

N_FFT = 1024
HOP = 256
PADDING = 30_000
CHUNK = 600_000
TIME_CONSTANT_S = 2.0
SMOOTH_HZ = 500
SMOOTH_MS = 50
THRESHOLD = 2.0
SLOPE = 10.0


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
def _window() -> Float32s:
    return (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(N_FFT) / N_FFT)).astype(np.float32)


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
    spectrum = _stft(wave, first * HOP - half - lead, last - first + 1)
    magnitude = np.abs(spectrum)
    t_frames = TIME_CONSTANT_S * sample_rate / HOP
    pole = (np.sqrt(1 + 4 * t_frames**2) - 1) / (2 * t_frames**2)
    ratio = _rise_over_average(magnitude, np.float32(pole), total // HOP - last, first > 0)
    mask = _sigmoid(ratio)
    smooth = _smooth(mask, rows, columns, np.float32(prop_decrease))
    spectrum *= smooth
    return _istft(spectrum, first * HOP - half - lead, wave.size)


def _stft(wave: Float32s, offset: int, frames: int) -> npt.NDArray[np.complex64]:
    """Spectra of ``frames`` windows, the first starting at sample ``offset`` (may be negative)."""
    span = np.zeros((frames - 1) * HOP + N_FFT, np.float32)
    low, high = max(0, offset), min(wave.size, offset + span.size)
    span[low - offset : high - offset] = wave[low:high]
    view = np.lib.stride_tricks.sliding_window_view(span, N_FFT)[::HOP]
    spectrum: npt.NDArray[np.complex64] = scipy.fft.rfft(view * _window(), axis=1, overwrite_x=True)
    return spectrum


def _istft(spectrum: npt.NDArray[np.complex64], offset: int, length: int) -> Float32s:
    """Overlap-add with the same window; four squared Hann windows sum to 1.5 everywhere."""
    pieces = scipy.fft.irfft(spectrum, n=N_FFT, axis=1, overwrite_x=True)
    pieces *= _window() * np.float32(1 / 1.5)
    overlap = N_FFT // HOP
    blocks = np.zeros((len(pieces) + overlap - 1, HOP), np.float32)
    parts = pieces.reshape(len(pieces), overlap, HOP)
    for number in range(overlap):
        blocks[number : number + len(pieces)] += parts[:, number]
    summed = blocks.reshape(-1)
    wave = np.zeros(length, np.float32)
    low, high = max(0, offset), min(length, offset + summed.size)
    wave[low:high] = summed[low - offset : high - offset]
    return wave


def _sigmoid(ratio: Float32s) -> Float32s:
    """Gate opening for the ratio magnitude / average: 1 / (1 + exp(-slope (ratio - 1 - threshold)))."""
    ratio *= np.float32(-SLOPE)
    ratio += np.float32(SLOPE * (1 + THRESHOLD))
    np.exp(ratio, out=ratio)
    ratio += np.float32(1)
    np.reciprocal(ratio, out=ratio)
    return ratio


@numba.njit(cache=True, nogil=True)
def _rise_over_average(magnitude, pole, trailing, zeros_before):  # type: ignore[no-untyped-def]
    """Magnitude over its average, smoothed by one pole forwards, then backwards.

    Shape ``(frames, bins)`` in and out. ``trailing`` silent frames follow, and silent ones go
    before if ``zeros_before``; else the filter starts in the first frame's steady state.
    """
    frames, bins = magnitude.shape
    keep = np.float32(1) - pole
    average = np.empty_like(magnitude)
    state = np.zeros(bins, np.float32)
    if not zeros_before:
        state[:] = magnitude[0]
    for frame in range(frames):
        for band in range(bins):
            state[band] = pole * magnitude[frame, band] + keep * state[band]
            average[frame, band] = state[band]
    if trailing > 0:
        # forwards the average decays by `keep` a frame; backwards it starts in the last frame's
        # steady state: a geometric series, summed up to the frame after the sound
        decay = np.float64(keep)
        series = np.float64(pole) * decay * (1 - decay ** (2 * trailing - 2)) / (1 - decay**2)
        factor = np.float32(series + decay ** (2 * trailing - 1))
        for band in range(bins):
            state[band] *= factor
    for frame in range(frames - 1, -1, -1):
        for band in range(bins):
            if trailing > 0 or frame < frames - 1:
                state[band] = pole * average[frame, band] + keep * state[band]
            else:
                state[band] = average[frame, band]
            smoothed = state[band]
            average[frame, band] = magnitude[frame, band] / smoothed if smoothed > 0 else np.float32(0)
    return average


@numba.njit(cache=True, nogil=True, fastmath=True)
def _smooth(mask, rows, columns, amount):  # type: ignore[no-untyped-def]
    """Smooth over frequency, then time; outside the mask all is shut. Shape kept."""
    frames, bins = mask.shape
    half = len(rows) // 2
    padded = np.zeros(bins + 2 * half, np.float32)
    narrow = np.empty_like(mask)
    for frame in range(frames):
        padded[half : half + bins] = mask[frame]
        for band in range(bins):
            narrow[frame, band] = np.float32(0)
        for tap in range(len(rows)):
            weight = rows[tap]
            for band in range(bins):
                narrow[frame, band] += weight * padded[band + tap]
    smooth = np.empty_like(mask)
    reach = len(columns) // 2
    for frame in range(frames):
        for band in range(bins):
            smooth[frame, band] = np.float32(1) - amount
        for tap in range(len(columns)):
            other = frame + tap - reach
            if 0 <= other < frames:
                weight = columns[tap] * amount
                for band in range(bins):
                    smooth[frame, band] += weight * narrow[other, band]
    return smooth
