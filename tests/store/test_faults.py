"""What users and machines do to a build: kill it, fill its disk, start it twice."""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from tests.store.forked import Command, with_small_files, without_override

pytest.importorskip("resource")  # processes are killed and limited as POSIX does it

KILLS = 20
WHOLE_SHARDS = "192"  # recordings of six shards: a part of one would be added to later


def workers_of(pid: int) -> list[int]:
    """Worker processes of a build."""
    children = Path(f"/proc/{pid}/task/{pid}/children")
    try:
        found = [int(child) for child in children.read_text("ascii").split()]
        return [each for each in found if b"tracker" not in Path(f"/proc/{each}/cmdline").read_bytes()]
    except OSError:
        return []


def until(process: Command, reached: Callable[[], object]) -> None:
    """Wait until a build has come so far, or has ended."""
    while process.poll() is None and not reached():
        time.sleep(0.005)


def kill(process: Command, who: str) -> None:
    """Kill a build, or one of its workers; it may have ended by itself a moment before."""
    with suppress(ProcessLookupError):
        if who == "group":
            os.killpg(process.pid, signal.SIGKILL)
        elif who == "worker" and (workers := workers_of(process.pid)):
            os.kill(workers[0], signal.SIGKILL)
        else:
            process.kill()


@pytest.mark.slow
def test_killed_twenty_times_the_build_is_as_if_undisturbed(home, rng):
    home.fill(600)
    home.manifest()
    assert home.mels("--cache", "whole")[0] == 0
    finished: dict[str, tuple[int, int]] = {}
    lines = []
    moments = (
        lambda process: list(home.folder.glob("cache/*/*/build.lock")),
        lambda process: workers_of(process.pid),
        lambda process: home.stamps().keys() - finished.keys(),
        lambda process: len(home.stamps().keys() - finished.keys()) > 1,
    )
    for attempt in range(KILLS):
        process = home.popen("cache", "mels", *home.QUICK, "--jobs", "2", "--limit", WHOLE_SHARDS)
        until(process, partial(moments[attempt % 4], process))
        time.sleep(float(rng.uniform(0, 0.05)))  # anywhere in a shard
        kill(process, ("parent", "group", "worker")[attempt % 3])
        _, said = process.communicate(timeout=300)
        lines += [line for line in said.splitlines() if line.startswith("ser:")]
        assert "Traceback" not in said
        now = home.stamps()
        assert finished.items() <= now.items(), "a finished shard was written again"
        finished = now
    assert all("a worker was killed" in line for line in lines)
    while "600 of 600" not in home.mels("--limit", WHOLE_SHARDS)[1]:
        pass
    assert finished.items() <= home.stamps().items()
    assert home.contents() == home.contents("whole")


@pytest.mark.slow
def test_workers_end_with_a_parent_that_is_killed_before_their_first_shard(home):
    home.fill(64)
    home.manifest()
    for _ in range(5):
        process = home.popen("cache", "mels", *home.QUICK, "--jobs", "2")
        until(process, lambda process=process: len(workers_of(process.pid)) == 2)
        process.kill()
        process.communicate(timeout=300)  # what still holds its pipes lives


@pytest.mark.slow
@pytest.mark.parametrize("jobs", ["1", "2"])
def test_a_file_that_may_not_grow_is_one_line(home, jobs):
    home.fill(40)
    home.manifest()
    status, _, said = home.done(with_small_files, "cache", "mels", *home.QUICK, "--jobs", jobs)
    assert status == 1
    (line,) = [line for line in said.splitlines() if line.startswith("ser:")]
    assert "no space left to write; nothing was lost" in line
    assert "Traceback" not in said
    assert home.stamps().keys() <= {"shard-00001.h5"}  # the short one fits
    if jobs == "1":  # a worker that is ended while it writes may leave a file
        assert not list(home.folder.glob("cache/*/*/.*partial"))
    assert "40 of 40" in home.mels()[1]
    assert not list(home.folder.glob("cache/*/*/.*partial"))


@pytest.mark.slow
def test_a_full_disk_is_one_line_and_the_next_call_goes_on(home):
    home.fill(200)
    home.manifest()
    cache = home.folder / "cache"
    cache.mkdir()
    try:
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=600k", "tmpfs", str(cache)], check=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("this user may not mount a small disk")
    try:
        status, _, said = home.mels()
        assert (status, "no space left to write; nothing was lost" in said) == (1, True)
        assert "Traceback" not in said
        finished = home.stamps()
        assert 0 < len(finished) < 7
        subprocess.run(["mount", "-o", "remount,size=60m", str(cache)], check=True)
        assert "200 of 200" in home.mels()[1]
        assert finished.items() <= home.stamps().items()
        assert home.ser("cache", "verify", "--sample", "5")[0] == 0
    finally:
        subprocess.run(["umount", str(cache)], check=True)


@pytest.mark.slow
def test_a_read_only_cache_is_one_line_and_a_complete_one_can_be_used(home):
    home.fill(40)
    home.manifest()
    cache = home.folder / "cache"
    cache.mkdir(mode=0o555)
    mels = (without_override, "cache", "mels", *home.QUICK)
    status, _, said = home.done(*mels)
    assert (status, "not writable; choose another folder or change its permissions" in said) == (1, True)
    assert len(said.strip().splitlines()) == 1
    cache.chmod(0o755)
    assert home.mels()[0] == 0
    (store,) = cache.glob("mels/*")
    (store / "index.parquet").unlink()
    store.chmod(0o555)
    assert "40 of 40" in home.done(*mels)[1]
    assert home.done(without_override, "cache", "verify")[0] == 0
    shutil.rmtree(store)


@pytest.mark.slow
def test_two_builds_at_once_one_works_one_says_so_and_disjoint_ranges_work_together(home):
    home.fill(600, seconds=0.5)
    home.manifest()
    first = home.popen("cache", "mels", *home.QUICK, "--shards", "0:9")
    until(first, home.stamps)
    first.send_signal(signal.SIGSTOP)  # it holds its shards, however fast it is
    status, _, said = home.mels("--shards", "8:12")
    assert (status, "another build is working on shards 8:12" in said) == (1, True)
    second = home.popen("cache", "mels", *home.QUICK, "--shards", "9:")
    first_status = second.wait(timeout=300)
    first.send_signal(signal.SIGCONT)
    printed = [process.communicate(timeout=300)[0] for process in (first, second)]
    assert (first_status, first.returncode) == (0, 0)
    assert sum(int(text.split("(")[1].split()[0]) for text in printed) == 600
    assert "600 of 600 recordings (0 computed now" in home.mels()[1]
    held = [key for key in home.contents() if isinstance(key, tuple)]
    assert len(np.unique([key[0] for key in held])) == len(held) == 600
