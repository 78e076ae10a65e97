"""Ensembles: the calibrated probabilities of finished runs, averaged.

An ensemble is a run whose ``model.json`` names its members. Their weights, and the temperature and
threshold of the average, are learned from the validation clips that all members decided on.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ser_pipeline.arrays import Float32s, Float64s, Int64s
from ser_pipeline.errors import RunError, SettingsError
from ser_pipeline.evaluation.condition import read_said
from ser_pipeline.evaluation.listeners import decision_scores, model_scores, task_of
from ser_pipeline.evaluation.predict import certainty_of, learn_certainty, state
from ser_pipeline.evaluation.run import decided, inputs_of
from ser_pipeline.manifest import Manifest, read_manifest
from ser_pipeline.metrics import mixture_weights
from ser_pipeline.options import ENSEMBLE, Fused, ModelInputs, ModelOptions, Recipe, TrainOptions, parts_of
from ser_pipeline.records import PARTS
from ser_pipeline.runs.card import Member, ModelCard, card_digest, member_folder, read_card, write_card
from ser_pipeline.runs.files import final_scores, read_info, write_info, write_scores
from ser_pipeline.runs.names import fold_folder, fold_folders
from ser_pipeline.runs.predictions import (
    prediction_schema,
    probabilities_of,
    read_predictions,
    write_predictions,
)
from ser_pipeline.runs.types import ALL_FOLDS, CARD, Certainty, RunInfo, RunScores
from ser_pipeline.tables.cells import plural
from ser_pipeline.training.info import check_same, library_versions

FEWEST: Final = 2
"""Members of an ensemble."""


@dataclass(frozen=True)
class Shared:
    """Clips that every member decided on.

    Attributes:
        table: ids, parts, folds and classes of them; columns of predictions without the decision.
        probabilities: as each member states them, shape ``(members, clips, classes)``.
        left_out: clips that only some of the members decided on.
    """

    table: pa.Table
    probabilities: Float64s
    left_out: int

    def of_part(self, part: str) -> tuple[Float64s, Int64s]:
        """Probabilities and classes of the clips of one part."""
        rows = pc.equal(self.table["part"], part).to_numpy(zero_copy_only=False)
        return self.probabilities[:, rows], self.table["target"].to_numpy()[rows].astype(np.int64)

    def averaged(self, weights: Sequence[float]) -> Float64s:
        """Weighted mean over members, shape ``(clips, classes)``."""
        mean: Float64s = np.tensordot(np.asarray(weights), self.probabilities, 1)
        return mean


def make_ensemble(folder: Path, members: Sequence[Path], *, manifests: Path, command: str) -> RunInfo:
    """Make an ensemble of finished runs, of every fold where they are runs of all folds, and score it.

    No store and no audio is read: what the members say of their clips is in their result files.

    Args:
        folder: of the ensemble's run.
        members: folders of two or more runs.
        manifests: folder of the manifest that they were trained on.
        command: as typed, for the record.

    Returns:
        What was written to ``settings.json``.

    Raises:
        SettingsError: fewer than two different runs.
        RunError: a run is not finished, damaged, an ensemble itself, or not of the same emotions, manifest,
            split and fold as the first.
        ManifestError: no manifest, or a foreign one.
    """
    infos = _checked(members)
    manifest = read_manifest(manifests)
    if manifest.digest != infos[0].manifest_digest:
        raise RunError(
            f"{members[0]}: the manifest is not the one this run was trained on; restore that manifest, or "
            "train new runs"
        )
    if infos[0].split.fold != ALL_FOLDS:
        return _made(folder, members, infos, manifest, command)
    numbers = [*fold_folders(members[0])]
    for number in numbers:
        inner = [fold_folder(member, number) for member in members]
        lacking = next((path for path in inner if not (path / CARD).is_file()), None)
        if lacking is not None:
            raise RunError(f"{lacking}: not trained; continue with 'ser train --resume {lacking.parent}'")
        _made(fold_folder(folder, number), inner, [*map(read_info, inner)], manifest, command)
    scores, table = _pooled(folder, manifest, infos[0])
    info = _info(folder, infos, table, manifest, command)
    info = info.model_copy(update={"stopped": f"all {len(numbers)} folds are done"})
    write_info(folder, info)
    write_scores(folder, scores)
    return info


def score_ensemble(folder: Path, *, manifests: Path, cache: Path, device: str = "auto") -> RunScores:
    """Predict and score an ensemble again, from the networks of its members and their stores.

    Args:
        folder: of the ensemble's run.
        manifests: folder of the manifest and the split.
        cache: folder of the stores.
        device: what to compute on.

    Raises:
        RunError: a member is gone, changed or damaged, or belongs to other recordings.
        ManifestError: the manifest is missing or of other recordings; SplitError and StoreMissing alike.
    """
    info, manifest = read_info(folder), read_manifest(manifests)
    if info.split.fold != ALL_FOLDS:
        return _scored_anew(folder, manifest, manifests, cache, device)
    for inner in fold_folders(folder).values():
        _scored_anew(inner, manifest, manifests, cache, device)
    scores, _ = _pooled(folder, manifest, info)
    write_scores(folder, scores)
    return scores


def _checked(members: Sequence[Path]) -> list[RunInfo]:
    """Settings of runs that can be averaged."""
    places = [member.resolve() for member in members]
    if len(set(places)) < max(FEWEST, len(places)):
        found = "one" if len(places) == 1 else "none" if not places else "the same one twice"
        raise SettingsError(f"an ensemble is made of two or more different runs, found {found}")
    infos = [read_info(member) for member in members]
    for member, info in zip(members, infos, strict=True):
        if info.recipe.target:
            raise RunError(
                f"{member}: its targets are ratings; an ensemble averages probabilities of emotions"
            )
        if info.model == ENSEMBLE:
            raise RunError(f"{member}: is an ensemble itself; name its members")
        if final_scores(member, info) is None:
            raise RunError(f"{member}: not finished; continue with 'ser train --resume {member}'")
        for what, value, wanted in _sameness(info, infos[0]):
            if value != wanted:
                raise RunError(
                    f"{member}: its {what} is {value}, that of {infos[0].name} is {wanted}; an ensemble is "
                    "made of runs of one task, manifest, split and fold"
                )
    return infos


def _sameness(info: RunInfo, first: RunInfo) -> list[tuple[str, str, str]]:
    """What must be the same: what it is, and its values for a run and for the first one."""
    told = []
    for each in (info, first):
        merges = ",".join(f"{a}={b}" for a, b in sorted(each.merges.items())) or "none"
        split, fold = f"{each.split.name} ({each.split.digest[:8]})", each.split.fold or "none"
        told.append((", ".join(each.emotions), merges, each.manifest_digest[:12], split, fold))
    names = ("list of emotions", "list of merges", "manifest", "split", "fold")
    return [*zip(names, *told, strict=True)]


def _made(
    folder: Path, members: Sequence[Path], infos: Sequence[RunInfo], manifest: Manifest, command: str
) -> RunInfo:
    """An ensemble of one fold, or of a split without folds."""
    emotions = infos[0].emotions
    shared = _shared([read_predictions(member, emotions) for member in members], emotions, members)
    said, targets = shared.of_part("validation")
    weights = [round(weight, 4) for weight in mixture_weights(said, targets).tolist()]
    known = learn_certainty(np.tensordot(weights, said, 1), targets)
    cards = [read_card(member) for member in members]
    card = ModelCard(
        model=ModelOptions(name=ENSEMBLE),
        emotions=emotions,
        merges=infos[0].merges,
        inputs=_inputs(cards),
        store_fingerprint="+".join(dict.fromkeys(card.store_fingerprint for card in cards)),
        synthetic=any(card.synthetic for card in cards),
        epoch=1,
        members=tuple(
            Member(
                name=_name(member, info),
                place=_seen_from(folder, member),
                digest=card_digest(member),
                weight=weight,
            )
            for member, info, weight in zip(members, infos, weights, strict=True)
        ),
        **({} if known is None else known.model_dump()),
    )
    table = _stated(shared, weights, known, emotions)
    info = _info(folder, infos, table, manifest, command)
    counted = " and ".join(f"{each.name} ({each.weight:.2f})" for each in card.members)
    unknown = plural(
        shared.left_out, "clip that not all of them know is", "clips that not all of them know are"
    )
    less = f"; {unknown} left out" if shared.left_out else ""
    told = {"stopped": f"probabilities of {counted} averaged{less}", "best_epoch": 1}
    members_told = [member.model_dump() for member in card.members]
    extra = info.extra | {"members": members_told, "left_out": shared.left_out}
    info = info.model_copy(update=told | {"extra": extra})
    write_card(folder, card)
    write_info(folder, info)
    write_predictions(folder, table)
    write_scores(folder, model_scores(table, manifest.table, task_of(info), info.split.number, known))
    return info


def _scored_anew(folder: Path, manifest: Manifest, manifests: Path, cache: Path, device: str) -> RunScores:
    card, info = read_card(folder), read_info(folder)
    places = [member_folder(folder, member) for member in card.members]
    tables = []
    for place in places:
        own = read_info(place)
        data = inputs_of(own, manifests=manifests, cache=cache).run_data(own.split.number)
        check_same(own, data, place)
        tables.append(decided(place, data, device).table)
    shared = _shared(tables, card.emotions, places)
    known = certainty_of(card)
    table = _stated(shared, [member.weight for member in card.members], known, card.emotions)
    scores = model_scores(table, manifest.table, task_of(info), info.split.number, known)
    write_predictions(folder, table)
    write_scores(folder, scores)
    return scores


def _shared(tables: Sequence[pa.Table], emotions: Sequence[str], members: Sequence[Path]) -> Shared:
    """Join predictions by clip.

    Raises:
        RunError: no clip is in all of them, or they put a clip into another part or class.
    """
    places = [{clip: row for row, clip in enumerate(table["utterance_id"].to_pylist())} for table in tables]
    everywhere = [clip for clip in places[0] if all(clip in place for place in places)]
    if not everywhere:
        raise RunError(f"{members[0]}: has no clip in common with {members[1]}; nothing can be averaged")
    rows = [pa.array([place[clip] for clip in everywhere]) for place in places]
    taken = [table.take(index) for table, index in zip(tables, rows, strict=True)]
    for member, table in zip(members, taken, strict=True):
        if any(not table[name].equals(taken[0][name]) for name in ("part", "target")):
            raise RunError(
                f"{member}: puts clips into other parts or classes than {members[0]}; score it again"
            )
    said = [probabilities_of(table, emotions) for table in taken]
    every = {clip for place in places for clip in place}
    return Shared(taken[0], np.stack(said), len(every) - len(everywhere))


def _stated(
    shared: Shared, weights: Sequence[float], known: Certainty | None, emotions: Sequence[str]
) -> pa.Table:
    """Predictions of the average, at its temperature."""
    stated: Float32s = state(shared.averaged(weights), known)
    columns: dict[str, Any] = {
        name: shared.table[name] for name in ("utterance_id", "part", "fold", "target")
    }
    columns["predicted"] = pa.array(stated.argmax(1).astype(np.int8))
    columns |= {f"p_{name}": np.ascontiguousarray(stated[:, place]) for place, name in enumerate(emotions)}
    return pa.table(columns, schema=prediction_schema(emotions))


def _pooled(folder: Path, manifest: Manifest, info: RunInfo) -> tuple[RunScores, pa.Table]:
    """Scores over the test clips of all folds, whose predictions are written."""
    said = read_said(folder, info, manifest)
    write_predictions(folder, said.table)
    scores = decision_scores(said.table, manifest.table, task_of(info), said.priors, said.certainties)
    return scores.model_copy(update={"certainty": None}), said.table


def _info(
    folder: Path, infos: Sequence[RunInfo], table: pa.Table, manifest: Manifest, command: str
) -> RunInfo:
    """What is written down of an ensemble: its clips, and what its members share."""
    first, classes = infos[0], len(infos[0].emotions)
    counts = {part: np.zeros(classes, np.int64) for part in PARTS}
    for part, target in zip(table["part"].to_pylist(), table["target"].to_pylist(), strict=True):
        counts[part][target] += 1
    if first.split.fold == ALL_FOLDS:
        counts = {"test": counts["test"]}
    shared = {name: getattr(first.recipe, name) for name in ("task", "merges", "split", "fold")}
    clips = manifest.table.filter(pc.is_in(manifest.table["utterance_id"], table["utterance_id"]))
    languages = tuple(sorted(set(clips["language"].to_pylist())))
    asked = [*dict.fromkeys(info.recipe.where for info in infos if info.recipe.where)]
    shared["where"] = " AND ".join(asked if len(asked) == 1 else (f"({each})" for each in asked))
    shared["languages"] = languages if any(info.recipe.languages for info in infos) else ()
    return RunInfo(
        name=folder.name,
        created=datetime.now().astimezone().isoformat(timespec="seconds"),
        command=command,
        model=ENSEMBLE,
        recipe=Recipe(
            **shared, model=ModelOptions(name=ENSEMBLE), train=TrainOptions(seed=first.recipe.train.seed)
        ),
        emotions=first.emotions,
        merges=first.merges,
        split=first.split,
        manifest_digest=first.manifest_digest,
        store_kind="+".join(dict.fromkeys(info.store_kind for info in infos)),
        store_fingerprint="+".join(dict.fromkeys(info.store_fingerprint for info in infos)),
        counts={part: int(found.sum()) for part, found in counts.items()},
        class_counts={part: tuple(found.tolist()) for part, found in counts.items()},
        corpora=tuple(sorted(set(clips["corpus"].to_pylist()))),
        train_corpora=tuple(sorted({name for info in infos for name in info.train_corpora})),
        languages=languages,
        synthetic=any(info.synthetic for info in infos),
        seconds=round(sum(info.seconds or 0.0 for info in infos), 1),
        parameters=sum(info.parameters for info in infos),
        versions=library_versions(),
    )


def _inputs(cards: Sequence[ModelCard]) -> ModelInputs:
    """Everything that the members are given, each input once."""
    parts = tuple(dict.fromkeys(part for card in cards for part in parts_of(card.inputs)))
    return parts[0] if len(parts) == 1 else Fused(parts=parts)


def _name(member: Path, info: RunInfo) -> str:
    """Name of a run; of one fold of it, with the fold."""
    folder = member.resolve()
    return f"{folder.parent.name}/{folder.name}" if info.name.startswith("fold-") else folder.name


def _seen_from(folder: Path, member: Path) -> str:
    """Where a run lies, as seen from the ensemble's folder; its whole path on another drive of Windows."""
    try:
        return Path(os.path.relpath(member.resolve(), folder.resolve())).as_posix()
    except ValueError:
        return member.resolve().as_posix()
