"""The part on splits: real shares, leaks, and what each corpus gives to each part."""

from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from ser_pipeline.records import PARTS
from ser_pipeline.report.document import Block, Callout, Code, Mark, Section, text
from ser_pipeline.report.sources import Data, SplitFile, corpus_order, corpus_title
from ser_pipeline.tables import Column, Entry, Row, RowGroup, Table, cells
from ser_pipeline.tables.cells import plural


@dataclass(frozen=True)
class Share:
    """Clips and people of one part, or of one fold."""

    clips: int
    speakers: int


@dataclass(frozen=True)
class SplitFacts:
    """A split, counted and checked.

    Attributes:
        split: the file.
        parts: part -> its size; of a split with folds ``test`` alone.
        folds: size of each fold's test clips; empty where there are none.
        corpora: corpus -> part -> clips; empty for a split with folds.
        shared_speakers: people with clips on more than one side.
        shared_audio: recordings whose very bytes stand on more than one side.
        strangers: rows that are not in the manifest.
        left_out: rows of the manifest that the split does not place.
    """

    split: SplitFile
    parts: dict[str, Share]
    folds: tuple[Share, ...]
    corpora: dict[str, dict[str, int]]
    shared_speakers: int
    shared_audio: int
    strangers: int
    left_out: int

    @property
    def broken(self) -> bool:
        """Something stands on two sides that the split does not own up to."""
        return bool(self.shared_audio or (self.shared_speakers and not self.split.leaks_speakers))

    @property
    def verdict(self) -> str:
        """The result of the leakage check, in words."""
        if self.shared_audio:
            return f"broken: {plural(self.shared_audio, 'recording')} on two sides"
        if self.shared_speakers and not self.split.leaks_speakers:
            return f"broken: {plural(self.shared_speakers, 'speaker')} on two sides"
        if self.shared_speakers:
            return "leaks speakers, as it says"
        return "passed"


def split_facts(data: Data, split: SplitFile) -> SplitFacts:
    """Count a split and look for leaks across its parts, or across its folds."""
    columns = ["utterance_id", "speaker_id", "audio_digest", "corpus"]
    rows = split.table.join(data.table.select(columns), keys="utterance_id", join_type="left outer")
    known = rows.filter(pc.is_valid(rows["speaker_id"]))
    side = "fold" if split.has_folds else "part"
    return SplitFacts(
        split=split,
        parts=_shares(known, "part"),
        folds=tuple(_shares(known, "fold").values()) if split.has_folds else (),
        corpora={} if split.has_folds else _by_corpus(known),
        shared_speakers=_on_two_sides(known, "speaker_id", side),
        shared_audio=_on_two_sides(known, "audio_digest", side),
        strangers=rows.num_rows - known.num_rows,
        left_out=data.table.num_rows - known.num_rows,
    )


def _on_two_sides(rows: pa.Table, column: str, side: str) -> int:
    sides = rows.group_by(column).aggregate([(side, "count_distinct")])[f"{side}_count_distinct"]
    return int(pc.sum(pc.greater(sides, 1)).as_py() or 0)


def _shares(rows: pa.Table, side: str) -> dict[str, Share]:
    counted = rows.group_by(side).aggregate([([], "count_all"), ("speaker_id", "count_distinct")])
    found = {
        row[side]: Share(row["count_all"], row["speaker_id_count_distinct"]) for row in counted.to_pylist()
    }
    order = PARTS if side == "part" else sorted(key for key in found if key is not None)
    return {str(key): found[key] for key in order if key in found}


def _by_corpus(rows: pa.Table) -> dict[str, dict[str, int]]:
    counted = rows.group_by(["corpus", "part"]).aggregate([([], "count_all")])
    found: dict[str, dict[str, int]] = {}
    for row in counted.to_pylist():
        found.setdefault(row["corpus"], {})[row["part"]] = row["count_all"]
    return found


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


def _share(share: Share | None, total: int) -> Entry:
    if share is None:
        return cells.missing()
    note = f"{cells.percent_text(share.clips / max(1, total))}, {cells.plural(share.speakers, 'speaker')}"
    return Entry(cells.thousands(share.clips), share.clips, note=note)


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
    folds = Entry(str(len(sizes)), len(sizes), note=_fold_names(fact))
    ends = (cells.count(min(sizes)), cells.count(max(sizes)))
    return Row((_name(fact), folds, *ends, *_check(fact)), marks=split_marks(fact))


def _fold_names(fact: SplitFacts) -> str:
    names = [str(name) for name in fact.split.facts.get("folds", ())]
    telling = len(names) <= MAX_FOLD_NAMES and not all(name.isdigit() for name in names)
    return ", ".join(names) if telling else ""


def _name(fact: SplitFacts) -> Entry:
    return cells.words(fact.split.name, note=fact.split.note)


def _check(fact: SplitFacts) -> tuple[Entry, Entry]:
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
