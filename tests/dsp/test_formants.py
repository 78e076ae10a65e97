import numpy as np
import pytest
import scipy.linalg
import scipy.signal

from ser_pipeline.dsp.formants import (
    _peak_near,
    formant_series,
    harmonic_levels,
    prediction_filters,
    resonances,
    roots,
)
from ser_pipeline.dsp.frames import frame_wave
from ser_pipeline.dsp.pitch import track_pitch
from ser_pipeline.options import FeatureOptions

OPTIONS = FeatureOptions()


def vowel(hz, formants, widths):
    """A pulse train of -12 dB per octave through resonators."""
    wave = np.zeros(16_000)
    wave[:: round(16_000 / hz)] = 1
    wave = scipy.signal.lfilter([1], [1, -0.97], wave)
    for formant, width in zip(formants, widths, strict=True):
        radius = np.exp(-np.pi * width / 16_000)
        wave = scipy.signal.lfilter(
            [1], [1, -2 * radius * np.cos(2 * np.pi * formant / 16_000), radius**2], wave
        )
    return (wave / np.abs(wave).max()).astype(np.float32)


def measured(wave):
    frames = frame_wave(wave, OPTIONS)
    return formant_series(frames, track_pitch(frames, 500.0))


@pytest.mark.parametrize("hz", [80, 100, 160])
@pytest.mark.parametrize(
    "formants", [(700, 1_200, 2_500, 3_500), (300, 2_200, 2_900, 3_700), (500, 1_500, 2_500, 3_500)]
)
def test_made_vowels_have_their_formants(hz, formants):
    series = measured(vowel(hz, (*formants, 4_500), (60, 80, 120, 150, 200)))
    for number, true in enumerate(formants, start=1):
        found = np.nanmedian(series[f"formant_{number}"])
        assert found == pytest.approx(true, abs=0.35 * hz + 0.02 * true)  # harmonics sample the envelope
    spacing = np.nanmedian(series["formant_spacing"])
    assert spacing == pytest.approx((formants[3] - formants[0]) / 3, abs=0.2 * hz + 20)


def test_a_wider_resonance_has_a_wider_bandwidth():
    formants = (600, 1_700, 2_600, 3_500, 4_500)
    widths = [
        np.nanmedian(measured(vowel(100, formants, (60, width, 120, 150, 200)))["bandwidth_2"])
        for width in (60, 150, 300)
    ]
    assert widths[0] < widths[1] < widths[2]
    assert widths[1] == pytest.approx(150, rel=0.5)


def test_resonances_of_an_all_pole_spectrum_are_exact():
    hz, width = np.array([500.0, 1_500, 2_400, 3_300, 4_400]), np.array([60.0, 90, 120, 160, 220])
    poles = np.exp((-np.pi * width + 2j * np.pi * hz) / 11_000)
    filter_ = np.poly(np.concatenate([poles, poles.conj()])).real
    response = scipy.signal.lfilter([1], filter_, np.eye(1, 8_000)[0])
    correlation = np.array([[response[: 8_000 - lag] @ response[lag:] for lag in range(11)]])
    found_hz, found_width = resonances(correlation, 5_500.0)
    assert found_hz[0] == pytest.approx(hz[:4], abs=0.5)
    assert found_width[0] == pytest.approx(width[:4], abs=0.5)


def test_a_frame_without_resonances_has_none():
    hz, width = resonances(np.eye(1, 11), 5_500.0)  # white: no pole but at zero
    known = np.isfinite(hz)
    assert (width[known] > 3_000).all()
    assert (np.isnan(hz) == np.isnan(width)).all()


def test_unvoiced_frames_have_no_formant(voice):
    for values in formant_series(voice.frames, voice.pitch).values():
        assert values.shape == (voice.frames.count,)
        assert np.isnan(values[~voice.pitch.voiced]).all()


def test_levels_of_harmonics_are_those_of_their_sines():
    time = np.arange(16_000) / 16_000
    wave = sum(a * np.sin(2 * np.pi * n * 200 * time) for n, a in ((1, 0.4), (2, 0.2), (3, 0.04)))
    frames = frame_wave(wave.astype(np.float32), OPTIONS)
    pitch = track_pitch(frames, 500.0)
    first, second, third = (harmonic_levels(frames, pitch, n) for n in (1, 2, 3))
    assert first - second == pytest.approx(np.full(first.size, 6.02), abs=0.4)  # a bin may miss a peak
    assert first - third == pytest.approx(np.full(first.size, 20), abs=0.8)


def test_the_strongest_bin_is_looked_for_within_reach(rng):
    power = rng.random((6, 513)).astype(np.float32)
    reach, hz = rng.uniform(20, 250, 6), rng.uniform(100, 7_000, (6, 2))
    hz[0, 0] = np.nan
    found = _peak_near(power, reach, hz, OPTIONS)
    assert np.isnan(found[0, 0])
    for frame in range(1, 6):
        for column in range(2):
            middle = round(hz[frame, column] / 15.625)
            near = [k for k in range(513) if abs(k - middle) * 15.625 < reach[frame]]
            assert found[frame, column] == power[frame, near].max()


def correlations(rng, count=20, order=10):
    waves = rng.standard_normal((count, 300))
    return np.stack([[w[: 300 - lag] @ w[lag:] for lag in range(order + 1)] for w in waves])


def test_filters_solve_the_normal_equations(rng):
    found = correlations(rng)
    for row, filter_ in zip(found, prediction_filters(found), strict=True):
        assert filter_[0] == 1
        assert filter_[1:] == pytest.approx(-scipy.linalg.solve_toeplitz(row[:-1], row[1:]), abs=1e-6)


def test_a_known_filter_is_found_from_its_correlation():
    poles = np.array([0.97 * np.exp(0.3j), 0.95 * np.exp(0.9j), 0.93 * np.exp(1.7j)])
    known = np.poly(np.concatenate([poles, poles.conj()])).real
    response = scipy.signal.lfilter([1], known, np.eye(1, 4_000)[0])
    found = np.array([[response[: 4_000 - lag] @ response[lag:] for lag in range(7)]])
    assert prediction_filters(found)[0] == pytest.approx(known, abs=1e-5)


@pytest.mark.parametrize("order", [1, 2, 3, 10, 16])
def test_roots_equal_numpy(rng, order):
    filters = prediction_filters(correlations(rng, order=order))
    for row, found in zip(filters, roots(filters), strict=True):
        assert np.abs(found).max() < 1
        for root in np.roots(row):
            assert np.abs(found - root).min() < 1e-6


def test_roots_that_coincide_are_found():
    wanted = np.array([0.5, 0.5, -0.3, -0.3])
    found = np.sort(roots(np.poly(wanted)[None])[0].real)
    assert found == pytest.approx(np.sort(wanted), abs=1e-3)


def test_zero_is_a_root_of_a_silent_frame():
    filters = prediction_filters(np.zeros((1, 11)))
    assert filters.tolist() == [[1.0] + [0.0] * 10]
    assert np.abs(roots(filters)).max() < 0.2
