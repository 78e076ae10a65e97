"""The chapter on method: settings beside a preset, networks, distances."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
from matplotlib.axes import Axes

from ser_pipeline.arrays import Float32s
from ser_pipeline.labels import EMOTIONS, distance_matrix
from ser_pipeline.options import Recipe, applies, recipe
from ser_pipeline.options.settings import in_words
from ser_pipeline.previews import ClipSteps
from ser_pipeline.report.document import Block, Code, Figure, Fold, Panel, Section, Strong, Words, text
from ser_pipeline.report.drawing import (
    BLUE,
    EMOTION_AXES,
    HEAT,
    VERMILLION,
    canvas,
    grid,
    heat_cells,
    panel,
    readable,
)
from ser_pipeline.report.results_section import SOURCE, beside_source
from ser_pipeline.runs.read import Run
from ser_pipeline.tables import Column, Entry, Row, RowGroup, Table, cells

NOT_COMPARED = frozenset(
    {
        "preset",
        "task",
        "fold",
        "corpora",
        "languages",
        "where",
        "train_corpora",
        "train.device",
        "train.devices",
        "train.data_on",
        "train.workers",
        "train.log",
        "embeddings.folder",
        "embeddings.depth",
        "embeddings.width",
        "embeddings.device",
    }
)
"""What is asked rather than how it is answered, and what changes no number."""

IDLE = "–"  # noqa: RUF001 - what every table shows where there is nothing
"""Stands for a setting that changes nothing for a model."""

SAME: Final = "="
"""Stands for a value that is the preset's."""

_GROUPS = {
    "front_end": "Front end",
    "features": "Features",
    "embeddings": "Encoder",
    "augment": "Variants of recordings",
    "model": "Model",
    "train": "Training",
    "": "Labels and split",
}


_SOURCE_REPORT: Final[tuple[Words, ...]] = (
    "Preset ",
    Code("paper"),
    " follows the source report exactly; preset ",
    Code("default"),
    " corrects its defects. The source report is ",
    Strong(SOURCE),
    " (2025); this toolkit does not know its authors or where it appeared.",
)


def method_section(runs: Sequence[Run], steps: Sequence[ClipSteps] = ()) -> Section:
    """Write the chapter on method.

    Args:
        runs: on the page.
        steps: recordings to show step by step.
    """
    blocks: list[Block] = [
        text(
            *_front_end(runs),
            "Training, evaluation and prediction use the same values. ",
            *(_SOURCE_REPORT if beside_source(runs) else ()),
        )
    ]
    figure = "the source report's Figure 2" if beside_source(runs) else f"Figure 2 of '{SOURCE}', 2025"
    if steps:
        blocks += [Fold("The front end, step by step"), _steps(steps)]
    if runs:
        preset = "paper" if beside_source(runs) else "default"
        blocks += [Fold(f"Settings of the runs beside preset {preset}"), _settings_table(runs, preset)]
        blocks += _networks(runs)
        blocks += [
            text(f"{run.tag} was trained with a teacher. {run.info.taught}")
            for run in runs
            if run.info.taught
        ]
    blocks += [
        Fold("Distances between emotions"),
        Figure(
            "distance-matrix",
            f"Distances between emotions ({figure}), which weigh mistakes in its loss. "
            "The diagonal is 1, as in that report, so that some mistakes cost less than a correct decision",
            (distance_panel(),),
        ),
    ]
    return Section("method", "Method", tuple(blocks), 2)


INPUTS: Final = {
    "mels": (
        "resampled to mono, denoised by a spectral gate, trimmed, levelled, and turned into a mel spectrogram"
    ),
    "features": "trimmed, and its named features are computed",
    "embeddings": "resampled to mono and heard by a pretrained encoder, whose layers are averaged over time",
    "frames": "resampled to mono and heard by a pretrained encoder, whose layers are kept step by step",
    "waves": "resampled to mono and heard by a pretrained encoder that is trained as well",
}
"""What is made of a recording for each kind of input."""


def _front_end(runs: Sequence[Run]) -> tuple[Words, ...]:
    """What is made of a recording, for the kinds of runs that are here."""
    tags: dict[str, list[str]] = {}
    for run in runs:
        for kind in dict.fromkeys(part.kind for part in run.info.recipe.parts):
            tags.setdefault(kind, []).append(run.tag)
    told = {kind: words for kind, words in INPUTS.items() if kind in tags}
    if len(told) > 1:
        return tuple(f"For {', '.join(tags[kind])}, every recording is {told[kind]}. " for kind in told)
    return tuple(f"Every recording is {words}. " for words in told.values())


def _networks(runs: Sequence[Run]) -> list[Block]:
    """Parts of each kind of network and their parameters; nothing where no run tells."""
    groups = []
    seen: set[tuple[tuple[str, int], ...]] = set()
    for run in runs:
        parts = run.info.extra.get("layers")
        if not isinstance(parts, Mapping) or (key := tuple(parts.items())) in seen:
            continue
        seen.add(key)
        total = max(1, run.info.parameters)
        rows = tuple(
            Row(
                (cells.words(str(name)), cells.count(int(count)), cells.percent(int(count) / total, bar=True))
            )
            for name, count in parts.items()
        )
        groups.append(RowGroup(rows, f"{run.tag}: {run.info.model}, {run.info.parameters:,} parameters"))
    if not groups:
        return []
    columns = (Column("Part", numeric=False), Column("Parameters"), Column("Share", unit="%"))
    caption = "Networks: parameters of each part, one run for each shape"
    return [Fold("Networks"), Table(key="networks", caption=caption, columns=columns, groups=tuple(groups))]


def _steps(steps: Sequence[ClipSteps]) -> Figure:
    names = "; ".join(clip.utterance_id for clip in steps)
    example = "a recording" if len(steps) == 1 else f"{len(steps)} recordings of different corpora, each"
    return Figure(
        "steps",
        f"The front end of mel spectrograms step by step, on {example} of median length: {names}",
        tuple(steps_panel(clip, number) for number, clip in enumerate(steps, 1)),
    )


def flat(values: Recipe) -> dict[str, str]:
    """Write a recipe as ``group.setting`` -> value in words.

    Examples:
        >>> flat(recipe("paper"))["train.optimizer"], flat(recipe())["model.masked"]
        ('adam', 'on')
    """
    found: dict[str, Any] = {}
    for name, value in values.model_dump().items():
        if isinstance(value, Mapping) and name != "merges":
            found |= {f"{name}.{inner}": setting for inner, setting in value.items()}
        else:
            found[name] = value
    return {name: in_words(value).replace(",", ", ") for name, value in found.items()}  # lines may break


def differing(runs: Sequence[Run], preset: str = "paper") -> dict[str, tuple[str, list[str]]]:
    """Settings in which at least one run differs from what a preset means for its model.

    Returns:
        Setting -> the preset's value, or several with the runs for which they stand; and the value of each
        run: :data:`SAME` where it is the preset's, and :data:`IDLE` where a setting says nothing about the
        run's model.
    """
    found = {}
    usual = [_usual(preset, run.info.recipe.model.name) for run in runs]
    made = [_telling(run, values) for run, values in zip(runs, usual, strict=True)]
    for name in flat(recipe(preset)):
        values = [values[name] for values in made]
        if name not in NOT_COMPARED and any(value not in (SAME, IDLE) for value in values):
            meant: dict[str, list[str]] = {}
            for run, value, own in zip(runs, values, usual, strict=True):
                if value != IDLE:
                    meant.setdefault(own[name], []).append(run.tag)
            several = len(meant) > 1
            said = (f"{value} ({', '.join(tags)})" if several else value for value, tags in meant.items())
            found[name] = ", ".join(said), values
    return found


def _usual(preset: str, model: str) -> dict[str, str]:
    """Settings of a preset for a model; the model is the preset's own."""
    plain = recipe(preset)
    return flat(recipe(preset, model={"name": model})) | {"model.name": plain.model.name}


def _telling(run: Run, usual: Mapping[str, str]) -> dict[str, str]:
    """Settings of a run beside the usual ones, those that change nothing for its model left open."""
    values = flat(run.info.recipe)
    model, on = run.info.model, run.info.recipe.on
    return {
        name: IDLE if not applies(name, model, on) else SAME if value == usual[name] else value
        for name, value in values.items()
    }


def _settings_table(runs: Sequence[Run], preset: str) -> Table:
    settings = differing(runs, preset)
    groups: dict[str, list[Row]] = {}
    for name, (usual, values) in settings.items():
        group, _, setting = name.rpartition(".")
        row = Row((cells.words(setting), cells.words(usual), *map(_setting, values)))
        groups.setdefault(_GROUPS[group], []).append(row)
    presets = Row(
        (cells.words("preset"), cells.words(preset), *(cells.words(run.info.recipe.preset) for run in runs))
    )
    columns = (
        Column("Setting", numeric=False),
        Column(f"preset {preset}", numeric=False),
        *(Column(run.tag, numeric=False) for run in runs),
    )
    return Table(
        key="settings",
        caption=f"Settings in which a run differs from preset {preset}; '{SAME}' where it does not",
        columns=columns,
        groups=(RowGroup((presets,)), *(RowGroup(tuple(rows), title) for title, rows in groups.items())),
        notes=(
            "All other settings that change a number are equal to the preset's. "
            f"'{IDLE}': the setting has no effect on the run's model.",
        ),
    )


def _setting(value: str) -> Entry:
    return cells.words(value, strong=value not in (IDLE, SAME))


def distance_panel() -> Panel:
    """Draw the source report's matrix of distances between emotions."""
    names = EMOTIONS[:6]
    matrix = np.array(distance_matrix(names))
    with canvas(4.7, 4.3, EMOTION_AXES) as (figure, axes):
        texts = [[f"{value:.1f}" for value in row] for row in matrix]
        heat_cells(axes, (matrix - 0.5) / 0.5, texts, names, names)
        axes.set_xlabel("decided")
        axes.set_ylabel("true")
        axes.set_aspect("equal")
        axes.tick_params(axis="x", labelrotation=35)
        rows = (f"{name}: {', '.join(row)}" for name, row in zip(names, texts, strict=True))
        return panel(
            figure, "distance-matrix", f"Heat map: distances between {', '.join(names)}. " + "; ".join(rows)
        )


def steps_panel(clip: ClipSteps, number: int) -> Panel:
    """Draw what the front end does to one recording, from top to bottom.

    Args:
        clip: outlines of its waves, and its mel.
        number: of the drawing, from 1.
    """
    with grid(3.6, 6.4, 4, 1) as (figure, axes):
        _wave(axes[0], clip.decoded, 0, clip.seconds, "decoded, mono")
        _wave(axes[1], clip.denoised, 0, clip.seconds, "denoised; trimmed outside the lines")
        for edge in (clip.trim_start_s, clip.trim_end_s):
            axes[1].axvline(edge, color=VERMILLION, linewidth=1.2, linestyle="--")
        kept = clip.trim_end_s - clip.trim_start_s
        _wave(axes[2], clip.levelled, 0, kept, "trimmed and levelled")
        bands, frames = clip.mel.shape
        length = frames * clip.frame_s
        axes[3].imshow(
            np.round(12 * clip.mel) / 12, cmap=HEAT, origin="lower", aspect="auto",
            extent=(0, length, 0, bands), interpolation="none",
        )  # fmt: skip
        axes[3].set_title("mel spectrogram", fontsize=8.5)
        axes[3].set(xlabel="seconds", ylabel="mel band")
        axes[3].xaxis.labelpad = axes[3].yaxis.labelpad = 1
        alt = (
            f"{clip.utterance_id}: wave of {clip.seconds:.1f} s, the same denoised, {kept:.1f} s kept by "
            f"trimming from {clip.trim_start_s:.2f} to {clip.trim_end_s:.2f} s at {clip.level_db:.0f} dB "
            f"of full scale, levelled, and {frames} frames of {bands} mel bands"
        )
        return panel(figure, f"steps-{number}", alt)


def _wave(axes: Axes, outline: Float32s, start: float, end: float, title: str) -> None:
    times = np.linspace(start, end, outline.shape[1])
    axes.fill_between(times, outline[0], outline[1], color=BLUE, linewidth=0.4, edgecolor=BLUE)
    loudest = max(0.01, float(np.abs(outline).max()))
    axes.set_ylim(-1.1 * loudest, 1.1 * loudest)
    axes.set_xlim(start, max(end, start + 0.01))
    axes.set_title(readable(title, 48), fontsize=8.5)
    axes.set_xlabel("seconds")
    axes.xaxis.labelpad = 1
