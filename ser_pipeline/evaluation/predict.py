"""Run a network over clips: always in fp32, in evaluation mode."""

import numpy as np
import numpy.typing as npt
import torch

from ser_pipeline.datasets.batch import Clips
from ser_pipeline.datasets.sampler import ordered_batches
from ser_pipeline.models import EmbeddingNetwork, Network
from ser_pipeline.models.dimensions import DIMENSIONS

BATCH = 64
"""Clips scored at once; decisions do not depend on it."""


def rate_clips(network: EmbeddingNetwork, clips: Clips, *, device: str = "cpu") -> npt.NDArray[np.float32]:
    """Valence, arousal and dominance of clips.

    Args:
        network: has a head for them; it is moved to the device and put into evaluation mode.
        clips: what to rate.
        device: ``cpu``, ``cuda`` or ``mps``.

    Returns:
        Shape ``(clips, 3)``, in [-1, 1].

    Raises:
        TypeError: the network has no such head.
    """
    network.eval().to(device)
    parts = [np.zeros((0, len(DIMENSIONS)), np.float32)]
    with torch.inference_mode():
        for numbers in ordered_batches(len(clips), BATCH):
            batch = clips.__getitems__(numbers)
            rated = network.rate(batch.inputs.to(device), batch.lengths.to(device))
            parts.append(rated.float().cpu().numpy())
    return np.concatenate(parts)


def predict_clips(network: Network, clips: Clips, *, device: str = "cpu") -> npt.NDArray[np.float32]:
    """Probabilities of clips.

    Args:
        network: it is moved to the device and put into evaluation mode.
        clips: what to score.
        device: ``cpu``, ``cuda`` or ``mps``.

    Returns:
        Shape ``(clips, classes)``, in the order of the clips; rows sum to 1.
    """
    network.eval().to(device)
    parts = [np.zeros((0, network.classes), np.float32)]
    with torch.inference_mode():
        for numbers in ordered_batches(len(clips), BATCH):
            batch = clips.__getitems__(numbers)
            logits = network(batch.inputs.to(device), batch.lengths.to(device))
            parts.append(logits.float().softmax(1).cpu().numpy())
    return np.concatenate(parts)
