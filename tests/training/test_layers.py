import json

import pytest

from ser_pipeline.errors import TrainingError
from ser_pipeline.evaluation.run import evaluate_run, score_run
from ser_pipeline.runs.card import read_card
from ser_pipeline.runs.files import read_info
from ser_pipeline.training.layers import candidates, settled
from ser_pipeline.training.run import train_run
from tests.training.conftest import Silent


def on_embeddings(toy, name="logreg", **changes):
    asked = {"embeddings": changes.pop("embeddings", {}), "on": "embeddings"}
    return toy.data(model={"name": name}, **asked, **changes)


def test_layers_are_tried_alone_and_three_side_by_side():
    assert candidates((1, 2)) == [(1,), (2,)]
    assert candidates((3, 5, 6, 9)) == [(3,), (5,), (6,), (9,), (3, 5, 6), (5, 6, 9)]


def test_the_layer_that_does_best_on_validation_clips_is_taken_and_said(toy, tmp_path):
    toy.write_embeddings()
    data = settled(on_embeddings(toy, layers="best"), tmp_path / "run")
    assert data.recipe.embeddings.layers == (2,)
    (choice,) = data.choice
    assert (choice.layers, choice.encoder) == ((2,), 0)
    assert len(choice.tried) == 6
    uars = {trial.layers: trial.uar for trial in choice.tried}
    assert uars[(2,)] == max(uars.values()) > 0.8
    assert uars[(0,)] < 0.5


def test_each_encoder_has_layers_chosen_for_it(toy, tmp_path):
    toy.write_embeddings()
    toy.write_embeddings(encoder="other", weights="0b" * 16, width=4, layers=(2, 3), depth=4)
    toy.write_features()
    data = toy.data(
        model={"name": "logreg"},
        on="embeddings,features",
        embeddings={"encoder": "toy,other"},
        layers="best/best",
    )
    assert data.remarks()[1] == "layers of toy and other are chosen on validation clips"
    info = train_run(data, tmp_path / "run", Silent(), command="")
    assert [(choice.encoder, len(choice.tried)) for choice in info.layer_choice] == [(0, 6), (1, 2)]
    assert info.layer_choice[0].layers == info.recipe.embeddings.layers
    assert info.recipe.layers == (info.recipe.embeddings.layers, info.recipe.more_encoders[0].layers)
    assert info.layers.count("choices by UAR on validation clips") == 2
    scores = score_run(tmp_path / "run", data)
    assert evaluate_run(tmp_path / "run", manifests=toy.manifests, cache=toy.cache) == scores


def test_test_clips_have_no_say_in_the_choice(toy, tmp_path):
    values = toy.write_embeddings()
    first = settled(on_embeddings(toy, layers="best"), tmp_path / "run").choice
    test = set(toy.data().examples.of_part("test").column("audio_digest").tolist())
    for number in range(len(toy.rows)):
        if toy.digest(number) in test:
            values[number] = 1e3
    import shutil

    shutil.rmtree(toy.cache / "embeddings")
    toy.write_embeddings(values=values)
    assert settled(on_embeddings(toy, layers="best"), tmp_path / "run").choice == first


def test_layers_that_are_named_are_not_chosen_from(toy, tmp_path):
    toy.write_embeddings()
    data = on_embeddings(toy, layers=(0, 3))
    assert settled(data, tmp_path) is data
    usual = on_embeddings(toy)
    assert (usual.recipe.layers, settled(usual, tmp_path).choice) == ((1,), ())  # a third to half of 3
    every = on_embeddings(toy, layers="all")
    assert (every.recipe.layers, settled(every, tmp_path).choice) == ((0, 1, 2, 3), ())
    assert settled(toy.data(), tmp_path).choice == ()


def test_without_validation_clips_layers_must_be_named(toy, tmp_path, monkeypatch):
    toy.write_embeddings()
    data = on_embeddings(toy, layers="best")
    monkeypatch.setattr(type(data), "rows", lambda self, part: [] if part == "validation" else [0, 1])
    with pytest.raises(
        TrainingError, match="no validation clips to choose layers by; name some, as in --layers 3"
    ):
        settled(data, tmp_path)


@pytest.mark.parametrize("name", ["logreg", "svm", "gboost", "dnn"])
def test_every_model_of_vectors_learns_from_the_chosen_layers(toy, tmp_path, name):
    toy.write_embeddings()
    folder = tmp_path / "runs" / name
    data = on_embeddings(
        toy, name, layers="best", train={"epochs": 4, "warmup_epochs": 0, "learning_rate": 0.01}
    )
    info = train_run(data, folder, Silent(), command="")
    assert info.layer_choice[0].layers == (2,)
    assert info.recipe.embeddings.layers == (2,)
    card = read_card(folder)
    assert card.inputs == toy.embedding_options(layers=(2,), pooling=("mean",))
    assert card.n_inputs == 8
    scores = score_run(folder, data)
    assert scores.parts["test"].pooled.uar.value > 0.6
    assert evaluate_run(folder, manifests=toy.manifests, cache=toy.cache) == scores


def test_a_run_keeps_the_layers_it_began_with(toy, tmp_path):
    toy.write_embeddings()
    folder = tmp_path / "run"
    train_run(on_embeddings(toy, layers="best"), folder, Silent(), command="")
    written = json.loads((folder / "settings.json").read_text())
    written["layer_choice"] = {**written["layer_choice"][0], "layers": [1]}  # as of before
    (folder / "settings.json").write_text(json.dumps(written))
    again = settled(on_embeddings(toy, layers="best"), folder)
    assert again.recipe.embeddings.layers == (1,)
    assert again.choice == read_info(folder).layer_choice
