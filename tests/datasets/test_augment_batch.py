import pytest
import torch
from torch.nn import functional as F

from ser_pipeline.datasets.augment import augment_batch, spec_augment
from ser_pipeline.datasets.batch import Batch
from ser_pipeline.options import FrontEnd, Mixup, RandomCrop, RandomGain, SpecAugment, TrainOptions

FRONT_END = FrontEnd(n_mels=8)
LENGTHS = torch.tensor([40, 31, 12, 5])


def mels():
    inputs = torch.rand(4, 8, 40, generator=torch.Generator().manual_seed(1)) - 0.5
    for number, length in enumerate(LENGTHS.tolist()):
        inputs[number, :, length:] = -1.0
    return Batch(inputs, LENGTHS, torch.tensor([0, 1, 2, 3]), torch.arange(4))


def draws():
    return torch.Generator().manual_seed(7)


def varied(batch, **options):
    options = {"spec_augment": False, **options}
    return augment_batch(batch, TrainOptions.model_validate(options), FRONT_END, 4, draws())


def test_no_change_leaves_the_batch_as_it_is():
    batch = mels()
    assert varied(batch) is batch


def test_masks_alone_are_spec_augments_own():
    options, batch = SpecAugment(), mels()
    expected = spec_augment(batch.inputs, batch.lengths, options, draws(), value=-1.0)
    assert torch.equal(varied(batch, spec_augment=options).inputs, expected)


@pytest.mark.parametrize(
    "options",
    [
        {"random_crop": RandomCrop(share=0.5)},
        {"random_gain": RandomGain()},
        {"mixup": Mixup(alpha=1.0)},
        {"random_crop": RandomCrop(), "random_gain": RandomGain(), "mixup": Mixup(), "spec_augment": {}},
    ],
)
def test_the_same_draws_give_the_same_batch_and_padding_stays(options):
    batch = mels()
    before = batch.inputs.clone()
    one, two = varied(batch, **options), varied(batch, **options)
    assert torch.equal(one.inputs, two.inputs)
    assert torch.equal(batch.inputs, before)
    assert not torch.equal(one.inputs, before)
    for number, length in enumerate(one.lengths.tolist()):
        assert (one.inputs[number, :, length:] == -1).all()


def test_mixing_gives_distributions_whose_class_stays_the_larger_share():
    found = varied(mels(), mixup=Mixup(alpha=1.0))
    assert found.soft.sum(1) == pytest.approx(torch.ones(4))
    assert torch.equal(found.soft.argmax(1), found.targets)
    assert (found.soft.max(1).values < 1).any()


def test_mixing_starts_from_votes_and_mixes_weights():
    votes = torch.full((4, 4), 0.25)
    batch = mels()._replace(soft=votes, weights=torch.tensor([1.0, 1.0, 1.0, 1.0]))
    found = varied(batch, mixup=Mixup(alpha=1.0))
    assert torch.allclose(found.soft, votes)
    assert torch.allclose(found.weights, batch.weights)


def test_vectors_are_mixed_and_nothing_else():
    batch = Batch(torch.eye(4), torch.ones(4, dtype=torch.int64), torch.arange(4), torch.arange(4))
    options = {"random_crop": RandomCrop(), "random_gain": RandomGain(), "spec_augment": {}}
    assert varied(batch, **options) is batch
    mixed = varied(batch, mixup=Mixup(alpha=1.0))
    assert torch.allclose(mixed.inputs, mixed.soft)  # unit vectors mix as their classes do
    assert torch.equal(mixed.soft.argmax(1), F.one_hot(batch.targets).argmax(1))


def test_steps_of_an_encoder_are_mixed_step_by_step_and_nothing_else_is_done_to_them():
    steps = torch.rand(4, 40, 2, 3, generator=torch.Generator().manual_seed(1))
    batch = mels()._replace(inputs=steps)
    found = varied(batch, mixup=Mixup(alpha=1.0), spec_augment={}, random_crop=RandomCrop())
    as_mels = batch._replace(inputs=steps.flatten(2).transpose(1, 2))
    alike = augment_batch(
        as_mels,
        TrainOptions(mixup=Mixup(alpha=1.0), spec_augment=None),
        FrontEnd(pad_value=0.0),
        4,
        draws(),
    )
    assert torch.equal(found.inputs.flatten(2).transpose(1, 2), alike.inputs)
    assert torch.equal(found.lengths, alike.lengths)
    assert torch.equal(found.soft, alike.soft)
