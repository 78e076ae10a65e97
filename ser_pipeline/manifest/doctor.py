"""What endangers results, seen in what was measured on recordings and in the manifest's own columns.

``ser manifest doctor`` keeps both in ``doctor.parquet`` beside the manifest: what was measured on each
recording, by the digest of its bytes, and what was found last. Everything that reads them is here; the
measuring itself is in :mod:`ser_pipeline.manifest.examine`.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa

from ser_pipeline.arrays import Bools, Float64s
from ser_pipeline.corpora.files import leading_out
from ser_pipeline.errors import ManifestError
from ser_pipeline.labels import OTHER, emotion_name
from ser_pipeline.manifest.schema import read_table
from ser_pipeline.records import CANCELLED_DB
from ser_pipeline.tables import Column, Row, RowGroup, Table, cells
from ser_pipeline.tables.cells import percent_text, plural

DOCTOR_NAME: Final = "doctor.parquet"
DOCTOR: Final = "ser manifest doctor"
"""The command that writes the file."""

QUALITIES: Final = (
    "clipped", "offset", "level_db", "range_db", "silence", "edge_hz", "edge_db", "mix_loss_db"
)  # fmt: skip
"""Columns of numbers, as in :class:`ser_pipeline.audio.quality.Quality`."""

PRINTS: Final = ("bits", "active", "signs")
"""Columns of bytes, as in :class:`ser_pipeline.audio.fingerprint.Fingerprint`."""

DOCTOR_SCHEMA: Final[pa.Schema] = pa.schema(
    [
        pa.field("audio_digest", pa.string(), nullable=False),
        *(pa.field(name, pa.float64()) for name in QUALITIES),
        *(pa.field(name, pa.binary()) for name in PRINTS),
        pa.field("problem", pa.string()),
    ]
)
"""One row per recording; where there is a ``problem``, nothing else is known."""

CLIPPED: Final = 0.0005
OFFSET: Final = 0.01
QUIET_DB: Final = -65.0
NOISY_DB: Final = 8.0
SILENCE: Final = 0.75
EDGE_DB: Final = 25.0
MIX_LOSS_DB: Final = 6.0
TOLD: Final = 0.1
"""Share of wrong guesses of the emotion that a speaker or a text may save."""
LEAST_SAVED: Final = 10
"""Clips that must be guessed right beyond chance before a speaker or a text counts as telling."""


@dataclass(frozen=True)
class Kind:
    """A kind of finding.

    Attributes:
        danger: scores can be wrong because of it.
        meaning: what it is and what to do, as a sentence without its subject.
    """

    danger: bool
    meaning: str


KINDS: Final[Mapping[str, Kind]] = {
    "unreadable": Kind(True, "recordings that cannot be decoded; no store will hold them"),
    "copies": Kind(True, "copies of a take, which let a split test what was trained on; keep one of them"),
    "channels": Kind(
        True,
        f"channels that cancel each other in the mean; above {CANCELLED_DB:.0f} dB the loudest is used alone",
    ),
    "speakers": Kind(
        True, "speakers who reveal the emotion, so that a model may learn voices; split by speaker"
    ),
    "texts": Kind(True, "texts that reveal the emotion, so that a model may learn words"),
    "classes": Kind(True, "emotions of one corpus only, which a model may know by how it sounds"),
    "links": Kind(False, "recordings that lie outside the data folder, which links lead to"),
    "clipping": Kind(False, "waves with flat peaks"),
    "level": Kind(False, f"recordings that never get louder than {QUIET_DB:.0f} dB of full scale"),
    "offset": Kind(False, f"waves around another value than 0, by {OFFSET:g} of full scale or more"),
    "noise": Kind(False, f"recordings less than {NOISY_DB:.0f} dB louder than their own noise"),
    "silence": Kind(False, f"recordings with pauses for more than {SILENCE:.0%} of their time"),
    "bandwidth": Kind(
        False, "spectra that end far below half the sample rate, as copies of calls or MP3s do"
    ),
}
"""What can be found, in the order it is shown."""


@dataclass(frozen=True)
class Case:
    """One recording, speaker, text or emotion with a finding.

    Attributes:
        kind: in :data:`KINDS`.
        corpus: corpus id.
        subject: utterance id, speaker id, text or name of an emotion.
        detail: what was measured, in words.
        weight: how bad it is; the worst is shown as the example.
    """

    kind: str
    corpus: str
    subject: str
    detail: str
    weight: float


@dataclass(frozen=True)
class Finding:
    """All cases of a kind in one corpus.

    Attributes:
        kind: in :data:`KINDS`.
        corpus: corpus id.
        cases: how many there are.
        example: the worst.
        detail: what was measured on it.
    """

    kind: str
    corpus: str
    cases: int
    example: str
    detail: str


@dataclass(frozen=True)
class Diagnosis:
    """What was found.

    Attributes:
        recordings: how many were looked at.
        findings: in the order of :data:`KINDS`, then of corpora.
        manifest: digest of the manifest that they are about.
    """

    recordings: int
    findings: tuple[Finding, ...]
    manifest: str

    @property
    def dangers(self) -> tuple[Finding, ...]:
        """Findings that can make scores wrong."""
        return tuple(finding for finding in self.findings if KINDS[finding.kind].danger)

    def without(self, kinds: Sequence[str]) -> "Diagnosis":
        """Leave out some kinds of findings.

        Raises:
            ManifestError: no such kind.
        """
        for kind in kinds:
            if kind not in KINDS:
                raise ManifestError(f"finding '{kind}' does not exist; valid are {', '.join(KINDS)}")
        left = tuple(finding for finding in self.findings if finding.kind not in kinds)
        return replace(self, findings=left)

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


def read_diagnosis(folder: Path) -> Diagnosis | None:
    """Read what was found last; None if nobody has looked yet.

    Raises:
        ManifestError: the file is damaged, foreign or of another version.
    """
    path = folder / DOCTOR_NAME
    if not path.is_file():
        return None
    told = read_table(path, DOCTOR_SCHEMA, remedy=DOCTOR, columns=[]).facts.get("diagnosis")
    if told is None:  # the first look was interrupted
        return None
    try:
        findings = tuple(Finding(**entry) for entry in told["findings"])
        if any(finding.kind not in KINDS for finding in findings):
            raise ValueError
        return Diagnosis(int(told["recordings"]), findings, str(told["manifest"]))
    except (KeyError, TypeError, ValueError):
        raise ManifestError(f"{path}: its findings cannot be read; make them again with '{DOCTOR}'") from None


def summed_up(cases: Sequence[Case], corpora: Sequence[str]) -> tuple[Finding, ...]:
    """One finding for each kind and corpus, with the worst case as its example.

    Args:
        cases: of any kind and corpus.
        corpora: ids in the order they are shown.
    """
    grouped: dict[tuple[str, str], list[Case]] = defaultdict(list)
    for case in cases:
        grouped[case.kind, case.corpus].append(case)
    worst = {key: min(group, key=lambda case: (-case.weight, case.subject)) for key, group in grouped.items()}
    kinds = list(KINDS)
    return tuple(
        Finding(kind, corpus, len(grouped[kind, corpus]), case.subject, case.detail)
        for (kind, corpus), case in sorted(
            worst.items(), key=lambda item: (kinds.index(item[0][0]), corpora.index(item[0][1]))
        )
    )


def recording_cases(table: pa.Table, measured: pa.Table) -> Iterator[Case]:
    """Find what is wrong with single recordings.

    Args:
        table: rows of the manifest.
        measured: columns ``DOCTOR_SCHEMA``, a row for each row of ``table``.
    """
    corpora, names = table["corpus"].to_pylist(), table["utterance_id"].to_pylist()
    for row, problem in enumerate(measured["problem"].to_pylist()):
        if problem is not None:
            yield Case("unreadable", corpora[row], names[row], problem, 0)
    found = {name: measured[name].to_numpy().astype(np.float64) for name in QUALITIES}
    nyquist = table["sample_rate"].to_numpy() / 2
    for kind, bad, weight, detail in _rules(found, nyquist):
        for row in np.flatnonzero(bad).tolist():
            yield Case(kind, corpora[row], names[row], detail(row), float(weight[row]))


Rule = tuple[str, Bools, Float64s, Callable[[int], str]]
"""Kind, rows it applies to, how bad each is, and what was measured on one of them."""


def _rules(found: Mapping[str, Float64s], nyquist: Float64s) -> Iterator[Rule]:
    """Numbers that are missing compare as false."""
    loss, clipped, offset = found["mix_loss_db"], found["clipped"], found["offset"]
    level, range_db, silence = found["level_db"], found["range_db"], found["silence"]
    edge = found["edge_hz"]
    yield "channels", loss >= MIX_LOSS_DB, loss, lambda row: _of_loss(loss[row])
    yield "clipping", clipped >= CLIPPED, clipped, lambda row: f"{percent_text(clipped[row])} of samples"
    yield "level", level < QUIET_DB, -level, lambda row: f"{level[row]:.0f} dB of full scale"
    yield "offset", np.abs(offset) >= OFFSET, np.abs(offset), lambda row: f"{offset[row]:+.3f} of full scale"
    yield "noise", range_db < NOISY_DB, -range_db, lambda row: f"{range_db[row]:.1f} dB above its noise"
    yield "silence", silence > SILENCE, silence, lambda row: f"{percent_text(silence[row])} pauses"
    yield (
        "bandwidth",
        found["edge_db"] >= EDGE_DB,
        1 - edge / nyquist,
        lambda row: f"{edge[row] / 1000:.1f} of {nyquist[row] / 1000:.1f} kHz",
    )


def _of_loss(loss_db: float) -> str:
    alone = ", so the loudest is used alone" if loss_db > CANCELLED_DB else ""
    return f"{loss_db:.0f} dB lost in the mean{alone}"


def copy_cases(table: pa.Table, groups: Sequence[Sequence[int]]) -> Iterator[Case]:
    """Name every recording but the first of each group of copies.

    Args:
        table: rows of the manifest.
        groups: rows that are the same take.
    """
    corpora, names = table["corpus"].to_pylist(), table["utterance_id"].to_pylist()
    emotions, speakers = table["emotion_id"].to_pylist(), table["speaker_id"].to_pylist()
    for first, *copies in groups:
        for copy in copies:
            detail, weight = f"of {names[first]}", 0
            if speakers[copy] != speakers[first]:
                detail, weight = f"{detail}, another speaker", 1
            if emotions[copy] != emotions[first]:
                detail = f"{detail}, labelled {emotion_name(emotions[first])} there"
                weight = 2
            yield Case("copies", corpora[copy], names[copy], detail, weight)


def link_cases(table: pa.Table, data: Path) -> Iterator[Case]:
    """Find recordings that lie outside a folder, where links lead to them.

    Args:
        table: rows of the manifest.
        data: folder that its paths are relative to.
    """
    rows = table.select(["corpus", "path", "utterance_id"]).to_pylist()
    out = leading_out(data, {row["path"] for row in rows})
    for row in rows:
        if place := out.get(row["path"]):
            yield Case("links", row["corpus"], row["utterance_id"], f"lies at {place}", 1.0)


def label_cases(table: pa.Table) -> Iterator[Case]:
    """Find speakers and texts that tell the emotion, and emotions that only one corpus has.

    Args:
        table: rows of the manifest.
    """
    rows = table.select(["corpus", "emotion_id", "speaker_id", "text", "sentence_id"]).to_pylist()
    by_corpus: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        by_corpus[row["corpus"]].append({**row, "emotion": emotion_name(row["emotion_id"])})
    for corpus, members in by_corpus.items():
        emotions = [row["emotion"] for row in members]
        speakers = [row["speaker_id"] for row in members]
        yield from _telling("speakers", corpus, speakers, emotions)
        yield from _telling("texts", corpus, [row["text"] or row["sentence_id"] for row in members], emotions)
    held = {corpus: Counter(row["emotion"] for row in members) for corpus, members in by_corpus.items()}
    for emotion in dict.fromkeys(name for counts in held.values() for name in counts if name != OTHER):
        homes = [corpus for corpus, counts in held.items() if counts[emotion]]
        if len(homes) == 1 and len(held) > 1:
            clips = held[homes[0]][emotion]
            yield Case("classes", homes[0], emotion, plural(clips, "clip"), clips)


def _telling(kind: str, corpus: str, groups: Sequence[str | None], emotions: Sequence[str]) -> Iterator[Case]:
    """One case for each group that mostly has one emotion, if groups tell emotions at all."""
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for group, emotion in zip(groups, emotions, strict=True):
        if group is not None:
            counts[group][emotion] += 1
    right, chance, clips = guessed(list(counts.values()))
    if right - chance < max(LEAST_SAVED, TOLD * (clips - chance)):
        return
    detail = f"{right / clips:.0%} guessed, {chance / clips:.0%} by chance"
    for group, held in counts.items():
        most, total = max(held.values()), held.total()
        if total > 1 and most > total / 2:
            yield Case(kind, corpus, group, detail, most / total + most / clips)


def guessed(counts: Sequence[Mapping[str, int]]) -> tuple[int, int, int]:
    """How often the emotion of a clip is guessed from the other clips of its group.

    The guess is the emotion that most other clips of the group have, and wrong where two are equally
    frequent; so a design in which each group has each emotion equally often is always guessed wrong.

    Args:
        counts: of each group, clips by emotion.

    Returns:
        Clips that are guessed right, those of the most frequent emotion, and all.

    Examples:
        >>> guessed([{"anger": 5}, {"sadness": 4}]), guessed([{"anger": 2, "sadness": 2}] * 3)
        ((9, 5, 9), (0, 6, 12))
    """
    right = 0
    totals: Counter[str] = Counter()
    for group in counts:
        totals.update(group)
        first, *others = sorted(group.values(), reverse=True)
        if first > 1 and first - 1 > max(others, default=0):
            right += first
    return right, max(totals.values(), default=0), totals.total()


COLUMNS: Final = (
    Column("finding", numeric=False),
    Column("corpus", numeric=False),
    Column("cases"),
    Column("worst", numeric=False),
    Column("measured", numeric=False),
)


def diagnosis_table(diagnosis: Diagnosis, title: Callable[[str], str] = str) -> Table:
    """Show findings, one row for each kind and corpus; notes say what they mean.

    Args:
        diagnosis: what was found.
        title: gives the name of a corpus by its id.
    """
    rows = tuple(
        Row(
            (
                cells.words(finding.kind, strong=KINDS[finding.kind].danger),
                cells.words(title(finding.corpus)),
                cells.count(finding.cases),
                cells.words(finding.example),
                cells.words(finding.detail),
            )
        )
        for finding in diagnosis.findings
    )
    found = [kind for kind in KINDS if any(finding.kind == kind for finding in diagnosis.findings)]
    return Table(
        key="examined",
        caption=f"Findings on {plural(diagnosis.recordings, 'recording')}",
        columns=COLUMNS,
        groups=(RowGroup(rows),),
        notes=tuple(f"{kind}: {KINDS[kind].meaning}." for kind in found),
    )
