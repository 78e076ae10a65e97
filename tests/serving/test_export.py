import json
from types import SimpleNamespace

import numpy as np
import onnx
import onnxruntime
import pytest
import soundfile as sf

from ser_pipeline import load_model
from ser_pipeline.audio import decode_file
from ser_pipeline.datasets.normalise import Learned, first_step, learn_scaling
from ser_pipeline.datasets.rows import read_vectors
from ser_pipeline.errors import RunError, SettingsError
from ser_pipeline.labels import DIMENSIONS
from ser_pipeline.models.crnn import CRNN
from ser_pipeline.models.estimators import make_estimator
from ser_pipeline.models.fitted import EstimatorNetwork
from ser_pipeline.options import (
    EmbeddingOptions,
    FeatureOptions,
    FrontEnd,
    Fused,
    ModelOptions,
    PredictOptions,
    input_versions,
    recipe,
)
from ser_pipeline.runs.card import ModelCard
from ser_pipeline.serving import export
from ser_pipeline.serving.export import export_graph, graph_facts
from ser_pipeline.serving.graph import load_graph
from ser_pipeline.training.checkpoint import save_model
from tests.serving.conftest import EMOTIONS, SMALL, features_of_voices, save_random, shares, voice

PAPER = recipe("paper").front_end.model_copy(update={"n_mels": 16, "max_s": 1.0, "denoise": "none"})
LEVEL = SMALL.model_copy(update={"level": "corpus_rms"})
GAINS = Learned(gains_db={"emodb": 6.0, "*": 2.0})
FULL = dict(CRNN.__init__.__kwdefaults__)
"""Sizes of the network outside of tests."""

MODELS = {
    "crnn": (SMALL, {}),
    "stats": (SMALL, {"model": {"name": "crnn", "pooling": "stats"}}),
    "resnet": (SMALL, {"model": {"name": "resnet"}}),
    "mhsa": (SMALL, {"model": {"name": "mhsa"}}),
    "scaled": (SMALL, {"model": {"name": "crnn", "own_scale": True}}),
    "padded": (PAPER, {"model": {"name": "crnn", "masked": False}}),
    "level": (LEVEL, {"learned": GAINS}),
    "tempered": (SMALL, {"temperature": 2.5}),
    "untrimmed": (FrontEnd(denoise="none", n_mels=16, max_s=1.0, trim_db=None, level="none"), {}),
}


@pytest.fixture(scope="module")
def usual(tmp_path_factory):
    """A small masked CRNN of mels without noise reduction, and its graph; tests leave both alone."""
    folder = tmp_path_factory.mktemp("usual")
    run = save_random(folder / "run")
    return run, export_graph(load_model(run), folder / "m.onnx").path


def made(tmp_path, name):
    inputs, more = MODELS[name]
    return load_model(save_random(tmp_path / "run", inputs, **more))


@pytest.mark.parametrize("name", sorted(MODELS))
def test_a_graph_says_what_the_network_says(tmp_path, voices, name):
    model = made(tmp_path, name)
    path = export_graph(model, tmp_path / "m.onnx").path
    graph = load_model(path)
    expected = shares(model.predict(each) for each in voices.paths)
    assert shares(graph.predict(each) for each in voices.paths) == pytest.approx(expected, abs=1e-5)
    assert np.ptp(expected, axis=0).max() > 0.005


@pytest.mark.parametrize(
    "more",
    [{"model": {"name": "crnn", "dimensions": True}}, {"emotions": (), "target": ("valence", "dominance")}],
)
def test_a_graph_rates_as_the_network_does(tmp_path, voices, more):
    model = load_model(save_random(tmp_path / "run", **more))
    graph = load_model(export_graph(model, tmp_path / "m.onnx").path)
    assert graph.dimensions == model.dimensions == more.get("target", DIMENSIONS)
    found = [[each.predict(path) for path in voices.paths[:4]] for each in (model, graph)]
    for one, other in zip(*found, strict=True):
        assert other.ratings == pytest.approx(one.ratings, abs=1e-5)
        assert other.probabilities == pytest.approx(one.probabilities, abs=1e-5)
        assert other.decision == one.decision
    assert np.ptp([list(each.ratings.values()) for each in found[0]], axis=0).min() > 1e-4


@pytest.mark.parametrize("name", sorted(MODELS))
def test_a_graph_with_its_front_end_takes_samples_of_any_length(tmp_path, name):
    model = made(tmp_path, name)
    path = export_graph(model, tmp_path / "m.onnx", front_end=True).path
    session = onnxruntime.InferenceSession(path.read_bytes())
    silence = np.zeros(4000, np.float32)
    for seconds in (0.4, 0.93, 2.6):
        padded = np.concatenate([silence, voice(seconds, 2, 22_050), silence])
        for wave in (voice(seconds, 1, 22_050), padded):
            expected = pytest.approx(shares([model.predict_wave(wave, 22_050)]), abs=2e-4)
            for offset in (0.0, 0.05) if wave[0] else (0.0,):
                (found,) = session.run(["probabilities"], {"wave": wave + np.float32(offset)})
                assert found == expected


@pytest.mark.parametrize(("name", "share"), [("crnn", 0.6), ("tempered", 0.6), ("resnet", 0.9)])
def test_a_quantised_graph_is_smaller_and_decides_alike(tmp_path, voices, name, share):
    model = made(tmp_path, name)
    whole = export_graph(model, tmp_path / "m.onnx")
    waves = [decode_file(path, model.sample_rate) for path in voices.paths]
    small = export_graph(model, tmp_path / "q.onnx", int8=True, waves=waves)
    assert small.size < share * whole.size
    assert small.clips.clips == 6
    assert small.clips.agreement == 1
    assert 0 < small.clips.largest < 0.05
    said = shares(load_model(small.path).predict(path) for path in voices.paths)
    assert said == pytest.approx(shares(model.predict(path) for path in voices.paths), abs=0.05)


def test_the_full_network_in_8_bits_is_small(tmp_path, monkeypatch):
    monkeypatch.setattr(CRNN.__init__, "__kwdefaults__", FULL)
    model = load_model(save_random(tmp_path / "run", FrontEnd(denoise="none")))
    made = export_graph(model, tmp_path / "q.onnx", int8=True)
    assert made.size <= 2.5 * 2**20
    assert made.made_up.agreement == 1


@pytest.mark.parametrize("first", [SMALL, FeatureOptions()], ids=["mels", "features"])
def test_a_graph_names_no_folder_of_the_machine_that_made_it(first):
    encoder = EmbeddingOptions(encoder="/home/you/tiny", folder="/home/you/tiny", layers=(1,), width=2)
    name = "crnn" if first == SMALL else "logreg"
    card = ModelCard(
        model=ModelOptions(name=name), emotions=EMOTIONS, inputs=Fused(parts=(first, encoder)), epoch=1,
        store_fingerprint="0" * 16, synthetic=False,
    )  # fmt: skip
    told = graph_facts(SimpleNamespace(card=card, name="m", about=None), int8=False, front_end=False)
    assert told.takes == ("mel" if first == SMALL else "features")
    assert "/home/you" not in told.model_dump_json()
    assert told.card.inputs.parts[1].name == "tiny"


def classifier_of_features(run, name, copies=8):
    names, vectors = features_of_voices()
    learned = Learned(scaling=learn_scaling(vectors, names, "none"))
    values, labels = learned.scaling.apply(vectors), np.arange(len(vectors)) % 4
    values, labels = np.tile(values, (copies, 1)), np.tile(labels, copies)  # enough for trees to split
    card = ModelCard(
        model=ModelOptions(name=name), emotions=EMOTIONS, inputs=FeatureOptions(), learned=learned,
        epoch=1, store_fingerprint="0" * 16, synthetic=False, inputs_version=input_versions(FeatureOptions()),
    )  # fmt: skip
    fitted = make_estimator(name, 0.1, balanced=True, seed=0, splits=2 if name == "svm" else None)
    save_model(run, EstimatorNetwork.of(name, fitted.fit(values, labels), 4), card)
    return run


@pytest.mark.parametrize(("name", "copies"), [("logreg", 8), ("svm", 8), ("gboost", 8), ("gboost", 1)])
def test_classifiers_of_features_are_exported(voices, tmp_path, name, copies):
    model = load_model(classifier_of_features(tmp_path / "run", name, copies))
    graph = load_model(export_graph(model, tmp_path / "m.onnx").path)
    expected = shares(model.predict(path) for path in voices.paths)
    assert shares(graph.predict(path) for path in voices.paths) == pytest.approx(expected, abs=1e-5)


def test_a_model_without_a_layer_for_8_bits_is_refused_and_nothing_written(tmp_path):
    run = classifier_of_features(tmp_path / "plain", "logreg")
    with pytest.raises(SettingsError, match=r"plain: has no LSTM or linear layer .* leave --int8 out"):
        export_graph(load_model(run), tmp_path / "q.onnx", int8=True)
    assert not (tmp_path / "q.onnx").exists()


@pytest.mark.parametrize("name", ["dnn", "cnn1d"])
def test_networks_of_features_are_exported(voices, tmp_path, name):
    store = voices.store(FeatureOptions())
    values = first_step(read_vectors(store, store.rows(voices.digests)), store.names, "none")
    learned = Learned(scaling=learn_scaling(values, store.names, "none"))
    model = load_model(save_random(tmp_path / "run", FeatureOptions(), learned, model={"name": name}))
    graph = load_model(export_graph(model, tmp_path / "m.onnx").path)
    expected = shares(model.predict(path) for path in voices.paths)
    assert shares(graph.predict(path) for path in voices.paths) == pytest.approx(expected, abs=1e-5)


def test_the_metadata_say_all_that_feeding_it_takes(tmp_path, run):
    path = export_graph(load_model(run), tmp_path / "m.onnx", trained_on=("emodb",)).path
    props = {each.key: each.value for each in onnx.load(path).metadata_props}
    assert json.loads(props["ser.emotions"]) == list(EMOTIONS)
    assert json.loads(props["ser.sample_rate"]) == 22_050
    assert json.loads(props["ser.inputs"])["n_mels"] == 16
    facts = json.loads(props["ser"])
    assert facts["takes"] == "mel"
    assert facts["trained_on"] == ["emodb"]
    assert facts["card"]["emotions"] == list(EMOTIONS)


def test_a_graph_can_be_moved_and_streamed(tmp_path, run):
    export_graph(load_model(run), tmp_path / "m.onnx").path.rename(tmp_path / "n.onnx")
    for name in ("model.json", "model.safetensors"):
        (run / name).unlink()
    assert len(load_model(tmp_path / "n.onnx").emotions) == 4


def graph(path, usual, **changes):
    """Write a graph whose metadata were changed; None drops them."""
    loaded = onnx.load(usual[1])
    facts = json.loads({each.key: each.value for each in loaded.metadata_props}["ser"])
    del loaded.metadata_props[:]
    if changes.pop("keep", True):
        facts["card"].update(changes)
        onnx.helper.set_model_props(loaded, {"ser": json.dumps(facts)})
    path.write_bytes(loaded.SerializeToString())
    return path


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"keep": False}, "without 'ser' in its metadata"),
        ({"emotions": ["anger", "fear"]}, r"gives 4 scores, its metadata name 2 emotions"),
        ({"emotions": ["anger", "fear", "joy", "calm"]}, "'joy' does not exist"),
        ({"inputs": {**SMALL.model_dump(), "n_mels": 24}}, r"its metadata say 24 mels"),
        ({"inputs_version": 1}, "of version 1"),
        ({"colour": "blue"}, "metadata 'ser'"),
    ],
)
def test_a_graph_that_does_not_fit_its_metadata_is_refused(tmp_path, usual, changes, says):
    with pytest.raises(RunError, match=says):
        load_model(graph(tmp_path / "m.onnx", usual, **changes))


@pytest.mark.parametrize("content", [b"", b"not a graph", bytes(1000)])
def test_what_is_no_graph_is_refused(tmp_path, content):
    (tmp_path / "m.onnx").write_bytes(content)
    with pytest.raises(RunError, match=r"m.onnx: (not an ONNX graph|an ONNX graph without)"):
        load_model(tmp_path / "m.onnx")


def test_a_graph_that_the_disk_refuses_is_named(tmp_path):
    (tmp_path / "m.onnx").mkdir()
    with pytest.raises(RunError, match=r"m\.onnx: cannot be read \(Is a directory\)"):
        load_graph(tmp_path / "m.onnx")


def test_a_graph_that_takes_samples_is_for_other_programs(tmp_path, run):
    path = export_graph(load_model(run), tmp_path / "m.onnx", front_end=True).path
    with pytest.raises(RunError, match=r"takes samples and has the front end inside"):
        load_model(path)


def test_noise_reduction_is_not_for_graphs(tmp_path):
    model = load_model(save_random(tmp_path / "run", FrontEnd(n_mels=16, max_s=1.0)))
    with pytest.raises(SettingsError, match=r"--front-end needs a model of mels alone without noise"):
        export_graph(model, tmp_path / "m.onnx", front_end=True)


def test_a_graph_is_not_exported_again(tmp_path, usual):
    with pytest.raises(SettingsError, match="this is a graph already"):
        export_graph(load_model(usual[1]), tmp_path / "n.onnx")


def test_a_graph_that_differs_is_not_written(tmp_path, run, monkeypatch):
    monkeypatch.setattr(export, "EXACT", -1.0)
    with pytest.raises(RunError, match="nothing was written"):
        export_graph(load_model(run), tmp_path / "m.onnx")
    assert not (tmp_path / "m.onnx").exists()


def test_without_onnx_the_extra_is_named(tmp_path, run, monkeypatch):
    monkeypatch.setattr(export.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(SettingsError, match=r"pip install 'ser-pipeline\[export\]'"):
        export_graph(load_model(run), tmp_path / "m.onnx")


@pytest.mark.real
def test_on_real_recordings_the_graphs_decide_alike(tmp_path, real_data):
    clips = sorted(path for path in real_data.rglob("*") if path.suffix in {".wav", ".flac"})[::40]
    model = load_model(save_random(tmp_path / "run", FrontEnd(denoise="none")))
    waves = [decode_file(path, model.sample_rate) for path in clips]
    for options in ({}, {"front_end": True}):
        found = export_graph(model, tmp_path / "m.onnx", waves=waves, **options).clips
        assert found.clips == len(clips)
        assert found.agreement == 1
    small = export_graph(model, tmp_path / "q.onnx", int8=True, waves=waves).clips
    assert small.agreement >= 0.99


def test_a_long_recording_is_told_by_a_graph_too(tmp_path, usual):
    model, graph = map(load_model, usual)
    sf.write(tmp_path / "a.wav", voice(4.0), 16_000)
    expected = shares(model.timeline(tmp_path / "a.wav", PredictOptions()))
    assert shares(graph.timeline(tmp_path / "a.wav", PredictOptions())) == pytest.approx(expected, abs=1e-5)
