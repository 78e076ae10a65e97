import json
import sys

import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from ser_pipeline.cli import app
from ser_pipeline.errors import SettingsError
from ser_pipeline.experiments.arms import designed
from ser_pipeline.experiments.place import all_records
from ser_pipeline.experiments.search import best, search, search_seconds
from ser_pipeline.experiments.spec import parse_experiment
from tests.experiments.conftest import SMALL, Quiet

pytest.importorskip("optuna")

SEARCH = (
    SMALL
    + """
[search]
arm = "dnn"
protocol = "one"
trials = 3

[search.space]
"train.learning_rate" = { low = 1e-3, high = 1e-2, log = true }
"model.dropout" = { choices = [0.0, 0.5] }
"train.batch_size" = { low = 8, high = 24, whole = true }
"""
)


def run(lab, text=SEARCH, **options):
    ground, watcher = lab.ground(), Quiet()
    design = designed(parse_experiment(text, "small.toml"), ground.groups())
    return search(design, ground, lab.places, watcher, command="c", **options), watcher


def test_trials_stay_in_the_space_and_the_best_is_the_best_on_validation(lab):
    trials, watcher = run(lab)
    assert [trial.number for trial in trials] == [1, 2, 3]
    assert len(watcher.states) == 3
    for trial in trials:
        assert 1e-3 <= trial.values["train.learning_rate"] <= 1e-2
        assert trial.values["model.dropout"] in (0.0, 0.5)
        assert trial.values["train.batch_size"] in range(8, 25)
        assert trial.cell.recipe.train.batch_size == trial.values["train.batch_size"]
        assert trial.score == trial.state.record.validation_uar
    assert best(trials).score == max(trial.score for trial in trials)
    table = pq.read_table(lab.runs / "experiments" / "small" / "trials.parquet").to_pylist()
    assert [row["validation_uar"] for row in table] == [trial.score for trial in trials]
    assert json.loads(table[0]["settings"]) == trials[0].values


def test_a_search_goes_on_where_it_stopped_and_trains_nothing_twice(lab):
    first, _ = run(lab, trials=2)
    records = {record.key for record in all_records(lab.runs)}
    more, _ = run(lab, trials=3)
    assert [trial.values for trial in more[:2]] == [trial.values for trial in first]
    assert [trial.score for trial in more[:2]] == [trial.score for trial in first]
    assert len({record.key for record in all_records(lab.runs)} - records) == 1
    ground = lab.ground()
    for text, left in ((SEARCH, 1), (SEARCH.replace("[0.0, 0.5]", "[0.1, 0.2]"), 4)):
        design = designed(parse_experiment(text, "small.toml"), ground.groups())
        assert search_seconds(design, ground, lab.places, trials=4)[0] == left


def test_a_trial_that_fails_stops_no_other(lab, monkeypatch):
    from ser_pipeline.experiments import run as module

    calls, train = [], module.train_cell

    def sometimes(*arguments, **options):
        calls.append(arguments)
        if len(calls) == 1:
            raise RuntimeError("no luck")
        return train(*arguments, **options)

    monkeypatch.setattr(module, "train_cell", sometimes)
    trials, _ = run(lab)
    assert [trial.state.status for trial in trials] == ["failed", "done", "done"]
    assert trials[0].score is None
    assert best(trials).number in (2, 3)


def test_without_time_nothing_is_begun(lab):
    trials, _ = run(lab, budget_s=0.0)
    assert [trial.state.status for trial in trials] == ["not run"]
    assert best(trials) is None


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('arm = "dnn"\nprotocol', 'arm = "cnn"\nprotocol', "there is no arm 'cnn'; valid are logreg, dnn"),
        (
            'protocol = "one"\ntrials',
            'protocol = "two"\ntrials',
            "there is no protocol 'two'; valid are people, one",
        ),
        ('protocol = "one"\ntrials', 'protocol = "people"\ntrials', "'people' has folds"),
        (
            'one = { split = "speaker" }',
            'one = { split = "loco" }\n[settings]\nfold = "all"',
            "'one' has folds",
        ),
        (
            'one = { split = "speaker" }',
            'one = { split = "speaker", where = "speaker_id = \'nemo-0\'" }',
            r"'one': split 'speaker' has no validation clips .*; choose a split",
        ),
        ('"model.dropout"', '"model.drop"', "model.drop"),
        ('"model.dropout"', '"model.attention"', "'model.attention' has no effect on model dnn"),
        ("low = 8, high = 24", "low = 24, high = 8", "low must lie below high"),
        ("low = 8, high = 24", "low = 8.5, high = 24", "low and high must be whole numbers with whole"),
        ("choices = [0.0, 0.5]", "choices = [0.5], low = 1.0, high = 2.0", "either choices, or low and high"),
        ("trials = 3", "tries = 3", "search.tries: no such key; valid are arm, protocol, trials"),
    ],
)
def test_what_does_not_fit_is_one_line(lab, old, new, message):
    assert old in SEARCH
    with pytest.raises(SettingsError, match=message) as caught:
        run(lab, SEARCH.replace(old, new))
    assert "\n" not in str(caught.value)


def test_a_file_without_a_search_and_a_missing_extra_are_said(lab, monkeypatch):
    with pytest.raises(SettingsError, match=r"has no \[search\]"):
        run(lab, SMALL)
    with monkeypatch.context() as patch:
        patch.setattr("ser_pipeline.training.trackers.find_spec", lambda name: None)
        with pytest.raises(SettingsError, match="log wandb: wandb is not installed"):
            run(lab, SEARCH.replace("epochs = 1", 'epochs = 1\nlog = "wandb"'))
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(SettingsError, match=r"pip install 'ser-pipeline\[search\]'"):
        run(lab)


def test_the_command_prints_lines_for_the_settings_file(lab, tmp_path, monkeypatch):
    (tmp_path / "mine.toml").write_text(SEARCH)
    folders = ("--manifests", str(lab.toy.manifests), "--cache", str(lab.toy.cache), "--runs", str(lab.runs))
    words = ("experiment", "search", "mine.toml", "--trials", "2", "--data", str(tmp_path), *folders)
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 0, result.stderr
    assert result.stdout.startswith("[model]\ndropout = ")
    assert "[train]\nbatch_size = " in result.stdout
    assert "best of 2: trial" in result.stderr
    assert "validation UAR" in result.stderr
    assert "test UAR" not in result.stderr
    (tmp_path / "ser.toml").write_text(result.stdout)
    monkeypatch.setattr("ser_pipeline.cli.budget.LONG_S", 1e-9)
    again = CliRunner().invoke(app, words)  # both are done
    assert again.exit_code == 0, again.stderr
    asked = CliRunner().invoke(app, [*words, "--trials", "5"])
    assert asked.stderr.startswith("ser: 3 trials are left, which take about ")
    assert "pass --budget" in asked.stderr
    assert asked.exit_code == 1
