"""Commands of ``ser experiment``: run what is missing, list, show what follows."""

import shlex
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from ser_pipeline.cli.budget import BudgetOption, need_budget, parse_budget
from ser_pipeline.cli.cache_build import Cluster
from ser_pipeline.cli.common import (
    MOST_ROWS,
    CacheOption,
    Format,
    FormatOption,
    FullOption,
    JobsOption,
    ManifestsOption,
    RunsOption,
    ThreadsOption,
    counted,
    limit_threads,
    next_step,
    out,
    out_whole,
    plain_errors,
    say,
    show_table,
)
from ser_pipeline.cli.findings import CellLines, show_findings, tell_problems
from ser_pipeline.cli.flags import spread
from ser_pipeline.tables import one_line
from ser_pipeline.tables.cells import duration, plural

if TYPE_CHECKING:
    from ser_pipeline.experiments.arms import Design
    from ser_pipeline.experiments.cells import Ground
    from ser_pipeline.experiments.place import Places
    from ser_pipeline.experiments.progress import Progress
    from ser_pipeline.experiments.search import Trial

app = typer.Typer(no_args_is_help=True, help="Run experiments: compare settings and judge claims about them.")

NameArgument = Annotated[
    str,
    typer.Argument(
        metavar="NAME",
        help="Take this experiment: hypotheses, ablations, cross-corpus, learning-curve, paper, "
        "or a TOML file.",
    ),
]
MANIFEST_FIRST: Final = "build it first with 'ser manifest build --data FOLDER', or pass --data FOLDER"


@dataclass(frozen=True, slots=True)
class Work:
    """How cells are trained, and in which folders."""

    budget: BudgetOption = None
    epochs: Annotated[
        int | None, typer.Option(min=1, help="Train each network for at most this many epochs.")
    ] = None
    data: Annotated[
        Path | None,
        typer.Option(
            "--data",
            help="Read recordings from this folder, which holds the corpora; by default the manifest's own.",
        ),
    ] = None
    jobs: JobsOption = 1
    threads: ThreadsOption = None
    manifests: ManifestsOption = Path("manifests")
    cache: CacheOption = Path("cache")
    runs: RunsOption = Path("runs")

    def seconds(self) -> float:
        """The budget in seconds, after the networks of this process were told how many threads they may take.

        Raises:
            SettingsError: not a time.
        """
        limit_threads(self.threads)
        return parse_budget(self.budget)

    def places(self, ground: "Ground") -> "Places":
        """Folders of the corpora, the stores and the runs."""
        from ser_pipeline.experiments.place import Places

        return Places(self.data or ground.manifest.data, self.cache, self.runs)


@app.command()
@spread
def run(
    name: NameArgument,
    work: Work,
    cluster: Cluster,
    only: Annotated[
        list[str] | None,
        typer.Option(help="Run only these arms, as in 'dnn*'; repeat the flag or separate names by commas."),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.")
    ] = False,
) -> None:
    """Train the runs that an experiment still needs, and test its claims; nothing is trained twice."""
    with plain_errors():
        scheduler = _checked_scheduler(cluster, work)
        seconds = work.seconds()
        progress = _progress(name, work)
        patterns = _patterns(only or [], {cell.arm for cell in progress.cells})
        if dry_run:
            _tell_plan(progress, work.places(progress.ground), patterns, seconds, work.jobs)
            return
        _refuse_hours(progress, work, patterns)
        command = shlex.join(["ser", "experiment", "run", name])
        failed = _run(progress, work, scheduler, seconds, patterns, command)
    next_step("ser report", manifests=work.manifests, cache=work.cache, runs_dir=work.runs)
    if failed:
        raise typer.Exit(1)


@spread
def paper(
    work: Work,
    to: Annotated[Path, typer.Option("--out", help="Write the page to this folder.")] = Path("reports"),
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.")
    ] = False,
) -> None:
    """Measure the claims of the source report again, the cheapest first, and write a page that compares them.

    A manifest, splits and stores that are missing are made first. Nothing is trained twice: the same command
    continues where the budget ended, and runs of 'ser experiment run hypotheses' and 'ablations' count.
    """
    with plain_errors("run the same command again to continue; what is finished is kept"):
        from ser_pipeline.errors import ReportError

        if to.exists() and not to.is_dir():
            raise ReportError(f"{to}: is a file; choose a folder with --out")
        seconds, began = work.seconds(), time.monotonic()
        _build_manifest(work, dry_run=dry_run)
        progress = _progress("paper", work)
        left = max(1.0, seconds - (time.monotonic() - began))
        if dry_run:
            _tell_plan(progress, work.places(progress.ground), [], left, work.jobs)
            return
        _refuse_hours(progress, work, [])
        failed = _run(progress, work, None, left, [], "ser paper", page=to)
    if failed:
        raise typer.Exit(1)


def _build_manifest(work: Work, *, dry_run: bool) -> None:
    """Build the manifest where there is none.

    Raises:
        ManifestError: there is none, and no folder of corpora.
    """
    from ser_pipeline import api
    from ser_pipeline.errors import ManifestError
    from ser_pipeline.manifest.read import MANIFEST_NAME
    from ser_pipeline.remote.addresses import is_folder, shown

    data = work.data or Path("DataSets")
    if (work.manifests / MANIFEST_NAME).exists():
        return
    if dry_run or (work.data is None and not data.is_dir()):
        first = MANIFEST_FIRST
        if is_folder(data):
            first = f"run 'ser manifest build --data {shown(data)}' before a dry run"
        raise ManifestError(f"{work.manifests / MANIFEST_NAME}: not found; {first}")
    with counted("reading") as on_progress:
        built = api.build_manifest(data, work.manifests, jobs=work.jobs, on_progress=on_progress)
    say(f"{built.held}, {built.rejects} rejected")


@app.command()
@spread
def search(
    name: Annotated[
        str, typer.Argument(metavar="FILE", help="Search as the table 'search' of this TOML file says.")
    ],
    work: Work,
    trials: Annotated[
        int | None, typer.Option(min=1, help="Train this many trials instead of the file's number.")
    ] = None,
) -> None:
    """Search for the settings of one arm with the best validation score; test clips are not used."""
    with plain_errors():
        from ser_pipeline.experiments.search import search as search_settings
        from ser_pipeline.experiments.search import search_seconds

        seconds = work.seconds()
        design, ground = _design(name, work)
        count, expected = search_seconds(
            design, ground, work.places(ground), trials=trials, epochs=work.epochs, jobs=work.jobs
        )
        left = plural(count, "trial is left, which takes", "trials are left, which take")
        need_budget(work.budget, expected, left)
        done = search_settings(
            design, ground, work.places(ground), CellLines("validation"),
            command=shlex.join(["ser", "experiment", "search", name]),
            trials=trials, epochs=work.epochs, budget_s=seconds, jobs=work.jobs,
        )  # fmt: skip
        _tell_best(done, work.runs)


def _tell_best(done: "list[Trial]", runs: Path) -> None:
    """Print the settings of the best trial, as lines for the settings file."""
    from ser_pipeline.errors import RunError
    from ser_pipeline.experiments.place import cell_folder
    from ser_pipeline.experiments.search import as_toml, best

    ended = [trial for trial in done if trial.score is not None]
    found = best(done)
    if found is None or found.score is None:
        reason = done[-1].state.reason if done else "no trial"
        raise RunError(f"no trial was completed: {reason}")
    say(
        f"best of {len(ended)}: trial {found.number}, validation UAR {100 * found.score:.1f} %, "
        f"{cell_folder(runs, found.cell.key)}; its score is optimistic because it was chosen by it. "
        "Lines for ser.toml:"
    )
    out_whole(as_toml(found.values))


@app.command("list")
def list_(runs: RunsOption = Path("runs"), fmt: FormatOption = Format.table) -> None:
    """List the experiments and their progress."""
    from ser_pipeline.errors import RunError
    from ser_pipeline.experiments.spec import find_experiment, shipped_names
    from ser_pipeline.runs.find import Unread
    from ser_pipeline.runs.findings import count_cells, findings_in, sound_findings, tables_in

    with plain_errors():
        sound, unread = sound_findings(findings_in(runs))
        found = {each.name: each for each in sound}
        cells = {}
        for path in tables_in(runs):
            try:
                cells[path.parent.name] = count_cells(path)
            except RunError as error:
                unread.append(Unread("experiment", path.parent.name, str(error)))
        rows = []
        for name in sorted({*shipped_names(), *found, *cells}):
            shipped = find_experiment(name).title if name in shipped_names() else ""
            title = found[name].title if name in found else shipped
            counts = cells[name].values() if name in cells else [None] * 3
            verdicts = found[name].outcomes() if name in found else {}
            told = ", ".join(f"{count} {outcome}" for outcome, count in verdicts.items() if count)
            rows.append([name, title, *counts, told or ("" if name in found else "not judged")])
        show_table("experiments", ["name", "title", "done", "failed", "not run", "claims"], rows, fmt)
        for entry in unread:
            say(one_line(entry.line))


@app.command()
def show(
    name: NameArgument,
    runs: RunsOption = Path("runs"),
    full: FullOption = False,
    fmt: FormatOption = Format.table,
) -> None:
    """Show the verdicts and scores of an experiment so far."""
    from ser_pipeline.experiments.spec import find_experiment
    from ser_pipeline.runs.findings import FINDINGS, experiment_folder, read_findings

    with plain_errors():
        path = experiment_folder(runs, Path(name).name.removesuffix(".toml")) / FINDINGS
        if not path.is_file():
            experiment = find_experiment(name)
            rows = [[claim.family, claim.text, "not run"] for claim in experiment.claims]
            most = None if full else MOST_ROWS
            show_table(experiment.title, ["family", "claim", "verdict"], rows, fmt, most=most)
            next_step(f"ser experiment run {shlex.quote(name)}", runs=runs)
            return
        show_findings(read_findings(path), fmt, full=full)


def _checked_scheduler(cluster: Cluster, work: Work) -> str | None:
    """Address of the scheduler; None for this machine.

    Raises:
        SettingsError: flags that do not go together.
    """
    from ser_pipeline.errors import SettingsError

    if cluster.checked_scheduler is not None and work.threads is not None:
        raise SettingsError(
            "--threads does not go with --backend dask, whose workers train each cell with one thread; "
            "leave it out"
        )
    return cluster.scheduler


def _patterns(only: list[str], arms: set[str]) -> list[str]:
    """What each ``--only`` names: an arm whose name has a comma, or several between commas."""
    from ser_pipeline.experiments.schedule import arms_named

    found: list[str] = []
    for item in only:
        whole = item.strip()
        parts = [whole] if arms_named(whole, arms) else [part.strip() for part in whole.split(",")]
        found += [part for part in parts if part]
    return found


def _progress(name: str, work: Work) -> "Progress":
    """Cells of an experiment on the recordings at hand."""
    from ser_pipeline.experiments.cells import cells_of
    from ser_pipeline.experiments.progress import examined

    design, ground = _design(name, work)
    return examined(design, ground, cells_of(design, ground, epochs=work.epochs), work.runs)


def _design(name: str, work: Work) -> "tuple[Design, Ground]":
    """An experiment for the recordings at hand."""
    from ser_pipeline.experiments.arms import designed
    from ser_pipeline.experiments.cells import SETTINGS_FILE, Ground
    from ser_pipeline.experiments.spec import find_experiment
    from ser_pipeline.manifest import read_manifest
    from ser_pipeline.options import own_tasks

    experiment = find_experiment(name)
    ground = Ground(
        work.manifests, read_manifest(work.manifests), own_tasks(SETTINGS_FILE), work.runs, work.cache
    )
    return designed(experiment, ground.groups()), ground


def _run(
    progress: "Progress",
    work: Work,
    scheduler: str | None,
    seconds: float,
    only: list[str],
    command: str,
    *,
    page: Path | None = None,
) -> int:
    """Run the cells, judge the claims whatever ended the run, and say what there is; failed cells.

    With ``page``, a folder, the page that compares the source report with what was found is written too.
    """
    from ser_pipeline.experiments.queue import run_cells
    from ser_pipeline.experiments.verdicts import write_findings
    from ser_pipeline.report import write_comparison
    from ser_pipeline.runs.findings import experiment_folder

    places = work.places(progress.ground)
    try:
        run_cells(
            progress, places, CellLines(together=scheduler is not None), command=command, budget_s=seconds,
            only=only, jobs=work.jobs, scheduler=scheduler,
        )  # fmt: skip
    finally:
        findings = write_findings(progress, places.runs, epochs=work.epochs)
        written = None if page is None else write_comparison(findings, page)
    show_findings(findings, manifests=work.manifests)
    tell_problems(progress)
    cells = findings.cells()
    out(
        f"{experiment_folder(places.runs, findings.name)}: {plural(cells['done'], 'run')} done, "
        f"{cells['failed']} failed, {cells['not run']} not run"
    )
    if written is not None:
        out_whole(str(written))
    return cells["failed"]


def _tell_plan(progress: "Progress", places: "Places", only: list[str], seconds: float, jobs: int) -> None:
    """Say which cells would be trained, in which order."""
    from ser_pipeline.experiments.schedule import estimates, ordered, total

    costs = estimates(progress, places, only, jobs=jobs)
    queue = ordered(progress.needs(), {key: cost.seconds for key, cost in costs.items()}, seconds)
    cells = {cell.key: cell for cell in progress.cells}
    rows = [[number, cells[key].label, duration(costs[key].training)] for number, key in enumerate(queue, 1)]
    if rows:
        show_table("runs to train, in this order", ["", "cell", "estimate"], rows)
    tell_problems(progress)
    out(
        f"{plural(len(queue), 'run')} to train, about {duration(total([costs[key] for key in queue]))}; "
        f"{plural(len(costs) - len(queue), 'more does', 'more do')} not fit into the budget; "
        f"{plural(sum(state.status == 'done' for state in progress.states.values()), 'is', 'are')} done"
    )


def _refuse_hours(progress: "Progress", work: Work, only: list[str]) -> None:
    """Ask for a budget before hours of work."""
    from ser_pipeline.experiments.schedule import estimates, total

    costs = [*estimates(progress, work.places(progress.ground), only, jobs=work.jobs).values()]
    left = plural(len(costs), "run is left, which takes", "runs are left, which take")
    need_budget(work.budget, total(costs), left)
