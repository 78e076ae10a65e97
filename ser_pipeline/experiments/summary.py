"""Findings of an experiment: every arm's scores, and the verdicts."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from statistics import fmean, median

import numpy as np

from ser_pipeline.atomic import write_atomically
from ser_pipeline.errors import RunError
from ser_pipeline.evaluation.decisions import Counts, Names, RunDecisions
from ser_pipeline.experiments.cells import Cell
from ser_pipeline.experiments.measure import clips_per_second
from ser_pipeline.experiments.place import cell_folder, experiment_folder
from ser_pipeline.experiments.progress import Progress
from ser_pipeline.experiments.table import cell_table, write_table
from ser_pipeline.experiments.verdicts import judged
from ser_pipeline.findings import FINDINGS, ArmFinding, CorpusScore, Findings, ProtocolNote
from ser_pipeline.metrics import (
    RESAMPLES,
    SCORES,
    drawn_scores,
    percentile_interval,
    uar,
)
from ser_pipeline.results import Estimate

INTERVAL = (
    f"95 % percentile bootstrap, {RESAMPLES:,} draws of speakers and of seeds, the same speakers for both "
    "arms; p-values of comparisons swap the arms of each speaker, others come from the draws; "
    "Holm's correction over each family, claims without a p-value counted as 1"
)


def write_findings(progress: Progress, runs: Path, *, epochs: int | None = None) -> Findings:
    """Judge an experiment as far as it has come; writes ``cells.parquet``, then ``findings.json``.

    Args:
        progress: cells and how they stand.
        runs: folder of the runs.
        epochs: that the command said, for the record.

    Raises:
        RunError: the result files of a cell are damaged.
    """
    decisions = RunDecisions(partial(cell_folder, runs), progress.ground.manifest)
    experiment = progress.design.experiment
    table = progress.ground.manifest.table
    found = Findings(
        name=experiment.name,
        title=experiment.title,
        about=experiment.about,
        manifest_digest=progress.ground.manifest.digest,
        synthetic=progress.ground.manifest.synthetic,
        corpora=tuple(sorted(set(table["corpus"].to_pylist()))),
        seeds=experiment.seeds,
        epochs=epochs,
        protocols=_protocols(progress),
        arms=tuple(_arm(progress, decisions, *pair) for pair in _pairs(progress.cells)),
        claims=judged(progress, decisions),
        interval=INTERVAL,
    )
    folder = experiment_folder(runs, experiment.name)
    write_table(folder, cell_table(progress))
    with write_atomically(folder / FINDINGS) as part:
        part.write_text(found.model_dump_json(indent=1) + "\n", encoding="utf-8")
    return found


def _pairs(cells: Sequence[Cell]) -> list[tuple[str, str]]:
    return list(dict.fromkeys((cell.arm, cell.protocol) for cell in cells))


def _protocols(progress: Progress) -> tuple[ProtocolNote, ...]:
    """Who trains and who tests, for every protocol that something runs under."""
    notes = []
    for name in dict.fromkeys(cell.protocol for cell in progress.cells):
        cells = [cell for cell in progress.cells if cell.protocol == name]
        known = next((cell for cell in cells if cell.key), None)
        split = progress.ground.split(known.recipe.split) if known else None
        note = cells[0].problem if split is None else split.note
        leaks = split is not None and split.leaks_speakers
        notes.append(ProtocolNote(name=name, split=cells[0].recipe.split, leaks_speakers=leaks, note=note))
    return tuple(notes)


def _arm(progress: Progress, decisions: RunDecisions, arm: str, protocol: str) -> ArmFinding:
    cells = [cell for cell in progress.cells if (cell.arm, cell.protocol) == (arm, protocol)]
    states = [progress.state(cell) for cell in cells]
    keys = [cell.key for cell, state in zip(cells, states, strict=True) if state.status == "done"]
    found = ArmFinding(
        arm=arm,
        protocol=protocol,
        model=cells[0].recipe.model.name,
        done=len(keys),
        failed=sum(state.status == "failed" for state in states),
        waiting=sum(state.status == "not run" for state in states),
        reason=next((state.reason for state in states if state.status != "done"), ""),
    )
    return _scored(found, progress, decisions, keys) if keys else found


def _scored(found: ArmFinding, progress: Progress, decisions: RunDecisions, keys: list[str]) -> ArmFinding:
    clips, records = decisions.common(keys), progress.records(keys)
    if not len(clips):
        raise RunError(f"arm '{found.arm}': its seeds were tested on different clips; delete their cells")
    counts = decisions.counts(keys, clips)
    drawn = drawn_scores((counts,), SCORES)
    estimates = {}
    for name, score in SCORES.items():
        low, high = percentile_interval(drawn[name][0] if drawn else None)
        estimates[name] = Estimate(value=float(score(counts.sum(1)).mean()), low=low, high=high)
    each = uar(counts.sum(1))
    distances = [r.error_distance for r in records if r.error_distance is not None]
    validation = [r.validation_uar for r in records if r.validation_uar is not None]
    return found.model_copy(
        update={
            **estimates,
            "clips": len(clips),
            "speakers": counts.shape[1],
            "lowest_uar": float(each.min()),
            "highest_uar": float(each.max()),
            "validation_uar": fmean(validation) if validation else None,
            "error_distance": fmean(distances) if distances else None,
            "seconds": median(r.seconds for r in records),
            "clips_per_second": median(clips_per_second(r) for r in records),
            "corpora": _by_corpus(decisions, keys, clips),
        }
    )


def _by_corpus(decisions: RunDecisions, keys: list[str], clips: Names) -> tuple[CorpusScore, ...]:
    corpora = decisions.fact(clips, "corpus")
    found = []
    for corpus in np.unique(corpora).tolist():
        counts: Counts = decisions.counts(keys, clips[corpora == corpus])
        found.append(
            CorpusScore(
                corpus=corpus,
                clips=int(counts[0].sum()),
                speakers=counts.shape[1],
                uar=float(uar(counts.sum(1)).mean()),
            )
        )
    return tuple(found)
