"""Where the recordings are whose paths a table writes, on this machine or another one."""

import os
import posixpath
import re
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from contextlib import suppress
from functools import cache
from pathlib import Path, PurePosixPath
from typing import Final

from ser_pipeline.corpora.files import is_recording, key_of, states_in_store, walk
from ser_pipeline.errors import CorpusError, some
from ser_pipeline.remote.addresses import ARCHIVES, STORES, address_of

_DRIVE: Final = re.compile(r"^([A-Za-z]):/")


def found_places(
    names: Sequence[str], file: Path, data: Path
) -> tuple[dict[str, PurePosixPath], dict[PurePosixPath, str]]:
    """Where the recordings of a table are, and why each of the others is not there.

    Args:
        names: paths as the table writes them, with slashes.
        file: the table.
        data: folder that found paths are relative to.
    """
    root = os.path.abspath(data)
    bases = list(dict.fromkeys([os.path.abspath(file.parent), root]))
    named, names = names, [name for name in names if _possible(name) == name]
    there = {name: place for name in names if (place := _addressed(name, file, data))}
    if address_of(data) is not None:
        held = {*states_in_store(data)}
        there |= {name: name for name in names if name in held}
    there |= {name: place for name in names if name not in there and (place := _at(name, bases))}
    rest = [name for name in names if name not in there]
    bare = _without_common_folder(rest)
    there |= {name: place for name in rest if (place := _at(bare[name], bases))}
    several: dict[str, list[str]] = {}
    if there:  # a recording that is called alike, in another folder, may be another one
        there |= _spelt({name: bare[name] for name in rest if name not in there}, bases, {*there.values()})
    else:
        fits = _searched(bare, bases)
        there = {name: places[0] for name, places in fits.items() if len(places) == 1}
        several = {name: places for name, places in fits.items() if len(places) > 1}
    places, lost = {}, {}
    for name in named:
        path = there.get(name) or os.path.join(bases[0], bare.get(name, _possible(name)))
        places[name] = _relative(path, root)
        if name not in there:
            alike = [_relative(place, root).as_posix() for place in several.get(name, ())]
            lost[places[name]] = of_several(name, alike) if alike else _lost(name, file)
    return places, lost


def _possible(name: str) -> str:
    """A path as a file may be called: without NUL bytes, that no name can have."""
    return name.replace("\0", "\N{REPLACEMENT CHARACTER}")


def _addressed(name: str, file: Path, data: Path) -> str | None:
    """The path that stands for an address which a table names; None for a path of this machine.

    An archive with a relative path lies in the folder of the table, or else in the data folder. Its path is
    relative to the data folder if it lies there, as that of a recording.
    """
    if address_of(name) is None:
        return None
    *members, store = name.split("::")
    if members and address_of(store) is None:
        beside = os.path.abspath(file.parent / store)
        place = beside if os.path.exists(beside) else str(data / store)
        if address_of(place) is None:
            place = _relative(os.path.abspath(place), os.path.abspath(data)).as_posix()
        name = "::".join([*members, place])
    return str(PurePosixPath(name))


def _at(name: str, bases: Iterable[str]) -> str | None:
    """The file that a path leads to from one of some folders, if any."""
    drive = _DRIVE.match(name)
    tried = [os.path.expanduser(name), *(os.path.join(base, name) for base in bases)]
    if drive is not None:
        tried = [f"/mnt/{drive[1].lower()}/{name[3:]}"]
    return next(
        (os.path.normpath(path) for path in tried if os.path.isabs(path) and _may_be_recording(path)), None
    )


def _may_be_recording(path: str) -> bool:
    return os.path.lexists(path) and not os.path.isdir(path)


def _without_common_folder(names: Sequence[str]) -> dict[str, str]:
    """Absolute paths of another machine without the folder that they have in common; others as they are."""
    plain = {name: _DRIVE.sub("/", name) for name in names}
    absolute = [posixpath.dirname(path) for path in plain.values() if path.startswith("/")]
    common = posixpath.commonpath(absolute) if absolute else ""
    return {
        name: posixpath.relpath(path, common) if path.startswith("/") else path
        for name, path in plain.items()
    }


def _searched(bare: Mapping[str, str], bases: Sequence[str]) -> dict[str, list[str]]:
    """Recordings below the folders whose path ends in a name, of each name that any does.

    The suffix may be left out, and case and the form of accents may differ, as between file systems. Where
    that finds nothing, so may the suffix and the zeros that a number begins with.
    """
    named: dict[str, set[str]] = defaultdict(set)
    for base in bases:
        with suppress(CorpusError):  # as far as folders may be listed
            for folder in walk(Path(base)):
                for name in filter(is_recording, folder.files):
                    place = os.path.normpath(os.path.join(base, folder.path, name))
                    named[_key(name)].add(place)
    found = {}
    for name, path in bare.items():
        tail = _alike(f"/{path}")
        home = posixpath.dirname(tail).rstrip("/")
        near = {place: _alike(place) for place in named[_key(posixpath.basename(path))]}
        near = {place: text for place, text in near.items() if posixpath.dirname(text).endswith(home)}
        exact = [
            place
            for place, text in near.items()
            if any(end.endswith(tail) for end in (text, posixpath.splitext(text)[0]))
        ]
        if near:
            found[name] = sorted(exact or near)
    return found


def _spelt(bare: Mapping[str, str], bases: Iterable[str], taken: Set[str]) -> dict[str, str]:
    """Recordings whose path from a folder is the one looked for, but for how it is spelt.

    Args:
        bare: name -> path that is looked for.
        bases: folders, in the order in which they are tried.
        taken: recordings that other names lead to.
    """
    listed, found = cache(_by_key), dict[str, str]()
    for name, path in bare.items():
        spelt = (_respelt(os.path.normpath(os.path.join(base, path)), listed) for base in bases)
        if place := next((place for place in spelt if place and place not in taken), None):
            found[name] = place
    return found


def _respelt(path: str, listed: Callable[[str], Mapping[str, list[str]]]) -> str | None:
    """The recording that a path spells otherwise; None where there is none, or several."""
    place, *parts = Path(path).parts
    for part in parts:
        there = os.path.lexists(os.path.join(place, part))
        near = [part] if there else listed(place).get(_key(part), [])
        near = [name for name in near if _alike(name) == _alike(part)] or near
        if len(near) != 1:
            return None
        place = os.path.join(place, near[0])
    return place if is_recording(place) else None


def _by_key(folder: str) -> dict[str, list[str]]:
    """Names in a folder by what is compared of them; none where it cannot be listed."""
    names: dict[str, list[str]] = defaultdict(list)
    with suppress(OSError):
        for name in os.listdir(folder):
            names[_key(name)].append(name)
    return names


def _key(name: str) -> str:
    return key_of("stem", name).casefold()


def _alike(path: str) -> str:
    return unicodedata.normalize("NFC", path).casefold()


def _relative(place: str, root: str) -> PurePosixPath:
    """Path below a folder; the path as it is where it lies elsewhere."""
    if address_of(place) is not None or not os.path.isabs(place):
        return PurePosixPath(place)
    inside = os.path.commonpath([place, root]) == root
    return PurePosixPath(os.path.relpath(place, root) if inside else place)


def of_several(name: str, alike: list[str]) -> str:
    """Why a name of a table leads to no recording where it leads to more than one."""
    two = len(alike) == 2
    count, which = ("two", " and ".join(alike)) if two else (len(alike), some(alike, show=2))
    called = f"{count} recordings are called {posixpath.basename(name)!r}: {which}"
    return f"{called}; write the folder of the right one in the table, too"


def _lost(name: str, file: Path) -> str:
    if name != _possible(name):
        return "its path holds a character that no file name can have; correct it in the table"
    if re.match(r"[a-z][a-z0-9+.-]+://", name.lower()):  # C:// is a drive of Windows
        kinds = ", ".join(("file", *STORES, *ARCHIVES))
        return f"{name!r} is an address of a kind that is not read; valid are {kinds}"
    return (
        f"no such file, neither from the folder of {file.name!r} nor from the data folder; pass the folder "
        "that the table's paths begin in with --data"
    )
