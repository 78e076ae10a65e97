"""The command ``ser train``."""

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ser_pipeline.cli.common import CacheOption, ManifestsOption, RunsOption, next_step, plain_errors, say
from ser_pipeline.cli.evaluate import show_parts

if TYPE_CHECKING:
    from ser_pipeline.api import ScoredRun
    from ser_pipeline.options import Recipe

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
        run = _trained(params)
    show_parts(run.info, run.scores)
    say(f"run: {run.folder}")
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


def _trained(params: dict[str, Any]) -> "ScoredRun":
    """The run that was asked for, new or gone on with."""
    from ser_pipeline import api
    from ser_pipeline.cli.epochs import epoch_display

    said = _given(params)
    places = {name: params[name] for name in ("manifests", "cache", "runs")}
    if params["resume"]:
        changes = _changes(params, said)
        with epoch_display(changes["devices"]) as watcher:
            return api.resume(params["resume"], watcher=watcher, **places, **changes)
    recipe = _recipe(said)
    _check_flags(recipe.model.name, said)
    with epoch_display(recipe.train.devices) as watcher:
        return api.train(
            recipe, name=params["name"] or None, watcher=watcher, command=_command(params), **places
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


def _changes(params: dict[str, Any], said: dict[str, Any]) -> dict[str, Any]:
    """What a run that goes on is to do differently.

    Raises:
        SettingsError: a flag about what it began with.
    """
    from ser_pipeline.api.training import MAY_CHANGE
    from ser_pipeline.errors import SettingsError
    from ser_pipeline.runs.files import read_info
    from ser_pipeline.runs.find import find_run

    info = read_info(find_run(params["resume"], params["runs"]))
    fixed = sorted(set(said) - {*MAY_CHANGE, "model"})
    if said.get("model", info.model) != info.model:
        fixed.append("model")
    if params["name"]:
        fixed.append("name")
    if fixed:
        free = ", ".join(f"--{flag}" for flag in MAY_CHANGE)
        raise SettingsError(
            f"--{fixed[0].replace('_', '-')}: a run goes on with the settings it began with; "
            f"only {free} may be given with --resume"
        )
    return {"devices": info.recipe.train.devices} | {flag: said[flag] for flag in MAY_CHANGE if flag in said}
