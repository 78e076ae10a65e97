"""Row types: the description of a recording by its corpus, and the reason why one can't be used."""

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath
from types import MappingProxyType
from typing import Annotated, Any, Final, Literal, NamedTuple, Self, get_args
from urllib.parse import unquote, urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from ser_pipeline.labels import emotion_id

Gender = Literal["female", "male", "unknown"]
Intensity = Literal["unspecified", "low", "normal", "high"]
Modality = Literal["speech", "song"]
Style = Literal["acted", "elicited", "conversational", "unknown"]
Part = Literal["train", "validation", "test"]

PARTS: tuple[str, str, str] = ("train", "validation", "test")
"""Parts of a split, in the order they are shown."""

VOCABULARIES: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "intensity": get_args(Intensity),
        "gender": get_args(Gender),
        "modality": get_args(Modality),
        "style": get_args(Style),
        "part": PARTS,
    }
)
"""Field of a row -> the only values it may have."""

RATINGS: Final[Mapping[str, tuple[float, float]]] = MappingProxyType(
    {
        "valence": (-1.0, 1.0),
        "arousal": (-1.0, 1.0),
        "dominance": (-1.0, 1.0),
        "agreement": (0.0, 1.0),
        "naturalness": (0.0, 1.0),
        "rated_intensity": (0.0, 1.0),
    }
)
"""Field of a row -> the range it must lie in."""

MAX_FOLDS: Final = 32_767
"""What the manifest's column ``fold`` can hold."""

MOST_VOTES: Final = 32_767
"""Listeners who chose an emotion, as far as the manifest can hold their number."""

UNKNOWN_SPEAKER: Final = "unknown"
"""Who speaks where nothing says so, behind the corpus's id; no split by speaker can use such a recording."""


def names_nobody(speaker_id: str) -> bool:
    """Whether a recording does not say who speaks.

    Examples:
        >>> names_nobody("mesd-unknown"), names_nobody("mesd-3")
        (True, False)
    """
    return speaker_id.endswith(f"-{UNKNOWN_SPEAKER}")


def named_among(speaker_ids: Iterable[str]) -> list[str]:
    """The speakers that are somebody, of some.

    Examples:
        >>> named_among(["mesd-unknown", "mesd-3"])
        ['mesd-3']
    """
    return [name for name in speaker_ids if not names_nobody(name)]


MIN_CLIP_S = 0.1
"""Shorter recordings are rejects."""

CANCELLED_DB: Final = 12.0
"""Where the mean of the channels has so much less power than they have, the loudest one is used alone."""

SAMPLE_RATES: Final = (1_000, 1_000_000)
"""Lowest and highest believable sample rate, in Hz."""

WINDOW_S: Final = 60.0
"""Longer recordings are read up to here; what is beyond belongs to windowed prediction."""

DECODING: Final = 2
"""Raised whenever other samples are asked of decoders that are not libsndfile."""

DIGEST_BYTES: Final = 16
"""Bytes of a digest; 128 bits keep 10^6 clips apart with certainty for all practical purposes."""


class Segment(NamedTuple):
    """A part of a longer recording.

    Attributes:
        start_s: in seconds from the start of the recording.
        end_s: likewise; None for the end of the recording.

    Examples:
        >>> str(Segment(12.34, 15.0)), str(Segment(12.34))
        ('12.340-15.000', '12.340-end')
    """

    start_s: float
    end_s: float | None = None

    @classmethod
    def of(cls, start_s: float | None, end_s: float | None) -> "Segment | None":
        """Round bounds to milliseconds; a missing start is 0, and without either it is not a segment."""
        if start_s is None and end_s is None:
            return None
        return cls(round(start_s or 0.0, 3), None if end_s is None else round(end_s, 3))

    def __str__(self) -> str:
        """Bounds in seconds, to the millisecond."""
        end = "end" if self.end_s is None else f"{self.end_s:.3f}"
        return f"{self.start_s:.3f}-{end}"

    def digest(self, recording: str, lead: int = 0) -> str:
        """Digest of this part of a recording: the same in every copy of it.

        Args:
            recording: digest of the file's bytes.
            lead: frames that are decoded before it if it begins later; before there were any, other samples
                were read.

        Returns:
            32 hexadecimal digits.
        """
        led = f"#{lead}" if lead and self.start_s else ""
        return hashlib.blake2b(f"{recording}#{self}{led}".encode(), digest_size=DIGEST_BYTES).hexdigest()


def digest_as_decoded(digest: str, decoder: str) -> str:
    """Digest of a recording of which another decoder may make other samples.

    Args:
        digest: of the file's bytes.
        decoder: its name and version; empty for libsndfile, whose version is part of every store's name.

    Returns:
        32 hexadecimal digits; ``digest`` itself for libsndfile.
    """
    if not decoder:
        return digest
    return hashlib.blake2b(f"{digest}#{decoder}#{DECODING}".encode(), digest_size=DIGEST_BYTES).hexdigest()


def part_of(name: str, segment: Segment | None) -> str:
    """Name of a part of a recording; that of the recording where it is all of it.

    Examples:
        >>> part_of("talk.wav", Segment(1.5, 4.0)), part_of("talk.wav", None)
        ('talk.wav#1.500-4.000', 'talk.wav')
    """
    return name if segment is None else f"{name}#{segment}"


def _address(text: str) -> str:
    name = PurePosixPath(unquote(urlsplit(text).path)).name
    if not re.match(r"https?://[^\s/]+/\S+$", text) or not re.fullmatch(r"[\w()+,-][\w .()+,-]*", name):
        raise ValueError("must begin with http:// or https://, and end with the name of a file")
    return text


def _digest(digits: int) -> AfterValidator:
    def check(text: str) -> str:
        if not re.fullmatch(rf"([0-9a-f]{{{digits}}})?", text):
            raise ValueError(f"must be {digits} hexadecimal digits, in small letters")
        return text

    return AfterValidator(check)


class Download(BaseModel):
    """A file of a corpus that its publisher offers for download.

    Attributes:
        url: address of the file.
        size: in bytes.
        sha256: of its bytes, 64 hexadecimal digits; this or ``md5`` is needed.
        md5: of its bytes, 32 hexadecimal digits.
        unpack: an archive is unpacked; otherwise it is kept as it is.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    url: Annotated[str, AfterValidator(_address)]
    size: Annotated[int, Field(gt=0)]
    sha256: Annotated[str, _digest(64)] = ""
    md5: Annotated[str, _digest(32)] = ""
    unpack: bool = True

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if not (self.sha256 or self.md5):
            raise ValueError("needs sha256 or md5, by which the file is checked")
        return self

    @property
    def name(self) -> str:
        """Name of the file.

        Examples:
            >>> Download(url="https://example.org/a/b%20c.zip?download=1", size=1, md5="0" * 32).name
            'b c.zip'
        """
        return PurePosixPath(unquote(urlsplit(self.url).path)).name

    @property
    def digest(self) -> str:
        """The hash with its kind before it, as pooch wants it."""
        return f"sha256:{self.sha256}" if self.sha256 else f"md5:{self.md5}"


@dataclass(frozen=True, slots=True)
class CorpusCard:
    """What is published of a corpus.

    Attributes:
        name: corpus id, as in ``--corpora``.
        title: the corpus's own name.
        language: BCP 47 tag.
        language_name: the language in English, with its country where that tells corpora apart.
        speakers: number of speakers in the complete corpus; 0 where it is not known, as of ``clips``.
        clips: number of recordings in the complete corpus.
        layout: one official path, as an example.
        folders: patterns of the official folders above a recording or table, outermost first.
        style: how the emotions came about.
        modality: spoken or sung.
        licence: of the recordings, in the publisher's words.
        source: DOI or address of the publication.
        obtain: address of the page that offers the recordings.
        access: what it takes to get them: ``open``, ``registration``, ``request`` or ``paid``.
        people: the corpus's own codes of its speakers; empty where they are not known.
        counts: emotion -> recordings of the complete corpus; empty where they are not known.
        sample_rate: in Hz; 0 where it is not known or differs within the corpus.
        channels: number of channels; 0 where it is not known or differs within the corpus.
        format: container and samples in the words of libsndfile, as ``WAV PCM_16``; empty if unknown.
        mean_s: mean duration of a recording in seconds; 0 where it is not known.
        notes: on quirks, in sentences.
        downloads: files that the publisher offers; together they are the corpus.
    """

    name: str
    title: str
    language: str
    language_name: str
    speakers: int
    clips: int
    layout: str
    folders: tuple[str, ...]
    style: Style
    licence: str
    source: str
    modality: Modality = "speech"
    obtain: str = ""
    access: str = ""
    people: tuple[str, ...] = ()
    counts: Mapping[str, int] = field(default_factory=dict)
    sample_rate: int = 0
    channels: int = 0
    format: str = ""
    mean_s: float = 0.0
    notes: str = ""
    downloads: tuple[Download, ...] = ()


@dataclass(frozen=True, slots=True)
class Utterance:
    """One recording as its corpus describes it; nothing here needs the audio.

    Attributes:
        corpus: corpus id.
        path: of the file, relative to the folder it was scanned from.
        canonical: official path without suffix, whatever folders the file was found in.
        source_label: the corpus's own code.
        emotion: name in :data:`ser_pipeline.labels.EMOTIONS`, or ``other``.
        speaker_id: ``<corpus>-<id>``.
        language: BCP 47 tag.
        age: in years.
        valence: in [-1, 1], as are ``arousal`` and ``dominance``.
        votes: emotion name -> number of raters who chose it.
        agreement: share in [0, 1] of raters who chose the most frequent answer.
        naturalness: share in [0, 1] of listeners who found it natural.
        rated_intensity: raters' mean intensity in [0, 1].
        start_s: where a segment of a longer recording begins, in seconds; None for a whole recording.
        end_s: where it ends; None for the recording's end.
        part: one of ``PARTS``, as published.
        fold: as published.
    """

    corpus: str
    path: PurePosixPath
    canonical: str
    source_label: str
    emotion: str
    speaker_id: str
    language: str
    style: Style = "acted"
    modality: Modality = "speech"
    intensity: Intensity = "unspecified"
    session_id: str | None = None
    gender: Gender = "unknown"
    age: int | None = None
    sentence_id: str | None = None
    text: str | None = None
    take: str | None = None
    valence: float | None = None
    arousal: float | None = None
    dominance: float | None = None
    votes: Mapping[str, int] = field(default_factory=dict)
    agreement: float | None = None
    naturalness: float | None = None
    rated_intensity: float | None = None
    start_s: float | None = None
    end_s: float | None = None
    part: Part | None = None
    fold: int | None = None

    @property
    def segment(self) -> Segment | None:
        """The part of the recording that is meant; None for all of it."""
        return Segment.of(self.start_s, self.end_s)

    @property
    def utterance_id(self) -> str:
        """``<corpus>/<canonical path>``, of a segment with its bounds: the same wherever the corpus lies."""
        return part_of(f"{self.corpus}/{self.canonical}", self.segment)

    @property
    def emotion_id(self) -> int:
        """Shared id of the emotion."""
        return emotion_id(self.emotion)

    def with_facts(self, **facts: Any) -> "Utterance":
        """Return a copy with some fields replaced, for what a corpus's tables add."""
        return replace(self, **facts)


@dataclass(frozen=True, slots=True)
class Reject:
    """A recording that can't be used, and why.

    Attributes:
        corpus: corpus id, or ``unknown`` for a file that belongs to none.
        path: of the file, relative to the folder it was scanned from.
        reason: one line: what was found and what is valid.
    """

    corpus: str
    path: PurePosixPath
    reason: str


@dataclass(frozen=True, slots=True)
class MissingAudio:
    """Rows of a corpus's own table that have no recording: normal for a partial download.

    Attributes:
        corpus: corpus id.
        table: name of the table.
        count: rows without audio.
        examples: the first few names.
    """

    corpus: str
    table: str
    count: int
    examples: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class TableProblem:
    """A corpus's own table that is missing or cannot be read in full; its recordings still come.

    Attributes:
        corpus: corpus id.
        table: name of the table.
        reason: one line: what was found and what the rows lack because of it.
    """

    corpus: str
    table: str
    reason: str


Record = Utterance | Reject | MissingAudio | TableProblem
"""What the scan of a corpus yields: one of the first two per file, then the others."""
