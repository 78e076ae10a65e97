import ast
import importlib.util
import json
import pickle
import shutil
import subprocess
import sys
import warnings
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import Mock

import numpy as np
import pytest
import safetensors.torch
import torch

from ser_pipeline import load_model
from ser_pipeline.datasets.normalise import Learned, Scaling, learn_scaling
from ser_pipeline.errors import TOLD, RunError, SettingsError
from ser_pipeline.features.catalogue import NAMES
from ser_pipeline.options import FeatureOptions
from ser_pipeline.runs.card import content_digest
from ser_pipeline.runs.tested import FEWEST_CLIPS
from ser_pipeline.runs.types import CARD, WEIGHTS
from ser_pipeline.serving import export
from ser_pipeline.serving.export import export_graph, keep_graph
from ser_pipeline.serving.load import GRAPH, by_network
from ser_pipeline.serving.scorer import TorchScorer
from tests.serving.conftest import SMALL, save_random


def rewrite(folder, **changes):
    card = json.loads((folder / CARD).read_text()) | changes
    (folder / CARD).write_text(json.dumps(card))


def test_a_model_is_found_by_folder_name_and_file(run):
    for source in (run, str(run), run / CARD, run / WEIGHTS):
        assert load_model(source).name == "small"
    assert load_model("small", runs=run.parent).name == "small"


def test_the_best_run_with_a_model_is_the_default(tmp_path, rows, fake):
    runs = tmp_path / "runs"
    for day, (name, skill) in enumerate((("small", 0.5), ("best", 0.6), ("later", 0.4)), 1):
        fake.run(runs, name, rows, "d", created=f"2026-01-0{day}T00:00:00+00:00", skill=skill, epochs=1)
    for name in ("small", "best", "later", "broken"):
        save_random(runs / name)
    (runs / "broken" / "settings.json").write_text("{")
    model = load_model(runs=runs)
    assert model.name == model.about.name == "best"
    assert load_model("broken", runs=runs).about.uar is None


def test_a_threshold_that_few_validation_clips_stand_behind_is_not_used(tmp_path, rows, fake):
    folder = fake.run(tmp_path / "runs", "small", rows, "d", epochs=1)
    save_random(folder, abstain_below=0.6, temperature=1.5)
    scores = json.loads((folder / "scores.json").read_text())
    assert load_model(folder).card.abstain_below == 0.6
    scores["certainty"] = {"temperature": 1.5, "abstain_below": 0.6}
    assert scores["parts"]["validation"]["pooled"]["clips"] < FEWEST_CLIPS
    (folder / "scores.json").write_text(json.dumps(scores))
    assert (load_model(folder).card.abstain_below, load_model(folder).card.temperature) == (None, 1.5)


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("nowhere", r"model 'nowhere' does not exist; the newest runs in .*runs are: none"),
        ("text.txt", r"text.txt: not a model; pass a run folder, its model.json"),
        ("empty", r"empty: holds no model.json: pass a run folder"),
        ("started", r"started: holds no model.json: its training was not finished"),
        ("folded", r"folded: holds no model.json: its models are one for each fold; .*fold-0"),
        ("alone.safetensors", r"model.json: not found; alone.safetensors alone does not say"),
        ("earlier/model.skops", r"an earlier version wrote model.skops instead; 'ser train --resume"),
    ],
)
def test_what_is_no_model_is_refused(tmp_path, monkeypatch, source, says):
    monkeypatch.chdir(tmp_path)
    for name in ("text.txt", "alone.safetensors"):
        (tmp_path / name).write_text("text")
    for name in ("empty", "started", "folded"):
        (tmp_path / name).mkdir()
    for name in ("started", "folded"):
        (tmp_path / name / "settings.json").write_text("{}")
    save_random(tmp_path / "folded" / "fold-0")
    save_random(tmp_path / "earlier")
    (tmp_path / "earlier" / "model.safetensors").rename(tmp_path / "earlier" / "model.skops")
    with pytest.raises(RunError, match=says):
        load_model(source)


def test_without_a_run_or_the_built_in_model_the_command_that_makes_one_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr("ser_pipeline.serving.load.BUILT_IN", tmp_path / "gone.onnx")
    with pytest.raises(RunError, match=r"contains no trained models; train one with 'ser train crnn'"):
        load_model(runs=tmp_path / "runs")


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        (
            {"emotions": ["anger", "happiness", "neutral", "joy"]},
            r"emotions: 'joy' does not exist; valid are",
        ),
        ({"emotions": ["anger", "anger", "neutral", "fear"]}, r"emotions: two or more different"),
        ({"emotions": ["anger", "fear"]}, r"does not fit model.json"),
        ({"inputs_version": 1}, r"inputs_version: trained on mels of version 1, this program makes version"),
        ({"inputs_version": None}, r"inputs_version: trained on mels of an earlier version, this program"),
        ({"inputs": {**SMALL.model_dump(), "n_mels": 24}}, r"does not fit model.json"),
        ({"inputs": {**SMALL.model_dump(), "denoise": "magic"}}, r"model.json: inputs"),
        ({"inputs": {**SMALL.model_dump(), "level": "corpus_rms"}}, r"learned.gains_db: does not fit"),
        ({"learned": {"gains_db": {"*": 3.0}}}, r"learned.gains_db: does not fit"),
        ({"temperature": 0}, r"model.json: temperature"),
        ({"schema_version": 1}, r"model.json: schema_version"),
        ({"model": {"name": "transformer9"}}, r"model.json: model.name: Input should be 'crnn'"),
    ],
)
def test_a_card_that_does_not_fit_is_refused(run, changes, says):
    rewrite(run, **changes)
    with pytest.raises(Exception, match=says) as caught:
        load_model(run)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("what", ["names", "center", "missing"])
def test_a_scaling_that_does_not_fit_is_refused(tmp_path, what):
    # torch warns of networks without inputs, which is what a card without scaling asks for
    warnings.filterwarnings("ignore", "Initializing zero-element")
    values = np.random.default_rng(0).normal(size=(3, len(NAMES)))
    scaling = learn_scaling(values, NAMES, "none")
    broken = {
        "names": Scaling(**{**scaling.model_dump(), "names": (*NAMES[1:], "mystery")}),
        "center": Scaling(**{**scaling.model_dump(), "center": scaling.center[1:]}),
        "missing": scaling,
    }[what]
    folder = save_random(tmp_path / "run", FeatureOptions(), Learned(scaling=broken), model={"name": "dnn"})
    if what == "missing":
        rewrite(folder, learned={})
    with pytest.raises(RunError, match=r"learned.scaling|does not fit model.json"):
        load_model(folder)


def test_weights_that_are_no_numbers_are_refused(run):
    tensors = safetensors.torch.load_file(run / WEIGHTS)
    tensors["head.0.bias"][3] = torch.nan
    content = safetensors.torch.save(tensors)
    (run / WEIGHTS).write_bytes(content)
    rewrite(run, weights_digest=content_digest(content))
    with pytest.raises(RunError, match=r"weights 'head.0.bias' are not all finite"):
        load_model(run)


class Bomb:
    """Unpickling it makes a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (open, (str(self.path), "w"))


@pytest.mark.parametrize("name", ["model.pt", "model.pkl", "model.safetensors", "model.onnx"])
def test_a_pickle_is_never_opened(run, tmp_path, name):
    path = run / name
    path.write_bytes(pickle.dumps(Bomb(tmp_path / "exploded")))
    with pytest.raises(Exception, match=r"not a model|is not the file that|not an ONNX"):
        load_model(path)
    assert not (tmp_path / "exploded").exists()


def test_a_model_moved_elsewhere_still_loads(run, tmp_path):
    shutil.copytree(run, tmp_path / "elsewhere" / "m")
    assert load_model(tmp_path / "elsewhere" / "m").emotions == load_model(run).emotions


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    folder = save_random(tmp_path_factory.mktemp("exported") / "run")
    export_graph(load_model(folder), folder / GRAPH)
    return folder


def test_a_run_answers_by_the_graph_beside_its_weights_and_needs_no_torch(exported, voices):
    code = (
        "import sys; from ser_pipeline import load_model; model = load_model(sys.argv[1]); "
        "print(model.predict(sys.argv[2]).probabilities); assert not {'torch', 'sklearn'} & {*sys.modules}"
    )
    words = [sys.executable, "-c", code, str(exported), str(voices.paths[0])]
    told = subprocess.run(words, check=True, capture_output=True, text=True).stdout
    network = by_network(load_model(exported)).predict(voices.paths[0])
    assert ast.literal_eval(told) == pytest.approx(network.probabilities, abs=1e-5)


def test_the_network_behind_a_graph_can_be_looked_into_and_exported(exported, tmp_path):
    model = load_model(exported)
    assert (model.run, by_network(model).run) == (exported, None)
    assert by_network(model).scorer is by_network(load_model(exported)).scorer
    assert export_graph(model, tmp_path / "again.onnx").made_up.largest < 1e-5


def test_what_scoring_adds_to_a_card_does_not_part_it_from_its_graph(exported, tmp_path):
    folder = Path(shutil.copytree(exported, tmp_path / "scored"))
    rewrite(folder, temperature=2.0, abstain_below=0.3)
    model = load_model(folder)
    assert model.run == folder
    assert model.card.temperature == 2.0


@pytest.mark.parametrize("how", ["weights", "int8", "damaged", "foreign", "card"])
def test_a_graph_of_other_weights_is_never_served(exported, tmp_path, how):
    folder, told = tmp_path / "run", []
    TOLD.append(told.append)
    try:
        if how == "weights":
            save_random(folder, model={"name": "crnn", "pooling": "stats"})
            shutil.copy(exported / GRAPH, folder)
        else:
            shutil.copytree(exported, folder)
        if how == "int8":
            (folder / GRAPH).unlink()
            export_graph(load_model(folder), folder / GRAPH, int8=True)
        elif how == "damaged":
            (folder / GRAPH).write_bytes((exported / GRAPH).read_bytes()[:-1000])
        elif how == "foreign":
            (folder / GRAPH).write_text("a graph")
        elif how == "card":
            rewrite(folder, emotions=("anger", "fear", "neutral", "sadness"))
        model = load_model(folder)
    finally:
        TOLD.remove(told.append)
    assert model.run is None
    assert isinstance(model.scorer, TorchScorer)
    assert len(told) == 1
    assert str(folder / GRAPH) in told[0]
    assert f"the network itself answers, 'ser export {folder}' writes the graph again" in told[0]


def test_weights_that_were_exchanged_are_refused_as_without_a_graph(exported, tmp_path):
    folder = Path(shutil.copytree(exported, tmp_path / "changed"))
    (folder / WEIGHTS).write_bytes(b"others")
    with pytest.raises(RunError, match=r"is not the file that model.json was written for; train it again"):
        load_model(folder)


def test_a_network_trained_again_is_not_taken_for_the_one_that_was_loaded(exported, tmp_path):
    folder = Path(shutil.copytree(exported, tmp_path / "again"))
    model = load_model(folder)
    save_random(folder, model={"name": "crnn", "pooling": "stats"})
    with pytest.raises(RunError, match="was trained again since its graph was loaded; load it again"):
        by_network(model)


def test_a_graph_is_kept_of_networks_alone_and_what_prevents_it_is_said(exported, tmp_path, monkeypatch):
    folder = Path(shutil.copytree(exported, tmp_path / "run"))
    told = []
    monkeypatch.setattr(export, "remark", told.append)
    assert not keep_graph(folder)  # it has no settings.json
    assert "settings.json: not found" in told[0]
    monkeypatch.setattr(export, "read_info", lambda folder: SimpleNamespace(learned_from=("emodb",)))
    assert keep_graph(folder)
    assert load_model(folder).run == folder
    monkeypatch.setattr(export, "export_graph", Mock(side_effect=SettingsError("no graph")))
    assert not keep_graph(folder)
    assert told[1] == "no graph; predictions take the network itself"
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert not keep_graph(folder)
    assert len(told) == 2
