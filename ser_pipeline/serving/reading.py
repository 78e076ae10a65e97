"""Which recordings a command line means, and reading one of any length block by block."""

import glob
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import soundfile

from ser_pipeline.arrays import Float32s
from ser_pipeline.audio.decode import MemoryFile
from ser_pipeline.corpora.files import audio_files
from ser_pipeline.errors import AudioError, AudioMissing, CorpusError
from ser_pipeline.serving.prediction import Unusable


def expand(words: Sequence[str]) -> tuple[list[Path], list[Unusable]]:
    """Find the recordings that words of a command line name.

    Args:
        words: files, folders (every recording below them, sorted), patterns such as ``**/*.wav`` that the
            shell has not expanded, and ``-`` for standard input.

    Returns:
        Paths in the order of the words, and what names no recording, with the reason. A file that does
        not exist stays among the paths: opening it tells.

    Examples:
        >>> expand(["a.wav", "-"])
        ([PosixPath('a.wav'), PosixPath('-')], [])
    """
    paths: list[Path] = []
    failures: list[Unusable] = []
    for word in words:
        path = Path(word)
        if path.is_dir():
            found, reason = _in_folder(path)
        elif not path.exists() and glob.has_magic(word):
            found = sorted(Path(name) for name in glob.glob(word, recursive=True) if Path(name).is_file())
            reason = f"{word}: matches no file"
        else:
            found, reason = [path], ""
        paths += found
        if not found:
            failures.append(Unusable(word, reason))
    return paths, failures


def _in_folder(folder: Path) -> tuple[list[Path], str]:
    try:
        return [folder / name for name in audio_files(folder)], f"{folder}: holds no recording"
    except CorpusError as error:
        return [], str(error)


BLOCK_S: Final = 10.0
"""Seconds read at a time."""


@dataclass(frozen=True, slots=True)
class Blocks:
    """An open recording.

    Attributes:
        sample_rate: in Hz.
        duration_s: as its header says.
    """

    sample_rate: int
    duration_s: float
    _file: Any
    _name: str

    def __iter__(self) -> Iterator[Float32s]:
        """Mono samples, block after block, each of shape ``(n,)``.

        Raises:
            AudioError: a block cannot be decoded.
        """
        size = round(BLOCK_S * self.sample_rate)
        try:
            for block in self._file.blocks(size, dtype="float32", always_2d=True):
                yield block[:, 0] if block.shape[1] == 1 else block.mean(axis=1, dtype=np.float32)
        except soundfile.LibsndfileError as error:
            raise _undecodable(self._name, error) from None


@contextmanager
def file_blocks(source: str | Path | bytes, name: str) -> Iterator[Blocks]:
    """Open a recording for reading in blocks.

    Args:
        source: a file, or the bytes of one.
        name: for messages.

    Raises:
        AudioMissing: the file cannot be opened.
        AudioError: no recording libsndfile can decode.
    """
    try:
        with _opened(source) as handle, soundfile.SoundFile(handle) as file:
            yield Blocks(int(file.samplerate), file.frames / file.samplerate, file, name)
    except soundfile.LibsndfileError as error:
        raise _undecodable(name, error) from None
    except OSError as error:
        raise AudioMissing(f"{name}: cannot be read: {error.strerror or error}") from None


def _opened(source: str | Path | bytes) -> AbstractContextManager[Any]:
    if isinstance(source, bytes):
        return nullcontext(MemoryFile(memoryview(source)))
    return Path(source).open("rb")


def _undecodable(name: str, error: soundfile.LibsndfileError) -> AudioError:
    return AudioError(f"{name}: not a recording libsndfile can decode: {error.error_string}")
