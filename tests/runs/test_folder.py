import os
from threading import Event, Thread

import pytest

from ser_pipeline.errors import RunError
from ser_pipeline.runs.find import list_runs
from ser_pipeline.runs.folder import LOCK, contents, deletable, delete_run, held


@pytest.fixture
def runs(tmp_path, rows, fake):
    for name in ("a", "b"):
        fake.run(tmp_path / "runs", name, rows, "d", finished=False, epochs=1)
    (tmp_path / "runs" / "a" / "fold-0").mkdir()
    (tmp_path / "runs" / "a" / "fold-0" / "settings.json").write_text("{}")
    return tmp_path / "runs"


def test_contents_are_files_below_the_folder_with_their_sizes(tmp_path):
    (tmp_path / "x" / "inner").mkdir(parents=True)
    (tmp_path / "x" / "b.txt").write_text("four")
    (tmp_path / "x" / "inner" / "a.txt").write_text("seven77")
    (tmp_path / "far").write_text("9" * 1000)
    (tmp_path / "x" / "link").symlink_to(tmp_path / "far")
    found = contents(tmp_path / "x")
    assert list(found) == ["b.txt", "inner/a.txt", "link"]
    assert (found["b.txt"], found["inner/a.txt"]) == (4, 7)
    assert found["link"] < 1000
    assert contents(tmp_path / "none") == {}


def test_a_run_is_deleted_with_all_that_it_holds(runs):
    delete_run(deletable("a", runs))
    assert [path.name for path in runs.iterdir()] == ["b"]
    assert [found.folder.name for found in list_runs(runs).read] == ["b"]


def test_a_run_that_cannot_be_read_is_deleted_when_named(runs):
    (runs / "b" / "settings.json").unlink()
    (runs / "b" / "settings.json").mkdir()
    delete_run(deletable("b", runs))
    assert [path.name for path in runs.iterdir()] == ["a"]


def test_what_links_lead_to_stays(runs, tmp_path):
    (tmp_path / "far").mkdir()
    (tmp_path / "far" / "precious").write_text("text")
    (runs / "a" / "folder").symlink_to(tmp_path / "far")
    (runs / "a" / "file").symlink_to(tmp_path / "far" / "precious")
    delete_run(deletable("a", runs))
    assert (tmp_path / "far" / "precious").read_text() == "text"


def test_a_run_is_named_by_name_or_path(runs, monkeypatch):
    monkeypatch.chdir(runs.parent)
    assert deletable("runs/b", runs).samefile(runs / "b")
    assert deletable(runs / "b", runs) == runs / "b"
    monkeypatch.chdir(runs)
    assert deletable("b", runs).samefile(runs / "b")


def test_only_whole_runs_of_the_folder_are_deleted(runs, tmp_path, rows, fake, monkeypatch):
    elsewhere = fake.run(tmp_path / "other", "c", rows, "d", finished=False, epochs=1)
    cell = fake.run(runs / "experiments" / "cells", "ab12", rows, "d", finished=False, epochs=1)
    (runs / "plain").mkdir()
    (runs / ".hidden").mkdir()
    (runs / ".hidden" / "settings.json").write_text("{}")
    (tmp_path / "settings.json").write_text("{}")
    monkeypatch.chdir(runs)
    for name in ("a/fold-0", elsewhere, cell, "experiments/cells/ab12", ".hidden", "..", "../runs/.."):
        with pytest.raises(RunError, match=r"is not a run of its own in .*runs; only such runs can be"):
            deletable(name, runs)
    for name in ("plain", "experiments", "nowhere", ".", ""):
        with pytest.raises(RunError, match="does not exist"):
            deletable(name, runs)


def test_a_link_to_a_run_is_not_followed(runs, tmp_path):
    (runs / "a").rename(tmp_path / "moved")
    (runs / "a").symlink_to(tmp_path / "moved")
    assert len(list_runs(runs).read) == 2
    with pytest.raises(RunError, match=r"runs/a: is a link to .*moved; remove the link yourself"):
        deletable("a", runs)


def test_what_an_interrupted_deletion_left_goes_with_the_next(runs):
    (runs / ".deleted-0123" / "inner").mkdir(parents=True)
    (runs / ".deleted-0123" / "inner" / "file").write_text("text")
    delete_run(deletable("a", runs))
    assert [path.name for path in runs.iterdir()] == ["b"]


def test_a_run_that_cannot_be_deleted_whole_says_what_is_left(runs, monkeypatch):
    def refuse(path, **_):
        raise PermissionError(13, "Permission denied", os.fspath(path / "file"))

    monkeypatch.setattr("ser_pipeline.runs.folder.shutil.rmtree", refuse)
    with pytest.raises(
        RunError,
        match=r"runs/a: cannot be deleted completely: .*file: Permission denied; delete .*\.deleted-",
    ):
        delete_run(runs / "a")
    assert [found.folder.name for found in list_runs(runs).read] == ["b"]
    with pytest.raises(RunError, match=r"runs/gone: cannot be deleted: No such file or directory"):
        delete_run(runs / "gone")


@pytest.fixture
def run(tmp_path):
    folder = tmp_path / "runs" / "a"
    (folder / "fold-0").mkdir(parents=True)
    for place in (folder, folder / "fold-0"):
        (place / "settings.json").touch()
    return folder


@pytest.mark.parametrize("part", [".", "fold-0"])
def test_a_run_and_its_folds_are_held_as_one(run, part):
    with held(run):
        with pytest.raises(RunError, match="is being trained or scored by another process; wait until"):
            held(run / part).__enter__()
        with held(run.with_name("b")):
            pass
    with held(run / part):
        pass
    assert sorted(path.name for path in run.iterdir()) == ["fold-0", "settings.json"]


def test_who_waits_is_told_and_gets_it(run):
    has, end, told = Event(), Event(), []

    def other():
        with held(run):
            has.set()
            end.wait(60)

    def waiting(line):
        told.append(line)
        end.set()

    thread = Thread(target=other)
    thread.start()
    assert has.wait(60)
    with held(run, waiting):
        assert told == [f"{run}: is being trained or scored by another process; waiting until it ends"]
    thread.join()


def test_where_nothing_can_be_locked_nothing_is_held(run):
    run.with_name(LOCK).mkdir()
    with held(run):
        pass
