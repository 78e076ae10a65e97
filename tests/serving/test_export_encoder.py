"""Models that learned from an encoder, as one graph from samples to probabilities."""

import functools
import itertools
import json
import shutil
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import soundfile as sf

from ser_pipeline import load_model
from ser_pipeline.audio.mono import mixed
from ser_pipeline.errors import AudioError, EncoderError, RunError, SettingsError
from ser_pipeline.options import PredictOptions
from ser_pipeline.serving import graph
from ser_pipeline.serving.export import export_graph, keep_graph
from ser_pipeline.serving.load import GRAPH
from tests.serving.conftest import EMOTIONS, RATE, WAVES, saver, shares, voice

FAMILIES = (
    "whisper", "wavlm", "wav2vec2", "wav2vec2-bert", "hubert", "data2vec-audio", "unispeech", "unispeech-sat",
    "whisper+wavlm",
)  # fmt: skip


UNUSABLE = [np.zeros(16_000, np.float32), WAVES[0][:50]]


@pytest.fixture(scope="module")
def exported(encoder_files, tmp_path_factory):
    """Give the run of these settings and what its export gave, made once for all who ask for the same."""

    @functools.cache
    def made(name="dnn", mode="none", **changes):
        folder = tmp_path_factory.mktemp("exported")
        run = saver(lambda family: encoder_files(family, 0), folder / "run")(name=name, mode=mode, **changes)
        return run, export_graph(load_model(run), folder / "m.onnx", waves=[*WAVES, *UNUSABLE])

    return made


@pytest.fixture
def usual(exported):
    """A run on layers of Whisper, and its graph."""
    run, made = exported()
    return run, made.path


@contextmanager
def gone(folder):
    """A folder is not there meanwhile."""
    away = folder.rename(folder.with_name("gone"))
    try:
        yield
    finally:
        away.rename(folder)


def said(model, **more):
    return shares(model.predict_wave(wave, RATE, **more) for wave in WAVES)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_graph_holds_its_encoder(save, tmp_path, family):
    model = load_model(save(family))
    made = export_graph(model, tmp_path / "m.onnx")
    assert (made.facts.takes, made.made_up.clips) == ("wave", 3)
    expected = said(model)
    assert said(load_model(made.path)) == pytest.approx(expected, abs=1e-4)
    assert np.ptp(expected, axis=0).max() > 0.005


def test_a_graph_with_an_encoder_inside_hears_no_offset(usual):
    graph = load_model(usual[1]).scorer
    for wave in (WAVES[0], np.pad(WAVES[0] + np.float32(0.05), 4_000)):  # zeros at the ends are padding
        assert graph.hear(wave, None)[1] == pytest.approx(graph.hear(mixed(wave), None)[1], abs=1e-4)


PROBES = [
    ("whisper", "probe", {}),
    ("wavlm", "probe", {"attention": False}),
    ("whisper", "finetune", {"lora": 2}),
    ("whisper", "finetune", {"unfreeze": 1, "dimensions": True}),
    ("wavlm", "finetune", {"lora": 2}),
    ("wav2vec2-bert", "finetune", {"lora": 2}),
    ("wav2vec2", "finetune", {"unfreeze": 2, "checkpointing": True}),
]


@pytest.mark.parametrize(("family", "name", "how"), PROBES)
def test_a_probe_is_exported_with_its_encoder(save, tmp_path, family, name, how):
    model = load_model(save(family, name, how=how))
    made = export_graph(model, tmp_path / "m.onnx")
    assert (made.facts.takes, made.made_up.clips) == ("wave", 3)
    expected = said(model)
    graph = load_model(made.path)
    assert said(graph) == pytest.approx(expected, abs=1e-4)
    assert np.ptp(expected, axis=0).max() > 0.005
    long = [[each.predict_wave(voice(7.0)[:80_001], RATE)] for each in (model, graph)]
    assert shares(long[1]) == pytest.approx(shares(long[0]), abs=1e-3)
    names = [node.name for node in onnx.load(made.path).graph.node]
    assert any("/layers.1/" in name for name in names)
    assert not any("/layers.2/" in name for name in names)


def test_a_graph_of_a_probe_predicts_alone_and_refuses_what_the_run_refuses(
    exported, encoder_files, tmp_path
):
    run, made = exported("finetune", trim_db=None)
    model = load_model(run)
    files = [tmp_path / "a.wav", tmp_path / "b.wav"]
    for path, wave in zip(files, (WAVES[0], WAVES[3]), strict=True):
        sf.write(path, wave, RATE)
    with gone(encoder_files("whisper", 0)):
        graph = load_model(made.path)
        together = [shares(each.predict_many(files)) for each in (model, graph)]
    assert together[1] == pytest.approx(together[0], abs=1e-4)
    assert graph.predict_wave(1e-5 * WAVES[0], RATE).decision == "no speech"
    for wave in (WAVES[0][:1_599], np.full(16_000, np.nan, np.float32), WAVES[0][:0]):
        reasons = []
        for each in (model, graph):
            with pytest.raises(AudioError) as caught:
                each.predict_wave(wave, RATE)
            reasons.append(str(caught.value))
        assert reasons[0] == reasons[1]


@pytest.mark.parametrize("name", ["probe", "finetune"])
def test_a_probe_in_eight_bits_is_smaller(exported, tmp_path, name):
    run, whole = exported(name, trim_db=None)
    small = export_graph(load_model(run), tmp_path / "q.onnx", int8=True, waves=WAVES)
    assert small.size < whole.size  # most of this one is the table of Whisper's filters and transform
    assert "MatMulInteger" in {node.op_type for node in onnx.load(small.path).graph.node}
    assert small.clips.clips == len(WAVES)
    assert small.clips.largest > 0
    assert small.clips.agreement > 0.7


@pytest.mark.parametrize("name", ["logreg", "svm"])
@pytest.mark.parametrize("classes", [2, 3, 4])
def test_classifiers_are_inside(save, tmp_path, name, classes):
    model = load_model(save(name=name, classes=classes))
    graph = load_model(export_graph(model, tmp_path / "m.onnx").path)
    assert said(graph) == pytest.approx(said(model), abs=1e-4)


@pytest.mark.parametrize(
    "changes",
    [
        {"trim_db": None},
        {"crop_s": 0.4},
        {"pooling": ("mean",)},
        {"pooling": ("max", "mean")},
        {"trim_db": 12},
    ],
)
def test_settings_of_the_embeddings_are_inside(exported, changes):
    run, made = exported(**changes)
    model, graph = load_model(run), load_model(made.path)
    assert said(graph) == pytest.approx(said(model), abs=1e-4)


def test_a_recording_beyond_the_encoders_window_is_cut_into_parts(usual):
    model, graph = map(load_model, usual)  # whose window is 2 s
    for samples in (31_999, 32_000, 32_001, 80_001, 100_003):
        wave = voice(7.0)[:samples]
        expected = shares([model.predict_wave(wave, RATE)])
        assert shares([graph.predict_wave(wave, RATE)]) == pytest.approx(expected, abs=1e-4)


def test_silence_is_cut_inside(usual):
    path = usual[1]
    quiet = np.zeros(8_000, np.float32)
    graph = load_model(path)
    found = graph.predict_wave(np.concatenate([quiet, WAVES[3], quiet]), RATE)
    assert found.start_s == pytest.approx(0.5, abs=0.1)
    session = onnxruntime.InferenceSession(path.read_bytes())
    padded = np.concatenate([quiet, WAVES[3], quiet])
    (alone,) = session.run(["probabilities"], {"wave": padded})
    assert alone == pytest.approx(shares([found]), abs=1e-5)


def test_a_graph_adapts_to_a_speaker(exported, tmp_path):
    run, made = exported(mode="adaptive")
    model, graph = load_model(run), load_model(made.path)
    assert said(graph) == pytest.approx(said(model), abs=1e-4)
    files = []
    for number, wave in enumerate(WAVES):
        files.append(tmp_path / f"{number}.wav")
        sf.write(files[-1], wave, RATE)
    adapted = [each.for_speaker(files[:3])[0] for each in (model, graph)]
    expected = said(adapted[0])
    assert said(adapted[1]) == pytest.approx(expected, abs=1e-4)
    assert np.abs(expected - said(model)).max() > 1e-3
    together = [shares(each.predict_many(files, one_speaker=True)) for each in (model, graph)]
    assert together[1] == pytest.approx(together[0], abs=1e-4)


def test_a_model_that_must_know_the_speaker_is_told_of_him(save, tmp_path):
    model = load_model(save(mode="speaker"))
    graph = load_model(export_graph(model, tmp_path / "m.onnx").path)
    files = []
    for number, wave in enumerate([*WAVES[:5], np.zeros(8_000, np.float32)]):
        files.append(tmp_path / f"{number}.wav")
        sf.write(files[-1], wave, RATE)
    together = [[*each.predict_many(files, one_speaker=True)] for each in (model, graph)]
    assert together[1][5].decision == together[0][5].decision == "no speech"
    assert shares(together[1][:5]) == pytest.approx(shares(together[0][:5]), abs=1e-4)
    with pytest.raises(RunError, match="normalises features by speaker"):
        graph.predict(files[0])
    session = onnxruntime.InferenceSession((tmp_path / "m.onnx").read_bytes())
    assert [each.name for each in session.get_inputs()] == ["wave", "speaker_center", "speaker_scale"]


def test_other_programs_need_not_tell_of_the_speaker(exported):
    run, made = exported(mode="adaptive")
    model, session = load_model(run), onnxruntime.InferenceSession(made.path.read_bytes())
    assert [each.name for each in session.get_inputs()] == ["wave"]
    probabilities, vector = session.run(["probabilities", "vector"], {"wave": WAVES[0]})
    assert probabilities == pytest.approx(shares([model.predict_wave(WAVES[0], RATE)]), abs=1e-4)
    center = vector[0] - 0.1
    (other,) = session.run(["probabilities"], {"wave": WAVES[0], "speaker_center": center})
    assert np.abs(other - probabilities).max() > 1e-4


def test_eight_bits_are_smaller_and_decide_alike(exported, tmp_path):
    run, whole = exported()
    small = export_graph(load_model(run), tmp_path / "q.onnx", int8=True, waves=WAVES)
    assert small.size < 0.9 * whole.size
    assert small.clips.agreement >= 0.75
    assert 0 < small.clips.largest < 0.2
    nodes = {node.op_type for node in onnx.load(small.path).graph.node}
    assert "MatMulInteger" in nodes


def test_layers_above_the_last_are_not_inside(usual):
    names = [node.name for node in onnx.load(usual[1]).graph.node]
    assert any("layers.1/" in name for name in names)
    assert not any("layers.2/" in name for name in names)


def test_it_predicts_where_neither_torch_nor_transformers_is_loaded(usual, encoder_files, tmp_path):
    run, path = usual
    sf.write(tmp_path / "a.wav", WAVES[0], RATE)
    code = (
        "import sys; sys.modules['torch'] = sys.modules['transformers'] = None\n"
        "from ser_pipeline.cli import app\n"
        f"app(['predict', {str(tmp_path / 'a.wav')!r}, '--model', {str(path)!r}, '--format', 'json'])"
    )
    encoder = json.loads((run / "model.json").read_text())["inputs"]["folder"]
    with gone(encoder_files("whisper", 0)):
        assert not path.parent.joinpath(encoder).exists()
        found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
        assert found.returncode == 0, found.stderr
        assert json.loads(found.stdout)["emotion"] in EMOTIONS
        with pytest.raises(EncoderError, match="not on this machine"):
            load_model(run)


def test_what_is_no_sound_is_told_as_by_the_run(exported):
    run, made = exported(trim_db=None)
    model, graph = load_model(run), load_model(made.path)
    for wave in (np.zeros(16_000, np.float32), 1e-5 * WAVES[0]):
        assert graph.predict_wave(wave, RATE).decision == "no speech"
    for wave in (WAVES[0][:100], np.full(16_000, np.nan, np.float32), WAVES[0][:0]):
        reasons = []
        for each in (model, graph):
            with pytest.raises(Exception, match=r".") as caught:
                each.predict_wave(wave, RATE)
            reasons.append((type(caught.value), str(caught.value).removeprefix("wave: ")))
        assert reasons[0] == reasons[1]


def test_trees_on_layers_have_no_graph(save, tmp_path):
    with pytest.raises(
        SettingsError, match="gboost on an encoder cannot be exported, because tiny differences"
    ):
        export_graph(load_model(save(name="gboost")), tmp_path / "m.onnx")


def test_a_graph_in_the_folder_of_its_run_hears_as_the_encoder_does(usual, tmp_path):
    run = Path(shutil.copytree(usual[0], tmp_path / "run"))
    assert not keep_graph(run)  # the encoder would be in it, which is large
    network = load_model(run)
    shutil.copy(usual[1], run / GRAPH)
    graph = load_model(run)
    assert (network.run, graph.run) == (None, run)
    assert said(graph) == pytest.approx(said(network), abs=1e-4)


def test_a_graph_whose_vector_does_not_fit_is_refused(usual, tmp_path):
    path, graph = tmp_path / "m.onnx", onnx.load(usual[1])
    props = {each.key: each.value for each in graph.metadata_props}
    facts = json.loads(props["ser"])
    for name in ("names", "center", "scale"):
        facts["card"]["learned"]["scaling"][name] = facts["card"]["learned"]["scaling"][name][:-1]
    onnx.helper.set_model_props(graph, {"ser": json.dumps(facts)})
    path.write_bytes(graph.SerializeToString())
    with pytest.raises(RunError, match="its metadata say 191 embeddings; export it again"):
        load_model(path)


def test_an_encoder_that_changed_is_not_written(save, make_encoder, tmp_path):
    run = save()
    make_encoder("whisper", seed=1)
    with pytest.raises(EncoderError, match="holds other weights"):
        export_graph(load_model(run), tmp_path / "m.onnx")
    assert not (tmp_path / "m.onnx").exists()


def test_a_graph_that_differs_is_not_written(save, tmp_path, monkeypatch):
    growing = itertools.count()
    monkeypatch.setattr(graph, "softmax", lambda logits, _: logits * next(growing))
    with pytest.raises(RunError, match="nothing was written"):
        export_graph(load_model(save()), tmp_path / "m.onnx")


def test_recordings_are_compared_too(exported):
    found = exported()[1].clips
    assert (found.clips, found.unusable, found.agreement) == (8, 2, 1)
    assert found.largest < 1e-4


def test_embeddings_of_less_precision_are_exported_whole(save, tmp_path):
    model = load_model(save(precision="bf16"))
    made = export_graph(model, tmp_path / "m.onnx")
    inputs = model.card.inputs.model_copy(update={"precision": "fp32"})
    exact = replace(model, card=model.card.model_copy(update={"inputs": inputs}))
    assert said(load_model(made.path)) == pytest.approx(said(exact), abs=1e-4)


def test_windows_of_a_long_recording_are_told_alike(usual, tmp_path):
    model, graph = map(load_model, usual)
    sf.write(tmp_path / "a.wav", voice(6.0), RATE)
    options = PredictOptions(window_s=2.0)
    expected = shares(model.timeline(tmp_path / "a.wav", options))
    assert len(expected) > 3
    assert shares(graph.timeline(tmp_path / "a.wav", options)) == pytest.approx(expected, abs=1e-4)
