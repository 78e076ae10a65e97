"""Fourier transforms of short frames, compiled for the machine they run on.

SciPy's transform is built for the oldest processor it supports, and wants its frames copied and
windowed first. Here two real frames are the real and the imaginary part of one complex
transform, and every loop runs over neighbours in memory, so that the compiler fills the
widest registers there are.

A transform of ``rows * columns`` points is: ``columns`` transforms over the rows, a turn by
``exp(-2 pi i row column / points)`` with a transposition, ``rows`` transforms over the columns.
The short ones are Stockham's (Cochran et al. 1967, doi:10.1109/PROC.1967.5957), which leave
their output in order without a bit reversal.

A spectrum or a pair of frames is one array of shape ``(2 * points,)``: all real parts, then all
imaginary ones. The functions are called from compiled code. The inverse is had by exchanging
real and imaginary parts on the way in and out, and dividing by ``points``.
"""

import numpy as np

from ser_pipeline.arrays import Float32s, Float64s, Floats
from ser_pipeline.dsp.compiled import fused, inlined


def _roots(rows: int, columns: int) -> tuple[Float64s, Float64s, Float64s, Float64s]:
    """Cosines and sines of the whole circle, then those of the turn, row by row."""
    points = rows * columns
    circle = np.exp(-2j * np.pi * np.arange(points) / points)
    turn = circle[np.outer(np.arange(rows), np.arange(columns)).ravel() % points]
    return circle.real.copy(), circle.imag.copy(), turn.real.copy(), turn.imag.copy()


def _single(values: tuple[Float64s, ...]) -> tuple[Float32s, ...]:
    return tuple(value.astype(np.float32) for value in values)


_COS_DOUBLE, _SIN_DOUBLE, _TURN_COS_DOUBLE, _TURN_SIN_DOUBLE = _roots(32, 32)
_COS_1024, _SIN_1024, _TURN_COS_1024, _TURN_SIN_1024 = _single(_roots(32, 32))
_COS_2048, _SIN_2048, _TURN_COS_2048, _TURN_SIN_2048 = _single(_roots(64, 32))


@inlined
def _four(x: Floats, y: Floats, left: int, stride: int, points: int, cosines: Floats, sines: Floats) -> None:
    """Split ``stride`` transforms of ``left`` points, side by side, into four each."""
    quarter = left // 4
    step = quarter * stride
    for p in range(quarter):
        one = p * (points // left)
        c1, c2, c3 = cosines[one], cosines[2 * one], cosines[3 * one]
        s1, s2, s3 = sines[one], sines[2 * one], sines[3 * one]
        for q in range(stride):
            i = p * stride + q
            j = i + points
            even_re, even_im = x[i] + x[i + 2 * step], x[j] + x[j + 2 * step]
            skew_re, skew_im = x[i] - x[i + 2 * step], x[j] - x[j + 2 * step]
            odd_re, odd_im = x[i + step] + x[i + 3 * step], x[j + step] + x[j + 3 * step]
            turn_re, turn_im = x[j + step] - x[j + 3 * step], x[i + 3 * step] - x[i + step]
            o = 4 * p * stride + q
            u = o + points
            y[o], y[u] = even_re + odd_re, even_im + odd_im
            re, im = skew_re + turn_re, skew_im + turn_im
            y[o + stride], y[u + stride] = re * c1 - im * s1, re * s1 + im * c1
            re, im = even_re - odd_re, even_im - odd_im
            y[o + 2 * stride], y[u + 2 * stride] = re * c2 - im * s2, re * s2 + im * c2
            re, im = skew_re - turn_re, skew_im - turn_im
            y[o + 3 * stride], y[u + 3 * stride] = re * c3 - im * s3, re * s3 + im * c3


@inlined
def _two(x: Floats, y: Floats, stride: int, points: int) -> None:
    """Finish ``stride`` transforms of two points, side by side."""
    for q in range(stride):
        p = q + points
        y[q], y[p] = x[q] + x[q + stride], x[p] + x[p + stride]
        y[q + stride], y[p + stride] = x[q] - x[q + stride], x[p] - x[p + stride]


@inlined
def _turn(x: Floats, y: Floats, rows: int, columns: int, cosines: Floats, sines: Floats) -> None:
    """Turn each value by its row times its column, and transpose."""
    points = rows * columns
    for row in range(rows):
        for column in range(columns):
            i, o = row * columns + column, column * rows + row
            y[o] = x[i] * cosines[i] - x[i + points] * sines[i]
            y[o + points] = x[i] * sines[i] + x[i + points] * cosines[i]


@inlined
def _of_1024(
    x: Floats, y: Floats, cosines: Floats, sines: Floats, turn_cosines: Floats, turn_sines: Floats
) -> None:
    _four(x, y, 32, 32, 1024, cosines, sines)
    _four(y, x, 8, 128, 1024, cosines, sines)
    _two(x, y, 512, 1024)
    _turn(y, x, 32, 32, turn_cosines, turn_sines)
    _four(x, y, 32, 32, 1024, cosines, sines)
    _four(y, x, 8, 128, 1024, cosines, sines)
    _two(x, y, 512, 1024)


@fused
def transform_1024(x: Float32s, y: Float32s) -> None:
    """Complex transform of 1,024 points from ``x``, which is used up, into ``y``.

    Args:
        x: float32, shape ``(2048,)``.
        y: float32, shape ``(2048,)``.
    """
    _of_1024(x, y, _COS_1024, _SIN_1024, _TURN_COS_1024, _TURN_SIN_1024)


@fused
def transform_1024_double(x: Float64s, y: Float64s) -> None:
    """Like :func:`transform_1024`, in float64.

    Args:
        x: float64, shape ``(2048,)``.
        y: float64, shape ``(2048,)``.
    """
    _of_1024(x, y, _COS_DOUBLE, _SIN_DOUBLE, _TURN_COS_DOUBLE, _TURN_SIN_DOUBLE)


@fused
def transform_2048(x: Float32s, y: Float32s) -> None:
    """Complex transform of 2,048 points from ``x``, which is used up, into ``y``.

    Args:
        x: float32, shape ``(4096,)``.
        y: float32, shape ``(4096,)``.
    """
    _four(x, y, 64, 32, 2048, _COS_2048, _SIN_2048)
    _four(y, x, 16, 128, 2048, _COS_2048, _SIN_2048)
    _four(x, y, 4, 512, 2048, _COS_2048, _SIN_2048)
    _turn(y, x, 64, 32, _TURN_COS_2048, _TURN_SIN_2048)
    _four(x, y, 32, 64, 2048, _COS_2048, _SIN_2048)
    _four(y, x, 8, 256, 2048, _COS_2048, _SIN_2048)
    _two(x, y, 1024, 2048)
