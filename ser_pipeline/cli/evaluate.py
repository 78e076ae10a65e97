"""The command ``ser evaluate``, and how scores are shown."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from ser_pipeline.cli.common import (
    CacheOption,
    DeviceOption,
    Format,
    FormatOption,
    FullOption,
    ManifestsOption,
    RunArgument,
    RunsOption,
    ThreadsOption,
    WhereOption,
    limit_threads,
    next_step,
    on_screen,
    out_whole,
    plain_errors,
    progress,
    say,
    show_table,
    tell_unread,
)
from ser_pipeline.cli.findings import synthetic_voices
from ser_pipeline.tables import Column
from ser_pipeline.tables.cells import listed, people, persons, plural

if TYPE_CHECKING:
    from ser_pipeline.runs.ratings import Estimate, RatedPart, RatingScores
    from ser_pipeline.runs.types import PartScores, RunInfo, RunScores


_MAIN_GROUPS: Final = ("corpus", "language", "gender")
"""Groups that a summary shows."""


def show_scores(info: "RunInfo", scores: "RunScores") -> None:
    """Show a line of scores for each part, and what the last of them means."""
    from ser_pipeline.runs.tested import chance, lacking, untested, with_clips

    known = f" that it has {'learned from' if info.split.leaks_speakers else 'never heard'}"
    scored = {**scores.parts, **scores.rated}
    shown: list[str] = [part for part in scored if part != "train"][-1:]
    if scores.rated:
        each = [(part, row) for part, found in scores.rated.items() for row in rating_rows(found.pooled)]
        columns = ["part", "dimension", *RATED[3:]]
        show_table(f"{info.name}: {info.words}", columns, [[part, row[0], *row[3:]] for part, row in each])
        for part in shown:
            rated = scores.rated[part]
            heard = persons(rated.speakers, known)
            say(f"{part}: the mean CCC is {rated.mean}, for {heard}; 1 is full agreement with listeners")
        return
    columns = ["part", "clips", "speakers", "accuracy", "UAR", "UAR from", "UAR to", "macro-F1"]
    rows = []
    for name, part_scores in scores.parts.items():
        pooled = part_scores.pooled
        numbers = [pooled.accuracy.value, *interval(pooled.uar), pooled.macro_f1.value]
        rows.append([name, pooled.clips, pooled.speakers, *numbers])
    show_table(f"{info.name}: {info.words}", columns, rows)
    for part in shown:
        pooled = scores.parts[part].pooled
        heard = persons(pooled.speakers, known)
        whose = f"of {listed(with_clips(pooled))} alone" if untested(pooled) else "of each emotion"
        lacks = lacking(part, pooled)
        say(
            f"{part}: of 100 clips {whose}, {100 * pooled.uar.value:.0f} are recognised on average, "
            f"spoken by {heard}; guessing would recognise {100 * chance(pooled):.0f}"
            + (f"; there are {lacks}" if lacks else "")
        )


def show_parts(info: "RunInfo", scores: "RunScores", manifests: Path = Path("manifests")) -> None:
    """Show a line of scores for each part, and the remarks that belong to them."""
    from ser_pipeline.runs.tested import too_few, worse_calibrated

    lacks = too_few(scores)
    show_scores(info, scores)
    intervals = {part: found.pooled.interval for part, found in scores.parts.items()}
    intervals |= {part: found.interval for part, found in scores.rated.items()}
    for part, said in intervals.items():
        if part != "train":
            say(f"{part}: {said}")
    say(f"split '{info.split.name}': {info.split.note}")
    for said in (worse_calibrated(scores), lacks and f"no threshold for abstaining: {lacks}"):
        if said:
            say(said)
    if info.synthetic:
        which = synthetic_voices(info.corpora, info.manifest_digest, manifests)
        say(f"{which}: the scores say nothing about real speech")


RATED: Final = (
    "dimension", "by", "group", "clips", "speakers", "CCC", "from", "to", "Pearson", "RMSE", "MAE",
)  # fmt: skip


def rating_rows(ratings: "Sequence[RatingScores]") -> list[list[Any]]:
    """Scores of ratings, one row each, in the columns of the tables that show them."""
    return [
        [
            each.dimension, each.by or "all", each.name or "all", each.clips, each.speakers,
            *((None,) * 3 if each.ccc is None else interval(each.ccc)),
            *(None if score is None else score.value for score in (each.pearson, each.rmse, each.mae)),
        ]
        for each in ratings
    ]  # fmt: skip


def show_rated(part: str, scores: "RatedPart", fmt: Format = Format.table, *, full: bool = True) -> None:
    """Show all about one part of a run whose targets are ratings; arguments as for :func:`show_part`."""
    if fmt is Format.json:
        out_whole(scores.model_dump_json(indent=2))
    elif fmt is Format.csv:
        columns = ["part", *(name.lower() for name in RATED)]
        show_table(part, columns, [[part, *row] for row in rating_rows(scores.ratings)], fmt)
    else:
        say(f"{part}: mean CCC {scores.mean}")
        whole = full or not on_screen()
        shown = [each for each in scores.ratings if whole or each.by in (None, *_MAIN_GROUPS)]
        show_table(f"{part}: ratings", list(RATED), rating_rows(shown))


def show_part(
    info: "RunInfo", part: str, scores: "PartScores", fmt: Format = Format.table, *, full: bool = True
) -> None:
    """Show everything about one part.

    Tables on a screen, without ``full`` with the larger groups alone; as JSON one object with every score;
    as CSV one line for all clips and one for each group.
    """
    if fmt is Format.json:
        out_whole(scores.model_dump_json(indent=2))
    elif fmt is Format.csv:
        columns = ["part", "by", "group", "clips", "speakers", "accuracy", "uar", "macro_f1"]
        show_table(part, columns, [[part, *row] for row in _lines(scores)], fmt)
    else:
        _show_tables(info, part, scores, full=full)


def _show_tables(info: "RunInfo", part: str, scores: "PartScores", *, full: bool) -> None:
    from ser_pipeline.runs.tested import answers

    pooled, macro = scores.pooled, scores.macro_corpora
    whole = [
        ["all clips", pooled.accuracy.value, pooled.uar.value, pooled.macro_f1.value],
        ["mean of corpora", macro["accuracy"], macro["uar"], macro["macro_f1"]],
        ["most frequent class of the corpus", pooled.confound_accuracy, pooled.confound_uar, None],
    ]
    show_table(f"{part}: overall", ["", "accuracy", "UAR", "macro-F1"], whole)
    distance = "not defined" if pooled.error_distance is None else f"{pooled.error_distance:.3f}"
    before = "" if pooled.ece_before is None else f" ({pooled.ece_before:.3f} before the temperature)"
    say(f"{part}: calibration error {pooled.ece:.3f}{before}; mean distance of errors {distance}")
    if votes := scores.votes:
        say(
            f"{part}: of the {plural(votes.clips, 'clip')} with votes of listeners: cross-entropy "
            f"{votes.cross_entropy}, divergence from the votes {votes.divergence} (nats)"
        )
    _show_ratings(part, scores)
    if answered := answers(pooled):
        say(f"{part}: at the threshold for abstaining, {answered}")
    classes = [each.cells for each in pooled.classes]
    show_table(f"{part}: emotions", ["emotion", "clips", "precision", "recall", "F1"], classes)
    confusion = [[name, *row] for name, row in zip(info.emotions, pooled.confusion, strict=True)]
    decided = [Column(name, keep=True) for name in info.emotions]
    show_table(f"{part}: confusion, rows are true", ["true", *decided], confusion)
    columns = ["by", "group", "clips", "speakers", "accuracy", "UAR", "macro-F1"]
    groups = _lines(scores)[1:]
    if not full and on_screen():
        groups = [row for row in groups if row[0] in _MAIN_GROUPS]
    show_table(f"{part}: groups", columns, groups)
    if len(groups) < len(scores.groups):
        _tell_speakers(part, scores)


def _tell_speakers(part: str, scores: "PartScores") -> None:
    """Name the speakers of all emotions that are understood best and worst, in place of a row for each."""
    from ser_pipeline.runs.tested import whole_groups

    every = [group for group in scores.groups if group.by == "speaker"]
    speakers = sorted(whole_groups(scores, every), key=lambda each: each.uar)
    rest = ", ".join(dict.fromkeys(each.by for each in scores.groups if each.by not in _MAIN_GROUPS))
    if len(speakers) > 1:
        which = "" if len(speakers) == len(every) else f", of {len(speakers)} with clips of every emotion"
        worst, best = speakers[0], speakers[-1]
        ends = f"from {worst.uar:.3f} ({worst.name}) to {best.uar:.3f} ({best.name})"
        say(f"{part}: UAR of speakers {ends}{which}")
    say(f"'--full' shows scores by {rest}")


def _show_ratings(part: str, scores: "PartScores") -> None:
    """Show how closely ratings follow those of listeners."""
    if scores.ratings:
        shown = [each for each in scores.ratings if each.by in (None, "corpus")]
        show_table(f"{part}: ratings", list(RATED), rating_rows(shown))
    elif scores.concordance:
        known = {name: value for name, value in scores.concordance.items() if value is not None}
        said = ", ".join(f"{name} {value:.3f}" for name, value in known.items())
        say(f"{part}: concordance of ratings: {said or 'not known, as listeners rated no clip of this part'}")


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


def evaluate(
    run: RunArgument = None,
    part: Annotated[str, typer.Option(help="Show this part: train, validation or test.")] = "test",
    enrolment: Annotated[
        bool,
        typer.Option(
            "--enrolment",
            help="Also score the part with 0, 1, 2, 5, ... enrolment clips per speaker; "
            "for models trained with --normalise adaptive.",
        ),
    ] = False,
    where: WhereOption = "",
    device: DeviceOption = "auto",
    threads: ThreadsOption = None,
    manifests: ManifestsOption = Path("manifests"),
    cache: CacheOption = Path("cache"),
    runs: RunsOption = Path("runs"),
    full: FullOption = False,
    fmt: FormatOption = Format.table,
) -> None:
    """Score a run again from its network and the store, and show every score of one part."""
    from ser_pipeline import api
    from ser_pipeline.errors import SettingsError
    from ser_pipeline.records import PARTS
    from ser_pipeline.runs.files import read_info
    from ser_pipeline.runs.find import find_run
    from ser_pipeline.runs.predictions import PREDICTIONS, RATINGS
    from ser_pipeline.runs.ratings import RatedPart
    from ser_pipeline.runs.types import SCORES

    with plain_errors():
        if part not in PARTS:  # before minutes of work
            raise SettingsError(f"--part {part}: valid are {', '.join(PARTS)}")
        if where:
            from ser_pipeline.manifest import read_manifest
            from ser_pipeline.manifest.where import chosen_by

            chosen_by(read_manifest(manifests).table, where)
        limit_threads(threads)
        folder = find_run(run, runs)
        if enrolment and fmt is Format.csv:
            raise SettingsError("--enrolment: a curve beside the scores fits into no CSV; use --format json")
        if enrolment and read_info(folder).recipe.target:
            raise SettingsError(
                f"--enrolment: scores by UAR, but {folder.name} predicts ratings instead of emotions"
            )
        tell_unread(runs, folder)
        done = api.evaluate(folder, manifests=manifests, cache=cache, runs=runs, device=device)
        shown = done.rated(part) if done.info.recipe.target else done.part(part)
        if fmt is Format.table:
            show_parts(done.info, done.scores, manifests)
        if where:
            shown = _some(done.folder, where, part, manifests)
        if isinstance(shown, RatedPart):
            show_rated(part, shown, fmt, full=full)
        elif enrolment and fmt is Format.json:
            curve = {"enrolment": _enrolment(done.folder, part, manifests, cache, fmt)}
            out_whole(json.dumps(shown.model_dump(mode="json") | curve, indent=2))
        else:
            show_part(done.info, part, shown, fmt, full=full)
        predicted = RATINGS if done.info.recipe.target else PREDICTIONS
        say(f"written: {done.folder / predicted}, {done.folder / SCORES}")
        if enrolment and fmt is Format.table:
            _enrolment(done.folder, part, manifests, cache, fmt)
    next_step("ser report", manifests=manifests, cache=cache, runs_dir=runs)


def _some(folder: Path, where: str, part: str, manifests: Path) -> "PartScores | RatedPart":
    """Scores of the clips of a part for which a condition holds."""
    from ser_pipeline.evaluation.condition import score_where
    from ser_pipeline.runs.ratings import RatedPart

    scores, left_out = score_where(folder, where, part=part, manifests=manifests)
    clips = scores.clips if isinstance(scores, RatedPart) else scores.pooled.clips
    say(f"{part}: what follows covers the {plural(clips, 'clip')} with {where}; the files cover all clips")
    if left_out:
        say(f"{part}: {left_out}")
    return scores


def _enrolment(folder: Path, part: str, manifests: Path, cache: Path, fmt: Format) -> dict[str, Any]:
    """Score a run against the number of enrolment clips, and show the curve, or give it as JSON."""
    from ser_pipeline.evaluation.enrolment import COUNTS, DRAWS, ENROLMENT, WAYS, enrolment_curve

    with progress("enrolment", len(WAYS) * len(COUNTS), "scores") as advance:
        curve = enrolment_curve(
            folder, manifests=manifests, cache=cache, part=part, advance=lambda done, total: advance(done)
        )
    uar = {(score.chosen, score.clips): score.uar for score in curve.scores}
    rows = [[way, *(uar[way, count] for count in COUNTS)] for way in WAYS]
    columns = ["other clips known", *("all" if count is None else str(count) for count in COUNTS)]
    if fmt is Format.table:
        show_table(f"{part}: UAR by enrolment, {people(curve.speakers)}", columns, rows)
    say(f"each score is the mean of {DRAWS} random choices; written: {folder / ENROLMENT}")
    return curve.model_dump(mode="json")
