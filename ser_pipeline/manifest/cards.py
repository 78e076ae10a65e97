"""Information about the corpora of a manifest, from the manifest itself.

A build writes title, language and complete size of every corpus into the manifest's metadata, so
that its readers need no code of a corpus. For an older manifest, or a run on corpora of
another one, the shipped corpora are asked; an unknown corpus is shown by its id.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from ser_pipeline.corpora import CORPORA, Corpus
from ser_pipeline.corpora.discover import UNKNOWN
from ser_pipeline.records import CorpusCard


@dataclass(frozen=True, slots=True)
class KnownCorpus:
    """What a page or a table says of a corpus.

    Attributes:
        title: the corpus's own name.
        language: BCP 47 tag.
        language_name: the language in English.
        clips: recordings of the complete corpus; 0 if nobody has published the number, as for ``speakers``.
        speakers: people in the complete corpus.
    """

    title: str
    language: str
    language_name: str
    clips: int
    speakers: int

    @classmethod
    def of(cls, card: CorpusCard) -> "KnownCorpus":
        """Take what is shown from a corpus's card."""
        return cls(card.title, card.language, card.language_name, card.clips, card.speakers)


@dataclass(frozen=True)
class KnownCorpora(Mapping[str, KnownCorpus]):
    """Corpus id -> what is known of it, in the order they are shown: the shipped ones, then others by id."""

    cards: Mapping[str, KnownCorpus]

    @classmethod
    def of(cls, facts: Mapping[str, Any]) -> "KnownCorpora":
        """Read the facts of a manifest.

        Raises:
            KeyError: a fact of a corpus is missing; likewise ``TypeError`` and ``ValueError`` for odd ones.
        """
        shipped = {name: KnownCorpus.of(module.CARD) for name, module in CORPORA.items()}
        told = {
            str(name): KnownCorpus(
                title=str(card["title"]),
                language=str(card["language"]),
                language_name=str(card["language_name"]),
                clips=int(card["clips"]),
                speakers=int(card["speakers"]),
            )
            for name, card in sorted(facts.get("cards", {}).items())
        }
        return cls({**shipped, **told})

    def __getitem__(self, corpus: str) -> KnownCorpus:
        """What is known of a corpus."""
        return self.cards[corpus]

    def __iter__(self) -> Iterator[str]:
        """Ids in the order they are shown."""
        return iter(self.cards)

    def __len__(self) -> int:
        """How many corpora are known."""
        return len(self.cards)

    def title(self, corpus: str) -> str:
        """Name of a corpus; its id where nothing is known of it.

        Examples:
            >>> KnownCorpora.of({}).title("emodb"), KnownCorpora.of({}).title("mine")
            ('EMO-DB', 'mine')
        """
        if corpus == UNKNOWN:
            return "no known corpus"
        return self.cards[corpus].title if corpus in self.cards else corpus

    def language(self, tag: str) -> str:
        """Name of a language with its tag, as a corpus's card calls it; the tag where none does.

        Examples:
            >>> KnownCorpora.of({}).language("de"), KnownCorpora.of({}).language("en-GB")
            ('German (de)', 'English (UK)')
        """
        name = next((card.language_name for card in self.cards.values() if card.language == tag), tag)
        return name if name == tag or "(" in name else f"{name} ({tag})"

    def order(self, corpora: Iterable[str]) -> list[str]:
        """Sort corpora as they are shown; unknown ones come last.

        Examples:
            >>> KnownCorpora.of({}).order({"mine", "emodb", "cremad"})
            ['cremad', 'emodb', 'mine']
        """
        asked = set(corpora)
        return [name for name in self.cards if name in asked] + sorted(asked - self.cards.keys())


def card_facts(modules: Mapping[str, Corpus], corpora: Iterable[str]) -> dict[str, dict[str, Any]]:
    """What a manifest keeps of the cards of its corpora."""
    return {name: asdict(KnownCorpus.of(modules[name].CARD)) for name in sorted(corpora) if name in modules}
