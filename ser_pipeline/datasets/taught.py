"""What a teacher says of the clips that a network learns from, and recordings without labels."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import numpy as np
import pyarrow as pa

from ser_pipeline.arrays import Bools, Float32s, Int64s
from ser_pipeline.datasets.examples import COLUMNS, UNUSED, Examples, chosen_rows
from ser_pipeline.datasets.prepare import Inputs, looked_up
from ser_pipeline.datasets.rows import Variants
from ser_pipeline.datasets.run_data import RunData
from ser_pipeline.datasets.targets import Taught
from ser_pipeline.errors import TrainingError
from ser_pipeline.manifest import Manifest, read_manifest
from ser_pipeline.records import PARTS
from ser_pipeline.runs.learned import TeacherInfo
from ser_pipeline.splits import parts_for
from ser_pipeline.tables.cells import plural

TRAIN: Final = PARTS.index("train")

BLANK: Final[Mapping[str, Any]] = MappingProxyType(
    {"emotion_id": -1, "intensity": "unspecified"}
    | dict.fromkeys(("votes", "rated_intensity", "valence", "arousal", "dominance"))
)
"""What stands in columns that tell of labels and ratings, where these are not to be looked at."""


@dataclass(frozen=True)
class Unlabelled:
    """Recordings that a network may learn from although it knows no label of them.

    Attributes:
        examples: the recordings; class numbers are 0 until a teacher gives others.
        positions: their rows in the store that the network reads, shape ``(recordings,)``.
        manifest: that they are of; None without any.
    """

    examples: Examples
    positions: Int64s
    manifest: Manifest | None


def find_unlabelled(inputs: Inputs, data: RunData) -> Unlabelled:
    """Find the recordings of ``train.unlabelled`` that no part of a run knows.

    Left out are the run's training clips, every recording of the validation and test parts, and every speaker
    who is heard in one of these and not in training. Labels are not looked at.

    Args:
        inputs: of the run.
        data: its clips.

    Raises:
        ManifestError: the manifest is missing, or a foreign one.
        StoreMissing: the store of the run lacks recordings of it.
        TrainingError: no recording is left.
    """
    folder = data.recipe.train.unlabelled
    if folder is None:
        return Unlabelled(_nothing(data), np.zeros(0, np.int64), None)
    source = read_manifest(Path(folder))
    rows = np.flatnonzero(_strangers(source, inputs, data))
    examples = Examples(
        _blank(source.table.select(COLUMNS).take(pa.array(rows))),
        np.full(len(rows), TRAIN, np.int8),
        np.zeros(len(rows), np.int64),
    )
    positions, _ = looked_up(inputs.store, examples, manifests=source.path.parent)
    here = positions >= 0
    if not here.any():
        raise TrainingError(
            f"{source.path}: none of {plural(source.table.num_rows, 'recording')} can be learned without a "
            "label: they are clips of this run or of its validation and test speakers, or their audio failed"
        )
    return Unlabelled(examples.take(here), positions[here], source)


def _blank(table: pa.Table) -> pa.Table:
    """The same recordings, without their labels and ratings."""
    for place, field in enumerate(table.schema):
        if field.name in BLANK:
            values = pa.array([BLANK[field.name]] * len(table), field.type)
            table = table.set_column(place, field, values)
    return table


def _strangers(source: Manifest, inputs: Inputs, data: RunData) -> Bools:
    """Rows of a manifest that belong to no part of a run, shape ``(rows,)``."""
    parts, own = parts_for(inputs.split, inputs.manifest, data.split.number), inputs.manifest.table
    judged = (parts != UNUSED) & (parts != TRAIN)
    digests, people = (own[name].to_numpy(zero_copy_only=False) for name in ("audio_digest", "speaker_id"))
    known = [*digests[judged], *data.examples.column("audio_digest")]
    strangers = set(people[judged]) - set(people[parts == TRAIN])
    table = source.table
    keep = ~np.isin(table["audio_digest"].to_numpy(zero_copy_only=False), known)
    keep &= ~np.isin(table["speaker_id"].to_numpy(zero_copy_only=False), sorted(strangers))
    if source.digest == inputs.manifest.digest:
        keep &= chosen_rows(table, data.recipe.corpora, data.recipe.languages) & inputs.chosen.rows
    found: Bools = keep
    return found


def _nothing(data: RunData) -> Examples:
    return data.examples.take(np.zeros(0, np.int64))


def with_teacher(
    data: RunData,
    info: TeacherInfo,
    spare: Unlabelled,
    probabilities: Float32s,
    embeddings: Float32s | None,
) -> RunData:
    """The clips of a run with what a teacher says of them.

    Args:
        data: the clips.
        info: who teaches.
        spare: recordings without a label.
        probabilities: of the training clips and then of those recordings, NaN where the teacher's store
            could not use one, shape ``(clips, classes)``.
        embeddings: likewise, shape ``(clips, d)``; None where they are not learned.

    Returns:
        A recording without a label counts as of the class the teacher finds most probable; one that the
        teacher could not judge is left out.
    """
    clips = len(data.rows("train"))
    stays = np.isfinite(probabilities[clips:].sum(1))
    decided = probabilities[clips:][stays].argmax(1).astype(np.int64)
    examples = spare.examples.take(stays)
    kept = np.concatenate([np.arange(clips), clips + np.flatnonzero(stays)])
    taught = Taught(
        info=info.model_copy(update={"unlabelled": len(examples)}),
        probabilities=probabilities[kept],
        embeddings=None if embeddings is None else embeddings[kept],
        unlabelled=Examples(examples.table, examples.part, decided),
        positions=spare.positions[stays],
    )
    return data.with_taught(taught, synthetic=spare.manifest is not None and spare.manifest.synthetic)


def without(data: RunData, dropped: Bools) -> RunData:
    """The same run without some of its clips, as a teacher learns that shall judge them.

    Args:
        data: the clips of a run.
        dropped: of all of them, shape ``(clips,)``.
    """
    variants = data.variants
    if variants is not None:
        kept = ~dropped[data.rows("train")]
        variants = Variants(variants.store, variants.positions[:, kept])
    examples, positions = data.examples.take(~dropped), data.positions[~dropped]
    return replace(data, examples=examples, positions=positions, variants=variants)
