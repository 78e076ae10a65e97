"""What of each corpus lies on a disk, and whether it is complete and as it was published.

Copies in circulation are often cut to one length, trimmed, resampled, or packed by a lossy codec, or
hold recordings twice; no score shows any of this.
"""

import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ser_pipeline.corpora import Corpus
from ser_pipeline.corpora.files import is_recording, walk
from ser_pipeline.errors import some
from ser_pipeline.labels import emotion_name
from ser_pipeline.manifest.cards import KnownCorpora
from ser_pipeline.manifest.describe import reject_reasons
from ser_pipeline.manifest.fingerprint import Pool
from ser_pipeline.manifest.probe_cache import ProbeCache, Progress
from ser_pipeline.manifest.scan import filter_rows, scan_corpora
from ser_pipeline.records import CorpusCard, TableProblem
from ser_pipeline.tables.cells import plural, thousands

Kind = Literal["complete", "found", "partial", "altered", "doubled", "unreadable", "note"]

FAULTS: Final = ("partial", "altered", "doubled", "unreadable")
"""Kinds of findings after which a corpus is not as it was published."""

LOSSLESS: Final = frozenset({"WAV", "FLAC", "AIFF", "AU", "CAF", "W64", "RF64", "NIST"})
"""Containers that hold the same samples."""

FEW_TWINS: Final = 0.01
"""Share of recordings that a published corpus holds twice under different names: RAVDESS does."""

LEAST_CLIPS: Final = 20
"""Fewer recordings say nothing about how long those of a corpus are."""

SHARED_LENGTH: Final = 0.1
"""Where a larger share of recordings lasts exactly as long as the longest, they were cut or padded."""

SHORTER: Final = 2 / 3
"""Where the mean recording lasts less than this of the published ones, recordings were cut or trimmed."""

State = Literal["complete", "partial", "found", ""]
"""Of a corpus below a folder; it is just ``found`` if nobody knows how large it is."""


@dataclass(frozen=True)
class Holding:
    """What of a corpus lies below a folder.

    Attributes:
        folder: the deepest one that holds all of it, relative to the one searched.
        clips: different recordings.
        speakers: ids of who speaks.
        emotions: emotion -> recordings.
    """

    folder: str
    clips: int
    speakers: frozenset[str]
    emotions: Mapping[str, int]


def holdings(data: Path, corpora: Mapping[str, Corpus]) -> dict[str, Holding]:
    """Find what of each corpus lies below a folder; empty where it holds no recording.

    Args:
        data: folder that holds corpora.
        corpora: corpus id -> module or description.

    Raises:
        CorpusError: ``data`` is not a folder or cannot be listed, or two descriptions claim a recording.
    """
    if not any(is_recording(name) for folder in walk(data) for name in folder.files):
        return {}
    return held(scan_corpora(data, corpora=corpora).table)


def held(table: pa.Table) -> dict[str, Holding]:
    """What of each corpus a scan has found, by the columns of a manifest that it fills."""
    columns = ("corpus", "path", "utterance_id", "speaker_id", "emotion_id")
    rows: dict[str, dict[str, tuple[str, str, int]]] = {}
    for corpus, path, identity, speaker, emotion in zip(
        *(table[name].to_pylist() for name in columns), strict=True
    ):
        rows.setdefault(corpus, {}).setdefault(identity, (path, speaker, emotion))
    found = {}
    for corpus, clips in rows.items():
        paths, speakers, emotions = zip(*clips.values(), strict=True)
        folder = os.path.commonpath([os.path.dirname(path) for path in paths])
        counts = Counter(map(emotion_name, emotions))
        found[corpus] = Holding(folder or ".", len(clips), frozenset(speakers), counts)
    return found


def state_of(card: CorpusCard, holding: Holding | None) -> State:
    """Whether a corpus is there, and complete."""
    if holding is None:
        return ""
    if missing(card, holding):
        return "partial"
    return "complete" if card.clips or card.counts else "found"


def missing(card: CorpusCard, holding: Holding) -> tuple[str, ...]:
    """What a corpus lacks below a folder, in words; empty if nothing is known to be missing.

    Examples:
        >>> from ser_pipeline.corpora import CORPORA
        >>> one = Holding("EmoDB", 127, frozenset({"emodb-03"}), {"anger": 127})
        >>> missing(CORPORA["emodb"].CARD, one)[0]
        '408 of 535 recordings'
    """
    lines = []
    if holding.clips < card.clips:
        lines.append(f"{thousands(card.clips - holding.clips)} of {plural(card.clips, 'recording')}")
    if absent := absent_speakers(card, holding):
        lines.append(f"{plural(len(absent), 'speaker')} of {card.speakers}: {some(absent)}")
    elif len(holding.speakers) < card.speakers:
        lines.append(f"{card.speakers - len(holding.speakers)} of {plural(card.speakers, 'speaker')}")
    gaps = [
        f"{emotion} ({thousands(count - holding.emotions.get(emotion, 0))} of {thousands(count)})"
        for emotion, count in sorted(card.counts.items())
        if holding.emotions.get(emotion, 0) < count
    ]
    return (*lines, f"recordings of {some(gaps)}") if gaps else tuple(lines)


def absent_speakers(card: CorpusCard, holding: Holding) -> list[str]:
    """The corpus's own codes of the speakers who are not there, where the codes are known."""
    there = {speaker.partition("-")[2] for speaker in holding.speakers} | {
        speaker.rpartition("-")[2] for speaker in holding.speakers
    }
    return [code for code in card.people if code not in there]


@dataclass(frozen=True)
class Finding:
    """One thing that was found out about a corpus.

    Attributes:
        corpus: corpus id.
        kind: what it means.
        text: what was found, and what is published.
        clips: recordings it is about; None if it is about those that are missing.
        example: path of the first of them, relative to the folder searched; empty if about all.
    """

    corpus: str
    kind: Kind
    text: str
    clips: int | None
    example: str = ""

    @property
    def is_fault(self) -> bool:
        """Whether the corpus is not as it was published."""
        return self.kind in FAULTS


def check_corpora(
    data: Path,
    corpora: Mapping[str, Corpus],
    names: Sequence[str] = (),
    *,
    jobs: int = 1,
    on_progress: Progress | None = None,
) -> list[Finding]:
    """Compare the corpora below a folder with what is published of them.

    Args:
        data: folder that holds corpora; nothing in it is changed.
        corpora: corpus id -> module or description.
        names: ids of those to compare; by default all that are found.
        jobs: recordings read at once.
        on_progress: called with how many recordings are read, and of how many.

    Returns:
        Findings, corpus by corpus; each corpus begins with whether it is complete. A corpus of which
        nothing is there has none.

    Raises:
        CorpusError: ``data`` is not a folder, holds no recordings, or two descriptions claim one.
    """
    scanned = scan_corpora(data, corpora=corpora)
    wanted = set(names or corpora)
    table = scanned.table.filter(pc.is_in(scanned.table["corpus"], pa.array(sorted(wanted), pa.string())))
    files = table["path"].combine_chunks().dictionary_encode()
    with TemporaryDirectory() as folder:
        cache = ProbeCache(Path(folder) / "probe.parquet", data)
        probes, _ = cache.read_all(files.dictionary.to_pylist(), jobs=jobs, on_progress=on_progress)
    probes = probes.take(files.indices)
    holdings = held(table.filter(probes["problem"].is_null()))
    rows, unusable, _ = filter_rows(table, probes, decoded=False)
    rejects = (unusable, scanned.unnamed)
    findings = []
    for name in (name for name in corpora if name in wanted):
        card = corpora[name].CARD
        own = pc.equal(rows["corpus"], name)
        if name in holdings:
            holding = holdings[name]
            lacking = missing(card, holding)
            people = plural(len(holding.speakers), "speaker")
            text = f"{plural(holding.clips, 'recording')} of {people} in {data / holding.folder}"
            kind: Kind = "complete" if state_of(card, holding) == "complete" else "found"
            findings.append(Finding(name, kind, text, holding.clips))
            findings += [Finding(name, "partial", f"missing: {line}", None) for line in lacking]
            findings += _altered(data, card, rows.filter(own), jobs)
        findings += _left_out(
            card, rejects, scanned.problems, holdings[name].clips if name in holdings else 0
        )
    return findings


def _left_out(
    card: CorpusCard, rejects: tuple[pa.Table, pa.Table], problems: Sequence[TableProblem], clips: int
) -> Iterator[Finding]:
    """Recordings that are not rows, unusable ones and then those named otherwise; and tables."""
    name = card.name
    unusable, unnamed = (
        reject_reasons(some.filter(pc.equal(some["corpus"], name)), KnownCorpora({})) for some in rejects
    )
    for reason in unusable:
        kind: Kind = "unreadable"
        if reason.reason.startswith("duplicate"):
            few = reason.reason.startswith("duplicate audio") and reason.files <= FEW_TWINS * clips
            kind = "note" if few else "doubled"
        yield Finding(name, kind, reason.reason, reason.files, reason.example)
    for reason in unnamed:
        yield Finding(name, "note", f"not read: {reason.reason}", reason.files, reason.example)
    for problem in problems:
        if problem.corpus == name:
            yield Finding(name, "partial", f"{problem.table}: {problem.reason}", None)


def _altered(data: Path, card: CorpusCard, rows: pa.Table, jobs: int) -> Iterator[Finding]:
    """What differs from the published recordings in rate, channels, format and length."""
    paths = rows["path"].to_pylist()
    if card.sample_rate:
        rates = [f"{rate:,} Hz" for rate in rows["sample_rate"].to_pylist()]
        yield from _differing(card.name, "sample rate", rates, f"{card.sample_rate:,} Hz", paths)
    if card.channels:
        channels = list(map(str, rows["channels"].to_pylist()))
        yield from _differing(card.name, "channels", channels, str(card.channels), paths)
    if card.format:
        with Pool(jobs) as pool:
            formats = list(pool.map(lambda path: _format(data / path), paths))
        yield from _differing(card.name, "format", formats, card.format, paths)
    durations = np.asarray(rows["duration_s"].to_numpy(), np.float64)
    if len(durations) >= LEAST_CLIPS:
        longest = float(durations.max())
        alike = int(np.sum(durations == longest))
        if alike > SHARED_LENGTH * len(durations):
            text = (
                f"length: {thousands(alike)} recordings last exactly as long as the longest, {longest:.3f} s"
            )
            yield Finding(card.name, "altered", f"{text}: cut or padded", alike)
        mean = float(durations.mean())
        if mean < SHORTER * card.mean_s:
            text = f"length: the mean recording lasts {mean:.2f} s, the published one {card.mean_s:.2f} s"
            yield Finding(card.name, "altered", f"{text}: cut or trimmed", len(durations))


def _differing(
    corpus: str, what: str, found: Sequence[str], published: str, paths: Sequence[str]
) -> Iterator[Finding]:
    """One finding for each value that is not the published one, most frequent first."""
    for value, count in Counter(found).most_common():
        if value != published:
            kind: Kind = "altered"
            text = f"{what}: {value} instead of the published {published}"
            if what == "format" and _same_samples(value, published):
                kind, text = "note", f"{text}; the samples can be the same"
            yield Finding(corpus, kind, text, count, paths[found.index(value)])


def _same_samples(value: str, published: str) -> bool:
    containers, samples = zip(value.split(" "), published.split(" "), strict=True)
    return samples[0] == samples[1] and LOSSLESS.issuperset(containers)


def _format(path: Path) -> str:
    """Container and samples of a recording that can be read, in the words of libsndfile."""
    from ser_pipeline.audio.sound import opened  # loads numba, and only a check opens recordings

    with path.open("rb") as file, opened(file) as sound:
        return sound.form
