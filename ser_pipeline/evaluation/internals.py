"""Look into a network: attention over a few clips, and a map of its embeddings."""

import warnings
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
import torch

from ser_pipeline.arrays import Float32s, Floats, Int64s, Ints, texts_of
from ser_pipeline.datasets.batch import Clips
from ser_pipeline.models.network import EmbeddingNetwork, Network
from ser_pipeline.records import PARTS
from ser_pipeline.runs.internals import (
    AttendedClip,
    Embeddings,
    drop_internals,
    write_attention,
    write_embeddings,
)
from ser_pipeline.training.apply import apply_network

CHOSEN: Final = 8
"""Clips whose attention is kept."""

MAPPED: Final = 500
"""Clips on the map at most, evenly taken."""

_LEAST: Final = 5
"""Fewer points make no map."""

_PERPLEXITY: Final = 30.0


def write_internals(
    folder: Path, network: Network, clips: Clips, predictions: pa.Table, *, device: str = "cpu"
) -> None:
    """Keep what a network makes of the clips of the last part it was scored on: test where there is one.

    Args:
        folder: of the run.
        network: one without embedding, as a classifier of scikit-learn's, leaves nothing to keep.
        clips: all that were scored.
        predictions: of these clips, in the same order.
        device: ``cpu``, ``cuda`` or ``mps``.
    """
    drop_internals(folder)
    if not isinstance(network, EmbeddingNetwork):
        return
    parts = texts_of(predictions["part"])
    present = [name for name in reversed(PARTS) if (parts == name).any()]
    if not present:
        return
    rows = np.flatnonzero(parts == present[0])
    network.eval().to(device)
    mapped = rows[np.unique(np.linspace(0, len(rows) - 1, min(MAPPED, len(rows))).round().astype(np.int64))]
    vectors = apply_network(network, clips, network.embed, rows=mapped, device=device)
    if len(mapped) >= _LEAST and np.isfinite(vectors).all():
        found = Embeddings(
            clips=tuple(predictions["utterance_id"].take(pa.array(mapped)).to_pylist()),
            part=present[0],
            target=predictions["target"].to_numpy()[mapped].astype(np.int64),
            vectors=vectors,
            places=place(vectors),
        )
        write_embeddings(folder, found)
    attended = _attended(network, clips, predictions, rows, device)
    if attended:
        write_attention(folder, attended)


def place(vectors: Float32s) -> Float32s:
    """Put vectors on a plane so that near ones lie near: t-SNE, the same for the same vectors.

    Args:
        vectors: shape ``(clips, d)``, at least two.

    Returns:
        Shape ``(clips, 2)``.

    References:
        van der Maaten and Hinton, "Visualizing Data using t-SNE", JMLR 9, 2008.
    """
    from sklearn.decomposition import PCA
    from sklearn.manifold import TSNE

    values = vectors - vectors.mean(0)
    scale = values.std(0)
    values = values / np.where(scale > 0, scale, 1)
    few = min(30, *values.shape)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # of PCA, where all vectors are one
        values = PCA(few, svd_solver="full").fit_transform(values)
    perplexity = min(_PERPLEXITY, (len(vectors) - 1) / 3)
    made = TSNE(2, perplexity=perplexity, init="random", random_state=0, max_iter=500, n_jobs=1)
    return np.asarray(made.fit_transform(np.nan_to_num(values)), np.float32)


def _attended(
    network: EmbeddingNetwork, clips: Clips, predictions: pa.Table, rows: Int64s, device: str
) -> list[AttendedClip]:
    """The surest right decision of each class, then the surest mistakes."""
    target, predicted = (predictions[name].to_numpy()[rows] for name in ("target", "predicted"))
    names = [name for name in predictions.column_names if name.startswith("p_")]
    stated = np.stack([predictions[name].to_numpy()[rows] for name in names], axis=1).max(1)
    found = []
    for number in choose(target, predicted, stated):
        batch = clips.__getitems__([int(rows[number])])
        with torch.inference_mode():
            _, weights = network.summarise(*batch.to(device).given()[:2])
        if weights is None or batch.inputs.ndim != 3:  # only mels are drawn
            return []
        frames = int(batch.lengths[0])
        steps = weights[0].float().cpu().numpy()
        own = int(np.flatnonzero(steps).max(initial=0)) + 1
        found.append(
            AttendedClip(
                utterance_id=predictions["utterance_id"][int(rows[number])].as_py(),
                part=predictions["part"][int(rows[number])].as_py(),
                target=int(target[number]),
                predicted=int(predicted[number]),
                probability=float(stated[number]),
                mel=batch.inputs[0, :, :frames].numpy().astype(np.float32),
                weights=steps[:own].astype(np.float32),
            )
        )
    return found


def choose(target: Ints, predicted: Ints, stated: Floats) -> list[int]:
    """Clips worth a look: the surest right decision of up to four classes, then the surest mistakes.

    Args:
        target: true class numbers, shape ``(clips,)``.
        predicted: decided class numbers, shape ``(clips,)``.
        stated: probability of each decision, shape ``(clips,)``.

    Examples:
        >>> choose(np.array([0, 0, 1]), np.array([0, 0, 0]), np.array([0.4, 0.9, 0.8]))
        [1, 2]
    """
    surest = np.argsort(-stated, kind="stable")
    right = target == predicted
    best = [next((int(row) for row in surest if right[row] and target[row] == label), None)
            for label in np.unique(target)]  # fmt: skip
    kept = [row for row in best if row is not None][: CHOSEN // 2]
    mistakes = [int(row) for row in surest if not right[row]]
    return [*kept, *mistakes[: CHOSEN - len(kept)]]
