"""Classifiers that rate clips: ridge regression, support vector regression and trees beside them."""

import numpy as np
import pytest
import torch

from ser_pipeline.errors import RunError, TrainingError
from ser_pipeline.evaluation.run import evaluate_run, score_run
from ser_pipeline.models import EstimatorNetwork, estimators
from ser_pipeline.models.estimators import CANDIDATES, RATER_CANDIDATES, make_rater
from ser_pipeline.runs.curves import read_curves
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
def test_a_classifier_rates_clips_and_is_scored_on_rated_ones(rated, tmp_path, monkeypatch, name):
    monkeypatch.setattr(estimators, "_TREES", {**estimators._TREES, "max_bins": 63})
    data = rated.data(model={"name": name, "c": 0.05, "dimensions": True})
    train_run(data, tmp_path / "run", Silent(), command="c")
    scores = score_run(tmp_path / "run", data)
    ratings = {
        (each.dimension, each.name): each
        for each in scores.parts["test"].ratings
        if each.by in (None, "corpus")
    }
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


@pytest.mark.parametrize("name", sorted(RATER_CANDIDATES))
def test_ratings_alone_are_the_target(rated, tmp_path, name):
    data = rated.data(model={"name": name}, target="dominance,valence")
    assert data.counts() == {"train": 36, "validation": 12, "test": 12}
    info = train_run(data, tmp_path / "run", Silent(), command="c")
    network, card = load_model(tmp_path / "run")
    assert (card.emotions, card.target, info.emotions) == ((), ("valence", "dominance"), ())
    assert [*info.extra["raters"]] == ["valence", "dominance"]
    assert (len(network.raters), network.estimator) == (2, None)
    epochs = read_curves(tmp_path / "run")[0].epochs
    scores = score_run(tmp_path / "run", data)
    assert epochs[0]["validation_ccc"] == pytest.approx(scores.rated["validation"].ccc, abs=1e-4)
    assert epochs[0]["train_ccc"] == pytest.approx(scores.rated["train"].ccc, abs=1e-4)
    assert train_run(data, tmp_path / "run", Silent(), command="c") == info


def test_every_rated_clip_is_used_whatever_its_emotion(rated):
    with_emotions = rated.data(model={"name": "logreg"}, task="4class", target="valence")
    rated.rows = [(*row[:3], 11 if row[3] == 3 else row[3], row[4]) for row in rated.rows]  # contempt
    rated.write_manifest([row[4] / 10 if row[0] == "emodb" else None for row in rated.rows])
    assert rated.data(model={"name": "logreg"}).counts()["train"] == 54
    assert rated.data(model={"name": "logreg"}, target="valence").counts() == with_emotions.counts()


def test_a_penalty_that_is_given_is_taken(rated, tmp_path):
    info = train_run(
        rated.data(model={"name": "logreg", "c": 0.5}, target="valence"),
        tmp_path / "a",
        Silent(),
        command="c",
    )
    assert info.extra["raters"] == {"valence": 0.5}


def test_ratings_that_are_missing_or_all_alike_are_said(toy, tmp_path):
    toy.write_features()
    with pytest.raises(TrainingError, match=r"^task 'valence': no clip is rated for valence in the corpora"):
        toy.data(model={"name": "logreg"}, target="valence")
    toy.write_manifest([0.25] * len(toy.rows))
    data = toy.data(model={"name": "logreg"}, target="valence")
    alike = r"^target valence: 72 training clips of split 'speaker' are all rated 0.25, and 2 different"
    with pytest.raises(TrainingError, match=alike):
        train_run(data, tmp_path / "run", Silent(), command="c")
    assert not (tmp_path / "run").exists()


def test_too_few_rated_validation_clips_are_said(toy, tmp_path):
    toy.write_features()
    spared = sorted(toy.data().examples.of_part("validation").column("utterance_id"))[1:]
    names = [f"{corpus}/{speaker}-{emotion}-{take}" for corpus, _, speaker, emotion, take in toy.rows]
    toy.write_manifest([None if name in spared else number / 120 for number, name in enumerate(names)])
    data = toy.data(model={"name": "logreg"}, target="valence,arousal")
    said = r"^target valence: 1 validation clip of split 'speaker' is rated, and 2 .* leave valence out$"
    with pytest.raises(TrainingError, match=said):
        train_run(data, tmp_path / "run", Silent(), command="c")


@pytest.mark.parametrize("loss", ["ccc", "mse"])
def test_a_network_learns_ratings_and_goes_on_as_if_it_had_never_stopped(rated, tmp_path, loss):
    def trained(name, epochs):
        train = {"epochs": epochs, "rating_loss": loss}
        data = rated.data(model={"name": "dnn"}, target="valence,arousal", train=train)
        return train_run(data, tmp_path / name, Silent(), command="c"), data

    whole, data = trained("whole", 8)
    trained("parts", 3)
    trained("parts", 8)
    curves = [read_curves(tmp_path / name)[0].epochs for name in ("whole", "parts")]
    seconds = ("train_seconds", "validation_seconds")
    for one, other in zip(*curves, strict=True):
        assert {k: v for k, v in one.items() if k not in seconds} == {
            k: v for k, v in other.items() if k not in seconds
        }
    agreement = [epoch["validation_ccc"] for epoch in curves[0]]
    assert whole.best_epoch == int(np.argmax(agreement)) + 1
    assert curves[0][-1]["train_loss"] < curves[0][0]["train_loss"]
    scores = score_run(tmp_path / "whole", data)
    assert scores.rated["validation"].ccc == pytest.approx(max(agreement), abs=1e-3)
    assert scores == score_run(tmp_path / "parts", data)


def test_a_model_file_of_other_ratings_is_refused(rated, tmp_path):
    train_run(rated.data(model={"name": "logreg"}, target="valence"), tmp_path / "run", Silent(), command="c")
    network, card = load_model(tmp_path / "run")
    save_model(tmp_path / "run", network, card.model_copy(update={"target": ("valence", "arousal")}))
    with pytest.raises(RunError, match=r"does not fit model\.json: it does not tell valence, arousal"):
        load_model(tmp_path / "run")
