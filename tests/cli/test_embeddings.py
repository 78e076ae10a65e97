import json
import os
import shutil
import sys

import pyarrow.parquet as pq
import pytest
from safetensors import safe_open
from typer.testing import CliRunner

from ser_pipeline.cli import app
from ser_pipeline.encoders.embed import encoder_of


@pytest.fixture
def home(home, tmp_path, monkeypatch):
    """A machine without encoders but those that are made."""
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    monkeypatch.delenv("SER_ENCODERS", raising=False)
    return home


def ser(*words):
    return CliRunner().invoke(app, [str(word) for word in words])


def test_all_layers_of_every_recording_are_kept(home, make_encoder):
    folder = make_encoder("whisper")
    result = ser("cache", "embeddings", "--encoder", folder, "--jobs", 2)
    assert result.exit_code == 0, result.stderr
    assert f"tiny-whisper: layers 0, 1, 2, 3 of {folder}" in result.stderr
    assert "4 of 4 recordings (4 computed now, 0 failed)" in result.stdout
    again = ser("cache", "embeddings", "--encoder", "tiny-whisper", "--encoders", folder.parent)
    assert "(0 computed now" in again.stdout
    (row,) = json.loads(ser("cache", "status", "--format", "json").stdout)
    assert (row["kind"], row["settings"], row["state"]) == ("embeddings", "tiny-whisper", "current")


def test_flags_and_settings_file_reach_the_store(home, make_encoder):
    folder = make_encoder("hubert")
    (home / "ser.toml").write_text(f"[embeddings]\nencoder = '{folder}'\ntrim_db = 40\n")
    result = ser("cache", "embeddings", "--layers", "1-2", "--pooling", "mean,std", "--dry-run")
    assert "would compute 4 of 4 recordings" in result.stdout
    assert ser("cache", "embeddings", "--layers", "1-2", "--pooling", "mean,std").exit_code == 0
    assert ser("cache", "embeddings", "--layers", "3", "--frames", "--crop-s", "0.3").exit_code == 0
    rows = json.loads(ser("cache", "status", "--format", "json").stdout)
    assert {row["kind"]: row["settings"] for row in rows} == {
        "embeddings": "tiny-hubert layers=1,2 pooling=mean,std trim_db=40.0",
        "frames": "tiny-hubert layers=3 frames=True crop_s=0.3 trim_db=40.0",
    }


def test_random_variants_are_made_for_training(home, make_encoder):
    result = ser("cache", "embeddings", "--encoder", make_encoder("whisper"), "--copies", 2, "--layers", "1")
    assert result.exit_code == 0, result.stderr
    assert "augmented-embeddings" in result.stdout
    assert "8 of 8 variants (8 computed now, 0 failed)" in result.stdout
    assert "next: ser train logreg --on embeddings --encoder " in result.stderr
    assert result.stderr.endswith("tiny-whisper --layers 1 --copies 2\n")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--encoder", "nobody"), "encoder 'nobody': not on this machine"),
        (("--encoder", "a", "--encoder", "b"), "encoder 'a,b': names several; name one, and give"),
        (("--layers", "7"), "layer 7: tiny-whisper has layers 0 (what goes into the first) to 3"),
        (("--layers", "3-1"), "layers '3-1': '3-1' is not a layer; valid are lists such as 2,3 or 0-6, and"),
        (("--layers", "two"), "layers 'two': 'two' is not a layer"),
        (("--pooling", "median"), "ser: --pooling median: must be a list of mean, std or max"),
        (("--frames",), "--frames: needs --layers, as in --layers 3"),
        (("--crop-s", "0"), "ser: --crop-s 0: must be a number above 0"),
        (("--precision", "int8"), "ser: --precision int8: must be fp32, bf16 or fp16"),
        (("--device", "tpu"), "ser: --device tpu: must be auto, cpu, cuda or mps"),
        (("--crop-s", "0.001"), "shorter than one step of the encoder; the recording cannot be used"),
    ],
)
def test_a_wrong_value_is_one_line_and_nothing_is_stored(home, make_encoder, words, said):
    encoder = () if "--encoder" in words else ("--encoder", make_encoder("whisper"))
    result = ser("cache", "embeddings", *encoder, *words)
    assert result.exit_code == 1
    assert said in result.stderr
    if "recording cannot be used" not in said:
        assert result.stderr.splitlines()[-1].startswith("ser: ")
        assert not (home / "cache").exists()


def test_a_damaged_encoder_is_one_line_and_nothing_is_stored(home, make_encoder):
    folder = make_encoder("whisper")
    content = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(content[: len(content) // 2])
    result = ser("cache", "embeddings", "--encoder", folder)
    assert result.exit_code == 1
    assert "model.safetensors: damaged:" in result.stderr
    assert not list(home.glob("cache/*/*/shard-*"))


def test_without_the_extra_the_command_says_how_to_get_it(home, make_encoder, monkeypatch):
    folder = make_encoder("whisper")
    monkeypatch.setitem(sys.modules, "transformers", None)
    result = ser("cache", "embeddings", "--encoder", folder)
    assert result.exit_code == 1
    assert (
        "ser: encoders need transformers, which is not installed: pip install 'ser-pipeline[encoders]'"
        in (result.stderr)
    )


def test_encoders_are_listed_with_what_is_known_of_them(home, make_encoder):
    folder = make_encoder("whisper", "whisper-base").parent
    make_encoder("wavlm", "mine")
    (folder / "broken").mkdir()
    (folder / "broken" / "config.json").write_text("{}")
    result = ser("cache", "encoders", "--encoders", folder, "--format", "json")
    rows = {row["name"]: row for row in json.loads(result.stdout)}
    assert rows["whisper-base"]["here"] == str(folder / "whisper-base")
    assert rows["whisper-large-v3"]["here"] == "no"
    assert rows["wavlm-large"]["licence"] == "CC BY-SA 3.0"
    assert rows["mine"]["layers"] == 3
    assert "broken: is a 'None', no speech encoder" in result.stderr


@pytest.mark.real
def test_a_real_encoder_on_real_recordings(real_encoders, real_data, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SER_ENCODERS", str(real_encoders))
    assert ser("manifest", "build", "--data", real_data, "--limit", "40").exit_code in (0, 1)
    result = ser("cache", "embeddings", "--data", real_data, "--encoder", "whisper-tiny.en", "--limit", "8")
    assert result.exit_code == 0, result.stderr
    assert ser("cache", "verify", "--data", real_data, "--sample", "2").exit_code == 0
    assert os.listdir(tmp_path / "cache") == ["embeddings"]


def run_of(home):
    return max((home / "runs").glob("[!.]*"), key=lambda folder: folder.stat().st_mtime_ns)


def test_from_cache_to_a_prediction_that_is_the_cached_one(corpus, make_encoder):
    folder = make_encoder("whisper")
    assert ser("cache", "embeddings", "--encoder", folder).exit_code == 0
    result = ser("train", "logreg", "--on", "embeddings", "--layers", "best", "--c", "0.1")
    assert result.exit_code == 0, result.stderr
    assert "layers of tiny-whisper are chosen on validation clips" in result.stderr
    assert "the best of 6 choices by UAR on validation clips of logistic regression" in result.stderr
    run = run_of(corpus)
    info = json.loads((run / "settings.json").read_text())
    assert info["layer_choice"][0]["layers"] == info["recipe"]["embeddings"]["layers"]
    assert len(info["layer_choice"][0]["tried"]) == 6
    assert (run / "latency.json").is_file()
    clips = sorted((corpus / "DataSets" / "EmoDB" / "wav").glob("*.wav"))[:4]
    told = ser("predict", *clips, "--format", "json").stdout
    predicted = [json.loads(line)["probabilities"] for line in told.splitlines()]
    cached = pq.read_table(run / "predictions.parquet").to_pandas().set_index("utterance_id")
    for path, row in zip(clips, predicted, strict=True):
        (known,) = [cached.loc[name] for name in cached.index if name.endswith(path.stem)]
        for emotion in ("anger", "happiness", "neutral", "sadness"):
            assert row[emotion] == pytest.approx(known[f"p_{emotion}"], abs=2e-3)
    assert ser("evaluate").exit_code == 0
    assert ser("report").exit_code == 0


def test_speakers_can_be_normalised_and_folds_choose_for_themselves(corpus, make_encoder):
    assert ser("cache", "embeddings", "--encoder", make_encoder("wavlm")).exit_code == 0
    assert ser("manifest", "split", "kfold").exit_code == 0
    result = ser(
        "train",
        "svm",
        "--encoder",
        "tiny-wavlm",
        "--layers",
        "best",
        "--normalise",
        "speaker",
        "--split",
        "kfold",
        "--fold",
        "all",
    )
    assert result.exit_code == 0, result.stderr
    run = run_of(corpus)
    chosen = [
        json.loads(path.read_text())["layer_choice"][0] for path in sorted(run.glob("fold-*/settings.json"))
    ]
    assert len(chosen) == 5
    assert all(choice["layers"] for choice in chosen)
    assert json.loads((run / "settings.json").read_text())["recipe"]["layers"] == "best"
    assert ser("evaluate", run.name).exit_code == 0
    clips = sorted((corpus / "DataSets" / "EmoDB" / "wav").glob("03*.wav"))
    model = f"{run.name}/fold-0"
    assert ser("predict", *clips, "--model", model, "--one-speaker").exit_code == 0


def test_named_layers_need_no_more_than_their_layers(corpus, make_encoder):
    folder = make_encoder("whisper")
    assert ser("cache", "embeddings", "--encoder", folder, "--layers", "1,2").exit_code == 0
    words = ("train", "dnn", "--layers", "2", "--embeddings-pooling", "mean,max", "--epochs", "2")
    result = ser(*words)
    assert result.exit_code == 0, result.stderr
    assert "layers 2 of tiny-whisper\n" in result.stderr
    card = json.loads((run_of(corpus) / "model.json").read_text())
    clip = next((corpus / "DataSets" / "EmoDB" / "wav").glob("*.wav"))
    (corpus / "few").mkdir()
    shutil.copy(clip, corpus / "few")
    exported = ser("export", run_of(corpus).name, "--check", corpus / "few")
    assert exported.exit_code == 0, exported.output
    graph = next(run_of(corpus).glob("*.onnx"))
    one, other = (
        ser("predict", clip, "--format", "json", "--model", model) for model in (run_of(corpus).name, graph)
    )
    probabilities = [json.loads(result.stdout)["probabilities"] for result in (one, other)]
    assert probabilities[0] == pytest.approx(probabilities[1], abs=1e-4)
    assert ser("export", run_of(corpus).name, "--model-card", "--out", corpus / "card.md").exit_code == 0
    model_card = (corpus / "card.md").read_text()
    assert "layers 2 of the encoder tiny-whisper" in model_card
    assert "licence this program does not know. It is needed to predict, and not part of the" in model_card
    assert ser("export", run_of(corpus).name, "--hub", corpus / "hub", "--int8").exit_code == 0
    hub_card = (corpus / "hub" / "README.md").read_text()
    assert hub_card.startswith("---\nlicense: unknown\n")
    assert "whose licence this program does not know. It is inside the graph." in hub_card
    assert "Its weights are stored in 8 bits." in hub_card
    assert (card["inputs"]["layers"], card["inputs"]["pooling"]) == ([2], ["mean", "max"])
    assert len(card["learned"]["scaling"]["names"]) == 64
    lacking = ser("train", "dnn", "--layers", "3")
    assert lacking.exit_code == 1
    assert "holds tiny-whisper layers=1,2, not layer 3; run 'ser cache embeddings" in lacking.stderr


def test_an_encoder_that_moved_is_found_again_and_a_changed_one_is_refused(corpus, make_encoder, monkeypatch):
    folder = make_encoder("whisper")
    assert ser("cache", "embeddings", "--encoder", folder).exit_code == 0
    assert ser("train", "logreg", "--layers", "2", "--c", "0.1").exit_code == 0
    clip = next((corpus / "DataSets" / "EmoDB" / "wav").glob("*.wav"))
    moved = corpus / "moved" / folder.name
    moved.parent.mkdir()
    folder.rename(moved)
    gone = ser("predict", clip)
    assert gone.exit_code == 1
    assert "ser: encoder 'tiny-whisper': not on this machine" in gone.stderr
    assert ser("train", "logreg", "--layers", "1", "--c", "0.1").exit_code == 0  # the store is enough
    monkeypatch.setenv("SER_ENCODERS", str(moved.parent))
    assert ser("predict", clip).exit_code == 0
    make_encoder("whisper", seed=1)
    monkeypatch.setenv("SER_ENCODERS", str(folder.parent))
    changed = ser("predict", clip)
    assert changed.exit_code == 1
    assert "holds other weights" in changed.stderr
    assert "put that encoder back, or cache and train again with this one" in changed.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("crnn", "--layers", "2"), "--layers: has no effect on model crnn on mels; leave it out"),
        (("crnn", "--on", "embeddings"), "--on: has no effect on model crnn unless mels are named too"),
        (
            ("logreg", "--on", "features", "--layers", "2"),
            "--layers: has no effect on model logreg on features",
        ),
        (
            ("logreg", "--layers", "2", "--set", "egemaps"),
            "--set: has no effect on model logreg on embeddings",
        ),
        (("logreg", "--layers", "2", "--normalise", "relative"), "normalise relative is for features"),
        (("logreg", "--layers", "x"), "layers 'x': 'x' is not a layer"),
        (("logreg", "--on", "words"), "--on words: must be a list of mels, frames, features or embeddings"),
        (
            ("logreg", "--on", "embeddings"),
            "no embeddings; run 'ser cache embeddings --encoder whisper-base'",
        ),
        (("logreg", "--encoder", "mine"), "no embeddings of mine; run 'ser cache embeddings --encoder mine'"),
    ],
)
def test_flags_that_do_not_fit_are_one_line(home, words, said):
    result = ser("train", *words)
    assert result.exit_code == 1
    assert said in result.stderr
    assert result.stderr.startswith("ser: ")


def test_without_a_model_the_best_that_is_cached_is_trained_and_named(corpus, make_encoder):
    nothing = ser("train")
    assert nothing.exit_code == 1
    assert "cache: holds no complete store to learn from; run 'ser cache features'" in nothing.stderr
    assert ser("cache", "features").exit_code == 0
    result = ser("train", "--c", "0.1", "--name", "first")
    assert result.exit_code == 0, result.stderr
    said = " is the best that the stores in cache allow\n"
    assert f"no model was named; logreg on features{said}" in result.stderr
    folder = make_encoder("whisper")
    assert ser("cache", "embeddings", "--encoder", folder, "--limit", "60").exit_code == 0
    assert f"logreg on features{said}" in ser("train", "--c", "0.1").stderr  # one is not complete
    assert ser("cache", "embeddings", "--encoder", folder).exit_code == 0
    assert f"logreg on layers 1 of tiny-whisper{said}" in ser("train", "--c", "0.1").stderr
    assert f"logreg on layers 2 of tiny-whisper{said}" in ser("train", "--layers", "2", "--c", "0.1").stderr
    assert f"logreg on features{said}" in ser("train", "--on", "features", "--c", "0.1").stderr
    assert "the best that" not in ser("train", "logreg", "--c", "0.1").stderr
    (corpus / "ser.toml").write_text("[model]\nname = 'logreg'\n")
    assert "the best that" not in ser("train", "--c", "0.1").stderr


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--epochs", "x"), "--epochs x: must be a whole number of at least 1"),
        (("--task", "nosuch"), "task 'nosuch'"),
        (("--n-mels", "80"), "no mels for these settings; run 'ser cache mels --n-mels 80'"),
        (("--encoder", "nosuch"), "no embeddings of nosuch"),
        (("--split", "nosuch"), "nosuch.parquet: not found"),
        (("--preset", "paper", "--split", "speaker"), "run 'ser cache mels --preset paper'"),
    ],
)
def test_without_a_model_wrong_words_are_one_line(corpus, words, message):
    result = ser("train", *words)
    assert result.exit_code == 1
    assert message in result.stderr
    assert len(result.stderr.splitlines()) == 1


def probabilities_of(run, paths, *more, model=None):
    """Probabilities told for recordings, and those of their clips in the run's table of predictions."""
    told = ser("predict", *paths, "--model", model or run, "--format", "json", *more).stdout
    predicted = [json.loads(line)["probabilities"] for line in told.splitlines()]
    table = pq.read_table(run / "predictions.parquet").to_pandas().set_index("utterance_id")
    rows = [table.loc[next(name for name in table.index if name.endswith(path.stem))] for path in paths]
    cached = [{emotion: row[f"p_{emotion}"] for emotion in predicted[0]} for row in rows]
    return predicted, cached


@pytest.mark.parametrize("family", ["whisper", "wav2vec2"])
def test_a_probe_learns_from_steps_and_predicts_as_from_the_cache(corpus, make_encoder, family):
    folder = make_encoder(family)
    assert ser("cache", "embeddings", "--encoder", folder, "--frames", "--layers", "1-3").exit_code == 0
    result = ser("train", "probe", "--epochs", "2", "--layers", "1,2", "--mixup")
    assert result.exit_code == 0, result.stderr
    assert f"layers 1, 2 of tiny-{family}" in result.stderr
    run = run_of(corpus)
    again = ser("train", "--resume", run, "--epochs", "3")
    assert again.exit_code == 0, again.stderr
    assert len((run / "metrics.csv").read_text().splitlines()) == 4
    clips = sorted((corpus / "DataSets" / "EmoDB" / "wav").glob("*.wav"))[:3]
    predicted, cached = probabilities_of(run, clips)
    for told, known in zip(predicted, cached, strict=True):
        assert told == pytest.approx(known, abs=1e-3)
    assert ser("evaluate").exit_code == 0
    assert ser("export", run.name, "--model-card", "--out", corpus / "card.md").exit_code == 0
    assert f"layers 1, 2 of the encoder tiny-{family}" in (corpus / "card.md").read_text()
    assert "step by step" in (corpus / "card.md").read_text()
    assert ser("export", run.name, "--out", corpus / "probe.onnx").exit_code == 0
    by_graph = probabilities_of(run, clips, model=corpus / "probe.onnx")[0]
    for told, known in zip(by_graph, predicted, strict=True):
        assert told == pytest.approx(known, abs=1e-4)
    explained = ser("explain", run.name, "--repeats", "2", "--part", "train")
    assert explained.exit_code == 0, explained.stderr
    assert "learned weight" in explained.stdout
    assert ser("report").exit_code == 0
    assert "Learned weight" in (corpus / "reports" / "report.md").read_text()
    shutil.copy(make_encoder(family, "other", seed=1) / "model.safetensors", folder)
    encoder_of.cache_clear()
    changed = ser("predict", clips[0], "--model", run)
    assert changed.exit_code == 1
    assert "holds other weights" in changed.stderr


@pytest.mark.parametrize(
    ("kept", "words", "said"),
    [
        (None, (), "no frames; run 'ser cache embeddings --encoder whisper-base --layers 2,3 --frames'"),
        ((), (), "tiny-whisper --layers 1 --frames'"),
        ((), ("--encoder", "tiny-whisper"), "--layers 1 --frames'"),
        (("--frames", "--layers", "1,2"), ("--layers", "3"), "layers=1,2 frames=True, not layer 3"),
        (("--frames", "--layers", "1,2"), ("--layers", "best"), "probe learns how much each layer counts"),
        (("--frames", "--layers", "1,2"), ("--encoder", "a,b"), "probe learns from one encoder"),
        (("--frames", "--layers", "1,2"), ("--on", "embeddings"), "--on: has no effect on model probe"),
        (("--frames", "--layers", "1,2"), ("--normalise", "speaker"), "--normalise: has no effect"),
        (("--frames", "--layers", "1,2"), ("--embeddings-pooling", "max"), "has no effect on model probe"),
    ],
)  # fmt: skip
def test_what_a_probe_cannot_learn_from_is_one_line(corpus, make_encoder, kept, words, said):
    folder = make_encoder("whisper")
    if kept is not None:
        assert ser("cache", "embeddings", "--encoder", folder, "--limit", 4, *kept).exit_code == 0
    result = ser("train", "probe", "--epochs", "1", *words)
    assert result.exit_code == 1
    assert said in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert not (corpus / "runs").exists() or not list((corpus / "runs").glob("[!.]*"))


@pytest.mark.parametrize(("family", "how"), [("whisper", ("--lora", "2")), ("wav2vec2", ("--unfreeze", "1"))])
def test_a_fine_tuned_encoder_goes_on_and_predicts_as_from_the_cache(corpus, make_encoder, family, how):
    folder = make_encoder(family)
    assert ser("cache", "waves").exit_code == 0
    assert ser("cache", "verify").exit_code == 0
    words = (
        "train",
        "finetune",
        "--encoder",
        folder,
        *how,
        "--averaging",
        "0.5",
        "--lr",
        "0.01",
        "--layers",
        "1,2",
    )
    for name, epochs in (("whole", 2), ("parts", 1)):
        result = ser(*words, "--epochs", epochs, "--name", name)
        assert result.exit_code == 0, result.stderr
        assert f"layers 1, 2 of tiny-{family}" in result.stderr
    again = ser("train", "--resume", "parts", "--epochs", "2")
    assert again.exit_code == 0, again.stderr
    losses = [
        [line.split(",")[:6] for line in (corpus / "runs" / name / "metrics.csv").read_text().splitlines()]
        for name in ("whole", "parts")
    ]
    assert losses[0] == losses[1]
    run = corpus / "runs" / "whole"
    with safe_open(run / "model.safetensors", framework="np") as file:
        kept = [name for name in file.keys() if name.startswith("encoder.")]  # noqa: SIM118 - no dictionary
    assert kept
    assert all("parametrizations.weight.0" in name or ".layers.1." in name for name in kept)
    clips = sorted((corpus / "DataSets" / "EmoDB" / "wav").glob("*.wav"))[:3]
    predicted, cached = probabilities_of(run, clips)
    for told, known in zip(predicted, cached, strict=True):
        assert told == pytest.approx(known, abs=1e-3)
    assert ser("evaluate", "whole").exit_code == 0
    assert ser("report").exit_code == 0
    assert ser("export", "whole", "--model-card", "--out", corpus / "card.md").exit_code == 0
    card = (corpus / "card.md").read_text()
    assert f"samples at 16,000 Hz, heard by the encoder tiny-{family}" in card
    assert "whose licence this program does not know" in card
    assert ser("export", "whole", "--out", corpus / "whole.onnx").exit_code == 0
    by_graph = probabilities_of(run, clips, model=corpus / "whole.onnx")[0]
    for told, known in zip(by_graph, predicted, strict=True):
        assert told == pytest.approx(known, abs=1e-4)
    explained = ser("explain", "whole", "--repeats", "2", "--part", "train", "--format", "csv")
    assert explained.exit_code == 0, explained.stderr
    assert "training of a layer,layer 2" in explained.stdout
    make_encoder(family, seed=1)
    changed = ser("predict", clips[0], "--model", run)
    assert changed.exit_code == 1
    assert "holds other weights" in changed.stderr
    shutil.rmtree(folder)
    gone = ser("predict", clips[0], "--model", run)
    assert gone.exit_code == 1
    assert f"encoder 'tiny-{family}': not on this machine" in gone.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "no waves for these settings; run 'ser cache waves'"),
        (("--crop-s", "2"), "no waves for these settings; run 'ser cache waves --crop-s 2.0'"),
        (("--lora", "0"), "--lora 0: must be a whole number of at least 1"),
        (("--lora", "4", "--unfreeze", "1"), "finetune uses one or the other"),
        (("--devices", "2"), "finetune trains on one device"),
        (("--layers", "best"), "finetune learns how much each layer counts"),
        (("--layers", "7"), "layer 7: tiny-whisper has layers 0"),
        (("--encoder", "nothing"), "encoder 'nothing': not on this machine"),
        (("--normalise", "speaker"), "--normalise: has no effect on model finetune"),
        (("--embeddings-precision", "bf16"), "has no effect on model finetune"),
    ],
)
def test_what_cannot_be_fine_tuned_is_one_line(corpus, make_encoder, words, said):
    usual = () if "--encoder" in words else ("--encoder", make_encoder("whisper"))
    result = ser("train", "finetune", *usual, "--epochs", "1", *words)
    assert result.exit_code == 1
    assert said in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert not (corpus / "runs").exists() or not list((corpus / "runs").glob("[!.]*"))


def test_more_layers_than_are_used_cannot_be_trained(corpus, make_encoder):
    assert ser("cache", "waves", "--copies", "1").exit_code == 0
    assert ser("cache", "waves").exit_code == 0
    words = ("train", "finetune", "--encoder", make_encoder("whisper"), "--epochs", "1", "--copies", "1")
    result = ser(*words, "--unfreeze", "2")
    assert result.exit_code == 1
    assert "of tiny-whisper layers 1 to 1 are used, so that at most 1 can be trained" in result.stderr
    assert ser(*words, "--unfreeze", "1", "--mixup").exit_code == 0
