"""Explain a run: which features its decisions rest on, and how emotions move them."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np

from ser_pipeline.atomic import check_writable
from ser_pipeline.errors import RunError, some
from ser_pipeline.evaluation import explain_tables as tables
from ser_pipeline.evaluation.explain_inputs import explain_inputs
from ser_pipeline.evaluation.explain_steps import explain_steps, load_steps, write_moved
from ser_pipeline.evaluation.explain_tables import Load, RunClips, load_clips
from ser_pipeline.metrics.effect import SpeakerEffects, speaker_effects
from ser_pipeline.metrics.importance import (
    decide,
    group_correlations,
    permutation_importance,
    rank_correlations,
)
from ser_pipeline.runs.card import read_card
from ser_pipeline.runs.explanation import (
    EXPLANATION,
    SHARES,
    Explanation,
    FeatureImportance,
    FeatureName,
    Shares,
)
from ser_pipeline.runs.files import finished_info, write_result
from ser_pipeline.runs.types import ALL_FOLDS

REPEATS = 20

PEAK = "peak_level"
"""Feature that tells whether recordings were scaled one by one."""

SCALED_DB = 0.5
"""Spread of a speaker's peaks below which they were; people who speak as they like differ by far more."""

UNGROUPED = "other"
"""Group of features whose set names none."""


def explain_run(
    folder: Path,
    *,
    manifests: Path,
    cache: Path,
    part: str = "test",
    repeats: int = REPEATS,
    seed: int = 0,
    device: str = "auto",
    advance: Callable[[int, int], None] = lambda done, total: None,
    load: Load = load_clips,
) -> Explanation | Shares:
    """Explain a run from its model and the store, and write the result beside them.

    A run on named features has an ``explanation.json`` then, one on what an encoder hears, or on several
    inputs, a ``shares.json``.

    Args:
        folder: of the run.
        manifests: folder of the manifest and the split it was trained on.
        cache: folder of the stores.
        part: of the split that importance is measured on.
        repeats: permutations of each feature and group.
        seed: of permutations and draws.
        device: what to compute on.
        advance: called with the number of permuted sets done since, and of all sets.
        load: reads the clips and the model.

    Raises:
        SerError: the folder cannot be written to.
        RunError: a run of several folds, one without clips of that part, or whose values are not numbers.
    """
    info = finished_info(folder)
    check_writable(folder)
    if info.recipe.target:
        raise RunError(f"{folder}: its targets are ratings; only runs that predict emotions can be explained")
    if info.split.fold == ALL_FOLDS:
        raise RunError(
            f"{folder}: has a model for every fold; explain one of them, as in 'ser explain {folder}/fold-0'"
        )
    if info.store_kind in ("mels", "frames", "waves"):
        heard = load_steps(folder, info, part, manifests=manifests, cache=cache, device=device)
        shares = explain_steps(heard, info.emotions, part=part, repeats=repeats, seed=seed, advance=advance)
        write_result(folder / SHARES, shares)
        write_moved(folder, heard)
        return shares
    clips = load(folder, info, manifests=manifests, cache=cache, device=device)
    if "embeddings" in info.store_kind or info.recipe.model.architecture.inputs in ("mels", "frames"):
        check_clips(clips, part, len(info.emotions))
        inputs = read_card(folder).inputs
        shares = explain_inputs(
            clips, inputs, info.emotions, part=part, repeats=repeats, seed=seed, advance=advance
        )
        write_result(folder / SHARES, shares)
        return shares
    explanation = explain_clips(clips, info.emotions, part=part, repeats=repeats, seed=seed, advance=advance)
    write_result(folder / EXPLANATION, explanation)
    return explanation


def explain_clips(
    clips: RunClips,
    emotions: Sequence[str],
    *,
    part: str = "test",
    repeats: int = REPEATS,
    seed: int = 0,
    advance: Callable[[int, int], None] = lambda done, total: None,
) -> Explanation:
    """Measure importance on the clips of one part; effects, correlations and profiles on all clips.

    Importance is about a model and needs clips it was not made from. The rest is about the recordings,
    and more of their speakers say more.

    Args:
        clips: of all parts; features that name no group are one of their own.
        emotions: class names.
        part: that importance is measured on.
        repeats: permutations of each feature and group.
        seed: of permutations and draws.
        advance: called with the number of permuted sets done since, and of all sets.

    Raises:
        RunError: no clips of that part, a value that is not a number, or arrays that do not fit together.
    """
    check_clips(clips, part, len(emotions))
    heard = clips.of(part)
    named = tuple(
        FeatureName(name=each.name, unit=each.unit, group=each.group or UNGROUPED) for each in clips.features
    )
    names = tuple(each.name for each in named)
    groups = tuple(dict.fromkeys(each.group for each in named))
    found = _importances(heard, named, groups, len(emotions), repeats, seed, advance)
    decisions = decide(heard.predict, heard.values)
    usual, people, words = tables.uar_of(heard.targets, decisions, heard.speakers, emotions, seed, repeats)
    told = clips.of_somebody()  # the others are many people, and nothing can be said of what one of them does
    effects = _effects(told, len(emotions))
    everyone = effects[None]
    correlations = rank_correlations(told.values, told.speakers)
    cells = tables.profile_cells(effects, names, emotions, seed)
    return Explanation(
        part=part,
        clips=len(heard.targets),
        speakers=people,
        seed=seed,
        repeats=repeats,
        emotions=tuple(emotions),
        features=named,
        groups=groups,
        uar=usual,
        importances=found[: len(named)],
        group_importances=found[len(named) :],
        effects=tuple(
            tables.effect_table(each, _clips_of(told, tag), tag, seed) for tag, each in effects.items()
        ),
        languages=tables.language_pairs({tag: each for tag, each in effects.items() if tag is not None}),
        group_correlations=tables.full(
            group_correlations(correlations, [each.group for each in named], groups)
        ),
        closest=tables.feature_pairs(correlations, names),
        profiles=cells,
        summary=tables.profile_summary(cells),
        importance_interval=words,
        effect_interval=tables.interval_words(everyone.names, seed),
        notes=(*_notes(heard, emotions), *_people_notes(clips, told), *_level_notes(told, names)),
    )


def check_clips(clips: RunClips, part: str, classes: int) -> None:
    """Refuse clips that cannot be explained.

    Raises:
        RunError: no clips of that part, a value that is not a number, or arrays that do not fit together.
    """
    shape = (len(clips.targets), len(clips.features))
    if clips.values.shape != shape:
        raise RunError(
            f"features: values of shape {clips.values.shape}, expected {shape}: clips by features; "
            "the store is not the run's own"
        )
    tables.check_part(part, np.unique(clips.parts).tolist())
    if clips.targets.min() < 0 or clips.targets.max() >= classes:
        raise RunError(f"features: a clip is of class {clips.targets.max()}, the run has {classes}")
    bad = np.flatnonzero(~np.isfinite(clips.values).all(0))
    if len(bad):
        names = [clips.features[at].name for at in bad.tolist()]
        raise RunError(f"features: {some(names)} have values that are not numbers; run 'ser cache verify'")


def _importances(
    heard: RunClips,
    named: Sequence[FeatureName],
    groups: Sequence[str],
    classes: int,
    repeats: int,
    seed: int,
    advance: Callable[[int, int], None],
) -> tuple[FeatureImportance, ...]:
    """Importance of every feature, then of every group."""
    sets = [[at] for at in range(len(named))]
    sets += [[at for at, each in enumerate(named) if each.group == group] for group in groups]
    drops = permutation_importance(
        heard.values,
        heard.targets,
        heard.speakers,
        heard.predict,
        sets,
        classes=classes,
        repeats=repeats,
        seed=seed,
        advance=lambda done: advance(done, len(sets)),
    )
    return tables.importances([*(each.name for each in named), *groups], drops)


def _effects(clips: RunClips, classes: int) -> dict[str | None, SpeakerEffects]:
    """Effects over all clips, under None, and in each language where there are several."""
    found: dict[str | None, SpeakerEffects] = {
        None: speaker_effects(clips.values, clips.targets, clips.speakers, classes)
    }
    tags = np.unique(clips.languages).tolist()
    for tag in tags if len(tags) > 1 else ():
        rows = clips.languages == tag
        found[tag] = speaker_effects(clips.values[rows], clips.targets[rows], clips.speakers[rows], classes)
    return found


def _clips_of(clips: RunClips, language: str | None) -> int:
    return len(clips.targets) if language is None else int((clips.languages == language).sum())


def _notes(heard: RunClips, emotions: Sequence[str]) -> tuple[str, ...]:
    """What a reader must know of the clips that importance was measured on."""
    notes = list(tables.absent_notes(heard.targets, emotions))
    still = int((np.ptp(heard.values, axis=0) == 0).sum())
    if still:
        notes.append(f"features that are the same in all of these clips, whose importance is 0: {still}")
    return tuple(notes)


def _people_notes(clips: RunClips, told: RunClips) -> Iterator[str]:
    """Say which clips are left out because nobody knows who speaks."""
    if left := len(clips.targets) - len(told.targets):
        yield f"clips without a speaker, which are left out of effects, correlations and profiles: {left}"


def _level_notes(clips: RunClips, names: tuple[str, ...]) -> Iterator[str]:
    """Say where recordings were scaled one by one: their energy was taken away before they were published."""
    if PEAK not in names:
        return
    peaks = clips.values[:, names.index(PEAK)]
    for tag in np.unique(clips.languages).tolist():
        here = clips.languages == tag
        people = np.unique(clips.speakers[here])
        spreads = [float(peaks[here & (clips.speakers == name)].std()) for name in people]
        if here.sum() > len(people) and max(spreads) < SCALED_DB:
            yield f"all recordings in {tag} peak at the same level: their energy says nothing about emotion"
