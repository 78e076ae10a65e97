"""Train on some of the training clips only: test clips never notice."""

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from ser_pipeline.datasets.examples import Examples
from ser_pipeline.records import PARTS

Mask = npt.NDArray[np.bool_]


def restrict_training(examples: Examples, *, corpora: Sequence[str], share: float, seed: int) -> Examples:
    """Leave clips out of training, and none out of testing.

    Args:
        examples: clips of all parts.
        corpora: train on these only; none trains on all. Validation clips of others go too, else what is
            called trained on one corpus would have its epoch chosen by labels of another.
        share: of each corpus's training speakers to keep, in (0, 1]; at least one speaker stays. A
            larger share holds all speakers of a smaller one with the same seed.
        seed: of the choice of speakers.

    Returns:
        The clips in their order; those of ``test`` are all there.
    """
    train = examples.part == PARTS.index("train")
    test = examples.part == PARTS.index("test")
    keep = test | np.isin(examples.column("corpus"), list(corpora)) if corpora else np.ones(len(train), bool)
    if share < 1:
        keep &= ~train | _of_some_speakers(examples, keep & train, share, seed)
    return examples if keep.all() else examples.take(keep)


def _of_some_speakers(examples: Examples, rows: Mask, share: float, seed: int) -> Mask:
    """Clips of the speakers that stay, whichever corpus a clip of theirs is from."""
    corpora, speakers = examples.column("corpus"), examples.column("speaker_id")
    first: dict[str, str] = {}
    for speaker, corpus in zip(speakers[rows].tolist(), corpora[rows].tolist(), strict=True):
        first.setdefault(speaker, corpus)
    rng = np.random.default_rng(seed)
    kept: list[str] = []
    for corpus in sorted(set(first.values())):
        people = rng.permutation(sorted(speaker for speaker, home in first.items() if home == corpus))
        kept += people[: math.ceil(share * len(people))].tolist()
    mask: Mask = np.isin(speakers, kept)
    return mask
