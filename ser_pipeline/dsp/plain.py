"""The compiled loops of the gate and of levels in NumPy alone, for installs without numba.

Each function takes and gives what the loop of the same name does (:mod:`ser_pipeline.dsp.gate` and
:mod:`ser_pipeline.audio.prepare` describe them); the results differ by rounding alone.
"""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from ser_pipeline.arrays import Float32s, Float64s

N_FFT = 1024
HOP = 256
BINS = N_FFT // 2 + 1
THRESHOLD = 2.0
SLOPE = 10.0


def energy(wave: Float32s) -> float:
    """Sum of squares."""
    return float(np.square(wave, dtype=np.float64).sum())


def block_energies(wave: Float32s, block: int) -> Float64s:
    """Sum of squares of each block of samples."""
    energies: Float64s = (
        np.add.reduceat(np.square(wave, dtype=np.float64), np.arange(0, len(wave), block))
        if len(wave)
        else np.zeros(0)
    )
    return energies


def analyse(span: Float32s, window: Float64s, spectra: Float32s, magnitude: Float32s) -> None:
    """Spectra of windows that start every ``HOP`` samples."""
    made = np.fft.rfft(_windows(span) * (2 * window), axis=1)
    parts = _parts(spectra)
    parts[:, 0], parts[:, 1] = made.real, made.imag
    np.hypot(parts[:, 0], parts[:, 1], out=_rows(magnitude))


def average_forwards(magnitude: Float32s, average: Float32s, pole: np.float32, zeros_before: bool) -> None:
    """Smooth each band by one pole, from the first frame to the last."""
    rows, averages, keep = _rows(magnitude), _rows(average), np.float32(1) - pole
    state = np.zeros(BINS, np.float32) if zeros_before else rows[0]
    for number, row in enumerate(rows):
        state = averages[number] = pole * row + keep * state


def mask_backwards(
    magnitude: Float32s, average: Float32s, pole: np.float32, trailing: int, rows: Float32s, reach: int
) -> None:
    """Smooth averages backwards, and turn magnitudes into a mask that is smooth over frequency."""
    masks, averages, keep = _rows(magnitude), _rows(average), np.float32(1) - pole
    state = averages[-1] * (after_silence(pole, keep, trailing) if trailing > 0 else np.float32(1))
    for number in range(len(masks) - 1, -1, -1):
        if trailing > 0 or number < len(masks) - 1:
            state = pole * averages[number] + keep * state
        averages[number] = state
    ratio = masks / np.maximum(averages, np.float32(1e-37))
    opened = 1 / (1 + np.exp(np.maximum(-20, SLOPE * (1 + THRESHOLD - ratio))))
    padded = np.pad(opened, ((0, 0), (reach, len(rows) - reach)))
    masks[:] = sliding_window_view(padded, len(rows), axis=1)[:, :BINS] @ rows


def after_silence(pole: np.float32, keep: np.float32, trailing: int) -> np.float32:
    """Share of the last frame's average that comes back over ``trailing`` silent frames.

    Forwards the average decays by ``keep`` a frame; backwards it starts in the last frame's
    steady state: a geometric series, summed up to the frame after the sound.
    """
    decay = np.float64(keep)
    series = np.float64(pole) * decay * (1 - decay ** (2 * trailing - 2)) / (1 - decay**2)
    return np.float32(series + decay ** (2 * trailing - 1))


def synthesise(
    spectra: Float32s, mask: Float32s, columns: Float32s, amount: np.float32, window: Float32s, span: Float32s
) -> None:
    """Smooth the mask over time, apply it, and add the frames up."""
    parts, masks, reach = _parts(spectra), _rows(mask), len(columns) // 2
    padded = np.pad(masks, ((reach, reach + len(parts) - len(masks)), (0, 0)))
    gains = sliding_window_view(padded, len(columns), axis=0)[: len(parts)] @ columns
    gains = 1 - amount + amount * gains
    made = np.fft.irfft((parts[:, 0] + 1j * parts[:, 1]) * gains, N_FFT, axis=1) * (N_FFT * window)
    for number, frame in enumerate(made):
        span[number * HOP : number * HOP + N_FFT] += frame


def _windows(span: Float32s) -> Float32s:
    """Every window of a span that two hops a pair of frames are left for, shape ``(frames, N_FFT)``."""
    return sliding_window_view(span, N_FFT)[: span.size - N_FFT : HOP]


def _rows(values: Float32s) -> Float32s:
    return values.reshape(-1, BINS)


def _parts(spectra: Float32s) -> Float32s:
    return spectra.reshape(-1, 2, BINS)
