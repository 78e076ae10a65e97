"""The chapter on experiments: claims that hold, do not hold, cannot be decided, or were not run."""

import shlex
from collections.abc import Sequence
from typing import Final

from ser_pipeline.manifest.cards import KnownCorpora
from ser_pipeline.report.document import Block, Callout, Code, Fold, Mark, Report, Section, numbered, text
from ser_pipeline.report.sources import Data
from ser_pipeline.runs.findings import OUTCOMES, ArmFinding, ClaimFinding, Figures, Findings, Unit
from ser_pipeline.tables import Column, Entry, Row, RowGroup, Table, cells
from ser_pipeline.tables.table import EN_DASH, MINUS

VERDICTS: Final = (
    "A claim holds if its whole interval supports it and its p-value, corrected over its family, is at most "
    "0.05; it does not hold if the whole interval contradicts it or lies below what is claimed; otherwise it "
    "is not decidable here. A claim whose runs are not all done is marked 'not run'."
)


def arms_table(found: Findings, marks: tuple[Mark, ...]) -> Table:
    """Lay out what every arm scored and cost, a group for each protocol."""
    columns = (
        Column("Arm", numeric=False),
        Column("Seeds", numeric=False),
        Column("Clips"),
        Column("Speakers"),
        Column("Accuracy", unit="%"),
        Column("UAR", unit="%"),
        Column("Macro-F1", unit="%"),
        Column("UAR of seeds", numeric=False),
        Column("Distance of errors"),
        Column("Seconds per run"),
        Column("Clips per second"),
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
        "Scores are means over seeds; their intervals are bootstrapped over speakers and seeds. Clips per "
        "second are measured on the machine of the run, one clip of three seconds at a time, from samples to "
        "decision, with the front end.",
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


def corpora_table(found: Findings, known: KnownCorpora, marks: tuple[Mark, ...]) -> Table:
    """Lay out the UAR of every arm on the test clips of every corpus."""
    corpora = known.order({score.corpus for arm in found.arms for score in arm.corpora})
    columns = (Column("Arm", numeric=False), *(Column(known.title(corpus)) for corpus in corpora))
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
        Entry(f"{100 * by[name].uar:.1f}", by[name].uar, note=cells.plural(by[name].speakers, "speaker"))
        if name in by
        else cells.missing()
        for name in corpora
    ]
    return Row((cells.words(arm.arm), *shown))


def claims_table(found: Findings, marks: tuple[Mark, ...]) -> Table:
    """Lay out the claims, a group for each family that was corrected together."""
    columns = (
        Column("Claim", numeric=False),
        Column("Verdict", numeric=False),
        Column("First"),
        Column("Second"),
        Column("Difference"),
        Column("p, corrected"),
        Column("Clips"),
        Column("Speakers"),
    )
    leaky = {note.name for note in found.protocols if note.leaks_speakers}
    rows: dict[str, list[Row]] = {}
    for claim in found.claims:
        rows.setdefault(claim.family, []).append(_claim_row(claim, heard=claim.protocol in leaky))
    groups = tuple(RowGroup(tuple(each), title=family) for family, each in rows.items())
    notes = (
        "Scores are in percent and differences in points, with intervals below; distances of errors have no "
        "unit; speeds are in clips of three seconds per second. A positive difference supports the claim.",
        f"Intervals: {found.interval}.",
    )
    return Table(f"claims-{found.name}", f"{found.title}: claims", columns, groups, notes, marks)


def _claim_row(claim: ClaimFinding, *, heard: bool) -> Row:
    arms = f"{claim.first} : {claim.second}" if claim.second else claim.first
    details = (f"{claim.score} of {arms}", f"protocol {claim.protocol}", claim.tested, claim.reason)
    figures = claim.figures
    counted = figures if claim.unit != "clips/s" else None
    return Row(
        (
            cells.words(claim.text, note="; ".join(filter(None, details))),
            cells.words(claim.outcome, strong=claim.outcome == "holds"),
            *_numbers(figures, claim.unit),
            _p_value(claim.corrected_p),
            cells.count(None if counted is None else counted.clips),
            cells.count(None if counted is None else counted.speakers),
        ),
        marks=("speakers heard",) if heard else (),
    )


def _p_value(p: float | None) -> Entry:
    return cells.missing() if p is None else Entry(cells.p_text(p), p)


def _numbers(figures: Figures | None, unit: Unit) -> tuple[Entry, Entry, Entry]:
    if figures is None:
        return cells.missing(), cells.missing(), cells.missing()
    inside = ""
    if figures.low is not None and figures.high is not None:
        inside = f"{_text(figures.low, unit, '+')} to {_text(figures.high, unit, '+')}"
    second = cells.missing() if figures.second is None else Entry(_text(figures.second, unit), figures.second)
    return (
        Entry(_text(figures.first, unit), figures.first),
        second,
        Entry(_text(figures.difference, unit, "+"), figures.difference, note=inside),
    )


def _text(value: float, unit: Unit, sign: str = "") -> str:
    return cells.in_points(value, sign, points=unit == "points").replace("-", MINUS)


def beside_table(found: Findings, marks: tuple[Mark, ...]) -> Table:
    """Lay out the claims that have figures under another protocol, and what makes the difference."""
    columns = (
        Column("Claim", numeric=False),
        Column("First"),
        Column("Second"),
        Column("Difference"),
        Column("Difference between the protocols", numeric=False),
    )
    leaky = {note.name: note.leaks_speakers for note in found.protocols}
    groups = []
    for name in dict.fromkeys(claim.beside.protocol for claim in found.claims if claim.beside):
        rows = tuple(
            _beside_row(each) for each in found.claims if each.beside and each.beside.protocol == name
        )
        note = next((each.note for each in found.protocols if each.name == name), "")
        heard: tuple[Mark, ...] = ("speakers heard",) if leaky.get(name) else ()
        groups.append(RowGroup(rows, f"Protocol {name}", note.rstrip("."), heard))
    notes = (
        "These figures are for reference only: they show what the source report's own protocol would have "
        "concluded.",
    )
    caption = f"{found.title}: the same claims under another protocol"
    return Table(f"beside-{found.name}", caption, columns, tuple(groups), notes, marks)


def _beside_row(claim: ClaimFinding) -> Row:
    beside = claim.beside
    if beside is None:
        return Row(())
    words = cells.words(beside.note or beside.reason)
    return Row((cells.words(claim.text), *_numbers(beside.figures, claim.unit), words))


def experiment_sections(found: Sequence[Findings], data: Data) -> tuple[Section, ...]:
    """Write a chapter head and one part for each experiment; nothing if there is none."""
    if not found:
        return ()
    lead = text(
        "An experiment trains variants of a recipe (arms) that differ in one setting, and tests claims by "
        f"comparing arms on the same test recordings. {VERDICTS}",
    )
    head = Section("experiments", "Experiments", (lead,), 2)
    return (head, *(_part(each, data) for each in found))


def _part(found: Findings, data: Data) -> Section:
    marks: list[Mark] = ["synthetic"] if found.synthetic else []
    if found.manifest_digest != data.digest:
        marks.append("other manifest")
    blocks: list[Block] = [text(found.about)] if found.about else []
    blocks += [
        _state(found, f"ser experiment run {shlex.quote(found.source or found.name)}"),
        *_cautions(found),
    ]
    given = tuple(marks)
    if found.claims:
        blocks.append(claims_table(found, given))
    if any(claim.beside for claim in found.claims):
        blocks += [Fold("The same claims under another protocol"), beside_table(found, given)]
    blocks += [Fold("What every arm scored"), arms_table(found, given)]
    if len({score.corpus for arm in found.arms for score in arm.corpora}) > 1:
        blocks.append(corpora_table(found, data.corpora, given))
    return Section(f"experiment-{found.name}", found.title, tuple(blocks), 3, given, _outcomes(found))


def _state(found: Findings, command: str) -> Block:
    count, told = found.cells(), _outcomes(found)
    return text(
        f"{cells.plural(count['done'], 'run')} done, {count['failed']} failed, {count['not run']} not run; "
        f"seeds {', '.join(map(str, found.seeds))}. ",
        f"Claims: {told}. " if told else "",
        "Continue with ",
        Code(command),
        ".",
    )


def _outcomes(found: Findings) -> str:
    verdicts = found.outcomes()
    return ", ".join(f"{verdicts[outcome]} {outcome}" for outcome in OUTCOMES if verdicts[outcome])


def _cautions(found: Findings) -> list[Block]:
    blocks: list[Block] = []
    if found.epochs is not None:
        most = cells.plural(found.epochs, "epoch")
        blocks.append(Callout("note", (f"Networks were trained for at most {most}.",)))
    failed = [arm for arm in found.arms if arm.failed]
    if failed:
        first = failed[0]
        words = f"Runs of {cells.plural(len(failed), 'arm')} failed, for example {first.arm}: {first.reason}."
        blocks.append(Callout("warning", (words,)))
    return blocks


def comparison(found: Findings) -> Report:
    """Write the page that sets what the source report claims beside what was measured."""
    given: tuple[Mark, ...] = ("synthetic",) if found.synthetic else ()
    sections = (
        Section("claims", "Claims", (comparison_table(found, given),), 2, given),
        Section("arms", "What every arm scored", (arms_table(found, given),), 2, given),
    )
    banner = "Synthetic recordings: these numbers say nothing about emotions in human speech."
    opening = (text(found.about), text(VERDICTS), _state(found, "ser paper --budget 1h"), *_told(found))
    return Report(found.title, opening, numbered(sections), banner if found.synthetic else "")


def _told(found: Findings) -> list[Block]:
    """On which recordings, how fast, and what limits the numbers."""
    blocks: list[Block] = [text(f"Corpora: {', '.join(found.corpora)}; manifest {found.manifest_digest}.")]
    speeds = [arm.clips_per_second for arm in found.arms if arm.arm == "crnn" and arm.clips_per_second]
    if speeds:
        took = f"{1000 / speeds[0]:.1f} ms on the machine of the run"
        blocks.append(
            text(
                f"With its front end, the CRNN decides on a clip of three seconds in {took}. "
                "The source report claims 10 to 20 ms for a forward pass."
            )
        )
    return blocks + _cautions(found)


def comparison_table(found: Findings, marks: tuple[Mark, ...]) -> Table:
    """Lay out each claim with what is claimed, what was measured, and the verdict or why there is none."""
    columns = (
        Column("Claim", numeric=False),
        Column("Claimed", numeric=False),
        Column("Measured"),
        Column("Compared with"),
        Column("Difference"),
        Column("Verdict", numeric=False),
        Column("Under the report's protocol"),
    )
    rows: dict[str, list[Row]] = {}
    for claim in found.claims:
        rows.setdefault(claim.family, []).append(_compared(claim))
    groups = tuple(RowGroup(tuple(each), title=family) for family, each in rows.items())
    notes = (
        "Scores are in percent and differences in points, with intervals below; a positive difference "
        "supports the claim. Under the source report's own protocol the same difference decides nothing, "
        "because clips of one speaker are on both sides.",
        f"Intervals: {found.interval}.",
    )
    return Table(
        f"comparison-{found.name}", "What is claimed, and what was measured", columns, groups, notes, marks
    )


def _compared(claim: ClaimFinding) -> Row:
    beside = cells.missing()
    if claim.beside is not None and claim.beside.figures is not None:
        beside = _numbers(claim.beside.figures, claim.unit)[2]
    return Row(
        (
            cells.words(claim.text, note=f"{claim.score}, protocol {claim.protocol}"),
            cells.words(_claimed(claim)),
            *_numbers(claim.figures, claim.unit),
            cells.words(claim.outcome, note=claim.reason, strong=claim.outcome == "holds"),
            beside,
        )
    )


def _claimed(claim: ClaimFinding) -> str:
    """What is claimed, in a word or two."""
    amount = f"{100 * abs(claim.claimed):.4g}"
    points = "1 point" if amount == "1" else f"{amount} points"
    if claim.kind == "reaches":
        return f"{amount} %"
    if claim.kind == "no worse":
        return f"at most {points} less"
    if claim.kind == "better":
        more = "nearer" if claim.unit == "distance" else "more"
        return f"{points} more" if claim.claimed else more
    return {"faster": "faster", "best class": "the best", "top confusions": "the most"}[claim.kind]
