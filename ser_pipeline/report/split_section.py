"""The part on splits: real shares, leaks, and what each corpus gives to each part."""

from collections.abc import Iterator

from ser_pipeline.manifest.cards import KnownCorpora
from ser_pipeline.records import PARTS
from ser_pipeline.report.document import Block, Callout, Code, Mark, Section, text
from ser_pipeline.report.sources import Data
from ser_pipeline.splits.shares import ALL, CheckedSplit, Share, checked_split
from ser_pipeline.tables import Column, Entry, Row, RowGroup, Table, cells
from ser_pipeline.tables.cells import plural

MAX_FOLD_NAMES = 8
"""More folds are counted, not named."""


def split_section(data: Data) -> Section:
    """Write the part on splits; every split is checked here again, from its own rows."""
    if not data.splits:
        none = "No split could be read" if data.unread else "There is no split yet"
        blank = text(f"{none}. Make one with ", Code("ser manifest split"), ".")
        return Section("splits", "Splits", (blank,), 3)
    facts = [checked_split(split, data.manifest) for split in data.splits]
    blocks: list[Block] = [
        text(
            "A score says what it seems to say only if the people of the test recordings were never heard in "
            "training. Each split was checked for this from its own rows while this report was made."
        )
    ]
    broken = [fact for fact in facts if fact.broken]
    if broken:
        names = ", ".join(f"{fact.split.name} ({verdict(fact)})" for fact in broken)
        blocks.append(Callout("warning", (f"Do not trust numbers made under: {names}.",)))
    if parts := [fact for fact in facts if not fact.split.folds]:
        blocks += [_part_table(parts), _share_table(parts, data.corpora)]
    if folds := [fact for fact in facts if fact.split.folds]:
        blocks.append(_fold_table(folds))
    return Section("splits", "Splits", tuple(blocks), 3)


def verdict(fact: CheckedSplit) -> str:
    """The result of the leakage check, in words."""
    if fact.shared_audio:
        return f"broken: {plural(fact.shared_audio, 'recording')} on two sides"
    if fact.broken:
        return f"broken: {plural(fact.shared_speakers, 'speaker')} on two sides"
    return "leaks speakers, as it says" if fact.shared_speakers else "passed"


def split_marks(fact: CheckedSplit) -> tuple[Mark, ...]:
    """Warnings that stand beside a split."""
    marks: list[Mark] = []
    if fact.broken:
        marks.append("broken")
    elif fact.split.leaks_speakers:
        marks.append("speakers heard")
    if fact.stale:
        marks.append("other manifest")
    return tuple(marks)


CHECK_COLUMNS = (Column("Speakers on two sides"), Column("Leakage check", numeric=False))
CHECK_NOTE = (
    "Passed: no speaker and no recording stands on two sides. A split marked 'other manifest' was made "
    "before the manifest changed."
)


def _part_table(facts: list[CheckedSplit]) -> Table:
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


def _part_row(fact: CheckedSplit) -> Row:
    sides = _sides(fact)
    total = sum(share.clips for share in sides.values())
    shares = (_share(sides.get(part), total) for part in PARTS)
    return Row((_name(fact), *shares, *_check(fact)), marks=split_marks(fact))


def _sides(fact: CheckedSplit) -> dict[str, Share]:
    """What each side holds of all corpora together."""
    return {share.side: share for share in fact.shares if share.corpus == ALL}


def _share(share: Share | None, total: int) -> Entry:
    if share is None:
        return cells.missing()
    note = f"{cells.percent_text(share.clips / total)}, {plural(share.speakers, 'speaker')}"
    return Entry(cells.thousands(share.clips), share.clips, note=note)


def _fold_table(facts: list[CheckedSplit]) -> Table:
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


def _fold_row(fact: CheckedSplit) -> Row:
    sizes = [share.clips for share in _sides(fact).values()] or [0]
    folds = Entry(str(len(sizes)), len(sizes), note=_fold_names(fact))
    ends = (cells.count(min(sizes)), cells.count(max(sizes)))
    return Row((_name(fact), folds, *ends, *_check(fact)), marks=split_marks(fact))


def _fold_names(fact: CheckedSplit) -> str:
    names = fact.split.folds
    telling = len(names) <= MAX_FOLD_NAMES and not all(name.isdigit() for name in names)
    return ", ".join(names) if telling else ""


def _name(fact: CheckedSplit) -> Entry:
    return cells.words(fact.split.name, note=fact.split.note)


def _check(fact: CheckedSplit) -> tuple[Entry, Entry]:
    found = verdict(fact)
    if fact.left_out or fact.strangers:
        found += f"; {fact.left_out} recordings not placed, {fact.strangers} rows unknown"
    return cells.count(fact.shared_speakers), cells.words(found, strong=fact.broken)


def _share_table(facts: list[CheckedSplit], known: KnownCorpora) -> Table:
    groups = tuple(
        RowGroup(tuple(_corpus_rows(fact, known)), f"Split {fact.split.name}", marks=split_marks(fact))
        for fact in facts
    )
    columns = (
        Column("Corpus", numeric=False),
        *(column for part in PARTS for column in (Column(part.capitalize()), Column("%"))),
    )
    return Table("split-shares", "Recordings of each corpus by part: real shares", columns, groups)


def _corpus_rows(fact: CheckedSplit, known: KnownCorpora) -> Iterator[Row]:
    held = {(share.corpus, share.side): share.clips for share in fact.shares}
    for corpus in known.order({corpus for corpus, _ in held} - {ALL}):
        clips = [held.get((corpus, part), 0) for part in PARTS]
        numbers = (
            entry
            for count in clips
            for entry in (cells.count(count), cells.percent(count / sum(clips), bar=True))
        )
        yield Row((cells.words(known.title(corpus)), *numbers))
