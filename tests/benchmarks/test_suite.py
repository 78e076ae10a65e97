import subprocess

import numpy as np
import pytest
import soundfile as sf
from typer.testing import CliRunner

from ser_pipeline.api import build_manifest
from ser_pipeline.benchmarks import BENCHES, caching, commands, learning, predicting, run_benches, workers
from ser_pipeline.benchmarks.suite import NAMED
from ser_pipeline.cli import app
from ser_pipeline.errors import SettingsError
from tests.store.forked import python

LONG = ("archive", "complete", "embeddings", "first", "mels", "memory", "report")


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """EMO-DB with sixty tones, and its manifest."""
    home = tmp_path_factory.mktemp("home")
    folder = home / "DataSets" / "EmoDB" / "wav"
    folder.mkdir(parents=True)
    names = [f"{speaker}{sentence}{letter}a" for speaker in ("03", "08", "09", "10", "11")
             for sentence in ("a01", "a02", "a04", "b01") for letter in "WFN"]  # fmt: skip
    for number, name in enumerate(names):
        wave = 0.2 * np.sin(2 * np.pi * (200 + 20 * number) * np.arange(4_000) / 16_000)
        sf.write(folder / f"{name}.wav", wave, 16_000)
    build_manifest(home / "DataSets", home / "manifests", jobs=1)
    return home


def here(*words):
    """Run a command in this process; gives seconds. The bench ``commands`` starts processes of their own."""
    done = CliRunner().invoke(app, [*map(str, words)])
    assert done.exit_code == 0, done.output
    return 1.0


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted({*BENCHES} - {*NAMED, *LONG}))
def test_every_bench_gives_rates(home, name, monkeypatch):
    for module, number, value in (
        (caching, "ROUNDS", 1),
        (caching, "READING_ROUNDS", 1),
        (learning, "ROUNDS", 1),
        (learning, "BATCH", 10),
        (learning, "N_MELS", 16),
        (learning, "FRAMES", 24),
        (predicting, "COLD_ROUNDS", 1),
        (predicting, "CLIPS", 1),
        (predicting, "spent", here),
        (commands, "ROUNDS", 1),
        (workers, "ROUNDS", 1),
        (workers, "SHARD", 80),
    ):
        monkeypatch.setattr(module, number, value)
    figures = list(run_benches(home / "manifests", home / "DataSets", [name], 10))
    assert figures
    assert all(figure.rate > 0 or figure.unit == "of [-1, 1]" for figure in figures)
    if name == "train":
        against_plain, against_padded = figures
        assert against_plain.floor == 2.5
        assert against_plain.rate == against_padded.rate
        assert min(against_plain.reference_rate, against_padded.reference_rate) > 0
        assert "of 24 frames" in against_plain.note


@pytest.mark.parametrize(
    ("names", "data", "message"),
    [(["fast"], "DataSets", "bench 'fast' does not exist; valid are mels"), ([], "none", "with --data")],
)
def test_wrong_values_are_refused(home, names, data, message):
    with pytest.raises(SettingsError, match=message):
        next(run_benches(home / "manifests", home / data, names, 40))


def test_a_report_without_features_in_the_cache_is_left_out(home, monkeypatch):
    monkeypatch.chdir(home)
    (figure,) = run_benches(home / "manifests", home / "DataSets", ["report"], 40, cache=home / "cache")
    assert figure.work == "report of ten runs, left out"
    assert "ser cache features" in figure.note


@pytest.mark.slow
def test_memory_is_of_processes_that_build(home, monkeypatch):
    monkeypatch.setattr(subprocess, "run", python)
    monkeypatch.setattr("ser_pipeline.benchmarks.measure.LONG_S", 5)
    monkeypatch.setattr("ser_pipeline.benchmarks.measure.LARGE_CORPUS", 600)
    small, large, long = run_benches(home / "manifests", home / "DataSets", ["memory"], 40)
    assert all("peak of one process that built" in figure.note for figure in (small, large, long))
    assert "built 0 clips" not in small.note + large.note + long.note
    assert all(50 < figure.rate < 2000 for figure in (small, large, long))
