"""Which files below a folder are recordings, and the reasons for names that cannot be read.

Hidden folders (``.git``) and those of a system (``SYSTEM``) hold no recordings and are not entered. A hidden
*file* with an audio suffix (``._03a01Fa.wav``, left by macOS) is listed like any other, so that
it is rejected with a reason and counted.
"""

import os
import re
import unicodedata
from collections.abc import Collection, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import Final, NamedTuple, cast
from urllib.parse import unquote

import regex

from ser_pipeline.errors import CorpusError, some
from ser_pipeline.records import CorpusCard, Reject
from ser_pipeline.remote.addresses import State, address_of
from ser_pipeline.remote.objects import listed_at
from ser_pipeline.remote.opening import fetch

DECODED = frozenset(
    {
        *(".wav", ".wave", ".rf64", ".w64", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".mp2", ".aif"),
        *(".aiff", ".aifc", ".au", ".snd", ".caf", ".voc", ".sph", ".nist", ".sf", ".ircam", ".avr", ".svx"),
        *(".8svx", ".pvf", ".paf"),
    }
)
"""Suffixes of formats that libsndfile reads."""

BY_FFMPEG = frozenset(
    {
        *(".m4a", ".m4b", ".mp4", ".mov", ".3gp", ".3g2", ".aac", ".wma", ".asf", ".amr", ".webm", ".weba"),
        *(".mka", ".mkv", ".ape", ".wv", ".tta", ".mpc", ".ac3", ".ra", ".spx"),
    }
)
"""Suffixes of recordings, and of videos with sound, that only ffmpeg decodes."""

SYSTEM = frozenset(
    {
        *("__macosx", "$recycle.bin", "recycler", "recycled", "system volume information", "lost+found"),
        *("@eadir", "#recycle", "$extend"),
    }
)
"""Folders in small letters that a system puts there: side files, deleted copies, repairs."""

LARGEST_TABLE: Final = 64 << 20
"""Bytes up to which a file that is not a recording is fetched from an address, as it may be a table."""

_FILE: Final = re.compile("file:(//localhost(?=/)|//(?=/))?(?=/)", re.IGNORECASE)
"""What stands before the path in an address of a file; another machine than this one stays."""

LONGEST_S: Final = 1.0
"""How long a user's pattern may look at one name or line."""

SUFFIXES = DECODED | BY_FFMPEG
"""Suffixes of all recordings: a file with one of them is a row or a reject."""

MEDIA = SUFFIXES | {".avi", ".flv", ".mpg", ".mpeg"}
"""Suffixes that tables put behind the names of recordings or of the videos they come from."""


class Folder(NamedTuple):
    """One folder and the names of its files, sorted.

    Attributes:
        path: relative to the folder the walk began at; ``.`` for that folder itself.
        files: names, recordings or not.
        problem: why it cannot be listed; "" where it can.
    """

    path: PurePosixPath
    files: list[str]
    problem: str = ""


class Guarded:
    """A user's regular expression, which may not look at one text for long.

    A repeat that can match the same text in many ways, as ``(a|aa)+``, takes exponential time on a text that
    does not match in the end.

    Args:
        pattern: of the form of :mod:`re`.
        where: what it is called in errors.
        flags: of :mod:`re`.
    """

    where: str

    def __init__(self, pattern: str, where: str, flags: int = 0) -> None:
        self._compiled = regex.compile(pattern, regex.V0 | (regex.IGNORECASE if flags & re.IGNORECASE else 0))
        self.where = where

    def fullmatch(self, text: str) -> re.Match[str] | None:
        """Match a whole text.

        Raises:
            CorpusError: that takes more than ``LONGEST_S``.
        """
        try:
            return cast("re.Match[str] | None", self._compiled.fullmatch(text, timeout=LONGEST_S))
        except TimeoutError:
            raise self._slow(text) from None

    def search(self, text: str) -> re.Match[str] | None:
        """Find the first place that matches.

        Raises:
            CorpusError: that takes more than ``LONGEST_S``.
        """
        try:
            return cast("re.Match[str] | None", self._compiled.search(text, timeout=LONGEST_S))
        except TimeoutError:
            raise self._slow(text) from None

    def _slow(self, text: str) -> CorpusError:
        return CorpusError(
            f"{self.where} takes more than {LONGEST_S:g} s on {text!r}; what it repeats must not match the "
            "same text in many ways, as in '(a|aa)+'"
        )


def misnamed(card: CorpusCard, path: PurePosixPath) -> Reject:
    """Reject a file whose name does not follow the corpus's pattern."""
    if path.name.startswith("._"):
        return Reject(card.name, path, "side file of macOS, not a recording")
    if path.name.startswith("."):
        return Reject(card.name, path, "hidden file; recordings are named as in " + repr(card.layout))
    return Reject(card.name, path, f"name does not follow {card.layout!r}")


def unknown_code(card: CorpusCard, path: PurePosixPath, what: str, code: str, valid: Iterable[str]) -> Reject:
    """Reject a file whose name has the right form but a code that the corpus does not have."""
    return Reject(card.name, path, f"{what} {code!r} does not exist; valid are {', '.join(valid)}")


def contradiction(card: CorpusCard, path: PurePosixPath, folder: str, name: str) -> Reject:
    """Reject a file whose folder and name say different things: one of them is wrong."""
    return Reject(card.name, path, f"folder says {folder!r}, name says {name!r}; one of them is wrong")


def nearest_folder(path: PurePosixPath, pattern: re.Pattern[str]) -> re.Match[str] | None:
    """Match of the innermost folder of ``path`` that follows ``pattern``."""
    for part in reversed(path.parts[:-1]):
        match = pattern.fullmatch(part)
        if match is not None:
            return match
    return None


def is_recording(name: str) -> bool:
    """Whether a file name has an audio suffix, in any case.

    Examples:
        >>> is_recording("03a01Fa.WAV"), is_recording("erkennung.txt"), is_recording(".wav")
        (True, False, False)
    """
    return os.path.splitext(name)[1].lower() in SUFFIXES


def walk(root: Path) -> Iterator[Folder]:
    """Every folder below ``root``, itself first, each with its files.

    Links to folders are followed, but never back into a folder that leads to them. Hidden folders and
    those of a system (``SYSTEM``) are not entered. A folder below ``root`` that cannot be listed comes
    without files and says why.

    Raises:
        CorpusError: ``root`` is not a folder or address, or cannot be listed.
    """
    if address_of(root) is not None:
        yield from _walk_store(root)
        return
    if not root.is_dir():
        raise CorpusError(f"{root}: no such folder; pass the folder that holds the recordings")
    for folder in _walk(root, PurePosixPath(), frozenset()):
        if folder.problem and folder.path == PurePosixPath():
            raise CorpusError(f"{root}: cannot be listed ({folder.problem}); give read access or move it")
        yield folder


def states_in_store(root: Path) -> dict[str, State]:
    """Every object below an address, by its path from there, with its state; sorted.

    Raises:
        CorpusError: it cannot be listed.
    """
    try:
        return listed_at(root)
    except OSError as error:
        reason = error.strerror or error
        raise CorpusError(f"{address_of(root)}: cannot be listed: {reason}") from None


def _walk_store(root: Path) -> Iterator[Folder]:
    paths = map(PurePosixPath, states_in_store(root))
    folders: dict[PurePosixPath, list[str]] = {PurePosixPath(): []}
    for path in paths:
        if any(part.startswith(".") or part.lower() in SYSTEM for part in path.parts[:-1]):
            continue
        for folder in reversed(path.parents):
            folders.setdefault(folder, [])
        folders[path.parent].append(path.name)
    for folder in sorted(folders, key=lambda each: each.parts):
        yield Folder(folder, sorted(folders[folder]))


@contextmanager
def tables_of(root: Path, folders: Collection[PurePosixPath]) -> Iterator[Path]:
    """The folder with the tables of corpora: ``root``, or of an address a copy of all but the recordings.

    Args:
        root: folder or address.
        folders: that hold the corpora, relative to ``root``.

    Raises:
        CorpusError: a table cannot be fetched.
    """
    if address_of(root) is None:
        yield root
        return
    with TemporaryDirectory() as copy, ThreadPoolExecutor(8) as pool:
        names = [
            name
            for name, state in states_in_store(root).items()
            if state.size <= LARGEST_TABLE
            and os.path.splitext(name)[1].lower() not in MEDIA
            and not {*folders}.isdisjoint(PurePosixPath(name).parents)
        ]
        try:
            list(pool.map(lambda name: fetch(root / name, Path(copy) / name), names))
        except OSError as error:
            reason = error.strerror or error
            raise CorpusError(f"{address_of(root)}: a table cannot be read: {reason}") from None
        yield Path(copy)


def unlisted(folders: Iterable[Folder]) -> str:
    """One line on folders that cannot be listed; "" if all can."""
    closed = [folder for folder in folders if folder.problem]
    if not closed:
        return ""
    names = some([str(folder.path) for folder in closed], show=3)
    what = "1 folder" if len(closed) == 1 else f"{len(closed)} folders"
    return f"{what} cannot be listed, and nothing below is read: {names} ({closed[0].problem})"


def _walk(folder: Path, path: PurePosixPath, above: frozenset[tuple[int, int]]) -> Iterator[Folder]:
    try:
        status = folder.stat()
        with os.scandir(folder) as listing:
            # a dangling link counts as a file: it is what an unfetched git-annex file looks like
            entries = sorted((entry.name, _is_folder(entry)) for entry in listing)
    except OSError as error:
        yield Folder(path, [], error.strerror or str(error))
        return
    here = (status.st_dev, status.st_ino)
    if here in above:
        return
    yield Folder(path, [name for name, is_folder in entries if not is_folder])
    for name, is_folder in entries:
        if is_folder and not name.startswith(".") and name.lower() not in SYSTEM:
            yield from _walk(folder / name, path / name, above | {here})


def leading_out(root: Path, paths: Iterable[str]) -> dict[str, str]:
    """Files that lie outside a folder, where links lead to them, each with its real place.

    Args:
        root: of the folder.
        paths: relative to it, written with slashes.
    """
    if address_of(root) is not None:
        return {}
    home = os.path.realpath(root)
    away = dict[str, bool]()
    found = dict[str, str]()
    for path in paths:
        if path.startswith(("/", "../")) or address_of(path):  # a table names it there; no link does
            continue
        folder, whole = os.path.dirname(path), os.path.join(root, path)
        if folder not in away:
            away[folder] = not _below(os.path.realpath(os.path.join(root, folder)), home)
        if away[folder] or os.path.islink(whole):
            place = os.path.realpath(whole)
            if not _below(place, home):
                found[path] = place
    return found


def _below(place: str, home: str) -> bool:
    return place == home or place.startswith(os.path.join(home, ""))


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link that leads to itself
        return False


def audio_files(root: Path) -> list[PurePosixPath]:
    """Every recording below ``root``, relative to it, sorted by its path written with slashes.

    Raises:
        CorpusError: ``root`` is not a folder, or cannot be listed.
    """
    return in_path_order(
        folder.path / name for folder in walk(root) for name in folder.files if is_recording(name)
    )


def in_path_order(paths: Iterable[PurePosixPath]) -> list[PurePosixPath]:
    """Sort by the written path, so that every platform gives the same order."""
    return sorted(paths, key=PurePosixPath.as_posix)


def listed(root: Path, files: Sequence[PurePosixPath] | None) -> Sequence[PurePosixPath]:
    """``files``, or every recording below ``root`` where none are given."""
    return audio_files(root) if files is None else files


def slashed(path: str) -> str:
    r"""A path that a table writes, with slashes, and without ``file:`` and what that encodes.

    Examples:
        >>> slashed(".\\wav\\a.wav"), slashed("file:///my%20wav/a.wav"), slashed("file:///C:/a.wav")
        ('wav/a.wav', '/my wav/a.wav', 'C:/a.wav')
    """
    path = path.replace("\\", "/").removeprefix("./")
    if (address := _FILE.match(path)) is None:
        return path
    return re.sub("^/([A-Za-z])[:|]/", r"\1:/", unquote(path[address.end() :]))


def stem(path: PurePosixPath) -> str:
    """A path without its suffix; what ``path.with_suffix("")`` writes, but fast.

    Examples:
        >>> stem(PurePosixPath("wav/a.b.wav")), stem(PurePosixPath("a.b/.wav"))
        ('wav/a.b', 'a.b/.wav')
    """
    whole = str(path)
    dot = whole.rfind(".")
    return whole[:dot] if whole.rfind("/") + 1 < dot < len(whole) - 1 else whole


def key_of(what: str, text: str) -> str:
    r"""What is compared of a table's key: of names and paths the part without suffix, with slashes.

    Numbers are alike whatever zeros they begin with, since spreadsheets lose them; in paths they are not. So
    are the forms of accents, since file systems change them.

    Examples:
        >>> key_of("stem", "wav/a.mp4"), key_of("path", "wav/a.wav"), key_of("speaker", "a.wav")
        ('a', 'wav/a', 'a.wav')
        >>> key_of("stem", "007.wav"), key_of("turn", "07"), key_of("path", "07")
        ('7', '7', '07')
        >>> key_of("stem", "di\N{COMBINING ACUTE ACCENT}a.wav") == "d\N{LATIN SMALL LETTER I WITH ACUTE}a"
        True
        >>> key_of("folder/stem", "C:\\data\\anna\\01.wav")
        'anna/01'
    """
    text = unicodedata.normalize("NFC", text)
    if what in ("stem", "path", "folder/stem"):
        bare, suffix = os.path.splitext(text.replace("\\", "/"))
        path = bare if suffix.lower() in MEDIA else bare + suffix
        if what == "path":
            return path.replace("//", "/").removeprefix("./")
        head, _, text = path.rpartition("/")
        if what == "folder/stem":
            return f"{head.rpartition('/')[2]}/{text}" if head else text
    return str(int(text)) if text.isascii() and text.isdecimal() else text
