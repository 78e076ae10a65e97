"""What tests of a corpus share; each corpus's test holds its official names and their published counts."""

from collections.abc import Callable, Iterable
from importlib import import_module
from pathlib import Path, PurePosixPath

import pytest

from ser_pipeline.corpora.listed import listed_corpora
from ser_pipeline.records import Reject, Utterance


def refusal(row: Utterance | Reject) -> str:
    """Why a recording is rejected."""
    assert isinstance(row, Reject)
    return row.reason


def published() -> dict[str, Callable[[], Iterable[str]]]:
    """Corpus id -> its official paths, of every corpus whose names are public."""
    own = {name: import_module(f"tests.corpora.test_{name}") for name in ("cremad", "nemo", "emodb")}
    return {**import_module("tests.corpora.test_named").OFFICIAL, **{n: t.official for n, t in own.items()}}


@pytest.fixture(scope="session")
def official_names() -> dict[str, list[PurePosixPath]]:
    """Corpus id -> official paths, complete, rebuilt from what is regular about them.

    The test marked ``real`` compares these lists with the published ones where those are at hand.
    """
    return {name: [PurePosixPath(path) for path in official()] for name, official in published().items()}


@pytest.fixture
def put(tmp_path: Path) -> Callable[..., Path]:
    """Write files below ``tmp_path``; a recording needs no content, since none is opened."""

    def write(*paths: str, **texts: str | bytes) -> Path:
        for path in paths:
            file = tmp_path / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.touch()
        for path, text in texts.items():
            file = tmp_path / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(text.encode() if isinstance(text, str) else text)
        return tmp_path

    return write


@pytest.fixture
def home(tmp_path):
    """A folder with four recordings below ``rec``; nothing here reads them."""
    for name in ("anna/a1.wav", "anna/a2.wav", "ben/b1.wav", "ben/b2.wav"):
        path = tmp_path / "rec" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return tmp_path


def scanned(file, data=None, **options):
    data = data or file.parent
    corpora, discovery = listed_corpora([file], data, **options)
    (found,) = discovery.found
    return list(corpora[found.corpus].scan(data, found.files))


def rows_of(home, text, *, name="mine.csv", encoding="utf-8", **options):
    file = home / name
    file.write_bytes(text.encode(encoding))
    return scanned(file, **options)
