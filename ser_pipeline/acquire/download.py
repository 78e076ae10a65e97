"""Download a corpus that its publisher offers without asking, once its licence is accepted."""

import json
import shutil
from pathlib import Path
from typing import Final

from ser_pipeline.acquire.fetch import OnBytes, Patience, fetch
from ser_pipeline.acquire.unpack import is_archive, unpack
from ser_pipeline.atomic import TEMPORARY_SUFFIX, explained, lock_file, write_atomically
from ser_pipeline.errors import CorpusError
from ser_pipeline.records import CorpusCard, Download
from ser_pipeline.tables.cells import thousands

LICENCES: Final = ".licences.json"
"""File in the data folder that says which licences were accepted."""

WORK: Final = ".download"
"""Folder in the corpus's own that holds what is not finished; recordings are not looked for in it."""

DONE: Final = "done.json"
"""File in that folder that says which files have come, by their hashes."""

LOCK: Final = "lock"

_HOW: Final = {
    "registration": "its publisher asks for a registration",
    "request": "its publisher gives it on request",
    "paid": "its publisher sells it",
}
"""Access -> why it can't be downloaded."""


def by_hand(card: CorpusCard, data: Path) -> str:
    """How to get a corpus that cannot be downloaded, in one line."""
    why = _HOW.get(card.access, "no address with a known hash is described")
    where = card.obtain or card.source
    return (
        f"{card.name}: must be obtained by hand, because {why}: see {where}, put it into {data / card.name}, "
        f"then run 'ser corpora check {card.name}'"
    )


def is_accepted(card: CorpusCard, data: Path) -> bool:
    """Whether the licence of a corpus, as it is worded now, was accepted for a data folder."""
    return _read(data / LICENCES).get(card.name) == card.licence


def accept(card: CorpusCard, data: Path) -> None:
    """Remember that the licence of a corpus was accepted.

    Raises:
        SerError: the data folder cannot be written to.
    """
    _write(data / LICENCES, {**_read(data / LICENCES), card.name: card.licence})


def left(card: CorpusCard, data: Path) -> list[Download]:
    """Files of a corpus that have not come yet."""
    done = _read(data / card.name / WORK / DONE)
    return [item for item in card.downloads if done.get(item.name) != item.digest]


def download(
    card: CorpusCard, data: Path, *, on_bytes: OnBytes | None = None, patience: Patience | None = None
) -> int:
    """Fetch the files of a corpus and unpack them; those that have come are not fetched again.

    Args:
        card: of the corpus.
        data: folder that holds the corpora; this one gets a folder of its own, called by its id.
        on_bytes: called with how many bytes came.
        patience: how long a server is waited for.

    Returns:
        Number of files that were written.

    Raises:
        CorpusError: there is nothing to download, its licence is not accepted, a server does not give a file
            or gives another one, or an archive is not safe.
        SerError: the folder cannot be written to, or has not enough space.
    """
    if not card.downloads:
        raise CorpusError(by_hand(card, data))
    if not is_accepted(card, data):
        raise CorpusError(
            f"{card.name}: its licence is not accepted yet ({card.licence}; {card.source}); "
            "read it, and pass --accept-licence if you accept it"
        )
    folder = data / card.name
    count = 0
    taken = CorpusError(f"{folder}: another process is downloading to this folder; wait until it is done")
    with lock_file(folder / WORK / LOCK, taken):
        wanted = left(card, data)
        _tidy(folder / WORK, wanted)
        _check_space(folder, wanted)
        for item in wanted:
            path = fetch(item, folder / WORK, on_bytes=on_bytes, patience=patience)
            count += _placed(item, path, folder)
            done = _read(folder / WORK / DONE)
            _write(folder / WORK / DONE, {**done, item.name: item.digest})
    return count


def _tidy(work: Path, wanted: list[Download]) -> None:
    """Remove what a killed process left, except for what can be continued."""
    kept = {DONE, LOCK} | {item.name + end for item in wanted for end in ("", TEMPORARY_SUFFIX)}
    for path in work.iterdir():
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        elif path.name not in kept:
            path.unlink(missing_ok=True)


def _placed(item: Download, path: Path, folder: Path) -> int:
    """Unpack an archive and delete it, or move another file to its place; how many files that gave."""
    try:
        if item.unpack and is_archive(item.name):
            count = unpack(path, folder)
            path.unlink()
            return count
        path.replace(folder / item.name)
    except OSError as error:
        raise explained(error, folder) from None
    return 1


def _check_space(folder: Path, wanted: list[Download]) -> None:
    """Refuse to begin what cannot end: an archive takes its own size, and at least as much unpacked."""
    parts = (folder / WORK / f"{item.name}{TEMPORARY_SUFFIX}" for item in wanted)
    there = sum(part.stat().st_size for part in parts if part.exists())
    unpacked = max((item.size for item in wanted if item.unpack and is_archive(item.name)), default=0)
    needed = sum(item.size for item in wanted) + unpacked - there
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise CorpusError(
            f"{folder}: needs at least {thousands(needed)} bytes, and {thousands(free)} are free; "
            "free some space, or pass another folder with --data"
        )


def _read(path: Path) -> dict[str, str]:
    """A small file of names and texts; one that is missing or damaged is empty."""
    try:
        found = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _write(path: Path, values: dict[str, str]) -> None:
    with write_atomically(path) as part:
        part.write_text(json.dumps(values, ensure_ascii=False, indent=1), encoding="utf-8", newline="\n")
