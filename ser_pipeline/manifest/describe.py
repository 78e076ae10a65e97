"""What a manifest holds: counted by corpus, language or emotion, and every corpus in full."""

import posixpath
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ser_pipeline.arrays import Float64s, Int64s
from ser_pipeline.corpora.discover import UNKNOWN
from ser_pipeline.errors import ManifestError
from ser_pipeline.labels import emotion_name
from ser_pipeline.manifest.cards import KnownCorpora
from ser_pipeline.manifest.read import Manifest, codes
from ser_pipeline.manifest.schema import EMOTION_NAMES
from ser_pipeline.records import UNKNOWN_SPEAKER
from ser_pipeline.tables import ELLIPSIS, NO_BREAK, Table, cells, records, table_of

GROUPS: Final = ("corpus", "language", "emotion", "speaker", "gender", "intensity", "modality", "style")
"""What can be counted by; the first three are shown by default."""

SHOWN_GROUPS: Final = GROUPS[:3]

COUNTED_COLUMNS: Final = (
    "corpus", "emotion_id", "speaker_id", "gender", "intensity", "language", "modality", "style",
    "duration_s",
)  # fmt: skip
"""Columns of the manifest that counts need."""

DESCRIBED_COLUMNS: Final = (
    *COUNTED_COLUMNS,
    "utterance_id",
    "audio_digest",
    "source_label",
    "age",
    "sample_rate",
)
"""Columns of the manifest that a description of every corpus needs."""

VARYING: Final = re.compile(r"""(?<!\w)'(?:[^'\\]|\\.)*'(?!\w)|"(?:[^"\\]|\\.)*"|\S*[/\\]\S*|\S*\d\S*""")
"""What differs from file to file in a reason: texts in quotation marks, paths, and words with a digit."""

_ITS_FOLDER: Final = "its folder"
"""Words in a reason for the folder of the recording; a group of rejects has one of its own."""


def nobody(table: pa.Table) -> Any:
    """Whether each row of a manifest does not say who speaks."""
    return pc.ends_with(table["speaker_id"], f"-{UNKNOWN_SPEAKER}")


def named_speakers(table: pa.Table) -> int:
    """How many people rows of a manifest name as their speakers."""
    return len(pc.unique(table["speaker_id"].filter(pc.invert(nobody(table)))))


@dataclass(frozen=True)
class Held:
    """What a group of recordings holds.

    Attributes:
        name: of the group, as a corpus id or a language's tag.
        clips: recordings.
        speakers: people named in them; 0 if nobody is.
        seconds: of all recordings together.
        emotions: emotion -> recordings, in id order, zeros among them.
    """

    name: str
    clips: int
    speakers: int
    seconds: float
    emotions: Mapping[str, int]


@dataclass(frozen=True)
class CorpusFacts:
    """What the manifest holds of one corpus.

    Attributes:
        name: corpus id.
        clips: usable recordings.
        speakers: people who are named.
        women: speakers; ``men`` likewise, the rest is unknown.
        ages: youngest and oldest speaker in years, None where no age is published.
        seconds: duration of each clip, shape ``(clips,)``.
        languages: BCP 47 tags.
        emotions: shared emotions it has, in id order.
        modalities: ``speech``, ``song``.
        styles: how the emotions came about.
        sample_rates: in Hz.
        clips_per_speaker: ascending, shape ``(speakers,)``.
        partial_speakers: people without a clip in one or more of the corpus's emotions.
        duplicates: rejects because the same recording is there already.
        rejects: recordings that cannot be used, duplicates among them.
        synthetic: synthesised, not recorded.
    """

    name: str
    clips: int
    speakers: int
    women: int
    men: int
    ages: tuple[int, int] | None
    seconds: Float64s
    languages: tuple[str, ...]
    emotions: tuple[str, ...]
    modalities: tuple[str, ...]
    styles: tuple[str, ...]
    sample_rates: tuple[int, ...]
    clips_per_speaker: Int64s
    partial_speakers: int
    duplicates: int
    rejects: int
    synthetic: bool


@dataclass(frozen=True)
class RejectReason:
    """Rejects of one corpus for one reason.

    Attributes:
        corpus: corpus id, or ``unknown``.
        reason: what all of them have in common; an ellipsis stands for what differs.
        example: path of the first.
        files: number of rejects.
        folder: the folder that holds all of them, relative to the data folder; ``.`` is that one itself.
    """

    corpus: str
    reason: str
    example: str
    files: int
    folder: str


def held_by(table: pa.Table, by: str, corpora: KnownCorpora) -> list[Held]:
    """Count recordings, speakers, time and classes of each group.

    Args:
        table: rows of the manifest, with ``COUNTED_COLUMNS``.
        by: one of ``GROUPS``.
        corpora: that are known, for their order.

    Returns:
        One entry per group; emotions and corpora in their usual order, all else sorted.

    Raises:
        ManifestError: no such group.
    """
    if by not in GROUPS:
        raise ManifestError(f"--by {by} does not exist; valid are {', '.join(GROUPS)}")
    groups = codes(_names(table, by))
    places = table["emotion_id"].to_numpy() % len(EMOTION_NAMES)  # `other` comes last
    emotions, emotion = np.unique(places, return_inverse=True)
    size, people = len(groups.names), codes(table["speaker_id"])
    classes = np.bincount(groups.of * len(emotions) + emotion, minlength=size * len(emotions))
    classes = classes.reshape(size, len(emotions))
    heard = (groups.of * max(1, len(people.names)) + people.of)[~nobody(table).to_numpy(zero_copy_only=False)]
    heard = np.unique(heard) // max(1, len(people.names))
    speakers = np.bincount(heard, minlength=size)
    seconds = np.bincount(groups.of, table["duration_s"].to_numpy(), size)
    names = [EMOTION_NAMES[number] for number in emotions]
    usual = EMOTION_NAMES if by == "emotion" else corpora.order(groups.names)
    rank = {name: place for place, name in enumerate(usual)}
    return [
        Held(
            groups.names[number],
            int(classes[number].sum()),
            int(speakers[number]),
            float(seconds[number]),
            dict(zip(names, classes[number].tolist(), strict=True)),
        )
        for number in sorted(range(size), key=lambda number: rank[groups.names[number]])
    ]


def _names(table: pa.Table, by: str) -> pa.ChunkedArray:
    if by == "emotion":
        ids = table["emotion_id"]
        known = pc.unique(ids)
        names = pa.array([EMOTION_NAMES[number] for number in known.to_pylist()], pa.string())
        return pa.chunked_array([names.take(pc.index_in(ids.combine_chunks(), known))])
    return table["speaker_id" if by == "speaker" else by]


def overview(manifest: Manifest, by: str) -> Table:
    """Count clips, speakers, hours and classes of each group, for a screen.

    Args:
        manifest: has at least ``COUNTED_COLUMNS``.
        by: one of ``GROUPS``.

    Raises:
        ManifestError: no such group.
    """
    found = held_by(manifest.table, by, manifest.corpora)
    emotions = [] if by == "emotion" or not found else list(found[0].emotions)
    published = ["published"] if by == "corpus" else []
    rows: list[list[Any]] = []
    for held in found:
        people = cells.count(held.speakers or None)
        row = [held.name, cells.count(held.clips), people, cells.hours(held.seconds)]
        if published:
            row.append(cells.count(_published(manifest, held.name)))
        rows.append([*row, *(cells.count(held.emotions[name]) for name in emotions)])
    return table_of(f"by {by}", [by, "clips", "speakers", "hours", *published, *emotions], rows)


def at_a_glance(manifest: Manifest) -> Table:
    """Count clips, speakers and hours of each corpus, and the classes of all, for one screen.

    Args:
        manifest: has at least ``COUNTED_COLUMNS``.
    """
    found = held_by(manifest.table, "corpus", manifest.corpora)
    tongues = languages(manifest)
    classes = held_by(manifest.table, "emotion", manifest.corpora)
    total = sum(held.clips for held in found)
    rows = [
        [
            held.name, cells.count(held.clips), cells.count(_published(manifest, held.name)),
            cells.count(held.speakers or None), cells.hours(held.seconds),
            cells.count(sum(clips > 0 for clips in held.emotions.values())),
        ]
        for held in found
    ]  # fmt: skip
    title = (
        f"{cells.plural(total, 'recording')} of {cells.people(named_speakers(manifest.table))} in "
        f"{cells.plural(len(found), 'corpus', 'corpora')}"
    )
    shares = ", ".join(
        f"{held.name} {cells.thousands(held.clips)} ({100 * held.clips / total:.0f}{NO_BREAK}%)"
        for held in classes
    )
    said = ", ".join(f"{held.name} {cells.thousands(held.clips)}" for held in tongues)
    notes = [f"Emotions: {shares}.", f"Languages: {said}."] if total else []
    if unknown := int(pc.sum(nobody(manifest.table)).as_py() or 0):
        notes.append(f"Nothing says who speaks in {cells.plural(unknown, 'recording')}.")
    columns = ["corpus", "clips", "published", "speakers", "hours", "emotions"]
    return table_of(title, columns, rows, notes=notes)


def _published(manifest: Manifest, corpus: str) -> int | None:
    """Recordings of a corpus as it was published; None where that is not known."""
    card = manifest.corpora.get(corpus)
    return None if card is None else card.clips or None


def combined(tables: Mapping[str, Table]) -> Table:
    """Put several overviews into one table, for JSON and CSV.

    Args:
        tables: what is counted by -> its overview.

    Returns:
        Headings ``by``, ``name`` and all others; what an overview lacks is empty.
    """
    heads = list(dict.fromkeys(head for table in tables.values() for head in table.headings[1:]))
    rows = [
        [by, row[by], *(row.get(head) for head in heads)]
        for by, table in tables.items()
        for row in records(table)
    ]
    return table_of("manifest", ["by", "name", *heads], rows)


def languages(manifest: Manifest) -> list[Held]:
    """Count every language, the one with most clips first."""
    found = held_by(manifest.table, "language", manifest.corpora)
    return sorted(found, key=lambda held: (-held.clips, held.name))


def emotion_counts(manifest: Manifest) -> tuple[list[str], list[str], Int64s]:
    """Count clips by corpus and emotion.

    Returns:
        Corpora, emotions, and counts of shape ``(corpora, emotions)``.
    """
    found = held_by(manifest.table, "corpus", manifest.corpora)
    emotions = list(found[0].emotions) if found else []
    counts = [list(held.emotions.values()) for held in found]
    names = [held.name for held in found]
    return names, emotions, np.array(counts, np.int64).reshape(len(found), len(emotions))


def label_map(manifest: Manifest) -> dict[str, dict[str, list[tuple[str, int]]]]:
    """Codes of every corpus by shared emotion.

    Returns:
        Emotion -> corpus -> ``(code, clips)``, the most frequent code first.
    """
    keys = ["emotion_id", "corpus", "source_label"]
    counted = manifest.table.group_by(keys, use_threads=False).aggregate([([], "count_all")])
    found: dict[str, dict[str, list[tuple[str, int]]]] = {}
    for row in counted.to_pylist():
        corpora = found.setdefault(emotion_name(row["emotion_id"]), {})
        corpora.setdefault(row["corpus"], []).append((row["source_label"], row["count_all"]))
    for corpora in found.values():
        for entries in corpora.values():
            entries.sort(key=lambda code: (-code[1], code[0]))
    return {emotion: found[emotion] for emotion in EMOTION_NAMES if emotion in found}


def corpus_facts(manifest: Manifest, rejects: pa.Table) -> list[CorpusFacts]:
    """Describe every corpus that has a recording or a reject, in the order they are shown.

    Args:
        manifest: has at least ``DESCRIBED_COLUMNS``.
        rejects: recordings that cannot be used.
    """
    held = {each.name: each for each in held_by(manifest.table, "corpus", manifest.corpora)}
    names = manifest.corpora.order({*held, *rejects["corpus"].unique().to_pylist()})
    return [_corpus(manifest, rejects, held.get(name, Held(name, 0, 0, 0.0, {}))) for name in names]


def _corpus(manifest: Manifest, rejects: pa.Table, held: Held) -> CorpusFacts:
    rows = manifest.table.filter(pc.equal(manifest.table["corpus"], held.name))
    reasons = rejects.filter(pc.equal(rejects["corpus"], held.name))["reason"].to_pylist()
    asked = [("gender", "min"), ("emotion_id", "count_distinct"), ([], "count_all")]
    named = rows.filter(pc.invert(nobody(rows)))
    people = named.group_by("speaker_id", use_threads=False).aggregate(asked)
    genders = Counter(people["gender_min"].to_pylist())
    ages = pc.min_max(rows["age"]).as_py()
    emotions = tuple(name for name, clips in held.emotions.items() if clips)
    return CorpusFacts(
        name=held.name,
        clips=held.clips,
        speakers=held.speakers,
        women=genders["female"],
        men=genders["male"],
        ages=None if ages["min"] is None else (ages["min"], ages["max"]),
        seconds=rows["duration_s"].to_numpy(),
        languages=_values(rows, "language"),
        emotions=emotions,
        modalities=_values(rows, "modality"),
        styles=_values(rows, "style"),
        sample_rates=tuple(sorted(rows["sample_rate"].unique().to_pylist())),
        clips_per_speaker=np.sort(people["count_all"].to_numpy()),
        partial_speakers=int(np.sum(people["emotion_id_count_distinct"].to_numpy() < len(emotions))),
        duplicates=sum(is_duplicate(reason) for reason in reasons),
        rejects=len(reasons),
        synthetic=held.name in manifest.synthetic_corpora,
    )


def _values(rows: pa.Table, column: str) -> tuple[str, ...]:
    return tuple(sorted(value for value in rows[column].unique().to_pylist() if value is not None))


def is_duplicate(reason: str) -> bool:
    """Tell whether a recording was rejected as a duplicate.

    Examples:
        >>> is_duplicate("duplicate id: a.wav is tess/a too"), is_duplicate("empty file")
        (True, False)
    """
    return reason.startswith("duplicate")


def reject_reasons(rejects: pa.Table, corpora: KnownCorpora) -> list[RejectReason]:
    """Group rejects by corpus and kind of reason, most frequent first within a corpus.

    Reasons that differ only in names, paths and numbers are one kind. Recordings of no known corpus
    are also grouped by the folder that lies right in the data folder.
    """
    kinds: dict[tuple[str, str, str], list[tuple[str, str]]] = {}
    columns = (rejects[name].to_pylist() for name in ("corpus", "path", "reason"))
    for corpus, path, reason in sorted(zip(*columns, strict=True)):
        top = path.partition("/")[0] if corpus == UNKNOWN and "/" in path else ""
        kinds.setdefault((corpus, top, VARYING.sub("*", reason)), []).append((path, reason))
    order = corpora.order(corpus for corpus, _, _ in kinds)
    found = [kind_of(corpus, top, rows) for (corpus, top, _), rows in kinds.items()]
    return sorted(found, key=lambda kind: (order.index(kind.corpus), -kind.files, kind.reason, kind.example))


def kind_of(corpus: str, top: str, rows: list[tuple[str, str]]) -> RejectReason:
    """What paths and their reasons have in common; ``top`` is the folder of all of them, if known."""
    folder = top or _in_common_folder([posixpath.dirname(path) for path, _ in rows]) or "."
    common = _in_common([reason for _, reason in rows])
    reason = common if folder == "." else common.replace(_ITS_FOLDER, folder)
    return RejectReason(corpus, reason, rows[0][0], len(rows), folder)


def _in_common_folder(folders: list[str]) -> str:
    mixed = len({folder.startswith("/") for folder in folders}) > 1  # some lie outside of the data folder
    return "" if mixed else posixpath.commonpath(folders)


def _in_common(reasons: list[str]) -> str:
    """The text of some reasons, with an ellipsis where they differ; the first whole if these are three."""
    parts = zip(*(VARYING.findall(reason) for reason in set(reasons)), strict=True)
    shown = iter([found[0] if len(set(found)) == 1 else ELLIPSIS for found in parts])
    text = VARYING.sub(lambda _: next(shown), reasons[0])
    return text if text.count(ELLIPSIS) < 3 else f"as in this one: {reasons[0]}"
