"""From cells to verdicts: claims that hold, do not hold, cannot be decided, or were not run."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import fmean, median
from typing import Final

import numpy as np

from ser_pipeline.arrays import Int64s, Strings
from ser_pipeline.errors import LabelError, RunError
from ser_pipeline.evaluation.compare import RunDecisions
from ser_pipeline.experiments.cells import Cell
from ser_pipeline.experiments.measure import WORDS, Measured, clips_per_second, measured, speeds, unit_of
from ser_pipeline.experiments.place import cell_folder
from ser_pipeline.experiments.progress import Progress, cell_table, write_table
from ser_pipeline.experiments.spec import ClaimSpec
from ser_pipeline.labels import distance_matrix
from ser_pipeline.metrics import (
    RESAMPLES,
    SCORES,
    drawn_scores,
    holm,
    percentile_interval,
    uar,
    verdict,
)
from ser_pipeline.runs.files import write_result
from ser_pipeline.runs.findings import (
    FINDINGS,
    ArmFinding,
    Beside,
    ClaimFinding,
    CorpusScore,
    Figures,
    Findings,
    Outcome,
    ProtocolNote,
    experiment_folder,
)
from ser_pipeline.runs.ratings import Estimate
from ser_pipeline.tables.cells import plural

LEAST_SEEDS: Final = 3

INTERVAL = (
    f"95 % percentile bootstrap with {RESAMPLES:,} resamples of speakers and seeds, the same for both arms; "
    "p-values of comparisons are from a permutation test that swaps the arms of each speaker, others are "
    "from the bootstrap; Holm's correction within each family, where a claim without a p-value counts as 1"
)


@dataclass(frozen=True)
class _Measurement:
    """A claim under one protocol: what was measured, or why nothing was."""

    measured: Measured | None
    outcome: Outcome = "not decidable here"
    reason: str = ""


def judged(progress: Progress, decisions: RunDecisions) -> tuple[ClaimFinding, ...]:
    """Judge every claim of an experiment.

    A claim one of whose cells did not run reads ``not run``; one whose cell failed cannot be decided.
    P-values are corrected by Holm over the family, where claims without a p-value count as 1, so that a
    verdict does not become harder to keep when the others have run.

    Args:
        progress: cells and how they stand.
        decisions: of the cells that are done.
    """
    claims = progress.design.claims
    measurements = [_measurement(progress, decisions, claim, beside=False) for claim in claims]
    p_values = [
        1.0
        if measurement.measured is None or measurement.measured.figures.p is None
        else measurement.measured.figures.p
        for measurement in measurements
    ]
    corrected = _corrected([claim.family for claim in claims], p_values)
    return tuple(
        _finding(progress, decisions, claim, measurement, p)
        for claim, measurement, p in zip(claims, measurements, corrected, strict=True)
    )


def _corrected(families: Sequence[str], p_values: Sequence[float]) -> list[float]:
    found = list(p_values)
    for family in dict.fromkeys(families):
        rows = [number for number, name in enumerate(families) if name == family]
        for number, p in zip(rows, holm([p_values[row] for row in rows]).tolist(), strict=True):
            found[number] = p
    return found


def _finding(
    progress: Progress, decisions: RunDecisions, claim: ClaimSpec, measurement: _Measurement, corrected: float
) -> ClaimFinding:
    figures = None if measurement.measured is None else measurement.measured.figures
    outcome, reason = _outcome(claim, measurement, corrected)
    return ClaimFinding(
        text=claim.text,
        family=claim.family,
        kind=claim.kind,
        score="speed" if claim.kind == "faster" else WORDS[claim.score],
        unit=unit_of(claim),
        first=claim.first,
        second=claim.second if claim.against == claim.protocol else f"{claim.second} ({claim.against})",
        protocol=claim.protocol,
        tested=", ".join((*claim.corpora, *claim.languages)),
        claimed=-claim.margin if claim.kind == "no worse" else claim.value or claim.at_least,
        figures=figures,
        corrected_p=None if figures is None or figures.p is None else corrected,
        outcome=outcome,
        reason=reason,
        beside=_beside(progress, decisions, claim, figures) if claim.beside else None,
    )


def _outcome(claim: ClaimSpec, measurement: _Measurement, corrected: float) -> tuple[Outcome, str]:
    """The verdict, and what must be known of it."""
    found = measurement.measured
    if found is None or measurement.reason:
        return measurement.outcome, measurement.reason
    if found.decides is None:
        words: Outcome = (
            "not decidable here" if found.met is None else "holds" if found.met else "does not hold"
        )
        return words, found.note
    notes = [found.note] if found.note else []
    if found.decides.undecidable:
        notes.append(f"{found.figures.speakers} test speakers are too few to decide")
    return verdict(found.decides, corrected, at_least=claim.at_least), "; ".join(notes)


def _measurement(
    progress: Progress, decisions: RunDecisions, claim: ClaimSpec, *, beside: bool
) -> _Measurement:
    wanted = progress.wanted(claim, beside=beside)
    missing = _missing(progress, wanted)
    if missing is not None:
        return missing
    arms = [[cell.key for cell in arm] for arm in wanted]
    if claim.kind == "faster":
        return _seeded(speeds(*(progress.records(keys) for keys in arms)), arms)
    return _seeded_or_not(decisions, claim, arms)


def _missing(progress: Progress, arms: Sequence[Sequence[Cell]]) -> _Measurement | None:
    """Why nothing can be measured: a cell failed, or did not run, or both arms are one."""
    cells = [cell for arm in arms for cell in arm]
    for cell in cells:
        if progress.state(cell).status == "failed":
            return _Measurement(None, reason=f"{cell.label} failed: {progress.state(cell).reason}")
    for cell in cells:
        if cell.lacking:
            return _Measurement(None, "not run", f"{cell.label} did not run: {cell.problem}")
    keys = [cell.key for cell in cells]
    waiting = [key for key in dict.fromkeys(keys) if progress.states[key].status != "done"]
    if waiting:
        reason = progress.states[waiting[0]].reason
        of = f"of {plural(len(set(keys)), 'run')}"
        missing = plural(len(waiting), f"{of} is missing", f"{of} are missing")
        return _Measurement(None, "not run", f"{missing}: {reason}")
    if len(arms) == 2 and len({frozenset(cell.key for cell in arm) for arm in arms}) == 1:
        return _Measurement(None, reason="with these recordings both arms are the same training runs")
    return None


def _seeded_or_not(decisions: RunDecisions, claim: ClaimSpec, arms: Sequence[Sequence[str]]) -> _Measurement:
    every = [key for arm in arms for key in arm]
    emotions = {decisions.of(key).emotions for key in every}
    if len(emotions) > 1:
        return _Measurement(None, reason="the arms distinguish different emotions")
    reason = _outside(claim, next(iter(emotions)))
    if reason:
        return _Measurement(None, reason=reason)
    clips = decisions.common(every, corpora=claim.corpora, languages=claim.languages)
    if not len(clips):
        return _Measurement(None, reason="no test clip is common to all of these runs")
    if absent := _absent(claim, decisions, every[0], clips):
        return _Measurement(None, reason=f"no test clip is of {absent}")
    return _seeded(measured(claim, arms, clips, decisions), arms)


def _outside(claim: ClaimSpec, emotions: tuple[str, ...]) -> str:
    """Why a claim about emotions cannot be looked at in a task; empty where it can."""
    if claim.score == "error_distance":
        try:
            distance_matrix(emotions)
        except LabelError as error:
            return str(error).partition(";")[0]
    if claim.kind == "best class" and claim.emotion not in emotions:
        return f"the task does not include {claim.emotion}"
    if claim.kind == "top confusions":
        inside = {frozenset(pair) for pair in claim.pairs if set(pair) <= set(emotions)}
        if not inside or len(inside) == len(emotions) * (len(emotions) - 1) // 2:
            return "the task has none of these confusions, or no others"
    return ""


def _absent(claim: ClaimSpec, decisions: RunDecisions, key: str, clips: Strings) -> str:
    """An emotion that a claim is about, and that none of the clips has; empty if there is none."""
    emotions = decisions.of(key).emotions
    there = decisions.counts([key], clips).sum((0, 1, 3))
    named = [claim.emotion, *itertools.chain(*claim.pairs)]
    return next((name for name in named if name in emotions and not there[emotions.index(name)]), "")


def _seeded(found: Measured, arms: Sequence[Sequence[str]]) -> _Measurement:
    """Figures of fewer than three seeds are shown, and decide nothing."""
    fewest = min(len(arm) for arm in arms)
    if fewest < LEAST_SEEDS:
        return _Measurement(found, reason=f"{fewest} of at least {LEAST_SEEDS} seeds")
    return _Measurement(found)


def _beside(progress: Progress, decisions: RunDecisions, claim: ClaimSpec, honest: Figures | None) -> Beside:
    """The claim's figures under the protocol beside, and what makes the difference."""
    measurement = _measurement(progress, decisions, claim, beside=True)
    if measurement.measured is None:
        return Beside(protocol=claim.beside, reason=measurement.reason)
    figures = measurement.measured.figures
    return Beside(protocol=claim.beside, figures=figures, note=_difference(progress, claim, honest, figures))


def _difference(progress: Progress, claim: ClaimSpec, honest: Figures | None, figures: Figures) -> str:
    if honest is None or unit_of(claim) != "points" or claim.kind == "top confusions":
        return ""
    leaks = [progress.leaks(name) for name in (claim.protocol, claim.beside)]
    cause = "training on the test speakers" if leaks == [False, True] else "the protocol"
    gaps = [(claim.first, figures.first - honest.first)]
    if claim.second and figures.second is not None and honest.second is not None:
        gaps.append((claim.second, figures.second - honest.second))
    words = " and ".join(f"{100 * gap:+.1f} points for {arm}" for arm, gap in gaps)
    clips = f"on {plural(figures.clips, 'clip')} instead of {honest.clips:,}"
    return f"{cause} adds {words}, as measured {clips} and without an interval"


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
        source=experiment.source,
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
    write_result(folder / FINDINGS, found)
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
    cells = progress.of(arm, protocol)
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
        low, high = percentile_interval(drawn[name][0] if name in drawn else None)
        estimates[name] = Estimate(value=float(score(counts.sum(1)).mean()), low=low, high=high)
    each = uar(counts.sum(1))
    distances = [r.error_distance for r in records if r.error_distance is not None]
    validation = [r.validation_uar for r in records if r.validation_uar is not None]
    return found.model_copy(
        update={
            **estimates,
            "clips": len(clips),
            "speakers": decisions.people(clips),
            "lowest_uar": float(each.min()),
            "highest_uar": float(each.max()),
            "validation_uar": fmean(validation) if validation else None,
            "error_distance": fmean(distances) if distances else None,
            "seconds": median(r.seconds for r in records),
            "clips_per_second": median(clips_per_second(r) for r in records),
            "corpora": _by_corpus(decisions, keys, clips),
        }
    )


def _by_corpus(decisions: RunDecisions, keys: list[str], clips: Strings) -> tuple[CorpusScore, ...]:
    corpora = decisions.fact(clips, "corpus")
    found = []
    for corpus in np.unique(corpora).tolist():
        here = clips[corpora == corpus]
        counts: Int64s = decisions.counts(keys, here)
        found.append(
            CorpusScore(
                corpus=corpus,
                clips=int(counts[0].sum()),
                speakers=decisions.people(here),
                uar=float(uar(counts.sum(1)).mean()),
            )
        )
    return tuple(found)
