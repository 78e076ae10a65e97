"""What of each corpus lies below a folder, by names and tables alone; no recording is opened."""

import os
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from ser_pipeline.corpora import Corpus
from ser_pipeline.corpora.files import is_recording, walk
from ser_pipeline.errors import some
from ser_pipeline.labels import emotion_name
from ser_pipeline.manifest.scan import scan_corpora
from ser_pipeline.records import CorpusCard
from ser_pipeline.tables.cells import plural, thousands

if TYPE_CHECKING:
    import pyarrow as pa

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
        CorpusError: ``data`` is no folder or cannot be listed, or two descriptions claim a recording.
    """
    if not any(is_recording(name) for folder in walk(data) for name in folder.files):
        return {}
    return held(scan_corpora(data, corpora=corpora).table)


def held(table: "pa.Table") -> dict[str, Holding]:
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
