"""The part on one run: what it was, how it learned, where it fails."""

from ser_pipeline.metrics import FEW_SPEAKERS
from ser_pipeline.options import CLASSIFIERS
from ser_pipeline.records import PARTS
from ser_pipeline.report.document import Block, Callout, Code, Facts, Figure, Mark, Section, Words, text
from ser_pipeline.report.results_section import run_key, run_marks
from ser_pipeline.report.run_errors import certainty_blocks, emotion_blocks, group_blocks
from ser_pipeline.report.run_figures import curve_panels
from ser_pipeline.report.sources import corpus_title, language_title
from ser_pipeline.runs.read import Run
from ser_pipeline.runs.types import PartScores
from ser_pipeline.tables import Column, Row, RowGroup, Table, cells


def run_section(run: Run, manifest_digest: str) -> Section:
    """Write the part on one run."""
    marks = run_marks(run, manifest_digest)
    blocks: list[Block] = [
        *_warnings(run, marks),
        _facts(run),
        _curves(run, marks),
        _scores_table(run, marks),
        *emotion_blocks(run, marks),
        *group_blocks(run, marks),
        *certainty_blocks(run, marks),
    ]
    return Section(run_key(run), f"{run.tag}: {run.info.name}", tuple(blocks), 3, marks)


def _warnings(run: Run, marks: tuple[Mark, ...]) -> list[Block]:
    split = run.info.split
    found: list[Block] = []
    if split.leaks_speakers:
        note = split.note or "speakers of the test clips were heard in training"
        found.append(Callout("warning", (f"Split {split.name}: {note.rstrip('.')}.",)))
    if "other manifest" in marks:
        found.append(
            Callout(
                "warning", ("This run was made from another manifest than the one described under Data.",)
            )
        )
    few = run.shown.pooled.speakers
    if few < FEW_SPEAKERS:
        people = cells.plural(few, "speaker")
        sentence = f"The {run.part} recordings come from {people} only: read the scores of each one, below."
        found.append(Callout("note", (sentence,)))
    return found


def _facts(run: Run) -> Facts:
    info = run.info
    counts = ", ".join(f"{part} {cells.thousands(clips)}" for part, clips in info.counts.items())
    merges = "; ".join(f"{source} counts as {target}" for source, target in info.merges.items())
    epochs = max((epoch["epoch"] for curve in run.curves for epoch in curve.epochs), default=None)
    by_epochs = info.model not in CLASSIFIERS
    kept = f"epoch {info.best_epoch} kept" if info.best_epoch is not None and by_epochs else ""
    seen = f"{epochs:.0f} epochs" if epochs is not None and by_epochs else ""
    took = cells.duration(info.seconds) if info.seconds is not None else ""
    items: list[tuple[str, tuple[Words, ...]]] = [
        (
            "Model",
            (f"{info.model}, {cells.thousands(info.parameters)} parameters, preset {info.recipe.preset}",),
        ),
        ("Task", (f"{info.recipe.task}: {', '.join(info.emotions)}" + (f" ({merges})" if merges else ""),)),
        ("Split", (f"{info.split.name}" + (f", fold {info.split.fold}" if info.split.fold else ""),)),
        ("Recordings", (counts,)),
        ("Corpora", (", ".join(map(corpus_title, info.corpora)),)),
        ("Languages", (", ".join(map(language_title, info.languages)),)),
        ("Training", (", ".join(filter(None, (seen, kept, info.stopped, took))),)),
        ("Seed", (str(info.recipe.train.seed),)),
        ("Made", (info.created,)),
        ("Command", (Code(info.command),)),
        (
            "Versions",
            (", ".join(f"{library} {version}" for library, version in sorted(info.versions.items())),),
        ),
        ("Computed on", (_machine(run),)),
        ("Feature store", (info.store_kind, " ", Code(info.store_fingerprint[:12]))),
    ]
    return Facts(tuple(item for item in items if item[1] != ("",)))


def _machine(run: Run) -> str:
    extra = run.info.extra
    threads = f"{extra['threads']} threads" if "threads" in extra else ""
    failed = f"{extra['failed_clips']} clips failed in the cache" if extra.get("failed_clips") else ""
    words = (str(extra.get("device", "")), str(extra.get("precision", "")), threads, failed)
    return ", ".join(filter(None, words))


def _candidates(run: Run, marks: tuple[Mark, ...]) -> Block:
    """What was tried before a classifier was chosen."""
    tried = run.info.extra.get("candidates", [])
    chosen = run.info.extra.get("c")
    rows = tuple(
        Row(
            (
                cells.words(f"{entry['c']:g}", strong=entry["c"] == chosen),
                cells.percent(entry.get("uar")),
                cells.percent(entry.get("accuracy")),
            )
        )
        for entry in tried
    )
    if not rows:
        return text("A classifier has no learning curve; of each fold its own penalty was chosen.")
    what = "learning rates" if run.info.model == "gboost" else "inverse penalties"
    return Table(
        key=f"candidates-{run.tag.lower()}",
        caption=f"What was tried for {run.tag}, on validation recordings: {what}, the chosen one in bold",
        columns=(Column("c"), Column("UAR", unit="%"), Column("Accuracy", unit="%")),
        groups=(RowGroup(rows),),
        marks=marks,
    )


def _curves(run: Run, marks: tuple[Mark, ...]) -> Block:
    if run.info.model in CLASSIFIERS:
        return _candidates(run, marks)
    panels = curve_panels(run)
    if not panels:
        return text("This run kept no learning curve.")
    folds = "; one thin line per fold" if len(run.curves) > 1 else ""
    kept = (
        "; dotted: the epoch whose weights were kept" if run.info.best_epoch is not None and not folds else ""
    )
    caption = f"Training of {run.tag} (the source report's Figure 1): loss and scores by epoch{kept}{folds}"
    return Figure(f"training-{run.tag.lower()}", caption, panels, marks)


def _scores_table(run: Run, marks: tuple[Mark, ...]) -> Table:
    columns = (
        Column("Part", numeric=False),
        Column("Clips"),
        Column("Speakers"),
        Column("UAR", unit="%"),
        Column("Accuracy", unit="%"),
        Column("Macro-F1", unit="%"),
        Column("Mean over corpora: UAR", unit="%"),
        Column("Calibration error", unit="%"),
        Column("before the temperature", unit="%"),
        Column("Mean distance of errors"),
        Column("Corpus prior: UAR", unit="%"),
        Column("accuracy", unit="%"),
    )
    rows = tuple(_part_row(part, scores) for part in PARTS if (scores := run.scored(part)) is not None)
    return Table(
        key=f"scores-{run.tag.lower()}",
        caption=f"Scores of {run.tag} by part of split {run.info.split.name}",
        columns=columns,
        groups=(RowGroup(rows),),
        notes=_interval_notes(run),
        marks=marks,
    )


def _interval_notes(run: Run) -> tuple[str, ...]:
    """Say how intervals were made, once for each way."""
    ways: dict[str, list[str]] = {}
    for part, scores in run.scores.parts.items():
        ways.setdefault(scores.pooled.interval, []).append(part)
    return tuple(f"Intervals, {' and '.join(parts)}: {words}." for words, parts in ways.items() if words)


def _part_row(part: str, scores: PartScores) -> Row:
    pooled = scores.pooled
    return Row(
        (
            cells.words(part),
            cells.count(pooled.clips),
            cells.count(pooled.speakers),
            cells.score(pooled.uar, strong=True),
            cells.score(pooled.accuracy),
            cells.score(pooled.macro_f1),
            cells.percent(scores.macro_corpora.get("uar")),
            cells.percent(pooled.ece),
            cells.percent(pooled.ece_before),
            cells.decimal(pooled.error_distance),
            cells.percent(pooled.confound_uar),
            cells.percent(pooled.confound_accuracy),
        )
    )
