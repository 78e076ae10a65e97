"""What is exchanged: recordings with facts, out of another tool's data set or into it."""

import os
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from ser_pipeline.corpora.description import FACTS
from ser_pipeline.errors import CorpusError
from ser_pipeline.records import Segment

TOLD: Final = tuple(fact for fact in FACTS if fact not in ("path", "duration", "rater"))
"""Facts of a recording, as descriptions name them, without its path."""

VOTES: Final = "votes_"
"""Begins the name of a fact that counts the listeners who chose an emotion, as ``votes_anger``."""


@dataclass(frozen=True, slots=True)
class Item:
    """A recording, or a segment of one, as another tool's data set describes it.

    Attributes:
        name: path or name of the recording, as the data set writes it.
        place: path of the recording; None where the data set itself holds it, or where it is missing.
        facts: fact -> text, of ``TOLD`` and votes.
        audio: content of the recording, where the data set itself holds it.
    """

    name: str
    place: Path | None
    facts: Mapping[str, str]
    audio: bytes | None = None


@dataclass(frozen=True)
class Foreign:
    """A data set of another tool, as it was read.

    Attributes:
        items: its recordings, in its own order.
        about: what it says of itself: ``title``, ``licence``, ``source`` and ``language``.
        labels: label -> emotion, where the data set itself says what its labels mean.
        remarks: what of it is not read, one line each.
    """

    items: Iterable[Item]
    about: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    remarks: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Row:
    """A row of the manifest that is exported.

    Attributes:
        name: its id, in which a ``#`` precedes the bounds of a segment.
        corpus: its corpus.
        source: absolute path of the recording.
        facts: fact -> text, of ``TOLD`` and votes; what is not known is not in it.
        duration_s: of the recording, or of the segment, in seconds.
        sample_rate: in Hz.
        channels: number of channels.
        segment: the part of the recording that is meant; None for all of it.
    """

    name: str
    corpus: str
    source: Path
    facts: Mapping[str, str]
    duration_s: float
    sample_rate: int
    channels: int
    segment: Segment | None

    @property
    def recording(self) -> str:
        """Id of the whole recording."""
        return self.name if self.segment is None else self.name.rpartition("#")[0]


@dataclass(frozen=True)
class Places:
    """Where to look for recordings that a data set names by relative paths.

    Attributes:
        folders: in the order in which they are tried.
    """

    folders: Sequence[Path]

    @classmethod
    def around(cls, root: Path, data: Path, given: Path | None) -> "Places":
        """Look in a given folder, in a data set's own one, in those around it, and in the data folder.

        Raises:
            CorpusError: the given folder does not exist.
        """
        if given is not None and not given.is_dir():
            raise CorpusError(f"{given}: no such folder; --recordings is the folder of the recordings")
        absolute = Path(os.path.abspath(root))
        first = [] if given is None else [given]
        return cls([*first, absolute, *absolute.parents[:4], data])

    def find(self, name: str) -> Path | None:
        """The recording that a path leads to, as an absolute path; None where there is none."""
        try:
            plain = os.path.expanduser(name.replace("\\", "/"))
        except ValueError:  # after a tilde stands what can be nobody's name
            return None
        for folder in self.folders:
            place = os.path.abspath(os.path.join(folder, plain))
            if os.path.isfile(place):
                return Path(place)
        return None


def by_part(rows: Iterable[Row], rest: str = "") -> dict[str, list[Row]]:
    """Rows by the part they are in; ``rest`` stands for none."""
    parts: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        parts[row.facts.get("part") or rest].append(row)
    return parts


def columns_of(rows: Iterable[Mapping[str, str]]) -> list[str]:
    """The facts that occur in any of some rows, in the order of ``TOLD``, then votes."""
    met = {fact for row in rows for fact, text in row.items() if text}
    return [fact for fact in TOLD if fact in met] + sorted(met.difference(TOLD))
