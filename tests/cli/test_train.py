import numpy as np
import pytest
import torch

from ser_pipeline.manifest import read_manifest
from ser_pipeline.runs.files import read_info, read_result
from ser_pipeline.runs.internals import read_attention
from ser_pipeline.runs.types import Latency, RunScores
from ser_pipeline.splits import make_split, write_split


def train(ser, *words, status=0):
    return ser("train", "crnn", "--threads", 1, *words, status=status)


def info(folder, name):
    return read_info(folder / "runs" / name)


def test_train_says_what_it_does_and_scores_every_part(ser, tmp_path):
    result = train(ser, "--name", "a")
    assert "crnn, anger, happiness, neutral, sadness: train 72, validation 24, test 24 clips" in result.stderr
    assert "epoch   2/2  train loss" in result.stderr
    assert "split 'speaker': Whole speakers" in result.stderr
    assert "next: ser report" in result.stderr
    for word in ("train", "validation", "test", "macro-F1"):
        assert word in result.stdout
    timed = read_result(Latency, tmp_path / "runs" / "a" / "latency.json")
    assert 0 < timed.network_ms < 1000
    assert timed.threads == 1
    scores = read_result(RunScores, tmp_path / "runs" / "a" / "scores.json")
    assert list(scores.parts) == ["train", "validation", "test"]


def test_a_run_without_a_name_says_when_and_what_it_was(ser, tmp_path):
    train(ser, "--task", "loud", "--epochs", 1)
    (folder,) = (tmp_path / "runs").glob("[!.]*")
    assert folder.name.endswith("-crnn-loud-speaker-s0")
    assert info(tmp_path, folder.name).emotions == ("anger", "happiness")


def test_flags_win_over_the_file_and_the_file_over_defaults(ser, tmp_path):
    words = ["--epochs", 1, "--lr", 0.01, "--no-class-weights", "--no-bidirectional", "--languages", "de, pl"]
    train(ser, "--name", "a", *words, "--no-early-stopping", "--no-spec-augment", "--merge", "calm=neutral")
    recipe = info(tmp_path, "a").recipe
    assert (recipe.train.epochs, recipe.train.learning_rate) == (1, 0.01)
    assert (recipe.train.batch_size, recipe.front_end.n_mels) == (16, 8)
    assert (recipe.train.weight_decay, recipe.train.label_smoothing) == (0.01, 0.1)
    assert (recipe.train.patience, recipe.train.spec_augment) == (None, None)
    assert (recipe.train.class_weights, recipe.model.bidirectional) == (False, False)
    assert (recipe.languages, recipe.merges) == (("de", "pl"), {"calm": "neutral"})


def test_the_command_is_kept_as_it_can_be_typed_again(ser, tmp_path):
    train(ser, "--name", "a", "--epochs", 1, "--no-masks")
    command = info(tmp_path, "a").command
    assert command == "ser train crnn --threads 1 --name a --epochs 1 --no-masks"
    words = command.replace("--name a", "--name b").split()[1:]
    ser(*words)
    changed = info(tmp_path, "b").model_copy(update={"name": "a", "created": "", "command": "", "seconds": 0})
    assert changed == info(tmp_path, "a").model_copy(update={"created": "", "command": "", "seconds": 0})


def test_every_fold_is_trained_and_pooled(ser, tmp_path):
    result = train(ser, "--split", "loco", "--fold", "all", "--epochs", 1, "--name", "a")
    assert "fold 0: emodb" in result.stderr
    assert "fold 1: nemo" in result.stderr
    assert list(read_result(RunScores, tmp_path / "runs" / "a" / "scores.json").parts) == ["test"]
    train(ser, "--split", "loco", "--fold", "nemo", "--epochs", 1, "--name", "b")
    assert info(tmp_path, "b").split.fold == "1"


def test_folds_that_test_nothing_are_counted(ser, toy):
    manifest = read_manifest(toy.manifests)
    write_split(toy.manifests, make_split(manifest, "loso"))
    toy.write_features()
    words = ["--split", "loso", "--fold", "all", "--corpora", "emodb", "--c", 1]
    said = ser("train", "logreg", *words).stderr.splitlines()
    assert said.count("5 of 10 folds are left out, they test none of the clips chosen") == 1


def test_a_run_without_test_clips_says_so(ser, toy):
    write_split(toy.manifests, make_split(read_manifest(toy.manifests), "loso"))
    said = train(ser, "--split", "loso", "--fold", "9", "--corpora", "emodb", "--epochs", 1).stderr
    assert "split 'loso': no clip chosen is in the test part; there will be no test score" in said


def test_a_run_goes_on(ser, tmp_path):
    train(ser, "--name", "a", "--epochs", 3)
    train(ser, "--name", "b")
    train(ser, "--resume", "b", "--epochs", 3)
    one, other = (torch.load(tmp_path / "runs" / name / "last.ckpt", weights_only=True) for name in "ab")
    assert all(torch.equal(one["state_dict"][key], other["state_dict"][key]) for key in one["state_dict"])
    assert info(tmp_path, "b").command == "ser train crnn --threads 1 --name b"


@pytest.mark.parametrize("words", [("--lr", 1), ("--no-spec-augment",), ("--split", "loco"), ("--name", "c")])
def test_a_run_goes_on_with_its_own_settings_only(trained, words):
    result = train(trained, "--resume", "a", *words, status=1)
    assert f"ser: {words[0]}: a run continues with the settings it started with" in result.stderr


def test_a_run_goes_on_with_its_own_model_only(trained):
    result = trained("train", "rnn", "--resume", "a", status=1)
    assert "ser: model: a run continues with the settings it started with" in result.stderr


def test_ctrl_c_says_how_to_go_on(ser, tmp_path, monkeypatch):
    from ser_pipeline.cli.epochs import EpochLines

    with monkeypatch.context() as patch:
        patch.setattr(EpochLines, "epoch_done", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        result = train(ser, "--name", "a", status=130)
    assert result.stderr.splitlines()[-1].endswith("ser train --resume runs/a")
    train(ser, "--resume", "runs/a")
    assert info(tmp_path, "a").stopped == "all 2 epochs are done"


def test_hours_of_training_ask_for_a_budget_which_ends_it_after_an_epoch(ser, tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr("ser_pipeline.cli.budget.LONG_S", 0)
        asked = train(ser, "--name", "a", status=1).stderr
        assert "ser: this training takes about " in asked
        assert "pass --budget, as in --budget 1h, and continue with --resume; --budget none does all" in asked
        assert not (tmp_path / "runs" / "a").exists()
        patch.setattr("ser_pipeline.cli.epochs.parse_budget", lambda _: 0.0)
        ended = train(ser, "--name", "a", "--budget", "1s", status=1).stderr.splitlines()
    assert ended[-1] == "ser: the budget was used up after an epoch; continue with ser train --resume runs/a"
    train(ser, "--resume", "runs/a", "--budget", "1h")
    assert info(tmp_path, "a").stopped == "all 2 epochs are done"
    assert "--budget 'soon' must be a time" in train(ser, "--budget", "soon", status=1).stderr


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["--manifests", "none"], "make it with 'ser manifest build'"),
        (["--split", "stratified"], "make it with 'ser manifest split stratified'"),
        (["--preset", "paper", "--split", "speaker"], "run 'ser cache mels --preset paper"),
        (["--cache", "none"], "run 'ser cache mels --n-mels 8"),
        (["--n-mels", 40], "run 'ser cache mels --n-mels 40"),
        (["--split", "loco"], "choose one with --fold 0 to 1, or 'all'"),
        (["--split", "loco", "--fold", "tess"], "no fold 'tess'"),
        (["--fold", "1"], "has no folds"),
        (["--fold", "all"], "split 'speaker' has no folds; leave out --fold all"),
        (["--task", "5class"], "task '5class' does not exist; valid are 4class, 6class, iemocap4, all, loud"),
        (["--corpora", "tess"], "corpus 'tess' is not in the manifest; it has emodb, nemo"),
        (["--merge", "calm"], "merge 'calm' is not 'source=target'"),
        (["--preset", "mine"], "preset 'mine' does not exist"),
        (["--loss", "mse"], "ser: --loss mse: must be ce, distance_ce, expected_distance or focal"),
        (["--precision", "fp8"], "ser: --precision fp8: must be auto, fp32, tf32 or bf16"),
        (["--lr", -1], "ser: --lr -1: must be a number above 0"),
        (["--epochs", "many"], "ser: --epochs many: must be a whole number of at least 1"),
        (
            ["--task", "anger,sadness"],
            "and those that ser.toml defines, as in [tasks] mine = ['anger', 'sadness']",
        ),
        (["--name", "a/b"], "cannot name a run"),
        (["--resume", "none"], "run 'none' does not exist"),
        (["--device", "mps"], "device 'mps' is not there"),
        (["--log", "neptune"], "--log neptune: must be a list of tensorboard, mlflow or wandb"),
    ],
    ids=lambda item: " ".join(map(str, item)) if isinstance(item, list) else "",
)
def test_wrong_input_is_one_line_and_leaves_no_run(ser, tmp_path, words, line):
    result = train(ser, *words, status=1)
    assert line in result.stderr
    assert len(result.stderr.splitlines()) == 1 or result.stderr.splitlines()[-1].startswith("ser: ")
    assert not list(tmp_path.glob("runs/[!.]*"))


def test_a_model_that_does_not_exist_is_named(ser):
    assert (
        "model rnn: must be crnn, resnet, mhsa, cnn1d, dnn, probe, finetune, svm, logreg, gboost or ensemble"
        in ser("train", "rnn", status=1).stderr
    )


def test_a_name_is_used_once(trained):
    assert "runs/a: exists; choose another --name" in train(trained, "--name", "a", status=1).stderr


def test_clips_that_failed_are_counted(ser, toy):
    toy.write_store(failed=[0])
    assert (
        "1 clip left out, which the store could not use: emodb/0-0-0: silent"
        in train(ser, "--epochs", 1).stderr
    )


def test_a_class_without_training_clips_is_named(ser, toy):
    toy.rows = [row for row in toy.rows if row[3] != 3 or row[2] == 0]
    toy.write_manifest()
    toy.write_store()
    said = train(ser, "--split", "loco", "--fold", 0, "--task", "6class", "--epochs", 1).stderr
    assert "there are no training clips of fear or surprise, so the model cannot learn them" in said


@pytest.mark.parametrize(
    ("model", "words", "flag"),
    [
        ("crnn on mels", ["--normalise", "speaker"], "--normalise"),
        ("crnn on mels", ["--set", "egemaps"], "--set"),
        ("crnn", ["--c", 0.1], "--c"),
        ("svm", ["--epochs", 3], "--epochs"),
        ("svm", ["--no-early-stopping"], "--no-early-stopping"),
        ("dnn", ["--no-masks"], "--no-masks"),
        ("logreg", ["--n-mels", 80], "--n-mels"),
        ("cnn1d", ["--no-spec-augment"], "--no-spec-augment"),
    ],
)
def test_a_flag_that_would_do_nothing_is_refused(ser, model, words, flag):
    result = ser("train", model.partition(" ")[0], *words, status=1)
    assert result.stderr == f"ser: {flag}: has no effect on model {model}; leave it out\n"


def test_a_model_of_features_names_the_command_that_makes_them(ser):
    result = ser("train", "svm", "--set", "compare", status=1)
    assert "no compare for these settings; run 'ser cache features --set compare'" in result.stderr
    assert "ser cache features'" in ser("train", "logreg", status=1).stderr


def test_a_classifier_is_trained_explained_and_reported(ser, tmp_path, toy):
    toy.write_features()
    result = ser("train", "logreg", "--name", "a", "--normalise", "speaker")
    assert "try   1/3" in result.stderr
    assert "logreg, anger, happiness, neutral, sadness: train 72" in result.stderr
    explained = ser("explain", "a", "--repeats", 2, "--top", 3)
    assert "importance of groups" in explained.stdout
    assert (tmp_path / "runs" / "a" / "explanation.json").is_file()
    assert ser("evaluate", "a").stdout
    ser("train", "--resume", "a")  # nothing left to do, and nothing is lost
    ser("report")
    page = (tmp_path / "reports" / "report.html").read_text()
    assert "importance and effects of features" in page
    assert "What was tried for R1" in page


def test_a_network_on_mels_is_explained_by_bands_and_a_map_of_some_clips(trained, tmp_path):
    assert "band of frequencies" in trained("explain", "a", "--repeats", 1).stdout
    kept = read_attention(tmp_path / "runs" / "a")
    assert kept
    assert all(clip.moved.size and np.isfinite(clip.moved).all() for clip in kept)


def test_less_to_learn_from_and_the_same_test_clips(trained, tmp_path):
    train(trained, "--name", "one", "--epochs", 1, "--train-corpora", "emodb")
    train(trained, "--name", "few", "--epochs", 1, "--train-share", 0.3)
    every, one, few = (info(tmp_path, name) for name in ("a", "one", "few"))
    assert (one.recipe.train_corpora, few.recipe.train_share) == (("emodb",), 0.3)
    assert one.counts["train"] == every.counts["train"] // 2
    assert few.counts["train"] == every.counts["train"] // 3
    assert one.counts["test"] == few.counts["test"] == every.counts["test"]
    result = train(trained, "--train-corpora", "savee", status=1)
    assert "savee" in result.stderr
    assert "Traceback" not in result.stderr


def test_a_taught_run_says_who_taught_and_goes_on_by_itself(ser, toy, tmp_path):
    toy.write_features()
    ser("train", "logreg", "--threads", 1, "--name", "big", "--c", 1)
    refused = train(ser, "--teacher", "nobody", status=1).stderr
    assert refused == "ser: run 'nobody' does not exist; the newest in runs are: big\n"
    refused = train(ser, "--teacher-weight", 1, status=1).stderr
    assert refused == "ser: --teacher-weight: has no effect on training without a teacher; leave it out\n"
    said = train(ser, "--name", "small", "--teacher", "big", "--epochs", 1).stderr
    assert "Beside the labels, it learned the probabilities that run big (logreg on features) gives" in said
    assert "teacher.what" in ser("runs", "show", "small").stdout
    ser("train", "--threads", 1, "--resume", "small", "--epochs", 2)
    train(ser, "--name", "whole", "--teacher", "big", "--epochs", 2)
    weights = [(tmp_path / "runs" / name / "model.safetensors").read_bytes() for name in ("small", "whole")]
    assert weights[0] == weights[1]


@pytest.fixture
def rated(toy, ser):
    """Ratings of one corpus, and features."""
    toy.write_manifest([row[3] / 4 - 0.4 if row[0] == "emodb" else None for row in toy.rows])
    toy.write_features()
    return ser


def test_ratings_are_trained_shown_and_listed(rated):
    told = rated("train", "logreg", "--target", "arousal,valence", "--name", "a")
    assert "logreg, valence, arousal: train 36, validation 12, test 12 clips" in told.stderr
    assert "a: valence, arousal" in told.stdout
    assert "CCC" in told.stdout
    assert "CCC 0." in rated("runs").stdout
    assert "valence, arousal" in rated("runs").stdout
    assert "mean CCC" in rated("evaluate", "a").stderr
    lines = rated("evaluate", "a", "--format", "csv").stdout.splitlines()
    assert lines[0] == "part,dimension,by,group,clips,speakers,ccc,from,to,pearson,rmse,mae"
    assert lines[1].startswith("test,valence,all,all,12,1,")
    assert "scores,test.valence.ccc," in rated("runs", "show", "a", "--format", "csv").stdout


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["valence,arousl"], "--target arousl: must be a list of valence, arousal or dominance (did"),
        ([","], "--target ,: name one or more of valence, arousal, dominance, as in valence,arousal"),
        (["valence", "--class-weights"], "--class-weights: has no effect on a run whose target is valence"),
        (["valence", "--task", "6class"], "--task: has no effect on a run whose target is valence"),
        (["valence", "--rating-loss", "mse"], "--rating-loss: has no effect on model logreg"),
        (["valence", "--layers", "best"], "'best' are chosen by how well they predict emotions"),
    ],
)  # fmt: skip
def test_what_does_not_go_with_ratings_is_one_line(ser, words, message):
    error = " ".join(ser("train", "logreg", "--target", *words, status=1).stderr.split())
    assert message in error


def test_a_loss_of_ratings_needs_ratings(ser):
    error = " ".join(train(ser, "--rating-loss", "mse", status=1).stderr.split())
    assert (
        "--rating-loss: has no effect on a run without ratings, which --target or --dimensions has" in error
    )


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["explain", "a"], "its targets are ratings; only runs that predict emotions can be explained"),
        (["export", "a", "--model-card"], "model cards are written of models of emotions"),
        (
            ["evaluate", "a", "--enrolment"],
            "--enrolment: scores by UAR, but a predicts ratings instead of emotions",
        ),
        (["predict", "a.wav"], "no model answers unless it is named: b predicts ratings instead of emotions"),
        (["train", "ensemble", "a", "b"], "its targets are ratings; an ensemble averages probabilities"),
        (["demo", "--model", "a"], "rates valence, and the demo shows emotions"),
        (
            ["predict", "a.wav", "--model", "a", "--timeline", "--picture", "a.png"],
            "--picture draws emotions",
        ),
    ],
)
def test_what_is_about_emotions_refuses_a_run_of_ratings(rated, words, message):
    for name in ("a", "b"):
        rated("train", "logreg", "--target", "valence", "--name", name)
    result = rated(*words, status=1)
    assert message in " ".join(result.stderr.split())


def test_a_run_is_logged_as_it_began_until_it_is_told_otherwise(ser, tmp_path):
    train(ser, "--name", "a", "--epochs", 1, "--log", "tensorboard")
    files = list((tmp_path / "runs" / "a" / "tensorboard").glob("events*"))
    assert info(tmp_path, "a").recipe.train.log == ("tensorboard",)
    train(ser, "--resume", "a", "--epochs", 2, "--log", "none")
    assert list((tmp_path / "runs" / "a" / "tensorboard").glob("events*")) == files
    assert info(tmp_path, "a").recipe.train.log == ()


def test_a_tracker_that_is_not_installed_is_one_line(ser, tmp_path, monkeypatch):
    monkeypatch.setattr("ser_pipeline.training.trackers.find_spec", lambda name: None)
    told = "ser: log mlflow: mlflow is not installed; run pip install 'ser-pipeline[mlflow]'"
    for words in (["train", "crnn"], ["train", "ensemble", "a", "b"]):
        result = ser(*words, "--log", "mlflow", status=1)
        assert result.stderr.splitlines() == [told]
    assert not (tmp_path / "runs").exists()
