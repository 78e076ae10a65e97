"""A run in other people's tools: what its files say is logged to trackers as well.

A tracker is told of the settings in ``settings.json``, of each line of ``metrics.csv`` and of the final
scores in ``scores.json``. ``trackers.json`` keeps what each was told, so a resumed run goes on in the same
place, and what a tracker missed while it could not be reached comes later.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Literal, Protocol, Self

from pydantic import Field

from ser_pipeline.errors import SerError
from ser_pipeline.options import Options, Recipe, idle, settings_by_path
from ser_pipeline.options.settings import in_words
from ser_pipeline.runs.curves import EpochReport, Listener, read_curves
from ser_pipeline.runs.files import final_scores, read_info, read_result, write_result
from ser_pipeline.runs.names import fold_folders
from ser_pipeline.runs.types import SETTINGS, RunInfo, RunScores
from ser_pipeline.training.trackers import KINDS, Tracker, hushed

TRACKERS: Final = "trackers.json"

_FAULTS: Final = (
    SerError, OSError, RuntimeError, ValueError, TypeError, LookupError, AttributeError, ImportError,
)  # fmt: skip
"""What ends the logging to a tracker and not the run; its library's own errors beside them."""


class Told(Options):
    """What one tracker was told of a run.

    Attributes:
        place: where it keeps its runs; in another place everything is told again.
        key: of the run there; "" before it knows of it.
        epochs: lines of ``metrics.csv`` that it knows, by name of the fold, which is "" without folds.
        scores: final scores that it knows.
    """

    place: str
    key: str
    epochs: dict[str, int] = Field(default_factory=dict)
    scores: dict[str, float] = Field(default_factory=dict)


class ToldTrackers(Options):
    """``trackers.json``: what each tracker was told."""

    schema_version: Literal[1] = 1
    trackers: dict[str, Told] = Field(default_factory=dict)


class Watching(Listener, Protocol):
    """A listener that hears remarks and warnings as well."""

    def note(self, sentence: str) -> None:
        """What is to be known."""

    def warn(self, sentence: str) -> None:
        """What went wrong without ending the training."""


class Logged:
    """Follows a training and tells trackers what is in the run's files; what they cannot take ends nothing.

    A context: when the block ends, the final scores are told and the trackers are closed.

    Args:
        folder: of the run.
        names: of trackers.
        watcher: is told of steps and epochs, of remarks, and of trackers that fail.
        title: that the run is shown by; "" for the name of its folder.
    """

    def __init__(self, folder: Path, names: Sequence[str], watcher: Watching, title: str = "") -> None:
        self._folder = folder
        self._names = list(names)
        self._watcher = watcher
        self._title = title or folder.name
        self._open: dict[str, Tracker] = {}
        self._process = os.getpid()

    def __enter__(self) -> Self:
        """Open nothing yet: the run's folder may still be empty."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Tell the scores of a run that is done, and close the trackers."""
        if kind is None:
            self._follow()
            self._each(self._tell_scores)
        self._each(lambda name: self._open.pop(name).end(done=kind is None) if name in self._open else None)

    def __getstate__(self) -> dict[str, Any]:
        """Go to another process without what is open here; there, nothing is logged."""
        return self.__dict__ | {"_open": {}}

    def note(self, sentence: str) -> None:
        """Hand a remark on; where it says that a fold begins, the fold before is done."""
        self._follow()
        self._watcher.note(sentence)

    def epoch_began(self, epoch: int, clips: int) -> None:
        """Open the trackers when the first epoch begins."""
        self._follow()
        self._watcher.epoch_began(epoch, clips)

    def step_done(self, clips: int) -> None:
        """Hand it on."""
        self._watcher.step_done(clips)

    def epoch_done(self, report: EpochReport) -> None:
        """Tell the epoch."""
        self._follow()
        self._watcher.epoch_done(report)

    def _follow(self) -> None:
        if self._names and os.getpid() == self._process and (self._folder / SETTINGS).is_file():
            self._each(self._tell_epochs)

    def _each(self, tell: Callable[[str], None]) -> None:
        """Do something for each tracker; one that fails is left out from then on."""
        for name in [*self._names]:
            with hushed():
                try:
                    tell(name)
                    continue
                except _FAULTS as error:
                    reason = _reason(error)
                except KINDS[name].faults() as error:
                    reason = _reason(error)
            self._names.remove(name)
            self._open.pop(name, None)
            self._watcher.warn(
                f"{name} is left out from here on: {reason}; the run continues without it, and "
                f"'ser train --resume {self._folder}' logs what is missing"
            )

    def _told(self, name: str) -> Told:
        """What a tracker was told; nothing where it keeps its runs in another place now."""
        path, place = self._folder / TRACKERS, KINDS[name].place(self._folder)
        known = read_result(ToldTrackers, path).trackers.get(name) if path.is_file() else None
        return known if known is not None and known.place == place else Told(place=place, key="")

    def _keep(self, name: str, told: Told) -> None:
        path = self._folder / TRACKERS
        known = read_result(ToldTrackers, path) if path.is_file() else ToldTrackers()
        write_result(path, ToldTrackers(trackers=known.trackers | {name: told}))

    def _opened(self, name: str) -> Tracker:
        """A tracker that is open; one that does not know the run yet is told its settings."""
        if name not in self._open:
            told = self._told(name)
            tracker = self._open[name] = KINDS[name](self._folder, self._title, told.key)
            if not told.key:
                tracker.settings(facts_of(read_info(self._folder), self._folder, self._title))
                self._keep(name, told.model_copy(update={"key": tracker.key}))
        return self._open[name]

    def _tell_epochs(self, name: str) -> None:
        """Tell the lines of ``metrics.csv`` that a tracker does not know."""
        told, curves = self._told(name), read_curves(self._folder)
        epochs = told.epochs | {curve.name: len(curve.epochs) for curve in curves}
        if told.key and epochs == told.epochs:
            return
        tracker = self._opened(name)
        for curve in curves:
            for epoch in curve.epochs[told.epochs.get(curve.name, 0) :]:
                values = {_of(curve.name, key): value for key, value in epoch.items() if key != "epoch"}
                tracker.logger.log_metrics(values, int(epoch["epoch"]))
        tracker.flush()
        self._keep(name, told.model_copy(update={"key": tracker.key, "epochs": epochs}))

    def _tell_scores(self, name: str) -> None:
        told, info = self._told(name), read_info(self._folder)
        scores = final_values(self._folder, info)
        if scores and scores != told.scores:
            facts = facts_of(info, self._folder, self._title)
            self._opened(name).scores(scores, facts, info.best_epoch or 0)
            self._keep(name, told.model_copy(update={"scores": scores}))


def _reason(error: Exception) -> str:
    """The first words of an error, in one line; some libraries state the cause on a later one."""
    return " ".join(str(error).split())[:300] or type(error).__name__


def facts_of(info: RunInfo, folder: Path, title: str) -> dict[str, bool | int | float | str]:
    """Settings of a run, as trackers show them: options that have an effect, by path, and facts about it."""
    found = dict(_effective(info.recipe))
    found |= {f"clips.{part}": count for part, count in info.counts.items()}
    found |= {f"version.{library}": version for library, version in info.versions.items()}
    found |= {
        "run": title,
        "folder": str(folder.absolute()),
        "created": info.created,
        "command": info.command,
        "seed": info.recipe.train.seed,
        "fold": info.split.fold,
        "emotions": info.emotions,
        "corpora": info.corpora,
        "train_corpora": info.learned_from,
        "languages": info.languages,
        "manifest_digest": info.manifest_digest,
        "split_digest": info.split.digest,
        "store_fingerprint": info.store_fingerprint,
    }
    return {
        path: value if isinstance(value, bool | int | float) else in_words(value)
        for path, value in found.items()
    }


def _effective(recipe: Recipe) -> Iterator[tuple[str, Any]]:
    """Options that have an effect, by path; those of something that is switched off have none."""
    for path in settings_by_path(Recipe):
        *sections, name = path.split(".")
        holder: Any = recipe
        for section in sections:
            holder = getattr(holder, section, None)
        unused = path == "train.log" or (sections == ["augment"] and not recipe.train.copies)
        if holder is not None and not unused and not idle(path, recipe):
            yield path, getattr(holder, name)


def final_values(folder: Path, info: RunInfo) -> dict[str, float]:
    """Scores on test clips with the ends of their intervals, by name, of a run whose training has ended.

    Of a run of all folds, those of each fold stand beside the pooled ones.

    Raises:
        RunError: a file of the run cannot be read.
    """
    scores = final_scores(folder, info)
    if scores is None:
        return {}
    found = _values(scores)
    for fold in fold_folders(folder).values():
        own = final_scores(fold, read_info(fold))
        found |= {} if own is None else {_of(fold.name, key): value for key, value in _values(own).items()}
    known = {"best_epoch": info.best_epoch, "seconds": info.seconds, "parameters": info.parameters}
    return found | {key: float(value) for key, value in known.items() if value is not None}


def _values(scores: RunScores) -> dict[str, float]:
    estimates: dict[str, Any] = {}
    found: dict[str, float] = {}
    if part := scores.parts.get("test"):
        estimates = {name: getattr(part.pooled, name) for name in ("accuracy", "uar", "macro_f1")}
        found = {"clips": part.pooled.clips, "speakers": part.pooled.speakers, "ece": part.pooled.ece}
    if rated := scores.rated.get("test"):
        found = {"clips": rated.clips, "speakers": rated.speakers}
        for each in rated.pooled:
            estimates |= {
                f"{each.dimension}_{name}": getattr(each, name) for name in ("ccc", "pearson", "rmse", "mae")
            }
    for name, estimate in estimates.items():
        ends = {} if estimate is None else {"": estimate.value, "_low": estimate.low, "_high": estimate.high}
        found |= {f"{name}{end}": value for end, value in ends.items() if value is not None}
    return {f"test_{name}": float(value) for name, value in found.items()}


def _of(fold: str, name: str) -> str:
    """Name of a value; that of a fold stands before it."""
    return f"{fold}/{name}" if fold else name
