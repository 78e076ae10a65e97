"""Recordings in the folders of data sets that are exported or imported."""

import io
import os
import re
import shutil
from pathlib import Path
from typing import Final

import numpy as np

from ser_pipeline.atomic import write_atomically
from ser_pipeline.audio.sound import opened
from ser_pipeline.errors import SerError
from ser_pipeline.exchange.items import Row

_ODD: Final = re.compile(r'[\x00-\x1f<>:"|?*\\]')
"""What some file system does not allow in a name."""


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
        """Path of a recording from the data set's folder, with slashes; copied where that is wanted."""
        if self.copied:
            return self._copy(row)
        return Path(os.path.relpath(row.source, self._out)).as_posix()

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
