from itertools import chain

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.utils.data import DataLoader

from ser_pipeline.datasets.sampling import (
    MOST,
    EpochBatches,
    buffered_order,
    draw_chances,
    ordered_batches,
    whole_batch,
)

CORPORA = ["a"] * 70 + ["b"] * 30
TARGETS = [0] * 60 + [1] * 10 + [0] * 20 + [1] * 10


def by_cell(chances):
    cells = np.array([f"{corpus}{target}" for corpus, target in zip(CORPORA, TARGETS, strict=True)])
    return {cell: chances[cells == cell].sum() for cell in np.unique(cells)}


def test_fully_balanced_draws_every_pair_alike():
    assert by_cell(draw_chances(CORPORA, TARGETS, 1.0)) == pytest.approx(
        dict.fromkeys(["a0", "a1", "b0", "b1"], 0.25)
    )


def test_without_balance_every_clip_is_as_likely():
    assert draw_chances(CORPORA, TARGETS, 0.0) == pytest.approx(np.full(100, 0.01))


def test_half_way_pairs_are_drawn_by_the_root_of_their_clips():
    found = by_cell(draw_chances(CORPORA, TARGETS, 0.5))
    roots = {cell: np.sqrt(clips) for cell, clips in {"a0": 60, "a1": 10, "b0": 20, "b1": 10}.items()}
    assert found == pytest.approx({cell: root / sum(roots.values()) for cell, root in roots.items()})


def test_a_corpus_of_one_clip_is_not_learned_by_heart():
    chances = draw_chances(["a"] * 99 + ["b"], [0] * 100, 1.0)
    assert chances.sum() == pytest.approx(1)
    assert chances[-1] == pytest.approx(MOST * chances[0])


def test_no_clips_have_no_chances():
    assert draw_chances([], [], 1.0).shape == (0,)


def test_every_clip_comes_once_an_epoch():
    assert sorted(chain(*EpochBatches(103, 10, seed=0))) == list(range(103))


def test_the_same_seed_and_epoch_give_the_same_batches_and_others_do_not():
    def batches(seed, epoch):
        order = EpochBatches(50, 7, seed=seed)
        order.set_epoch(epoch)
        return list(order)

    assert batches(1, 2) == batches(1, 2)
    assert batches(1, 2) != batches(1, 3)
    assert batches(1, 2) != batches(2, 2)


@pytest.mark.parametrize("shards", [None, np.arange(50) // 10])
def test_clips_are_drawn_by_their_chances(shards):
    chances = np.where(np.arange(50) < 10, 0.08, 0.005)  # 0.8 for the first ten
    order = EpochBatches(50, 7, seed=0, chances=chances, shards=shards, buffer=20)
    drawn = []
    for epoch in range(40):
        order.set_epoch(epoch)
        drawn += chain(*order)
    assert len(drawn) == 40 * 50
    assert np.mean(np.array(drawn) < 10) == pytest.approx(0.8, abs=0.03)
    assert len(set(drawn)) == 50


@pytest.mark.parametrize("world", [1, 3])
def test_shuffling_by_shards_is_seeded_and_shared_alike(world):
    def batches(epoch, rank=0, world=1):
        order = EpochBatches(
            90, 10, seed=1, rank=rank, world=world, shards=np.repeat(np.arange(9), 10), buffer=30
        )
        order.set_epoch(epoch)
        return list(order)

    assert sorted(chain(*batches(0))) == list(range(90))
    assert batches(0) == batches(0) != batches(1)
    for batch, *parts in zip(batches(2), *(batches(2, rank, world) for rank in range(world)), strict=True):
        assert sorted(batch) == sorted(chain(*parts))


@pytest.mark.parametrize("world", [2, 3])
def test_processes_share_each_batch(world):
    whole = list(EpochBatches(47, 10, seed=4))
    shares = [list(EpochBatches(47, 10, seed=4, rank=rank, world=world)) for rank in range(world)]
    assert len({len(share) for share in shares}) == 1
    for batch, *parts in zip(whole, *shares, strict=True):
        assert sorted(batch) == sorted(chain(*parts))


def test_a_rest_smaller_than_the_processes_is_left_out():
    assert len(EpochBatches(41, 10, seed=0, world=2)) == 4
    assert [len(batch) for batch in EpochBatches(41, 10, seed=0, rank=1, world=2)] == [5, 5, 5, 5]
    assert len(EpochBatches(41, 10, seed=0)) == 5


@pytest.mark.parametrize("world", [1, 2, 5])
def test_ordered_batches_cover_all_clips(world):
    shares = [ordered_batches(23, 4, rank=rank, world=world) for rank in range(world)]
    assert sorted(chain(*chain(*shares))) == list(range(23))


class Numbers(torch.utils.data.Dataset):
    def __len__(self):
        return 20

    def __getitems__(self, numbers):
        return torch.tensor(numbers)


@pytest.mark.parametrize("by_shards", [False, True])
@pytest.mark.parametrize("workers", [0, 2])
def test_order_does_not_depend_on_workers(workers, by_shards):
    shards = np.repeat(np.arange(4), 5) if by_shards else None
    order = EpochBatches(20, 6, seed=3, shards=shards, buffer=8)
    loader = DataLoader(Numbers(), batch_sampler=order, num_workers=workers, collate_fn=whole_batch)
    assert [batch.tolist() for batch in loader] == list(EpochBatches(20, 6, seed=3, shards=shards, buffer=8))


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
