"""Folders for the Hugging Face Hub; its own parser reads their cards."""

import json
import re
import shutil
from pathlib import Path

import pytest
import soundfile as sf
from huggingface_hub import ModelCard, metadata_load
from typer.testing import CliRunner

from ser_pipeline import load_model
from ser_pipeline.cli import app
from ser_pipeline.corpora import known_corpora
from ser_pipeline.errors import RunError, SerError
from ser_pipeline.evaluation.run import score_run
from ser_pipeline.options import EmbeddingOptions
from ser_pipeline.runs.card import read_card
from ser_pipeline.runs.files import read_info, read_scores
from ser_pipeline.serving.demo import model_to_serve
from ser_pipeline.serving.export import export_folder, export_graph
from ser_pipeline.serving.graph import load_graph
from ser_pipeline.serving.hub import header, licence_for, licence_line, licence_of, licence_text, usage
from ser_pipeline.training.run import train_run
from tests.conftest import Toy
from tests.serving.conftest import RATE, shares, voice
from tests.training.conftest import Silent


@pytest.fixture(scope="module")
def trained(small_crnn, tmp_path_factory):
    """Folder of a small network, trained and scored."""
    place = tmp_path_factory.mktemp("trained")
    data, folder = Toy(place).data(), place / "runs" / "toy"
    train_run(data, folder, Silent(), command="ser train crnn")
    score_run(folder, data)
    return folder


@pytest.fixture(scope="module")
def exported(trained, tmp_path_factory):
    out = tmp_path_factory.mktemp("exported") / "hub"
    export_folder(load_model(trained), trained, out, trained_on=("emodb", "nemo"))
    return out


def told(text):
    """What the Hub's parser makes of a header."""
    return ModelCard(text, ignore_metadata_errors=False).data


def test_the_hub_reads_the_header_of_the_card(exported, trained):
    card = ModelCard.load(exported / "README.md", ignore_metadata_errors=False)
    data, info = card.data, read_info(trained)
    assert (data.license, data.license_link) == ("other", "LICENSE")  # EMO-DB states none
    assert (data.library_name, data.pipeline_tag) == ("ser-pipeline", "audio-classification")
    assert (data.language, data.datasets) == (["de", "pl"], None)
    assert {"speech-emotion-recognition", "onnx", "crnn"} < set(data.tags)
    assert data.base_model is None
    assert card.text.strip().startswith("# Model card: toy")
    uar, accuracy, f1 = data.eval_results
    test = read_scores(trained, info).parts["test"].pooled
    assert data.model_name == "toy"
    assert (uar.metric_type, uar.metric_value) == ("recall", round(test.uar.value, 4))
    assert (accuracy.metric_type, f1.metric_type) == ("accuracy", "f1")
    assert (uar.dataset_split, uar.task_type) == ("test", "audio-classification")
    assert uar.dataset_name == f"emodb, nemo: {test.speakers} new speakers, split {info.split.name}"
    assert metadata_load(exported / "README.md")["metrics"] == ["recall", "accuracy", "f1"]


def test_a_folder_is_a_model_and_gives_the_answers_of_its_run(exported, trained):
    waves = [voice(0.8, number) for number in range(3)]
    models = [load_model(place) for place in (trained, exported)]
    run, folder = (shares(model.predict_wave(wave, RATE) for wave in waves) for model in models)
    assert folder == pytest.approx(run, abs=1e-4)
    assert models[1].about.name == "toy"
    settings = json.loads((exported / "config.json").read_text(encoding="utf-8"))
    assert list(settings["label2id"]) == list(models[0].emotions)
    assert settings["id2label"] == {str(at): name for at, name in enumerate(models[0].emotions)}
    assert settings["card"] == json.loads(load_graph(exported / "model.onnx")[0].card.model_dump_json())
    assert {path.name for path in exported.iterdir()} == {"README.md", "LICENSE", "config.json", "model.onnx"}


def blocks(text):
    return re.findall(r"```python\n(.*?)```", text, re.S)


@pytest.fixture
def runs(monkeypatch, capsys):
    """Runs code in a folder, and gives what it prints."""

    def run(folder, code):
        monkeypatch.chdir(folder)
        capsys.readouterr()
        exec(compile(code, "README.md", "exec"), {})
        return capsys.readouterr().out

    return run


def test_what_a_card_shows_works_when_it_is_copied(exported, runs, tmp_path):
    folder = shutil.copytree(exported, tmp_path / "copy")
    sf.write(folder / "a.wav", voice(1.0), RATE)
    (code,) = blocks((folder / "README.md").read_text(encoding="utf-8"))
    decision = load_model(exported).predict_wave(voice(1.0), RATE).decision
    assert runs(folder, code).startswith(decision)


def test_a_graph_with_an_encoder_is_used_with_onnxruntime_alone(save, runs, tmp_path):
    model = load_model(save())
    facts = export_graph(model, tmp_path / "model.onnx").facts
    assert (facts.card.inputs.folder, "/" in facts.card.inputs.encoder) == ("", False)
    first, second = blocks(usage(facts))
    assert "ser_pipeline" not in second
    wave = voice(1.0)
    sf.write(tmp_path / "a.wav", wave, RATE, subtype="FLOAT")
    said = json.loads(runs(tmp_path, second).replace("'", '"'))
    assert list(said) == list(model.emotions)
    assert list(said.values()) == pytest.approx(
        list(model.predict_wave(wave, RATE).probabilities.values()), abs=1e-4
    )
    assert runs(tmp_path, first)


def test_a_model_that_must_know_the_speaker_is_shown_with_several_recordings(save, runs, tmp_path):
    facts = export_graph(load_model(save(mode="speaker")), tmp_path / "model.onnx").facts
    (code,) = blocks(usage(facts))
    (tmp_path / "recordings").mkdir()
    for number in range(5):
        sf.write(tmp_path / "recordings" / f"{number}.wav", voice(1.0, number), RATE)
    assert runs(tmp_path, code).count("anger") == 5
    assert "onnxruntime" not in usage(facts)


@pytest.mark.parametrize(
    ("corpora", "encoder", "licence", "says"),
    [
        (
            ("nemo", "ravdess"),
            "",
            "cc-by-nc-sa-4.0",
            "is licensed under CC BY-NC-SA 4.0:\nhttps://creativecomm",
        ),
        (("nemo",), "whisper-base", "cc-by-nc-sa-4.0", "whisper-base: MIT, openai/whisper-base"),
        (("tess",), "", "cc-by-nc-nd-4.0", "https://creativecommons.org/licenses/by-nc-nd/4.0/legalcode"),
        (("tess", "nemo"), "", "other", "the terms of all that it\nlearned from hold together"),
        (("cremad",), "", "odbl", "under the terms of the licence 'odbl'"),
        (("savee", "nemo"), "", "other", "SAVEE: free for research, on registration; no licence stated"),
        (("nemo", "mine"), "", "unknown", "  mine: not known to this program\n"),
        (("nemo",), "my-encoder", "unknown", "  my-encoder: not known to this program\n"),
    ],
)
def test_the_strictest_licence_counts_and_unknown_ones_are_said(trained, corpora, encoder, licence, says):
    info = read_info(trained).model_copy(update={"train_corpora": corpora})
    card = read_card(trained)
    if encoder:
        card = card.model_copy(update={"inputs": EmbeddingOptions(encoder=encoder, layers=(1,))})
    assert licence_for(info, card) == licence
    assert says in licence_text(info, card)
    data = told(header(info, read_scores(trained, info), card))
    assert (data.license, data.license_link) == (licence, "LICENSE" if licence == "other" else None)
    assert data.base_model == (["openai/whisper-base"] if encoder == "whisper-base" else None)
    doubtful = licence in ("other", "unknown", "cc-by-nc-nd-4.0")
    assert ("may not allow it to be published" in licence_line(info, card)) == doubtful


def test_no_licence_is_two_that_each_ask_for_themselves():
    odbl = "ODbL 1.0 (database), DbCL 1.0 (contents)"
    for licences in (
        ["GPL-3.0", "CC BY-SA 4.0"],
        [odbl, "CC BY-NC-SA 4.0"],
        ["CC BY-SA 4.0", "CC BY-NC-SA 4.0"],
    ):
        assert licence_of(licences) == "other"
    assert licence_of(["CC BY-SA 3.0", "CC BY-SA 4.0", "MIT"]) == "cc-by-sa-4.0"


def test_licences_of_every_corpus_that_is_known_have_an_identifier_of_the_hub():
    found = {licence_of([corpus.CARD.licence]) for corpus in known_corpora().values()}
    assert found <= {
        "cc0-1.0", "cc-by-4.0", "cc-by-nc-4.0", "cc-by-nc-sa-4.0", "cc-by-nc-nd-4.0", "gpl-3.0", "odbl",
        "other", "unknown",
    }  # fmt: skip
    assert {"cc-by-4.0", "cc0-1.0", "gpl-3.0", "odbl", "other", "unknown"} < found


def test_scores_of_people_it_knows_are_no_result_on_the_hub(trained):
    info, card = read_info(trained), read_card(trained)
    scores = read_scores(trained, info)
    split = info.split.model_copy(update={"leaks_speakers": True})
    assert told(header(info.model_copy(update={"split": split}), scores, card)).eval_results is None
    untested = scores.model_copy(update={"parts": {"train": scores.parts["train"]}})
    assert told(header(info, untested, card)).eval_results is None


def test_names_that_yaml_would_take_for_something_else_stay_names(trained):
    info = read_info(trained).model_copy(update={"name": "no: [1e3", "train_corpora": ("123", "resd")})
    data = told(header(info, read_scores(trained, info), read_card(trained)))
    assert (data.model_name, data.datasets) == ("no: [1e3", ["Aniemore/resd_annotated"])


def test_a_folder_that_is_there_is_kept_and_nothing_is_left_of_a_failure(trained, tmp_path, monkeypatch):
    model = load_model(trained)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "a").write_text("mine")
    with pytest.raises(SerError, match="full: exists already; delete it, or choose another folder"):
        export_folder(model, trained, tmp_path / "full")
    assert [path.name for path in (tmp_path / "full").iterdir()] == ["a"]
    monkeypatch.setattr("ser_pipeline.serving.export.EXACT", -1.0)
    with pytest.raises(RunError, match="nothing was written"):
        export_folder(model, trained, tmp_path / "hub")
    assert [path.name for path in tmp_path.iterdir()] == ["full"]


def test_a_run_without_scores_has_no_folder(save, tmp_path):
    run = save()
    with pytest.raises(RunError, match=r"settings\.json: not found"):
        export_folder(load_model(run), run, tmp_path / "hub")
    assert not (tmp_path / "hub").exists()


def ser(*words, status=0):
    result = CliRunner().invoke(app, [str(word) for word in words])
    assert result.exit_code == status, result.output
    return result


def test_the_command_writes_a_folder_that_other_commands_take(trained, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    sf.write("a.wav", voice(1.0), RATE)
    said = ser("export", trained, "--hub", "hub", "--check", "a.wav")
    assert said.stdout.startswith("hub: ")
    assert "on 1 recording: probabilities differ by at most" in said.stderr
    assert "licence: other; what it learned from may not allow it to be published" in said.stderr
    assert "upload it with: hf upload USER/toy hub" in said.stderr
    answer = json.loads(ser("predict", "a.wav", "--model", "hub", "--format", "json").stdout)
    assert answer["answered_by"]["name"] == "toy"
    model, place = model_to_serve(Path("hub"))
    assert (model.about.name, place) == ("toy", Path("hub/model.onnx"))
    again = ser("export", trained, "--hub", "hub", status=1).stderr
    assert again == "ser: hub: exists already; delete it, or choose another folder\n"


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--model-card"], "--hub: does not go with --model-card; leave it out"),
        (["--front-end", "--out", "x"], "--hub: does not go with --front-end or --out; leave it out"),
        (["--runs", "nowhere"], "ser: "),
    ],
)
def test_what_does_not_go_with_it_is_one_line(tmp_path, monkeypatch, words, says):
    monkeypatch.chdir(tmp_path)
    said = ser("export", "toy", "--hub", "hub", *words, status=1).stderr
    assert said.count("\n") == 1
    assert says in said
    assert not Path("hub").exists()


def test_a_graph_is_no_run_and_has_no_folder(exported, tmp_path):
    for source in (exported, exported / "model.onnx"):
        said = ser("export", source, "--hub", tmp_path / "hub", status=1).stderr
        assert "only a run can be exported to ONNX; this is a graph already" in said
        assert said.count("\n") == 1
