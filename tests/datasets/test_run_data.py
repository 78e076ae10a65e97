from itertools import chain

import pytest

from ser_pipeline.datasets.normalise import Learned
from ser_pipeline.training.recorder import RunBatches


@pytest.fixture
def batches(toy):
    def make(**options):
        data = toy.data(train=options)
        first_epoch = options.pop("first_epoch", 0)
        clips = [data.clips(data.rows(part), Learned()) for part in ("train", "validation")]
        return RunBatches(*clips, data.recipe.train, first_epoch=first_epoch)

    return make


def numbers(loader):
    return [batch.numbers.tolist() for batch in loader]


def test_the_same_seed_gives_the_same_batches_and_another_seed_others(batches):
    first, again, other = (batches(seed=seed).train_dataloader() for seed in (1, 1, 2))
    assert numbers(first) == numbers(again)
    assert numbers(first) != numbers(other)


def test_each_epoch_has_its_own_order_and_a_resumed_one_the_same(batches):
    going = batches()
    loader = going.train_dataloader()
    first = numbers(loader)
    going.batches.set_epoch(1)
    second = numbers(loader)
    assert first != second
    resumed = batches()
    resumed.first_epoch = 1
    assert numbers(resumed.train_dataloader()) == second


def test_validation_covers_its_clips_in_order(batches):
    assert list(chain(*numbers(batches().val_dataloader()))) == list(range(24))


def test_workers_that_are_spawned_once_change_nothing(batches):
    both = [batches(workers=workers) for workers in (0, 1)]
    alone, helped = (each.train_dataloader() for each in both)
    assert helped.multiprocessing_context.get_start_method() == "spawn"
    for epoch in (0, 1):
        for each in both:
            each.batches.set_epoch(epoch)
        for one, other in zip(alone, helped, strict=True):
            assert all((a == b).all() for a, b in zip(one[:4], other[:4], strict=True))


def test_starting_a_loader_draws_nothing_from_torch(batches):
    import torch

    torch.manual_seed(0)
    expected = torch.rand(3)
    torch.manual_seed(0)
    next(iter(batches().train_dataloader()))
    assert torch.equal(torch.rand(3), expected)
