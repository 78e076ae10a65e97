import numpy as np
import pytest
import scipy.stats

from ser_pipeline.errors import SettingsError
from ser_pipeline.features.catalogue import FEATURES, NAMES
from ser_pipeline.features.extract import extract
from ser_pipeline.features.relative import relative
from ser_pipeline.features.statistics import STATISTICS, UNITLESS, WORDS
from ser_pipeline.options import FeatureOptions

SECOND = {
    "mean": lambda x: np.mean(x, axis=0),
    "std": lambda x: np.sqrt(np.mean((x - np.mean(x, axis=0)) ** 2, axis=0)),
    "range": lambda x: (
        scipy.stats.scoreatpercentile(x, 95, axis=0) - scipy.stats.scoreatpercentile(x, 5, axis=0)
    ),
    "max": lambda x: np.sort(x, axis=0)[-1],
    "skewness": scipy.stats.skew,
    "kurtosis": scipy.stats.kurtosis,
    "mean_abs": lambda x: np.sqrt(x**2).mean(axis=0),
    "rise": lambda x: np.array([c[c > 0].mean() if (c > 0).any() else 0 for c in x.T]),
    "fall": lambda x: np.array([c[c < 0].mean() if (c < 0).any() else 0 for c in x.T]),
}


def second(name):
    return SECOND.get(name) or (lambda x: np.percentile(x, int(name[1:]), axis=0))


@pytest.mark.parametrize("name", sorted(STATISTICS))
@pytest.mark.parametrize("frames", [2, 3, 50])
def test_equals_a_second_computation(rng, name, frames):
    values = rng.gamma(2, 3, (frames, 4)) - 3
    values[:, 3] = np.abs(values[:, 3])
    assert STATISTICS[name](values) == pytest.approx(second(name)(values), abs=1e-9)


@pytest.mark.parametrize("name", sorted(STATISTICS))
@pytest.mark.parametrize("value", [0.0, 0.1, -120.0])
@pytest.mark.parametrize("frames", [1, 7])
def test_a_constant_has_a_finite_statistic(name, value, frames):
    found = STATISTICS[name](np.full((frames, 2), value))
    spread = name in ("std", "range", "skewness", "kurtosis")
    expected = {"mean_abs": abs(value), "rise": max(value, 0), "fall": min(value, 0)}.get(name, value)
    assert found == pytest.approx([0 if spread else expected] * 2, abs=1e-12)


def test_every_statistic_has_words():
    assert set(WORDS) == set(STATISTICS) > UNITLESS


AT = {name: place for place, name in enumerate(NAMES)}


def test_references_become_zero_and_tell_nothing(rng):
    found = relative(rng.uniform(1, 2, (5, 253)).astype(np.float32), NAMES)
    for name in ("pitch_hz_p50", "pitch_st_mean", "mfcc_01_mean", "level_p50", "bandwidth_1_p50"):
        assert (found[:, AT[name]] == 0).all(), name
    informative = np.count_nonzero(found.std(axis=0) > 0)
    assert informative == 253 - np.count_nonzero((found == 0).all(axis=0))
    assert informative == 176


def test_the_gain_of_a_recording_drops_out(voice):
    options = FeatureOptions()
    loud, quiet = (extract(voice.wave * gain, options)[None] for gain in (np.float32(1), np.float32(0.1)))
    difference = np.abs(relative(loud, NAMES) - relative(quiet, NAMES))[0]
    assert difference.max() < 1e-3, NAMES[int(difference.argmax())]
    assert np.abs(loud - quiet).max() > 10  # without, levels are 20 dB apart


def test_a_shorter_vocal_tract_and_a_higher_voice_drop_out(rng):
    low = rng.uniform(50, 100, (4, 253)).astype(np.float32)
    high = low.copy()
    shifted = [row for row in FEATURES if row.unit == "Hz" and row.series.startswith(("formant", "pitch_hz"))]
    for row in shifted:
        high[:, AT[row.name]] *= 1.2
    columns = [AT[row.name] for row in shifted if row.name != "formant_spacing_mean"]
    assert len(columns) > 10
    assert relative(high, NAMES)[:, columns] == pytest.approx(relative(low, NAMES)[:, columns], abs=1e-6)


def test_differences_and_ratios_are_what_the_units_ask_for():
    row = np.ones((1, 253), np.float32)
    row[0, [AT["level_p50"], AT["level_p90"], AT["peak_level"]]] = -30, -24, -10
    row[0, [AT["pitch_hz_p50"], AT["pitch_hz_p98"], AT["pitch_hz_std"]]] = 200, 300, 20
    row[0, [AT["formant_spacing_mean"], AT["formant_2_mean"]]] = 1_000, 1_500
    found = relative(row, NAMES)[0]
    assert found[AT["level_p90"]] == pytest.approx(6)
    assert found[AT["peak_level"]] == pytest.approx(20)
    assert found[AT["pitch_hz_p98"]] == pytest.approx(0.5)
    assert found[AT["pitch_hz_std"]] == pytest.approx(0.1)
    assert found[AT["formant_2_mean"]] == pytest.approx(1.5)
    assert found[AT["tempo"]] == 1  # measured once: stays


def test_a_clip_without_a_voice_is_finite():
    assert np.isfinite(relative(np.zeros((1, 253), np.float32), NAMES)).all()


def test_other_features_are_refused():
    with pytest.raises(SettingsError, match="'relative' works only with the named features"):
        relative(np.zeros((1, 2), np.float32), ("a", "b"))
