"""Online augmentation of a training batch: masks, crops, gain and mixup, in a fixed order."""

from dataclasses import dataclass

import torch
from scipy.special import betaincinv
from torch import Generator, Tensor
from torch.nn import functional as F

from ser_pipeline.datasets.batch import Batch, louder
from ser_pipeline.errors import SettingsError
from ser_pipeline.options import FrontEnd, Mixup, RandomCrop, RandomGain, SpecAugment, TrainOptions


@dataclass(frozen=True, slots=True)
class Mixing:
    """Which clips of a batch are mixed, and how.

    Attributes:
        partner: number of the clip that each is mixed with, shape ``(batch,)``.
        share: of the clip itself, at least a half, shape ``(batch,)``; the partner has the rest.
    """

    partner: Tensor
    share: Tensor


def spec_augment(
    mels: Tensor, lengths: Tensor, options: SpecAugment, generator: Generator, *, value: float = -1.0
) -> Tensor:
    """Blank random bands and stretches of each clip.

    Each mask's width is drawn evenly from 0 to its maximum (at most the clip's own length), its
    place evenly from where it fits.

    Args:
        mels: shape ``(batch, n_mels, frames)``; left as it is.
        lengths: valid frames of each clip, shape ``(batch,)``.
        options: number and width of the masks, and what fills them.
        generator: on the CPU; draws first, then masks are applied.
        value: silence.

    Returns:
        Shape ``(batch, n_mels, frames)``.

    References:
        Park et al., "SpecAugment: A Simple Data Augmentation Method for Automatic Speech
        Recognition", Interspeech 2019, without time warping.
    """
    batch, n_mels, frames = mels.shape
    full = torch.full((batch,), n_mels)
    bands = _masked(full, n_mels, options.frequency_masks, options.frequency_width, generator)
    stretch = _masked(lengths.cpu(), frames, options.time_masks, options.time_width, generator)
    valid = _valid(lengths, mels)
    blank = _sent(bands, mels)[:, :, None] & valid | _sent(stretch, mels)[:, None, :]
    if options.fill == "silence":
        return mels.masked_fill(blank, value)
    mean = mels.masked_fill(~valid, 0).sum(2, keepdim=True) / _sent(lengths, mels)[:, None, None]
    return torch.where(blank, mean, mels)


def _sent(values: Tensor, like: Tensor) -> Tensor:
    """What was drawn on the CPU, where the mels are."""
    return values.to(like.device, non_blocking=True)


def _valid(lengths: Tensor, mels: Tensor) -> Tensor:
    """Frames that are their clip's own, shape ``(batch, 1, frames)``, where the mels are."""
    frame = torch.arange(mels.shape[2], device=mels.device)
    return (frame < _sent(lengths, mels)[:, None])[:, None, :]


def _masked(sizes: Tensor, cells: int, masks: int, widest: int, generator: Generator) -> Tensor:
    """Cells under any of ``masks`` stretches within the first ``sizes`` cells, ``(batch, cells)``."""
    draws = torch.rand(2, len(sizes), masks, generator=generator)
    most = sizes.clamp(max=widest)[:, None]
    width = (draws[0] * (most + 1)).long()  # (batch, masks)
    start = (draws[1] * (sizes[:, None] - width + 1)).long()
    cell = torch.arange(cells)
    inside = (cell >= start[..., None]) & (cell < (start + width)[..., None])  # (batch, masks, cells)
    return inside.any(1)


def random_crop(
    mels: Tensor, lengths: Tensor, options: RandomCrop, generator: Generator, *, value: float = -1.0
) -> tuple[Tensor, Tensor]:
    """Keep a random stretch of each clip and move it to the start.

    How much is kept is drawn evenly from ``share`` of the clip (rounded up) to all of it, where it
    lies evenly from what fits.

    Args:
        mels: shape ``(batch, n_mels, frames)``; left as it is.
        lengths: valid frames of each clip, shape ``(batch,)``.
        options: least share that is kept.
        generator: on the CPU; draws first, then clips are cut.
        value: of frames beyond the stretch.

    Returns:
        Clips, shape ``(batch, n_mels, frames)``, and their new lengths, shape ``(batch,)``.
    """
    chance = torch.rand(2, len(mels), generator=generator)
    counts = lengths.cpu()
    least = (counts * options.share).ceil().clamp(min=1)
    kept = (least + chance[0] * (counts - least + 1)).long().clamp(max=counts)
    start = (chance[1] * (counts - kept + 1)).long()
    frame = torch.arange(mels.shape[2])
    source = _sent((frame + start[:, None]).clamp(max=mels.shape[2] - 1), mels)  # (batch, frames)
    moved = mels.gather(2, source[:, None, :].expand_as(mels))
    return moved.masked_fill(~_valid(kept, mels), value), kept.to(lengths)


def random_gain(
    mels: Tensor, lengths: Tensor, options: RandomGain, generator: Generator, *, front_end: FrontEnd
) -> Tensor:
    """Make each clip louder or quieter by a random number of dB.

    Args:
        mels: shape ``(batch, n_mels, frames)``; left as it is.
        lengths: valid frames of each clip, shape ``(batch,)``.
        options: range of the gain.
        generator: on the CPU; draws first, then gains are applied.
        front_end: the scale of the mels.

    Returns:
        Shape ``(batch, n_mels, frames)``. Valid cells do not fall below -1, where ``floor_db`` lies;
        padding stays.

    Raises:
        SettingsError: the mels have no fixed scale, so that a gain would mean nothing.
    """
    if front_end.scale != "fixed":
        raise SettingsError(f"a random gain needs front_end.scale fixed, found {front_end.scale}")
    low, high = options.gain_db
    gain_db = low + torch.rand(len(mels), generator=generator) * (high - low)
    return louder(mels, lengths, (gain_db * 2 / (front_end.ceiling_db - front_end.floor_db)).to(mels))


def draw_mixing(batch: int, options: Mixup, generator: Generator) -> Mixing:
    """Draw partners and shares.

    A share is drawn from Beta(alpha, alpha); the larger part is the clip's own, so that its class
    stays what the mixture is mostly. With random partners that is the same set of mixtures.

    Args:
        batch: number of clips.
        options: of the Beta distribution.
        generator: on the CPU.

    References:
        Zhang et al., "mixup: Beyond Empirical Risk Minimization", ICLR 2018.
    """
    partner = torch.randperm(batch, generator=generator)
    chance = torch.rand(batch, generator=generator, dtype=torch.float64)
    share = torch.from_numpy(betaincinv(options.alpha, options.alpha, chance.numpy())).float()
    return Mixing(partner, torch.maximum(share, 1 - share))


def mix_mels(mels: Tensor, lengths: Tensor, mixing: Mixing, *, value: float = -1.0) -> tuple[Tensor, Tensor]:
    """Mix spectrograms cell by cell.

    Args:
        mels: shape ``(batch, n_mels, frames)``; left as it is.
        lengths: valid frames of each clip, shape ``(batch,)``.
        mixing: from :func:`draw_mixing`.
        value: of silence, which the shorter clip counts as beyond its end.

    Returns:
        Mixed clips and their lengths: that of the longer clip. What lies beyond is left as it is.
    """
    partner = _sent(mixing.partner, mels)
    sound = mels.masked_fill(~_valid(lengths, mels), value)
    share = mixing.share.to(mels)[:, None, None]
    mixed = share * sound + (1 - share) * sound[partner]
    longer = torch.maximum(lengths, lengths[mixing.partner.to(lengths.device)])
    return torch.where(_valid(longer, mels), mixed, mels), longer


def mix_rows(rows: Tensor, mixing: Mixing) -> Tensor:
    """Mix what belongs to clips, as distributions ``(batch, classes)`` or weights ``(batch,)``."""
    share = mixing.share.to(rows).view(-1, *(1 for _ in rows.shape[1:]))
    return share * rows + (1 - share) * rows[_sent(mixing.partner, rows)]


def augment_batch(
    batch: Batch, options: TrainOptions, front_end: FrontEnd, classes: int, draws: Generator
) -> Batch:
    """Crop, change the level, mix and mask; what is not mels, and so has no level, is only mixed.

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
    taught = None if batch.taught is None else mix_rows(batch.taught, mixing)
    beside = None if batch.beside is None else mix_rows(batch.beside, mixing)
    inputs: Tensor
    if batch.inputs.ndim == 3:
        inputs, lengths = mix_mels(batch.inputs, batch.lengths, mixing, value=pad_value)
    elif batch.inputs.ndim == 4:
        flat = batch.inputs.flatten(2).transpose(1, 2)  # (batch, layers * width, steps)
        mixed, lengths = mix_mels(flat, batch.lengths, mixing, value=0.0)
        inputs = mixed.transpose(1, 2).reshape(batch.inputs.shape)
    else:
        inputs, lengths = mix_rows(batch.inputs, mixing), batch.lengths
    return batch._replace(
        inputs=inputs,
        lengths=lengths,
        soft=mix_rows(soft, mixing),
        weights=weights,
        ratings=ratings,
        taught=taught,
        beside=beside,
    )
