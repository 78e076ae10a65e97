"""The chapter on data: corpora, rejects, speakers, and what splits make of them."""

from collections.abc import Iterator, Sequence

import numpy as np

from ser_pipeline.manifest.cards import KnownCorpora, KnownCorpus
from ser_pipeline.manifest.describe import (
    CorpusFacts,
    corpus_facts,
    named_speakers,
    reject_reasons,
)
from ser_pipeline.records import PARTS
from ser_pipeline.report.document import Block, Callout, Code, Fold, Mark, Section, text
from ser_pipeline.report.recordings_section import (
    cuts_of,
    findings_blocks,
    labels_blocks,
    languages_blocks,
    levels_sections,
)
from ser_pipeline.report.sources import NO_STORE, Data, StoreFacts
from ser_pipeline.runs.read import Run
from ser_pipeline.splits.parts import ALL, CheckedSplit, Share, checked_split
from ser_pipeline.tables import Column, Entry, Row, RowGroup, Table, cells
from ser_pipeline.tables.cells import people, plural
from ser_pipeline.tables.table import EN_DASH, NOTHING

MAX_FOLD_NAMES = 8
"""More folds are counted, not named."""

CHECK_COLUMNS = (Column("Speakers in more than one part", keep=True), Column("Leakage check", numeric=False))
CHECK_NOTE = (
    "Passed: no speaker and no recording is in more than one part. A split marked 'other manifest' was made "
    "before the manifest changed."
)


def data_sections(data: Data, store: StoreFacts = NO_STORE, runs: Sequence[Run] = ()) -> list[Section]:
    """Write the chapter on recordings, labels, languages, durations and levels.

    Args:
        data: the manifest and what lies beside it.
        store: what is known of a store of mels, which knows levels.
        runs: on the page; networks on mels hear only the beginning of long recordings.
    """
    corpora = corpus_facts(data.manifest, data.rejects)
    marks: tuple[Mark, ...] = ("synthetic",) if data.synthetic else ()
    spoken = languages_blocks(data, corpora, marks, cuts_of(runs))
    return [
        Section("data", "Data", (_lead(data, corpora), _corpora_table(data, corpora), *_rejects(data)), 2),
        Section("speakers", "Speakers", (_speakers_table(corpora, data.corpora),), 3),
        Section("labels", "Labels", labels_blocks(data, marks), 3),
        Section("languages", "Languages and durations", spoken, 3),
        *levels_sections(data, store, marks),
        Section("examination", "Examination", findings_blocks(data), 3),
    ]


def corpus_marks(corpus: CorpusFacts) -> tuple[Mark, ...]:
    """Warnings that stand beside a corpus."""
    return ("synthetic",) if corpus.synthetic else ()


def _lead(data: Data, corpora: Sequence[CorpusFacts]) -> Block:
    duplicates = sum(corpus.duplicates for corpus in corpora)
    unusable = data.rejects.num_rows
    rejected = (
        f"{cells.plural(unusable, 'file')} could not be used, {cells.plural(duplicates, 'duplicate')} among "
        "them; each of them is listed with its reason. "
    )
    return text(
        f"The manifest holds {cells.plural(data.table.num_rows, 'usable recording')}. "
        + (rejected if unusable or duplicates else "")
        + "Sizes of the complete corpora are as published, without copies or augmentation."
        + _left_out(data)
    )


def _left_out(data: Data) -> str:
    """Say what a trial build did not look at."""
    left = data.manifest.facts.get("counts", {}).get("left_out", 0)
    return f" Because of --limit, {cells.plural(left, 'file')} were left out of every count." if left else ""


def _corpora_table(data: Data, corpora: Sequence[CorpusFacts]) -> Table:
    columns = (
        Column("Corpus", numeric=False),
        Column("Language", numeric=False),
        Column("Recordings here"),
        Column("complete"),
        Column("share", unit="%"),
        Column("Speakers here"),
        Column("complete"),
        Column("Hours"),
        Column("Emotions"),
        Column("Duplicates"),
        Column("Rejects"),
    )
    rows = tuple(_corpus_row(corpus, data.corpora) for corpus in corpora)
    return Table(
        key="corpora",
        caption="Corpora: recordings here, and the complete corpora as published",
        columns=columns,
        groups=(RowGroup((*rows, _total_row(data, corpora))),),
        notes=(_counted(data, corpora),),
    )


def _counted(data: Data, corpora: Sequence[CorpusFacts]) -> str:
    """What the counts of the table include."""
    told = "Rejects include duplicates, whose bytes or name another recording already has."
    if sum(corpus.speakers for corpus in corpora) == len(data.table["speaker_id"].unique()):
        return told
    return f"{told} People who speak in more than one corpus are counted once in the total."


def _corpus_row(corpus: CorpusFacts, known: KnownCorpora) -> Row:
    published = known.get(corpus.name)
    styles = [style for style in corpus.styles if style != "unknown"]
    kind = ", ".join(filter(None, (" and ".join(styles), " and ".join(corpus.modalities))))
    return Row(
        (
            cells.words(known.title(corpus.name), note=kind),
            cells.words(", ".join(corpus.languages)),
            cells.count(corpus.clips),
            cells.count((published.clips or None) if published else None),
            _share(corpus, published),
            cells.count(corpus.speakers or None),
            cells.count((published.speakers or None) if published else None),
            cells.decimal(float(corpus.seconds.sum()) / 3600),
            cells.count(len(corpus.emotions)),
            cells.count(corpus.duplicates),
            cells.count(corpus.rejects),
        ),
        marks=corpus_marks(corpus),
    )


def _share(corpus: CorpusFacts, published: KnownCorpus | None) -> Entry:
    """Share of the complete corpus; synthetic recordings are not part of it."""
    if published is None or not published.clips or corpus.synthetic:
        return cells.missing()
    return cells.percent(corpus.clips / published.clips, bar=True)


def _total_row(data: Data, corpora: Sequence[CorpusFacts]) -> Row:
    published = [data.corpora[corpus.name].clips for corpus in corpora if corpus.name in data.corpora]
    complete = sum(published) if len(published) == len(corpora) and all(published) else None
    emotions = {emotion for corpus in corpora for emotion in corpus.emotions}
    return Row(
        (
            cells.words("All"),
            cells.words(""),
            cells.count(data.table.num_rows),
            cells.count(complete),
            cells.missing(),
            cells.count(named_speakers(data.table) or None),
            cells.missing(),
            cells.decimal(sum(float(corpus.seconds.sum()) for corpus in corpora) / 3600),
            cells.count(len(emotions)),
            cells.count(sum(corpus.duplicates for corpus in corpora)),
            cells.count(data.rejects.num_rows),
        ),
        total=True,
    )


def _rejects(data: Data) -> list[Block]:
    reasons = reject_reasons(data.rejects, data.corpora)
    if not reasons:
        return [text("No file was rejected.")]
    rows = tuple(
        Row(
            (
                cells.words(data.corpora.title(kind.corpus)),
                cells.count(kind.files),
                cells.words(kind.reason),
                cells.words(kind.example),
            )
        )
        for kind in reasons
    )
    columns = (Column("Corpus", False), Column("Files"), Column("Reason", False), Column("First file", False))
    note = "Reasons that differ only in names and numbers share a line. All are in manifests/rejects.parquet."
    title = "Files that cannot be used, and why"
    return [Fold(title), Table("rejects", title, columns, (RowGroup(rows),), (note,))]


def _speakers_table(corpora: Sequence[CorpusFacts], known: KnownCorpora) -> Table:
    columns = (
        Column("Corpus", numeric=False),
        Column("Speakers"),
        Column("women"),
        Column("men"),
        Column("Ages, years", numeric=False),
        Column("Clips per speaker: fewest"),
        Column("median"),
        Column("most"),
        Column("Speakers who lack an emotion"),
        Column("Sample rates, Hz", numeric=False),
    )
    rows = tuple(_speaker_row(corpus, known) for corpus in corpora if corpus.speakers)
    caption = "Speakers by corpus, and the number of recordings of each"
    unknown = [known.title(corpus.name) for corpus in corpora if corpus.clips and not corpus.speakers]
    notes = (f"Nothing says who speaks in {', '.join(unknown)}.",) if unknown else ()
    return Table("speaker-counts", caption, columns, (RowGroup(rows),), notes)


def _speaker_row(corpus: CorpusFacts, known: KnownCorpora) -> Row:
    clips = corpus.clips_per_speaker
    ages = NOTHING if corpus.ages is None else EN_DASH.join(map(str, dict.fromkeys(corpus.ages)))
    return Row(
        (
            cells.words(known.title(corpus.name)),
            cells.count(corpus.speakers),
            cells.count(corpus.women),
            cells.count(corpus.men),
            cells.words(ages),
            cells.count(int(clips[0])),
            cells.decimal(float(np.median(clips)), 0),
            cells.count(int(clips[-1])),
            cells.count(corpus.partial_speakers),
            cells.words(", ".join(cells.thousands(rate) for rate in corpus.sample_rates)),
        ),
        marks=corpus_marks(corpus),
    )


def split_section(data: Data) -> Section:
    """Write the part on splits; every split is checked here again, from its own rows."""
    if not data.splits:
        none = "No split could be read" if data.unread else "There is no split yet"
        blank = text(f"{none}. Make one with ", Code("ser manifest split"), ".")
        return Section("splits", "Splits", (blank,), 3)
    facts = [checked_split(split, data.manifest) for split in data.splits]
    blocks: list[Block] = [
        text(
            "A score holds for new speakers only if no test speaker was heard in training. Each split was "
            "checked for this, row by row, while this report was made."
        )
    ]
    broken = [fact for fact in facts if fact.broken]
    if broken:
        names = ", ".join(f"{fact.split.name} ({verdict(fact)})" for fact in broken)
        blocks.append(Callout("warning", (f"Do not trust scores made with these splits: {names}.",)))
    if parts := [fact for fact in facts if not fact.split.folds]:
        blocks += [_part_table(parts), _share_table(parts, data.corpora)]
    if folds := [fact for fact in facts if fact.split.folds]:
        blocks.append(_fold_table(folds))
    return Section("splits", "Splits", tuple(blocks), 3)


def verdict(fact: CheckedSplit) -> str:
    """The result of the leakage check, in words."""
    if fact.shared_audio:
        return f"broken: {plural(fact.shared_audio, 'recording')} in more than one part"
    if fact.broken:
        return f"broken: {plural(fact.shared_speakers, 'speaker')} in more than one part"
    return "leaks speakers, as declared" if fact.shared_speakers else "passed"


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


def _part_table(facts: list[CheckedSplit]) -> Table:
    return Table(
        key="splits",
        caption="Splits: contents of each part, and the result of the leakage check",
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
    shares = (_part_share(sides.get(part), total) for part in PARTS)
    return Row((_name(fact), *shares, *_check(fact)), marks=split_marks(fact))


def _sides(fact: CheckedSplit) -> dict[str, Share]:
    """What each side holds of all corpora together."""
    return {share.side: share for share in fact.shares if share.corpus == ALL}


def _part_share(share: Share | None, total: int) -> Entry:
    if share is None:
        return cells.missing()
    note = f"{cells.percent_text(share.clips / total)}, {people(share.speakers)}"
    return Entry(cells.thousands(share.clips), share.clips, note=note)


def _fold_table(facts: list[CheckedSplit]) -> Table:
    return Table(
        key="fold-splits",
        caption="Splits with folds, where each recording is tested once, and the result of the leakage check",
        columns=(
            Column("Split", numeric=False),
            Column("Folds"),
            Column("Fewest test clips"),
            Column("Most test clips"),
            *CHECK_COLUMNS,
        ),
        groups=(RowGroup(tuple(_fold_row(fact) for fact in facts)),),
        notes=(
            "The speakers that a fold does not test are used for training, and some of them for validation.",
            CHECK_NOTE,
        ),
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
        found += f"; {plural(fact.left_out, 'recording')} in no part, {plural(fact.strangers, 'unknown row')}"
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
    return Table("split-shares", "Recordings of each corpus by part", columns, groups)


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
