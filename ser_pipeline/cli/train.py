"""The command ``ser train``."""

import shlex
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ser_pipeline.cli.common import CacheOption, ManifestsOption, RunsOption, next_step, plain_errors, say
from ser_pipeline.cli.epochs import epoch_display
from ser_pipeline.cli.evaluate import show_parts

if TYPE_CHECKING:
    from ser_pipeline.datasets.prepare import Inputs
    from ser_pipeline.datasets.run_data import RunData
    from ser_pipeline.options import Recipe
    from ser_pipeline.runs.types import RunInfo, RunScores

_FIELDS = {
    "model": ("model", "name"),
    "masks": ("model", "masked"),
    "own_scale": ("model", "own_scale"),
    "attention": ("model", "attention"),
    "bidirectional": ("model", "bidirectional"),
    "pooling": ("model", "pooling"),
    "dimensions": ("model", "dimensions"),
    "dimension_weight": ("train", "dimension_weight"),
    "dropout": ("model", "dropout"),
    "c": ("model", "c"),
    "level": ("front_end", "level"),
    "denoise": ("front_end", "denoise"),
    "prop_decrease": ("front_end", "prop_decrease"),
    "n_mels": ("front_end", "n_mels"),
    "voice": ("features", "voice"),
    "pitch_floor_hz": ("features", "pitch_floor_hz"),
    "pitch_ceiling_hz": ("features", "pitch_ceiling_hz"),
    "song_ceiling_hz": ("features", "song_ceiling_hz"),
    "epochs": ("train", "epochs"),
    "batch_size": ("train", "batch_size"),
    "optimizer": ("train", "optimizer"),
    "lr": ("train", "learning_rate"),
    "weight_decay": ("train", "weight_decay"),
    "warmup_epochs": ("train", "warmup_epochs"),
    "averaging": ("train", "averaging"),
    "balance": ("train", "balance"),
    "patience": ("train", "patience"),
    "monitor": ("train", "monitor"),
    "loss": ("train", "loss"),
    "distance_weight": ("train", "distance_weight"),
    "focal_gamma": ("train", "focal_gamma"),
    "label_smoothing": ("train", "label_smoothing"),
    "contrastive_weight": ("train", "contrastive_weight"),
    "soft_labels": ("train", "soft_labels"),
    "intensity_strength": ("train", "intensity_strength"),
    "class_weights": ("train", "class_weights"),
    "copies": ("train", "copies"),
    "seed": ("train", "seed"),
    "precision": ("train", "precision"),
    "device": ("train", "device"),
    "devices": ("train", "devices"),
    "workers": ("train", "workers"),
}
"""Flag -> section and field of the recipe."""

_ALONE = ("task", "split", "fold", "feature_set", "normalise", "train_share")
"""Flags that are fields of the recipe itself."""

_LISTS = ("corpora", "languages", "train_corpora")

_OFF = {"early_stopping": "patience", "spec_augment": "spec_augment"}
"""Switch -> field of the training options that is empty when it is off."""

_ON_RESUME = {"epochs", "device", "devices", "workers"}
"""Flags that may change when a run goes on; all else stays as the run began."""

_SETTINGS = Path("ser.toml")


def train(
    ctx: typer.Context,
    model: Annotated[
        str | None,
        typer.Argument(
            help="crnn, resnet, mhsa on mels; cnn1d, dnn, svm, logreg, gboost on features.",
            show_default=False,
        ),
    ] = None,
    task: Annotated[str | None, typer.Option(help="4class, 6class, iemocap4, all, or your own.")] = None,
    split: Annotated[str | None, typer.Option(help="Split file, as speaker or stratified.")] = None,
    fold: Annotated[str | None, typer.Option(help="Fold by number or name, or 'all'.")] = None,
    corpora: Annotated[str | None, typer.Option(help="Only these corpora, as emodb,nemo.")] = None,
    languages: Annotated[str | None, typer.Option(help="Only these languages, as de,pl.")] = None,
    train_corpora: Annotated[
        str | None, typer.Option(help="Learn from these corpora only; test clips stay the same.")
    ] = None,
    train_share: Annotated[
        float | None, typer.Option(help="Learn from this share of each corpus's training speakers.")
    ] = None,
    preset: Annotated[str | None, typer.Option(help="Settings to start from: default or paper.")] = None,
    merge: Annotated[str | None, typer.Option(help="Count emotions as others, as calm=neutral.")] = None,
    feature_set: Annotated[
        str | None, typer.Option("--set", help="Features: named, egemaps or compare.")
    ] = None,
    normalise: Annotated[str | None, typer.Option(help="Of features: none, relative or speaker.")] = None,
    voice: Annotated[
        str | None, typer.Option(help="Who measured pitch, voice and formants: own or praat.")
    ] = None,
    pitch_floor_hz: Annotated[float | None, typer.Option(help="Lowest pitch searched.")] = None,
    pitch_ceiling_hz: Annotated[float | None, typer.Option(help="Highest pitch searched in speech.")] = None,
    song_ceiling_hz: Annotated[float | None, typer.Option(help="Highest pitch searched in song.")] = None,
    c: Annotated[
        float | None,
        typer.Option("--c", help="Inverse penalty of svm and logreg, rate of gboost; else chosen."),
    ] = None,
    epochs: Annotated[int | None, typer.Option(min=1, help="At most this many epochs.")] = None,
    batch_size: Annotated[int | None, typer.Option(min=1, help="Clips a step.")] = None,
    optimizer: Annotated[str | None, typer.Option(help="adamw or adam.")] = None,
    lr: Annotated[float | None, typer.Option(help="Peak learning rate.")] = None,
    weight_decay: Annotated[float | None, typer.Option(help="Strength of the decay.")] = None,
    warmup_epochs: Annotated[int | None, typer.Option(min=0, help="Epochs of linear rise.")] = None,
    averaging: Annotated[
        float | None, typer.Option(help="Share a step leaves of the mean of weights; 0 takes the last.")
    ] = None,
    balance: Annotated[
        float | None, typer.Option(help="How much oftener rare corpora and emotions are drawn.")
    ] = None,
    patience: Annotated[int | None, typer.Option(min=1, help="Epochs without a better score.")] = None,
    early_stopping: Annotated[bool, typer.Option(help="Stop when patience is over.")] = True,
    monitor: Annotated[str | None, typer.Option(help="Validation score: uar or accuracy.")] = None,
    loss: Annotated[str | None, typer.Option(help="ce, distance_ce, expected_distance or focal.")] = None,
    distance_weight: Annotated[
        float | None, typer.Option(help="Of the distance in expected_distance.")
    ] = None,
    focal_gamma: Annotated[float | None, typer.Option(help="How much focal favours hard clips.")] = None,
    label_smoothing: Annotated[float | None, typer.Option(help="Share spread over all classes.")] = None,
    contrastive_weight: Annotated[
        float | None, typer.Option(help="Of the contrastive loss beside the other.")
    ] = None,
    soft_labels: Annotated[
        float | None, typer.Option(help="Share of the target that follows raters' votes.")
    ] = None,
    intensity_strength: Annotated[
        float | None, typer.Option(help="How much more clear clips count; 0 not at all.")
    ] = None,
    class_weights: Annotated[bool | None, typer.Option(help="Weight by inverse frequency.")] = None,
    spec_augment: Annotated[bool, typer.Option(help="Random masks over the mels.")] = True,
    copies: Annotated[
        int | None, typer.Option(min=0, help="Variants of each training clip, from 'ser cache augment'.")
    ] = None,
    masks: Annotated[bool | None, typer.Option(help="Keep padding out of every layer.")] = None,
    own_scale: Annotated[bool | None, typer.Option(help="Put each clip on a scale of its own.")] = None,
    attention: Annotated[bool | None, typer.Option(help="Pool over time by attention.")] = None,
    bidirectional: Annotated[bool | None, typer.Option(help="Read the steps both ways.")] = None,
    pooling: Annotated[str | None, typer.Option(help="Over time: attention, mean or stats.")] = None,
    dimensions: Annotated[
        bool | None, typer.Option(help="A second head for valence, arousal and dominance.")
    ] = None,
    dimension_weight: Annotated[float | None, typer.Option(help="Of that head's concordance loss.")] = None,
    dropout: Annotated[float | None, typer.Option(help="Share of units dropped.")] = None,
    level: Annotated[str | None, typer.Option(help="Loudness: clip_rms, corpus_rms or none.")] = None,
    denoise: Annotated[str | None, typer.Option(help="Noise reduction: gate, reference or none.")] = None,
    prop_decrease: Annotated[float | None, typer.Option(help="Share of the noise taken away.")] = None,
    n_mels: Annotated[int | None, typer.Option(min=8, help="Mel bands.")] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Of weights, order and masks.")] = None,
    precision: Annotated[str | None, typer.Option(help="auto, fp32 or bf16.")] = None,
    device: Annotated[str | None, typer.Option(help="auto, cpu, cuda or mps.")] = None,
    devices: Annotated[int | None, typer.Option(min=1, help="Processes that train together.")] = None,
    workers: Annotated[int | None, typer.Option(min=0, help="Processes that read batches.")] = None,
    threads: Annotated[int | None, typer.Option(min=1, help="Threads of one process.")] = None,
    name: Annotated[str | None, typer.Option(help="Of the run's folder.")] = None,
    resume: Annotated[Path | None, typer.Option(help="Run to go on with, by folder or name.")] = None,
    manifests: ManifestsOption = Path("manifests"),
    cache: CacheOption = Path("cache"),
    runs: RunsOption = Path("runs"),
) -> None:
    """Train a model on the cached mels or features, and score every part."""
    params = ctx.params
    with plain_errors():
        if threads is not None:
            import torch

            torch.set_num_threads(threads)
        begun = nullcontext(_resumed(resume, params)) if resume else _begun(params)
        with begun as (folder, inputs), plain_errors(f"ser train --resume {shlex.quote(str(folder))}"):
            info, scores = _run(folder, inputs, command=_command(params))
    show_parts(info, scores)
    say(f"run: {folder}")
    next_step("ser report")


def _given(params: dict[str, Any]) -> dict[str, Any]:
    """Flags that say something about the recipe."""
    names = [*_FIELDS, *_ALONE, *_LISTS, "preset", "merge"]
    said = {name: params[name] for name in names if params[name] is not None}
    return said | {name: False for name in _OFF if not params[name]}


def _command(params: dict[str, Any]) -> str:
    """The command as typed, but for what says no more than the defaults."""
    words = ["ser", "train"] + ([params["model"]] if params["model"] else [])
    for flag, value in params.items():
        if value is None or flag == "model" or (flag in _OFF and value) or str(value) == flag:
            continue  # folders are named as their flags by default
        dashed = flag.replace("_", "-")
        if isinstance(value, bool):
            words.append(f"--{dashed}" if value else f"--no-{dashed}")
        else:
            words += [f"--{dashed}", str(value)]
    return shlex.join(words)


@contextmanager
def _begun(params: dict[str, Any]) -> Iterator[tuple[Path, "Inputs"]]:
    """Folder and inputs of a new run."""
    from ser_pipeline.datasets.prepare import read_inputs
    from ser_pipeline.models import model_class
    from ser_pipeline.options import own_tasks
    from ser_pipeline.runs.names import new_run

    said = _given(params)
    recipe = _recipe(said)
    model_class(recipe.model.name)  # a wrong name is said before anything is read
    _check_flags(recipe.model.name, said)
    own = own_tasks(_SETTINGS)
    with new_run(params["runs"], recipe, params["name"] or None) as folder:
        yield (
            folder,
            read_inputs(recipe, manifests=params["manifests"], cache=params["cache"], own_tasks=own),
        )


def _check_flags(model: str, said: dict[str, Any]) -> None:
    """Refuse flags that would do nothing.

    Raises:
        SettingsError: a flag that says something about other models alone.
    """
    from ser_pipeline.errors import SettingsError
    from ser_pipeline.options import applies

    settings = {flag: ".".join(field) for flag, field in _FIELDS.items()}
    settings |= {flag: flag for flag in _ALONE} | {flag: f"train.{field}" for flag, field in _OFF.items()}
    idle = sorted(flag for flag in said if flag in settings and not applies(settings[flag], model))
    if idle:
        flag = {"feature_set": "set"}.get(idle[0], idle[0]).replace("_", "-")
        raise SettingsError(f"--{flag}: says nothing about model {model}; leave it out")


def _recipe(said: dict[str, Any]) -> "Recipe":
    from ser_pipeline.labels import parse_merges
    from ser_pipeline.options import configured

    changes: dict[str, Any] = {name: said[name] for name in _ALONE if name in said}
    for flag, (section, field) in _FIELDS.items():
        if flag in said:
            changes.setdefault(section, {})[field] = said[flag]
    for flag in _LISTS:
        if flag in said:
            changes[flag] = tuple(filter(None, (item.strip() for item in said[flag].split(","))))
    if "merge" in said:
        changes["merges"] = parse_merges(said["merge"])
    chosen = configured(_SETTINGS, said.get("preset"), **changes)
    off = {field: None for switch, field in _OFF.items() if switch in said}
    return chosen.model_copy(update={"train": chosen.train.model_copy(update=off)})


def _resumed(run: Path, params: dict[str, Any]) -> tuple[Path, "Inputs"]:
    """Folder and inputs of a run that goes on."""
    from ser_pipeline.errors import SettingsError
    from ser_pipeline.evaluation.run import inputs_of
    from ser_pipeline.options import TrainOptions, checked
    from ser_pipeline.runs.files import read_info
    from ser_pipeline.runs.find import find_run

    folder = find_run(run, params["runs"])
    info = read_info(folder)
    said = _given(params)
    fixed = sorted(set(said) - _ON_RESUME - {"model"})
    if said.get("model", info.model) != info.model:
        fixed.append("model")
    if params["name"]:
        fixed.append("name")
    if fixed:
        free = ", ".join(f"--{flag}" for flag in sorted(_ON_RESUME))
        raise SettingsError(
            f"--{fixed[0].replace('_', '-')}: a run goes on with the settings it began with; "
            f"only {free} may be given with --resume"
        )
    train = info.recipe.train.model_dump() | {flag: said[flag] for flag in _ON_RESUME & set(said)}
    recipe = info.recipe.model_copy(update={"train": checked(TrainOptions, train, where="settings")})
    changed = info.model_copy(update={"recipe": recipe})
    return folder, inputs_of(changed, manifests=params["manifests"], cache=params["cache"], scoring=False)


def _run(folder: Path, inputs: "Inputs", *, command: str) -> tuple["RunInfo", "RunScores"]:
    """Train and score, showing each epoch."""
    from ser_pipeline.evaluation.run import keep_latency, score_folds, score_run
    from ser_pipeline.runs.types import ALL_FOLDS
    from ser_pipeline.training.folds import train_folds
    from ser_pipeline.training.run import train_run

    recipe = inputs.recipe
    with epoch_display(recipe.train.devices) as display:
        if recipe.fold == ALL_FOLDS:
            info = train_folds(
                inputs, folder, display, command=command, on_fold=_say_fold, on_skipped=_say_skipped
            )
            return info, score_folds(folder, inputs)
        data = inputs.run_data(recipe.fold)
        _announce(data)
        info = train_run(data, folder, display, command=command)
    scores = score_run(folder, data)
    keep_latency(folder)
    return info, scores


def _say_fold(number: int, name: str) -> None:
    say(f"fold {number}: {name}")


def _say_skipped(skipped: int, folds: int) -> None:
    say(f"{skipped} of {folds} folds are left out, they test none of the clips chosen")


def _announce(data: "RunData") -> None:
    """Say what training sees, and what it doesn't."""
    counts = ", ".join(f"{part} {clips}" for part, clips in data.counts().items())
    emotions = ", ".join(data.task.emotions)
    say(f"{data.recipe.model.name}, {emotions}: {counts} clips, split '{data.split.name}'")
    if data.failed:
        clip, reason = data.failed[0]
        say(f"{len(data.failed)} clips are left out, the store could not use them, as {clip}: {reason}")
    if not data.counts()["test"]:
        say(f"split '{data.split.name}': no clip chosen is in the test part; there will be no test score")
    clips = zip(data.task.emotions, data.class_counts()["train"], strict=True)
    absent = [emotion for emotion, count in clips if not count]
    if absent:
        say(f"no training clip of {', '.join(absent)}: it will never be learned")
