import numpy as np
import pytest

from ser_pipeline.dsp import fft
from ser_pipeline.dsp.compiled import vectorised


@vectorised
def transform_1024(x, y):
    fft.transform_1024(x, y)


@vectorised
def transform_1024_double(x, y):
    fft.transform_1024_double(x, y)


@vectorised
def transform_2048(x, y):
    fft.transform_2048(x, y)


SIZES = [(1024, transform_1024), (2048, transform_2048)]


def complex_of(parts):
    return parts[: parts.size // 2] + 1j * parts[parts.size // 2 :]


@pytest.mark.parametrize(("points", "transform"), SIZES)
def test_equals_numpy(rng, points, transform):
    values = rng.standard_normal(2 * points).astype(np.float32)
    expected = np.fft.fft(complex_of(values))
    spectrum = np.empty_like(values)
    transform(values.copy(), spectrum)
    assert np.abs(complex_of(spectrum) - expected).max() < 3e-7 * np.abs(expected).max()


@pytest.mark.parametrize(("points", "transform"), SIZES)
@pytest.mark.parametrize("turns", [0, 1, 7, 500, 1023])
def test_a_turning_wave_is_one_value(points, transform, turns):
    angle = 2 * np.pi * turns * np.arange(points) / points
    spectrum = np.empty(2 * points, np.float32)
    transform(np.r_[np.cos(angle), np.sin(angle)].astype(np.float32), spectrum)
    expected = np.zeros(points)
    expected[turns] = points
    assert np.abs(complex_of(spectrum) - expected).max() < 1e-3


@pytest.mark.parametrize(("points", "transform"), SIZES)
def test_exchanged_parts_give_the_way_back(rng, points, transform):
    values = rng.standard_normal(2 * points).astype(np.float32)
    spectrum, back = np.empty_like(values), np.empty_like(values)
    transform(values.copy(), spectrum)
    transform(np.roll(spectrum, points), back)
    assert np.roll(back, points) / points == pytest.approx(values, abs=1e-5)


def test_the_double_transform_has_double_precision(rng):
    values = rng.standard_normal(2048)
    expected = np.fft.fft(complex_of(values))
    spectrum = np.empty_like(values)
    transform_1024_double(values.copy(), spectrum)
    assert np.abs(complex_of(spectrum) - expected).max() < 1e-15 * np.abs(expected).max()
