"""How the cells of an experiment stand, and the table of all of them."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import pyarrow as pa

from ser_pipeline.atomic import write_parquet
from ser_pipeline.experiments.arms import Design
from ser_pipeline.experiments.cells import Cell, Ground
from ser_pipeline.experiments.place import CellRecord, read_record
from ser_pipeline.experiments.spec import ClaimSpec
from ser_pipeline.options import deciding
from ser_pipeline.runs.findings import CELLS_TABLE, CellStatus

Need = tuple[str, ...]
"""Keys of the cells that a claim waits for."""

NOT_YET: Final = "not reached yet"

_NUMBERS: Final = (
    "train_clips", "test_clips", "test_speakers", "parameters", "best_epoch", "validation_uar", "accuracy",
    "uar", "macro_f1", "ece", "error_distance", "seconds", "front_end_ms", "network_ms",
)  # fmt: skip
"""Columns that come from the record of a cell that is done; null in others."""

_WHOLE: Final = frozenset({"train_clips", "test_clips", "test_speakers", "parameters", "best_epoch"})

SCHEMA: Final = pa.schema(
    [
        *(
            pa.field(name, pa.string(), nullable=False)
            for name in ("experiment", "arm", "protocol", "model", "task", "split")
        ),
        pa.field("seed", pa.int64(), nullable=False),
        pa.field("status", pa.string(), nullable=False),
        pa.field("reason", pa.string(), nullable=False),
        pa.field("key", pa.string(), nullable=False),
        *(pa.field(name, pa.int64() if name in _WHOLE else pa.float64()) for name in _NUMBERS),
        pa.field("settings", pa.string(), nullable=False),
    ]
)
"""``settings`` is JSON: what decides the model, by ``group.name``."""


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
        if cell.problem:
            return State("not run" if cell.lacking else "failed", cell.problem)
        return self.states[cell.key]

    def of(self, arm: str, protocol: str) -> list[Cell]:
        """Cells of an arm under a protocol, by seed."""
        return [cell for cell in self.cells if (cell.arm, cell.protocol) == (arm, protocol)]

    def keys(self, arm: str, protocol: str) -> list[str]:
        """Keys of an arm under a protocol, by seed."""
        return [cell.key for cell in self.of(arm, protocol)]

    def leaks(self, protocol: str) -> bool:
        """Whether a protocol puts clips of one person on both sides."""
        names = {cell.recipe.split for cell in self.cells if cell.key and cell.protocol == protocol}
        return any(self.ground.split(name).leaks_speakers for name in names)

    def records(self, keys: Sequence[str]) -> list[CellRecord]:
        """Records of those cells that are done."""
        found = [self.states[key].record for key in keys if key]
        return [record for record in found if record is not None]

    def wanted(self, claim: ClaimSpec, *, beside: bool = False) -> list[list[Cell]]:
        """Cells of the first arm by seed, and of the second where there is one."""
        under = (claim.beside, claim.beside) if beside else (claim.protocol, claim.against)
        arms = (claim.first, claim.second)
        return [self.of(arm, protocol) for arm, protocol in zip(arms, under, strict=True) if arm]

    def needs(self) -> list[list[Need]]:
        """Keys each claim waits for: for its verdict first, then for what is shown beside."""
        claims = self.design.claims
        return [
            [self._need(self.wanted(claim)) for claim in claims],
            [self._need(self.wanted(claim, beside=True)) for claim in claims if claim.beside],
        ]

    def _need(self, arms: Sequence[Sequence[Cell]]) -> Need:
        keys = [cell.key for seed in zip(*arms, strict=True) for cell in seed]  # both arms of a seed together
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


def cell_table(progress: Progress) -> pa.Table:
    """Put all cells into their table, in the experiment's order."""
    name = progress.design.experiment.name
    return pa.Table.from_pylist([_row(name, progress, cell) for cell in progress.cells], SCHEMA)


def _row(name: str, progress: Progress, cell: Cell) -> dict[str, Any]:
    state, recipe = progress.state(cell), cell.recipe
    record: CellRecord | None = state.record
    return {
        "experiment": name,
        "arm": cell.arm,
        "protocol": cell.protocol,
        "model": recipe.model.name,
        "task": recipe.task,
        "split": recipe.split,
        "seed": cell.seed,
        "status": state.status,
        "reason": state.reason,
        "key": cell.key,
        **{number: None if record is None else getattr(record, number) for number in _NUMBERS},
        "settings": json.dumps(deciding(recipe), sort_keys=True),
    }


def write_table(folder: Path, table: pa.Table) -> Path:
    """Write the table, whole or not at all."""
    path = folder / CELLS_TABLE
    write_parquet(path, table)
    return path
