"""The Python of docs/api.md, run as a reader would in a notebook."""

import re
from pathlib import Path

import pytest

import ser_pipeline
from ser_pipeline.errors import RunError, SettingsError

PAGE = Path(__file__).parents[2] / "docs" / "api.md"
BLOCKS = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.slow
def test_the_whole_chain_runs_without_a_command_and_in_silence(here, capfd):
    names = {}
    exec(BLOCKS[0], names)
    said = capfd.readouterr()
    assert (said.out, said.err) == ("", "")
    assert (here / names["page"]).is_file()
    assert 0.5 < names["uar"].value <= 1
    assert names["again"].part().pooled.uar == names["uar"]
    assert names["one"].decision in (*names["model"].emotions, "uncertain", "no speech")
    assert len(names["many"]) == 3
    for name in ("manifest", "store", "run", "why", "model", "one"):
        shown = repr(names[name])
        assert "\n" not in shown, shown
        assert len(shown) < 160, shown
        assert str(names[name]) == shown
    for name in ("run", "one"):
        page = names[name]._repr_html_()
        assert page.count("<table") == 1
        assert "</table>" in page
    for block in BLOCKS[1:]:
        exec(block, names)
    assert len(names["folds"]) == len(names["known"]) == 4
    assert 0.5 < names["folds"].mean() <= 1
    assert (
        names["again"].predict(names["paths"]).tolist() == names["pipeline"].predict(names["paths"]).tolist()
    )
    assert names["one"].info.recipe == names["same"].info.recipe == names["also"].info.recipe
    assert names["one"].info.command == "train('logreg', task='6class', c=0.1, seed=1)"
    missing, idle, *epochs = capfd.readouterr().out.splitlines()
    assert "nonesuch.wav" in missing
    assert idle == "train.epochs: has no effect on model logreg; leave it out"
    assert [line.split()[0] for line in epochs] == ["1", "2"]


def test_every_name_offered_can_be_loaded():
    for name in ser_pipeline.__all__:
        assert getattr(ser_pipeline, name) is not None
    assert set(dir(ser_pipeline)) >= set(ser_pipeline.__all__)
    with pytest.raises(AttributeError, match="module 'ser_pipeline' has no attribute 'tranin'"):
        ser_pipeline.tranin  # noqa: B018


def test_mistakes_are_said_in_one_line(here):
    with pytest.raises(SettingsError, match="inputs 'mel' do not exist; valid are mels, features, egemaps"):
        ser_pipeline.build_store("mel")
    with pytest.raises(RunError, match="runs: contains no runs"):
        ser_pipeline.evaluate()
    with pytest.raises(SettingsError, match="part 'all' does not exist; valid are train, validation, test"):
        ser_pipeline.explain("x", part="all")


def test_names_of_hostile_recordings_are_text_in_a_notebook():
    from ser_pipeline.serving.prediction import Prediction

    shown = Prediction("<script>x</script>", "anger", "anger", 1.0, {"anger": 1.0}, 0, 1)._repr_html_()
    assert "<script>" not in shown
