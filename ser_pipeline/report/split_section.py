"""The part on splits: real shares, leaks, and what each corpus gives to each part."""

from ser_pipeline.records import PARTS
from ser_pipeline.report import cells
from ser_pipeline.report.document import (
    Block,
    Callout,
    Cell,
    Code,
    Column,
    Mark,
    Row,
    RowGroup,
    Section,
    Table,
    text,
)
from ser_pipeline.report.facts import corpus_order, corpus_title
from ser_pipeline.report.sources import Data
from ser_pipeline.report.split_facts import Share, SplitFacts, split_facts

MAX_FOLD_NAMES = 8
"""More folds are counted, not named."""


def split_section(data: Data) -> Section:
    """Write the part on splits; every split is checked here again, from its own rows."""
    if not data.splits:
        none = "No split could be read" if data.unread else "There is no split yet"
        blank = text(f"{none}. Make one with ", Code("ser manifest split"), ".")
        return Section("splits", "Splits", (blank,), 3)
    facts = [split_facts(data, split) for split in data.splits]
    blocks: list[Block] = [
        text(
            "A score says what it seems to say only if the people of the test recordings were never heard in "
            "training. Each split was checked for this from its own rows while this report was made."
        )
    ]
    broken = [fact for fact in facts if fact.broken]
    if broken:
        names = ", ".join(f"{fact.split.name} ({fact.verdict})" for fact in broken)
        blocks.append(Callout("warning", (f"Do not trust numbers made under: {names}.",)))
    if parts := [fact for fact in facts if not fact.folds]:
        blocks += [_part_table(parts), _share_table(parts)]
    if folds := [fact for fact in facts if fact.folds]:
        blocks.append(_fold_table(folds))
    return Section("splits", "Splits", tuple(blocks), 3)


def split_marks(fact: SplitFacts) -> tuple[Mark, ...]:
    """Warnings that stand beside a split."""
    marks: list[Mark] = []
    if fact.broken:
        marks.append("broken")
    elif fact.split.leaks_speakers:
        marks.append("speakers heard")
    if fact.split.stale:
        marks.append("other manifest")
    return tuple(marks)


CHECK_COLUMNS = (Column("Speakers on two sides"), Column("Leakage check", numeric=False))
CHECK_NOTE = (
    "Passed: no speaker and no recording stands on two sides. A split marked 'other manifest' was made "
    "before the manifest changed."
)


def _part_table(facts: list[SplitFacts]) -> Table:
    return Table(
        key="splits",
        caption="Splits: what each part really holds, and the result of the leakage check",
        columns=(
            Column("Split", numeric=False),
            *(Column(f"{part.capitalize()}: clips") for part in PARTS),
            *CHECK_COLUMNS,
        ),
        groups=(RowGroup(tuple(_part_row(fact) for fact in facts)),),
        notes=(CHECK_NOTE,),
    )


def _part_row(fact: SplitFacts) -> Row:
    total = sum(share.clips for share in fact.parts.values())
    shares = (_share(fact.parts.get(part), total) for part in PARTS)
    return Row((_name(fact), *shares, *_check(fact)), marks=split_marks(fact))


def _share(share: Share | None, total: int) -> Cell:
    if share is None:
        return cells.missing()
    note = f"{cells.percent_text(share.clips / max(1, total))}, {cells.plural(share.speakers, 'speaker')}"
    return Cell(cells.thousands(share.clips), share.clips, note=note)


def _fold_table(facts: list[SplitFacts]) -> Table:
    return Table(
        key="fold-splits",
        caption="Splits with folds: each recording is tested once, and the leakage check's result",
        columns=(
            Column("Split", numeric=False),
            Column("Folds"),
            Column("Fewest test clips"),
            Column("Most test clips"),
            *CHECK_COLUMNS,
        ),
        groups=(RowGroup(tuple(_fold_row(fact) for fact in facts)),),
        notes=("What a fold does not test trains; whole speakers of it validate.", CHECK_NOTE),
    )


def _fold_row(fact: SplitFacts) -> Row:
    sizes = [fold.clips for fold in fact.folds]
    folds = Cell(str(len(sizes)), len(sizes), note=_fold_names(fact))
    ends = (cells.count(min(sizes)), cells.count(max(sizes)))
    return Row((_name(fact), folds, *ends, *_check(fact)), marks=split_marks(fact))


def _fold_names(fact: SplitFacts) -> str:
    names = [str(name) for name in fact.split.facts.get("folds", ())]
    telling = len(names) <= MAX_FOLD_NAMES and not all(name.isdigit() for name in names)
    return ", ".join(names) if telling else ""


def _name(fact: SplitFacts) -> Cell:
    return cells.words(fact.split.name, note=fact.split.note)


def _check(fact: SplitFacts) -> tuple[Cell, Cell]:
    verdict = fact.verdict
    if fact.left_out or fact.strangers:
        verdict += f"; {fact.left_out} recordings not placed, {fact.strangers} rows unknown"
    return cells.count(fact.shared_speakers), cells.words(verdict, strong=fact.broken)


def _share_table(facts: list[SplitFacts]) -> Table:
    groups = tuple(
        RowGroup(
            tuple(_corpus_row(corpus, fact.corpora[corpus]) for corpus in corpus_order(set(fact.corpora))),
            title=f"Split {fact.split.name}",
            marks=split_marks(fact),
        )
        for fact in facts
    )
    columns = (
        Column("Corpus", numeric=False),
        *(Column(title) for part in PARTS for title in (part.capitalize(), "%")),
    )
    return Table("split-shares", "Recordings of each corpus by part: real shares", columns, groups)


def _corpus_row(corpus: str, parts: dict[str, int]) -> Row:
    total = sum(parts.values())
    numbers = [
        cell
        for part in PARTS
        for cell in (cells.count(parts.get(part, 0)), cells.percent(parts.get(part, 0) / total, bar=True))
    ]
    return Row((cells.words(corpus_title(corpus)), *numbers))
