"""Classifiers that rate clips: ridge regression, support vector regression and trees beside them."""

import numpy as np
import pytest
import torch

from ser_pipeline.errors import RunError, TrainingError
from ser_pipeline.evaluation.run import evaluate_run, score_run
from ser_pipeline.models import EstimatorNetwork
from ser_pipeline.models.estimators import CANDIDATES, RATER_CANDIDATES, make_rater
from ser_pipeline.runs.files import read_info
from ser_pipeline.training.checkpoint import load_model, save_model
from ser_pipeline.training.run import train_run
from tests.training.conftest import Silent


@pytest.fixture
def rated(toy):
    """Ratings of one corpus alone, one number a class, and vectors from which classes can be told."""
    toy.write_manifest([row[3] / 4 - 0.4 if row[0] == "emodb" else None for row in toy.rows])
    toy.write_features()
    return toy


@pytest.mark.parametrize("name", sorted(CANDIDATES))
def test_a_classifier_rates_clips_and_is_scored_on_rated_ones(rated, tmp_path, name):
    data = rated.data(model={"name": name, "c": 0.05, "dimensions": True})
    train_run(data, tmp_path / "run", Silent(), command="c")
    scores = score_run(tmp_path / "run", data)
    ratings = {(each.dimension, each.corpus): each for each in scores.parts["test"].ratings}
    assert ratings["valence", ""].pearson.value > 0.2
    assert ratings["valence", ""].clips == ratings["valence", "emodb"].clips == 12
    assert evaluate_run(tmp_path / "run", manifests=rated.manifests, cache=rated.cache) == scores
    chosen = read_info(tmp_path / "run").extra["raters"]
    assert [*chosen] == ["valence", "arousal", "dominance"]
    assert {*chosen.values()} <= {*RATER_CANDIDATES[name]}


def test_ratings_change_no_decision(rated, tmp_path):
    found = []
    for on in (True, False):
        data, folder = rated.data(model={"name": "logreg", "dimensions": on}), tmp_path / str(on)
        train_run(data, folder, Silent(), command="c")
        found.append(score_run(folder, data).parts["test"])
    assert found[0].pooled == found[1].pooled
    assert found[1].ratings == ()


def test_what_is_loaded_rates_as_what_was_fitted(rated, tmp_path):
    data = rated.data(model={"name": "logreg", "dimensions": True})
    train_run(data, tmp_path / "run", Silent(), command="c")
    network, card = load_model(tmp_path / "run")
    clips = data.training_vectors(card.learned)
    ratings = data.learned_examples().ratings()[:, 0]
    known = ~np.isnan(ratings)
    ridge = network.raters[0]
    values = clips.values.numpy()[known].astype(np.float64)
    away = values - values.mean(0)
    square = away.T @ away + ridge.alpha * np.eye(values.shape[1])
    wanted = np.linalg.solve(square, away.T @ (ratings[known] - ratings[known].mean()))
    assert ridge.coef_ == pytest.approx(wanted, abs=1e-4)
    assert network.rate(torch.zeros(0, values.shape[1])).shape == (0, 3)


def test_a_classifier_needs_rated_clips(toy, tmp_path):
    toy.write_features()
    data = toy.data(model={"name": "logreg", "dimensions": True})
    with pytest.raises(
        TrainingError,
        match=r"^--dimensions: 0 training clips are rated for valence, 2 are needed; choose corpora",
    ):
        train_run(data, tmp_path / "run", Silent(), command="c")


def test_without_rated_validation_clips_the_middle_penalty_is_taken(toy, tmp_path):
    toy.write_features()
    validation = set(toy.data().examples.of_part("validation").column("utterance_id"))
    names = [f"{corpus}/{speaker}-{emotion}-{take}" for corpus, _, speaker, emotion, take in toy.rows]
    toy.write_manifest([None if name in validation else number / 120 for number, name in enumerate(names)])
    data = toy.data(model={"name": "logreg", "dimensions": True})
    info = train_run(data, tmp_path / "run", Silent(), command="c")
    assert {*info.extra["raters"].values()} == {RATER_CANDIDATES["logreg"][1]}


def test_a_model_file_of_other_features_is_refused(rated, tmp_path):
    data = rated.data(model={"name": "logreg", "dimensions": True})
    train_run(data, tmp_path / "run", Silent(), command="c")
    network, card = load_model(tmp_path / "run")
    other = make_rater("logreg", 1.0, seed=0).fit(np.eye(3), np.arange(3))
    save_model(tmp_path / "run", EstimatorNetwork(network.estimator, 4, [other] * 3), card)
    with pytest.raises(RunError, match=r"does not fit model\.json: its classifier does not take"):
        load_model(tmp_path / "run")
