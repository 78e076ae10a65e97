"""Find the clips of a task in the store, and say which ones it cannot give."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ser_pipeline.datasets.batch import RowStore
from ser_pipeline.datasets.examples import Examples
from ser_pipeline.errors import StoreMissing, TrainingError
from ser_pipeline.store import build_command


@dataclass(frozen=True)
class Located:
    """Clips that the store holds.

    Attributes:
        examples: the clips.
        positions: their rows in the store, shape ``(clips,)``.
        failed: (utterance id, reason) of each clip whose recording could not be used.
    """

    examples: Examples
    positions: npt.NDArray[np.int64]
    failed: tuple[tuple[str, str], ...] = ()


def locate(store: RowStore, examples: Examples) -> Located:
    """Look every clip up.

    Raises:
        StoreMissing: clips were neither computed nor failed: the store is not finished. The message
            names the command that finishes it.
        TrainingError: every clip failed.
    """
    digests = examples.table["audio_digest"].to_pylist()
    positions = store.rows(digests, modalities=examples.table["modality"].to_pylist())
    here = positions >= 0
    reasons = {number: store.failures.get(digests[number]) for number in np.flatnonzero(~here).tolist()}
    lacking = sum(reason is None for reason in reasons.values())
    if lacking:
        raise StoreMissing(
            f"the store lacks {lacking} of {len(examples)} clips; run '{build_command(store.options)}'"
        )
    names = examples.table["utterance_id"]
    failed = tuple((names[number].as_py(), str(reason)) for number, reason in reasons.items())
    if len(failed) == len(examples):
        raise TrainingError(
            f"none of {len(examples)} clips could be used, as '{failed[0][0]}': {failed[0][1]}"
        )
    return Located(examples.take(here), positions[here], failed)
