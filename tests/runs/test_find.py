import os
import time
from pathlib import Path

import pytest

from ser_pipeline.errors import RunError
from ser_pipeline.runs.find import choose_runs, find_run, list_runs


@pytest.fixture
def put(tmp_path, rows, fake):
    """Write runs, each named with the time that it says it began."""

    def put(**created):
        for name, moment in created.items():
            fake.run(tmp_path / "runs", name, rows, "d", created=moment, finished=False, epochs=1)
        return tmp_path / "runs"

    return put


@pytest.fixture
def runs(put):
    return put(b="2026-01-01T00:00:00+00:00", a="2026-01-02T00:00:00+00:00")


def names(runs):
    return [found.folder.name for found in list_runs(runs).read]


def test_the_newest_run_is_the_one_begun_last(runs):
    assert find_run(None, runs).name == list_runs(runs).newest().name == "a"


def test_age_is_compared_as_time_and_not_as_text(put):
    runs = put(
        tokyo="2026-10-25T18:00:00+09:00",  # 09:00 UTC
        utc="2026-10-25T10:00:00Z",
        summer="2026-10-25T02:59:00+02:00",  # 00:59 UTC
        winter="2026-10-25T02:01:00+01:00",  # 01:01 UTC
    )
    assert names(runs) == ["summer", "winter", "tokyo", "utc"]
    assert find_run(None, runs).name == "utc"


def test_time_without_zone_is_local(put, monkeypatch):
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    try:
        runs = put(
            local="2026-01-01T12:00:00", before="2026-01-01T02:00:00+00:00", after="2026-01-01T04:00:00Z"
        )
        assert names(runs) == ["before", "local", "after"]
    finally:
        monkeypatch.undo()
        time.tzset()


@pytest.mark.parametrize("odd", ["", "yesterday", "0000-00-00", "2026-13-01T00:00:00+00:00", "99999"])
def test_run_that_began_at_no_known_time_is_never_the_newest(put, odd):
    runs = put(z=odd, a="1999-01-01T00:00:00+00:00", first="0001-01-01T00:00:00+14:00")
    assert names(runs) == ["z", "first", "a"]
    assert list_runs(runs).read[0].began is None


def test_runs_of_one_second_are_ordered_by_name(put):
    moment = "2026-01-01T00:00:00+00:00"
    assert names(put(b=moment, a=moment, c=moment)) == ["a", "b", "c"]


def spoil(folder, how):
    path = folder / "settings.json"
    whole = path.read_bytes()
    path.unlink()
    if how == "folder":
        path.mkdir()
    elif how == "link to nothing":
        path.symlink_to("nowhere")
    elif how == "other schema":
        path.write_bytes(whole.replace(b'"schema_version":1', b'"schema_version":99'))
    else:
        path.write_bytes({"cut": whole[:100], "empty": b"", "bytes": b"\xff\xfe" + whole, "list": b"[]"}[how])


@pytest.mark.parametrize(
    "how", ["folder", "link to nothing", "other schema", "cut", "empty", "bytes", "list"]
)
def test_run_that_cannot_be_read_hides_no_other(put, how):
    runs = put(broken="2026-03-01T00:00:00+00:00", good="2026-01-01T00:00:00+00:00")
    spoil(runs / "broken", how)
    found = list_runs(runs)
    assert [each.folder.name for each in found.read] == ["good"]
    (unread,) = found.unread
    assert (unread.kind, unread.name) == ("run", "broken")
    assert unread.line.startswith(f"run broken could not be read: {runs / 'broken' / 'settings.json'}: ")
    assert "\n" not in unread.line
    assert find_run(None, runs).name == find_run("good", runs).name == "good"
    assert find_run("broken", runs).name == "broken"
    assert [folder.name for folder in choose_runs(runs)] == ["good", "broken"]


def close(folder, monkeypatch):
    """Let nobody look into a folder; its permissions would not keep the superuser out."""
    lstat, read = os.lstat, Path.read_bytes

    def refuse(path):
        if Path(path).is_relative_to(folder) and Path(path) != folder:
            raise PermissionError(13, "Permission denied", str(path))

    def checked_lstat(path, *rest):
        refuse(path)
        return lstat(path, *rest)

    def checked_read(path):
        refuse(path)
        return read(path)

    monkeypatch.setattr("ser_pipeline.runs.find.os.lstat", checked_lstat)
    monkeypatch.setattr(Path, "read_bytes", checked_read)


def test_run_that_nobody_may_look_into_is_named(put, monkeypatch):
    runs = put(closed="2026-03-01T00:00:00+00:00", good="2026-01-01T00:00:00+00:00")
    close(runs / "closed", monkeypatch)
    found = list_runs(runs)
    assert [each.folder.name for each in found.read] == ["good"]
    assert [entry.name for entry in found.unread] == ["closed"]
    assert "cannot be read (Permission denied)" in found.unread[0].reason


def test_what_is_no_run_is_passed_over(runs, monkeypatch):
    for name in ("experiments", ".deleted-x", "empty", "lost+found"):
        (runs / name).mkdir()
    (runs / ".deleted-x" / "settings.json").write_text("{}")
    (runs / "notes.txt").write_text("text")
    close(runs / "lost+found", monkeypatch)
    assert names(runs) == ["b", "a"]
    assert not list_runs(runs).unread


def test_folder_that_cannot_be_listed_is_named(tmp_path):
    (tmp_path / "file").write_text("text")
    with pytest.raises(RunError, match=r"file: cannot be listed \(Not a directory\); choose another folder"):
        list_runs(tmp_path / "file")


def test_runs_are_found_by_name_and_by_folder(runs, monkeypatch):
    assert find_run(Path("b"), runs) == find_run("b", runs) == runs / "b"
    monkeypatch.chdir(runs.parent)
    assert find_run("runs/b", Path("elsewhere")) == Path("runs/b")


def test_a_run_that_does_not_exist_is_named(runs):
    with pytest.raises(RunError, match=r"run 'c' does not exist; the newest in .* are: b, a$"):
        find_run("c", runs)
    with pytest.raises(RunError, match=r"run 'c' does not exist; the newest in .* are: none$"):
        find_run("c", runs / "nowhere")
    with pytest.raises(RunError, match="does not exist"):
        find_run("c" * 300, runs)


def test_no_run_names_the_command_that_makes_one(tmp_path):
    with pytest.raises(RunError, match="runs: contains no runs; train one with 'ser train crnn'"):
        find_run(None, tmp_path / "runs")


def test_runs_that_cannot_be_read_are_named_where_there_are_no_others(put):
    runs = put(a="2026-01-01T00:00:00+00:00")
    spoil(runs / "a", "cut")
    with pytest.raises(RunError, match="no runs that can be read; 'ser runs' says what is wrong with a;"):
        find_run(None, runs)


def test_all_runs_are_chosen_oldest_first(put):
    runs = put(**{name: f"2026-01-0{day}T00:00:00+00:00" for name, day in (("a", 3), ("b", 1), ("c", 2))})
    assert [run.name for run in choose_runs(runs)] == ["b", "c", "a"]
    assert choose_runs(runs, ["c", "b", "c"]) == [runs / "c", runs / "b"]
    assert choose_runs(runs / "none") == []
    assert choose_runs(runs / "none", [str(runs / "a")]) == [runs / "a"]
    with pytest.raises(RunError, match=r"run 'two' does not exist; .* are: b, c, a"):
        choose_runs(runs, ["two"])
