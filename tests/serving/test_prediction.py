import numpy as np
import pytest
import scipy.special

from ser_pipeline.errors import SettingsError
from ser_pipeline.metrics import temper
from ser_pipeline.options import PredictOptions, checked
from ser_pipeline.serving.prediction import decide, softmax


def test_tempered_scores_are_the_metrics_tempered_probabilities(rng):
    logits = rng.normal(size=(7, 5)) * 4
    assert softmax(logits) == pytest.approx(scipy.special.softmax(logits, axis=1))
    assert softmax(logits, 1.7) == pytest.approx(temper(softmax(logits), 1.7))


def test_scores_of_any_size_give_probabilities():
    assert softmax(np.array([1e4, -1e4])).tolist() == [1.0, 0.0]


@pytest.mark.parametrize(("abstain", "decision"), [(0.0, "fear"), (0.6, "fear"), (0.61, "uncertain")])
def test_windows_are_averaged_and_then_decided(abstain, decision):
    rows = np.log([[0.9, 0.1], [0.1, 0.9], [0.2, 0.8]])
    said = decide(rows, ("anger", "fear"), name="a", span_s=(0.0, 3.0), temperature=None, abstain=abstain)
    assert (said.decision, said.emotion, said.windows) == (decision, "fear", 3)
    assert said.probabilities == pytest.approx({"anger": 0.4, "fear": 0.6})


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"abstain": 1.1}, "abstain"),
        ({"abstain": "often"}, "abstain"),
        ({"hop_s": 0.0}, "hop_s"),
        ({"window_s": 0.1}, "window_s"),
        ({"window_s": 100}, "window_s"),
        ({"modality": "dance"}, "modality"),
        ({"colour": 1}, "colour"),
    ],
)
def test_options_that_make_no_sense_are_refused(values, says):
    with pytest.raises(SettingsError, match=rf"predict: {says}"):
        checked(PredictOptions, values, where="predict")


def test_ratings_of_windows_are_averaged_and_told():
    said = decide(
        np.zeros((2, 2)), ("anger", "fear"), name="a", span_s=(0, 1), temperature=None, abstain=0,
        ratings=[np.array([0.5, 0, -1]), np.array([0.0, 0, -0.5])],
    )  # fmt: skip
    assert said.as_dict()["ratings"] == {"valence": 0.25, "arousal": 0.0, "dominance": -0.75}
    plain = decide(np.zeros(2), ("anger", "fear"), name="a", span_s=(0, 1), temperature=None, abstain=0)
    assert "ratings" not in plain.as_dict()


def test_a_model_that_only_rates_tells_the_mean_of_its_windows():
    rows, ratings = np.zeros((2, 0)), [np.array([0.5, -1.0]), np.array([0.1, -0.5])]
    said = decide(
        rows, (), name="a", span_s=(0.0, 2.0), temperature=None, abstain=0.5,
        ratings=ratings, dimensions=("valence", "dominance"),
    )  # fmt: skip
    assert (said.decision, said.emotion, said.confidence, said.windows) == ("rated", None, None, 2)
    assert said.ratings == pytest.approx({"valence": 0.3, "dominance": -0.75})
    assert repr(said) == "Prediction(a: rated, valence +0.30, dominance -0.75)"
    assert "dominance" in said._repr_html_()
    assert said.as_dict()["ratings"] == pytest.approx({"valence": 0.3, "dominance": -0.75})
