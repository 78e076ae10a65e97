import csv
import json
import os
import signal
from dataclasses import replace

import numpy as np
import pytest
import torch

from ser_pipeline.errors import LabelError, RunError, TrainingError
from ser_pipeline.labels import Task
from ser_pipeline.models.build import build_model
from ser_pipeline.options import TrainOptions, recipe
from ser_pipeline.runs.files import read_info
from ser_pipeline.training.checkpoint import load_model
from ser_pipeline.training.module import TrainedNetwork
from ser_pipeline.training.run import balanced_weights, train_run, unfinished

NO_MASKS = {"spec_augment": {"frequency_masks": 0, "time_masks": 0}}
DIVERGED = "epoch {}: the loss is not finite; lower --lr, or check the store with 'ser cache verify'"
FILES = {"settings.json", "metrics.csv", "model.safetensors", "model.json", "last.ckpt"}


class Watch:
    """Keeps what it is told; can press Ctrl-C in an epoch."""

    def __init__(self, interrupt_in=None):
        self.reports, self.epoch, self.clips, self.interrupt_in = [], 0, 0, interrupt_in

    def epoch_began(self, epoch, clips):
        self.epoch, self.clips = epoch, 0

    def step_done(self, clips):
        self.clips += clips
        if self.epoch == self.interrupt_in:
            os.kill(os.getpid(), signal.SIGINT)

    def epoch_done(self, report):
        self.reports.append(report)


@pytest.fixture
def trained(toy, tmp_path):
    """Train in a folder of its own; settings as for the toy's recipe."""

    def run(name="run", watch=None, fold=None, **changes):
        folder = tmp_path / "runs" / name
        info = train_run(toy.data(fold, **changes), folder, watch or Watch(), command="ser train crnn")
        return folder, info

    return run


def read_metrics(path):
    """What stands in ``metrics.csv``, in numbers."""
    with path.open(newline="") as file:
        return [{k: float(v) if v else None for k, v in line.items()} for line in csv.DictReader(file)]


def weights(folder):
    return load_model(folder)[0].state_dict()


def same(one, other):
    return all(torch.equal(one[name], other[name]) for name in one)


def state(folder):
    return torch.load(folder / "last.ckpt", weights_only=True)


def test_a_run_leaves_its_files_and_says_what_it_was(trained, toy):
    watch = Watch()
    folder, info = trained(watch=watch)
    assert {path.name for path in folder.iterdir()} == FILES
    assert info == read_info(folder)
    assert info.emotions == ("anger", "happiness", "neutral", "sadness")
    assert info.counts == {"train": 72, "validation": 24, "test": 24}
    assert (info.corpora, info.languages) == (("emodb", "nemo"), ("de", "pl"))
    assert info.recipe == toy.recipe()
    assert info.stopped == "all 2 epochs are done"
    assert info.best_epoch in {1, 2}
    assert (
        info.parameters == sum(w.numel() for name, w in weights(folder).items() if "running" not in name) - 3
    )
    assert watch.clips == 72
    assert [report.row for report in watch.reports] == read_metrics(folder / "metrics.csv")
    assert watch.reports[0].patience_seconds > 0
    assert watch.reports[1].patience_seconds == 0


def test_best_weights_are_those_of_the_best_epoch(trained):
    folder, info = trained(train={"epochs": 4, "learning_rate": 0.003})
    scores = [row["validation_uar"] for row in read_metrics(folder / "metrics.csv")]
    assert info.best_epoch == int(np.argmax(scores)) + 1
    assert load_model(folder)[1].epoch == info.best_epoch
    alone, _ = trained("until", train={"epochs": info.best_epoch, "learning_rate": 0.003})
    assert same(weights(folder), weights(alone))


def test_a_toy_network_learns_its_toy_clips(trained):
    folder, _ = trained(train={"epochs": 12, "learning_rate": 0.01, "loss": "distance_ce", **NO_MASKS})
    assert read_metrics(folder / "metrics.csv")[-1]["train_accuracy"] > 0.9


def test_same_seed_same_result_other_seed_other_result(trained):
    (one, _), (again, _), (other, _) = (
        trained(name, train={"seed": seed}) for name, seed in (("a", 1), ("b", 1), ("c", 2))
    )
    assert same(weights(one), weights(again))
    assert not same(weights(one), weights(other))


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_resumed_run_equals_an_uninterrupted_one(trained, precision):
    options = {"learning_rate": 0.003, "precision": precision}
    straight, _ = trained("straight", train={"epochs": 4, **options})
    trained("resumed", train={"epochs": 2, **options})
    resumed, info = trained("resumed", train={"epochs": 4, **options})
    one, other = state(straight), state(resumed)
    assert same(one["state_dict"], other["state_dict"])
    assert one["lr_schedulers"] == other["lr_schedulers"]
    for a, b in zip(*(each["optimizer_states"][0]["state"].values() for each in (one, other)), strict=True):
        assert same(a, b)
    assert (straight / "model.safetensors").read_bytes() == (resumed / "model.safetensors").read_bytes()
    clock = {"train_seconds", "validation_seconds"}
    kept = [
        [{k: v for k, v in row.items() if k not in clock} for row in read_metrics(folder / "metrics.csv")]
        for folder in (straight, resumed)
    ]
    assert kept[0] == kept[1]
    assert info.recipe.train.epochs == 4


@pytest.fixture
def interruptible():
    """Ctrl-C as in a terminal: a test run in the background inherits a process that ignores it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interruptible")
def test_the_mean_of_weights_is_kept_and_goes_on_where_it_stopped(trained):
    options = {"averaging": 0.9, "balance": 0.5, "learning_rate": 0.003}
    whole, _ = trained("whole", train={"epochs": 3, "patience": False, **options})
    with pytest.raises(KeyboardInterrupt):
        trained("parts", watch=Watch(interrupt_in=3), train={"epochs": 3, "patience": False, **options})
    parts, _ = trained("parts", train={"epochs": 3, "patience": False, **options})
    assert same(weights(whole), weights(parts))
    saved = state(whole)["state_dict"]
    assert not torch.equal(saved["mean.head.3.weight"], saved["network.head.3.weight"])
    without, _ = trained("without", train={"epochs": 1, **options, "averaging": 0})
    one, _ = trained("one", train={"epochs": 1, **options})
    assert same(weights(one), {k[5:]: v for k, v in state(one)["state_dict"].items() if k[:5] == "mean."})
    assert not same(weights(one), weights(without))


@pytest.mark.usefixtures("interruptible")
def test_ctrl_c_leaves_whole_files_and_the_run_goes_on_as_if_nothing_had_been(trained):
    options = {"epochs": 3, "learning_rate": 0.003}
    straight, _ = trained("straight", train=options)
    with pytest.raises(KeyboardInterrupt):
        trained("stopped", watch=Watch(interrupt_in=2), train=options)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    folder, info = trained("stopped", train=options)
    assert same(state(straight)["state_dict"], state(folder)["state_dict"])
    assert same(weights(straight), weights(folder))
    assert len(read_metrics(folder / "metrics.csv")) == 3
    assert not list(folder.glob("*.partial"))
    assert info.stopped == "all 3 epochs are done"


@pytest.mark.usefixtures("interruptible")
def test_ctrl_c_in_the_first_epoch_starts_over(trained):
    with pytest.raises(KeyboardInterrupt):
        trained("stopped", watch=Watch(interrupt_in=1))
    folder, _ = trained("stopped")
    assert {path.name for path in folder.iterdir()} == FILES


def test_warm_up_counts_epochs_as_long_as_they_are_with_variants(trained, toy):
    toy.write_variants(1)
    folder, _ = trained(train={"copies": 1, "epochs": 1, "warmup_epochs": 1, "learning_rate": 0.003})
    assert read_metrics(folder / "metrics.csv")[0]["learning_rate"] == pytest.approx(0.003)


def test_patience_ends_a_run(trained):
    _, info = trained(train={"epochs": 9, "patience": 2, "learning_rate": 1e-9})
    assert info.stopped == "no better validation UAR for 2 epochs"
    assert info.best_epoch == 1


def test_a_finished_run_is_left_as_it_is(trained):
    folder, first = trained()
    before = (folder / "last.ckpt").stat().st_mtime_ns
    _, again = trained()
    assert again == first
    assert (folder / "last.ckpt").stat().st_mtime_ns == before


def test_without_validation_clips_the_last_epoch_counts(toy, tmp_path):
    data = toy.data(train={"patience": 1})
    rows = np.flatnonzero(data.examples.part != 1)
    data = replace(data, examples=data.examples.take(rows), positions=data.positions[rows])
    info = train_run(data, tmp_path / "r", Watch(), command="")
    assert info.best_epoch == 2
    assert info.stopped == "all 2 epochs are done; no validation clips, the last epoch counts"
    assert read_metrics(tmp_path / "r" / "metrics.csv")[0]["validation_uar"] is None


def test_the_paper_preset_trains(toy, tmp_path):
    toy.front_end = toy.recipe(preset="paper").front_end
    toy.write_store()
    data = toy.data(preset="paper", split="speaker", train={"warmup_epochs": 0})
    info = train_run(data, tmp_path / "r", Watch(), command="")
    assert not load_model(tmp_path / "r")[1].model.masked
    assert info.recipe.train.optimizer == "adam"


def test_gains_are_kept_with_the_network(trained):
    folder, _ = trained(front_end={"level": "corpus_rms"})
    assert load_model(folder)[1].learned.gains_db == pytest.approx({"emodb": 0.0, "nemo": 6.0, "*": 3.0})
    trained(front_end={"level": "corpus_rms"}, train={"epochs": 3})


def test_a_damaged_checkpoint_is_refused(trained):
    folder, _ = trained()
    (folder / "last.ckpt").write_bytes((folder / "last.ckpt").read_bytes()[:5000])
    with pytest.raises(RunError, match=r"last.ckpt: cannot be continued from: .*train a new run"):
        trained(train={"epochs": 3})


def test_a_checkpoint_with_code_in_it_is_refused(trained, tmp_path):
    class Code:
        def __reduce__(self):
            return (os.mkdir, (str(tmp_path / "made"),))

    folder, _ = trained()
    torch.save({"callbacks": {"Recorder": {"history": Code()}}}, folder / "last.ckpt")
    with pytest.raises(RunError, match=r"last.ckpt: cannot be continued from"):
        trained(train={"epochs": 3})
    assert not (tmp_path / "made").exists()


def test_a_run_does_not_go_on_with_other_recordings(trained):
    folder, _ = trained()
    settings = json.loads((folder / "settings.json").read_text())
    (folder / "settings.json").write_text(json.dumps(settings | {"manifest_digest": "another"}))
    with pytest.raises(RunError, match="the manifest is not the one this run was trained on"):
        trained(train={"epochs": 3})


def test_a_run_does_not_go_on_with_other_emotions(trained):
    trained()
    with pytest.raises(RunError, match="the list of emotions is not the one"):
        trained(task="6class")


def test_one_class_is_not_enough(toy, tmp_path):
    data = toy.data()
    one = replace(data.examples, target=np.zeros(120, np.int64))
    with pytest.raises(TrainingError, match="task '4class': the training clips are all of one class"):
        train_run(replace(data, examples=one), tmp_path / "r", Watch(), command="")
    assert not (tmp_path / "r").exists()


def test_a_loss_without_distances_leaves_no_folder(toy, tmp_path):
    data = toy.data(train={"loss": "distance_ce"})
    odd = replace(data, task=Task("mine", ("anger", "calm", "neutral", "sadness")))
    with pytest.raises(LabelError, match="no distance matrix holds"):
        train_run(odd, tmp_path / "r", Watch(), command="")
    assert not (tmp_path / "r").exists()


def test_weights_are_inverse_to_frequency_with_mean_one(rng):
    counts = torch.from_numpy(rng.integers(1, 90, 5))
    found = balanced_weights(counts)
    assert (found * counts).std().item() == pytest.approx(0, abs=1e-4)
    assert ((found * counts).sum() / counts.sum()).item() == pytest.approx(1)
    assert balanced_weights(torch.tensor([4, 0, 4])).tolist() == [1, 0, 1]


@pytest.mark.parametrize("model", ["crnn", "dnn"])
def test_where_clips_are_held_changes_nothing(toy, tmp_path, model):
    toy.write_features()
    found = []
    for place in ("host", "device"):
        data = toy.data(model={"name": model}, train={"data_on": place, "epochs": 1})
        train_run(data, tmp_path / place, Watch(), command="c")
        found.append(weights(tmp_path / place))
    host, device = found
    assert all(torch.equal(device[name], value) for name, value in host.items())


@pytest.mark.slow
@pytest.mark.usefixtures("forked_trainers")
def test_two_processes_train_as_one_would(trained):
    options = {"learning_rate": 0.003, "precision": "fp32", "batch_size": 24}
    folder, info = trained(train={"devices": 2, **options})
    rows = read_metrics(folder / "metrics.csv")
    assert {path.name for path in folder.iterdir()} == FILES
    assert len(rows) == 2
    assert info.best_epoch in {1, 2}
    one, _ = trained("one", train=options)
    alone = read_metrics(one / "metrics.csv")
    # not the same: each process normalises its own half of a batch
    assert rows[0]["train_loss"] == pytest.approx(alone[0]["train_loss"], abs=0.1)
    assert rows[0]["learning_rate"] == alone[0]["learning_rate"]


@pytest.mark.slow
@pytest.mark.usefixtures("forked_trainers")
def test_two_processes_train_the_same_network_where_no_layer_looks_at_the_batch(toy, tmp_path):
    toy.write_features()
    found = []
    for name, devices in (("one", 1), ("two", 2)):
        place = "device" if devices == 2 else "host"  # each process holds the clips itself
        train = {"devices": devices, "data_on": place, "precision": "fp32", "batch_size": 25}  # 13 and 12
        train["class_weights"] = False
        data = toy.data(model={"name": "dnn", "dropout": 0.0}, train=train)
        train_run(data, tmp_path / name, Watch(), command="c")
        found.append((weights(tmp_path / name), read_metrics(tmp_path / name / "metrics.csv")))
    (one, alone), (two, shared) = found
    moved = 0.0
    for name, fresh in weights_before(data).items():
        assert torch.allclose(two[name], one[name], atol=1e-5)
        moved = max(moved, float((one[name] - fresh).abs().max()))
    assert moved > 1e-3
    for key in ("train_loss", "validation_loss", "train_accuracy", "validation_uar"):
        assert [row[key] for row in shared] == pytest.approx([row[key] for row in alone], abs=1e-5)


def weights_before(data):
    """Weights of the network before its first step."""
    torch.manual_seed(data.recipe.train.seed)
    return build_model(data.recipe.model, 253, 4).state_dict()


def test_new_epochs_take_the_scores_of_old_weights_away(trained):
    folder, _ = trained(train={"epochs": 1})
    for name in ("scores.json", "predictions.parquet"):
        (folder / name).write_text("of epoch 1")
    trained(train={"epochs": 1})
    assert (folder / "scores.json").read_text() == "of epoch 1"  # nothing was trained
    trained(train={"epochs": 2})
    assert not (folder / "scores.json").exists()
    assert not (folder / "predictions.parquet").exists()


def test_a_loss_that_is_no_number_ends_the_run(trained):
    with pytest.raises(TrainingError, match=DIVERGED.format(1)):
        trained(train={"epochs": 3, "learning_rate": 1e30, "warmup_epochs": 0, "clip_norm": 1e30})


@pytest.mark.parametrize("step", ["training_step", "validation_step"])
def test_a_run_that_diverges_keeps_the_epochs_before(trained, monkeypatch, step):
    folder, _ = trained(train={"epochs": 1})
    before = {
        name: (folder / name).read_bytes() for name in ("last.ckpt", "metrics.csv", "model.safetensors")
    }
    right = getattr(TrainedNetwork, step)

    def wrong(module, batch, batch_idx):
        loss = right(module, batch, batch_idx)
        totals = module.train_totals if step == "training_step" else module.validation_totals
        totals.loss += float("nan")
        return loss

    monkeypatch.setattr(TrainedNetwork, step, wrong)
    with pytest.raises(TrainingError, match=DIVERGED.format(2)):
        trained(train={"epochs": 3})
    assert {name: (folder / name).read_bytes() for name in before} == before
    assert unfinished(folder, recipe(train={"epochs": 3}))
    assert not unfinished(folder, recipe(train={"epochs": 1}))


@pytest.mark.parametrize("content", [None, "x,y\n1,2\n", "epoch,train_loss\none,two\n"])
def test_metrics_follow_the_checkpoint(trained, content):
    folder, first = trained()
    before = (folder / "metrics.csv").read_text()
    (folder / "metrics.csv").unlink()
    if content is not None:
        (folder / "metrics.csv").write_text(content)
    assert trained()[1] == first
    assert (folder / "metrics.csv").read_text() == before


@pytest.mark.parametrize(
    "train",
    [
        {"loss": "expected_distance", "distance_weight": 0.5},
        {"loss": "focal", "mixup": {"alpha": 0.4}},
        {"contrastive_weight": 0.5, "soft_labels": 1.0, "intensity_strength": 0.5},
        {"averaging": 0.9, "balance": 1.0, "spec_augment": {"fill": "mean"}},
        {"random_crop": {"share": 0.7}, "random_gain": {"gain_db": (-3, 3)}},
    ],
)
def test_every_objective_and_change_trains_and_repeats(trained, train):
    first, _ = trained("a", train=train)
    second, _ = trained("b", train=train)
    assert weights(first).keys() == weights(second).keys()
    for name, tensor in weights(first).items():
        assert torch.equal(tensor, weights(second)[name]), name


def test_a_contrastive_loss_needs_an_embedding():
    from ser_pipeline.datasets.batch import Batch
    from ser_pipeline.losses import build_loss
    from ser_pipeline.options import FrontEnd, ModelOptions

    network = build_model(ModelOptions(name="logreg"), 2, 2)
    loss = build_loss("ce", ("anger", "sadness"))
    options = TrainOptions(contrastive_weight=1.0)
    module = TrainedNetwork(network, loss, options, FrontEnd(), steps_per_epoch=1)
    batch = Batch(torch.ones(1, 2), torch.ones(1), torch.zeros(1), torch.zeros(1))
    with pytest.raises(TypeError, match="EstimatorNetwork has no embedding that a loss could look at"):
        module._scored(batch)
