"""Commands of ``ser cache`` that build stores."""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ser_pipeline.cli.common import (
    CacheOption,
    DataOption,
    JobsOption,
    ManifestsOption,
    counted,
    next_step,
    out,
    plain_errors,
    say,
)

if TYPE_CHECKING:
    from ser_pipeline.options import FeatureSet, Recipe, StoreOptions
    from ser_pipeline.store import StoreSummary


class Backend(StrEnum):
    """Who does the work of a build."""

    loky = "loky"
    dask = "dask"


PresetOption = Annotated[str | None, typer.Option(help="Settings to start from: default or paper.")]
DenoiseOption = Annotated[str | None, typer.Option(help="Noise reduction: gate, reference or none.")]
PropDecreaseOption = Annotated[float | None, typer.Option(help="Share of the noise taken away, 0 to 1.")]
MelsOption = Annotated[int | None, typer.Option("--n-mels", min=8, help="Mel bands.")]
LevelOption = Annotated[str | None, typer.Option(help="Loudness: clip_rms, corpus_rms or none.")]
ShardsOption = Annotated[str | None, typer.Option(help="Work on shards A:B only, for job arrays.")]
LimitOption = Annotated[int | None, typer.Option(min=1, help="Compute at most this many recordings now.")]
RetryOption = Annotated[bool, typer.Option(help="Try recordings again that failed before.")]
BackendOption = Annotated[
    Backend, typer.Option("--backend", help="Who works: loky (this machine) or dask (a cluster).")
]
SchedulerOption = Annotated[
    str | None, typer.Option("--scheduler", help="Address of the Dask scheduler, as tcp://10.0.0.1:8786.")
]
DryOption = Annotated[bool, typer.Option(help="Only say what would be done.")]


@dataclass(frozen=True, slots=True)
class Where:
    """Folders a build reads and writes, and how much of it is done now."""

    data: Path
    manifests: Path
    cache: Path
    jobs: int
    shards: str | None
    limit: int | None
    retry_failed: bool
    dry_run: bool
    backend: Backend = Backend.loky
    scheduler: str | None = None


def mels(
    data: DataOption = Path("DataSets"),
    manifests: ManifestsOption = Path("manifests"),
    cache: CacheOption = Path("cache"),
    jobs: JobsOption = 1,
    preset: PresetOption = None,
    denoise: DenoiseOption = None,
    prop_decrease: PropDecreaseOption = None,
    level: LevelOption = None,
    n_mels: MelsOption = None,
    shards: ShardsOption = None,
    limit: LimitOption = None,
    retry_failed: RetryOption = False,
    dry_run: DryOption = False,
    backend: BackendOption = Backend.loky,
    scheduler: SchedulerOption = None,
) -> None:
    """Compute the mel spectrograms of every recording in the manifest."""
    where = Where(data, manifests, cache, jobs, shards, limit, retry_failed, dry_run, backend, scheduler)
    with plain_errors():
        changes = {"denoise": denoise, "prop_decrease": prop_decrease, "level": level, "n_mels": n_mels}
        options = _settings(preset, front_end=changes).front_end
        build(options, where, "ser train crnn" + (" --preset paper" if preset == "paper" else ""))


def features(
    data: DataOption = Path("DataSets"),
    manifests: ManifestsOption = Path("manifests"),
    cache: CacheOption = Path("cache"),
    jobs: JobsOption = 1,
    feature_set: Annotated[
        str | None, typer.Option("--set", help="named (our 253), egemaps or compare (both by openSMILE).")
    ] = None,
    voice: Annotated[
        str | None, typer.Option(help="Who measures pitch, voice quality, formants: own or praat.")
    ] = None,
    pitch_floor_hz: Annotated[float | None, typer.Option(help="Lowest pitch searched.")] = None,
    pitch_ceiling_hz: Annotated[float | None, typer.Option(help="Highest pitch searched in speech.")] = None,
    song_ceiling_hz: Annotated[float | None, typer.Option(help="Highest pitch searched in song.")] = None,
    shards: ShardsOption = None,
    limit: LimitOption = None,
    retry_failed: RetryOption = False,
    dry_run: DryOption = False,
    backend: BackendOption = Backend.loky,
    scheduler: SchedulerOption = None,
) -> None:
    """Compute hand-crafted features of every recording in the manifest."""
    from ser_pipeline.errors import SettingsError
    from ser_pipeline.options import feature_options
    from ser_pipeline.store import build_command

    where = Where(data, manifests, cache, jobs, shards, limit, retry_failed, dry_run, backend, scheduler)
    with plain_errors():
        changes = {
            "voice": voice,
            "pitch_floor_hz": pitch_floor_hz,
            "pitch_ceiling_hz": pitch_ceiling_hz,
            "song_ceiling_hz": song_ceiling_hz,
        }
        chosen = _settings(None, features=changes, feature_set=feature_set)
        given = [flag for flag, value in changes.items() if value is not None]
        if chosen.feature_set != "named" and given:
            flag = given[0].replace("_", "-")
            raise SettingsError(f"--{flag} is a setting of our own features; openSMILE's sets are fixed")
        options = feature_options(chosen.feature_set, chosen.features)
        build(options, where, build_command(options).replace("ser cache features", "ser train cnn1d"))


def augment(
    copies: Annotated[
        int, typer.Option("--copies", min=1, max=1000, help="Random variants of each recording.")
    ],
    data: DataOption = Path("DataSets"),
    manifests: ManifestsOption = Path("manifests"),
    cache: CacheOption = Path("cache"),
    jobs: JobsOption = 1,
    of: Annotated[str, typer.Option(help="mels, features, egemaps or compare.")] = "mels",
    preset: PresetOption = None,
    denoise: DenoiseOption = None,
    prop_decrease: PropDecreaseOption = None,
    level: LevelOption = None,
    n_mels: MelsOption = None,
    shards: ShardsOption = None,
    limit: LimitOption = None,
    retry_failed: RetryOption = False,
    dry_run: DryOption = False,
    backend: BackendOption = Backend.loky,
    scheduler: SchedulerOption = None,
) -> None:
    """Compute random variants of every recording: pitch, tempo, noise, and what [augment] in ser.toml adds.

    Training alone reads them, and of training clips only: ser train ... --copies N.
    """
    where = Where(data, manifests, cache, jobs, shards, limit, retry_failed, dry_run, backend, scheduler)
    with plain_errors():
        changes = {"denoise": denoise, "prop_decrease": prop_decrease, "level": level, "n_mels": n_mels}
        given = [flag for flag, value in {"preset": preset, **changes}.items() if value is not None]
        options = _augmented(of, _settings(preset, front_end=changes), given)
        trained = {"mels": "ser train crnn", "features": "ser train dnn"}.get(of, f"ser train dnn --set {of}")
        step = trained + (" --preset paper" if preset == "paper" else "")
        build(options, where, f"{step} --copies {copies}", copies)


def _augmented(of: str, chosen: "Recipe", given: list[str]) -> "StoreOptions":
    """Options of the store of variants asked for.

    Raises:
        SettingsError: no such inputs, or flags that are settings of mels.
    """
    from ser_pipeline.errors import SettingsError
    from ser_pipeline.options import Augmented, feature_options

    if of == "mels":
        return Augmented(inputs=chosen.front_end, changes=chosen.augment)
    sets: dict[str, FeatureSet] = {"features": "named", "egemaps": "egemaps", "compare": "compare"}
    if of not in sets:
        raise SettingsError(f"--of {of}: does not exist; valid are mels, {', '.join(sets)}")
    if given:
        raise SettingsError(f"--{given[0].replace('_', '-')}: says nothing about {of}; leave it out")
    inputs = feature_options(sets[of], chosen.features)
    return Augmented(inputs=inputs, changes=chosen.augment)


def build(options: "StoreOptions", where: Where, step: str, copies: int = 1) -> None:
    """Build one store, showing how far it is, and name the next command.

    Args:
        options: of the store.
        where: folders, and how much to do.
        step: the command that comes next.
        copies: variants of each recording, in a store of variants.
    """
    from ser_pipeline.api import build_store
    from ser_pipeline.store import parse_shards

    with counted(options.kind) as on_progress:
        summary = build_store(
            options,
            copies=copies,
            data=where.data,
            manifests=where.manifests,
            cache=where.cache,
            jobs=where.jobs,
            scheduler=_scheduler(where),
            shards=parse_shards(where.shards) if where.shards else (0, None),
            limit=where.limit,
            retry_failed=where.retry_failed,
            dry_run=where.dry_run,
            on_progress=on_progress,
        )
    _tell(summary, where.dry_run, "variants" if options.kind.startswith("augmented") else "recordings")
    if where.dry_run:
        return
    if summary.failures:
        raise typer.Exit(1)
    next_step(step)


def _scheduler(where: Where) -> str | None:
    from ser_pipeline.errors import SettingsError

    if (where.backend is Backend.dask) != (where.scheduler is not None):
        raise SettingsError(
            "--backend dask and --scheduler go together, as in --backend dask --scheduler tcp://10.0.0.1:8786"
        )
    return where.scheduler


def _settings(preset: str | None, **changes: Any) -> "Recipe":
    from ser_pipeline.options import configured

    return configured(Path("ser.toml"), preset, **changes)


def _tell(summary: "StoreSummary", dry_run: bool, what: str) -> None:
    for line in summary.repaired:
        say(f"set aside and computed again: {line}")
    if summary.failures:
        say(f"{len(summary.failures)} {what} have no row:")
        for failure in summary.failures[:10]:
            say(f"  {failure.path}: {failure.reason}")
        if len(summary.failures) > 10:
            say(f"  and {len(summary.failures) - 10} more; 'ser cache status --failures' lists all")
    if dry_run:
        left = summary.wanted - summary.present - len(summary.failures)
        out(f"{summary.folder}: would compute {left} of {summary.wanted} {what}")
        return
    out(
        f"{summary.folder}: {summary.present + summary.computed} of {summary.wanted} {what} "
        f"({summary.computed} computed now, {len(summary.failures)} failed)"
    )
