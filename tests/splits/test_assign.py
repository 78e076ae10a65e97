import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ser_pipeline.splits.assign import AssignableRows, Goods, assign, assign_family, evenly, in_shares, quota


@given(st.integers(0, 300), st.tuples(st.integers(1, 90), st.integers(0, 90), st.integers(0, 90)))
def test_quotas_sum_up_and_nobody_goes_without_while_there_are_enough(count, ratios):
    sizes = quota(count, ratios)
    assert sum(sizes) == count or (count > 1 and ratios[1] == ratios[2] == 0)
    for size, ratio in zip(sizes, ratios, strict=True):
        assert size == 0 or ratio > 0
        if count >= sum(part > 0 for part in ratios):
            assert size > 0 or ratio == 0
            assert abs(size - count * ratio / sum(ratios)) < 2 or size == 1


@pytest.mark.parametrize(
    ("count", "sizes"),
    [(1, [1, 0, 0]), (2, [1, 0, 1]), (3, [1, 1, 1]), (4, [2, 1, 1]), (5, [3, 1, 1]), (91, [55, 18, 18])],
)
def test_quotas_of_the_published_corpora(count, sizes):
    assert quota(count, (60, 20, 20)) == sizes


@pytest.mark.parametrize(
    ("count", "ratios", "sizes"),
    [
        (1, (80, 0, 20), [1, 0, 0]),
        (2, (80, 0, 20), [1, 0, 1]),
        (10, (80, 20, 0), [8, 2, 0]),
        (4, (1, 98, 1), [1, 2, 1]),
    ],
)
def test_quotas_of_other_ratios(count, ratios, sizes):
    assert quota(count, ratios) == sizes


def goods_of(amounts, shares):
    amounts = np.array(amounts, np.int64)
    shares = np.repeat(np.array(shares, float)[:, None], amounts.shape[1], axis=1)
    return Goods(amounts, shares, np.ones(amounts.shape[1]), shares > 0)


def total_cost(goods, parts):
    sums = [goods.amounts[parts == part].sum(axis=0) for part in range(len(goods.shares))]
    return sum(float(goods.cost(total, part)) for part, total in enumerate(sums))


def test_cost_in_closed_form():
    goods = goods_of([[3, 1], [1, 3]], [0.5, 0.5])
    assert goods.cost(np.array([3, 1]), 0) == pytest.approx(2 * 0.25**2)
    assert goods.cost(np.array([4, 0]), 1) == pytest.approx(2 * 0.5**2 + 10)
    assert goods_of([[1], [0]], [0.5, 0.5]).cost(np.array([1]), 0) == 0.5**2


@pytest.mark.parametrize("seed", range(5))
def test_few_people_are_dealt_as_well_as_possible(seed):
    rng = np.random.default_rng(seed)
    goods = goods_of(rng.integers(0, 20, (8, 5)), [0.5, 0.25, 0.25])
    sizes = [4, 2, 2]
    labels = np.repeat(np.arange(3), sizes)
    best = min(total_cost(goods, np.array(order)) for order in set(itertools.permutations(labels.tolist())))
    assigned = assign(goods, sizes, rng)
    assert np.bincount(assigned, minlength=3).tolist() == sizes
    assert total_cost(goods, assigned) == pytest.approx(best, abs=0.02)


@given(st.integers(0, 2**32), st.lists(st.integers(0, 12), min_size=2, max_size=5))
def test_sizes_are_kept_whatever_the_amounts(seed, sizes):
    rng = np.random.default_rng(seed)
    goods = goods_of(rng.integers(0, 5, (sum(sizes), 3)), [1 / len(sizes)] * len(sizes))
    assert np.bincount(assign(goods, sizes, rng), minlength=len(sizes)).tolist() == sizes


def test_the_same_seed_deals_the_same_and_another_differs():
    goods = goods_of(np.random.default_rng(0).integers(1, 50, (60, 6)), [0.6, 0.2, 0.2])
    assigned = [assign(goods, [36, 12, 12], np.random.default_rng(seed)).tolist() for seed in (1, 1, 2)]
    assert assigned[0] == assigned[1] != assigned[2]


@pytest.mark.parametrize(
    ("sizes", "dealt"),
    [
        ([24, 8, 8], "2100020001200000001002000020101102201012"),  # few enough to look at all swaps
        ([36, 12, 12], "000000001210010121011010202022000010000000000212001200202201"),
    ],
)
def test_what_a_seed_deals_stays_the_same(sizes, dealt):
    """Else nobody could make a split again that results were published for."""
    goods = goods_of(np.arange(4 * sum(sizes)).reshape(-1, 4) * 17 % 53, [0.6, 0.2, 0.2])
    assert "".join(map(str, assign(goods, sizes, np.random.default_rng(0)))) == dealt


def test_the_search_beats_chance():
    rng = np.random.default_rng(0)
    goods = goods_of(rng.integers(0, 50, (90, 8)), [0.6, 0.2, 0.2])
    chance = [total_cost(goods, rng.permutation(np.repeat([0, 1, 2], [54, 18, 18]))) for _ in range(200)]
    assert total_cost(goods, assign(goods, [54, 18, 18], rng)) < min(chance) / 3


def test_one_against_very_many_is_dealt_as_it_comes():
    goods = goods_of(np.ones((50_000, 1)), [0.5, 0.5])
    assert np.bincount(assign(goods, [49_999, 1], np.random.default_rng(0))).tolist() == [49_999, 1]


def test_very_many_people_need_little_time_and_memory():
    rng = np.random.default_rng(0)
    goods = goods_of(rng.integers(1, 20, (100_000, 4)), [0.6, 0.2, 0.2])
    assigned = assign(goods, [60_000, 20_000, 20_000], rng)
    shares = np.stack([goods.amounts[assigned == part].sum(axis=0) for part in range(3)]) / goods.amounts.sum(
        axis=0
    )
    assert np.abs(shares - goods.shares).max() < 0.01


def thirds(count):
    return quota(count, (60, 20, 20))


def test_shares_of_a_corpus_with_all_parts():
    wanted = in_shares((60, 20, 20), thirds)(10)
    assert wanted.clips.tolist() == [0.6, 0.2, 0.2]
    assert wanted.units.tolist() == [0.6, 0.2, 0.2]
    assert wanted.filled.all()


def test_shares_of_a_corpus_that_cannot_fill_all_parts():
    wanted = in_shares((60, 20, 20), thirds)(2)
    assert wanted.clips.tolist() == [0.75, 0.0, 0.25]
    assert wanted.units.tolist() == [0.5, 0.0, 0.5]
    assert wanted.filled.tolist() == [True, False, True]


@pytest.mark.parametrize(("count", "filled"), [(3, False), (4, True), (9, True)])
def test_folds_are_all_needed_when_there_are_enough_people(count, filled):
    wanted = evenly(4)(count)
    assert wanted.clips.tolist() == [0.25] * 4
    assert wanted.filled.tolist() == [filled] * 4


def test_genders_and_classes_are_balanced(manifest_of, people_rows):
    rows = people_rows(speakers=20)
    for row in rows:  # half of the speakers never sound afraid
        if row["emotion_id"] == 3 and int(row["speaker_id"][-3:]) % 4 < 2:
            row["emotion_id"] = 2
    numbered = AssignableRows.of(manifest_of(rows).table)
    everything = np.ones(len(numbered), bool)
    parts = assign_family(
        numbered, everything, thirds, in_shares((60, 20, 20), thirds), np.random.default_rng(0)
    )
    for part, share in enumerate((0.6, 0.2, 0.2)):
        mine = parts == part
        assert mine.mean() == share
        assert numbered.gender[mine].mean() == 0.5
        for emotion in range(4):
            whole = (numbered.emotion == emotion).sum()
            assert (numbered.emotion[mine] == emotion).sum() / whole == pytest.approx(share, abs=0.03)


def test_a_unit_is_never_torn(manifest_of, people_rows):
    rows = people_rows("ravdess", 12) + [
        {
            **row,
            "corpus": "ravdess-song",
            "utterance_id": f"{row['utterance_id']}s",
            "audio_digest": f"f{n:031x}",
        }
        for n, row in enumerate(people_rows("ravdess", 5))
    ]
    numbered = AssignableRows.of(manifest_of(rows).table)
    everything = np.ones(len(numbered), bool)
    parts = assign_family(
        numbered, everything, thirds, in_shares((60, 20, 20), thirds), np.random.default_rng(0)
    )
    for unit in range(len(numbered.people.units.names)):
        assert len(np.unique(parts[numbered.people.units.of == unit])) == 1
    songs = numbered.people.corpora.of == 1
    assert set(parts[songs].tolist()) == {0, 1, 2}
