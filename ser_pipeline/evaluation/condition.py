"""Scores of a run on some recordings alone, from the predictions that it has written."""

from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from ser_pipeline.errors import ManifestError
from ser_pipeline.evaluation.listeners import decision_scores, rated_scores, task_of, with_ratings
from ser_pipeline.evaluation.predict import certainty_of
from ser_pipeline.evaluation.score import Certainties, Priors, training_priors
from ser_pipeline.manifest import Manifest, read_manifest
from ser_pipeline.manifest.where import chosen_by, no_match
from ser_pipeline.runs.card import read_card
from ser_pipeline.runs.files import finished_info
from ser_pipeline.runs.names import fold_folders
from ser_pipeline.runs.predictions import read_predictions, read_ratings
from ser_pipeline.runs.ratings import RatedPart
from ser_pipeline.runs.types import ALL_FOLDS, Certainty, PartScores, RunInfo


@dataclass(frozen=True)
class Said:
    """What a run has said of its clips, and what scores need beside it.

    Attributes:
        table: its predictions; of a run of all folds those of every fold's test clips.
        priors: training clips by fold, corpus and class.
        certainties: temperature and threshold by fold.
    """

    table: pa.Table
    priors: Priors
    certainties: Certainties


def read_said(folder: Path, info: RunInfo, manifest: Manifest) -> Said:
    """Read what a run has said.

    Raises:
        RunError: its predictions, or those of a fold, are missing or damaged.
    """
    pooled = info.split.fold == ALL_FOLDS
    tables: list[pa.Table] = []
    priors: dict[int | None, dict[str, tuple[int, ...]]] = {}
    certainties: dict[int | None, Certainty] = {}
    for number, place in (fold_folders(folder) if pooled else {info.split.number: folder}).items():
        table = read_predictions(place, info.emotions)
        tables.append(table.filter(pc.equal(table["part"], "test")) if pooled else table)
        priors[number] = training_priors(table, manifest.table, len(info.emotions))
        if (known := certainty_of(read_card(place))) is not None:
            certainties[number] = known
    return Said(pa.concat_tables(tables), priors, certainties)


def score_where(
    folder: Path, condition: str, *, part: str, manifests: Path
) -> tuple[PartScores | RatedPart, str]:
    """Score a run on the clips of a part for which a condition holds; no file is written.

    Args:
        folder: of a run that was scored.
        condition: as for :func:`ser_pipeline.manifest.where.chosen_by`.
        part: train, validation or test.
        manifests: folder of the manifest that it was trained on.

    Returns:
        Scores, and a sentence on clips that lack a value; "" for none.

    Raises:
        SettingsError: the condition does not fit.
        ManifestError: it holds for no clip of the part, or the manifest cannot be read.
        RunError: the run's predictions are missing, damaged, or of other recordings.
    """
    info, manifest = finished_info(folder), read_manifest(manifests)
    found = chosen_by(manifest.table, condition)
    said = None if info.recipe.target else read_said(folder, info, manifest)
    table = read_ratings(folder) if said is None else said.table
    table = table.filter(pc.equal(table["part"], part))
    ids = manifest.table["utterance_id"]
    judged = pc.is_in(ids, table["utterance_id"].combine_chunks()).to_numpy(zero_copy_only=False)
    if not (judged & found.rows).any():
        raise ManifestError(f"{no_match(condition, found.among(judged), int(judged.sum()))} of part {part}")
    kept = ids.filter(pa.array(found.rows)).combine_chunks()
    some, left_out = table.filter(pc.is_in(table["utterance_id"], kept)), found.among(judged).left_out
    if said is None:
        return rated_scores(some, manifest.table).rated[part], left_out
    scores = decision_scores(some, manifest.table, task_of(info), said.priors, said.certainties)
    if info.recipe.model.dimensions:
        rated = read_ratings(folder)
        rated = rated.filter(pc.is_in(rated["utterance_id"], kept))
        scores = with_ratings(scores, rated, manifest.table)
    return scores.parts[part], left_out
