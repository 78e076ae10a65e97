import math

import numpy as np
import pytest
from scipy.stats import binom

from ser_pipeline.metrics.effect import (
    agreement,
    chance_of_agreement,
    combined,
    effect_intervals,
    effect_similarity,
    mean_effects,
    small_sample_factor,
    speaker_effects,
)


def plain_g(one, rest):
    freedom = len(one) + len(rest) - 2
    pooled = math.sqrt(
        ((len(one) - 1) * np.var(one, ddof=1) + (len(rest) - 1) * np.var(rest, ddof=1)) / freedom
    )
    factor = math.gamma(freedom / 2) / (math.sqrt(freedom / 2) * math.gamma((freedom - 1) / 2))
    return factor * (np.mean(one) - np.mean(rest)) / pooled


@pytest.fixture
def clips(rng):
    """Values, targets and speakers of 90 clips of three speakers."""
    return rng.normal(size=(90, 4)), rng.integers(0, 3, 90), np.repeat(["c", "a", "b"], 30)


@pytest.mark.parametrize("freedom", [2, 3, 8, 50, 400])
def test_small_sample_factor_is_near_its_approximation(freedom):
    assert small_sample_factor(freedom) == pytest.approx(1 - 3 / (4 * freedom - 1), abs=0.02)


def test_known_groups_by_hand():
    # means 2 and 5, pooled variance (2 + 8) / 4 = 2.5, J(4) = 0.7979
    effects = speaker_effects([[1], [2], [3], [3], [5], [7]], [0, 0, 0, 1, 1, 1], ["a"] * 6, 2)
    assert effects.g[0, 0, 0] == pytest.approx(0.797885 * -3 / math.sqrt(2.5), rel=1e-5)


def test_effects_of_each_speaker_are_plain_ones(clips):
    values, targets, speakers = clips
    effects = speaker_effects(values, targets, speakers, 3)
    assert effects.names == ("a", "b", "c")
    for person, name in enumerate(effects.names):
        for number in range(3):
            mine = (speakers == name) & (targets == number)
            rest = (speakers == name) & (targets != number)
            expected = [plain_g(values[mine, column], values[rest, column]) for column in range(4)]
            assert effects.g[person, :, number] == pytest.approx(expected)
            assert effects.weights[person, number] == pytest.approx(mine.sum() * rest.sum() / 30)


def test_mean_weighs_speakers_by_their_clips(clips):
    effects = speaker_effects(*clips, 3)
    expected = np.average(effects.g[:, 1, 2], weights=effects.weights[:, 2])
    assert mean_effects(effects)[1, 2] == pytest.approx(expected)


def test_level_and_scale_of_a_speaker_change_nothing(clips):
    values, targets, speakers = clips
    moved = values.copy()
    for name, shift, scale in (("a", 1e4, 1.0), ("b", -300.0, 20.0), ("c", 0.0, 1e-3)):
        moved[speakers == name] = scale * moved[speakers == name] + shift
    before, after = (speaker_effects(table, targets, speakers, 3) for table in (values, moved))
    assert mean_effects(after) == pytest.approx(mean_effects(before), rel=1e-6)
    for one, other in zip(effect_intervals(before), effect_intervals(after), strict=True):
        assert other == pytest.approx(one, rel=1e-6)


def test_a_voice_that_is_only_in_one_emotion_has_no_effect(rng):
    values = rng.normal(size=(40, 1))
    values[20:] += 50  # the second speaker is high in every clip, and only ever angry
    targets = np.repeat([0, 1, 1], [10, 10, 20])
    effects = speaker_effects(values, targets, np.repeat(["a", "b"], 20), 2)
    assert np.isnan(effects.g[1]).all()
    assert mean_effects(effects)[0, 0] == pytest.approx(plain_g(values[:10, 0], values[10:20, 0]))


def test_too_few_clips_and_constant_features_are_undefined(rng):
    values = np.column_stack([rng.normal(size=12), np.full(12, 7.3)])
    effects = speaker_effects(values, np.repeat([0, 1, 2], [1, 5, 6]), ["a"] * 12, 4)
    assert np.isnan(effects.g[0, 0, [0, 3]]).all()
    assert np.isfinite(effects.g[0, 0, [1, 2]]).all()
    assert np.isnan(effects.g[0, 1]).all()
    assert np.isnan(mean_effects(effects)[1]).all()


def test_two_sides_that_never_vary_are_undefined():
    assert np.isnan(speaker_effects([[1.0], [1.0], [2.0], [2.0]], [0, 0, 1, 1], ["a"] * 4, 2).g).all()


def test_intervals_equal_a_plain_loop_over_draws(clips):
    effects = speaker_effects(*clips, 3)
    low, high = effect_intervals(effects, seed=5, resamples=60)
    times = np.random.default_rng(5).multinomial(3, np.full(3, 1 / 3), 60)
    means = [np.average(effects.g[:, 0, 1], weights=time * effects.weights[:, 1]) for time in times]
    assert (low[0, 1], high[0, 1]) == pytest.approx(tuple(np.quantile(means, [0.025, 0.975])))


def test_draws_without_an_effect_are_left_out(clips):
    values, targets, speakers = clips
    values[speakers == "a", 0] = 1.0
    effects = speaker_effects(values, targets, speakers, 3)
    assert effects.defined[0, 0] == 2
    low, high = effect_intervals(effects, resamples=300)
    assert low[0, 0] == pytest.approx(np.nanmin(effects.g[:, 0, 0]))
    assert high[0, 0] == pytest.approx(np.nanmax(effects.g[:, 0, 0]))


def test_one_speaker_has_an_effect_but_no_interval(clips):
    values, targets, _ = clips
    effects = speaker_effects(values, targets, ["a"] * 90, 3)
    assert np.isfinite(mean_effects(effects)).all()
    assert all(np.isnan(end).all() for end in effect_intervals(effects))


def test_many_features_are_drawn_as_few_are(rng):
    values = rng.normal(size=(60, 230))
    effects = speaker_effects(values, np.arange(60) % 3, np.repeat(list("abcd"), 15), 3)
    few = speaker_effects(values[:, 205:], np.arange(60) % 3, np.repeat(list("abcd"), 15), 3)
    for whole, part in zip(effect_intervals(effects), effect_intervals(few), strict=True):
        assert whole[205:] == pytest.approx(part)


def test_combined_turns_and_averages(clips):
    effects = speaker_effects(*clips, 3)
    both = combined(effects, [0, 3], [1, -1])
    assert both.g[:, 0] == pytest.approx((effects.g[:, 0] - effects.g[:, 3]) / 2)


def test_similarity_is_pearsons_r(rng):
    first, second = rng.normal(size=(2, 50, 2))
    second[:, 1] = np.nan
    found = effect_similarity(first, second)
    assert found[0] == pytest.approx(np.corrcoef(first[:, 0], second[:, 0])[0, 1])
    assert np.isnan(found[1])


@pytest.mark.parametrize(
    ("direction", "low", "high", "expected"),
    [
        ("up", 0.1, 0.5, "agrees"),
        ("down", -0.5, -0.1, "agrees"),
        ("up", -0.5, -0.1, "opposes"),
        ("down", 0.1, 0.5, "opposes"),
        ("up", -0.1, 0.5, "unclear"),
        ("down", 0.0, 0.5, "unclear"),
        ("down", None, None, "unclear"),
        ("mixed", 0.1, 0.5, "not compared"),
        ("not stated", 0.1, 0.5, "not compared"),
    ],
)
def test_interval_and_direction_make_a_verdict(direction, low, high, expected):
    assert agreement(direction, low, high) == expected


@pytest.mark.parametrize(("agrees", "opposes"), [(0, 0), (1, 0), (5, 5), (17, 3), (0, 4)])
def test_chance_is_the_binomial_tail(agrees, opposes):
    expected = binom.sf(agrees - 1, agrees + opposes, 0.5)
    assert chance_of_agreement(agrees, opposes) == pytest.approx(expected)
