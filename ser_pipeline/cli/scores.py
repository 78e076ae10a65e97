"""How scores are shown, by ``train`` and ``evaluate`` alike."""

from typing import TYPE_CHECKING, Any

from ser_pipeline.cli.common import Format, out, say, show_table

if TYPE_CHECKING:
    from ser_pipeline.results import Estimate, PartScores, RunInfo, RunScores


def show_parts(info: "RunInfo", scores: "RunScores") -> None:
    """Show a line of scores for each part, and what must be known of them."""
    columns = ["part", "clips", "speakers", "accuracy", "UAR", "UAR from", "UAR to", "macro-F1"]
    rows = []
    for part, part_scores in scores.parts.items():
        pooled = part_scores.pooled
        numbers = [pooled.accuracy.value, *interval(pooled.uar), pooled.macro_f1.value]
        rows.append([part, pooled.clips, pooled.speakers, *numbers])
    show_table(f"{info.name}: {', '.join(info.emotions)}", columns, rows)
    for part, part_scores in scores.parts.items():
        if part != "train":
            say(f"{part}: {part_scores.pooled.interval}")
    say(f"split '{info.split.name}': {info.split.note}")
    if info.synthetic:
        say("some of these recordings are synthetic voices: the scores say nothing about real speech")


def show_part(info: "RunInfo", part: str, scores: "PartScores", fmt: Format = Format.table) -> None:
    """Show everything about one part.

    Tables on a screen; as JSON one object with every score; as CSV one line for all clips and one
    for each group.
    """
    if fmt is Format.json:
        out(scores.model_dump_json(indent=2))
    elif fmt is Format.csv:
        columns = ["part", "by", "group", "clips", "speakers", "accuracy", "uar", "macro_f1"]
        show_table(part, columns, [[part, *row] for row in _lines(scores)], fmt)
    else:
        _show_tables(info, part, scores)


def _show_tables(info: "RunInfo", part: str, scores: "PartScores") -> None:
    pooled, macro = scores.pooled, scores.macro_corpora
    whole = [
        ["all clips", pooled.accuracy.value, pooled.uar.value, pooled.macro_f1.value],
        ["mean of corpora", macro["accuracy"], macro["uar"], macro["macro_f1"]],
        ["guess from the corpus alone", pooled.confound_accuracy, pooled.confound_uar, None],
    ]
    show_table(f"{part}: overall", ["", "accuracy", "UAR", "macro-F1"], whole)
    distance = "not defined" if pooled.error_distance is None else f"{pooled.error_distance:.3f}"
    before = "" if pooled.ece_before is None else f" ({pooled.ece_before:.3f} before the temperature)"
    say(f"{part}: calibration error {pooled.ece:.3f}{before}; mean distance of errors {distance}")
    for name, agreement in scores.concordance.items():
        say(f"{part}: {name}: concordance " + ("not known" if agreement is None else f"{agreement:.3f}"))
    if pooled.answered is not None:
        right = "none" if pooled.answered_accuracy is None else f"{pooled.answered_accuracy:.3f}"
        say(f"{part}: sure of {pooled.answered:.3f} of the clips, accuracy among them {right}")
    classes = [[c.emotion, c.clips, c.precision, c.recall, c.f1] for c in pooled.classes]
    show_table(f"{part}: emotions", ["emotion", "clips", "precision", "recall", "F1"], classes)
    confusion = [[name, *row] for name, row in zip(info.emotions, pooled.confusion, strict=True)]
    show_table(f"{part}: confusion, rows are true", ["true", *info.emotions], confusion)
    columns = ["by", "group", "clips", "speakers", "accuracy", "UAR", "macro-F1"]
    show_table(f"{part}: groups", columns, _lines(scores)[1:])


def _lines(scores: "PartScores") -> list[list[Any]]:
    """All clips, then each group: kind, name, clips, speakers, accuracy, UAR, macro-F1."""
    pooled = scores.pooled
    estimates = (pooled.accuracy, pooled.uar, pooled.macro_f1)
    whole = ["all", "all", pooled.clips, pooled.speakers, *(estimate.value for estimate in estimates)]
    groups = [[g.by, g.name, g.clips, g.speakers, g.accuracy, g.uar, g.macro_f1] for g in scores.groups]
    return [whole, *groups]


def interval(estimate: "Estimate") -> list[float | None]:
    """A score with the ends of its interval."""
    return [estimate.value, estimate.low, estimate.high]
