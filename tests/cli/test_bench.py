import sys
from functools import partial

import pytest
from typer.testing import CliRunner

from ser_pipeline.benchmarks.scale import figures
from ser_pipeline.cli import app


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (("mels", "--plot", "x.svg"), "--plot draws what bench scale measures"),
        (("nonsense",), "bench 'nonsense' does not exist"),
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


@pytest.mark.slow
def test_scale_is_drawn_where_asked(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("ser_pipeline.benchmarks.scale.figures", partial(figures, keys=(600,), clips=(40,)))
    assert CliRunner().invoke(app, ["corpora", "synth", "DataSets", "--corpora", "emodb"]).exit_code == 0
    assert CliRunner().invoke(app, ["manifest", "build"]).exit_code == 0
    result = CliRunner().invoke(app, ["bench", "scale", "--plot", "scale.svg", "--format", "csv"])
    assert result.exit_code == 0, result.stderr
    assert "cache 40" in result.stdout
    assert "<svg" in (tmp_path / "scale.svg").read_text()
