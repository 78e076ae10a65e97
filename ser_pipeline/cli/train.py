"""The command ``ser train``."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ser_pipeline.cli.common import (
    CacheOption,
    ManifestsOption,
    RunsOption,
    limit_threads,
    next_step,
    plain_errors,
    say,
)
from ser_pipeline.cli.evaluate import show_parts
from ser_pipeline.cli.flags import Given

if TYPE_CHECKING:
    from ser_pipeline.api import ScoredRun

NameOption = Annotated[
    str | None, typer.Option(help="Give the run's folder this name.", rich_help_panel="Run")
]
ResumeOption = Annotated[
    Path | None, typer.Option(help="Continue this run, by folder or name.", rich_help_panel="Run")
]
ThreadsOption = Annotated[
    int | None,
    typer.Option(min=1, help="Let each process use at most this many threads.", rich_help_panel="Run"),
]


TimeOption = Annotated[
    str | None,
    typer.Option(
        "--budget",
        help="Stop after the epoch in which this time is over, as in 90m or 1h30m; --resume continues. "
        "'none' sets no limit. Without a budget, nothing that takes more than an hour is started.",
        rich_help_panel="Run",
    ),
]
MembersArgument = Annotated[
    list[Path] | None,
    typer.Argument(metavar="RUN", help="The runs, by folder or name, that 'ser train ensemble' averages."),
]


def train(
    given: Given,
    members: MembersArgument = None,
    name: NameOption = None,
    resume: ResumeOption = None,
    threads: ThreadsOption = None,
    budget: TimeOption = None,
    manifests: ManifestsOption = Path("manifests"),
    cache: CacheOption = Path("cache"),
    runs: RunsOption = Path("runs"),
) -> None:
    """Train a model on cached features, and score every part.

    Without MODEL, the best model that the stores at hand allow is named and trained. 'ser train ensemble RUN
    RUN' averages the calibrated probabilities of finished runs; the result is a run like any other.
    """
    places: dict[str, Any] = {"manifests": manifests, "cache": cache, "runs": runs}
    with plain_errors():
        limit_threads(threads)
        if members or given.values.get("model.name") == "ensemble":
            run = _averaged(members or [], resume, given, name, places)
        else:
            run = (
                _resumed(resume, given, name, budget, places)
                if resume
                else _begun(given, name, budget, places)
            )
    show_parts(run.info, run.scores, manifests)
    say(f"run: {run.folder}")
    next_step("ser report", manifests=manifests, cache=cache, runs_dir=runs)


def _begun(given: Given, name: str | None, budget: str | None, places: dict[str, Any]) -> "ScoredRun":
    """Train a new run."""
    from ser_pipeline import api
    from ser_pipeline.cli.epochs import epoch_display

    stored = {name: places[name] for name in ("manifests", "cache")}
    named = "model.name" in given.values
    recipe, why = (given.recipe(), "") if named else api.recommended(given.recipe, **stored)
    if why:
        say(why)
    with epoch_display(recipe.train.devices, budget, places["runs"]) as watcher:
        return api.train(recipe, name=name or None, watcher=watcher, command=given.command, **places)


def _averaged(
    members: list[Path], resume: Path | None, given: Given, name: str | None, places: dict[str, Any]
) -> "ScoredRun":
    """Make an ensemble of finished runs.

    Raises:
        SettingsError: runs beside another model, or a flag that an ensemble does not know.
    """
    from ser_pipeline import api
    from ser_pipeline.cli.epochs import EpochLines
    from ser_pipeline.errors import SettingsError

    model = given.values.get("model.name")
    if model != "ensemble":
        raise SettingsError(
            f"{members[0]}: only an ensemble is made of runs, as in ser train ensemble RUN RUN"
        )
    flags = [given.flag(path) for path in given.values if path not in ("model.name", "train.log")]
    if resume is not None or flags:
        raise SettingsError(
            f"{(*flags, '--resume')[0]}: has no effect on an ensemble, which takes all from its runs; "
            "leave it out"
        )
    del places["cache"]
    log = given.settings_read().train.log
    return api.ensemble(
        members, name=name or None, log=log, watcher=EpochLines(), command=given.command, **places
    )


def _resumed(
    run: Path, given: Given, name: str | None, budget: str | None, places: dict[str, Any]
) -> "ScoredRun":
    """Continue a run.

    Raises:
        SettingsError: a flag would change a setting that the run started with.
    """
    from ser_pipeline import api
    from ser_pipeline.api.training import MAY_CHANGE
    from ser_pipeline.cli.epochs import epoch_display
    from ser_pipeline.errors import SettingsError
    from ser_pipeline.options import Recipe, checked
    from ser_pipeline.runs.files import read_info
    from ser_pipeline.runs.find import find_run

    info = read_info(find_run(run, places["runs"]))
    free = [f"train.{field}" for field in MAY_CHANGE]
    same = {"model.name": info.model}
    fixed = [
        given.flag(path)
        for path, value in given.values.items()
        if path not in free and same.get(path) != value
    ]
    if fixed or name:
        raise SettingsError(
            f"{(*fixed, '--name')[0]}: a run continues with the settings it started with; "
            f"only {', '.join(map(given.flag, free))} may be given with --resume"
        )
    checked(Recipe, given.nested(), where="flags", spoken=given.flag)
    changes: dict[str, Any] = given.nested().get("train", {})
    devices = int(changes.get("devices", info.recipe.train.devices))
    with epoch_display(devices, budget, places["runs"]) as watcher:
        return api.resume(run, watcher=watcher, **places, **changes)
