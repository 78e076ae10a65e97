"""The part on one run: what it was, how it learned, where it fails."""

from collections.abc import Sequence

from ser_pipeline.manifest.cards import KnownCorpora
from ser_pipeline.metrics import FEW_SPEAKERS, most_confused
from ser_pipeline.options import ENSEMBLE
from ser_pipeline.records import PARTS
from ser_pipeline.report.certainty_blocks import Sounds, certainty_blocks
from ser_pipeline.report.document import Block, Callout, Code, Facts, Figure, Fold, Mark, Section, Words, text
from ser_pipeline.report.ranking import run_key
from ser_pipeline.report.results_section import run_marks
from ser_pipeline.report.run_figures import (
    MIN_GROUP_CLIPS,
    confusion_panel,
    curve_panels,
    groups_by_kind,
    worst_groups,
)
from ser_pipeline.report.sources import Data
from ser_pipeline.runs.ratings import GroupKind
from ser_pipeline.runs.read import Run
from ser_pipeline.runs.tested import untested
from ser_pipeline.runs.types import ALL_FOLDS, GroupScores, PartScores
from ser_pipeline.tables import Column, Row, RowGroup, Table, cells

MAX_GROUPS = 20
"""Longest list of groups of a kind on the page; the first are kept, the JSON file has all."""


def run_section(run: Run, data: Data, sounds: Sounds | None = None) -> Section:
    """Write the part on one run, its mistakes with players where there are ``sounds``."""
    marks = run_marks(run, data.digest)
    blocks: list[Block] = [
        *_warnings(run, marks),
        _scores_table(run, marks),
        *emotion_blocks(run, marks),
        *_worst(run, data.corpora),
        *certainty_blocks(run, marks, sounds),
        Fold("Numbers by emotion and by group"),
        _classes_table(run, marks),
        *group_blocks(run, data.corpora, marks),
        Fold("How it was trained"),
        _facts(run, data.corpora),
        _curves(run, marks),
    ]
    return Section(run_key(run), f"{run.tag}: {run.info.name}", tuple(blocks), 3, marks, _brief(run))


def _brief(run: Run) -> str:
    """What the part is about, in a line."""
    people = cells.persons(run.shown.pooled.speakers, " whom it knows" if run.knows else " new to it")
    chance = "; no better than guessing" if run.at_chance else ""
    lacks = f"; no clips of {cells.listed(none, 'or')}" if (none := untested(run.shown.pooled)) else ""
    score = cells.score_text(run.shown.pooled.uar)
    return f"{run.info.model}, UAR {score} on {people}{chance}{lacks}"


def _warnings(run: Run, marks: tuple[Mark, ...]) -> list[Block]:
    split = run.info.split
    found: list[Block] = []
    if split.leaks_speakers:
        note = split.note or "speakers of the test clips were heard in training"
        found.append(Callout("warning", (f"Split {split.name}: {note.rstrip('.')}.",)))
    if run.part != "test":
        said = f"The run was not tested: all scores are of its {run.part} clips."
        found.append(Callout("warning", (said,)))
    if "other manifest" in marks:
        found.append(
            Callout(
                "warning", ("This run was made from another manifest than the one described under Data.",)
            )
        )
    if run.lacking:
        found.append(
            Callout("warning" if untested(run.shown.pooled) else "note", (f"There are {run.lacking}.",))
        )
    few = run.shown.pooled.speakers
    if few < FEW_SPEAKERS:
        people = cells.people(few)
        sentence = f"The {run.part} recordings come from {people} only: read the scores of each one, below."
        found.append(Callout("note", (sentence,)))
    return found


def _facts(run: Run, known: KnownCorpora) -> Facts:
    info = run.info
    counts = ", ".join(f"{part} {cells.thousands(clips)}" for part, clips in info.counts.items())
    merges = "; ".join(f"{source} counts as {target}" for source, target in info.merges.items())
    epochs = max((epoch["epoch"] for curve in run.curves for epoch in curve.epochs), default=None)
    by_epochs = info.recipe.model.architecture.by_epochs
    kept = f"epoch {info.best_epoch} kept" if info.best_epoch is not None and by_epochs else ""
    seen = cells.plural(round(epochs), "epoch") if epochs is not None and by_epochs else ""
    took = cells.duration(info.seconds) if info.seconds is not None else ""
    items: list[tuple[str, tuple[Words, ...]]] = [
        (
            "Model",
            (
                f"{info.model}, "
                + (f"{cells.thousands(info.parameters)} parameters, " if info.parameters else "")
                + f"preset {info.recipe.preset}",
            ),
        ),
        ("Task", (f"{info.recipe.task}: {', '.join(info.emotions)}" + (f" ({merges})" if merges else ""),)),
        ("Split", (f"{info.split.name}" + (f", fold {info.split.fold}" if info.split.fold else ""),)),
        ("Recordings", (counts,)),
        ("Condition", (Code(info.recipe.where),) if info.recipe.where else ("",)),
        ("Corpora", (", ".join(map(known.title, info.corpora)),)),
        ("Languages", (", ".join(map(known.language, info.languages)),)),
        ("Training", (", ".join(filter(None, (seen, kept, info.stopped, took))),)),
        ("Seed", (str(info.recipe.train.seed),)),
        ("Made", (info.created,)),
        ("Command", (Code(info.command),)),
        (
            "Versions",
            (", ".join(f"{library} {version}" for library, version in sorted(info.versions.items())),),
        ),
        ("Computed on", (_machine(run),)),
        ("Encoder", (info.layers,)),
        ("Feature store", (info.store_kind, " ", Code(info.store_fingerprint[:12]))),
    ]
    return Facts(tuple(item for item in items if item[1] != ("",)))


def _machine(run: Run) -> str:
    extra = run.info.extra
    threads = cells.plural(extra["threads"], "thread") if "threads" in extra else ""
    failed = (
        f"{cells.plural(extra['failed_clips'], 'clip')} failed in the cache"
        if extra.get("failed_clips")
        else ""
    )
    by_epochs = run.info.recipe.model.architecture.by_epochs  # others compute in no other precision
    precision = str(extra.get("precision", "")) if by_epochs else ""
    words = (str(extra.get("device", "")), precision, threads, failed)
    return ", ".join(filter(None, words))


def _candidates(run: Run, marks: tuple[Mark, ...]) -> Block:
    """What was tried before a classifier was chosen."""
    if run.info.model == ENSEMBLE:
        return text("An ensemble has no learning curve: it weighs what other runs say.")
    tried = run.info.extra.get("candidates", [])
    chosen = run.info.extra.get("c")
    what = "learning rate" if run.info.model == "gboost" else "inverse penalty"
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
        each = f"; its {what} was chosen for each fold" if run.info.split.fold == ALL_FOLDS else ""
        return text(f"A classifier has no learning curve{each}.")
    return Table(
        key=f"candidates-{run.tag.lower()}",
        caption=f"What was tried for {run.tag}, on validation recordings: {what}, the chosen one in bold",
        columns=(Column("c"), Column("UAR", unit="%"), Column("Accuracy", unit="%")),
        groups=(RowGroup(rows),),
        marks=marks,
    )


def _curves(run: Run, marks: tuple[Mark, ...]) -> Block:
    if not run.info.recipe.model.architecture.by_epochs:
        return _candidates(run, marks)
    panels = curve_panels(run)
    if not panels:
        return text("This run has no learning curve.")
    folds = "; one thin line per fold" if len(run.curves) > 1 else ""
    kept = (
        "; dotted: the epoch whose weights were kept" if run.info.best_epoch is not None and not folds else ""
    )
    theirs = " (the source report's Figure 1)" if run.info.model == "crnn" else ""
    caption = f"Training of {run.tag}{theirs}: loss and scores by epoch{kept}{folds}"
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


def emotion_blocks(run: Run, marks: tuple[Mark, ...]) -> list[Block]:
    """Show which emotions are confused: a matrix and a sentence."""
    tag = run.tag.lower()
    figure = Figure(
        f"confusion-{tag}",
        f"Confusions of {run.tag} on the {run.part} recordings: counts, and percent of the true emotion",
        (confusion_panel(run),),
        marks,
    )
    return [figure, _top_confusions(run)]


def _top_confusions(run: Run) -> Block:
    pairs = most_confused(run.shown.pooled.confusion, run.info.emotions)
    if not pairs:
        return text(f"{run.tag} confused no emotions on the {run.part} recordings.")
    told = "; ".join(
        f"{pair.target} for {pair.predicted} ({cells.percent_text(pair.share)} of the {pair.target} clips)"
        for pair in pairs
    )
    return text(f"{run.tag} most often mistakes {told}.")


def _classes_table(run: Run, marks: tuple[Mark, ...]) -> Table:
    columns = (
        Column("Emotion", numeric=False),
        Column("Clips"),
        Column("Precision", unit="%"),
        Column("Recall", unit="%"),
        Column("F1", unit="%"),
    )
    rows = tuple(
        Row(
            (
                cells.words(entry.emotion),
                cells.count(entry.clips),
                *(
                    cells.percent(value if entry.clips else None, bar=True)
                    for value in (entry.precision, entry.recall, entry.f1)
                ),
            )
        )
        for entry in run.shown.pooled.classes
    )
    caption = f"Emotions of {run.tag} on the {run.part} recordings"
    return Table(f"classes-{run.tag.lower()}", caption, columns, (RowGroup(rows),), marks=marks)


def group_blocks(run: Run, known: KnownCorpora, marks: tuple[Mark, ...]) -> list[Block]:
    """Show scores by corpus, language, gender, intensity, modality and speaker."""
    kinds = groups_by_kind(run)
    if not kinds:
        return []
    columns = (
        Column("Group", numeric=False),
        Column("Clips"),
        Column("Speakers"),
        Column("Emotions"),
        Column("UAR", unit="%"),
        Column("Accuracy", unit="%"),
        Column("Macro-F1", unit="%"),
    )
    table = Table(
        key=f"groups-{run.tag.lower()}",
        caption=f"{run.tag} by group of {run.part} recordings, most emotions first, then lowest UAR",
        columns=columns,
        groups=tuple(_row_group(kind, groups, known) for kind, groups in kinds.items()),
        notes=(
            "UAR and macro-F1 are means over the emotions that occur in the group: compare groups with clips "
            "of every emotion only.",
        ),
        marks=marks,
    )
    return [table]


def _worst(run: Run, known: KnownCorpora) -> list[Block]:
    worst, lacking = worst_groups(run)
    if not worst:
        return []
    told = "; ".join(
        f"{group.by} {_group_title(group, known)} "
        f"({cells.percent_text(group.uar)} over {cells.plural(group.clips, 'clip')})"
        for group in worst
    )
    among = f"groups of {MIN_GROUP_CLIPS} clips or more with clips of every emotion"
    lack = f"{cells.plural(lacking, 'group')} {'lacks' if lacking == 1 else 'lack'} an emotion"
    rest = f" {lack} and {'is' if lacking == 1 else 'are'} not compared." if lacking else ""
    return [text(f"Lowest UAR among {among}: {told}.{rest}")]


def _group_title(group: GroupScores, known: KnownCorpora) -> str:
    titles = {"corpus": known.title, "language": known.language}
    return titles.get(group.by, str)(group.name)


def _row_group(kind: GroupKind, groups: Sequence[GroupScores], known: KnownCorpora) -> RowGroup:
    cut = len(groups) > MAX_GROUPS
    rows = tuple(
        Row(
            (
                cells.words(_group_title(group, known)),
                cells.count(group.clips),
                cells.count(group.speakers),
                cells.count(group.emotions),
                cells.percent(group.uar, bar=True),
                cells.percent(group.accuracy, bar=True),
                cells.percent(group.macro_f1, bar=True),
            )
        )
        for group in groups[:MAX_GROUPS]
    )
    note = f"the first {MAX_GROUPS} of {len(groups)}; report.json has all" if cut else ""
    return RowGroup(rows, title=f"By {kind}", note=note)
