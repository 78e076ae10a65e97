from multiprocessing import context, forkserver, popen_forkserver

import pytest
import torch

from tests.store import forked


@pytest.fixture(autouse=True)
def one_thread():
    """Toy batches are too small to share; threads would only wait for each other."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def forked_trainers(monkeypatch):
    """Spawned processes are forked from one that has loaded what trains; what they get is pickled as ever."""
    monkeypatch.setattr(forkserver, "connect_to_new_process", forked.trainer().connect_to_new_process)
    monkeypatch.setattr(context.SpawnProcess, "_Popen", staticmethod(popen_forkserver.Popen))


class Silent:
    """Listens to a training and says nothing."""

    def epoch_began(self, epoch, clips):
        pass

    def step_done(self, clips):
        pass

    def epoch_done(self, report):
        pass
