"""From a task's name to its classes; ``all`` is decided by the recordings there are."""

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from ser_pipeline.datasets.examples import class_lookup
from ser_pipeline.errors import LabelError
from ser_pipeline.labels import EMOTIONS, Task, task_named

MIN_CLIPS = 20
MIN_SPEAKERS = 2


def resolve_task(
    name: str,
    manifest: pa.Table,
    parts: npt.NDArray[np.int8],
    *,
    merges: Mapping[str, str] | None = None,
    own: Mapping[str, Sequence[str]] | None = None,
) -> Task:
    """Look a task up and add merges.

    Args:
        name: as given to ``--task``.
        manifest: its table.
        parts: part code of each row, shape ``(rows,)``.
        merges: emotion -> emotion it counts as; those that lead out of the task are left out.
        own: tasks of ``ser.toml``, name -> emotions.

    Raises:
        LabelError: no such task, or ``all`` finds fewer than two classes.
    """
    chosen = merges or {}
    if name == "all" and "all" not in (own or {}):
        return _all_classes(manifest, parts, chosen)
    return task_named(name, own).merged(chosen)


def _all_classes(manifest: pa.Table, parts: npt.NDArray[np.int8], merges: Mapping[str, str]) -> Task:
    """Every class with at least 20 clips and two speakers in each part that has clips."""
    everything = Task("all", tuple(name for name in EMOTIONS if name not in merges)).merged(merges)
    classes = class_lookup(everything)[manifest["emotion_id"].to_numpy()]
    speakers = np.unique(manifest["speaker_id"].to_numpy(zero_copy_only=False), return_inverse=True)[1]
    used = [code for code in np.unique(parts) if code >= 0]
    emotions = tuple(
        name
        for number, name in enumerate(everything.emotions)
        if used and all(_enough(speakers[(classes == number) & (parts == code)]) for code in used)
    )
    if len(emotions) < 2:
        raise LabelError(
            f"task 'all': {len(emotions)} emotions have {MIN_CLIPS} clips and {MIN_SPEAKERS} speakers in "
            "each part, two are needed; name a task, or build the manifest from more recordings"
        )
    return Task("all", emotions).merged(merges)


def _enough(speakers: npt.NDArray[np.int64]) -> bool:
    return len(speakers) >= MIN_CLIPS and len(np.unique(speakers)) >= MIN_SPEAKERS
