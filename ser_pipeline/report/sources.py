"""Read what the report shows of the data, and what others published of it."""

import hashlib
import json
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from ser_pipeline.errors import ManifestError, SplitError
from ser_pipeline.runs.types import Unread


@dataclass(frozen=True)
class CompleteCorpus:
    """A complete corpus, as its publishers describe it.

    Attributes:
        title: the corpus's own name.
        clips: recordings.
        speakers: people.
    """

    title: str
    clips: int
    speakers: int


CORPORA: Final[Mapping[str, CompleteCorpus]] = MappingProxyType(
    {
        "cremad": CompleteCorpus("CREMA-D", 7442, 91),
        "ravdess": CompleteCorpus("RAVDESS", 1440, 24),
        "ravdess-song": CompleteCorpus("RAVDESS songs", 1012, 23),
        "savee": CompleteCorpus("SAVEE", 480, 4),
        "tess": CompleteCorpus("TESS", 2800, 2),
        "iemocap": CompleteCorpus("IEMOCAP", 10039, 10),
        "nemo": CompleteCorpus("nEMO", 4481, 9),
        "emodb": CompleteCorpus("EmoDB", 535, 10),
    }
)
"""Corpus id -> complete corpus, in the order they are shown."""

UNKNOWN: Final = "unknown"
"""Corpus of a file that belongs to none."""

LANGUAGES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "en-US": "English (US)",
        "en-GB": "English (UK)",
        "en-CA": "English (Canada)",
        "de": "German",
        "pl": "Polish",
    }
)
"""BCP 47 tag -> name in English, of the languages of the corpora above."""


@dataclass(frozen=True)
class Claim:
    """A row of the source report's table of results.

    Attributes:
        model: what was trained.
        task: number of classes, in words.
        accuracy: in percent, as printed there.
        macro_f1: in percent; None where none is given.
        lowest: of ``accuracy`` where a range is given.
    """

    model: str
    task: str
    accuracy: float
    macro_f1: float | None = None
    lowest: float | None = None


CLAIMS: Final = (
    Claim("CRNN", "4 classes", 81.29, 83.63),
    Claim("CRNN", "6 classes", 76.76, 82.80),
    Claim("1-D CNN on features", "8 classes", 72.0),
    Claim("dense network on 253 features, raw", "not stated", 67.0, lowest=55.0),
    Claim("dense network, relative features", "not stated", 73.0),
    Claim("dense network, speaker normalisation", "not stated", 91.0),
)
"""Validation results as claimed in the source report; no code or log backs them."""

CLAIM_PROTOCOL: Final = "claimed, clips of one speaker on both sides"
"""Under which the source report made its numbers."""


def corpus_title(corpus: str) -> str:
    """Name of a corpus; its id where it is not one of the eight.

    Examples:
        >>> corpus_title("emodb"), corpus_title("mine")
        ('EmoDB', 'mine')
    """
    if corpus == UNKNOWN:
        return "no known corpus"
    return CORPORA[corpus].title if corpus in CORPORA else corpus


def language_title(tag: str) -> str:
    """Name of a language with its tag.

    Examples:
        >>> language_title("de"), language_title("fi")
        ('German (de)', 'fi')
    """
    if tag not in LANGUAGES:
        return tag
    return LANGUAGES[tag] if "(" in LANGUAGES[tag] else f"{LANGUAGES[tag]} ({tag})"


def corpus_order(corpora: set[str]) -> list[str]:
    """Sort corpora: the eight in their order, then others by id.

    Examples:
        >>> corpus_order({"mine", "emodb", "cremad"})
        ['cremad', 'emodb', 'mine']
    """
    return [corpus for corpus in CORPORA if corpus in corpora] + sorted(corpora - set(CORPORA))


SCHEMA_VERSION = 1
"""Of the manifests this page can read."""

MANIFEST_COLUMNS = (
    "utterance_id", "corpus", "audio_digest", "source_label", "emotion_id", "intensity",
    "speaker_id", "gender", "age", "language", "modality", "style", "duration_s", "sample_rate",
)  # fmt: skip
REJECT_COLUMNS = ("corpus", "path", "reason")
SPLIT_COLUMNS = ("utterance_id", "part", "fold")

_CHUNK = 1 << 20


@dataclass(frozen=True)
class SplitFile:
    """One file of ``manifests/splits``.

    Attributes:
        name: as in ``--split``.
        table: ``utterance_id``, ``part``, ``fold``.
        facts: the file's own description: note, seed, ratios, folds, leaks_speakers.
        stale: made for another manifest than the one beside it.
    """

    name: str
    table: pa.Table
    facts: Mapping[str, Any]
    stale: bool

    @property
    def has_folds(self) -> bool:
        """Every clip is tested in one fold, instead of belonging to one part."""
        return bool(self.table["fold"].null_count < self.table.num_rows)

    @property
    def leaks_speakers(self) -> bool:
        """The file itself says that it has the same people on both sides."""
        return bool(self.facts.get("leaks_speakers", False))

    @property
    def note(self) -> str:
        """What its reader must know."""
        return str(self.facts.get("note") or "")


@dataclass(frozen=True)
class Data:
    """All that is known of the recordings.

    Attributes:
        table: the manifest, :data:`MANIFEST_COLUMNS`.
        rejects: recordings that cannot be used, with reasons.
        splits: by name.
        synthetic: corpora whose recordings were synthesised.
        digest: of the manifest file, in the form runs name it.
        facts: the manifest's own description.
        unread: split files that cannot be read.
    """

    table: pa.Table
    rejects: pa.Table
    splits: tuple[SplitFile, ...]
    synthetic: frozenset[str]
    digest: str
    facts: Mapping[str, Any]
    unread: tuple[Unread, ...] = ()


def read_data(manifests: Path) -> Data:
    """Read the manifest and what lies beside it; split files that cannot be read are listed.

    Args:
        manifests: folder that ``ser manifest build`` wrote to.

    Raises:
        ManifestError: there is no manifest, or a file of another version.
    """
    path = manifests / "manifest.parquet"
    if not path.is_file():
        raise ManifestError(f"{path}: not found; make it with 'ser manifest build'")
    table, facts = _read(path, MANIFEST_COLUMNS, ManifestError, "build it again with 'ser manifest build'")
    version = facts.get("schema_version")
    if version != SCHEMA_VERSION:
        raise ManifestError(
            f"{path}: schema version {version}, this ser reads {SCHEMA_VERSION}; "
            "build it again with 'ser manifest build'"
        )
    corpora = set(table["corpus"].unique().to_pylist())
    splits, unread = _read_splits(manifests / "splits", path)
    return Data(
        table=table,
        rejects=_read_rejects(manifests / "rejects.parquet"),
        splits=splits,
        synthetic=synthetic_corpora(facts, corpora),
        digest=file_digest(path),
        facts=facts,
        unread=unread,
    )


def synthetic_corpora(facts: Mapping[str, Any], corpora: set[str]) -> frozenset[str]:
    """Corpora that a manifest calls synthetic; all of them where it names none in particular.

    Examples:
        >>> sorted(synthetic_corpora({"synthetic": True, "synthetic_corpora": ["tess"]}, {"tess", "savee"}))
        ['tess']
    """
    named = facts.get("synthetic_corpora")
    if named is not None:
        return frozenset(corpora & set(named))
    return frozenset(corpora if facts.get("synthetic") else ())


def file_digest(path: Path, size: int = 16) -> str:
    """BLAKE2b of a file's bytes, ``size`` bytes long, in hex."""
    state = hashlib.blake2b(digest_size=size)
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            state.update(chunk)
    return state.hexdigest()


def _read(
    path: Path, columns: tuple[str, ...], error: type[ManifestError], remedy: str
) -> tuple[pa.Table, dict[str, Any]]:
    try:
        schema = pq.read_schema(path)
        absent = [column for column in columns if column not in schema.names]
        if absent:
            raise error(f"{path}: has no column {', '.join(absent)}; {remedy}")
        facts = json.loads((schema.metadata or {}).get(b"ser", b"{}"))
        if not isinstance(facts, dict):
            raise error(f"{path}: was not written by 'ser'; {remedy}")
        return pq.read_table(path, columns=list(columns), memory_map=False), facts
    except (pa.ArrowException, OSError, ValueError) as problem:
        first = str(problem).splitlines()[0]
        raise error(f"{path}: cannot be read ({first}); {remedy}") from None


def _read_rejects(path: Path) -> pa.Table:
    if not path.is_file():
        return pa.table({column: pa.array([], pa.string()) for column in REJECT_COLUMNS})
    return _read(path, REJECT_COLUMNS, ManifestError, "build it again with 'ser manifest build'")[0]


def _read_splits(folder: Path, manifest: Path) -> tuple[tuple[SplitFile, ...], tuple[Unread, ...]]:
    splits: list[SplitFile] = []
    unread: list[Unread] = []
    for path in sorted(folder.glob("[!.]*.parquet")):
        try:
            splits.append(_read_split(path, manifest))
        except SplitError as error:
            unread.append(Unread("split", path.stem, str(error)))
    return tuple(splits), tuple(unread)


def _read_split(path: Path, manifest: Path) -> SplitFile:
    again = f"make it again with 'ser manifest split {shlex.quote(path.stem)}'"
    table, facts = _read(path, SPLIT_COLUMNS, SplitError, again)
    made_for = str(facts.get("manifest_digest", ""))
    name = str(facts.get("name") or path.stem)
    size = min(64, max(1, len(made_for) // 2))  # BLAKE2b gives 1 to 64 bytes
    return SplitFile(name, table, facts, stale=made_for != file_digest(manifest, size))
