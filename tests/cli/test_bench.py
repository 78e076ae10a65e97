import sys

import pytest
from typer.testing import CliRunner

from ser_pipeline.benchmarks import Measurement
from ser_pipeline.cli import app


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (("mels", "--plot", "x.svg"), "--plot draws what bench scale measures"),
        (("nonsense",), "bench 'nonsense' does not exist"),
        (("mels", "--budget", "soon"), "--budget 'soon' must be a time above zero"),
        (
            ("--clips", "900"),
            "these benchmarks take about 2 h 2 min: pass --budget, as in --budget 1h, and name",
        ),
    ],
)
def test_wrong_words_are_one_line(words, line, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(app, ["bench", *words])
    assert result.exit_code == 1
    assert line in result.stderr


def test_an_installed_package_says_where_the_benchmarks_are(monkeypatch):
    monkeypatch.setitem(sys.modules, "ser_pipeline.benchmarks", None)
    result = CliRunner().invoke(app, ["bench"])
    assert result.exit_code == 1
    assert "the benchmarks come with the source checkout only" in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_a_budget_ends_after_a_figure(monkeypatch):
    made = [Measurement(name, 1.0, "clips/s") for name in ("first", "second")]
    monkeypatch.setattr("ser_pipeline.benchmarks.run_benches", lambda *_, **__: iter(made))
    whole = CliRunner().invoke(app, ["bench", "--format", "csv"])
    assert [line.partition(",")[0] for line in whole.stdout.splitlines()] == ["work", "first", "second"]
    monkeypatch.setattr(sys.modules["ser_pipeline.cli.bench"], "parse_budget", lambda _: -1.0)
    cut = CliRunner().invoke(app, ["bench", "--budget", "1s", "--format", "csv"])
    assert [line.partition(",")[0] for line in cut.stdout.splitlines()] == ["work", "first"]
    assert "the budget was used up; name the benchmarks that were not run" in cut.stderr


def test_scale_is_drawn_where_asked(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    made = [Measurement(f"read {size}", size / 1e4, "s", peak_mib=100.0) for size in (10, 10_000)]
    monkeypatch.setattr("ser_pipeline.benchmarks.scale.figures", lambda *_: iter(made))
    synth = ["corpora", "synth", "DataSets", "--size", "small", "--corpora", "emodb,savee"]
    for words in (synth, ["manifest", "build"]):
        assert CliRunner().invoke(app, words).exit_code == 0
    result = CliRunner().invoke(app, ["bench", "scale", "--plot", "scale.svg", "--format", "csv"])
    assert result.exit_code == 0, result.stderr
    assert "read 10000" in result.stdout
    assert "<svg" in (tmp_path / "scale.svg").read_text()
