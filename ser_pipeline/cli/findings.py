"""How findings of an experiment are shown in a terminal."""

from typing import TYPE_CHECKING, Any

from ser_pipeline.cli.common import Format, out_whole, say, show_table
from ser_pipeline.tables import Column
from ser_pipeline.tables.cells import in_points, p_text

if TYPE_CHECKING:
    from ser_pipeline.runs.findings import ArmFinding, ClaimFinding, Figures, Findings


def show_findings(found: "Findings", fmt: Format = Format.table) -> None:
    """Show verdicts and scores.

    Tables on a screen; as JSON one object with everything; as CSV one line for each claim.
    """
    if fmt is Format.json:
        out_whole(found.model_dump_json(indent=2))
        return
    figures = [*map(Column, ("first", "second", "difference", "95 % interval"))]
    columns: list[str | Column] = ["verdict", "family", "claim", *figures, Column("p (Holm)"), "tested"]
    if found.claims:
        show_table(found.title, columns, [_claim_row(claim) for claim in found.claims], fmt)
    if fmt is Format.csv:
        return
    beside = [_beside_row(claim) for claim in found.claims if claim.beside is not None]
    if beside:
        show_table(
            "under the other protocol, for reference only",
            ["claim", "protocol", *figures, "what it is"],
            beside,
        )
    scores = map(
        Column,
        ("clips", "accuracy, %", "UAR, %", "95 % interval", "seeds from-to", "seconds", "clips/s"),
    )
    show_table("arms", ["arm", "protocol", "seeds", *scores], [_arm_row(arm) for arm in found.arms])
    _show_corpora(found)
    for note in found.protocols:
        say(f"protocol '{note.name}': split '{note.split}': {note.note}")
    say(f"intervals: {found.interval}")
    if found.epochs is not None:
        say(f"networks were trained for at most {found.epochs} epochs because of --epochs")
    if found.synthetic:
        say("some of these recordings are synthetic voices: the verdicts say nothing about real speech")


def _claim_row(claim: "ClaimFinding") -> list[Any]:
    arms = f"{claim.first} : {claim.second}" if claim.second else claim.first
    text = f"{claim.text} [{arms}, {claim.protocol}, {claim.score}]"
    text += f" ({claim.reason})" if claim.reason else ""
    where = claim.tested or "all"
    people = f"{claim.figures.clips} clips, {claim.figures.speakers} speakers" if claim.figures else ""
    corrected = claim.corrected_p
    p = "" if corrected is None else p_text(corrected)
    tested = f"{where}: {people}" if people and claim.unit != "clips/s" else where
    return [claim.outcome, claim.family, text, *_numbers(claim.figures, claim.unit), p, tested]


def _beside_row(claim: "ClaimFinding") -> list[Any]:
    beside = claim.beside
    if beside is None:
        return []
    return [
        claim.text,
        beside.protocol,
        *_numbers(beside.figures, claim.unit),
        beside.note or beside.reason,
    ]


def _numbers(figures: "Figures | None", unit: str) -> list[str]:
    """First, second, difference and its interval, in the unit of the claim."""
    if figures is None:
        return [""] * 4

    def text(value: float | None, sign: str = "") -> str:
        return "" if value is None else in_points(value, sign, points=unit == "points")

    inside = "" if figures.low is None else f"{text(figures.low, '+')} to {text(figures.high, '+')}"
    return [text(figures.first), text(figures.second), text(figures.difference, "+"), inside]


def _arm_row(arm: "ArmFinding") -> list[Any]:
    head = [arm.arm, arm.protocol]
    missing = arm.failed + arm.waiting
    if arm.uar is None or arm.accuracy is None:
        why = "failed" if arm.failed else "not run"
        return [*head, f"{why}: {arm.reason}" if arm.reason else why, *[""] * 7]
    low, high = arm.uar.low, arm.uar.high
    return [
        *head,
        f"{arm.done} of {arm.done + missing}" if missing else str(arm.done),
        arm.clips,
        in_points(arm.accuracy.value),
        in_points(arm.uar.value),
        "" if low is None or high is None else f"{in_points(low)}-{in_points(high)}",
        f"{in_points(arm.lowest_uar or 0)}-{in_points(arm.highest_uar or 0)}",
        f"{arm.seconds:.0f}",
        f"{arm.clips_per_second:.0f}",
    ]


def _show_corpora(found: "Findings") -> None:
    """UAR of every arm on every corpus, where there are several."""
    corpora = sorted({score.corpus for arm in found.arms for score in arm.corpora})
    scored = [arm for arm in found.arms if arm.corpora]
    if len(corpora) < 2 or not scored:
        return
    rows = []
    for arm in scored:
        by = {score.corpus: in_points(score.uar) for score in arm.corpora}
        rows.append([arm.arm, arm.protocol, *(by.get(corpus, "") for corpus in corpora)])
    show_table("UAR by corpus of the test clips, %", ["arm", "protocol", *map(Column, corpora)], rows)
