import math
import subprocess
import sys
from types import SimpleNamespace

import pyarrow.parquet as pq
import pytest
import soundfile

from ser_pipeline.errors import RunError, SettingsError
from ser_pipeline.experiments import run
from ser_pipeline.experiments.place import cell_folder, only_one, read_record
from ser_pipeline.experiments.run import NO_TIME, Clock, OutOfTimeError
from ser_pipeline.experiments.schedule import NOT_ASKED
from ser_pipeline.experiments.verdicts import write_findings
from ser_pipeline.manifest import digest_file
from ser_pipeline.store import open_store

LONG = """
title = "Long"
seeds = [0]
[settings.train]
epochs = 3
[arms.dnn]
settings = { model = { name = "dnn" } }
"""


def statuses(progress):
    return [progress.state(cell).status for cell in progress.cells]


def test_everything_is_trained_once(lab):
    progress, watcher = lab.run()
    assert statuses(progress) == ["done"] * 6
    assert [state.status for state in watcher.states] == ["done"] * 6
    assert watcher.began_with[0] == ("logreg, one, seed 0", 6)
    assert lab.run()[1].states == []


def test_another_experiment_finds_what_is_there(lab):
    lab.run()
    other = 'title = "Other"\n[arms.same]\nsettings = { model = { name = "logreg", c = 0.03 } }\n'
    progress, watcher = lab.run(other, name="other")
    assert watcher.states == []
    assert statuses(progress) == ["done"] * 3


def test_pairs_of_a_claim_come_seed_by_seed(lab):
    _, watcher = lab.run()
    assert [label for label, _ in watcher.began_with][:4] == [
        "logreg, one, seed 0",
        "dnn, one, seed 0",
        "logreg, one, seed 1",
        "dnn, one, seed 1",
    ]


def test_a_failed_cell_is_noted_and_stops_no_other(lab):
    text = 'title = "T"\nseeds = [0]\n[arms.mels]\nsettings = { model = { name = "crnn" } }\n'
    text += '[arms.logreg]\nsettings = { model = { name = "logreg" } }\n'
    progress, _ = lab.run(text)
    assert statuses(progress) == ["failed", "done"]
    assert "is not a folder; pass the folder" in progress.state(progress.cells[0]).reason
    found = write_findings(progress, lab.runs)
    assert found.cells() == {"done": 1, "failed": 1, "not run": 0}
    assert [arm.uar is None for arm in found.arms] == [True, False]


def test_a_fault_of_a_library_stops_no_other_either(lab, monkeypatch):
    def broken(*args, **options):
        raise RuntimeError("out of memory\nand more")

    monkeypatch.setattr(run, "fit_and_score", broken)
    progress, _ = lab.run()
    assert set(statuses(progress)) == {"failed"}
    assert progress.state(progress.cells[0]).reason == "RuntimeError: out of memory"


def test_only_some_arms(lab):
    progress, _ = lab.run(only=["dn*"])
    assert statuses(progress) == ["not run"] * 3 + ["done"] * 3
    assert progress.state(progress.cells[0]).reason == NOT_ASKED
    with pytest.raises(SettingsError, match="--only crnn: no arm has this name; valid are dnn; logreg"):
        lab.run(only=["crnn"])


def test_without_time_nothing_runs_and_the_table_says_so(lab):
    progress, watcher = lab.run(budget_s=0.0)
    assert watcher.states == []
    assert statuses(progress) == ["not run"] * 6
    assert progress.state(progress.cells[0]).reason == NO_TIME
    found = write_findings(progress, lab.runs)
    assert [claim.outcome for claim in found.claims] == ["not run"]
    table = pq.read_table(lab.runs / "experiments" / "small" / "cells.parquet")
    assert set(table["status"].to_pylist()) == {"not run"}
    assert table["uar"].null_count == 6


def epochs_of(lab, progress):
    folder = cell_folder(lab.runs, progress.cells[0].key)
    return len((folder / "metrics.csv").read_text().splitlines()) - 1


def test_a_network_stops_after_the_epoch_in_which_time_is_over_and_goes_on(lab, monkeypatch):
    done = Clock.epoch_done

    def late(self, report):
        self.deadline = 0.0
        done(self, report)

    with monkeypatch.context() as patch:
        patch.setattr(Clock, "epoch_done", late)
        progress, _ = lab.run(LONG, budget_s=600.0)
    assert progress.state(progress.cells[0]).reason == NO_TIME
    assert epochs_of(lab, progress) == 1
    assert read_record(lab.runs, progress.cells[0].key) is None
    progress, _ = lab.run(LONG)
    assert statuses(progress) == ["done"]
    assert epochs_of(lab, progress) == 3


def test_a_killed_run_goes_on_and_ends_as_if_it_had_not_been(lab, monkeypatch):
    def interrupted(self, report):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Clock, "epoch_done", interrupted)
        with pytest.raises(KeyboardInterrupt):
            lab.run(LONG)
    killed = lab.run(LONG)[0]
    lab.at(lab.toy.folder / "elsewhere")
    whole = lab.run(LONG)[0]
    records = [progress.state(progress.cells[0]).record for progress in (killed, whole)]
    assert records[0].uar == records[1].uar
    assert records[0].ece == records[1].ece


def test_one_experiment_at_a_time(tmp_path):
    with only_one(tmp_path):
        code = (
            "from pathlib import Path; from ser_pipeline.experiments.place import only_one\n"
            f"with only_one(Path({str(tmp_path)!r})): pass"
        )
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "another experiment is running here" in done.stderr
    with only_one(tmp_path):
        pass


def test_the_clock_ends_a_training_after_its_deadline():
    told = []
    watcher = SimpleNamespace(epoch_done=told.append, warn=told.append)
    Clock(math.inf, watcher).epoch_done("epoch")
    Clock(math.inf, watcher).warn("warning")
    assert told == ["epoch", "warning"]
    with pytest.raises(OutOfTimeError, match="the next run continues from there"):
        Clock(0.0, watcher).epoch_done("epoch")


def test_a_damaged_record_is_not_a_result(lab):
    progress, _ = lab.run(LONG)
    key = progress.cells[0].key
    (cell_folder(lab.runs, key) / "cell.json").write_text("{")
    assert read_record(lab.runs, key) is None
    assert statuses(lab.run(LONG)[0]) == ["done"]
    (cell_folder(lab.runs, key) / "predictions.parquet").write_bytes(b"cut")
    with pytest.raises(RunError, match=r"predictions\.parquet: cannot be read"):
        write_findings(lab.progress(LONG), lab.runs)


MELS = """
title = "Mels"
seeds = [0]
[settings]
front_end = { n_mels = 8, max_s = 1.0, denoise = "none" }
train = { epochs = 1, batch_size = 16 }
[arms.crnn]
settings = { model = { name = "crnn" } }
"""


def test_a_store_that_is_not_there_is_built_first(lab, rng, monkeypatch):
    data = lab.places.data
    waves = [0.1 * rng.standard_normal(4_000) for _ in lab.toy.rows]
    digests = []
    for (corpus, _, speaker, emotion, take), wave in zip(lab.toy.rows, waves, strict=True):
        path = data / corpus / f"{speaker}-{emotion}-{take}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, wave, 16_000)
        digests.append(digest_file(path))
    monkeypatch.setattr(lab.toy, "digest", digests.__getitem__)
    lab.toy.write_manifest()
    progress, watcher = lab.run(MELS)
    assert statuses(progress) == ["done"]
    assert watcher.built == ["mels"]
    front_end = progress.cells[0].recipe.front_end
    assert open_store(lab.toy.cache, front_end).shape == (8, front_end.max_frames)


def test_what_another_process_has_finished_meanwhile_is_not_trained_again(lab, monkeypatch):
    stale = lab.progress(LONG)
    lab.run(LONG)
    monkeypatch.setattr("ser_pipeline.experiments.run.train_cell", None)
    lab.finish(stale)
    assert statuses(stale) == ["done"]


LOGGED = LONG.replace("epochs = 3", 'epochs = 1\nlog = "tensorboard"')


def test_cells_are_logged_by_their_labels(lab):
    progress, watcher = lab.run(LOGGED)
    (cell,) = progress.cells
    folder = cell_folder(lab.runs, cell.key)
    assert list((folder / "tensorboard").glob("events*"))
    assert "run: dnn, speaker, seed 0" in (folder / "tensorboard" / "hparams.yaml").read_text()
    assert watcher.warnings == []


def test_a_tracker_that_fails_ends_no_cell(lab, monkeypatch):
    def full(self, folder, title, key):
        assert title == "dnn, speaker, seed 0"
        raise OSError("no space left")

    monkeypatch.setattr("ser_pipeline.training.trackers.Tracker.__init__", full)
    progress, watcher = lab.run(LOGGED)
    assert statuses(progress) == ["done"]
    (warning,) = watcher.warnings
    assert warning.startswith("tensorboard is left out from here on: no space left; ")


def test_a_tracker_that_is_not_installed_is_said_before_the_first_cell(lab, monkeypatch):
    monkeypatch.setattr("ser_pipeline.training.trackers.find_spec", lambda name: None)
    with pytest.raises(SettingsError, match=r"pip install 'ser-pipeline\[tensorboard\]'"):
        lab.run(LOGGED)
    assert not (lab.runs / "experiments" / "cells").exists()
