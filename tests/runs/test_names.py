import pytest

from ser_pipeline.errors import RunError
from ser_pipeline.runs.names import find_run, new_run, newest_run
from ser_pipeline.training.info import describe, write_info


@pytest.fixture
def runs(toy, tmp_path):
    info = describe(toy.data(), tmp_path / "x", command="ser train", parameters=1)
    for name, created in (("b", "2026-01-01T00:00:00+00:00"), ("a", "2026-01-02T00:00:00+00:00")):
        write_info(tmp_path / "runs" / name, info.model_copy(update={"name": name, "created": created}))
    return tmp_path / "runs"


def test_the_newest_run_is_the_one_begun_last(runs):
    assert newest_run(runs).name == find_run(None, runs).name == "a"


def test_runs_are_found_by_name_and_by_folder(runs, monkeypatch):
    assert find_run(type(runs)("b"), runs) == runs / "b"
    monkeypatch.chdir(runs.parent)
    assert find_run(type(runs)("runs/b"), type(runs)("elsewhere")) == type(runs)("runs/b")


def test_a_run_that_does_not_exist_is_named(runs):
    with pytest.raises(RunError, match=r"run 'c' does not exist; the newest in .* are: b, a"):
        find_run(type(runs)("c"), runs)


def test_no_run_names_the_command_that_makes_one(tmp_path):
    with pytest.raises(RunError, match="holds no run; train one with 'ser train crnn'"):
        newest_run(tmp_path / "runs")


def test_taken_and_odd_names_are_refused(runs):
    with pytest.raises(RunError, match=r"exists; choose another --name, or go on with 'ser train --resume"):
        new_run(runs, "a")
    for name in ("", "../a", "a/b", "-x", "a b"):
        with pytest.raises(RunError, match="cannot name a run"):
            new_run(runs, name)
    assert new_run(runs, "c.1") == runs / "c.1"
    assert not (runs / "c.1").exists()
