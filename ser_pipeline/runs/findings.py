"""Result types of an experiment: what ``ser experiment run`` writes and the report reads.

``runs/experiments/<name>/findings.json`` holds :class:`Findings`; ``cells.parquet`` beside it has one
row per cell and seed.
"""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Final, Literal

from pydantic import FiniteFloat

from ser_pipeline.errors import RunError
from ser_pipeline.options import Options
from ser_pipeline.runs.files import read_result, read_table
from ser_pipeline.runs.find import Unread
from ser_pipeline.runs.names import EXPERIMENTS
from ser_pipeline.runs.ratings import Estimate

FINDINGS: Final = "findings.json"
CELLS_TABLE: Final = "cells.parquet"
FINDINGS_SCHEMA: Final = 1

CellStatus = Literal["done", "failed", "not run"]
Outcome = Literal["holds", "does not hold", "not decidable here", "not run"]
OUTCOMES: Final[tuple[Outcome, ...]] = ("holds", "does not hold", "not decidable here", "not run")
Unit = Literal["points", "distance", "clips/s"]


class Figures(Options):
    """What was measured for a claim.

    Attributes:
        first: score of the first arm, mean over its seeds.
        second: of the second arm, or the value that is claimed; None where there is neither.
        difference: by how much the claim is met; below 0 where it is not.
        low: of the 95 % interval of the difference, over speakers and seeds; None where none can be given.
        high: of the same interval.
        p: of no difference, not corrected.
        clips: test clips that both arms were scored on.
        speakers: number of speakers of these clips.
        seeds: of the first and of the second arm.
    """

    first: FiniteFloat
    second: FiniteFloat | None
    difference: FiniteFloat
    low: FiniteFloat | None
    high: FiniteFloat | None
    p: FiniteFloat | None
    clips: int
    speakers: int
    seeds: tuple[int, int]


class Beside(Options):
    """The same claim under another protocol, which decides nothing.

    Attributes:
        protocol: name.
        figures: None where they could not be had.
        reason: why not.
        note: what the difference between the protocols is, in words.
    """

    protocol: str
    figures: Figures | None = None
    reason: str = ""
    note: str = ""


class ClaimFinding(Options):
    """What follows for one claim.

    Attributes:
        text: the claim.
        family: claims that were corrected together.
        kind: of claim, as its file says.
        score: what was compared, in words.
        unit: of the figures; ``points`` are shares, shown in percent.
        first: arm.
        second: arm; empty if there is none.
        protocol: under which it was decided.
        tested: which test clips were looked at, in words; empty for all.
        claimed: difference, margin or value that is claimed; 0 for none.
        figures: None where they could not be had.
        corrected_p: by Holm over the family.
        outcome: the verdict.
        reason: why it is that one, where figures do not say so.
        beside: figures under another protocol.
    """

    text: str
    family: str
    kind: str
    score: str
    unit: Unit
    first: str
    second: str
    protocol: str
    tested: str = ""
    claimed: FiniteFloat = 0.0
    figures: Figures | None = None
    corrected_p: FiniteFloat | None = None
    outcome: Outcome
    reason: str = ""
    beside: Beside | None = None


class CorpusScore(Options):
    """UAR of an arm on the test clips of one corpus, mean over seeds."""

    corpus: str
    clips: int
    speakers: int
    uar: FiniteFloat


class ArmFinding(Options):
    """Scores of one arm under one protocol.

    Attributes:
        arm: name.
        protocol: name.
        model: architecture.
        done: seeds that were scored.
        failed: seeds that failed.
        waiting: seeds that did not run.
        reason: why some are missing.
        clips: test clips; likewise the following, None where nothing was scored.
        speakers: number of speakers of these clips.
        accuracy: mean over seeds, interval over speakers and seeds.
        uar: likewise.
        macro_f1: likewise.
        lowest_uar: of the seeds.
        highest_uar: of the seeds.
        validation_uar: mean over seeds; None with folds.
        error_distance: mean over seeds; None where the task has no distances.
        seconds: median over seeds, of training and scoring.
        clips_per_second: from samples to decision, one clip of three seconds at a time; median.
        corpora: UAR by corpus of the test clips.
    """

    arm: str
    protocol: str
    model: str
    done: int
    failed: int
    waiting: int
    reason: str = ""
    clips: int | None = None
    speakers: int | None = None
    accuracy: Estimate | None = None
    uar: Estimate | None = None
    macro_f1: Estimate | None = None
    lowest_uar: FiniteFloat | None = None
    highest_uar: FiniteFloat | None = None
    validation_uar: FiniteFloat | None = None
    error_distance: FiniteFloat | None = None
    seconds: FiniteFloat | None = None
    clips_per_second: FiniteFloat | None = None
    corpora: tuple[CorpusScore, ...] = ()


class ProtocolNote(Options):
    """Who trains and who tests; ``leaks_speakers`` where clips of one person are on both sides."""

    name: str
    split: str
    leaks_speakers: bool
    note: str


class Findings(Options):
    """``findings.json``.

    Attributes:
        name: of the experiment.
        source: what commands call it by: its name if it is shipped, else its file; empty in those of 0.1.0.
        title: in a few words.
        about: what it is for.
        manifest_digest: of the recordings.
        synthetic: some of them were synthesised.
        corpora: that they are from.
        seeds: that arms are trained with.
        epochs: the most that networks were trained for, where the command said so; else None.
        protocols: who trains and who tests.
        arms: in the experiment's order.
        claims: likewise.
        interval: how intervals and p-values were made, in words.
    """

    schema_version: Literal[1] = FINDINGS_SCHEMA
    name: str
    source: str = ""
    title: str
    about: str = ""
    manifest_digest: str
    synthetic: bool
    corpora: tuple[str, ...]
    seeds: tuple[int, ...]
    epochs: int | None = None
    protocols: tuple[ProtocolNote, ...]
    arms: tuple[ArmFinding, ...]
    claims: tuple[ClaimFinding, ...] = ()
    interval: str = ""

    def cells(self) -> dict[CellStatus, int]:
        """How many cells stand how, over arms, protocols and seeds."""
        return {
            "done": sum(arm.done for arm in self.arms),
            "failed": sum(arm.failed for arm in self.arms),
            "not run": sum(arm.waiting for arm in self.arms),
        }

    def outcomes(self) -> dict[Outcome, int]:
        """How many claims have which verdict."""
        return {outcome: sum(claim.outcome == outcome for claim in self.claims) for outcome in OUTCOMES}


def experiment_folder(runs: Path, name: str) -> Path:
    """Folder of an experiment's results, below a folder of runs."""
    return runs / EXPERIMENTS / name


def count_cells(path: Path) -> dict[CellStatus, int]:
    """Count the cells of an experiment by how they stand, also while it runs.

    Args:
        path: of its table of cells.

    Raises:
        RunError: the file cannot be read.
    """
    table = read_table(path, remedy=_again(path), columns=["status"])
    found = Counter(table["status"].to_pylist())
    return {"done": found["done"], "failed": found["failed"], "not run": found["not run"]}


def tables_in(runs: Path) -> list[Path]:
    """Tables of cells below a folder of runs, by name of their experiment."""
    return sorted((runs / EXPERIMENTS).glob(f"*/{CELLS_TABLE}"))


def findings_in(runs: Path) -> list[Path]:
    """Files of findings below a folder of runs, by name of their experiment."""
    return sorted((runs / EXPERIMENTS).glob(f"*/{FINDINGS}"))


def sound_findings(paths: Sequence[Path]) -> tuple[list[Findings], list[Unread]]:
    """Read findings of experiments, and list those that cannot be read."""
    found: list[Findings] = []
    lost: list[Unread] = []
    for path in paths:
        try:
            found.append(read_findings(path))
        except RunError as error:
            lost.append(Unread("experiment", path.parent.name, str(error)))
    return found, lost


def read_findings(path: Path) -> Findings:
    """Read the findings of an experiment.

    Raises:
        RunError: the file is missing, cannot be read, or was written by another version.
    """
    return read_result(Findings, path, remedy=_again(path))


def _again(path: Path) -> str:
    return f"make it again with 'ser experiment run {path.parent.name}' or, if it is your own, with its file"
