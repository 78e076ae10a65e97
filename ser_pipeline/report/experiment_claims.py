"""Tables of the claims of an experiment: verdicts, and the same under another protocol."""

from ser_pipeline.findings import ClaimFinding, Figures, Findings, Unit
from ser_pipeline.report import cells
from ser_pipeline.report.document import MINUS, Cell, Column, Mark, Row, RowGroup, Table


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
        "Scores in percent and differences in points, with intervals below; distances of errors as they are; "
        "speeds in clips of three seconds a second. A positive difference speaks for the claim.",
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


def _p_value(p: float | None) -> Cell:
    return Cell("< 0.001", p) if p is not None and p < 0.001 else cells.decimal(p, 3)


def _numbers(figures: Figures | None, unit: Unit) -> tuple[Cell, Cell, Cell]:
    if figures is None:
        return cells.missing(), cells.missing(), cells.missing()
    inside = ""
    if figures.low is not None and figures.high is not None:
        inside = f"{_text(figures.low, unit, '+')} to {_text(figures.high, unit, '+')}"
    second = cells.missing() if figures.second is None else Cell(_text(figures.second, unit), figures.second)
    return (
        Cell(_text(figures.first, unit), figures.first),
        second,
        Cell(_text(figures.difference, unit, "+"), figures.difference, note=inside),
    )


def _text(value: float, unit: Unit, sign: str = "") -> str:
    form = f"{100 * value:{sign}.1f}" if unit == "points" else f"{value:{sign}.3g}"
    return form.replace("-", MINUS)


def beside_table(found: Findings, marks: tuple[Mark, ...]) -> Table:
    """Lay out the claims that have figures under another protocol, and what makes the difference."""
    columns = (
        Column("Claim", numeric=False),
        Column("First"),
        Column("Second"),
        Column("Difference"),
        Column("What the protocols differ by", numeric=False),
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
        "These figures decide nothing: they show what the source report's own protocol would have said.",
    )
    caption = f"{found.title}: the same claims under the protocol beside"
    return Table(f"beside-{found.name}", caption, columns, tuple(groups), notes, marks)


def _beside_row(claim: ClaimFinding) -> Row:
    beside = claim.beside
    if beside is None:
        return Row(())
    words = cells.words(beside.note or beside.reason)
    return Row((cells.words(claim.text), *_numbers(beside.figures, claim.unit), words))
