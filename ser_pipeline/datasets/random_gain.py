"""Louder and quieter clips: an addition on the dB scale of mels."""

import torch
from torch import Generator, Tensor

from ser_pipeline.errors import SettingsError
from ser_pipeline.settings import FrontEnd, RandomGain


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
    step = (gain_db * 2 / (front_end.ceiling_db - front_end.floor_db)).to(mels)
    frame = torch.arange(mels.shape[2], device=mels.device)
    valid = (frame < lengths.to(mels.device)[:, None])[:, None, :]
    return torch.where(valid, (mels + step[:, None, None]).clamp(min=-1), mels)
