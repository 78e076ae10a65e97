"""The clips of a task: its classes, the rows that take part, and in which part."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ser_pipeline.arrays import Bools, Float32s, Int8s, Int64s, Strings, texts_of
from ser_pipeline.corpora.languages import in_language
from ser_pipeline.errors import AbsentError, LabelError, TrainingError
from ser_pipeline.labels import DIMENSIONS, EMOTIONS, Task, task_named
from ser_pipeline.records import PARTS, names_nobody

MIN_CLIPS = 20
MIN_SPEAKERS = 2

COLUMNS = (
    "utterance_id", "audio_digest", "corpus", "language", "gender", "intensity", "modality", "speaker_id",
    "emotion_id", "votes", "rated_intensity", "valence", "arousal", "dominance",
)  # fmt: skip
"""Columns of the manifest that training and evaluation look at."""

UNUSED = -1
"""Part code of a recording that a split leaves out."""


@dataclass(frozen=True)
class Examples:
    """Clips with part and class, as parallel columns.

    Attributes:
        table: columns :data:`COLUMNS` of the manifest, one row per clip.
        part: index into :data:`ser_pipeline.records.PARTS`, shape ``(clips,)``.
        target: class numbers, shape ``(clips,)``; all 0 for a task of ratings.
    """

    table: pa.Table
    part: Int8s
    target: Int64s

    def __len__(self) -> int:
        """Number of clips."""
        return len(self.target)

    def column(self, name: str) -> Strings:
        """A column as strings, shape ``(clips,)``."""
        return texts_of(self.table[name])

    def ratings(self, dimensions: Sequence[str] = DIMENSIONS) -> Float32s:
        """Ratings in [-1, 1], NaN where a clip has none, shape ``(clips, dimensions)``.

        Args:
            dimensions: columns of the manifest.
        """
        columns = [self.table[name].to_numpy(zero_copy_only=False) for name in dimensions]
        return np.stack(columns, axis=1).astype(np.float32)

    def take(self, rows: Int64s | Bools) -> "Examples":
        """Some of the clips, by number or by mask."""
        index = np.flatnonzero(rows) if rows.dtype == bool else rows
        return Examples(self.table.take(pa.array(index)), self.part[index], self.target[index])

    def joined(self, others: "Examples") -> "Examples":
        """These clips, and others after them."""
        return Examples(
            pa.concat_tables([self.table, others.table]),
            np.concatenate([self.part, others.part]),
            np.concatenate([self.target, others.target]),
        )

    def of_part(self, part: str) -> "Examples":
        """Clips of one part."""
        return self.take(self.part == PARTS.index(part))


def resolve_task(
    name: str,
    manifest: pa.Table,
    parts: Int8s,
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


def _all_classes(manifest: pa.Table, parts: Int8s, merges: Mapping[str, str]) -> Task:
    """Every class with at least 20 clips, and two speakers if any are known, in each part that has clips."""
    everything = Task("all", tuple(name for name in EMOTIONS if name not in merges)).merged(merges)
    classes = class_lookup(everything)[manifest["emotion_id"].to_numpy()]
    names, speakers = np.unique(manifest["speaker_id"].to_numpy(zero_copy_only=False), return_inverse=True)
    speakers[np.array([names_nobody(name) for name in names])[speakers]] = -1
    people = MIN_SPEAKERS if (speakers >= 0).any() else 0  # where nobody is known, none can be asked for
    used = [code for code in np.unique(parts) if code >= 0]
    emotions = tuple(
        name
        for number, name in enumerate(everything.emotions)
        if used and all(_enough(speakers[(classes == number) & (parts == code)], people) for code in used)
    )
    if len(emotions) < 2:
        raise LabelError(
            f"task 'all': {len(emotions)} emotions have {MIN_CLIPS} clips and {MIN_SPEAKERS} speakers in "
            "each part, two are needed; name a task, or build the manifest from more recordings"
        )
    return Task("all", emotions).merged(merges)


def _enough(speakers: Int64s, people: int) -> bool:
    """Whether clips of a class are enough, by the number of each one's speaker, -1 for nobody."""
    return len(speakers) >= MIN_CLIPS and len(np.unique(speakers[speakers >= 0])) >= people


def select_examples(
    manifest: pa.Table,
    parts: Int8s,
    task: Task,
    *,
    corpora: Sequence[str] = (),
    languages: Sequence[str] = (),
) -> Examples:
    """Pick the clips of a task.

    Args:
        manifest: its table.
        parts: part code of each row, -1 for rows that a split leaves out, shape ``(rows,)``.
        task: classes and merges.
        corpora: corpus ids to keep; none keeps all.
        languages: tags to keep; ``en`` keeps ``en-US`` too; none keeps all.

    Returns:
        Clips in the manifest's order.

    Raises:
        AbsentError: a corpus or language that the manifest does not have.
        TrainingError: no clip is left.
    """
    table = manifest.select(COLUMNS)
    classes = classes_of(table, task)
    keep = (parts != UNUSED) & (classes >= 0)
    keep &= chosen_rows(manifest, corpora, languages)
    keep &= _chosen(table["corpus"], task.corpora, "corpus", exact=True)
    if not keep.any():
        what = "is rated for" if task.dimensions else "of"
        raise TrainingError(
            f"task '{task.name}': no clip {what} {task.words} in the corpora, languages and split chosen; "
            "'ser manifest show' lists what there is"
        )
    rows = np.flatnonzero(keep)
    return Examples(table.take(pa.array(rows)), parts[rows], classes[rows])


def chosen_rows(manifest: pa.Table, corpora: Sequence[str], languages: Sequence[str]) -> Bools:
    """Which rows of a manifest lie in the corpora and languages asked for, shape ``(rows,)``.

    Raises:
        AbsentError: a corpus or language that the manifest does not have.
    """
    keep = _chosen(manifest["corpus"], corpora, "corpus", exact=True)
    return keep & _chosen(manifest["language"], languages, "language", exact=False)


def classes_of(table: pa.Table, task: Task) -> Int64s:
    """Class number of each clip, -1 outside the task; of a task of ratings, rated clips are all of class 0.

    Args:
        table: columns ``emotion_id``, ``valence``, ``arousal`` and ``dominance`` of the manifest.
        task: classes and merges, or dimensions, of which one is enough.

    Returns:
        Shape ``(rows,)``.
    """
    rated = [table[name].is_valid().to_numpy() for name in task.dimensions]
    classes: Int64s = (
        np.any(rated, axis=0).astype(np.int64) - 1
        if rated
        else class_lookup(task)[table["emotion_id"].to_numpy()]
    )
    return classes


def class_lookup(task: Task) -> Int64s:
    """Table from shared emotion id to class number, -1 for others; ids count from the end too.

    Examples:
        >>> from ser_pipeline.labels import TASKS
        >>> class_lookup(TASKS["4class"])[[0, 3, 4, -1]]
        array([ 0,  3, -1, -1])
    """
    table = np.full(256, -1, np.int64)  # ids are int8, so that -1 (other) finds the last entry
    for identity, number in task.class_of.items():
        table[identity] = number
    return table


def _chosen(column: pa.ChunkedArray, wanted: Sequence[str], what: str, *, exact: bool) -> Bools:
    if not wanted:
        return np.ones(len(column), bool)
    present = sorted(pc.unique(column).to_pylist())
    matches = {
        want: [name for name in present if name == want or (not exact and in_language(name, want))]
        for want in wanted
    }
    missing = [want for want, names in matches.items() if not names]
    if missing:
        raise AbsentError(f"{what} '{missing[0]}' is not in the manifest; it has {', '.join(present)}")
    kept = sorted({name for names in matches.values() for name in names})
    mask: Bools = pc.is_in(column, pa.array(kept)).to_numpy(zero_copy_only=False)
    return mask


def restrict_training(examples: Examples, *, corpora: Sequence[str], share: float, seed: int) -> Examples:
    """Leave clips out of training, and none out of testing.

    Args:
        examples: clips of all parts.
        corpora: train on these only; none trains on all. Validation clips of others go too, else what is
            called trained on one corpus would have its epoch chosen by labels of another.
        share: of each corpus's training speakers to keep, in (0, 1], and of its clips that do not say who
            speaks; at least one of each stays. A larger share holds all of a smaller one with the same seed.
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


def drawn_as(table: pa.Table, share: float) -> Strings:
    """What stays or goes with each clip: its speaker, or the clip alone if it does not say who speaks.

    Args:
        table: columns ``utterance_id`` and ``speaker_id`` of the manifest.
        share: that is drawn; 1 draws nothing, and keeps the clips of nobody together.
    """
    whose = texts_of(table["speaker_id"])
    if share == 1:
        return whose
    return np.where([names_nobody(name) for name in whose.tolist()], texts_of(table["utterance_id"]), whose)


def _of_some_speakers(examples: Examples, rows: Bools, share: float, seed: int) -> Bools:
    """Clips of the speakers that stay, whichever corpus a clip of theirs is from; and some of nobody's."""
    speakers, drawn = examples.column("speaker_id"), drawn_as(examples.table, share)
    pools = np.where(drawn == speakers, examples.column("corpus"), speakers)
    first: dict[str, str] = {}
    for each, pool in zip(drawn[rows].tolist(), pools[rows].tolist(), strict=True):
        first.setdefault(each, pool)
    rng = np.random.default_rng(seed)
    kept: list[str] = []
    for pool in sorted(set(first.values())):
        some = rng.permutation(sorted(each for each, home in first.items() if home == pool))
        kept += some[: math.ceil(round(share * len(some), 9))].tolist()  # 0.55 of 100 are 55
    mask: Bools = np.isin(drawn, kept)
    return mask
