"""Apply a network, or a part of it, to clips batch by batch."""

from collections.abc import Callable
from typing import Any, Final

import numpy as np
import torch

from ser_pipeline.arrays import Float32s, Int64s
from ser_pipeline.datasets.batch import Clips
from ser_pipeline.datasets.sampling import ordered_batches
from ser_pipeline.models.network import Network

BATCH: Final = 64
"""Clips at once; what is said of a clip does not depend on it."""


def apply_network(
    network: Network,
    clips: Clips,
    part: Callable[..., Any],
    *,
    width: int = 0,
    device: str = "cpu",
    rows: Int64s | None = None,
) -> Float32s:
    """What a network, or a part of it, makes of clips.

    Args:
        network: it is moved to the device and put into evaluation mode.
        clips: what it is applied to.
        part: of the network; takes what the network takes and gives a tensor of shape ``(batch, width)``.
        width: of what the part gives; it need not be known where there are clips.
        device: ``cpu``, ``cuda`` or ``mps``.
        rows: numbers of the clips; None for all.

    Returns:
        Shape ``(clips, width)``, in the order of the clips.
    """
    network.eval().to(device)
    rows, parts = np.arange(len(clips)) if rows is None else rows, list[torch.Tensor]()
    with torch.inference_mode():
        for numbers in ordered_batches(len(rows), BATCH):
            made = part(*clips.__getitems__(rows[numbers].tolist()).to(device).given())
            parts.append(made.float())  # stays on the device: the next batch is read while it computes
    found: Float32s = torch.cat(parts).cpu().numpy() if parts else np.zeros((0, width), np.float32)
    return found
