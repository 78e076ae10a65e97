"""Who answers: what a trained model is, how good it is and on whom, and which one answers by itself.

A score is of *new people* if nobody is heard both in training and in the test, and else of *people it knows*.
The model that answers by itself is the best on the validation clips of new people: the one whose UAR lies
highest between chance (0) and 1 (1), so that tasks of more or fewer emotions compare. Models of real voices
come before models of synthetic ones, and then those whose emotions were all tested before others.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from ser_pipeline.errors import RunError, some
from ser_pipeline.options import ENSEMBLE, Options
from ser_pipeline.runs.card import ModelCard
from ser_pipeline.runs.files import final_scores, read_info
from ser_pipeline.runs.find import FoundRun, list_runs
from ser_pipeline.runs.ratings import Estimate
from ser_pipeline.runs.tested import chance, few, in_words, untested
from ser_pipeline.runs.types import CARD, WEIGHTS, RunInfo, RunScores
from ser_pipeline.tables.cells import persons

NEW, KNOWN = "new people", "people it knows"


class About(Options):
    """What a model says of itself beside its answers.

    Attributes:
        name: of its run or file.
        model: architecture.
        task: that it was trained for; "" where its file does not say.
        emotions: that it tells apart; none if it only rates.
        trained_on: corpora of its recordings.
        uar: on test clips, or on validation clips where it has no others; None where it was not scored.
        ccc: mean concordance of its ratings on such clips, if they are its target; else None.
        speakers: heard in these clips.
        people: who they are; None where it was not scored.
        scored: its run was scored, whether or not there were such clips.
        untested: emotions that none of these clips is of.
        few: emotions that few of them are of, with their number, as ``fear (3)``.
        synthetic: it learned from synthetic voices.
        note: what else those who use it must know, in one sentence.
    """

    name: str
    model: str
    task: str = ""
    emotions: tuple[str, ...]
    trained_on: tuple[str, ...] = ()
    uar: Estimate | None = None
    ccc: float | None = None
    speakers: int = 0
    people: Literal["new people", "people it knows"] | None = None
    scored: bool = False
    untested: tuple[str, ...] = ()
    few: tuple[str, ...] = ()
    synthetic: bool = False
    note: str = ""

    @property
    def chance(self) -> float:
        """UAR of guessing one of the emotions that were tested."""
        return 1 / max(1, len(self.emotions) - len(self.untested))

    @property
    def at_chance(self) -> bool:
        """Whether its UAR, or the interval of it, reaches down to that of guessing."""
        return self.uar is not None and self.uar.reaches(self.chance)

    @property
    def line(self) -> str:
        """Who answers, in one line.

        Examples:
            >>> print(About(name="a", model="crnn", task="4class", emotions=("anger", "fear"),
            ...             trained_on=("emodb",), uar=Estimate(value=0.75), speakers=2, people=NEW).line)
            answered by a: crnn, task 4class, trained on emodb; UAR 0.750 on 2 new people (guessing: 0.50)
        """
        parts = [self.model, *([f"task {self.task}"] if self.task else [])]
        if self.trained_on:
            parts.append(f"trained on {', '.join(self.trained_on)}")
        return f"answered by {self.name}: {', '.join(parts)}; {self._score}"

    @property
    def _score(self) -> str:
        if self.uar is None and self.ccc is None:
            if self.scored:
                return "its split has no clips to judge it by"
            return "it has not been scored yet" if self.task else "its file does not say how good it is"
        people = f"{self.speakers:,} {self.people}"
        if self.speakers < 2:
            people = persons(self.speakers, " it knows" if self.people == KNOWN else "")
        if self.ccc is not None:
            return f"mean CCC {self.ccc:.3f} on {people}"
        lacks = in_words("clips", self.untested, self.few)
        return f"UAR {self.uar} on {people} (guessing: {self.chance:.2f}{lacks and f'; {lacks}'})"

    @property
    def warning(self) -> str:
        """What speaks against it, in one sentence; "" for nothing."""
        if self.people == KNOWN:
            was = "was" if self.speakers else "may have been"
            return f"{self.name} {was} tested on people it learned from: it does worse on everyone else"
        if self.at_chance:
            return f"{self.name} is no better than guessing, as far as its test can tell"
        return ""

    def as_dict(self) -> dict[str, Any]:
        """The same for programs, as ``ser predict --format json`` gives it with every answer."""
        uar = self.uar or Estimate(value=0)
        known = self.uar is not None
        return {
            "name": self.name,
            "model": self.model,
            "task": self.task or None,
            "trained_on": [*self.trained_on],
            "uar": round(uar.value, 4) if known else None,
            "uar_low": None if uar.low is None else round(uar.low, 4),
            "uar_high": None if uar.high is None else round(uar.high, 4),
            **({} if self.ccc is None else {"ccc": round(self.ccc, 4)}),
            "chance": round(self.chance, 4) if self.emotions else None,
            **({"untested": [*self.untested]} if self.untested else {}),
            "on_whom": self.people,
            "speakers": self.speakers or None,
            "synthetic": self.synthetic,
        }


def about_run(folder: Path, card: ModelCard) -> About:
    """What is known of the model of a run; what cannot be read is left out.

    Args:
        folder: of the run.
        card: of its model.
    """
    try:
        info = read_info(folder)
    except RunError:
        return about_card(card, folder.name)
    try:
        return _about(info, final_scores(folder, info))
    except RunError:
        return _about(info, None)


def about_card(card: ModelCard, name: str, trained_on: tuple[str, ...] = ()) -> About:
    """What the card of a model alone tells."""
    return About(
        name=name,
        model=card.model.name,
        emotions=card.emotions,
        trained_on=trained_on,
        synthetic=card.synthetic,
    )


def _about(info: RunInfo, scores: RunScores | None) -> About:
    parts = {} if scores is None else scores.parts
    part = parts.get("test") or parts.get("validation")
    rates = {} if scores is None else scores.rated
    rated = rates.get("test") or rates.get("validation")
    tested = rated if part is None else part.pooled
    leaks = info.split.leaks_speakers
    return About(
        name=info.name,
        model=info.model,
        task=info.recipe.about,
        emotions=info.emotions,
        trained_on=info.learned_from,
        uar=None if part is None else part.pooled.uar,
        ccc=None if rated is None else rated.ccc,
        speakers=0 if tested is None else tested.speakers,
        people=None if tested is None else KNOWN if leaks else NEW,
        scored=scores is not None,
        untested=() if part is None else untested(part.pooled),
        few=() if part is None else few(part.pooled),
        synthetic=info.synthetic,
    )


@dataclass(frozen=True)
class _Candidate:
    """A run with a model: how far above chance it is on validation clips, or why it does not answer.

    ``whole`` tells that test and validation have clips of every emotion.
    """

    run: FoundRun
    above_chance: float
    reason: str
    whole: bool = False

    @property
    def rank(self) -> tuple[bool, bool, float]:
        """Greater where it should rather answer."""
        return not self.run.info.synthetic, self.whole, self.above_chance


def best_model(runs: Path) -> Path | None:
    """Folder of the run whose model answers where none is named; None where no run has a model.

    Args:
        runs: folder of the runs.

    Raises:
        RunError: there are models, and none of them should answer unless it is named.
    """
    there = [run for run in list_runs(runs).read if (run.folder / CARD).is_file()]
    candidates = [_candidate(run) for run in there]
    usable = [each for each in candidates if not each.reason]
    if usable:  # the newest of equals, as runs are sorted by age
        return max(reversed(usable), key=lambda each: each.rank).run.folder
    if not candidates:
        return None
    reasons = [f"{each.run.folder.name} {each.reason}" for each in reversed(candidates)]
    raise RunError(
        f"{runs}: no model answers unless it is named: {some(reasons)}; "
        "name one with --model (built-in comes with the package), or train one with 'ser train'"
    )


def _candidate(run: FoundRun) -> _Candidate:
    if not run.info.emotions:
        return _Candidate(run, 0, "predicts ratings instead of emotions")
    try:
        scores = final_scores(run.folder, run.info)
    except RunError:
        return _Candidate(run, 0, "has scores that cannot be read")
    about = _about(run.info, scores)
    validation = None if scores is None else scores.parts.get("validation")
    value, guess = (
        (0.0, 0.0) if validation is None else (validation.pooled.uar.value, chance(validation.pooled))
    )
    reason = ""
    if run.info.model != ENSEMBLE and not (run.folder / WEIGHTS).is_file():
        reason = f"has no {WEIGHTS}"
    elif scores is None:
        reason = "is not scored"
    elif about.people == KNOWN:
        reason = "was tested on people it learned from"
    elif validation is None:
        reason = "has no validation clips"
    elif len(about.emotions) - len(about.untested) == 1:
        reason = "was tested on clips of one emotion"
    elif about.at_chance or value <= guess:
        reason = "is no better than guessing"
    if reason or validation is None:
        return _Candidate(run, 0, reason)
    whole = not (about.untested or untested(validation.pooled))
    return _Candidate(run, (value - guess) / (1 - guess), "", whole)
