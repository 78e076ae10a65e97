"""The chapter on data: corpora, labels, languages, durations, splits."""

from collections.abc import Sequence

import numpy as np

from ser_pipeline.labels import OTHER, OTHER_ID, emotion_id
from ser_pipeline.manifest.cards import KnownCorpora, KnownCorpus
from ser_pipeline.manifest.describe import (
    CorpusFacts,
    corpus_facts,
    emotion_counts,
    label_map,
    languages,
    reject_reasons,
)
from ser_pipeline.report.data_figures import (
    BRIGHTEST,
    duration_panel,
    emotion_panel,
    language_panel,
    level_panel,
)
from ser_pipeline.report.document import Block, Code, Figure, Mark, Section, text
from ser_pipeline.report.sources import Data, StoreFacts
from ser_pipeline.tables import Column, Entry, Row, RowGroup, Table, cells
from ser_pipeline.tables.table import EN_DASH, NO_BREAK, NOTHING


def data_sections(data: Data, store: StoreFacts | None = None) -> list[Section]:
    """Write the chapter on recordings, labels, languages, durations and levels.

    Args:
        data: the manifest and what lies beside it.
        store: a store of mels, which knows levels; None where there is none.
    """
    corpora = corpus_facts(data.manifest, data.rejects)
    marks: tuple[Mark, ...] = ("synthetic",) if data.synthetic else ()
    return [
        Section("data", "Data", (_lead(data, corpora), _corpora_table(data, corpora), *_rejects(data)), 2),
        Section("speakers", "Speakers", (_speakers_table(corpora, data.corpora),), 3),
        Section("labels", "Labels", _labels(data, marks), 3),
        Section("languages", "Languages and durations", _languages(data, corpora, marks), 3),
        *_levels(data, store, marks),
    ]


def _levels(data: Data, store: StoreFacts | None, marks: tuple[Mark, ...]) -> list[Section]:
    """The part on loudness; nothing where no store knows it."""
    if store is None:
        return []
    by_corpus: dict[str, list[str]] = {}
    columns = (data.table[name].to_pylist() for name in ("corpus", "audio_digest"))
    for corpus, digest in zip(*columns, strict=True):
        by_corpus.setdefault(corpus, []).append(digest)
    levels = {data.corpora.title(corpus): store.levels_of(by_corpus[corpus]) for corpus in sorted(by_corpus)}
    levels = {corpus: found[np.isfinite(found)] for corpus, found in levels.items()}
    levels = {corpus: found for corpus, found in levels.items() if len(found)}
    if not levels:
        return []
    figure = Figure(
        "levels",
        "Levels after trimming and before levelling, by corpus: what a network could tell corpora apart by",
        (level_panel(levels),),
        marks,
    )
    return [Section("levels", "Levels", (figure,), 3)]


def corpus_marks(corpus: CorpusFacts) -> tuple[Mark, ...]:
    """Warnings that stand beside a corpus."""
    return ("synthetic",) if corpus.synthetic else ()


def _lead(data: Data, corpora: Sequence[CorpusFacts]) -> Block:
    duplicates = sum(corpus.duplicates for corpus in corpora)
    return text(
        f"The manifest holds {cells.plural(data.table.num_rows, 'usable recording')}. "
        f"{cells.plural(data.rejects.num_rows, 'file')} could not be used, "
        f"{cells.plural(duplicates, 'duplicate')} among them; nothing was left out in silence. "
        "Sizes of the complete corpora are those of their publishers, without copies or augmentation."
        + _left_out(data)
    )


def _left_out(data: Data) -> str:
    """Say what a trial build did not look at."""
    left = data.manifest.facts.get("counts", {}).get("left_out", 0)
    return f" The build's --limit left {cells.plural(left, 'file')} out of every count." if left else ""


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
        caption="Corpora: what is here, beside what their publishers describe",
        columns=columns,
        groups=(RowGroup((*rows, _total_row(data, corpora))),),
        notes=(
            "Rejects include duplicates: recordings whose bytes or name are there already. Speakers of "
            "RAVDESS and of its songs are the same people and are counted once in the total.",
            *_not_here(corpora, data.corpora),
        ),
    )


def _not_here(corpora: Sequence[CorpusFacts], known: KnownCorpora) -> tuple[str, ...]:
    here = {corpus.name for corpus in corpora}
    absent = [
        f"{published.title} ({cells.thousands(published.clips)} recordings, {published.speakers} speakers)"
        for name, published in known.items()
        if name not in here
    ]
    return (f"Not here: {', '.join(absent)}.",) if absent else ()


def _corpus_row(corpus: CorpusFacts, known: KnownCorpora) -> Row:
    published = known.get(corpus.name)
    kind = ", ".join(filter(None, (" and ".join(corpus.styles), " and ".join(corpus.modalities))))
    return Row(
        (
            cells.words(known.title(corpus.name), note=kind),
            cells.words(", ".join(corpus.languages)),
            cells.count(corpus.clips),
            cells.count(published.clips if published else None),
            _share(corpus, published),
            cells.count(corpus.speakers),
            cells.count(published.speakers if published else None),
            cells.decimal(float(corpus.seconds.sum()) / 3600),
            cells.count(len(corpus.emotions)),
            cells.count(corpus.duplicates),
            cells.count(corpus.rejects),
        ),
        marks=corpus_marks(corpus),
    )


def _share(corpus: CorpusFacts, published: KnownCorpus | None) -> Entry:
    """Share of the complete corpus; synthetic recordings are no part of it."""
    if published is None or corpus.synthetic:
        return cells.missing()
    return cells.percent(corpus.clips / published.clips, bar=True)


def _total_row(data: Data, corpora: Sequence[CorpusFacts]) -> Row:
    known = [data.corpora[corpus.name] for corpus in corpora if corpus.name in data.corpora]
    emotions = {emotion for corpus in corpora for emotion in corpus.emotions}
    return Row(
        (
            cells.words("All"),
            cells.words(""),
            cells.count(data.table.num_rows),
            cells.count(sum(published.clips for published in known)),
            cells.missing(),
            cells.count(len(data.table["speaker_id"].unique())),
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
    note = "Reasons that differ in names and numbers only are one line. All are in manifests/rejects.parquet."
    return [Table("rejects", "Files that cannot be used, and why", columns, (RowGroup(rows),), (note,))]


def _speakers_table(corpora: Sequence[CorpusFacts], known: KnownCorpora) -> Table:
    columns = (
        Column("Corpus", numeric=False),
        Column("Speakers"),
        Column("women"),
        Column("men"),
        Column("Ages, years", numeric=False),
        Column("Clips a speaker: fewest"),
        Column("median"),
        Column("most"),
        Column("Speakers who lack an emotion"),
        Column("Sample rates, Hz", numeric=False),
    )
    rows = tuple(_speaker_row(corpus, known) for corpus in corpora if corpus.clips)
    caption = "Speakers by corpus, and how evenly their recordings spread"
    return Table("speaker-counts", caption, columns, (RowGroup(rows),))


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


def _labels(data: Data, marks: tuple[Mark, ...]) -> tuple[Block, ...]:
    mapped = label_map(data.manifest)
    corpora = data.corpora.order({corpus for by_corpus in mapped.values() for corpus in by_corpus})
    rows = tuple(
        Row(
            (
                Entry(emotion, emotion, strong=True),
                cells.count(OTHER_ID if emotion == OTHER else emotion_id(emotion)),
                *(_codes(mapped[emotion].get(corpus, [])) for corpus in corpora),
                cells.count(sum(clips for codes in mapped[emotion].values() for _, clips in codes)),
            )
        )
        for emotion in mapped
    )
    columns = (
        Column("Shared emotion", numeric=False),
        Column("id"),
        *(Column(data.corpora.title(corpus), numeric=False) for corpus in corpora),
        Column("Recordings"),
    )
    table = Table(
        key="label-map",
        caption="Label map: each corpus's own code, its recordings, and the shared emotion it stands for",
        columns=columns,
        groups=(RowGroup(rows),),
        notes=("Ids never change. Merges such as calm = neutral belong to a task, not to this map.",),
    )
    names, emotions, counts = emotion_counts(data.manifest)
    titles = [data.corpora.title(name) for name in names]
    figure = Figure(
        "emotions",
        f"Recordings by corpus and emotion; brighter: more of its corpus, up to {100 * BRIGHTEST:.0f} %",
        (emotion_panel(titles, emotions, counts),) if len(counts) else (),
        marks,
    )
    return (table, figure) if figure.panels else (table,)


def _codes(codes: Sequence[tuple[str, int]]) -> Entry:
    if not codes:
        return cells.missing()
    return Entry(
        "; ".join(f"{code}:{NO_BREAK}{cells.thousands(clips)}" for code, clips in codes),
        sum(c for _, c in codes),
    )


def _languages(data: Data, corpora: Sequence[CorpusFacts], marks: tuple[Mark, ...]) -> tuple[Block, ...]:
    if not data.table.num_rows:
        return (
            text(
                "The manifest holds no usable recording. Look at the rejects, then run ",
                Code("ser manifest build"),
                ".",
            ),
        )
    return (
        Figure(
            "languages",
            "Recordings by language (the source report's Figure 3, from the recordings that are here)",
            (language_panel(languages(data.manifest), data.corpora),),
            marks,
        ),
        Figure(
            "durations",
            "Durations before trimming, by corpus; each row is scaled to its own highest bar",
            (duration_panel(corpora, data.corpora),),
            marks,
        ),
    )
