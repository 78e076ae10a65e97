import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ser_pipeline.datasets.shuffle import buffered_order

SHARDS, CLIPS = 100, 100
OF_CLIP = np.repeat(np.arange(SHARDS), CLIPS)


@given(st.lists(st.integers(0, 9), max_size=80), st.integers(0, 100), st.integers(0, 5))
def test_every_clip_comes_once(shards, buffer, seed):
    order = buffered_order(shards, buffer, np.random.default_rng(seed))
    assert sorted(order.tolist()) == list(range(len(shards)))


def test_a_batch_is_a_mixture_of_many_shards(rng):
    order = buffered_order(OF_CLIP, 2_000, rng)
    distinct = [len(np.unique(OF_CLIP[batch])) for batch in order.reshape(-1, 40)]
    plain = [len(np.unique(OF_CLIP[batch])) for batch in rng.permutation(len(OF_CLIP)).reshape(-1, 40)]
    assert np.mean(distinct) > 0.6 * np.mean(plain)
    assert np.mean(distinct) > 20


def test_neighbours_in_a_shard_are_torn_apart(rng):
    order = buffered_order(OF_CLIP, 2_000, rng)
    assert np.mean(np.abs(np.diff(order)) == 1) < 0.005
    same_shard = np.mean(OF_CLIP[order][1:] == OF_CLIP[order][:-1])
    assert same_shard < 0.08


def test_classes_that_lie_apart_are_mixed(rng):
    classes = OF_CLIP // 25  # four classes, each a quarter of the shards in a row
    shares = np.array(
        [np.mean(classes[batch] == 0) for batch in buffered_order(OF_CLIP, 4_000, rng).reshape(-1, 40)]
    )
    assert shares.mean() == pytest.approx(0.25)
    assert shares.std() < 2 * np.sqrt(0.25 * 0.75 / 40)  # a plain shuffle has one time this


def test_epochs_have_orders_of_their_own(rng):
    one, other = buffered_order(OF_CLIP, 2_000, rng), buffered_order(OF_CLIP, 2_000, rng)
    assert abs(np.corrcoef(np.argsort(one), np.argsort(other))[0, 1]) < 0.35


def test_few_shards_are_in_use_at_a_time(rng):
    order = OF_CLIP[buffered_order(OF_CLIP, 1_000, rng)]
    used = [len(np.unique(order[start : start + 500])) for start in range(0, len(order), 500)]
    assert np.mean(used) < 0.6 * SHARDS
