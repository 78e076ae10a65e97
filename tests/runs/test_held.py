from threading import Event, Thread

import pytest

from ser_pipeline.errors import RunError
from ser_pipeline.runs.held import LOCK, held


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
        with pytest.raises(RunError, match="is being trained or scored by another process; wait for its end"):
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
        assert told == [f"{run}: is being trained or scored by another process; waiting for its end"]
    thread.join()


def test_where_nothing_can_be_locked_nothing_is_held(run):
    run.with_name(LOCK).mkdir()
    with held(run):
        pass
