"""Languages and their tags, as tables, labels and texts tell them."""

import re
import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Final

from ser_pipeline.corpora.words import is_missing, known_words, plain

NO_LANGUAGE: Final = frozenset({"mul", "und"})
"""Language of recordings in several languages, or in one that is not known."""

COUNTRIES: Final[Mapping[str, str]] = {"GB": "UK", "CA": "Canada"}
"""Parts of BCP 47 tags that are not what a country is called; short ones that all know stay."""


def language_of(tag: str) -> str:
    """The language of a BCP 47 tag, whatever its region or script; "" if it is not one, or not known.

    Examples:
        >>> language_of("en-US"), language_of("EN_gb"), language_of("und")
        ('en', 'en', '')
    """
    language = re.split("[-_]", tag.lower(), maxsplit=1)[0]
    return "" if language in NO_LANGUAGE else language


def usual_tag(tag: str) -> str:
    """A BCP 47 tag in the letters that BCP 47 recommends, so that one language has one tag.

    Examples:
        >>> usual_tag("EN"), usual_tag("en_gb"), usual_tag("ZH-hans-cn"), usual_tag("es-419")
        ('en', 'en-GB', 'zh-Hans-CN', 'es-419')
    """
    language, *rest = re.split("[-_]", tag.lower())
    kinds = {2: str.upper, 4: str.title}
    return "-".join([language, *(kinds.get(len(part), str)(part) for part in rest)])


def in_language(tag: str, wanted: str) -> bool:
    """Whether a BCP 47 tag is another one, or a kind of it.

    Examples:
        >>> in_language("en-US", "en"), in_language("en", "en-US"), in_language("DE", "de")
        (True, False, True)
    """
    return f"{usual_tag(tag)}-".startswith(f"{usual_tag(wanted)}-")


def language_name(tag: str) -> str:
    """The language of a BCP 47 tag in English; the tag itself where it is not among the usual ones.

    Examples:
        >>> language_name("it"), language_name("en-GB"), language_name("und")
        ('Italian', 'English (UK)', 'unknown')
    """
    language, _, rest = tag.partition("-")
    name = known_words()["languages"].get(language.lower())
    if name is None:
        return tag
    return f"{name} ({COUNTRIES.get(rest, rest)})" if rest else str(name)


def is_language(tag: str) -> bool:
    """Whether a word is the tag of one of the usual languages, in small letters.

    Examples:
        >>> is_language("it"), is_language("f"), is_language("und")
        (True, False, False)
    """
    return tag in known_words()["languages"] and tag != "und"


def language_of_labels(labels: Sequence[str]) -> str | None:
    """Tag of the language that labels are words of; None for English, and where it cannot be told.

    Examples:
        >>> language_of_labels(["Wut", "Trauer", "Freude"]), language_of_labels(["anger", "fear", "sad"])
        ('de', None)
    """
    written = {plain(label) for label in labels}
    shares = {tag: len(written & set(words.split())) for tag, words in known_words()["initials"].items()}
    best = max(shares, key=lambda tag: shares[tag])
    return best if shares[best] >= 3 and shares[best] > shares["en"] else None


def language_of_word(word: str) -> str | None:
    """BCP 47 tag of a language that is given by name or by a code of ISO 639; None where it is not known.

    Names are known in English, the language itself and some others; what stands in brackets behind a name
    is passed over. ``und`` is for words that say that nobody knows.

    Examples:
        >>> language_of_word("Italian"), language_of_word("Chinese"), language_of_word("pt-BR")
        ('it', 'zh', 'pt-BR')
        >>> language_of_word("eng"), language_of_word("Englisch"), language_of_word("en_gb")
        ('en', 'en', 'en-GB')
        >>> language_of_word("Spanish (Mexico)"), language_of_word("n/a"), language_of_word("Klingon")
        ('es', 'und', None)
    """
    if is_missing(word):
        return "und"
    name = word.partition("(")[0].strip()
    first, *rest = re.split("[-_]", name)
    if re.search(r"\d", first):
        return None
    if found := _languages().get(plain(name)):
        return found
    found = _languages().get(plain(first))
    known = found and all(re.fullmatch("[A-Za-z0-9]{1,8}", part) for part in rest)
    return usual_tag("-".join([found or "", *rest])) if known else None


def three_letters() -> Mapping[str, str]:
    """Tag of a language -> its code in ISO 639-3.

    Examples:
        >>> three_letters()["de"]
        'deu'
    """
    return {tag: str(codes).split()[0] for tag, codes in known_words()["iso"].items()}


@cache
def _languages() -> Mapping[str, str]:
    """Plain name or code of a language -> its tag."""
    words = known_words()
    found = {"und": "und", "mul": "mul", **{tag: tag for tag in words["languages"]}}
    for tongue in words["tongues"]["words"].split():
        tag, *codes = tongue.split("=")
        found |= dict.fromkeys((tag, *codes), tag)
    found |= {code: tag for tag, codes in words["iso"].items() for code in codes.split()}
    found |= {name: tag for tag, names in words["names"].items() for name in names.split()}
    return found | {plain(name): tag for name, tag in _tags().items()}


@cache
def _tags() -> Mapping[str, str]:
    names = {
        name.lower(): tag for tag, name in known_words()["languages"].items() if tag not in ("mul", "und")
    }
    return names | {name: tag for tag, also in known_words()["aliases"].items() for name in also.split()}


def language_of_text(said: str, about: str) -> str | None:
    """Tag of the language of a text, by its script or else by what is written about it.

    Args:
        said: words that are spoken; "" for none.
        about: what is written about these words, which names their language more often than others.

    Examples:
        >>> language_of_text("안녕하세요", ""), language_of_text("", "a corpus of Quechua speech")
        ('ko', 'qu')
    """
    scripts = Counter(
        unicodedata.name(letter, "").partition(" ")[0] for letter in said if not letter.isascii()
    )
    for tag, names in known_words()["scripts"].items():
        if sum(scripts[name] for name in names.split()) > 0.3 * sum(map(str.isalpha, said)):
            return str(tag)
    named = Counter(_tags()[word] for word in re.findall(r"[a-z]+", about.lower()) if word in _tags())
    likely = named.most_common(2)
    return likely[0][0] if likely and (len(likely) == 1 or likely[0][1] > likely[1][1]) else None
