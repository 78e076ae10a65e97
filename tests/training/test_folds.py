import re

import pytest

from ser_pipeline.errors import RunError, TrainingError
from ser_pipeline.manifest import read_manifest
from ser_pipeline.runs.files import read_info
from ser_pipeline.runs.names import fold_folders
from ser_pipeline.splits import make_split, write_split
from ser_pipeline.training import folds
from ser_pipeline.training.folds import train_folds
from tests.training.conftest import Silent


class Stopper(Silent):
    def __init__(self):
        self.folds = 0

    def epoch_done(self, report):
        self.folds += 1
        if self.folds == 2:
            raise KeyboardInterrupt


def test_every_fold_is_a_run_below_the_parent(toy, tmp_path):
    told = []
    inputs = toy.inputs(split="loco", fold="all", train={"epochs": 1})
    info = train_folds(inputs, tmp_path / "r", Silent(), command="c", on_note=told.append)
    assert told == ["fold 0: emodb", "fold 1: nemo"]
    assert [folder.name for folder in fold_folders(tmp_path / "r").values()] == ["fold-0", "fold-1"]
    assert info == read_info(tmp_path / "r")
    assert (info.split.fold, info.recipe.fold) == ("all", "all")
    assert info.counts == {"test": 120}
    assert info.class_counts == {"test": (30, 30, 30, 30)}
    assert info.stopped == "all 2 folds are done"
    parts = [read_info(folder) for folder in fold_folders(tmp_path / "r").values()]
    assert [part.split.fold for part in parts] == ["0", "1"]
    assert info.seconds == pytest.approx(sum(part.seconds for part in parts), abs=0.2)


def test_interrupted_folds_go_on_where_they_stopped(toy, tmp_path):
    inputs = toy.inputs(split="loco", fold="all", train={"epochs": 1})
    with pytest.raises(KeyboardInterrupt):
        train_folds(inputs, tmp_path / "r", Stopper(), command="c")
    done = (tmp_path / "r" / "fold-0" / "last.ckpt").stat().st_mtime_ns
    assert read_info(tmp_path / "r").stopped is None
    info = train_folds(inputs, tmp_path / "r", Silent(), command="c")
    assert info.stopped == "all 2 folds are done"
    assert (tmp_path / "r" / "fold-0" / "last.ckpt").stat().st_mtime_ns == done


def test_a_split_without_folds_has_none_to_train(toy, tmp_path):
    with pytest.raises(RunError, match="split 'speaker' has no folds; leave out --fold all"):
        train_folds(toy.inputs(fold="all"), tmp_path / "r", Silent(), command="c")


def test_more_than_nine_folds_stay_in_order(tmp_path):
    for number in (10, 2, 0):
        (tmp_path / f"fold-{number}").mkdir()
        (tmp_path / f"fold-{number}" / "settings.json").touch()
    assert list(fold_folders(tmp_path)) == [0, 2, 10]


def test_a_fold_without_a_test_clip_is_left_out(toy, tmp_path):
    write_split(toy.manifests, make_split(read_manifest(toy.manifests), "loso"))
    inputs = toy.inputs(split="loso", fold="all", corpora=("emodb",), train={"epochs": 1})
    told = []
    info = train_folds(
        inputs,
        tmp_path / "r",
        Silent(),
        command="c",
        on_note=told.append,
    )
    skipped, *told = told
    left_out = f"{10 - len(told)} of 10 folds are left out"
    assert skipped == f"{left_out}, they test none of the clips chosen"
    assert all(re.fullmatch(r"fold \d: emodb-\d", sentence) for sentence in told)
    assert info.stopped.startswith(f"all {len(told)} folds are done; ")
    assert "have no test clip among those chosen" in info.stopped
    assert info.counts == {"test": 60}


def test_a_fold_without_training_clips_is_said_before_any_is_trained(toy, tmp_path):
    inputs = toy.inputs(split="loco", fold="all", corpora=("emodb",), train={"epochs": 1})
    with pytest.raises(
        TrainingError, match=r"fold 0 \(emodb\): .* no training clip .*; choose other corpora"
    ):
        train_folds(inputs, tmp_path / "r", Silent(), command="c")
    assert not (tmp_path / "r").exists()


def test_a_fold_with_training_clips_of_one_class_is_said_before_any_is_trained(toy, tmp_path):
    toy.rows = [row for row in toy.rows if row[0] == "emodb" or row[3] == 0]
    toy.write_manifest()
    toy.write_store()
    inputs = toy.inputs(split="loco", fold="all", train={"epochs": 1})
    with pytest.raises(TrainingError, match=r"fold 0 \(emodb\): .* all of one class"):
        train_folds(inputs, tmp_path / "r", Silent(), command="c")
    assert not (tmp_path / "r").exists()


def test_no_fold_without_test_clips_is_an_error(toy, monkeypatch):
    inputs = toy.inputs(split="loco", fold="all")
    monkeypatch.setattr(type(inputs), "tests", lambda *_: False)
    with pytest.raises(TrainingError, match="split 'loco': no fold has a test clip among those chosen"):
        folds.tested_folds(inputs)


def test_pooled_scores_go_only_when_a_fold_is_trained(toy, tmp_path):
    scores = [tmp_path / "r" / name for name in ("scores.json", "predictions.parquet")]
    for epochs, kept in ((1, False), (1, True), (2, False)):
        inputs = toy.inputs(split="loco", fold="all", train={"epochs": epochs})
        train_folds(inputs, tmp_path / "r", Silent(), command="c")
        if epochs == 1 and not kept:
            for path in scores:
                path.write_text("of epoch 1")
        else:
            assert [path.exists() for path in scores] == [kept, kept]
