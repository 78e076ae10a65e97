"""Each clip on a scale of its own: what a room and a microphone add is taken out, without looking at others.

Two steps. What lies far below the clip's loud cells is raised to a floor, so that background noise,
which every corpus has its own of, looks alike everywhere. Then each mel band loses its mean over
the clip, which is where a microphone's and a voice's own colour lies. Nothing is learned.
"""

from typing import Final

import torch
from torch import Tensor

LOUD: Final = 20
"""One cell in so many is louder than the level that the floor hangs from."""

DEPTH: Final = 0.5
"""From that level to the floor: 30 dB where 2 stand for the front end's 120 dB."""

GAIN: Final = 3.0
"""Spreads the 40 dB or so that are left over about [-1, 1]."""


def own_scale(mels: Tensor, lengths: Tensor | None = None) -> Tensor:
    """Raise each clip to its own floor and centre its bands.

    Args:
        mels: shape ``(batch, n_mels, frames)``; left as they are.
        lengths: valid frames of each clip, shape ``(batch,)``; None if all are valid. Others neither
            count nor are changed.

    Returns:
        Shape ``(batch, n_mels, frames)``; each band's mean over a clip's valid frames is 0.

    References:
        Atal, "Effectiveness of linear prediction characteristics of the speech wave for automatic
        speaker identification and verification", JASA 55, 1974: taking the mean over time.
    """
    if lengths is None:
        cells = mels.flatten(1)
        loud = cells.topk(cells.shape[1] // LOUD + 1, 1).values[:, -1]
        raised = torch.maximum(mels, loud[:, None, None] - DEPTH)
        return GAIN * (raised - raised.mean(2, keepdim=True))
    counts = lengths.to(mels.device)
    valid = (torch.arange(mels.shape[2], device=mels.device) < counts[:, None])[:, None, :]
    louder = counts * mels.shape[1] // LOUD  # cells of each clip above the level sought
    loudest = mels.masked_fill(~valid, -torch.inf).flatten(1).topk(int(louder.max()) + 1, 1).values
    loud = loudest.gather(1, louder[:, None])
    raised = torch.maximum(mels, loud[:, :, None] - DEPTH).masked_fill(~valid, 0)
    mean = raised.sum(2, keepdim=True) / counts[:, None, None]
    return torch.where(valid, GAIN * (raised - mean), mels)
