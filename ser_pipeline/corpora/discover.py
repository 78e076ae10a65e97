"""Find the corpora below a folder, whatever folders people have put around them.

Each recording goes to exactly one corpus: the one whose naming it follows; else the one whose
folder holds it most closely, which then says why it is a reject; else to none (a stray).
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from ser_pipeline.corpora import CORPORA, Corpus
from ser_pipeline.corpora.described import Described
from ser_pipeline.corpora.files import Folder, in_path_order, is_recording, unlisted, walk
from ser_pipeline.corpora.words import letters
from ser_pipeline.errors import CorpusError
from ser_pipeline.records import CorpusCard, Reject
from ser_pipeline.remote.addresses import address_of, is_folder

UNKNOWN = "unknown"
"""Corpus id in the rejects of strays."""

Homes = Mapping[str, Mapping[PurePosixPath, PurePosixPath]]
"""Corpus id -> folder that holds its layout -> folder of the copy it is part of."""


@dataclass(frozen=True)
class Found:
    """One copy of a corpus, whole or in part.

    Attributes:
        corpus: corpus id.
        root: folder that holds the official layout, relative to the folder searched.
        files: recordings relative to ``root``, in path order.
    """

    corpus: str
    root: PurePosixPath
    files: tuple[PurePosixPath, ...]


@dataclass(frozen=True)
class Discovery:
    """What lies below a folder; every recording is in ``found`` or in ``strays``, once.

    Attributes:
        found: copies of corpora, in the order the corpora are known in, then by root.
        strays: recordings that belong to no corpus, relative to the folder searched.
        half_there: one line for each corpus folder that is recognisable but holds no recording, and one
            on folders that cannot be listed.
    """

    found: tuple[Found, ...]
    strays: tuple[PurePosixPath, ...]
    half_there: tuple[str, ...]

    def rejects(self) -> list[Reject]:
        """The strays, each with the reason."""
        return [Reject(UNKNOWN, path, "follows the layout of no known corpus") for path in self.strays]


@dataclass
class _Survey:
    """What one walk saw.

    Attributes:
        corpora: that are looked for.
        top: name of the folder that is searched, which may itself say which corpus it holds.
        claimed: corpus id -> recordings, each with the folder that holds its layout.
        unclaimed: recordings that follow no corpus's naming.
        tables: corpus id -> folders that hold its layout, seen by its tables.
        traces: the same, seen by tables or by the names of folders.
        closed: folders that cannot be listed.
    """

    corpora: Mapping[str, Corpus]
    top: PurePosixPath
    claimed: dict[str, list[tuple[PurePosixPath, PurePosixPath]]]
    unclaimed: list[PurePosixPath]
    tables: dict[str, set[PurePosixPath]]
    traces: dict[str, set[PurePosixPath]]
    closed: list[Folder]

    @classmethod
    def of(cls, corpora: Mapping[str, Corpus], data: Path) -> "_Survey":
        """Nothing seen yet."""
        tables, traces = ({name: set[PurePosixPath]() for name in corpora} for _ in range(2))
        top = PurePosixPath(data.name if address_of(data) else data.resolve().name)
        return cls(corpora, top, {name: [] for name in corpora}, [], tables, traces, [])

    def candidates(self, folder: PurePosixPath) -> list[str]:
        """Corpora that may own recordings in a folder, in the order in which they may claim them.

        The user's own come first, then those whose name a folder around bears: some corpora have names
        of the form of another's, and only the folder tells them apart.
        """
        around = (*self.top.parts, *folder.parts)
        ranks = {name: self._rank(corpus, around) for name, corpus in self.corpora.items()}
        return sorted((name for name, rank in ranks.items() if rank < 3), key=ranks.__getitem__)

    def _rank(self, corpus: Corpus, around: Sequence[str]) -> int:
        """How early a corpus may claim recordings below some folders; 3 for not at all."""
        if not isinstance(corpus, Described):
            return 2
        anywhere = corpus.description.anywhere
        if not anywhere and not any(map(corpus.called, around)):
            return 3
        return 0 if corpus.own else 2 if anywhere else 1

    def claimant(self, path: PurePosixPath, candidates: Iterable[str]) -> str | None:
        """The first corpus whose naming a recording follows.

        Raises:
            CorpusError: two descriptions of the user's own claim it.
        """
        full = self.top / path
        claims = (name for name in candidates if self.corpora[name].claims(full))
        first = next(claims, None)
        if first is not None and _is_own(self.corpora[first]):
            other = next((name for name in claims if _is_own(self.corpora[name])), None)
            if other is not None:
                raise CorpusError(
                    f"{path}: is claimed by two descriptions, of {first!r} and of {other!r}; give them "
                    "'folders' or patterns that tell their recordings apart"
                )
        return first

    def home(self, corpus: str, path: PurePosixPath) -> PurePosixPath:
        """The folder that holds a corpus, seen from one of its recordings."""
        module = self.corpora[corpus]
        if not isinstance(module, Described):
            return self.root(corpus, path.parent)
        home = module.home(self.top / path)
        return home.relative_to(self.top) if home.is_relative_to(self.top) else PurePosixPath()

    def by_folders(self, corpus: str) -> bool:
        """Whether its names include folders, so that neighbouring recordings may have several homes."""
        module = self.corpora[corpus]
        return isinstance(module, Described) and "/" in module.description.pattern

    def root(self, corpus: str, folder: PurePosixPath) -> PurePosixPath:
        """The folder that holds a corpus, seen from one of its folders or from that of its tables."""
        module = self.corpora[corpus]
        return module.root(folder) if isinstance(module, Described) else official_root(folder, module.CARD)

    def leaving(self, name: str) -> list[str]:
        """Corpora whose tables or folders are called ``name``."""
        return [corpus for corpus, module in self.corpora.items() if module.TRACES.fullmatch(name)]

    def named(self, folder: str) -> list[str]:
        """Corpora that are themselves called like ``folder``, whatever its case and dashes."""
        plain = letters(folder)
        return [
            name
            for name, corpus in self.corpora.items()
            if (
                corpus.called(folder)
                if isinstance(corpus, Described)
                else plain in (letters(name), letters(corpus.CARD.title))
            )
        ]


def _is_own(corpus: Corpus) -> bool:
    return isinstance(corpus, Described) and corpus.own


def discover(data: Path, corpora: Mapping[str, Corpus] = CORPORA) -> Discovery:
    """Find every corpus below ``data``; the folder is walked once and no file is opened.

    Args:
        data: folder to search.
        corpora: corpus id -> module, in the order in which they may claim a recording.

    Raises:
        CorpusError: ``data`` is not a folder, holds no recording, or cannot be listed.
    """
    if not is_folder(data):
        raise CorpusError(f"{data}: no such folder; --data is the folder that holds the corpora")
    survey = _survey(data, corpora)
    homes: Homes = {
        corpus: _copies({root for _, root in files}, survey.tables[corpus])
        for corpus, files in survey.claimed.items()
    }
    half_there = tuple(filter(None, (unlisted(survey.closed), *_half_there(survey, homes))))
    if not survey.unclaimed and not any(homes.values()):
        also = "".join(f" ({line})" for line in half_there)
        raise CorpusError(
            f"{address_of(data) or data}: no recordings found{also}; put a known corpus there "
            "('ser corpora list'), list your own in a table (--csv), or describe them "
            "('ser corpora init FOLDER')"
        )
    return Discovery(*_assigned(survey, homes), half_there)


def official_root(folder: PurePosixPath, card: CorpusCard) -> PurePosixPath:
    """``folder`` without the official folders of a corpus at its end; any of them may be absent.

    Examples:
        >>> official_root(PurePosixPath("old/CREMA-D/AudioWAV"), CORPORA["cremad"].CARD)
        PurePosixPath('old/CREMA-D')
    """
    for pattern in reversed(card.folders):
        if re.fullmatch(pattern, folder.name, re.IGNORECASE | re.ASCII):
            folder = folder.parent
    return folder


def _survey(data: Path, corpora: Mapping[str, Corpus]) -> _Survey:
    survey = _Survey.of(corpora, data)
    for listing in walk(data):
        folder, names = listing.path, listing.files
        if listing.problem:
            survey.closed.append(listing)
        candidates = survey.candidates(folder)
        homes: dict[str, PurePosixPath] = {}
        for name in names:
            if is_recording(name):
                path = folder / name
                corpus = survey.claimant(path, candidates)
                if corpus is None:
                    survey.unclaimed.append(path)
                else:
                    home = homes.get(corpus) or survey.home(corpus, path)
                    survey.claimed[corpus].append((path, home))
                    if not survey.by_folders(corpus):
                        homes[corpus] = home
            else:
                for corpus in survey.leaving(name):
                    survey.tables[corpus].add(survey.root(corpus, folder))
        for corpus in survey.leaving(folder.name):
            survey.traces[corpus].add(survey.root(corpus, folder.parent))
        for corpus in survey.named(folder.name or survey.top.name):
            survey.traces[corpus].add(survey.root(corpus, folder))
    for corpus, places in survey.tables.items():
        survey.traces[corpus] |= places
    return survey


def _copies(roots: Set[PurePosixPath], tables: Set[PurePosixPath]) -> dict[PurePosixPath, PurePosixPath]:
    """Each of ``roots`` with the folder of the copy it is part of.

    That is the nearest folder around it that holds the corpus's tables, so that a loose recording
    further up takes no tables away; without tables the outermost of ``roots``, since people's
    archives hold corpora nested in themselves.
    """
    homes = {}
    for root in roots:
        around = (root, *root.parents)
        with_tables = [place for place in around if place in tables]
        homes[root] = with_tables[0] if with_tables else [place for place in around if place in roots][-1]
    return homes


def _assigned(survey: _Survey, homes: Homes) -> tuple[tuple[Found, ...], tuple[PurePosixPath, ...]]:
    """Give each recording to one copy of one corpus, or to none; what was found, and the strays."""
    files: dict[tuple[str, PurePosixPath], list[PurePosixPath]] = defaultdict(list)
    for corpus, claimed in survey.claimed.items():
        for path, root in claimed:
            files[corpus, homes[corpus][root]].append(path)
    owners: dict[PurePosixPath, tuple[str, PurePosixPath]] = {}
    for corpus, roots in homes.items():
        for root, home in roots.items():
            owners.setdefault(root, (corpus, home))
            owners.setdefault(home, (corpus, home))
    for corpus, module in survey.corpora.items():
        if _is_own(module):  # its folder is the user's word for it, so that its pattern has to answer for it
            for place in sorted(survey.traces[corpus], key=lambda place: len(place.parts)):
                owners.setdefault(place, (corpus, place))
    strays = []
    for path in survey.unclaimed:
        owner = next((owners[place] for place in path.parents if place in owners), None)
        if owner is None:
            strays.append(path)
        else:
            files[owner].append(path)
    order = {name: number for number, name in enumerate(survey.corpora)}
    found = tuple(
        Found(corpus, root, tuple(path.relative_to(root) for path in in_path_order(files[corpus, root])))
        for corpus, root in sorted(files, key=lambda key: (order[key[0]], key[1].as_posix()))
    )
    return found, tuple(in_path_order(strays))


def _half_there(survey: _Survey, homes: Homes) -> Iterator[str]:
    """One line for each outermost trace that no recording of its corpus belongs to."""
    taken = {root for roots in homes.values() for root in roots}
    own = {home for name, roots in homes.items() if _is_own(survey.corpora[name]) for home in roots.values()}
    own.discard(PurePosixPath())
    for corpus, places in survey.traces.items():
        for place in sorted(set(_copies(places, frozenset()).values())):
            of_corpus = any(_nested(place, root) for root in homes[corpus])
            # RAVDESS's folders may hold its songs alone; a corpus's name may be given to anything
            of_another = place in taken or (place.name and any(place in root.parents for root in taken))
            if not of_corpus and not of_another and own.isdisjoint(place.parents):
                layout = survey.corpora[corpus].CARD.layout
                yield f"{corpus}: {str(place)!r} looks like it, but holds no recording named like {layout!r}"


def _nested(one: PurePosixPath, other: PurePosixPath) -> bool:
    return one == other or one in other.parents or other in one.parents
