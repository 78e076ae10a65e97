"""Counts over the manifest and levels in the store beside it."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ser_pipeline.arrays import Float64s, Int64s
from ser_pipeline.errors import StoreCorrupt
from ser_pipeline.labels import EMOTIONS, OTHER, emotion_name
from ser_pipeline.previews import ClipSteps, read_steps
from ser_pipeline.report.sources import Data, corpus_order
from ser_pipeline.runs.read import Run
from ser_pipeline.runs.types import Unread

SHOWN_EMOTIONS = (*EMOTIONS, OTHER)
"""Shared emotions in id order, ``other`` last."""

_VARYING = re.compile(r"'[^']*'|\"[^\"]*\"|\S*[/\\]\S*|\S*\d\S*")


@dataclass(frozen=True)
class CorpusFacts:
    """What the manifest holds of one corpus.

    Attributes:
        name: corpus id.
        clips: usable recordings.
        speakers: people.
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
    """Rejects of one corpus for one reason; ``example`` and ``reason`` are of the first one."""

    corpus: str
    reason: str
    example: str
    files: int


def corpus_facts(data: Data) -> list[CorpusFacts]:
    """Count every corpus that has a recording or a reject, in the order they are shown."""
    corpora = set(data.table["corpus"].unique().to_pylist())
    rejected = set(data.rejects["corpus"].unique().to_pylist())
    return [_corpus(data, name) for name in corpus_order(corpora | rejected)]


def _corpus(data: Data, name: str) -> CorpusFacts:
    rows = data.table.filter(pc.equal(data.table["corpus"], name))
    reasons = data.rejects.filter(pc.equal(data.rejects["corpus"], name))["reason"].to_pylist()
    people = rows.group_by("speaker_id").aggregate([("gender", "min"), ("emotion_id", "count_distinct")])
    ids = sorted(rows["emotion_id"].unique().to_pylist(), key=lambda identity: identity % 100)
    genders = Counter(people["gender_min"].to_pylist())
    ages = pc.min_max(rows["age"]).as_py()
    return CorpusFacts(
        name=name,
        clips=rows.num_rows,
        speakers=people.num_rows,
        women=genders["female"],
        men=genders["male"],
        ages=None if ages["min"] is None else (ages["min"], ages["max"]),
        seconds=rows["duration_s"].to_numpy(),
        languages=_values(rows, "language"),
        emotions=tuple(emotion_name(identity) for identity in ids),
        modalities=_values(rows, "modality"),
        styles=_values(rows, "style"),
        sample_rates=tuple(sorted(rows["sample_rate"].unique().to_pylist())),
        clips_per_speaker=np.sort(rows["speaker_id"].value_counts().field("counts").to_numpy()),
        partial_speakers=int(np.sum(people["emotion_id_count_distinct"].to_numpy() < len(ids))),
        duplicates=sum(is_duplicate(reason) for reason in reasons),
        rejects=len(reasons),
        synthetic=name in data.synthetic,
    )


def _values(rows: pa.Table, column: str) -> tuple[str, ...]:
    return tuple(sorted(value for value in rows[column].unique().to_pylist() if value is not None))


def is_duplicate(reason: str) -> bool:
    """Tell whether a reject's reason is that the recording is there already.

    Examples:
        >>> is_duplicate("duplicate id: a.wav is tess/a too"), is_duplicate("empty file")
        (True, False)
    """
    return reason.startswith("duplicate")


def reject_reasons(data: Data) -> list[RejectReason]:
    """Group rejects by corpus and kind of reason, most frequent first within a corpus.

    Reasons that differ only in names, paths and numbers are one kind.
    """
    kinds: dict[tuple[str, str], list[tuple[str, str]]] = {}
    columns = (data.rejects[name].to_pylist() for name in ("corpus", "path", "reason"))
    for corpus, path, reason in sorted(zip(*columns, strict=True)):
        kinds.setdefault((corpus, _VARYING.sub("*", reason)), []).append((path, reason))
    order = corpus_order({corpus for corpus, _ in kinds})
    found = [RejectReason(key[0], rows[0][1], rows[0][0], len(rows)) for key, rows in kinds.items()]
    return sorted(found, key=lambda kind: (order.index(kind.corpus), -kind.files, kind.reason))


def label_map(data: Data) -> dict[str, dict[str, list[tuple[str, int]]]]:
    """Codes of every corpus by shared emotion.

    Returns:
        Emotion -> corpus -> ``(code, clips)``, the most frequent code first.
    """
    counted = data.table.group_by(["emotion_id", "corpus", "source_label"]).aggregate([([], "count_all")])
    found: dict[str, dict[str, list[tuple[str, int]]]] = {}
    for row in counted.to_pylist():
        corpora = found.setdefault(emotion_name(row["emotion_id"]), {})
        corpora.setdefault(row["corpus"], []).append((row["source_label"], row["count_all"]))
    for corpora in found.values():
        for codes in corpora.values():
            codes.sort(key=lambda code: (-code[1], code[0]))
    return {emotion: found[emotion] for emotion in SHOWN_EMOTIONS if emotion in found}


def emotion_counts(data: Data) -> tuple[list[str], list[str], Int64s]:
    """Count clips by corpus and emotion.

    Returns:
        Corpora, emotions, and counts of shape ``(corpora, emotions)``.
    """
    mapped = label_map(data)
    corpora = corpus_order({corpus for by_corpus in mapped.values() for corpus in by_corpus})
    counts = [
        [sum(clips for _, clips in mapped[emotion].get(corpus, [])) for emotion in mapped]
        for corpus in corpora
    ]
    return corpora, list(mapped), np.array(counts, dtype=np.int64).reshape(len(corpora), len(mapped))


@dataclass(frozen=True)
class LanguageFacts:
    """Clips, people and time of one language."""

    tag: str
    clips: int
    speakers: int
    seconds: float


def languages(data: Data) -> list[LanguageFacts]:
    """Count every language, the one with most clips first."""
    counted = data.table.group_by("language").aggregate(
        [([], "count_all"), ("speaker_id", "count_distinct"), ("duration_s", "sum")]
    )
    found = [
        LanguageFacts(
            row["language"], row["count_all"], row["speaker_id_count_distinct"], row["duration_s_sum"]
        )
        for row in counted.to_pylist()
    ]
    return sorted(found, key=lambda language: (-language.clips, language.tag))


@dataclass(frozen=True)
class StoreFacts:
    """What a page shows of a store of mels.

    Attributes:
        name: of its folder, which is its fingerprint; empty where there is no store.
        levels: recording's digest -> RMS after trimming, before levelling, in dB of full scale.
        steps: chosen recordings on their way through the front end.
        unread: files that cannot be read.
    """

    name: str = ""
    levels: dict[str, float] | None = None
    steps: tuple[ClipSteps, ...] = ()
    unread: tuple[Unread, ...] = ()

    def levels_of(self, digests: Sequence[str]) -> Float64s:
        """Levels of some recordings; those that the store does not hold are left out."""
        known = self.levels or {}
        return np.array([known[digest] for digest in digests if digest in known], np.float64)


def read_store_facts(cache: Path, runs: Sequence[Run]) -> StoreFacts:
    """Read what lies beside the shards of the store that the first run on mels used, or of the newest store.

    Args:
        cache: folder of all stores; it need not be there.
        runs: on the page.
    """
    used = [run.info.store_fingerprint for run in runs if run.info.store_kind == "mels"]
    there = [path for path in (cache / "mels").glob("*") if (path / "index.parquet").is_file()]
    newest = sorted(there, key=lambda path: ((path / "index.parquet").stat().st_mtime_ns, path.name))
    folder = next((cache / "mels" / name for name in used if cache / "mels" / name in there), None)
    if folder is None:
        folder = newest[-1] if newest and not used else None
    if folder is None:
        return StoreFacts()
    unread: list[Unread] = []
    levels: dict[str, float] | None = None
    steps: list[ClipSteps] = []
    try:
        table = pq.read_table(folder / "index.parquet", columns=["audio_digest", "level_db", "failed"])
        rows = table.filter(pc.invert(table["failed"]))
        levels = dict(zip(rows["audio_digest"].to_pylist(), rows["level_db"].to_pylist(), strict=True))
    except (pa.ArrowException, OSError, KeyError, ValueError) as error:
        unread.append(Unread("store", folder.name, str(error).partition("\n")[0]))
    try:
        steps = read_steps(folder)
    except StoreCorrupt as error:
        unread.append(Unread("store", folder.name, str(error)))
    return StoreFacts(folder.name, levels, tuple(steps), tuple(unread))
