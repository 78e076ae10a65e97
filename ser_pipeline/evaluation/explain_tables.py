"""The clips of a run as rows of named features, and the tables of an explanation."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path
from typing import Protocol

import numpy as np
import torch

from ser_pipeline.arrays import Bools, Float64s, Floats, Int64s, Strings
from ser_pipeline.datasets.normalise import Scaling
from ser_pipeline.errors import RunError, some
from ser_pipeline.evaluation.predict import pool_clips
from ser_pipeline.evaluation.profiles import PROFILED, PublishedDirection, measured_properties, published
from ser_pipeline.evaluation.run import inputs_of
from ser_pipeline.features.catalogue import FEATURES
from ser_pipeline.metrics import (
    bootstrap_intervals,
    describe_intervals,
    fewest_holders,
    importance,
    speaker_confusions,
    uar,
)
from ser_pipeline.metrics.effect import (
    Agreement,
    SpeakerEffects,
    agreement,
    chance_of_agreement,
    combined,
    effect_intervals,
    effect_similarity,
    mean_effects,
)
from ser_pipeline.metrics.importance import Predict, closest_pairs
from ser_pipeline.models.network import EmbeddingNetwork, Network
from ser_pipeline.options import ENSEMBLE
from ser_pipeline.processes import chosen_device
from ser_pipeline.records import PARTS, named_among, names_nobody
from ser_pipeline.runs.explanation import (
    EffectTable,
    FeatureImportance,
    FeaturePair,
    Interval,
    LanguageEffect,
    LanguagePair,
    Matrix,
    ProfileCell,
    ProfileSummary,
)
from ser_pipeline.runs.types import RunInfo
from ser_pipeline.training.checkpoint import load_model
from ser_pipeline.training.info import check_same

PAIRS = 20
"""Pairs of features that the file lists."""

DIGITS = 6
"""Significant digits kept in the file; the intervals are far wider."""


class Named(Protocol):
    """What an explanation needs to know of a feature; rows of the feature catalogue have it."""

    @property
    def name(self) -> str:
        """Unique."""

    @property
    def unit(self) -> str:
        """Of its values."""

    @property
    def group(self) -> str:
        """Of features that belong together."""


@dataclass(frozen=True, slots=True)
class PropertyColumn:
    """A feature by name, with what is known of it."""

    name: str
    unit: str = ""
    group: str = ""


@dataclass(frozen=True)
class RunClips:
    """Clips of all parts of a run; arrays have shape ``(clips,)`` but for ``values``.

    Attributes:
        values: features before they are standardised, shape ``(clips, features)``; a level or scale of
            each speaker's own may have been taken away, effects are the same. Where they stand beside mels or
            frames, what the network pools of these comes first.
        targets: class numbers in the order of the run's emotions.
        speakers: names.
        languages: BCP 47 tags.
        parts: ``train``, ``validation`` or ``test``.
        features: of the columns.
        predict: the run's model, from such values to class numbers.
    """

    values: Floats
    targets: Int64s
    speakers: Strings
    languages: Strings
    parts: Strings
    features: Sequence[Named]
    predict: Predict

    def of(self, part: str) -> "RunClips":
        """Clips of one part."""
        return self._take(self.parts == part)

    def of_somebody(self) -> "RunClips":
        """Clips that say who speaks; all where none does."""
        rows = ~np.array([names_nobody(name) for name in self.speakers.tolist()], np.bool_)
        return self._take(rows) if rows.any() else self

    def _take(self, rows: Bools) -> "RunClips":
        return replace(
            self,
            values=self.values[rows],
            targets=self.targets[rows],
            speakers=self.speakers[rows],
            languages=self.languages[rows],
            parts=self.parts[rows],
        )


class Load(Protocol):
    """How the clips of a run are come by."""

    def __call__(self, folder: Path, info: RunInfo, *, manifests: Path, cache: Path, device: str) -> RunClips:
        """Read them; see :func:`load_clips`."""


def load_clips(folder: Path, info: RunInfo, *, manifests: Path, cache: Path, device: str) -> RunClips:
    """Read the clips of a run on vectors, alone or beside a sequence, and its model.

    Args:
        folder: of the run.
        info: its settings.
        manifests: folder of the manifest and the split it was trained on.
        cache: folder of the stores.
        device: what to compute on.

    Raises:
        RunError: the run's store holds mels.
    """
    if info.model == ENSEMBLE:
        raise RunError(f"{folder}: an ensemble decides by what its members say; explain one of them")
    inputs = inputs_of(info, manifests=manifests, cache=cache)
    data = inputs.run_data(info.split.number)
    check_same(info, data, folder)
    network, card = load_model(folder)
    if card.learned.scaling is None:
        raise RunError(f"{folder}: its model does not say how features are scaled; train it again")
    rows, on = np.arange(len(data.examples)), chosen_device(device)
    values, features = data.vectors(rows), named_columns(data.store.names)
    predict = _decisions(network.to(on), card.learned.scaling)
    steps = data.steps(rows, card.learned, memory_limit=0)
    if steps is not None and isinstance(network, EmbeddingNetwork):
        pooled = pool_clips(network, steps, device=on)
        values = np.concatenate([pooled, values], axis=1)
        features = [*(PropertyColumn(f"pooled.{unit}") for unit in range(pooled.shape[1])), *features]
        predict = _joint_decisions(network, card.learned.scaling, pooled.shape[1])
    return RunClips(
        values=values,
        targets=data.examples.target,
        speakers=data.examples.column("speaker_id"),
        languages=data.examples.column("language"),
        parts=np.array(PARTS)[data.examples.part],
        features=features,
        predict=predict,
    )


def named_columns(names: Sequence[str]) -> list[PropertyColumn]:
    """What is known of features by their names; openSMILE's have neither unit nor group here."""
    known = {row.name: row for row in FEATURES}
    return [
        PropertyColumn(name, known[name].unit, known[name].group) if name in known else PropertyColumn(name)
        for name in names
    ]


def _decisions(network: Network, scaling: Scaling) -> Predict:
    device = next((weight.device for weight in network.parameters()), torch.device("cpu"))

    def decide(values: Floats) -> Int64s:
        inputs = torch.from_numpy(scaling.apply(values)).to(device)
        with torch.inference_mode():
            found: Int64s = network(inputs).argmax(1).cpu().numpy()
        return found

    return decide


def check_part(part: str, there: Sequence[str]) -> None:
    """Refuse a part of which a run has no clips.

    Raises:
        RunError: ``part`` is not among those that are there.
    """
    if part not in there:
        raise RunError(f"part {part}: the run has no clips of it; valid are {', '.join(there) or 'none'}")


def _joint_decisions(network: EmbeddingNetwork, scaling: Scaling, width: int) -> Predict:
    """Decisions by what was pooled of a sequence, in the first columns, and the vectors beside it."""
    device = next(weight.device for weight in network.parameters())

    def decide(values: Floats) -> Int64s:
        pooled = torch.from_numpy(values[:, :width].astype(np.float32)).to(device)
        beside = torch.from_numpy(scaling.apply(values[:, width:])).to(device)
        with torch.inference_mode():
            found: Int64s = network.head(network.join(pooled, beside)).argmax(1).cpu().numpy()
        return found

    return decide


def interval_words(
    people: Sequence[str],
    seed: int,
    repeats: int | None = None,
    *,
    unnamed: int = 0,
    fewest: tuple[int, Sequence[str]] | None = None,
) -> str:
    """How intervals over speakers were made, and over repeats where these were drawn too.

    The last two are those of :func:`~ser_pipeline.metrics.describe_intervals`.
    """
    words = describe_intervals(list(people), seed, unnamed=unnamed, fewest=fewest)
    words = words.replace(
        ": read the scores per speaker instead", ": an interval over so few speakers is unreliable"
    )
    return words.replace(" speakers, ", f" speakers and {repeats} repeats, ", 1) if repeats else words


def absent_notes(targets: Int64s, emotions: Sequence[str]) -> Iterator[str]:
    """Say which emotions the clips lack that importance was measured on."""
    there = set(targets.tolist())
    absent = [name for number, name in enumerate(emotions) if number not in there]
    if absent:
        yield f"no clips of {some(absent)} in this part: importance is about the other emotions"


def number(value: float) -> float | None:
    """Round a number for the file; None if there is none.

    Examples:
        >>> number(1 / 3), number(float("nan"))
        (0.333333, None)
    """
    return float(f"{value:.{DIGITS}g}") if np.isfinite(value) else None


def interval(value: float, low: float, high: float) -> Interval | None:
    """A number with its interval; None if there is no number."""
    middle = number(value)
    return None if middle is None else Interval(value=middle, low=number(low), high=number(high))


def known(value: float, low: float, high: float) -> Interval:
    """A number that is always there, with its interval."""
    return Interval(value=float(f"{value:.{DIGITS}g}"), low=number(low), high=number(high))


def uar_of(
    targets: Int64s, decisions: Int64s, speakers: Strings, emotions: Sequence[str], seed: int, repeats: int
) -> tuple[Interval, int, str]:
    """UAR of decisions with its interval over speakers, how many are known, and how the interval was made."""
    counts, people = speaker_confusions(targets, decisions, speakers, len(emotions))
    low, high = bootstrap_intervals(counts, people, seed=seed).get("uar", (np.nan, np.nan))
    words = interval_words(
        people, seed, repeats,
        unnamed=sum(map(names_nobody, speakers.tolist())), fewest=fewest_holders(counts, people, emotions),
    )  # fmt: skip
    return known(float(uar(counts.sum(0))), low, high), len(named_among(people)), words


def table(values: Float64s) -> Matrix:
    """Rows of rounded numbers, None if there is none."""
    return tuple(tuple(map(number, row)) for row in values.tolist())


def full(values: Float64s) -> tuple[tuple[float, ...], ...]:
    """Rows of rounded numbers that are all there."""
    return tuple(tuple(float(f"{value:.{DIGITS}g}") for value in row) for row in values.tolist())


def importances(names: Sequence[str], found: importance.Importance) -> tuple[FeatureImportance, ...]:
    """One entry per feature or group, in their order."""
    arrays = (found.drop, found.low, found.high, found.spread)
    columns = zip(names, *(array.tolist() for array in arrays), strict=True)
    return tuple(
        FeatureImportance(name=name, drop=known(drop, low, high), spread=float(f"{spread:.{DIGITS}g}"))
        for name, drop, low, high, spread in columns
    )


def effect_table(effects: SpeakerEffects, clips: int, language: str | None, seed: int) -> EffectTable:
    """Mean effects of some clips with their intervals."""
    low, high = effect_intervals(effects, seed=seed)
    return EffectTable(
        language=language,
        clips=clips,
        speakers=len(effects.names),
        values=table(mean_effects(effects)),
        low=table(low),
        high=table(high),
    )


def language_pairs(effects: dict[str, SpeakerEffects]) -> tuple[LanguagePair, ...]:
    """How alike the effects of every two languages are."""
    means = {language: mean_effects(found) for language, found in effects.items()}
    return tuple(
        LanguagePair(
            first=first,
            second=second,
            similarity=table(effect_similarity(means[first], means[second])[None])[0],
        )
        for first, second in combinations(means, 2)
    )


def feature_pairs(correlations: Float64s, names: Sequence[str]) -> tuple[FeaturePair, ...]:
    """The :data:`PAIRS` pairs of features that say most nearly the same."""
    return tuple(
        FeaturePair(first=names[first], second=names[second], correlation=float(f"{value:.{DIGITS}g}"))
        for first, second, value in closest_pairs(correlations, PAIRS)
    )


def profile_cells(
    effects: Mapping[str | None, SpeakerEffects], names: tuple[str, ...], emotions: Sequence[str], seed: int
) -> tuple[ProfileCell, ...]:
    """Compare each property that the features measure with what is published of it.

    Args:
        effects: of all features, over all clips under None, and by language.
        names: of the features.
        emotions: class names.
        seed: of the draws of the intervals.
    """
    cells: list[ProfileCell] = []
    for row, columns, signs in measured_properties(names):
        told = tuple(("" if sign > 0 else "-") + names[at] for at, sign in zip(columns, signs, strict=True))
        found = {tag: _intervals(combined(each, columns, signs), seed) for tag, each in effects.items()}
        for place, emotion in enumerate(emotions):
            if emotion in PROFILED:
                stated = published(row.name, emotion)
                cells.append(_profile_cell(stated, told, {tag: each[place] for tag, each in found.items()}))
    return tuple(cells)


def _intervals(effects: SpeakerEffects, seed: int) -> list[Interval | None]:
    """Effects of a single feature on each emotion."""
    low, high = effect_intervals(effects, seed=seed)
    return [interval(*row) for row in zip(mean_effects(effects)[0], low[0], high[0], strict=True)]


def _profile_cell(
    stated: PublishedDirection, features: tuple[str, ...], found: Mapping[str | None, Interval | None]
) -> ProfileCell:
    def judged(effect: Interval | None) -> Agreement:
        return agreement(stated.direction, effect.low, effect.high) if effect else "not compared"

    return ProfileCell(
        property=stated.property,
        emotion=stated.emotion,
        features=features,
        direction=stated.direction,
        sources=stated.sources,
        effect=found[None],
        verdict=judged(found[None]),
        by_language=tuple(
            LanguageEffect(language=tag, effect=effect, verdict=judged(effect))
            for tag, effect in found.items()
            if tag is not None
        ),
    )


def profile_summary(cells: Sequence[ProfileCell]) -> ProfileSummary:
    """Count the verdicts and set them beside chance."""
    verdicts = [cell.verdict for cell in cells]
    agrees, opposes = verdicts.count("agrees"), verdicts.count("opposes")
    return ProfileSummary(
        agrees=agrees,
        opposes=opposes,
        unclear=verdicts.count("unclear"),
        chance=chance_of_agreement(agrees, opposes),
    )
