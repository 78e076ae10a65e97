import os
import threading

import numpy as np
import pytest

from ser_pipeline.manifest.disk import AT_ONCE, Pool, file_states


@pytest.mark.parametrize("jobs", [1, 3])
def test_states_are_those_of_the_files_in_order(tmp_path, jobs):
    names = [f"{number}.wav" for number in range(20)]
    for number, name in enumerate(names):
        (tmp_path / name).write_bytes(bytes(number))
    names.insert(7, "absent.wav")
    with Pool(jobs) as pool:
        states = file_states(pool, tmp_path, names)
    assert states[7].tolist() == [-1, -1, -1]
    kept = np.delete(states, 7, axis=0)
    assert kept[:, 0].tolist() == list(range(20))
    assert kept[3, 1:].tolist() == [
        os.stat(tmp_path / "3.wav").st_mtime_ns,
        os.stat(tmp_path / "3.wav").st_ctime_ns,
    ]


def test_more_files_than_one_task_takes(tmp_path):
    (tmp_path / "a").write_bytes(b"abc")
    with Pool(2) as pool:
        states = file_states(pool, tmp_path, ["a"] * (AT_ONCE + 1))
    assert states.shape == (AT_ONCE + 1, 3)
    assert (states[:, 0] == 3).all()


def test_no_files(tmp_path):
    with Pool(1) as pool:
        assert file_states(pool, tmp_path, []).shape == (0, 3)


def test_leaving_early_drops_what_has_not_begun():
    begun = []
    gate = threading.Event()

    def work(number):
        begun.append(number)
        gate.wait(5)

    with Pool(1) as pool:
        futures = [pool.submit(work, number) for number in range(50)]
        threading.Timer(0.05, gate.set).start()
    assert len(begun) < 50
    assert futures[-1].cancelled()
