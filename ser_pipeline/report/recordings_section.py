"""The parts on what the recordings hold: labels, languages, durations, levels."""

from collections.abc import Mapping, Sequence

import numpy as np

from ser_pipeline.arrays import Float64s, Int64s
from ser_pipeline.labels import OTHER, OTHER_ID, emotion_id
from ser_pipeline.manifest.cards import KnownCorpora
from ser_pipeline.manifest.describe import CorpusFacts, Held, emotion_counts, label_map, languages
from ser_pipeline.manifest.doctor import DOCTOR, diagnosis_table
from ser_pipeline.options import FrontEnd
from ser_pipeline.report.document import Block, Callout, Code, Figure, Mark, Panel, Section, text
from ser_pipeline.report.drawing import (
    BLUE,
    INK,
    MUTED,
    VERMILLION,
    canvas,
    heat_cells,
    panel,
    readable,
    turn_names,
)
from ser_pipeline.report.sources import Data, StoreFacts
from ser_pipeline.runs.read import Run
from ser_pipeline.tables import Column, Entry, Row, RowGroup, Table, cells
from ser_pipeline.tables.cells import people, plural, thousands
from ser_pipeline.tables.table import NO_BREAK

BRIGHTEST = 0.35
"""Share of a corpus at which its cell is brightest: twice the even share of six emotions."""


LONGEST_BIN_S = 10.0
"""Clips of this length or more share the last bin of the histogram."""

_QUIETEST_DB = -70.0
"""Levels below are cut off the drawing, in dB of full scale."""


def labels_blocks(data: Data, marks: tuple[Mark, ...]) -> tuple[Block, ...]:
    """Show each corpus's own labels beside the shared emotions, and how many recordings have each."""
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


def languages_blocks(
    data: Data, corpora: Sequence[CorpusFacts], marks: tuple[Mark, ...], cuts: Sequence[float]
) -> tuple[Block, ...]:
    """Show recordings by language, and their lengths; ``cuts`` as :func:`cuts_of` gives them."""
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
            (duration_panel(corpora, data.corpora, cuts=cuts),),
            marks,
        ),
    )


def findings_blocks(data: Data) -> tuple[Block, ...]:
    """Show what the examination of the recordings found, or how to have them examined."""
    found = data.diagnosis
    if found is None:
        return (text("The recordings have not been examined yet; do so with ", Code(DOCTOR), "."),)
    lead = (
        f"The examination of {plural(found.recordings, 'recording')} looked for defects, for copies, and for "
        "speakers and texts that reveal the emotion."
    )
    blocks: list[Block] = [text(lead if found.findings else f"{lead} Nothing was found.")]
    if found.manifest != data.digest:
        blocks.append(
            Callout("warning", ("The manifest has changed since; examine it again with ", Code(DOCTOR), "."))
        )
    if found.dangers:
        kinds = ", ".join(dict.fromkeys(finding.kind for finding in found.dangers))
        blocks.append(Callout("warning", (f"These findings can make scores wrong: {kinds}.",)))
    if found.findings:
        blocks.append(diagnosis_table(found, data.corpora.title))
    return tuple(blocks)


def levels_sections(data: Data, store: StoreFacts, marks: tuple[Mark, ...]) -> list[Section]:
    """The part on loudness; nothing where no store knows it."""
    by_corpus: dict[str, list[str]] = {}
    columns = (data.table[name].to_pylist() for name in ("corpus", "audio_digest"))
    for corpus, digest in zip(*columns, strict=True):
        by_corpus.setdefault(corpus, []).append(digest)
    shown = data.corpora.order(by_corpus)
    levels = {data.corpora.title(corpus): store.levels_of(by_corpus[corpus]) for corpus in shown}
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


def language_panel(found: Sequence[Held], known: KnownCorpora) -> Panel:
    """Draw clips by language as bars."""
    total = sum(language.clips for language in found)
    titles = [readable(known.language(language.name), 24) for language in found]
    with canvas(6.4, 0.75 + 0.34 * len(found)) as (figure, axes):
        clips = [language.clips for language in found]
        bars = axes.barh(titles, clips, color=BLUE, height=0.62)
        labels = [
            f"{thousands(language.clips)} ({100 * language.clips / total:.1f} %), "
            f"{people(language.speakers)}, {language.seconds / 3600:.1f} h"
            for language in found
        ]
        axes.bar_label(bars, labels, padding=4, fontsize=8.5)
        axes.set_xlim(0, max(clips) * 1.75)
        axes.invert_yaxis()
        axes.set_xlabel("recordings")
        axes.tick_params(axis="y", length=0)
        alt = "Bars: recordings by language. " + "; ".join(
            f"{title}: {label}" for title, label in zip(titles, labels, strict=True)
        )
        return panel(figure, "languages", alt, wide=True)


def emotion_panel(titles: Sequence[str], emotions: Sequence[str], counts: Int64s) -> Panel:
    """Draw clips by corpus and emotion; the colour is the share of the corpus.

    Args:
        titles: of the corpora.
        emotions: names.
        counts: shape ``(corpora, emotions)``.
    """
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    texts = [[thousands(int(number)) if number else "" for number in row] for row in counts]
    with canvas(1.6 + 0.68 * len(emotions), 1.15 + 0.36 * len(titles)) as (figure, axes):
        heat_cells(axes, np.minimum(shares / BRIGHTEST, 1), texts, titles, emotions)
        turn_names(axes)
        rows = (
            f"{title}: "
            + ", ".join(f"{name} {number}" for name, number in zip(emotions, row, strict=True) if number)
            for title, row in zip(titles, counts.tolist(), strict=True)
        )
        return panel(
            figure, "emotions", "Heat map: recordings by corpus and emotion. " + "; ".join(rows), wide=True
        )


def cuts_of(runs: Sequence[Run]) -> tuple[float, ...]:
    """Seconds that networks on mels hear of a recording; those of the defaults where there is no run."""
    parts = [part for run in runs for part in run.info.recipe.parts] if runs else [FrontEnd()]
    return tuple(sorted({part.max_s for part in parts if isinstance(part, FrontEnd)}))


def duration_panel(corpora: Sequence[CorpusFacts], known: KnownCorpora, *, cuts: Sequence[float]) -> Panel:
    """Draw one histogram of durations per corpus, over a common axis, and the networks' limits."""
    shown = [corpus for corpus in corpora if corpus.clips]
    edges = np.arange(0, LONGEST_BIN_S + 0.5, 0.25)
    with canvas(6.4, 0.85 + 0.42 * len(shown)) as (figure, axes):
        for row, corpus in enumerate(shown):
            counts, _ = np.histogram(np.minimum(corpus.seconds, LONGEST_BIN_S), edges)
            heights = 0.85 * counts / max(1, counts.max())
            axes.bar(edges[:-1], heights, 0.25, bottom=-row, align="edge", color=BLUE, linewidth=0)
            axes.axhline(-row, color=MUTED, linewidth=0.6)
            median = float(np.median(corpus.seconds))
            axes.plot([median, median], [-row, -row + 0.9], color=INK, linewidth=1.4)
        for place in cuts:
            axes.axvline(place, color=VERMILLION, linestyle="--", linewidth=1.2)
        if cuts:
            told = f"{', '.join(f'{place:g} s' for place in cuts)}: longer clips are cut"
            axes.text(min(cuts[0], 6.0) + 0.08, 0.95, told, color=VERMILLION, fontsize=8.5, va="bottom")
        axes.set_yticks(
            [0.35 - row for row in range(len(shown))], [readable(known.title(c.name), 24) for c in shown]
        )
        axes.tick_params(axis="y", length=0)
        axes.spines["left"].set_visible(False)
        axes.set_xlim(0, LONGEST_BIN_S + 0.25)
        axes.set_xlabel(
            f"duration in s ({LONGEST_BIN_S:.0f} s and more in the last bar; upright line: median)"
        )
        rows = "; ".join(f"{known.title(c.name)}: median {np.median(c.seconds):.1f} s" for c in shown)
        return panel(figure, "durations", f"Histograms of durations, one per corpus. {rows}", wide=True)


def level_panel(levels: Mapping[str, Float64s]) -> Panel:
    """Draw levels before levelling, one row for each corpus: range, middle half, median.

    Args:
        levels: title of a corpus -> RMS of its recordings after trimming, in dB of full scale.
    """
    with canvas(6.4, 0.85 + 0.36 * len(levels)) as (figure, axes):
        told = []
        for row, (corpus, found) in enumerate(levels.items()):
            low, first, middle, third, high = np.percentile(found, [0, 25, 50, 75, 100])
            axes.plot([low, high], [-row, -row], color=MUTED, linewidth=1)
            axes.plot([first, third], [-row, -row], color=BLUE, linewidth=7, solid_capstyle="butt")
            axes.plot([middle, middle], [-row - 0.3, -row + 0.3], color=INK, linewidth=1.6)
            told.append(f"{corpus}: median {middle:.0f} dB, {low:.0f} to {high:.0f}")
        axes.set_yticks([-row for row in range(len(levels))], [readable(c, 24) for c in levels])
        axes.tick_params(axis="y", length=0)
        axes.spines["left"].set_visible(False)
        axes.set_xlim(max(_QUIETEST_DB, min(float(found.min()) for found in levels.values()) - 2), 0)
        axes.set_ylim(-len(levels) + 0.4, 0.6)
        axes.set_xlabel("RMS in dB of full scale (line: all, bar: the middle half, upright line: median)")
        return panel(figure, "levels", "Levels by corpus. " + "; ".join(told), wide=True)
