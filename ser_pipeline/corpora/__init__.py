"""Corpora: what a folder of recordings says of each of them; no audio is decoded here.

A corpus is a description in TOML (``docs/corpora/describe.md``). One that a description cannot read is
a module with the same parts in the same order: facts, card, code table, name pattern, ``scan``,
``parse``; another package offers such modules as entry points of the group ``ser_pipeline.corpora``.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path, PurePosixPath
from types import MappingProxyType
from typing import Final, Protocol

from ser_pipeline.corpora import cremad, iemocap
from ser_pipeline.corpora.described import Described
from ser_pipeline.corpora.description import parse_description, read_description
from ser_pipeline.errors import CorpusError
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


_KNOWN: Final = Path(__file__).with_name("known")


@cache
def _shipped(name: str) -> Described:
    file = _KNOWN / f"{name}.toml"
    return Described(parse_description(file.read_text("utf-8"), file.name))


def described() -> Mapping[str, Described]:
    """Corpora whose descriptions are shipped, by id, which is the name of the file."""
    return {name: _shipped(name) for name in sorted(file.stem for file in _KNOWN.glob("*.toml"))}


CORPORA: Final[Mapping[str, Corpus]] = MappingProxyType(
    {
        "cremad": cremad,
        "ravdess": _shipped("ravdess"),
        "ravdess-song": _shipped("ravdess-song"),
        "savee": _shipped("savee"),
        "tess": _shipped("tess"),
        "iemocap": iemocap,
        "nemo": _shipped("nemo"),
        "emodb": _shipped("emodb"),
    }
)
"""Corpora of the source report: id -> module or description, in the order they are shown."""


OWN_FOLDER: Final = "corpora"
"""Folder below the working one whose descriptions are read too."""

ENTRY_POINTS: Final = "ser_pipeline.corpora"


def own_descriptions(folder: Path, named: Iterable[str | Path] = ()) -> list[Path]:
    """Files of the user's own descriptions: those below ``corpora`` and those named.

    Args:
        folder: the working folder.
        named: paths relative to it.
    """
    found = sorted((folder / OWN_FOLDER).glob("*.toml"))
    return list(dict.fromkeys([*found, *(folder / path for path in named)]))


def known_corpora(own: Iterable[Path] = ()) -> Mapping[str, Corpus]:
    """Every corpus that can be read, by id: the user's own, modules, plug-ins, shipped descriptions.

    Args:
        own: files of descriptions; one with the id of another corpus takes its place.

    Raises:
        CorpusError: a description cannot be read, two have the same id, or a plug-in is none.
    """
    mine: dict[str, Corpus] = {}
    for path in own:
        corpus = Described(read_description(path), own=True)
        if corpus.CARD.name in mine:
            raise CorpusError(f"{path}: describes {corpus.CARD.name!r}, as another file does; rename one")
        mine[corpus.CARD.name] = corpus
    found = {**mine, **{n: c for n, c in CORPORA.items() if n not in mine}}
    for point in entry_points(group=ENTRY_POINTS):
        if point.name not in found:
            found[point.name] = _plug_in(point)
    return {**found, **{name: corpus for name, corpus in described().items() if name not in found}}


def _plug_in(point: EntryPoint) -> Corpus:
    try:
        corpus: Corpus = point.load()
    except ImportError as error:
        raise CorpusError(f"plug-in {point.name!r} ({point.value}) cannot be imported: {error}") from None
    absent = [name for name in ("CARD", "EMOTIONS", "NAME", "TRACES", "claims", "scan", "parse")
              if not hasattr(corpus, name)]  # fmt: skip
    if absent:
        raise CorpusError(
            f"plug-in {point.name!r} ({point.value}) is not a corpus; it lacks {', '.join(absent)}"
        )
    return corpus
