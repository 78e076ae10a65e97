import io

import numpy as np
import pytest

from ser_pipeline import explain, make_report, predict, train
from ser_pipeline.errors import AudioMissing, RunError, SettingsError


def test_an_explanation_tells_how_far_it_is(here, toy):
    toy.write_features()
    run = train("logreg", c=0.1)
    told = []
    found = explain(run, repeats=1, on_progress=lambda done, total: told.append((done, total)))
    sets = len(found.importances) + len(found.group_importances)
    assert told[-1] == (sets, sets)
    assert [done for done, _ in told] == sorted({done for done, _ in told})


def test_an_explanation_of_nothing_is_refused():
    with pytest.raises(SettingsError, match=r"^repeats: must be at least 1 \(found 0\)$"):
        explain(repeats=0)
    with pytest.raises(SettingsError, match="part 'all' does not exist; valid are train"):
        explain(part="all")


def test_a_report_shows_the_runs_that_were_chosen(here, toy):
    toy.write_features()
    one, _ = train("logreg", c=0.1, name="a"), train("logreg", c=0.1, name="b")
    assert make_report().runs == 2
    assert make_report(one).runs == make_report("a").runs == 1
    assert make_report([one]).runs == make_report(["b"], out="other").runs == 1
    assert (here / "other" / "report.html").is_file()
    with pytest.raises(RunError, match="run 'c' does not exist; the newest in runs are: a, b"):
        make_report(["c"])


def test_scores_are_a_table_in_a_notebook(here):
    run = train("crnn", epochs=1)
    for shown in (run, run.scores, run.part(), run.part().pooled):
        page = shown._repr_html_()
        assert page.count("<table") == 1
        assert "<button" not in page
        assert "\n" not in repr(shown)
        assert len(repr(shown)) < 160
    uar = str(run.part().pooled.uar)
    assert uar in run._repr_html_()
    assert uar in run.part()._repr_html_()
    for emotion in run.info.emotions:
        assert f">{emotion}</th>" in run.part()._repr_html_()


def test_mistakes_of_a_prediction_are_said(here):
    with pytest.raises(SettingsError, match="predict: abstain"):
        predict("a.wav", abstain=2)
    train("crnn", epochs=2, learning_rate=0.02)
    with pytest.raises(AudioMissing, match=r"nonesuch\.wav"):
        predict("nonesuch.wav")
    (lost,) = predict(["nonesuch.wav"])
    assert "nonesuch.wav" in lost.reason
    with pytest.raises(AudioMissing, match=r"runs: is a folder; .* as in Path\('runs'\).rglob\('\*.wav'\)"):
        predict("runs")
    for samples in (np.zeros(16_000, np.float32), [np.zeros(9)], 3, io.BytesIO(b"RIFF")):
        with pytest.raises(TypeError, match=r"samples are predicted on by load_model\(\).predict_wave"):
            predict(samples)
