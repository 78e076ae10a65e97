"""How the cells of an experiment stand."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from ser_pipeline.experiments.arms import Design
from ser_pipeline.experiments.cells import Cell, Ground
from ser_pipeline.experiments.order import Need
from ser_pipeline.experiments.place import CellRecord, read_record
from ser_pipeline.experiments.spec import ClaimSpec
from ser_pipeline.findings import CellStatus

NOT_YET: Final = "not reached yet"


@dataclass(frozen=True)
class State:
    """How a cell stands.

    Attributes:
        status: ``done``, ``failed`` or ``not run``.
        reason: why it is not done.
        record: what it cost and scored, where it is done.
    """

    status: CellStatus
    reason: str = ""
    record: CellRecord | None = None


@dataclass
class Progress:
    """All cells of an experiment and how they stand, by key.

    Attributes:
        design: arms and claims.
        ground: the recordings.
        cells: in the experiment's order; several may share a key.
        states: by key.
    """

    design: Design
    ground: Ground
    cells: Sequence[Cell]
    states: dict[str, State] = field(default_factory=dict)

    def state(self, cell: Cell) -> State:
        """How one cell stands."""
        return State("failed", cell.problem) if cell.problem else self.states[cell.key]

    def keys(self, arm: str, protocol: str) -> list[str]:
        """Keys of an arm under a protocol, by seed."""
        return [cell.key for cell in self.cells if (cell.arm, cell.protocol) == (arm, protocol)]

    def leaks(self, protocol: str) -> bool:
        """Whether a protocol puts clips of one person on both sides."""
        names = {cell.recipe.split for cell in self.cells if cell.key and cell.protocol == protocol}
        return any(self.ground.split(name).leaks_speakers for name in names)

    def records(self, keys: Sequence[str]) -> list[CellRecord]:
        """Records of those cells that are done."""
        found = [self.states[key].record for key in keys if key]
        return [record for record in found if record is not None]

    def wanted(self, claim: ClaimSpec, *, beside: bool = False) -> list[list[str]]:
        """Keys of the first arm by seed, and of the second where there is one."""
        under = (claim.beside, claim.beside) if beside else (claim.protocol, claim.against)
        arms = (claim.first, claim.second)
        return [self.keys(arm, protocol) for arm, protocol in zip(arms, under, strict=True) if arm]

    def needs(self) -> list[list[Need]]:
        """Keys each claim waits for: for its verdict first, then for what is shown beside."""
        claims = self.design.claims
        return [
            [self._need(self.wanted(claim)) for claim in claims],
            [self._need(self.wanted(claim, beside=True)) for claim in claims if claim.beside],
        ]

    def _need(self, arms: Sequence[Sequence[str]]) -> Need:
        keys = [key for seed in zip(*arms, strict=True) for key in seed]  # both arms of a seed together
        failed = any(not key or self.states[key].status == "failed" for key in keys)
        return () if failed else tuple(keys)


def examined(design: Design, ground: Ground, cells: Sequence[Cell], runs: Path) -> Progress:
    """Find out which cells are done; trains nothing."""
    progress = Progress(design, ground, cells)
    for cell in cells:
        if cell.key and cell.key not in progress.states:
            record = read_record(runs, cell.key)
            progress.states[cell.key] = State("done", record=record) if record else State("not run", NOT_YET)
    return progress
