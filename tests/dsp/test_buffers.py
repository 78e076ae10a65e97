import threading

import numpy as np

from ser_pipeline.dsp import buffers as module
from ser_pipeline.dsp.buffers import buffer


def test_the_same_name_gives_the_same_memory():
    assert np.shares_memory(buffer("a test", 100), buffer("a test", 50))


def test_two_names_never_share():
    assert not np.shares_memory(buffer("one test", 100), buffer("other test", 100))


def test_a_larger_array_is_made_when_one_is_needed():
    buffer("growing test", 10)
    assert buffer("growing test", 1000).shape == (1000,)


def test_threads_never_share():
    found = {}

    def ask(name):
        found[name] = buffer("thread test", 100)

    threads = [threading.Thread(target=ask, args=[name]) for name in "ab"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not np.shares_memory(found["a"], found["b"])


def test_what_is_too_large_is_not_kept(monkeypatch):
    monkeypatch.setattr(module, "MOST", 50)
    assert not np.shares_memory(buffer("large test", 51), buffer("large test", 51))
