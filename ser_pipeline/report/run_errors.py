"""Where a run fails: which emotions, which groups, and how sure it is of its mistakes."""

from collections.abc import Callable, Mapping, Sequence

from ser_pipeline.metrics import most_confused
from ser_pipeline.report.document import Block, Figure, Mark, text
from ser_pipeline.report.run_figures import (
    MIN_GROUP_CLIPS,
    calibration_panel,
    confusion_panel,
    coverage_panel,
    groups_by_kind,
    surest_mistakes,
    worst_groups,
)
from ser_pipeline.report.sources import corpus_title, language_title
from ser_pipeline.runs.predictions import Predictions
from ser_pipeline.runs.read import Run
from ser_pipeline.runs.types import GroupKind, GroupScores, Scores
from ser_pipeline.tables import Column, Row, RowGroup, Table, cells

MAX_GROUPS = 20
"""Longest list of groups of a kind on the page; the lowest are kept, the JSON file has all."""

_TITLES: Mapping[str, Callable[[str], str]] = {"corpus": corpus_title, "language": language_title}


def emotion_blocks(run: Run, marks: tuple[Mark, ...]) -> list[Block]:
    """Show which emotions are taken for which: a matrix, a sentence, and a table."""
    tag = run.tag.lower()
    figure = Figure(
        f"confusion-{tag}",
        f"Confusions of {run.tag} on the {run.part} recordings: counts, and percent of the true emotion",
        (confusion_panel(run),),
        marks,
    )
    return [figure, _top_confusions(run), _classes_table(run, marks)]


def _top_confusions(run: Run) -> Block:
    pairs = most_confused(run.shown.pooled.confusion, run.info.emotions)
    if not pairs:
        return text(f"{run.tag} took no emotion for another on the {run.part} recordings.")
    told = "; ".join(
        f"{pair.target} for {pair.predicted} ({cells.percent_text(pair.share)} of the {pair.target} clips)"
        for pair in pairs
    )
    return text(f"{run.tag} most often takes {told}.")


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
                cells.percent(entry.precision, bar=True),
                cells.percent(entry.recall, bar=True),
                cells.percent(entry.f1, bar=True),
            )
        )
        for entry in run.shown.pooled.classes
    )
    caption = f"Emotions of {run.tag} on the {run.part} recordings"
    return Table(f"classes-{run.tag.lower()}", caption, columns, (RowGroup(rows),), marks=marks)


def group_blocks(run: Run, marks: tuple[Mark, ...]) -> list[Block]:
    """Show scores by corpus, language, gender, intensity, modality, speaker; name the worst of each."""
    kinds = groups_by_kind(run)
    if not kinds:
        return []
    columns = (
        Column("Group", numeric=False),
        Column("Clips"),
        Column("Speakers"),
        Column("UAR", unit="%"),
        Column("Accuracy", unit="%"),
        Column("Macro-F1", unit="%"),
    )
    table = Table(
        key=f"groups-{run.tag.lower()}",
        caption=f"{run.tag} by group of {run.part} recordings, lowest UAR first",
        columns=columns,
        groups=tuple(_row_group(kind, groups) for kind, groups in kinds.items()),
        notes=("UAR and macro-F1 are means over the emotions that the group has.",),
        marks=marks,
    )
    return [*_worst(run), table]


def _worst(run: Run) -> list[Block]:
    worst = worst_groups(run)
    if not worst:
        return []
    told = "; ".join(
        f"{group.by} {_group_title(group)} "
        f"({cells.percent_text(group.uar)} over {cells.plural(group.clips, 'clip')})"
        for group in worst
    )
    return [text(f"Lowest UAR among groups of {MIN_GROUP_CLIPS} clips or more: {told}.")]


def _group_title(group: GroupScores) -> str:
    return _TITLES.get(group.by, str)(group.name)


def _row_group(kind: GroupKind, groups: Sequence[GroupScores]) -> RowGroup:
    cut = len(groups) > MAX_GROUPS
    rows = tuple(
        Row(
            (
                cells.words(_group_title(group)),
                cells.count(group.clips),
                cells.count(group.speakers),
                cells.percent(group.uar, bar=True),
                cells.percent(group.accuracy, bar=True),
                cells.percent(group.macro_f1, bar=True),
            )
        )
        for group in groups[:MAX_GROUPS]
    )
    note = f"the {MAX_GROUPS} lowest of {len(groups)}; report.json has all" if cut else ""
    return RowGroup(rows, title=f"By {kind}", note=note)


def certainty_blocks(run: Run, marks: tuple[Mark, ...]) -> list[Block]:
    """Show how sure the run is, and the mistakes it is surest of."""
    predictions = run.predictions
    if predictions is None or not predictions.clips:
        return [text(f"{run.tag} kept no predictions: its calibration cannot be drawn.")]
    figure = Figure(
        f"certainty-{run.tag.lower()}",
        f"Certainty of {run.tag}: how often it is right when it is sure (left), "
        "and how often it is wrong when it decides its surest clips only (right)",
        (calibration_panel(run, predictions), coverage_panel(run, predictions)),
        marks,
    )
    return [*_abstaining(run), figure, *_mistakes(run, predictions, marks)]


def _abstaining(run: Run) -> list[Block]:
    """Say what temperature and threshold were learned on validation clips, and what they are worth."""
    certainty, told = run.scores.certainty, []
    if certainty is not None:
        told.append(
            f"Temperature {certainty.temperature:.2f}, fitted on validation recordings: the probabilities "
            "below are stated with it, no decision depends on it."
        )
        if certainty.abstain_below is not None:
            told.append(
                f"Below a confidence of {cells.percent_text(certainty.abstain_below)} {run.tag} had better "
                "not answer: from there on it errs half as often on validation recordings."
            )
    for part in ("validation", "test"):
        scores = run.scored(part)
        told += [] if scores is None else _answered(part, scores.pooled)
    return [text(" ".join(told))] if told else []


def _answered(part: str, pooled: Scores) -> list[str]:
    """One sentence on the clips that reach the threshold, or none without a threshold."""
    if pooled.answered is None:
        return []
    right = pooled.answered_accuracy
    wrong = "" if right is None else f", {cells.percent_text(1 - right)} of them wrong"
    return [
        f"{part.capitalize()}: {cells.percent_text(pooled.answered)} of the clips are answered{wrong}; "
        f"of all clips {cells.percent_text(1 - pooled.accuracy.value)} would be."
    ]


def _mistakes(run: Run, predictions: Predictions, marks: tuple[Mark, ...]) -> list[Block]:
    mistakes = surest_mistakes(predictions)
    if not mistakes:
        return []
    emotions = run.info.emotions
    rows = tuple(
        Row(
            (
                cells.words(mistake.clip),
                cells.words(emotions[mistake.target]),
                cells.words(emotions[mistake.predicted]),
                cells.percent(mistake.confidence, bar=True),
            )
        )
        for mistake in mistakes
    )
    columns = (
        Column("Recording", numeric=False),
        Column("True", numeric=False),
        Column("Decided", numeric=False),
        Column("Confidence", unit="%"),
    )
    caption = f"Mistakes {run.tag} is surest of: listen to these first"
    return [Table(f"mistakes-{run.tag.lower()}", caption, columns, (RowGroup(rows),), marks=marks)]
