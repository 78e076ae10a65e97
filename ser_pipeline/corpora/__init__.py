"""Corpora: what a folder of recordings says of each of them; no audio is decoded here.

Every corpus is one module with the same parts in the same order: facts, card, code table, name
pattern, ``scan``, ``parse``. ``docs/corpora/index.md`` says how to add one.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from types import MappingProxyType
from typing import Final, Protocol

from ser_pipeline.corpora import cremad, emodb, iemocap, nemo, ravdess, ravdess_song, savee, tess
from ser_pipeline.records import CorpusCard, Record, Reject, Utterance


class Corpus(Protocol):
    """What a corpus module offers.

    Attributes:
        CARD: what is published of it.
        EMOTIONS: its own codes -> names in :mod:`ser_pipeline.labels`.
        NAME: pattern of a file name without suffix.
        TRACES: names of folders and tables by which an empty copy is recognised.
    """

    @property
    def CARD(self) -> CorpusCard: ...  # noqa: N802, D102 - a module's constant

    @property
    def EMOTIONS(self) -> Mapping[str, str]: ...  # noqa: N802, D102 - a module's constant

    @property
    def NAME(self) -> re.Pattern[str]: ...  # noqa: N802, D102 - a module's constant

    @property
    def TRACES(self) -> re.Pattern[str]: ...  # noqa: N802, D102 - a module's constant

    def claims(self, path: PurePosixPath) -> bool:
        """Whether a recording's name and folders are of this corpus; touches no disk."""
        ...

    def scan(self, root: Path, files: Sequence[PurePosixPath] | None = None) -> Iterator[Record]:
        """Yield one row or reject per recording, in path order, then what the tables lack."""
        ...

    def parse(self, path: PurePosixPath) -> Utterance | Reject:
        """Read a row off a path relative to the corpus's folder; touches no disk."""
        ...


CORPORA: Final[Mapping[str, Corpus]] = MappingProxyType(
    {
        "cremad": cremad,
        "ravdess": ravdess,
        "ravdess-song": ravdess_song,
        "savee": savee,
        "tess": tess,
        "iemocap": iemocap,
        "nemo": nemo,
        "emodb": emodb,
    }
)
"""Corpus id -> module, in the order they are shown."""


def layouts(corpora: Mapping[str, Corpus] = CORPORA) -> str:
    """One official path per corpus, for messages."""
    return "; ".join(f"{name}: {corpus.CARD.layout}" for name, corpus in corpora.items())
