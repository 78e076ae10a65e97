"""Commands of ``ser cache`` that build stores."""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ser_pipeline.cli.budget import BudgetOption, need_budget, parse_budget
from ser_pipeline.cli.common import (
    BuiltFromOption,
    CacheOption,
    JobsOption,
    ManifestsOption,
    counted,
    next_step,
    out,
    plain_errors,
    say,
)
from ser_pipeline.cli.flags import Given
from ser_pipeline.tables.cells import plural

if TYPE_CHECKING:
    from ser_pipeline.options import StoreOptions
    from ser_pipeline.store import StoreSummary


class Backend(StrEnum):
    """Who does work that can be shared."""

    loky = "loky"
    dask = "dask"


@dataclass(frozen=True, slots=True)
class Cluster:
    """Where work that can be shared is done."""

    backend: Annotated[
        Backend, typer.Option("--backend", help="Compute on this machine (loky) or on a cluster (dask).")
    ] = Backend.loky
    scheduler: Annotated[
        str | None,
        typer.Option(
            "--scheduler", help="Use the Dask scheduler at this address, as in tcp://10.0.0.1:8786."
        ),
    ] = None

    @property
    def checked_scheduler(self) -> str | None:
        """Address of the scheduler; None for this machine.

        Raises:
            SettingsError: only one of ``--backend dask`` and ``--scheduler`` was given.
        """
        from ser_pipeline.errors import SettingsError

        if (self.backend is Backend.dask) != (self.scheduler is not None):
            raise SettingsError(
                "--backend dask and --scheduler go together, as in --backend dask --scheduler "
                "tcp://10.0.0.1:8786"
            )
        return self.scheduler


@dataclass(frozen=True, slots=True)
class Workers(Cluster):
    """How many processes work, and where."""

    jobs: JobsOption = 1


@dataclass(frozen=True, slots=True)
class Where(Workers):
    """Folders a build reads and writes, and how much of it is done now."""

    data: BuiltFromOption = None
    manifests: ManifestsOption = Path("manifests")
    cache: CacheOption = Path("cache")
    shards: Annotated[str | None, typer.Option(help="Work only on shards A:B, as in a job array.")] = None
    limit: Annotated[
        int | None, typer.Option(min=1, help="Compute at most this many recordings in this run.")
    ] = None
    budget: BudgetOption = None
    retry_failed: Annotated[bool, typer.Option(help="Try again the recordings that failed before.")] = False
    dry_run: Annotated[bool, typer.Option(help="Say what would be done, and do nothing.")] = False


def mels(given: Given, where: Where) -> None:
    """Compute the mel spectrograms of every recording in the manifest."""
    from ser_pipeline.store import train_command

    with plain_errors():
        options = given.settings_read().front_end
        build(options, where, train_command("crnn", options))


def features(given: Given, where: Where) -> None:
    """Compute hand-crafted features of every recording in the manifest."""
    from ser_pipeline.options import feature_options
    from ser_pipeline.store import train_command

    with plain_errors():
        chosen = given.settings_read()
        if chosen.feature_set != "named":
            given.refuse("features", f"feature set {chosen.feature_set}")
        options = feature_options(chosen.feature_set, chosen.features)
        build(options, where, train_command("logreg", options))


def augment(
    given: Given,
    copies: Annotated[
        int,
        typer.Option("--copies", min=1, max=1000, help="Draw this many random variants of each recording."),
    ],
    where: Where,
    of: Annotated[
        str, typer.Option(help="Compute these inputs of the variants: mels, features, egemaps or compare.")
    ] = "mels",
) -> None:
    """Compute random variants of every recording, which differ in pitch, tempo and noise.

    The section 'augment' of ser.toml changes how they are drawn. Only 'ser train --copies N' reads them, and
    only those of training clips.
    """
    from ser_pipeline.api.data import FEATURE_STORES
    from ser_pipeline.errors import SettingsError
    from ser_pipeline.options import Augmented, feature_options
    from ser_pipeline.store import train_command

    with plain_errors():
        chosen = given.settings_read()
        if of not in ("mels", *FEATURE_STORES):
            raise SettingsError(f"--of {of}: does not exist; valid are mels, {', '.join(FEATURE_STORES)}")
        if of != "mels":
            given.refuse("preset", of)
            given.refuse("front_end", of)
        if of != "features":
            given.refuse("features", of)
        inputs = chosen.front_end if of == "mels" else feature_options(FEATURE_STORES[of], chosen.features)
        options = Augmented(inputs=inputs, changes=chosen.augment)
        step = train_command("crnn" if of == "mels" else "dnn", options, copies)
        build(options, where, step, copies)


def build(options: "StoreOptions", where: Where, step: str, copies: int = 0) -> None:
    """Build one store, showing how far it is, and name the next command.

    Args:
        options: of the store.
        where: folders, and how much to do.
        step: the command that comes next once all is built.
        copies: variants of each recording, in a store of variants; else 0.
    """
    from ser_pipeline.api import build_store
    from ser_pipeline.store import build_command, build_seconds, parse_shards

    with counted(options.kind) as shown:

        def on_progress(done: int, total: int) -> None:
            if not done and where.scheduler is None:
                one = "variant" if copies else "recording"
                left = plural(total, f"{one} is left, which takes", f"{one}s are left, which take")
                need_budget(where.budget, build_seconds(options, total) / where.jobs, left)
            shown(done, total)

        summary = build_store(
            options,
            copies=copies,
            data=where.data,
            manifests=where.manifests,
            cache=where.cache,
            jobs=where.jobs,
            scheduler=where.checked_scheduler,
            shards=parse_shards(where.shards) if where.shards else (0, None),
            limit=where.limit,
            retry_failed=where.retry_failed,
            budget_s=parse_budget(where.budget),
            dry_run=where.dry_run,
            on_progress=on_progress,
        )
    _tell(summary, where.dry_run, "variants" if options.kind.startswith("augmented") else "recordings")
    if where.dry_run:
        return
    if summary.failures:
        raise typer.Exit(1)
    if where.budget is not None and where.limit is None and summary.left:
        say("the budget was used up; the same command continues")
        return
    if where.shards is not None:
        step = "ser cache status"
    elif summary.left:
        step = build_command(options, copies)
    next_step(_with_split(step, where.manifests), manifests=where.manifests, cache=where.cache)


def _with_split(step: str, manifests: Path) -> str:
    """A training by a split that there is: 'speaker' is not where nothing says who speaks."""
    from ser_pipeline.splits import split_names

    there = split_names(manifests)
    wanted = "stratified" if "--preset paper" in step else "speaker"
    if not step.startswith("ser train") or wanted in there:
        return step
    return f"{step} --split stratified" if "stratified" in there else "ser manifest split stratified"


def _tell(summary: "StoreSummary", dry_run: bool, what: str) -> None:
    for line in summary.repaired:
        say(f"set aside and computed again: {line}")
    if summary.cut:
        longer = plural(summary.cut, f"{what.removesuffix('s')} is", f"{what} are")
        say(f"{longer} longer than a minute: training and its scores hear the first minute, predictions all")
    if summary.failures:
        from ser_pipeline.manifest.summary import SHOWN, failure_reasons, reason_line

        without = plural(len(summary.failures), f"{what.removesuffix('s')} has", f"{what} have")
        say(f"{without} no row; 'ser cache status --failures' lists them:")
        kinds = failure_reasons((failure.path, failure.reason) for failure in summary.failures)
        for kind in kinds[:SHOWN]:
            say(f"  {reason_line(kind)}")
        if len(kinds) > SHOWN:
            say(f"  and {len(kinds) - SHOWN} other reasons")
    if dry_run:
        out(f"{summary.folder}: would compute {summary.left} of {summary.wanted} {what}")
        return
    out(
        f"{summary.folder}: {summary.present + summary.computed} of {summary.wanted} {what} "
        f"({summary.computed} computed now, {len(summary.failures)} failed)"
    )
