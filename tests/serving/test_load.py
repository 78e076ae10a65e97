import json
import pickle
import shutil
import warnings

import numpy as np
import pytest
import safetensors.torch
import torch

from ser_pipeline import load_model
from ser_pipeline.datasets.normalise import Learned, Scaling, learn_scaling
from ser_pipeline.errors import RunError
from ser_pipeline.features.catalogue import NAMES
from ser_pipeline.options import FeatureOptions
from ser_pipeline.runs.types import CARD, WEIGHTS
from ser_pipeline.training.checkpoint import _digest
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


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("nowhere", r"model 'nowhere' does not exist; the newest runs in .*runs are: none"),
        ("text.txt", r"text.txt: not a model; pass a run folder, its model.json"),
        ("empty", r"empty: holds no model.json: pass a run folder"),
        ("started", r"started: holds no model.json: its training was not finished"),
        ("folded", r"folded: holds no model.json: its models are one for each fold; .*fold-0"),
        ("alone.safetensors", r"model.json: not found; alone.safetensors alone does not say"),
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
    with pytest.raises(RunError, match=says):
        load_model(source)


def test_without_a_run_or_the_built_in_model_the_command_that_makes_one_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr("ser_pipeline.serving.load.BUILT_IN", tmp_path / "gone.onnx")
    with pytest.raises(RunError, match=r"contains no trained model; train one with 'ser train crnn'"):
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
    rewrite(run, weights_digest=_digest(content))
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
