import os
import time
from datetime import datetime

import pytest

from ser_pipeline.errors import RunError, SerError
from ser_pipeline.options import Recipe, recipe
from ser_pipeline.runs.names import new_run
from tests.store.forked import warm

NOW = datetime(2026, 1, 31, 9, 5, 7)


def test_a_name_that_is_made_up_tells_seed_and_fold(tmp_path):
    made = recipe(model={"name": "dnn"}, split="loso", fold="3", task="6class", train={"seed": 7})
    with new_run(tmp_path / "new" / "runs", made, now=NOW) as folder:
        assert folder == tmp_path / "new" / "runs" / "20260131-090507-dnn-6class-loso-s7-f3"
        assert folder.is_dir()


def test_a_name_that_is_made_up_tells_the_time_by_the_clock(tmp_path):
    before = datetime.now().replace(microsecond=0)
    with new_run(tmp_path, Recipe()) as folder:
        assert before <= datetime.strptime(folder.name[:15], "%Y%m%d-%H%M%S") <= datetime.now()


def test_taken_and_odd_names_are_refused(tmp_path):
    (tmp_path / "a").mkdir()
    with pytest.raises(RunError, match=r"exists; choose another --name$"), new_run(tmp_path, Recipe(), "a"):
        pass
    (tmp_path / "a" / "settings.json").touch()
    with (
        pytest.raises(RunError, match=r"exists; choose another --name, or continue with 'ser train --resume"),
        new_run(tmp_path, Recipe(), "a"),
    ):
        pass
    for name in ("", "../a", "a/b", "-x", "a b", ".a", "experiments", "Experiments"):
        with pytest.raises(RunError, match="cannot name a run"), new_run(tmp_path, Recipe(), name):
            pass
    with new_run(tmp_path, Recipe(), "c.1") as folder:
        assert folder == tmp_path / "c.1"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "c.1"]


def test_runs_of_the_same_moment_have_a_folder_each(tmp_path):
    name = "20260131-090507-crnn-4class-speaker-s0"
    (tmp_path / name).write_text("a file is in the way too")
    (tmp_path / f"{name}-2").symlink_to("nowhere")
    found = []
    for _ in range(3):
        with new_run(tmp_path, Recipe(), now=NOW) as folder:
            found.append(folder.name)
    assert found == [f"{name}-3", f"{name}-4", f"{name}-5"]


def begin(here):
    """Make a run's folder as soon as there is leave to."""
    (here / f"ready-{os.getpid()}").touch()
    while not (here / "go").exists():
        time.sleep(0.001)
    with new_run(here / "runs", Recipe(), now=NOW) as folder:
        (folder / "settings.json").touch(exist_ok=False)


def test_eight_processes_at_once_have_a_folder_each(tmp_path):
    started = [warm().Process(target=begin, args=(tmp_path,)) for _ in range(8)]
    for process in started:
        process.start()
    while len([*tmp_path.glob("ready-*")]) < 8:
        assert {process.exitcode for process in started} == {None}
        time.sleep(0.001)
    (tmp_path / "go").touch()
    for process in started:
        process.join(300)
    assert [process.exitcode for process in started] == [0] * 8
    assert len([*(tmp_path / "runs").iterdir()]) == 8


def fail(runs, name, error, file=None):
    with new_run(runs, Recipe(), name) as folder:
        if file:
            (folder / file).touch()
        raise error


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_folder_of_a_run_that_failed_before_its_first_file_is_taken_away(tmp_path, error):
    with pytest.raises(error):
        fail(tmp_path, "empty", error)
    with pytest.raises(error):
        fail(tmp_path, "begun", error, "settings.json")
    assert [path.name for path in tmp_path.iterdir()] == ["begun"]


@pytest.mark.parametrize("name", [None, "a"])
def test_folder_that_cannot_be_made_is_one_line(tmp_path, name):
    (tmp_path / "file").write_text("text")
    with (
        pytest.raises(SerError, match="file: cannot be written: File exists"),
        new_run(tmp_path / "file", Recipe(), name),
    ):
        pass
    with (
        pytest.raises(SerError, match="cannot be written: File name too long"),
        new_run(tmp_path, Recipe(split="x" * 300), name and "a" * 300),
    ):
        pass
