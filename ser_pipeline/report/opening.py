"""The beginning of the report: its contents, the main numbers, and their limits."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Final

from ser_pipeline.corpora.languages import language_of
from ser_pipeline.manifest.describe import named_speakers
from ser_pipeline.manifest.doctor import DOCTOR
from ser_pipeline.metrics import FEW_SPEAKERS
from ser_pipeline.report.document import Block, Bullets, Callout, Code, Section, Words, text
from ser_pipeline.report.ranking import answer
from ser_pipeline.report.results_section import CLAIM_PROTOCOL, beside_source
from ser_pipeline.report.sources import Data
from ser_pipeline.runs.find import Unread
from ser_pipeline.runs.read import Run, Unfinished
from ser_pipeline.tables import cells

MANY_COPIES: Final = 0.01
"""Share of the recordings from which on the first sentence says that they are copies."""


def banner(data: Data, runs: Sequence[Run], unfinished: Sequence[Unfinished]) -> str:
    """Warn that recordings are synthetic; empty if none are."""
    shown = [run.tag for run in runs if run.info.synthetic]
    if not data.synthetic and not shown and not any(run.info.synthetic for run in unfinished):
        return ""
    parts = []
    if data.synthetic:
        everything = data.synthetic >= set(data.table["corpus"].unique().to_pylist())
        titles = ", ".join(map(data.corpora.title, data.corpora.order(data.synthetic)))
        parts.append("all recordings described here" if everything else f"the recordings of {titles}")
    if shown:
        parts.append(
            "those behind " + ("every run" if len(shown) == len(runs) else f"runs {', '.join(shown)}")
        )
    what = " and ".join(parts) or "those behind unfinished runs"
    return (
        f"Synthetic recordings: {what} were made by a program, not by people. "
        "Numbers from them show that the toolkit works; they say nothing about emotions in human speech."
    )


def opening(data: Data, runs: Sequence[Run], unfinished: Sequence[Unfinished]) -> tuple[Block, ...]:
    """Write which model is best, and what is shown, in a sentence or two."""
    corpora = data.table["corpus"].unique().to_pylist()
    held = (
        f"{cells.plural(data.table.num_rows, 'recording')} of {cells.people(named_speakers(data.table))} "
        f"from {cells.plural(len(corpora), 'corpus', 'corpora')} in {_languages(data)}"
    )
    done = cells.plural(len(runs), "finished run") if runs else "no finished run yet"
    more = f" and {len(unfinished)} unfinished" if unfinished else ""
    shown = text(f"This report shows {held}, with {done}{more}.")
    best = answer([run for run in runs if run.info.emotions], data.digest)
    if best is None:
        return (shown,)
    copies, total = _copied(data)
    if copies >= MANY_COPIES * total:
        found = f" {_copies_words(copies, total)}, so this score may be too high."
        best = replace(best, words=(*best.words, found))
    return best, shown


def _languages(data: Data) -> str:
    """How many languages are spoken; en-US and en-GB are one."""
    tags = {language_of(tag) for tag in data.table["language"].unique().to_pylist()}
    known = len(tags - {""})
    if known == len(tags):
        return cells.plural(known, "language")
    return cells.plural(known, "known language") if known else "languages that are not known"


def _copied(data: Data) -> tuple[int, int]:
    """How many recordings the examination found to be copies of others, and of how many it looked at."""
    found = data.diagnosis
    if found is None:
        return 0, 1
    return sum(each.cases for each in found.findings if each.kind == "copies"), found.recordings


def _copies_words(copies: int, total: int) -> str:
    of = f"{cells.thousands(copies)} of {cells.plural(total, 'recording')}"
    return f"{of} {'is a copy' if copies == 1 else 'are copies'} of others, as the examination found"


def limits_section(data: Data, runs: Sequence[Run]) -> Section:
    """Write what a reader must know before using the numbers."""
    return Section("limits", "Limits of these results", (Bullets(tuple(_cautions(data, runs))),), 2)


def _cautions(data: Data, runs: Sequence[Run]) -> list[tuple[Words, ...]]:
    found: list[tuple[Words, ...]] = [*_data_cautions(data), *_run_cautions(runs, data.digest)]
    if beside_source(runs):
        found.append(
            (f"The comparison lists the source report's own numbers for reference only ({CLAIM_PROTOCOL}).",)
        )
    return found


def _data_cautions(data: Data) -> list[tuple[Words, ...]]:
    found: list[tuple[Words, ...]] = []
    if data.synthetic:
        found.append(("Rows, figures and runs marked 'synthetic' come from recordings made by a program.",))
    if (copies := _copied(data))[0]:
        sentence = f"{_copies_words(*copies)}: where a copy stands in training and the other in the test, "
        found.append((sentence, "a score is too high. ", Code(DOCTOR), " lists them."))
    counts = {row["values"]: row["counts"] for row in data.table["corpus"].value_counts().to_pylist()}
    published = {name: card.clips for name, card in data.corpora.items() if counts.get(name) and card.clips}
    here, complete = sum(counts[name] for name in published), sum(published.values())
    if here < complete and not data.synthetic:
        known = cells.plural(len(published), "complete corpus", "complete corpora")
        sentence = (
            f"The data contain {cells.thousands(here)} of the {cells.thousands(complete)} recordings "
            f"of {known} ({cells.percent_text(here / complete)}): scores on all of them will differ."
        )
        found.append((sentence,))
    return found


def _run_cautions(runs: Sequence[Run], digest: str) -> list[tuple[Words, ...]]:
    if not runs:
        return [("There are no scores yet, so nothing here says how well emotions are recognised.",)]
    telling = [run for run in runs if run.info.emotions]
    found: list[tuple[Words, ...]] = [
        ("Every score names its split and its part; no model was fitted or tuned on its test recordings.",)
    ]
    if not telling:
        found.append(("All scores are of ratings: nothing here says how well emotions are recognised.",))
    leaking = [run for run in runs if run.info.split.leaks_speakers]
    if heard := _tags(run for run in leaking if run.speakers):
        sentence = f"{heard}: the speakers of the test clips were heard in training. "
        found.append((sentence, "These scores do not hold for new people."))
    if unsure := _tags(run for run in leaking if not run.speakers):
        sentence = f"{unsure}: nothing says whether the speakers of the test clips were heard in training. "
        found.append((sentence, "These scores do not hold for new people."))
    if few := _tags(run for run in runs if run.speakers < FEW_SPEAKERS):
        where = "; see the scores of each speaker" if telling else ""
        found.append((f"{few}: there are fewer than {FEW_SPEAKERS} test speakers{where}.",))
    for lacks in dict.fromkeys(run.lacking for run in telling if run.lacking):
        sentence = f"{_tags(run for run in telling if run.lacking == lacks)}: there are {lacks}; "
        found.append((sentence, "a UAR is the mean over the emotions that have clips."))
    if foreign := _tags(run for run in runs if run.info.manifest_digest != digest):
        sentence = f"{foreign}: trained on another manifest than the one described here; train again with "
        found.append((sentence, Code("ser train"), "."))
    seeds = sorted({run.info.recipe.train.seed for run in runs})
    sentence = (
        f"Seeds: {', '.join(map(str, seeds))}. Intervals that overlap don't say whether two runs differ: "
    )
    found.append((sentence, Code("ser compare"), " does, on the same people."))
    return found


def _tags(runs: Iterable[Run]) -> str:
    return ", ".join(run.tag for run in runs)


def unread_blocks(unread: Sequence[Unread]) -> tuple[Block, ...]:
    """Write what is missing from the report and why; nothing where all was read."""
    if not unread:
        return ()
    warning = Callout("warning", ("This report is not complete. The following is missing, with the reason:",))
    return (warning, Bullets(tuple((entry.line,) for entry in unread)))
