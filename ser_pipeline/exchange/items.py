"""What is exchanged: recordings with facts, out of another tool's data set or into it, and their files."""

import io
import os
import re
import shutil
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np

from ser_pipeline.atomic import write_atomically
from ser_pipeline.audio.sound import opened
from ser_pipeline.corpora.description import FACTS
from ser_pipeline.corpora.files import slashed
from ser_pipeline.errors import CorpusError, SerError
from ser_pipeline.records import Segment

TOLD: Final = tuple(fact for fact in FACTS if fact not in ("path", "duration"))
"""Facts of a recording, as descriptions name them, without its path."""

VOTES: Final = "votes_"
"""Begins the name of a fact that counts the listeners who chose an emotion, as ``votes_anger``."""

_ODD: Final = re.compile(r'[\x00-\x1f<>:"|?*\\]')
"""What some file system does not allow in a name."""


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
            plain = os.path.expanduser(slashed(name))
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


def safe_path(name: str) -> str:
    r"""A relative path below a folder, whatever a name says.

    Examples:
        >>> safe_path("../../etc/a.wav"), safe_path("C:\\x\\b?.wav"), safe_path("")
        ('etc/a.wav', 'x/b_.wav', '_')
    """
    parts = re.sub(r"^[A-Za-z]:", "", name).replace("\\", "/").split("/")
    return "/".join(_ODD.sub("_", part) for part in parts if part not in ("", ".", "..")) or "_"


def write_once(path: Path, content: bytes) -> None:
    """Write a file, whole or not at all; one that holds the same already is kept.

    Raises:
        SerError: it holds something else, or cannot be written.
    """
    if path.exists():
        if path.is_file() and path.stat().st_size == len(content) and path.read_bytes() == content:
            return
        raise SerError(f"{path}: holds something else already; choose another --name, or delete it")
    with write_atomically(path) as part:
        part.write_bytes(content)


def free_path(folder: Path, path: str) -> str:
    """A path below a folder at which there is nothing yet: the one given, or one with a number.

    Args:
        folder: that is written to; folders in it are made.
        path: relative, with slashes.
    """
    target = folder / path
    target.parent.mkdir(parents=True, exist_ok=True)
    number = 2
    while target.exists():
        target = (folder / path).with_stem(f"{Path(path).stem}-{number}")
        number += 1
    return target.relative_to(folder).as_posix()


class Recordings:
    """Where the recordings of an exported data set lie: at their own place, or copied into its folder.

    Attributes:
        copied: whether they are copied.
    """

    def __init__(self, folder: Path, out: Path, *, copied: bool) -> None:
        """Prepare to place recordings.

        Args:
            folder: that is written to.
            out: where this folder will be.
            copied: whether recordings are copied into it.
        """
        self._folder, self._out, self.copied = folder, Path(os.path.abspath(out)), copied
        self._copies: dict[str, str] = {}

    def absolute(self, row: Row) -> str:
        """Absolute path of a recording, which is copied where that is wanted."""
        return str(self._out / self._copy(row)) if self.copied else str(row.source)

    def relative(self, row: Row) -> str:
        """Path of a recording from the data set's folder, with slashes; copied where that is wanted.

        On Windows it is absolute if the recording lies on another drive.
        """
        if self.copied:
            return self._copy(row)
        try:
            return Path(os.path.relpath(row.source, self._out)).as_posix()
        except ValueError:
            return row.source.as_posix()

    def lasting(self, row: Row) -> str:
        """Path that holds when the folder is moved: relative for a copy, absolute otherwise."""
        return self.relative(row) if self.copied else self.absolute(row)

    def _copy(self, row: Row) -> str:
        if row.recording not in self._copies:
            path = free_path(self._folder, "audio/" + safe_path(row.recording + row.source.suffix))
            shutil.copyfile(row.source, self._folder / path)
            self._copies[row.recording] = path
        return self._copies[row.recording]


def piece(row: Row) -> tuple[str, bytes]:
    """Name and content of a recording by itself; a segment is cut out, with the samples it has.

    Returns:
        A path with slashes, and the bytes of the file.

    Raises:
        AudioError: the recording of a segment cannot be decoded.
    """
    if row.segment is None:
        return safe_path(row.name + row.source.suffix), row.source.read_bytes()
    import soundfile

    with row.source.open("rb") as handle, opened(handle, str(row.source)) as sound:
        rate, subtype = sound.sample_rate, sound.form.split()[1]
        start = round(row.segment.start_s * rate)
        end = sound.frames if row.segment.end_s is None else round(row.segment.end_s * rate)
        kind = subtype if soundfile.check_format("WAV", subtype) else "PCM_16"
        shape = (max(0, min(end, sound.frames) - start), sound.channels)
        sound.seek(start)
        samples = (
            sound.read(np.empty(shape, np.float64))
            if kind == "DOUBLE"
            else sound.read(np.empty(shape, np.float32))
        )
    content = io.BytesIO()
    soundfile.write(content, samples, rate, format="WAV", subtype=kind)
    return safe_path(row.name.replace("#", "_") + ".wav"), content.getvalue()
