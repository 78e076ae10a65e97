import json
import shutil
from types import SimpleNamespace

import pytest

SMALL = """
title = "Small"
seeds = [0, 1, 2]

[arms.low]
settings = { model = { name = "logreg", c = 0.003 } }

[arms.high]
settings = { model = { name = "logreg", c = 0.3 } }

[[claims]]
text = "More is better"
first = "high"
second = "low"
"""


@pytest.fixture
def small(toy, tmp_path, monkeypatch):
    monkeypatch.setattr("ser_pipeline.experiments.run.decision_ms", lambda folder: (2.0, 1.0))
    toy.write_features()
    (tmp_path / "small.toml").write_text(SMALL)


def test_run_list_show_report(ser, small, tmp_path):
    shown = ser("experiment", "run", "small.toml")
    assert "6 runs done, 0 failed, 0 not run" in shown.stdout
    assert "More is better" in shown.stdout
    assert "high, speaker, seed 0 (6 left, about" in shown.stderr
    assert "next: ser report" in shown.stderr
    again = ser("experiment", "run", "small.toml")
    assert "seed 0" not in again.stderr
    listed = json.loads(ser("experiment", "list", "--format", "json").stdout)
    assert [row["name"] for row in listed] == [
        "ablations", "cross-corpus", "hypotheses", "learning-curve", "paper", "small",
    ]  # fmt: skip
    assert (listed[-1]["done"], listed[0]["claims"]) == (6, "not judged")
    for name in ("small", "small.toml"):
        found = json.loads(ser("experiment", "show", name, "--format", "json").stdout)
        assert found["claims"][0]["figures"]["seeds"] == [3, 3]
    ser("report")
    assert "More is better" in (tmp_path / "reports" / "report.html").read_text()


def test_hours_of_work_ask_for_a_budget_first(ser, small, monkeypatch):
    monkeypatch.setattr("ser_pipeline.cli.budget.LONG_S", 0)
    asked = ser("experiment", "run", "small.toml", status=1).stderr
    assert asked.startswith("ser: 6 runs are left, which take about ")
    assert "pass --budget, as in --budget 1h" in asked
    assert "6 runs done" in ser("experiment", "run", "small.toml", "--budget", "none").stdout


def test_a_run_that_is_killed_leaves_its_progress(ser, small, monkeypatch):
    from ser_pipeline.experiments import run, verdicts

    train, calls = run.train_cell, []

    def second_kills(*args, **options):
        calls.append(args)
        if len(calls) == 2:
            raise SystemExit(9)
        return train(*args, **options)

    with monkeypatch.context() as patch:
        patch.setattr(run, "train_cell", second_kills)
        patch.setattr(verdicts, "write_findings", lambda *args, **options: None)
        ser("experiment", "run", "small.toml", status=9)
    (row,) = [
        row
        for row in json.loads(ser("experiment", "list", "--format", "json").stdout)
        if row["name"] == "small"
    ]
    assert (row["done"], row["not run"], row["claims"]) == (1, 5, "not judged")
    assert "5 runs to train" in ser("experiment", "run", "small.toml", "--dry-run").stdout


def test_a_dry_run_trains_nothing(ser, small, tmp_path):
    shown = ser("experiment", "run", "small.toml", "--dry-run")
    assert "6 runs to train" in shown.stdout
    assert not (tmp_path / "runs").exists()
    (tmp_path / "slow.toml").write_text(SMALL.replace("logreg", "gboost"))
    none = ser("experiment", "run", "slow.toml", "--dry-run", "--budget", "1s")
    assert "0 runs to train, about 0 s; 6 more do not fit into the budget; 0 are done" in none.stdout


def test_runs_that_cannot_be_trained_are_named_with_the_reason(ser, small, tmp_path, monkeypatch):
    monkeypatch.delenv("SER_ENCODERS", raising=False)
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    high = '"logreg", c = 0.3 }, on = "embeddings", embeddings = { encoder = "no-such"'
    (tmp_path / "gone.toml").write_text(SMALL.replace('"logreg", c = 0.3', high))
    for words, count in (
        (("--dry-run",), "3 runs to train, about"),
        ((), "3 runs done, 0 failed, 3 not run"),
    ):
        shown = ser("experiment", "run", "gone.toml", *words)
        assert count in shown.stdout
        assert "3 runs cannot be trained: encoder 'no-such': not on this machine" in shown.stderr


def test_what_never_ran_reads_not_run(ser):
    shown = ser("experiment", "show", "hypotheses", "--format", "csv")
    lines = shown.stdout.strip().splitlines()
    assert lines[0] == "family,claim,verdict"
    assert len(lines) > 30
    assert all(line.endswith(",not run") for line in lines[1:])
    assert "next: ser experiment run hypotheses" in shown.stderr


def test_a_failed_cell_has_status_1_and_the_others_are_shown(ser, small, tmp_path):
    text = SMALL + '[arms.mels]\nsettings = { model = { name = "crnn" }, front_end = { n_mels = 9 } }\n'
    (tmp_path / "small.toml").write_text(text)
    shown = ser("experiment", "run", "small.toml", "--data", "nowhere", status=1)
    assert "6 runs done, 3 failed, 0 not run" in shown.stdout
    assert "failed after 0 s: nowhere: is not a folder" in shown.stderr


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("run", "nope"), "ser: experiment 'nope' does not exist; shipped are ablations"),
        (("show", "nope"), "ser: experiment 'nope' does not exist; shipped are ablations"),
        (("run", "small.toml", "--budget", "soon"), "ser: --budget 'soon' must be a time above zero"),
        (("run", "small.toml", "--only", "x"), "ser: --only x: no arm has this name; valid are high; low"),
        (("run", "small.toml", "--backend", "dask"), "ser: --backend dask and --scheduler go together"),
        (
            ("run", "small.toml", "--scheduler", "tcp://h:1"),
            "ser: --backend dask and --scheduler go together",
        ),
        (
            ("run", "small.toml", "--backend", "dask", "--scheduler", "tcp://h:1", "--threads", "2"),
            "ser: --threads does not go with --backend dask, whose workers train each cell with one thread",
        ),
        (
            ("run", "small.toml", "--backend", "dask", "--scheduler", "nonsense://h"),
            "ser: --scheduler nonsense://h: cannot be reached",
        ),
        (("run", "bad.toml"), "ser: bad.toml: arm: no such key; valid are title, about, seeds"),
        (("run", "hypotheses", "--manifests", "nowhere"), "ser: nowhere/manifest.parquet: not found"),
    ],
)
def test_wrong_input_is_one_line(ser, small, tmp_path, words, message):
    (tmp_path / "bad.toml").write_text('title = "T"\n[arm.a]\n[arms.a]\n')
    result = ser("experiment", *words, status=1)
    (line,) = [line for line in result.stderr.splitlines() if line.startswith("ser: ")]
    assert message in line
    assert "Traceback" not in result.stderr


def test_ctrl_c_keeps_what_is_done_and_says_so(ser, small, monkeypatch):
    from ser_pipeline.experiments import run

    train, calls = run.train_cell, []

    def second_interrupts(*args, **options):
        calls.append(args)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return train(*args, **options)

    monkeypatch.setattr(run, "train_cell", second_interrupts)
    result = ser("experiment", "run", "small.toml", status=130)
    assert "run the same command again to continue" in result.stderr
    found = json.loads(ser("experiment", "show", "small", "--format", "json").stdout)
    assert [(arm["done"], arm["waiting"]) for arm in found["arms"]] == [(0, 3), (1, 2)]
    assert found["claims"][0]["outcome"] == "not run"


def test_a_damaged_result_file_says_what_to_do(ser, tmp_path):
    path = tmp_path / "runs" / "experiments" / "mine" / "findings.json"
    path.parent.mkdir(parents=True)
    path.write_text("{")
    result = ser("experiment", "show", "mine", status=1)
    assert "make it again with 'ser experiment run mine'" in result.stderr


def test_only_takes_a_name_with_brackets_and_a_comma_or_names_between_commas(ser, small, tmp_path):
    text = SMALL.replace("[arms.high]", '[arms."high[c=1, d=2]"]').replace(
        'first = "high"', 'first = "high[c=1, d=2]"'
    )
    (tmp_path / "small.toml").write_text(text)
    whole = ser("experiment", "run", "small.toml", "--only", "high[c=1, d=2]", "--dry-run").stdout
    assert "high[c=1, d=2]" in whole
    assert "low" not in whole
    both = ser("experiment", "run", "small.toml", "--only", "high*, low", "--dry-run").stdout
    assert "high[c=1, d=2]" in both
    assert "low" in both


@pytest.fixture
def paper(small, tmp_path, monkeypatch):
    """The source report has one claim, about two classifiers, which another experiment makes."""
    folder = tmp_path / "shipped"
    folder.mkdir()
    (folder / "small.toml").write_text(SMALL)
    (folder / "paper.toml").write_text('title = "The report"\n[take]\nsmall = []\n')
    monkeypatch.setattr("ser_pipeline.experiments.spec.SHIPPED", folder)
    return tmp_path / "reports" / "paper.html"


def test_paper_measures_the_source_report_and_writes_a_page(ser, paper, monkeypatch):
    assert "6 runs to train" in ser("paper", "--dry-run").stdout
    assert not paper.exists()
    ser("experiment", "run", "small", "--only", "low")
    shown = ser("paper")
    assert shown.stdout.splitlines()[-1] == "reports/paper.html"
    assert shown.stderr.count(", seed ") == 3  # those of the other arm
    for page in (paper, paper.with_suffix(".md")):
        assert "More is better" in page.read_text(encoding="utf-8")
    assert ", seed " not in ser("paper").stderr
    monkeypatch.setattr("ser_pipeline.cli.budget.LONG_S", -1)
    assert "pass --budget, as in --budget 1h" in ser("paper", status=1).stderr
    ser("paper", "--budget", "1m")


def test_paper_is_written_when_the_budget_ends(ser, paper):
    shown = ser("paper", "--runs", "others", "--budget", "1s", "--out", "here")
    assert "others/experiments/paper: " in shown.stdout
    assert "not run" in (paper.parents[1] / "here" / "paper.md").read_text(encoding="utf-8")


def test_paper_builds_the_manifest_that_is_missing(ser, paper, toy, monkeypatch):
    asked = ser("paper", "--manifests", "new", status=1).stderr
    assert asked.startswith("ser: new/manifest.parquet: not found; build it first with 'ser manifest build")
    gone = ser("paper", "--manifests", "new", "--data", "nowhere", status=1).stderr
    assert gone.startswith("ser: nowhere: no such folder")
    data = toy.folder / "DataSets"
    data.mkdir(exist_ok=True)

    def build(folder, out, **options):
        assert folder.name == "DataSets"
        shutil.copytree(toy.manifests, out)
        return SimpleNamespace(held="8 recordings", rejects=0)

    monkeypatch.setattr("ser_pipeline.api.build_manifest", build)
    dry = ser("paper", "--manifests", "new", "--dry-run", status=1).stderr
    assert "not found; run 'ser manifest build --data DataSets' before a dry run" in dry
    shown = ser("paper", "--manifests", "new", "--data", data)
    assert "8 recordings, 0 rejected" in shown.stderr
    assert "6 runs done" in shown.stdout


def test_paper_asks_for_a_folder_before_anything_is_trained(ser, paper, tmp_path):
    (tmp_path / "file").write_text("")
    assert (
        "ser: file: is a file; choose a folder with --out" in ser("paper", "--out", "file", status=1).stderr
    )
    assert not (tmp_path / "runs").exists()
