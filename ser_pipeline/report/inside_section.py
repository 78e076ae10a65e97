"""The part on a network's inside: where it looks, and whether it knows emotions or corpora."""

from collections.abc import Mapping
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from ser_pipeline.insights import AttendedClip, Embeddings
from ser_pipeline.report import cells
from ser_pipeline.report.document import (
    Block,
    Column,
    Figure,
    Mark,
    Row,
    RowGroup,
    Section,
    Table,
    text,
)
from ser_pipeline.report.facts import corpus_title
from ser_pipeline.report.inside import NEAREST, Nearness, nearness
from ser_pipeline.report.inside_figures import attention_panel, map_panel
from ser_pipeline.report.results_section import run_key, run_marks
from ser_pipeline.report.runs import Run
from ser_pipeline.report.sources import Data

Names = npt.NDArray[np.str_]

SHOWN: Final = 6
"""Clips whose attention is drawn: each takes a tenth of a second."""

CLEAR: Final = 0.05
"""Difference of two gains over chance that is worth a word."""


def inside_section(run: Run, data: Data) -> Section | None:
    """Write the part on what a network makes of its clips; None for a run that keeps none of it."""
    blocks: list[Block] = []
    marks = run_marks(run, data.digest)
    if run.attended:
        blocks.append(_attention(run, run.attended[:SHOWN], marks))
    if run.embeddings is not None:
        blocks += _map(run, run.embeddings, data, marks)
    if not blocks:
        return None
    return Section(f"{run_key(run)}-inside", f"{run.tag}: inside the network", tuple(blocks), 3, marks)


def _attention(run: Run, clips: tuple[AttendedClip, ...], marks: tuple[Mark, ...]) -> Figure:
    front_end, tag = run.info.recipe.front_end, run.tag.lower()
    seconds = front_end.hop_length / front_end.sample_rate
    names = "; ".join(f"{number} {clip.utterance_id}" for number, clip in enumerate(clips, 1))
    return Figure(
        key=f"attention-{tag}",
        caption=(
            f"Attention of {run.tag} over time, on the mels it was given: the {run.part} clips decided "
            "rightly that it is surest of, one of each emotion, then its surest mistakes. The line is the "
            f"weight of a step, as many times the even share; dotted: the even share. Clips: {names}"
        ),
        panels=(attention_panel(clips, run.info.emotions, f"attention-{tag}", seconds),),
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
                f"{len(found.clips)} {found.part} clips as {run.tag} sees them: the vectors its head decides "
                "from, on a plane (t-SNE; near clips lie near, distances between heaps mean nothing)"
            ),
            panels=panels,
            marks=marks,
        )
    ]
    speakers = groups.get("speaker")
    measured: dict[str, Nearness | None] = {}
    for what, names in groups.items():
        apart = None if what == "speaker" else speakers
        measured[what] = nearness(found.vectors, names, apart)
    rows = {what: each for what, each in measured.items() if each is not None}
    if rows:
        blocks += [_answer(run, rows), _nearness_table(run, rows, marks)]
    return blocks


def _groups(run: Run, found: Embeddings, data: Data) -> dict[str, Names]:
    """What each clip on the map is; corpus and speaker where the manifest knows every clip."""
    groups = {"emotion": np.array([run.info.emotions[number] for number in found.target])}
    table = data.table.filter(pc.is_in(data.table["utterance_id"], pa.array(found.clips)))
    columns = (table[name].to_pylist() for name in ("utterance_id", "corpus", "speaker_id"))
    known = {clip: (corpus, speaker) for clip, corpus, speaker in zip(*columns, strict=True)}
    if all(clip in known for clip in found.clips):
        groups["corpus"] = np.array([corpus_title(known[clip][0]) for clip in found.clips])
        groups["speaker"] = np.array([known[clip][1] for clip in found.clips])
    return groups


def _answer(run: Run, rows: Mapping[str, Nearness]) -> Block:
    """Whether the network knows emotions or corpora, in a sentence."""
    emotion, corpus = (_gain(rows.get(what)) for what in ("emotion", "corpus"))
    if emotion is None or corpus is None:
        return text(f"{run.tag}: clips of too few speakers to say whether emotions or corpora lie together.")
    if abs(emotion - corpus) < CLEAR:
        verdict = "emotions and corpora about as well"
    else:
        verdict = "emotions better than corpora" if emotion > corpus else "corpora better than emotions"
    return text(
        f"{run.tag} tells {verdict}: of the {NEAREST} clips nearest to a clip, spoken by others, "
        f"{cells.percent_text(rows['emotion'].share)} show its emotion "
        f"(chance {cells.percent_text(rows['emotion'].chance)}) and "
        f"{cells.percent_text(rows['corpus'].share)} are of its corpus "
        f"(chance {cells.percent_text(rows['corpus'].chance)})."
    )


def _gain(found: Nearness | None) -> float | None:
    """How much of the way from chance to certainty is gone; None where there is no way."""
    if found is None or found.chance >= 1:
        return None
    return (found.share - found.chance) / (1 - found.chance)


def _nearness_table(run: Run, rows: Mapping[str, Nearness], marks: tuple[Mark, ...]) -> Table:
    among = {"speaker": "any other clip"}
    return Table(
        key=f"nearness-{run.tag.lower()}",
        caption=f"What the {NEAREST} nearest clips of {run.tag} share, in percent",
        columns=(
            Column("Shared", numeric=False),
            Column("Neighbours", numeric=False),
            Column("Nearest clips, %"),
            Column("Chance, %"),
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
        notes=("Chance: what they would share if neighbours were drawn at random among the same clips.",),
        marks=marks,
    )
