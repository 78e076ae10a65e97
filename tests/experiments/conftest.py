from contextlib import nullcontext

import numpy as np
import pytest

from ser_pipeline.experiments.arms import designed
from ser_pipeline.experiments.cells import Ground, cells_of
from ser_pipeline.experiments.place import Places
from ser_pipeline.experiments.progress import examined
from ser_pipeline.experiments.queue import run_cells
from ser_pipeline.experiments.spec import parse_experiment
from ser_pipeline.manifest import read_manifest
from tests.store.cluster import cluster  # noqa: F401 - a fixture of these tests
from tests.training.conftest import forked_trainers, one_thread  # noqa: F401 - fixtures of these tests too

SMALL = """
title = "Small"
seeds = [0, 1, 2]

[settings.train]
epochs = 1
batch_size = 16

[protocols]
people = { split = "loco", fold = "all" }
one = { split = "speaker" }

[arms.logreg]
settings = { model = { name = "logreg", c = 0.03 } }

[arms.dnn]
settings = { model = { name = "dnn" } }
protocols = ["one"]

[[claims]]
text = "Logistic regression is better"
first = "logreg"
second = "dnn"
protocol = "one"
"""


@pytest.fixture(autouse=True)
def quick_speed(monkeypatch):
    """The time of the front end is not what these tests are about."""
    monkeypatch.setattr("ser_pipeline.experiments.run.decision_ms", lambda folder: (2.0, 1.0))


class Quiet:
    """Watches without a word; notes what began and how it ended."""

    def __init__(self):
        self.began_with, self.states, self.built, self.warnings = [], [], [], []

    def building(self, kind):
        self.built.append(kind)
        return nullcontext(lambda done, total: None)

    def began(self, cell, ahead, seconds):
        self.began_with.append((cell.label, ahead))

    def epoch_done(self, report):
        pass

    def warn(self, sentence):
        self.warnings.append(sentence)

    def ended(self, cell, state):
        self.states.append(state)


class Lab:
    """A toy with features and splits, and short ways to run experiments on it."""

    def __init__(self, toy):
        self.toy = toy
        self.at(toy.folder / "runs")
        toy.write_features()

    def at(self, runs):
        """Keep runs in another folder."""
        self.runs = runs
        self.places = Places(self.toy.folder / "no-data", self.toy.cache, runs)

    def ground(self):
        return Ground(self.toy.manifests, read_manifest(self.toy.manifests), {}, cache=self.toy.cache)

    def progress(self, text=SMALL, name="small", epochs=None):
        ground = self.ground()
        design = designed(parse_experiment(text, f"{name}.toml"), ground.groups())
        return examined(design, ground, cells_of(design, ground, epochs=epochs), self.runs)

    def run(self, text=SMALL, name="small", **options):
        progress = self.progress(text, name)
        return progress, self.finish(progress, **options)

    def finish(self, progress, **options):
        """Run the cells that are missing."""
        watcher = Quiet()
        run_cells(progress, self.places, watcher, command="c", **options)
        return watcher


@pytest.fixture
def lab(toy, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return Lab(toy)


@pytest.fixture
def rng():
    return np.random.default_rng(5)
