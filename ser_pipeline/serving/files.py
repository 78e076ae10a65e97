"""Which recordings a command line means: files, folders, patterns, standard input."""

import glob
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from ser_pipeline.corpora.files import audio_files
from ser_pipeline.errors import CorpusError
from ser_pipeline.serving.prediction import Failure

STDIN: Final = Path("-")
"""Stands for standard input."""


def expand(words: Sequence[str]) -> tuple[list[Path], list[Failure]]:
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
    failures: list[Failure] = []
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
            failures.append(Failure(word, reason))
    return paths, failures


def _in_folder(folder: Path) -> tuple[list[Path], str]:
    try:
        return [folder / name for name in audio_files(folder)], f"{folder}: holds no recording"
    except CorpusError as error:
        return [], str(error)
