"""How an experiment is shown in a terminal: its runs as they go, and its findings."""

import time
from collections import Counter
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, Literal

from ser_pipeline.cli.common import Format, counted, on_screen, out, out_whole, say, show_table
from ser_pipeline.tables import Column, one_line
from ser_pipeline.tables.cells import duration, in_points, p_text, people, plural

if TYPE_CHECKING:
    from ser_pipeline.api.places import OnProgress
    from ser_pipeline.experiments.cells import Cell
    from ser_pipeline.experiments.progress import Progress, State
    from ser_pipeline.runs.curves import EpochReport
    from ser_pipeline.runs.findings import ArmFinding, ClaimFinding, Figures, Findings, Outcome

QUIET_S = 30.0
"""Seconds between lines about the epochs of a long cell."""

MOST_CLAIMS = 10
"""Lines that claims may take of a screen of 24, beside the best arm of each protocol and what is said."""

MANY: Final[Mapping["Outcome", str]] = MappingProxyType(
    {
        "holds": "hold",
        "does not hold": "do not hold",
        "not decidable here": "not decidable here",
        "not run": "not run",
    }
)
"""Verdicts on several claims, in words."""


def show_findings(
    found: "Findings", fmt: Format = Format.table, *, full: bool = False, manifests: Path = Path("manifests")
) -> None:
    """Show verdicts and scores.

    A terminal gets a summary of one screen, and with ``full`` all tables; as JSON one object with everything;
    as CSV one line for each claim.
    """
    if fmt is Format.json:
        out_whole(found.model_dump_json(indent=2))
    elif fmt is Format.table and on_screen() and not full:
        _show_summary(found)
        _say_limits(found, manifests)
        say(f"'ser experiment show {found.name} --full' shows every claim, arm and corpus")
    else:
        _show_all(found, fmt, manifests)


def _show_summary(found: "Findings") -> None:
    """The verdicts that were reached, and the best arm of each protocol."""
    reached = [claim for claim in found.claims if claim.outcome != "not run"]
    if reached:
        rows = [[claim.outcome, _numbers(claim.figures, claim.unit)[2], claim.text] for claim in reached]
        show_table(found.title, ["verdict", Column("difference"), "claim"], rows, most=MOST_CLAIMS)
    else:
        out(found.title)
    counts = [f"{count} {MANY[outcome]}" for outcome, count in found.outcomes().items() if count]
    if counts:
        out(f"{plural(len(found.claims), 'claim')}: {', '.join(counts)}")
    scored = [(arm.uar.value, arm) for arm in found.arms if arm.uar is not None]
    for protocol in dict.fromkeys(arm.protocol for _, arm in scored):
        same = [(uar, arm.arm) for uar, arm in scored if arm.protocol == protocol]
        uar, name = max(same)
        first = f"best of {len(same)} arms" if len(same) > 1 else "one arm"
        out(f"{first} under '{protocol}': {name}, UAR {in_points(uar)} %")


def _say_limits(found: "Findings", manifests: Path) -> None:
    if found.epochs is not None:
        say(f"networks were trained for at most {plural(found.epochs, 'epoch')} because of --epochs")
    if found.synthetic:
        which = synthetic_voices(found.corpora, found.manifest_digest, manifests)
        say(f"{which}: the verdicts say nothing about real speech")


def _show_all(found: "Findings", fmt: Format, manifests: Path) -> None:
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
    _say_limits(found, manifests)


def _claim_row(claim: "ClaimFinding") -> list[Any]:
    arms = f"{claim.first} : {claim.second}" if claim.second else claim.first
    text = f"{claim.text} [{arms}, {claim.protocol}, {claim.score}]"
    text += f" ({claim.reason})" if claim.reason else ""
    where = claim.tested or "all"
    found = claim.figures
    whom = f"{plural(found.clips, 'clip')}, {people(found.speakers)}" if found else ""
    corrected = claim.corrected_p
    p = "" if corrected is None else p_text(corrected)
    tested = f"{where}: {whom}" if whom and claim.unit != "clips/s" else where
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


class CellLines:
    """Writes a line to stderr as cells begin and end, and now and then within a long one.

    Args:
        part: whose score is told.
        together: several cells may be trained at once, so that each line has to name its own.
    """

    def __init__(self, part: Literal["test", "validation"] = "test", *, together: bool = False) -> None:
        self._part = part
        self._together = together
        self._said = self._began = time.monotonic()
        self._ahead = ""

    def building(self, kind: str) -> "AbstractContextManager[OnProgress]":
        """Show the store that a cell needs first."""
        return counted(kind)

    def began(self, cell: "Cell", ahead: int, seconds: float) -> None:
        """Remember how much is ahead; it is said with the result."""
        self._said = self._began = time.monotonic()
        self._ahead = f"{ahead} left, about {duration(seconds)}{' of work' if self._together else ''}"
        say(f"{cell.label} ({self._ahead})")

    def epoch_done(self, report: "EpochReport") -> None:
        """Say how a long training goes."""
        if time.monotonic() - self._said < QUIET_S:
            return
        self._said = time.monotonic()
        uar = report.row["validation_uar"]
        score = "" if uar is None else f", validation UAR {100 * float(uar):.1f} %"
        say(f"  {report.word} {report.row['epoch']} of at most {report.epochs}{score}")

    def warn(self, sentence: str) -> None:
        """Say what went wrong."""
        say(one_line(sentence))

    def ended(self, cell: "Cell", state: "State") -> None:
        """Say what came of it."""
        where = f"  {cell.label}: " if self._together else "  "
        took = duration(time.monotonic() - self._began)
        if state.record is None:
            after = "" if self._together else f" after {took}"
            say(one_line(f"{where}{state.status}{after}: {state.reason}"))
            return
        if self._together:
            took = duration(state.record.seconds)
        uar = state.record.uar if self._part == "test" else state.record.validation_uar
        score = "done" if uar is None else f"{self._part} UAR {100 * uar:.1f} %"
        say(f"{where}{score} in {took}")


def synthetic_voices(corpora: Iterable[str], digest: str, manifests: Path = Path("manifests")) -> str:
    """Say which recordings are synthetic voices.

    Args:
        corpora: that the recordings are from; some of them are synthetic.
        digest: of the manifest that they are from, which alone tells.
        manifests: folder to look for it in.

    Returns:
        As ``all of these recordings are synthetic voices``.
    """
    from ser_pipeline.errors import ManifestError
    from ser_pipeline.manifest import read_manifest

    which = "some or all"
    try:
        manifest = read_manifest(manifests, ["corpus"])
        if manifest.digest == digest:
            which = "all" if {*corpora} <= {*manifest.synthetic_corpora} else "some"
    except ManifestError:
        pass
    return f"{which} of these recordings are synthetic voices"


def tell_problems(progress: "Progress") -> None:
    """Say which runs cannot be trained, and why."""
    for problem, count in Counter(cell.problem for cell in progress.cells if cell.problem).items():
        say(f"{plural(count, 'run')} cannot be trained: {problem}")
