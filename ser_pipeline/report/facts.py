"""What others published: sizes of the complete corpora, and the source report's own numbers."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final


@dataclass(frozen=True)
class Published:
    """A complete corpus, as its publishers describe it.

    Attributes:
        title: the corpus's own name.
        clips: recordings.
        speakers: people.
    """

    title: str
    clips: int
    speakers: int


CORPORA: Final[Mapping[str, Published]] = MappingProxyType(
    {
        "cremad": Published("CREMA-D", 7442, 91),
        "ravdess": Published("RAVDESS", 1440, 24),
        "ravdess-song": Published("RAVDESS songs", 1012, 23),
        "savee": Published("SAVEE", 480, 4),
        "tess": Published("TESS", 2800, 2),
        "iemocap": Published("IEMOCAP", 10039, 10),
        "nemo": Published("nEMO", 4481, 9),
        "emodb": Published("EmoDB", 535, 10),
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
