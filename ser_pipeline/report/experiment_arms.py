"""Tables of the arms of an experiment: scores, and UAR by corpus."""

from collections.abc import Sequence

from ser_pipeline.findings import ArmFinding, Findings
from ser_pipeline.report import cells
from ser_pipeline.report.document import EN_DASH, Cell, Column, Mark, Row, RowGroup, Table
from ser_pipeline.report.facts import corpus_order, corpus_title


def arms_table(found: Findings, marks: tuple[Mark, ...]) -> Table:
    """Lay out what every arm scored and cost, a group for each protocol."""
    columns = (
        Column("Arm", numeric=False),
        Column("Seeds", numeric=False),
        Column("Clips"),
        Column("Speakers"),
        Column("Accuracy, %"),
        Column("UAR, %"),
        Column("Macro-F1, %"),
        Column("UAR of seeds", numeric=False),
        Column("Distance of errors"),
        Column("Seconds a run"),
        Column("Clips a second"),
    )
    groups = tuple(
        RowGroup(
            tuple(_arm_row(arm) for arm in found.arms if arm.protocol == note.name),
            f"Protocol {note.name}: split {note.split}",
            note.note.rstrip("."),
            ("speakers heard",) if note.leaks_speakers else (),
        )
        for note in found.protocols
    )
    notes = (
        "Scores are means over seeds, their intervals drawn over speakers and seeds. Clips a second: one "
        "clip of three seconds at a time, from samples to decision, front end included, where it ran.",
    )
    return Table(f"arms-{found.name}", f"{found.title}: arms", columns, groups, notes, marks)


def _arm_row(arm: ArmFinding) -> Row:
    missing = arm.failed + arm.waiting
    seeds = "failed" if arm.failed else "not run"
    if arm.done:
        seeds = f"{arm.done} of {arm.done + missing}" if missing else str(arm.done)
    spread = ""
    if arm.lowest_uar is not None and arm.highest_uar is not None:
        spread = f"{100 * arm.lowest_uar:.1f}{EN_DASH}{100 * arm.highest_uar:.1f}"
    return Row(
        (
            cells.words(arm.arm, note=arm.reason),
            cells.words(seeds),
            cells.count(arm.clips),
            cells.count(arm.speakers),
            cells.score(arm.accuracy),
            cells.score(arm.uar),
            cells.score(arm.macro_f1),
            cells.words(spread),
            cells.decimal(arm.error_distance, 3),
            cells.decimal(arm.seconds, 0),
            cells.decimal(arm.clips_per_second, 0),
        )
    )


def corpora_table(found: Findings, marks: tuple[Mark, ...]) -> Table:
    """Lay out the UAR of every arm on the test clips of every corpus."""
    corpora = corpus_order({score.corpus for arm in found.arms for score in arm.corpora})
    columns = (Column("Arm", numeric=False), *(Column(corpus_title(corpus)) for corpus in corpora))
    groups = tuple(
        RowGroup(
            tuple(
                _corpora_row(arm, corpora) for arm in found.arms if arm.protocol == note.name and arm.corpora
            ),
            f"Protocol {note.name}",
            marks=("speakers heard",) if note.leaks_speakers else (),
        )
        for note in found.protocols
    )
    caption = f"{found.title}: UAR by corpus of the test clips, in percent, mean over seeds"
    kept = tuple(group for group in groups if group.rows)
    return Table(f"corpora-{found.name}", caption, columns, kept, marks=marks)


def _corpora_row(arm: ArmFinding, corpora: Sequence[str]) -> Row:
    by = {score.corpus: score for score in arm.corpora}
    shown = [
        Cell(f"{100 * by[name].uar:.1f}", by[name].uar, note=cells.plural(by[name].speakers, "speaker"))
        if name in by
        else cells.missing()
        for name in corpora
    ]
    return Row((cells.words(arm.arm), *shown))
