"""The part on a network's internals: its attention, and whether it separates emotions or corpora."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from ser_pipeline.arrays import Strings
from ser_pipeline.metrics.neighbours import NEAREST, Nearness, nearness
from ser_pipeline.metrics.occlusion import BANDS, FRAMES
from ser_pipeline.records import names_nobody
from ser_pipeline.report.document import Block, Figure, Mark, Panel, Section, text
from ser_pipeline.report.drawing import (
    HEAT,
    INK,
    MUTED,
    PAPER,
    SIGNED,
    VERMILLION,
    Margins,
    canvas,
    grid,
    panel,
    readable,
)
from ser_pipeline.report.ranking import run_key
from ser_pipeline.report.results_section import run_marks
from ser_pipeline.report.sources import Data
from ser_pipeline.runs.internals import AttendedClip, Embeddings
from ser_pipeline.runs.read import Run
from ser_pipeline.tables import Column, Row, RowGroup, Table, cells
from ser_pipeline.tables.cells import percent_text, plural

CATEGORIES: Final = (
    ("#0072b2", "o"), ("#d55e00", "s"), ("#009e73", "^"), ("#cc79a7", "D"),
    ("#e69f00", "v"), ("#56b4e9", "P"), ("#8c6d31", "X"),
)  # fmt: skip
"""Colour and mark of each group on a map: the palette of Okabe and Ito, told apart by every kind of eye."""

COLUMNS: Final = 2
LEVELS: Final = 12
"""Steps of lightness of a mel, between 0 and 1."""

_MAP = Margins(left=0.1, bottom=0.85, top=0.3)


def _panels(
    run: Run,
    clips: Sequence[AttendedClip],
    name: str,
    what: str,
    draw: Callable[[Axes, AttendedClip, Sequence[str], int, float], str],
) -> Panel:
    """Draw clips side by side.

    Args:
        run: whose clips they are.
        clips: what to draw.
        name: of the drawing.
        what: can be seen in all of them, in words.
        draw: draws a clip, by the run's emotions, its number and the seconds of a frame, and says in words
            what can be seen of it.
    """
    front_end, rows = run.info.recipe.front_end, -(-len(clips) // COLUMNS)
    seconds = front_end.hop_length / front_end.sample_rate
    with grid(3.5 * COLUMNS, 2.05 * rows + 0.1, rows, COLUMNS) as (figure, axes):
        told = [
            draw(axes[place], clip, run.info.emotions, place + 1, seconds) for place, clip in enumerate(clips)
        ]
        for empty in axes[len(clips) :]:
            empty.set_visible(False)
        return panel(figure, name, f"{what}. {' '.join(told)}", wide=True)


def _attention_panel(
    axes: Axes, clip: AttendedClip, emotions: Sequence[str], number: int, seconds: float
) -> str:
    """Draw a mel, and over it how much each step counted."""
    bands, frames = clip.mel.shape
    length = max(frames, 1) * seconds
    edges = np.linspace(0, length, len(clip.weights) + 1)
    height = clip.weights * len(clip.weights)
    scale = bands / max(4.0, 1.1 * float(height.max(initial=1)))
    axes.imshow(
        np.round(LEVELS * clip.mel) / LEVELS,  # what no eye can tell apart makes a page no larger
        cmap=HEAT, origin="lower", aspect="auto", extent=(0, length, 0, bands), vmin=-1, vmax=1,
        interpolation="none",
    )  # fmt: skip
    for colour, width in ((PAPER, 3.2), (VERMILLION, 1.6)):
        axes.stairs(height * scale, edges, color=colour, linewidth=width)
    axes.axhline(scale, color=PAPER, linewidth=0.8, linestyle=":")
    axes.set(xlim=(0, length), ylim=(0, bands), yticks=[])  # each label takes its time to be drawn
    axes.xaxis.set_major_locator(MaxNLocator(4))
    axes.set_xlabel("seconds", labelpad=1)
    if number % COLUMNS == 1:
        axes.set_ylabel("mel bands", labelpad=1)
    axes.set_title(readable(f"{number}: {_told(clip, emotions)}", 60), fontsize=8.5)
    largest = int(clip.weights.argmax())
    return (
        f"{number}, {clip.utterance_id}, {length:.1f} s: {_told(clip, emotions)}; most weight at "
        f"{edges[largest]:.1f} to {edges[largest + 1]:.1f} s, {height[largest]:.1f} times the even share."
    )


def _moved_panel(axes: Axes, clip: AttendedClip, emotions: Sequence[str], number: int, seconds: float) -> str:
    """Draw a mel in grey, and over it what spoke for the decision and what against it."""
    bands, frames = clip.mel.shape
    length, most = frames * seconds, float(np.abs(clip.moved).max()) or 1.0
    whole = np.repeat(np.repeat(clip.moved / most, BANDS, 0), FRAMES, 1)
    shown = np.round(LEVELS * whole[:bands, :frames]) / LEVELS
    where = (0.0, length, 0.0, float(bands))
    axes.imshow(
        np.round(LEVELS * clip.mel) / LEVELS, cmap="gray", origin="lower", aspect="auto", extent=where,
        vmin=-1, vmax=1, interpolation="none",
    )  # fmt: skip
    axes.imshow(
        shown, cmap=SIGNED, origin="lower", aspect="auto", extent=where, vmin=-1, vmax=1,
        alpha=0.85 * np.abs(shown), interpolation="none",
    )  # fmt: skip
    axes.set(xlim=(0, length), ylim=(0, bands), yticks=[])
    axes.xaxis.set_major_locator(MaxNLocator(4))
    axes.set_xlabel("seconds", labelpad=1)
    axes.set_title(readable(f"{number}: {_told(clip, emotions)}", 60), fontsize=8.5)
    row, column = np.unravel_index(int(clip.moved.argmax()), clip.moved.shape)
    start, end = (min(each * FRAMES * seconds, length) for each in (column, column + 1))
    return (
        f"{number}, {clip.utterance_id}: {_told(clip, emotions)}; most for the decision at {start:.1f} to "
        f"{end:.1f} s, in bands {row * BANDS + 1} to {min((row + 1) * BANDS, bands)} of {bands} from below."
    )


def _told(clip: AttendedClip, emotions: Sequence[str]) -> str:
    true, decided = emotions[clip.target], emotions[clip.predicted]
    sure = percent_text(clip.probability)
    return f"{true}, {sure} sure" if true == decided else f"{true}, taken for {decided}, {sure} sure"


def map_panel(found: Embeddings, groups: Strings, what: str, name: str) -> Panel:
    """Draw the map of clips, coloured by a group.

    Args:
        found: places of the clips.
        groups: of each clip, shape ``(clips,)``.
        what: the group is, as ``corpus``.
        name: of the drawing.
    """
    shown = [group for group, _ in Counter(groups.tolist()).most_common(len(CATEGORIES))]
    styles: Mapping[str, tuple[str, str]] = dict(zip(sorted(shown), CATEGORIES, strict=False))
    x, y = found.places.T
    with canvas(3.3, 3.5, _MAP) as (figure, axes):
        rest = ~np.isin(groups, shown)
        if rest.any():
            axes.scatter(x[rest], y[rest], 9, color=MUTED, marker=".", label="others", linewidths=0)
        for group, (colour, mark) in styles.items():
            axes.scatter(
                x[groups == group], y[groups == group], 12,
                color=colour, marker=mark, alpha=0.8, linewidths=0, label=readable(group, 16),
            )  # fmt: skip
        axes.set_xticks([])
        axes.set_yticks([])
        axes.spines[:].set_color(INK)
        axes.set_title(f"by {what}")
        axes.legend(
            loc="upper center", bbox_to_anchor=(0.5, -0.01), ncols=3, handletextpad=0.1, columnspacing=0.8,
            fontsize=7.5,
        )  # fmt: skip
        alt = f"Map of {plural(len(groups), 'clip')} by {what}: " + ", ".join(
            f"{group} {count}" for group, count in Counter(groups.tolist()).most_common(8)
        )
        return panel(figure, name, alt)


SHOWN: Final = 6
"""Clips whose attention is drawn: each takes a tenth of a second."""

CLEAR: Final = 0.05
"""Smallest difference of two gains over chance that is called a difference."""


def internals_section(run: Run, data: Data) -> Section | None:
    """Write the part on what a network makes of its clips; None for a run that keeps none of it."""
    blocks: list[Block] = []
    marks = run_marks(run, data.digest)
    if run.attended:
        blocks.append(_attention(run, run.attended[:SHOWN], marks))
    if explained := [clip for clip in run.attended if clip.moved.size][:SHOWN]:
        blocks.append(_moved(run, explained, marks))
    if run.embeddings is not None:
        blocks += _map(run, run.embeddings, data, marks)
    if not blocks:
        return None
    return Section(f"{run_key(run)}-inside", f"{run.tag}: inside the network", tuple(blocks), 3, marks)


def _attention(run: Run, clips: tuple[AttendedClip, ...], marks: tuple[Mark, ...]) -> Figure:
    tag = run.tag.lower()
    names = "; ".join(f"{number} {clip.utterance_id}" for number, clip in enumerate(clips, 1))
    return Figure(
        key=f"attention-{tag}",
        caption=(
            f"Attention of {run.tag} over time, on the mels it was given: of each emotion the {run.part} "
            "clip that it recognises most confidently, then its most confident mistakes. The line is the "
            f"weight of each step as a multiple of an even share, which is dotted. Clips: {names}"
        ),
        panels=(
            _panels(run, clips, f"attention-{tag}", "Mel spectrograms with attention", _attention_panel),
        ),
        marks=marks,
    )


def _moved(run: Run, clips: Sequence[AttendedClip], marks: tuple[Mark, ...]) -> Figure:
    tag = run.tag.lower()
    return Figure(
        key=f"moved-{tag}",
        caption=(
            f"What moved the decisions of {run.tag}: each patch of the mel was replaced by the clip's mean. "
            "Orange: without it, the decision becomes less likely; purple: more likely; the stronger the "
            "colour, the more, on a scale of each clip's own"
        ),
        panels=(
            _panels(
                run, clips, f"moved-{tag}", "Mel spectrograms with what moved the decision", _moved_panel
            ),
        ),
        marks=marks,
    )


def _map(run: Run, found: Embeddings, data: Data, marks: tuple[Mark, ...]) -> list[Block]:
    tag = run.tag.lower()
    groups = _groups(run, found, data)
    panels = tuple(map_panel(found, names, what, f"map-{tag}-{what}") for what, names in groups.items())
    blocks: list[Block] = [
        Figure(
            key=f"map-{tag}",
            caption=(
                f"{plural(len(found.clips), f'{found.part} clip')} as {run.tag} sees them: the vectors its "
                "head decides from, on a plane (t-SNE; near clips lie near, distances between heaps mean "
                "nothing)"
            ),
            panels=panels,
            marks=marks,
        )
    ]
    rows = _measured(found, groups)
    blocks.append(_answer(run, rows))
    if rows:
        blocks.append(_nearness_table(run, rows, marks))
    return blocks


def _measured(found: Embeddings, groups: Mapping[str, Strings]) -> dict[str, Nearness]:
    """What near clips of known speakers share; without what none or all of their neighbours could share."""
    speakers = groups.get("speaker", np.array([], np.str_))
    named = np.array([not names_nobody(name) for name in speakers.tolist()], np.bool_)
    if not named.any():
        return {}
    measured = {
        what: nearness(found.vectors[named], names[named], None if what == "speaker" else speakers[named])
        for what, names in groups.items()
    }
    return {what: each for what, each in measured.items() if each is not None and 0 < each.chance < 1}


def _groups(run: Run, found: Embeddings, data: Data) -> dict[str, Strings]:
    """What each clip on the map is; corpus and speaker where the manifest knows every clip."""
    groups = {"emotion": np.array([run.info.emotions[number] for number in found.target])}
    table = data.table.filter(pc.is_in(data.table["utterance_id"], pa.array(found.clips)))
    columns = (table[name].to_pylist() for name in ("utterance_id", "corpus", "speaker_id"))
    known = {clip: (corpus, speaker) for clip, corpus, speaker in zip(*columns, strict=True)}
    if all(clip in known for clip in found.clips):
        groups["corpus"] = np.array([data.corpora.title(known[clip][0]) for clip in found.clips])
        groups["speaker"] = np.array([known[clip][1] for clip in found.clips])
    return groups


def _answer(run: Run, rows: Mapping[str, Nearness]) -> Block:
    """Whether the network knows emotions or corpora, in a sentence."""
    if not {"emotion", "corpus"} <= rows.keys():
        return text(
            f"{run.tag}: these clips are of too few known speakers, or of too few corpora, to tell whether "
            "emotions or corpora form clusters."
        )
    emotion, corpus = (_gain(rows[what]) for what in ("emotion", "corpus"))
    if abs(emotion - corpus) < CLEAR:
        verdict = "emotions and corpora about equally well"
    else:
        verdict = "emotions better than corpora" if emotion > corpus else "corpora better than emotions"
    return text(
        f"{run.tag} separates {verdict}: of the {NEAREST} nearest clips of other speakers, "
        f"{cells.percent_text(rows['emotion'].share)} have a clip's emotion "
        f"(chance {cells.percent_text(rows['emotion'].chance)}) and "
        f"{cells.percent_text(rows['corpus'].share)} come from its corpus "
        f"(chance {cells.percent_text(rows['corpus'].chance)})."
    )


def _gain(found: Nearness) -> float:
    """How much of the way from chance to certainty is gone."""
    return (found.share - found.chance) / (1 - found.chance)


def _nearness_table(run: Run, rows: Mapping[str, Nearness], marks: tuple[Mark, ...]) -> Table:
    among = {"speaker": "any other clip"}
    return Table(
        key=f"nearness-{run.tag.lower()}",
        caption=f"What the {NEAREST} nearest clips of {run.tag} share, in percent",
        columns=(
            Column("Shared", numeric=False),
            Column("Neighbours", numeric=False),
            Column("Nearest clips", unit="%"),
            Column("Chance", unit="%"),
            Column("Clips"),
        ),
        groups=(
            RowGroup(
                tuple(
                    Row(
                        (
                            cells.words(what),
                            cells.words(among.get(what, "clips of other speakers")),
                            cells.percent(each.share, bar=True),
                            cells.percent(each.chance),
                            cells.count(each.clips),
                        )
                    )
                    for what, each in rows.items()
                )
            ),
        ),
        notes=("Chance is the share that neighbours drawn at random among the same clips would have.",),
        marks=marks,
    )
