"""Log-mel spectrograms on a scale near [-1, 1]."""

import math
from functools import lru_cache

import numpy as np

from ser_pipeline.arrays import Complex64s, Float32s, Float64s, Int64s, as_samples
from ser_pipeline.dsp.buffers import buffer
from ser_pipeline.dsp.compiled import inlined, vectorised
from ser_pipeline.dsp.fft import transform_2048
from ser_pipeline.dsp.kept import numba
from ser_pipeline.errors import AudioError
from ser_pipeline.options import FrontEnd

N_FFT = 2048


def log_mel(wave: Float32s, front_end: FrontEnd) -> Float32s:
    """Mel spectrogram in dB, mapped to about [-1, 1].

    Centred Hann windows; Slaney's mel scale and area norm, as in librosa. With
    ``reference = one`` dB count from a power of 1.0, so the recorded level stays visible.

    Args:
        wave: mono samples at ``front_end.sample_rate``, shape ``(samples,)``; what lies
            beyond ``front_end.max_s`` is cut.
        front_end: its settings from ``n_fft`` on.

    Returns:
        Shape ``(n_mels, frames)`` with ``frames = 1 + samples // hop_length``, unpadded.

    Raises:
        AudioError: ``wave`` is not 1-D or has no samples.
    """
    wave = as_samples(wave)
    if wave.ndim != 1 or wave.size == 0:
        raise AudioError(f"a mel spectrogram needs a mono wave with samples, found shape {wave.shape}")
    wave = wave[: round(front_end.max_s * front_end.sample_rate)]
    return _scaled(_mel_power(wave, front_end), front_end)


@lru_cache(maxsize=8)
def mel_filters(
    sample_rate: int, n_fft: int, n_mels: int, low_hz: float = 0.0, high_hz: float | None = None
) -> Float32s:
    """Mel filter bank: triangles of equal area, evenly spaced on Slaney's mel scale.

    The same numbers as ``librosa.filters.mel`` to the last bit; made here because importing librosa for
    these few lines takes longer than a hundred clips.

    Args:
        sample_rate: in Hz.
        n_fft: transform length in samples.
        n_mels: number of filters.
        low_hz: where the lowest filter begins.
        high_hz: where the highest filter ends; by default at half of the sample rate.

    Returns:
        Shape ``(n_mels, 1 + n_fft // 2)``.

    References:
        Slaney, M. 1998, Auditory Toolbox version 2, Interval Research technical report 1998-010.

    Examples:
        >>> mel_filters(22_050, 2048, 96).shape
        (96, 1025)
    """
    bins_hz = np.fft.rfftfreq(n_fft, 1 / sample_rate)
    edges = mel_edges(sample_rate, n_mels, low_hz=low_hz, high_hz=high_hz)
    width, away = np.diff(edges), np.subtract.outer(edges, bins_hz)
    rising, falling = -away[:-2] / width[:-1, None], away[2:] / width[1:, None]
    filters = np.maximum(0, np.minimum(rising, falling)).astype(np.float32)
    area: Float32s = (filters * (2 / (edges[2:] - edges[:-2]))[:, None]).astype(np.float32)
    return area


def mel_edges(
    sample_rate: int, n_mels: int, *, low_hz: float = 0.0, high_hz: float | None = None
) -> Float64s:
    """Where the filters begin, peak and end, in Hz: filter ``n`` spans edges ``n`` to ``n + 2``.

    Args:
        sample_rate: in Hz.
        n_mels: number of filters.
        low_hz: where the first filter begins.
        high_hz: where the last one ends; None takes half the sample rate.

    Returns:
        Shape ``(n_mels + 2,)``.

    Examples:
        >>> mel_edges(22_050, 96)[[0, 48, -1]].round().tolist()
        [0.0, 1948.0, 11025.0]
    """
    low, high = map(_hz_to_mel, (low_hz, sample_rate / 2 if high_hz is None else high_hz))
    return _mel_to_hz(np.linspace(low, high, n_mels + 2))


_HZ_PER_MEL = 200 / 3
_BEND = 1000 / _HZ_PER_MEL
_STEP = math.log(6.4) / 27


def _hz_to_mel(hz: float) -> float:
    """Linear up to 1 kHz, then 27 steps for each factor of 6.4."""
    return hz / _HZ_PER_MEL if hz < 1000 else _BEND + math.log(hz / 1000) / _STEP


def _mel_to_hz(mel: Float64s) -> Float64s:
    hz: Float64s = np.where(mel < _BEND, _HZ_PER_MEL * mel, 1000 * np.exp(_STEP * (mel - _BEND)))
    return hz


@lru_cache(maxsize=8)
def hann(length: int) -> Float32s:
    """Periodic Hann window, shape ``(length,)``.

    Examples:
        >>> hann(4)
        array([0. , 0.5, 1. , 0.5], dtype=float32)
    """
    window: Float32s = (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(length) / length)).astype(np.float32)
    window.flags.writeable = False
    return window


@lru_cache(maxsize=8)
def _narrow_filters(sample_rate: int, n_mels: int) -> tuple[Int64s, Int64s, Float32s]:
    """First bin of each filter, where its weights start, and all weights that are not zero."""
    filters = mel_filters(sample_rate, N_FFT, n_mels)
    filled = filters > 0
    first = np.where(filled.any(axis=1), filled.argmax(axis=1), 0)
    starts = np.concatenate([[0], np.cumsum(filled.sum(axis=1))])
    return first.astype(np.int64), starts.astype(np.int64), filters[filled]


def _mel_power(wave: Float32s, front_end: FrontEnd) -> Float32s:
    """Mel powers of centred windows, shape ``(n_mels, frames)``."""
    n_fft, hop, n_mels = front_end.n_fft, front_end.hop_length, front_end.n_mels
    frames = 1 + wave.size // hop
    whole = (frames - 1) * hop + n_fft
    span = buffer("mel span", whole + hop)
    used = wave[: whole - n_fft // 2]
    span[: n_fft // 2] = 0
    span[n_fft // 2 : n_fft // 2 + used.size] = used
    span[n_fft // 2 + used.size :] = 0
    if n_fft == N_FFT and numba is not None:
        mel = np.empty((n_mels, frames), np.float32)
        narrow = _narrow_filters(front_end.sample_rate, n_mels)
        mel_power(span, hop, hann(n_fft) * np.float32(0.5), *narrow, mel)
        return mel
    view = np.lib.stride_tricks.sliding_window_view(span[:whole], n_fft)[::hop]
    spectrum = _transform(view * hann(n_fft))
    power = np.square(spectrum.real) + np.square(spectrum.imag)
    dense: Float32s = mel_filters(front_end.sample_rate, n_fft, n_mels) @ power.T
    return dense


def _transform(windows: Float32s) -> Complex64s:
    """Spectra of real windows, shape ``(frames, n_fft // 2 + 1)``."""
    try:
        import scipy.fft  # takes a third of a second, and the usual length does without
    except ModuleNotFoundError:  # the small install; the two differ by rounding
        return np.fft.rfft(windows, axis=1).astype(np.complex64, copy=False)
    spectra: Complex64s = scipy.fft.rfft(windows, axis=1, overwrite_x=True)
    return spectra


def _scaled(mel: Float32s, front_end: FrontEnd) -> Float32s:
    """Powers to the network's scale, shape kept."""
    # NumPy's natural logarithm fills vector registers, its decadic one does not
    level = np.log(np.maximum(mel, np.float32(1e-10))) * np.float32(10 / math.log(10))
    if front_end.reference == "clip_max":
        level -= level.max()
    level = np.maximum(level, np.float32(front_end.floor_db))
    low, high = front_end.floor_db, front_end.ceiling_db
    if front_end.scale == "clip_minmax":
        low, high = float(level.min()), float(level.max())
    if high <= low:  # a clip of one single value everywhere
        return np.full_like(level, -1.0)
    scaled: Float32s = (level - np.float32(low)) * np.float32(2 / (high - low)) - np.float32(1)
    return scaled


@vectorised
def mel_power(
    span: Float32s,
    hop: int,
    window: Float32s,
    first: Int64s,
    starts: Int64s,
    weights: Float32s,
    mel: Float32s,
) -> None:
    """Mel powers of windows that start every ``hop`` samples.

    A filter is zero outside its own few bins, so only those are stored and summed.

    Args:
        span: samples, shape ``((frames - 1) * hop + N_FFT,)``, and ``hop`` more if ``frames`` is odd.
        hop: samples between frames.
        window: half of it, since two frames share a transform; shape ``(N_FFT,)``.
        first: each filter's first bin, shape ``(bands,)``.
        starts: where each filter's weights start, and where the last one's end; shape ``(bands + 1,)``.
        weights: of all filters, one after another.
        mel: receives the powers, shape ``(bands, frames)``.
    """
    pair, spectrum = np.empty(2 * N_FFT, np.float32), np.empty(2 * N_FFT, np.float32)
    one, other = np.empty(N_FFT // 2 + 1, np.float32), np.empty(N_FFT // 2 + 1, np.float32)
    bands, frames = mel.shape
    for number in range((frames + 1) // 2):
        start = 2 * number * hop
        early, late = span[start : start + N_FFT], span[start + hop : start + hop + N_FFT]
        for i in range(N_FFT):
            pair[i] = early[i] * window[i]
            pair[N_FFT + i] = late[i] * window[i]
        transform_2048(pair, spectrum)
        _powers(spectrum, one, other)
        for band in range(bands):
            own = weights[starts[band] : starts[band + 1]]
            mel[band, 2 * number] = _weighted(own, one[first[band] : first[band] + len(own)])
            if 2 * number + 1 < frames:
                mel[band, 2 * number + 1] = _weighted(own, other[first[band] : first[band] + len(own)])


@inlined
def _powers(spectrum: Float32s, one: Float32s, other: Float32s) -> None:
    """Squared magnitudes of two real frames, told apart by their symmetry."""
    for edge in (0, N_FFT // 2):
        one[edge] = np.float32(4) * spectrum[edge] * spectrum[edge]
        other[edge] = np.float32(4) * spectrum[N_FFT + edge] * spectrum[N_FFT + edge]
    for i in range(1, N_FFT // 2):
        re, im = spectrum[i], spectrum[N_FFT + i]
        mirrored_re, mirrored_im = spectrum[N_FFT - i], spectrum[2 * N_FFT - i]
        even_re, odd_re = re + mirrored_re, re - mirrored_re
        even_im, odd_im = im + mirrored_im, im - mirrored_im
        one[i] = even_re * even_re + odd_im * odd_im
        other[i] = even_im * even_im + odd_re * odd_re


@inlined
def _weighted(weights: Float32s, powers: Float32s) -> np.float32:
    total = np.float32(0)
    for i in range(len(weights)):
        total += weights[i] * powers[i]
    return total
