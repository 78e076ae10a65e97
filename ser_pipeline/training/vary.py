"""Online augmentation: what is changed about the clips of a training batch, in a fixed order."""

from torch import Generator, Tensor
from torch.nn import functional as F

from ser_pipeline.datasets.batch import Batch
from ser_pipeline.datasets.mixup import draw_mixing, mix_mels, mix_rows
from ser_pipeline.datasets.random_crop import random_crop
from ser_pipeline.datasets.random_gain import random_gain
from ser_pipeline.datasets.spec_augment import spec_augment
from ser_pipeline.settings import FrontEnd, Mixup, TrainOptions


def vary(batch: Batch, options: TrainOptions, front_end: FrontEnd, classes: int, draws: Generator) -> Batch:
    """Crop, change the level, mix and mask; vectors, which have no time and no level, are mixed alone.

    Args:
        batch: as read; left as it is.
        options: which changes; None of them leaves the batch as it is.
        front_end: the scale of mels and the value of silence.
        classes: number of classes.
        draws: on the CPU; everything is drawn from it, in this order.
    """
    if batch.inputs.ndim == 3:
        batch = _cut_and_levelled(batch, options, front_end, draws)
    if options.mixup is not None:
        batch = _mixed(batch, options.mixup, front_end.pad_value, classes, draws)
    if options.spec_augment is None or batch.inputs.ndim != 3:
        return batch
    masked = spec_augment(batch.inputs, batch.lengths, options.spec_augment, draws, value=front_end.pad_value)
    return batch._replace(inputs=masked)


def _cut_and_levelled(batch: Batch, options: TrainOptions, front_end: FrontEnd, draws: Generator) -> Batch:
    if options.random_crop is not None:
        mels, lengths = random_crop(
            batch.inputs, batch.lengths, options.random_crop, draws, value=front_end.pad_value
        )
        batch = batch._replace(inputs=mels, lengths=lengths)
    if options.random_gain is not None:
        louder = random_gain(batch.inputs, batch.lengths, options.random_gain, draws, front_end=front_end)
        batch = batch._replace(inputs=louder)
    return batch


def _mixed(batch: Batch, options: Mixup, pad_value: float, classes: int, draws: Generator) -> Batch:
    """Two clips in one; the class number stays that of the larger share."""
    mixing = draw_mixing(len(batch.targets), options, draws)
    soft = F.one_hot(batch.targets, classes).float() if batch.soft is None else batch.soft
    weights = None if batch.weights is None else mix_rows(batch.weights, mixing)
    ratings = None if batch.ratings is None else mix_rows(batch.ratings, mixing)  # NaN where one has none
    inputs: Tensor
    if batch.inputs.ndim == 3:
        inputs, lengths = mix_mels(batch.inputs, batch.lengths, mixing, value=pad_value)
    else:
        inputs, lengths = mix_rows(batch.inputs, mixing), batch.lengths
    return batch._replace(
        inputs=inputs, lengths=lengths, soft=mix_rows(soft, mixing), weights=weights, ratings=ratings
    )
