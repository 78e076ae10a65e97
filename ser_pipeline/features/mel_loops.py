"""The compiled loop of the mel spectrogram: windows, transform, filters, one pair of frames at a time."""

import numpy as np
import numpy.typing as npt

from ser_pipeline.compiled import inlined, vectorised
from ser_pipeline.fourier import transform_2048

Float32s = npt.NDArray[np.float32]
Int64s = npt.NDArray[np.int64]

N_FFT = 2048


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
