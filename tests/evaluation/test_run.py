import dataclasses
import json
import shutil

import numpy as np
import pyarrow.compute as pc
import pytest
import torch

from ser_pipeline.datasets.normalise import Learned
from ser_pipeline.errors import RunError, SettingsError
from ser_pipeline.evaluation.predict import predict_clips
from ser_pipeline.evaluation.run import decision_ms, evaluate_run, score_folds, score_run
from ser_pipeline.manifest import read_manifest
from ser_pipeline.metrics import expected_calibration_error, fit_temperature, temper
from ser_pipeline.runs.card import write_card
from ser_pipeline.runs.files import read_info, read_result, write_info
from ser_pipeline.runs.predictions import read_predictions
from ser_pipeline.runs.types import Certainty, RunScores
from ser_pipeline.splits import make_split, write_split
from ser_pipeline.training.checkpoint import load_model
from ser_pipeline.training.folds import train_folds
from ser_pipeline.training.run import train_run
from tests.conftest import Toy
from tests.training.conftest import Silent

EMOTIONS = ("anger", "happiness", "neutral", "sadness")
TRAIN = {"epochs": 6, "learning_rate": 0.003, "spec_augment": {"frequency_masks": 0, "time_masks": 0}}


@pytest.fixture(scope="module")
def trained(toy_files, small_crnn, tmp_path_factory):
    folder = tmp_path_factory.mktemp("trained") / "run"
    train_run(Toy(toy_files).data(train=TRAIN), folder, Silent(), command="c")
    return folder


@pytest.fixture
def run(trained, toy, tmp_path):
    return shutil.copytree(trained, tmp_path / "run"), toy.data(train=TRAIN)


def places(toy):
    return {"manifests": toy.manifests, "cache": toy.cache}


def test_every_part_is_predicted_and_scored(run):
    folder, data = run
    scores = score_run(folder, data)
    assert scores == read_result(RunScores, folder / "scores.json")
    assert {part: each.pooled.clips for part, each in scores.parts.items()} == data.counts()
    predictions = read_predictions(folder, EMOTIONS)
    assert predictions["utterance_id"].equals(data.examples.table["utterance_id"])
    test = predictions.filter(pc.equal(predictions["part"], "test"))
    right = np.mean(test["target"].to_numpy() == test["predicted"].to_numpy())
    assert scores.parts["test"].pooled.accuracy.value == pytest.approx(right)


def test_a_temperature_is_fitted_on_validation_clips_and_saved_with_the_model(run):
    folder, data = run
    raw = predict_clips(load_model(folder)[0], data.clips(np.arange(len(data.examples)), Learned()))
    scores = score_run(folder, data)
    rows, targets = data.rows("validation"), data.examples.target
    temperature = load_model(folder)[1].temperature
    assert temperature == pytest.approx(fit_temperature(raw[rows], targets[rows]))
    assert scores.certainty.temperature == temperature
    predictions = read_predictions(folder, EMOTIONS)
    stated = np.column_stack([predictions[f"p_{name}"].to_numpy() for name in EMOTIONS])
    assert stated == pytest.approx(temper(raw, temperature), abs=1e-6)
    assert (predictions["predicted"].to_numpy() == raw.argmax(1)).all()
    test = data.rows("test")
    pooled = scores.parts["test"].pooled
    assert pooled.ece_before == pytest.approx(expected_calibration_error(raw[test], targets[test]), abs=1e-5)
    assert pooled.ece == pytest.approx(expected_calibration_error(stated[test], targets[test]), abs=1e-6)


def test_a_temperature_that_is_there_is_kept(run):
    folder, data = run
    write_card(folder, load_model(folder)[1].model_copy(update={"temperature": 3.0, "abstain_below": 0.3}))
    scores = score_run(folder, data)
    assert scores.certainty == Certainty(temperature=3.0, abstain_below=0.3)
    stated = read_predictions(folder, EMOTIONS)
    sure = np.max([stated[f"p_{name}"].to_numpy() for name in EMOTIONS], axis=0) >= 0.3
    test = np.array(stated["part"].to_pylist()) == "test"
    hits = (stated["target"].to_numpy() == stated["predicted"].to_numpy())[test & sure]
    pooled = scores.parts["test"].pooled
    assert pooled.answered == pytest.approx(sure[test].mean())
    assert pooled.answered_accuracy == pytest.approx(hits.mean())


def test_without_validation_clips_probabilities_stay_as_they_are(toy, tmp_path):
    data = toy.data(train=TRAIN | {"epochs": 1})
    part = np.where(data.examples.part == 1, 0, data.examples.part).astype(np.int8)
    data = dataclasses.replace(data, examples=dataclasses.replace(data.examples, part=part))
    train_run(data, tmp_path / "run", Silent(), command="c")
    scores = score_run(tmp_path / "run", data)
    assert scores.certainty is None
    assert load_model(tmp_path / "run")[1].temperature is None
    assert scores.parts["test"].pooled.ece_before is None


def test_evaluating_again_gives_the_same_files(run, toy):
    folder, data = run
    score_run(folder, data)
    before = {name: (folder / name).read_bytes() for name in ("predictions.parquet", "scores.json")}
    for name in before:
        (folder / name).unlink()
    evaluate_run(folder, **places(toy))
    assert {name: (folder / name).read_bytes() for name in before} == before


def test_folds_are_pooled_in_the_parent(toy, tmp_path):
    inputs = toy.inputs(split="loco", fold="all", train={"epochs": 1})
    train_folds(inputs, tmp_path / "run", Silent(), command="c")
    scores = score_folds(tmp_path / "run", inputs)
    assert list(scores.parts) == ["test"]
    assert scores.certainty is None
    assert scores.parts["test"].pooled.ece_before is not None
    assert scores.parts["test"].pooled.clips == 120
    pooled = read_predictions(tmp_path / "run", EMOTIONS)
    for fold, corpus in enumerate(("emodb", "nemo")):
        part = read_predictions(tmp_path / "run" / f"fold-{fold}", EMOTIONS)
        assert pooled.filter(pc.equal(pooled["fold"], fold)).equals(
            part.filter(pc.equal(part["part"], "test"))
        )
        assert pooled["utterance_id"][60 * fold].as_py().startswith(corpus)
    assert evaluate_run(tmp_path / "run", **places(toy)) == scores
    with pytest.raises(SettingsError, match=r"^device 'tpu' is not there; this machine has [^;]*$"):
        evaluate_run(tmp_path / "run", **places(toy), device="tpu")


def test_a_fold_that_is_missing_is_named(toy, tmp_path):
    inputs = toy.inputs(split="loco", fold="all", train={"epochs": 1})
    train_folds(inputs, tmp_path / "run", Silent(), command="c")
    shutil.rmtree(tmp_path / "run" / "fold-1")
    with pytest.raises(RunError, match=r"fold 1 is not trained \(1 in all\); continue with 'ser train"):
        evaluate_run(tmp_path / "run", **places(toy))


def test_folds_that_test_nothing_are_not_expected(toy, tmp_path):
    write_split(toy.manifests, make_split(read_manifest(toy.manifests), "loso"))
    inputs = toy.inputs(split="loso", fold="all", corpora=("emodb",), train={"epochs": 1})
    train_folds(inputs, tmp_path / "run", Silent(), command="c")
    scores = score_folds(tmp_path / "run", inputs)
    assert scores.parts["test"].pooled.clips == 60
    assert evaluate_run(tmp_path / "run", **places(toy)) == scores


def test_a_network_that_diverged_is_not_scored(run, monkeypatch):
    folder, data = run
    network, card = load_model(folder)
    with torch.no_grad():
        for weight in network.parameters():
            weight.fill_(float("nan"))
    monkeypatch.setattr("ser_pipeline.evaluation.run.load_model", lambda _: (network, card))
    with pytest.raises(
        RunError, match="probabilities that are not numbers; train it again with a lower --lr"
    ):
        score_run(folder, data)
    assert not (folder / "scores.json").exists()


def test_a_network_of_other_emotions_is_refused(run):
    folder, data = run
    card = json.loads((folder / "model.json").read_text())
    card["emotions"] = ["anger", "happiness", "neutral", "fear"]
    (folder / "model.json").write_text(json.dumps(card))
    with pytest.raises(
        RunError, match="its network predicts anger, happiness, neutral, fear, but the run is about"
    ):
        score_run(folder, data)


def test_a_run_on_another_manifest_is_refused(run, toy):
    folder, _ = run
    toy.rows[0] = (*toy.rows[0][:4], 99)
    toy.write_manifest()
    with pytest.raises(RunError, match="the manifest is not the one this run was trained on"):
        evaluate_run(folder, **places(toy))


def test_a_run_of_corpora_that_another_manifest_has_not_says_how_to_score_them(run, toy):
    folder = run[0]
    info = read_info(folder)
    recipe = info.recipe.model_copy(update={"corpora": ("tess",)})
    write_info(folder, info.model_copy(update={"recipe": recipe}))
    says = (
        r"corpus 'tess' is not in the manifest; it has .*use 'ser predict \S+ --model \S+ --out predictions"
    )
    with pytest.raises(RunError, match=says):
        evaluate_run(folder, **places(toy))


def test_a_folder_that_is_no_run_is_refused(tmp_path, toy):
    with pytest.raises(RunError, match=r"settings.json: not found; train it again"):
        evaluate_run(tmp_path, **places(toy))


def test_folds_whose_training_leaves_clips_out_are_pooled_over_all_test_clips(toy, tmp_path):
    split = make_split(read_manifest(toy.manifests), "kfold", folds=2)
    write_split(toy.manifests, split)
    changes = {"split": "kfold", "fold": "all", "train_corpora": ("emodb",), "train": {"epochs": 1}}
    inputs = toy.inputs(**changes)
    info = train_folds(inputs, tmp_path / "r", Silent(), command="c")
    scores = score_folds(tmp_path / "r", inputs)
    assert scores.parts["test"].pooled.clips == info.counts["test"] == 120
    predicted = read_predictions(tmp_path / "r", EMOTIONS)["utterance_id"].to_pylist()
    assert sorted(predicted) == sorted(inputs.manifest.table["utterance_id"].to_pylist())


@pytest.mark.parametrize("model", ["crnn", "logreg"])
def test_both_halves_take_time(toy, tmp_path, model):
    toy.write_features()
    train_run(toy.data(model={"name": model}, train={"epochs": 1}), tmp_path / "r", Silent(), command="c")
    front_end, network = decision_ms(tmp_path / "r")
    assert 0 < front_end < 5000
    assert 0 < network < 5000


def test_without_a_network_there_is_nothing_to_time(tmp_path):
    with pytest.raises(RunError, match="not found"):
        decision_ms(tmp_path)
