from itertools import chain

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from ser_pipeline.datasets.batch import whole_batch
from ser_pipeline.datasets.sampler import EpochBatches, ordered_batches


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
