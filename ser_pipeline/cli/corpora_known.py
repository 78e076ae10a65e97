"""What is known of each corpus: ``ser corpora list`` and ``ser corpora show``."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from ser_pipeline.cli.common import (
    DataOption,
    Format,
    FormatOption,
    FullOption,
    on_screen,
    out,
    plain_errors,
    say,
    show_table,
)
from ser_pipeline.tables import Column, Entry, cells, shortened

if TYPE_CHECKING:
    from ser_pipeline.acquire import Holding
    from ser_pipeline.corpora import Corpus

DATA: Final = Path("DataSets")

_TRIED: Final = {"files": "real recordings", "rule": "names made from the published rule"}
"""What a description was tried on; a module has tests of its own."""

LICENCE_WIDTH: Final = 24
"""Most letters of a licence in a list; ``ser corpora show`` has all of it."""

NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="Show this corpus.")]


def list_corpora(data: DataOption = DATA, full: FullOption = False, fmt: FormatOption = Format.table) -> None:
    """List the corpora that the toolkit reads, and what of each lies below --data."""
    with plain_errors():
        from ser_pipeline.acquire import missing

        corpora = known()
        found = found_below(data, corpora)
        brief = fmt is Format.table and on_screen() and not full
        listed = {name: corpus for name, corpus in corpora.items() if name in found} if brief else corpora
        rows = []
        for name, corpus in listed.items():
            card, holding = corpus.CARD, found.get(name)
            shown = [
                Entry(f"{name} *" if is_own(corpus) else name, name), card.language, _size(card.clips),
                _size(card.speakers), len(emotions_of(corpus)), _found(corpus, holding),
            ]  # fmt: skip
            if fmt is Format.table:
                shown.append(_terms(corpus))
            else:
                lacking = "; ".join(missing(card, holding)) if holding else ""
                shown += [
                    holding.clips if holding else 0, holding.folder if holding else "", lacking,
                    card.licence, card.access, card.obtain, card.source, card.layout, card.title,
                    ", ".join(emotions_of(corpus)), "yes" if is_own(corpus) else "no",
                ]  # fmt: skip
            rows.append(shown)
        columns: list[str | Column] = [Column("corpus", numeric=False, whole=True)]
        columns += ["language", "clips", "speakers", "emotions"]
        if fmt is Format.table:
            columns += [Column("found", numeric=False, keep=True), "licence, access"]
        else:
            columns += ["state", "found", "folder", "missing", "licence", "access", "obtain"]
            columns += ["source", "layout", "title", "emotion_names", "own"]
        title = f"Corpora found below {data}" if brief else f"Corpora, and what is found of them below {data}"
        if rows or not brief:
            show_table(title, columns, rows, fmt)
        if fmt is Format.table and any(map(is_own, listed.values())):
            out("* your own description")
        if brief:
            _tell_others({name: corpus for name, corpus in corpora.items() if name not in listed}, data)


def _tell_others(corpora: "Mapping[str, Corpus]", data: Path) -> None:
    """Name the corpora that are not on this machine."""
    names = ", ".join(corpora)
    out(f"Also known, but not found below {data}: {names}.")
    say("'ser corpora list --full' shows all of them, 'ser corpora show NAME' one")


def show(name: NameArgument, data: DataOption = DATA, fmt: FormatOption = Format.table) -> None:
    """Show all that is known of one corpus, and what of it lies below --data."""
    with plain_errors():
        corpus = chosen(name, known())
        holding = found_below(data, {name: corpus}).get(name)
        facts = list(_facts(corpus, data, holding))
        counts = corpus.CARD.counts
        there = holding.emotions if holding else {}
        codes = [
            (code, emotion, cells.count(counts.get(emotion)), cells.count(there.get(emotion, 0)))
            for code, emotion in corpus.EMOTIONS.items()
        ]
        if fmt is not Format.table:
            rows = [("card", *fact) for fact in facts]
            rows += [("emotion of a code", code, emotion) for code, emotion, *_ in codes]
            rows += [("published recordings", emotion, count) for emotion, count in counts.items()]
            rows += [("recordings found", emotion, count) for emotion, count in sorted(there.items())]
            show_table(name, ("about", "key", "value"), rows, fmt)
            return
        show_table(f"{name}: {corpus.CARD.title}", ("about", "value"), facts)
        if codes:
            show_table("Emotions", ("code", "emotion", "published", f"below {data}"), codes)


def known() -> "Mapping[str, Corpus]":
    """Every corpus that can be read, the user's own among them."""
    from ser_pipeline.api.places import SETTINGS_FILE
    from ser_pipeline.corpora import known_corpora, own_descriptions
    from ser_pipeline.options.made import own_files

    return known_corpora(own_descriptions(Path(), own_files(SETTINGS_FILE)))


def chosen(name: str, corpora: "Mapping[str, Corpus]") -> "Corpus":
    """One corpus by its id.

    Raises:
        CorpusError: there is none of that id.
    """
    from ser_pipeline.errors import CorpusError
    from ser_pipeline.options.checks import nearest

    if name not in corpora:
        raise CorpusError(
            f"corpus {name!r} does not exist{nearest(name.lower(), corpora)}; 'ser corpora list' shows all"
        )
    return corpora[name]


def found_below(data: Path, corpora: "Mapping[str, Corpus]") -> "dict[str, Holding]":
    """What lies below the data folder, which needs to be there only if it was named."""
    from ser_pipeline.acquire import holdings

    return {} if data == DATA and not data.exists() else holdings(data, corpora)


def emotions_of(corpus: "Corpus") -> list[str]:
    """Its emotions in the shared vocabulary, by name."""
    from ser_pipeline.labels import OTHER

    return sorted({*corpus.EMOTIONS.values(), *corpus.CARD.counts} - {OTHER})


def is_own(corpus: "Corpus") -> bool:
    """Whether a corpus is known by a description of the user's own."""
    return bool(getattr(corpus, "own", False))


def _terms(corpus: "Corpus") -> str:
    """Its licence up to the first comma, semicolon or bracket, and what it takes to get it."""
    card = corpus.CARD
    first = re.split(r"[,;(]", card.licence)[0].strip()
    access = f", {card.access}" if card.access not in ("", "open") else ""
    return shortened(first, LICENCE_WIDTH) + access


def _size(number: int) -> Entry:
    return cells.count(number or None)


def _found(corpus: "Corpus", holding: "Holding | None") -> Entry:
    from ser_pipeline.acquire import state_of

    state = state_of(corpus.CARD, holding)
    if holding is None or state == "complete":
        return Entry(state, state)
    return Entry(cells.thousands(holding.clips), state)


def _facts(corpus: "Corpus", data: Path, holding: "Holding | None") -> Iterator[tuple[str, Any]]:
    """Key and value of all that is known, in the order it is shown; what is not known is left out."""
    from ser_pipeline.acquire import missing

    card = corpus.CARD
    told = getattr(corpus, "description", None)
    tried = _TRIED[told.verified] if told else ""
    if is_own(corpus):
        tried = "not tried by this toolkit: it is your own description"
    for key, value in {
        "corpus": f"{card.name}, by your own description" if is_own(corpus) else card.name,
        "title": card.title,
        "language": f"{card.language_name} ({card.language})",
        "style": f"{card.style} {card.modality}".removeprefix("unknown "),
        "licence": card.licence,
        "access": card.access,
        "obtain": card.obtain,
        "source": card.source,
        "clips": card.clips,
        "speakers": card.speakers,
        "codes of speakers": ", ".join(card.people),
        "sample rate, Hz": card.sample_rate,
        "channels": card.channels,
        "format": card.format,
        "mean duration, s": card.mean_s,
        "layout": told.layout if told else card.layout,
        "pattern": told.pattern if told else corpus.NAME.pattern,
        "tried on": tried,
        "notes": card.notes,
    }.items():
        if value:
            yield key, value
    for item in card.downloads:
        yield "download", f"{item.url} ({cells.thousands(item.size)} bytes)"
    if holding is None:
        yield "found", f"nothing below {data}"
    else:
        people = cells.plural(len(holding.speakers), "speaker")
        yield "found", f"{cells.plural(holding.clips, 'recording')} of {people} in {data / holding.folder}"
        yield from (("missing", line) for line in missing(card, holding))
