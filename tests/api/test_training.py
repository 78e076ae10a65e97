import dataclasses
import os

import pyarrow.compute as pc
import pytest

from ser_pipeline import Watcher, evaluate, load_model, resume, train
from ser_pipeline.api import training
from ser_pipeline.errors import LabelError, RunError, SettingsError, StoreMissing
from ser_pipeline.manifest import read_manifest
from ser_pipeline.options import recipe
from ser_pipeline.runs.files import read_info, read_latency, read_scores
from ser_pipeline.runs.predictions import read_predictions
from ser_pipeline.serving.load import GRAPH
from ser_pipeline.splits import make_split, write_split


class Heard(Watcher):
    def __init__(self):
        self.notes, self.epochs = [], []

    def note(self, sentence):
        self.notes.append(sentence)

    def epoch_done(self, report):
        self.epochs.append(report.row["epoch"])


def test_a_run_is_made_of_settings_by_their_own_names_in_silence(here, capfd):
    run = train("crnn", task="loud", epochs=1, patience=None, name="a")
    assert capfd.readouterr() == ("", "")
    made = run.info.recipe
    assert (made.task, made.train.epochs, made.train.patience) == ("loud", 1, None)
    assert (made.front_end.n_mels, made.train.batch_size) == (8, 16)  # of ser.toml
    assert run.folder.resolve() == here / "runs" / "a"
    assert run.scores == read_scores(run.folder, run.info)
    assert 0 <= run.part("validation").pooled.uar.value <= 1
    assert read_latency(run.folder).network_ms > 0
    assert run.info.command == "train('crnn', task='loud', epochs=1, patience=None)"


def test_a_recipe_takes_the_place_of_the_settings_file(here):
    chosen = recipe(front_end={"n_mels": 8, "max_s": 1.0}, train={"epochs": 2, "batch_size": 20})
    run = train(chosen, epochs=1)
    assert run.info.recipe == chosen.model_copy(
        update={"train": chosen.train.model_copy(update={"epochs": 1})}
    )
    with pytest.raises(StoreMissing, match="ser cache mels"):
        train("crnn", settings=None)


def test_a_run_stands_for_its_folder(here):
    run = train("crnn", epochs=1, name="a")
    train("crnn", epochs=1, name="b", seed=1)
    assert os.fspath(run) == str(run.folder)
    assert evaluate(run).scores == run.scores
    assert evaluate("a").info == evaluate(here / "runs" / "a").info == run.info
    assert evaluate().info.name == "b"
    assert load_model(run).name == run.load().name == "a"


def test_training_writes_the_graph_that_predictions_take(here, monkeypatch, no_graphs):
    monkeypatch.setattr(training, "with_graph", no_graphs)
    run = train("crnn", epochs=1, name="a")
    assert run.load().run == run.folder
    (run.folder / GRAPH).unlink()
    resume(run, epochs=2)
    assert run.load().run == run.folder


def test_a_watcher_hears_what_training_sees(here):
    heard = Heard()
    train("crnn", watcher=heard)
    assert heard.notes == [
        "crnn, anger, happiness, neutral, sadness: train 72, validation 24, test 24 clips, split 'speaker'"
    ]
    assert heard.epochs == [1, 2]
    heard = Heard()
    run = train("crnn", split="loco", fold="all", epochs=1, watcher=heard)
    assert heard.notes == ["fold 0: emodb", "fold 1: nemo"]
    assert list(run.scores.parts) == ["test"]
    assert read_latency(run.folder) is None
    with pytest.raises(SettingsError, match="its split has no train part, only test"):
        run.part("train")


def test_a_run_goes_on_with_what_may_change(here):
    train("crnn", epochs=1, name="a")
    more = resume("a", epochs=3)
    assert more.info.recipe.train.epochs == 3
    assert more.scores.parts == train("crnn", epochs=3, name="b").scores.parts
    assert more.info.command == "train('crnn', epochs=1)"
    before = read_info(more.folder)
    with pytest.raises(
        SettingsError, match="a: 3 epochs are done, so that epochs = 2 is too few; give 3 to end"
    ):
        resume("a", epochs=2)
    assert read_info(more.folder) == before


@pytest.mark.parametrize(
    ("changes", "named"),
    [({"learning_rate": 0.1}, "train.learning_rate"), ({"task": "loud"}, "task"), ({"dropout": 0}, "model")],
)
def test_a_run_does_not_go_on_with_anything_else(here, changes, named):
    run = train("crnn", epochs=1)
    with pytest.raises(SettingsError, match=f"^{named}: a run continues with the settings it started with"):
        resume(run, **changes)


def test_an_interrupted_training_says_how_to_go_on(here):
    class Impatient(Watcher):
        def epoch_done(self, report):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt) as caught:
        train("crnn", name="a", watcher=Impatient())
    assert caught.value.__notes__ == ["continue with ser train --resume runs/a"]
    assert resume("a").info.stopped == "all 2 epochs are done"


@pytest.mark.parametrize(
    ("given", "error", "line"),
    [
        ({"model": "rnn"}, SettingsError, r"model.* crnn, resnet, .*gboost"),
        ({"epoch": 3}, SettingsError, "settings: epoch: there is no such setting .did you mean 'epochs'"),
        ({"epochs": 0}, SettingsError, "train.epochs"),
        ({"model": "svm", "epochs": 3}, SettingsError, "train.epochs: has no effect on model svm"),
        ({"model": recipe(), "preset": "paper"}, SettingsError, "does not go with a whole recipe"),
        ({"task": "5class"}, LabelError, "task '5class' does not exist; valid are 4class"),
        ({"name": "a/b"}, RunError, "cannot name a run"),
        ({"cache": "none"}, StoreMissing, "holds no complete store to learn from; run 'ser cache features'"),
        ({"model": "crnn", "cache": "none"}, StoreMissing, "run 'ser cache mels --n-mels 8"),
    ],
    ids=lambda value: str(value)[:30] if isinstance(value, dict) else "",
)
def test_a_mistake_is_one_line_and_leaves_no_run(here, given, error, line):
    with pytest.raises(error, match=line) as caught:
        train(**given)
    assert "\n" not in str(caught.value)
    assert not list((here / "runs").glob("*"))


def test_without_a_model_the_best_that_is_cached_is_trained(here):
    heard = Heard()
    run = train(epochs=1, watcher=heard)
    assert heard.notes[0] == "no model was named; crnn on mels is the best that the stores in cache allow"
    assert run.info.model == "crnn"
    with pytest.raises(SettingsError, match="nosuch"):
        train(nosuch=1)


def test_scores_of_ratings_and_of_emotions_are_told_apart(toy):
    toy.write_features()
    toy.write_manifest([row[3] / 4 - 0.4 for row in toy.rows])
    places = {"manifests": toy.manifests, "cache": toy.cache, "runs": toy.folder / "runs", "settings": None}
    run = train("logreg", target="arousal", name="a", **places)
    assert run.rated().clips == 24
    assert repr(run).startswith("ScoredRun(a: mean CCC: train 0.")
    assert "Pearson" in run._repr_html_()
    with pytest.raises(
        SettingsError, match=r"^a: part\(\) has scores of emotions, rated\(\) of ratings; use"
    ):
        run.part()
    with pytest.raises(SettingsError, match="part 'tset' does not exist"):
        run.rated("tset")


def test_a_run_keeps_its_fold_though_its_number_is_the_name_of_another(here):
    manifest = read_manifest(here / "manifests")
    split = make_split(manifest, "loco")
    write_split(here / "manifests", dataclasses.replace(split, folds=("1", "0")))  # of emodb and nemo

    def tested(run):
        table = read_predictions(run.folder, run.info.emotions)
        held = pc.equal(table["part"], "test")
        return {name.partition("/")[0] for name in table.filter(held)["utterance_id"].to_pylist()}

    run = train("crnn", split="loco", fold="1", epochs=1, name="a")
    assert (run.info.split.fold, tested(run)) == ("0", {"emodb"})
    assert tested(evaluate(run)) == {"emodb"}
    assert tested(resume(run, epochs=2)) == {"emodb"}
    assert train("crnn", split="loco", fold="0", epochs=1, name="b").info.split.fold == "1"
