"""How answers follow listeners."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ser_pipeline.evaluation.condition import score_where
from ser_pipeline.evaluation.listeners import with_ratings, with_votes
from ser_pipeline.evaluation.run import evaluate_run, score_folds, score_run
from ser_pipeline.evaluation.score import GROUPS, score_predictions
from ser_pipeline.labels import Task
from ser_pipeline.metrics import ccc
from ser_pipeline.runs.files import read_info, read_scores
from ser_pipeline.runs.predictions import prediction_schema
from ser_pipeline.runs.ratings import RatingScores
from ser_pipeline.training.folds import train_folds
from ser_pipeline.training.run import train_run
from tests.training.conftest import Silent

TASK = Task("mine", ("anger", "sadness"))
CLIPS = {
    "utterance_id": ["a", "b", "c"],
    "part": ["test"] * 3,
    "fold": [None] * 3,
    "target": [0, 1, 1],
    "predicted": [0, 1, 1],
    "p_anger": [0.5, 0.25, 0.1],
    "p_sadness": [0.5, 0.75, 0.9],
}


def manifest(votes, speakers=("s", "t", "t")):
    same = {name: ["x"] * 3 for name in ("corpus", "language", "gender", "intensity", "modality")}
    voted = pa.array(votes, pa.map_(pa.int8(), pa.int16()))
    return pa.table({"utterance_id": ["c", "b", "a"], **same, "speaker_id": list(speakers), "votes": voted})


def scored(votes, **changes):
    table, known = pa.table(CLIPS, schema=prediction_schema(TASK.emotions)), manifest(votes, **changes)
    scores = score_predictions(table, known, TASK.emotions, {})
    return with_votes(scores, table, known, TASK).parts["test"].votes


def test_probabilities_are_scored_against_the_shares_of_the_votes():
    found = scored([[(0, 1), (6, 9)], None, [(0, 2), (3, 2)]])
    assert (found.clips, found.speakers) == (2, 2)
    known = scored([[(0, 1)], None, [(0, 2)]], speakers=("s", "t", "x-unknown"))
    assert (known.speakers, known.cross_entropy.low) == (1, None)  # nothing tells how others would do
    assert found.cross_entropy.value == pytest.approx((np.log(2) - np.log(0.1)) / 2)
    assert found.divergence.value == pytest.approx(-np.log(0.1) / 2)
    assert found.divergence.low == pytest.approx(0, abs=1e-6)


def test_without_a_vote_for_an_emotion_of_the_task_there_is_no_score():
    assert scored([None, None, [(6, 3)]]) is None


@pytest.fixture
def rated(toy):
    """Ratings of one corpus alone, one number a class, and the other corpus has none."""
    toy.write_manifest([row[3] / 4 - 0.4 if row[0] == "emodb" else None for row in toy.rows])
    return toy


def test_ratings_are_scored_by_corpus_with_intervals(rated, tmp_path):
    data = rated.data(model={"dimensions": True}, train={"epochs": 2})
    train_run(data, tmp_path / "run", Silent(), command="c")
    part = score_run(tmp_path / "run", data).parts["train"]
    found = {(each.dimension, each.name): each for each in part.ratings if each.by in (None, "corpus")}
    assert [*found] == [
        (name, corpus) for name in ("valence", "arousal", "dominance") for corpus in ("", "emodb")
    ]
    assert {each.by for each in part.ratings} == {None, *GROUPS}
    valence = found["valence", ""]
    table = pq.read_table(tmp_path / "run" / "dimensions.parquet").to_pandas()
    train = table[(table["part"] == "train") & table["rated_valence"].notna()]
    assert (valence.clips, valence.speakers) == (len(train), 3)
    assert valence.ccc.value == pytest.approx(ccc(train["rated_valence"], train["valence"]))
    assert valence.ccc.low <= valence.ccc.value <= valence.ccc.high
    assert found["valence", "emodb"].model_copy(update={"by": None, "name": ""}) == valence
    assert part.concordance["valence"] == valence.ccc.value


def test_ratings_of_folds_are_pooled(rated, tmp_path):
    inputs = rated.inputs(split="loco", fold="all", model={"dimensions": True}, train={"epochs": 1})
    train_folds(inputs, tmp_path / "run", Silent(), command="c")
    scores = score_folds(tmp_path / "run", inputs)
    ratings = [each for each in scores.parts["test"].ratings if each.by in (None, "corpus")]
    assert {(each.name, each.clips) for each in ratings} == {("", 60), ("emodb", 60)}
    table = pq.read_table(tmp_path / "run" / "dimensions.parquet")
    assert with_ratings(scores, table, inputs.manifest.table) == scores


@pytest.fixture
def regressed(rated, tmp_path):
    """A run whose target are two ratings."""
    rated.write_features()
    data = rated.data(model={"name": "logreg"}, target="arousal,valence")
    train_run(data, tmp_path / "run", Silent(), command="c")
    return data, tmp_path / "run"


def test_a_run_of_ratings_is_scored_on_all_rated_clips(regressed):
    data, folder = regressed
    scores = score_run(folder, data)
    assert scores.parts == {}
    part = scores.rated["train"]
    assert (part.clips, part.speakers) == (36, 3)
    assert [each.dimension for each in part.pooled] == ["valence", "arousal"]
    table = pq.read_table(folder / "dimensions.parquet").to_pandas()
    assert [*table.columns[3:]] == ["valence", "rated_valence", "arousal", "rated_arousal"]
    train = table[table["part"] == "train"]
    valence = part.pooled[0]
    assert valence.ccc.value == pytest.approx(ccc(train["rated_valence"], train["valence"]))
    away = (train["rated_valence"] - train["valence"]).abs()
    assert valence.mae.value == pytest.approx(away.mean())
    assert valence.rmse.value == pytest.approx(np.sqrt((away**2).mean()))
    assert part.ccc == pytest.approx(np.mean([each.ccc.value for each in part.pooled]))
    assert read_scores(folder, read_info(folder)) == scores
    assert not (folder / "predictions.parquet").exists()


def test_ratings_are_scored_where_a_condition_holds(regressed, rated):
    data, folder = regressed
    whole = score_run(folder, data).rated["train"]
    some, _ = score_where(folder, "gender = 'male'", part="train", manifests=rated.manifests)
    of_men = next(each for each in whole.ratings if (each.by, each.name) == ("gender", "male"))
    assert some.pooled[0].ccc == of_men.ccc
    assert some.clips == of_men.clips == 24


def test_folds_of_a_run_of_ratings_are_pooled(rated, tmp_path):
    rated.write_features()
    rated.write_manifest([row[3] / 4 - 0.4 + (row[0] == "nemo") * 0.1 for row in rated.rows])
    inputs = rated.inputs(split="loco", fold="all", model={"name": "logreg"}, target="valence")
    info = train_folds(inputs, tmp_path / "run", Silent(), command="c")
    assert (info.counts, info.class_counts) == ({"test": 120}, {"test": ()})
    scores = score_folds(tmp_path / "run", inputs)
    assert scores.rated["test"].clips == 120
    assert {each.name for each in scores.rated["test"].ratings if each.by == "corpus"} == {"emodb", "nemo"}
    assert evaluate_run(tmp_path / "run", manifests=rated.manifests, cache=rated.cache) == scores


def test_scores_of_before_there_were_groups_are_read():
    old = {
        "dimension": "valence",
        "clips": 3,
        "speakers": 1,
        "ccc": None,
        "pearson": None,
        "rmse": {"value": 1.0},
    }
    assert RatingScores.model_validate(old | {"corpus": "emodb"}).by == "corpus"
    assert RatingScores.model_validate(old | {"corpus": ""}).by is None
