"""Reasons for names that cannot be read; one wording for every corpus."""

import re
from collections.abc import Iterable
from pathlib import PurePosixPath

from ser_pipeline.records import CorpusCard, Reject


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
    return Reject(card.name, path, f"folder says {folder}, name says {name}; one of them is wrong")


def nearest_folder(path: PurePosixPath, pattern: re.Pattern[str]) -> re.Match[str] | None:
    """Match of the innermost folder of ``path`` that follows ``pattern``."""
    for part in reversed(path.parts[:-1]):
        match = pattern.fullmatch(part)
        if match is not None:
            return match
    return None
