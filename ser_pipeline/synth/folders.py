"""Folders and files of synthetic corpora: how they are marked, and what may be replaced.

Every folder holds a ``SYNTHETIC.txt``. A corpus folder's one lists its files, so that a later
call replaces only what an earlier one wrote and never a recording of someone else.
"""

import shutil
import struct
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from hashlib import blake2b
from pathlib import Path
from types import MappingProxyType
from typing import Final

import numpy as np

from ser_pipeline.arrays import Float32s
from ser_pipeline.atomic import lock_file
from ser_pipeline.errors import CorpusError, some

COMMENT: Final = "synthetic voice, not a human recording (ser corpora synth)"
"""Stands in the ``ICMT`` chunk of every file."""

MARKER: Final = "SYNTHETIC.txt"
"""Name of the file that marks a folder of synthetic recordings."""

LOCK: Final = ".synth-lock"
"""File inside the target that a call holds while it writes there."""

STAGING: Final = ".synth-unfinished"
"""Folder inside the target in which a corpus is built before it takes its place."""

FOLDERS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "cremad": "CREMA-D",
        "ravdess": "RAVDESS",
        "ravdess-song": "RAVDESS-Song",
        "savee": "SAVEE",
        "tess": "TESS",
        "iemocap": "IEMOCAP",
        "nemo": "nEMO",
        "emodb": "EmoDB",
    }
)
"""Corpus id -> name of its folder."""

_TEXT = """\
Synthetic recordings: no human being speaks here.

'ser corpora synth' wrote the recordings below this folder. A program makes the voices from
pulses and noise, and the people, votes and ratings in the tables are made up. Only file names,
folders and table columns follow the official corpora, so that software can be tried without
them. Results on these files say nothing about the corpora or about people.
"""
_LIST_HEAD = "\nFiles:\n"


def named_rng(*name: object) -> np.random.Generator:
    """Generator whose stream is fixed by ``name`` alone.

    Every clip, speaker and table draws from its own stream, so the bytes that come out are the
    same for any number of jobs and for any choice of corpora.

    Args:
        *name: what is drawn for, such as ``(seed, "speaker", "emodb-03")``.

    Examples:
        >>> named_rng(1, "a").random() == named_rng(1, "a").random()
        True
        >>> named_rng(1, "a").random() == named_rng(2, "a").random()
        False
    """
    text = "\x1f".join(str(part) for part in name)
    return np.random.default_rng(int.from_bytes(blake2b(text.encode(), digest_size=16).digest(), "big"))


def wav_bytes(wave: Float32s, sample_rate: int) -> bytes:
    """Encode a mono wave as a WAV file of 16-bit samples.

    Args:
        wave: within [-1, 1], shape ``(samples,)``.
        sample_rate: in Hz.

    Examples:
        >>> wav_bytes(np.zeros(3, np.float32), 16_000)[:4]
        b'RIFF'
    """
    samples = np.rint(wave * 32_767).astype("<i2").tobytes()
    form = struct.pack("<HHIIHH", 1, 1, sample_rate, 2 * sample_rate, 2, 16)
    info = b"INFO" + _chunk(b"ICMT", COMMENT.encode("ascii") + b"\0")
    body = b"WAVE" + _chunk(b"fmt ", form) + _chunk(b"LIST", info) + _chunk(b"data", samples)
    return _chunk(b"RIFF", body)


def _chunk(name: bytes, body: bytes) -> bytes:
    return name + struct.pack("<I", len(body)) + body + b"\0" * (len(body) % 2)


def marker_text(settings: str = "", files: Mapping[str, int] = MappingProxyType({})) -> str:
    """Text of a marker; a corpus's one ends with its settings and its files.

    Args:
        settings: what fixes every byte of the corpus, one line.
        files: path below the corpus's folder -> size in bytes.
    """
    if not settings:
        return _TEXT
    lines = (f"{size:>8} {name}\n" for name, size in sorted(files.items()))
    return f"{_TEXT}\nSettings: {settings}\n{_LIST_HEAD}" + "".join(lines)


@contextmanager
def claim(folder: Path) -> Iterator[None]:
    """Make ``folder`` and mark it, so that an interrupted call can be repeated, and keep others out.

    Raises:
        CorpusError: it is a file, holds something and has no marker, or another call is writing there.
        SerError: the folder cannot be written to or has no locks.
    """
    if folder.exists() and not folder.is_dir():
        raise CorpusError(f"{folder}: is a file; name a new or empty folder for the synthetic corpora")
    marker = folder / MARKER
    if not marker.is_file():
        found = sorted(path.name for path in folder.iterdir()) if folder.exists() else []
        if found:
            raise CorpusError(
                f"{folder}: holds {some(found, show=3)} and no {MARKER}; synthetic corpora go "
                "into a new or empty folder, so that they never mix with real recordings"
            )
        folder.mkdir(parents=True, exist_ok=True)
        marker.write_text(marker_text(), encoding="utf-8", newline="\n")
    busy = f"{folder}: another 'ser corpora synth' is writing there; wait for its end, or name another folder"
    with lock_file(folder / LOCK, CorpusError(busy)):
        shutil.rmtree(folder / STAGING, ignore_errors=True)
        yield
        shutil.rmtree(folder / STAGING, ignore_errors=True)


def check_replaceable(corpus_folder: Path) -> None:
    """Make sure that everything in a corpus folder was written by an earlier call.

    Raises:
        CorpusError: it has no marker, or holds a file that its marker does not list.
    """
    if not corpus_folder.exists():
        return
    marker = corpus_folder / MARKER
    if not marker.is_file():
        raise CorpusError(
            f"{corpus_folder}: has no {MARKER}; move it away, real recordings are never replaced"
        )
    foreign = sorted(set(files_in(corpus_folder)) - set(_listed(marker)) - {MARKER})
    if foreign:
        raise CorpusError(
            f"{corpus_folder}: holds {some(foreign, show=3)}, which 'ser corpora synth' did not write; "
            "move it away, real recordings are never replaced"
        )


def is_complete(corpus_folder: Path, settings: str) -> bool:
    """Whether the folder already holds what a call with these settings would write."""
    marker = corpus_folder / MARKER
    if not marker.is_file():
        return False
    listed = _listed(marker)
    same = marker.read_text(encoding="utf-8") == marker_text(settings, listed)
    return same and listed.items() <= files_in(corpus_folder).items()


def put_in_place(staged: Path, corpus_folder: Path) -> None:
    """Move a finished corpus from the staging folder to its place, over an earlier one."""
    if corpus_folder.exists():
        corpus_folder.rename(staged.with_name(f"{staged.name}.old"))
    staged.rename(corpus_folder)


def files_in(folder: Path) -> dict[str, int]:
    """Every file below a folder but hidden ones: relative path -> size in bytes."""
    return {
        path.relative_to(folder).as_posix(): path.stat().st_size
        for path in folder.rglob("*")
        if not path.is_dir() and not path.name.startswith(".")
    }


def _listed(marker: Path) -> dict[str, int]:
    files = {}
    for line in marker.read_text(encoding="utf-8").partition(_LIST_HEAD)[2].splitlines():
        size, _, name = line.strip().partition(" ")
        if size.isdecimal():
            files[name] = int(size)
    return files
