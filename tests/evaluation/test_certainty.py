import numpy as np
import pytest
from scipy.special import softmax

from ser_pipeline.evaluation.certainty import certainty_of, learn_certainty, state
from ser_pipeline.results import Certainty
from ser_pipeline.settings import FrontEnd, ModelOptions
from ser_pipeline.training.checkpoint import ModelCard

CARD = ModelCard(
    model=ModelOptions(), emotions=("anger", "sadness"), inputs=FrontEnd(), store_fingerprint="f",
    synthetic=True, epoch=1,
)  # fmt: skip


@pytest.fixture
def overconfident(rng):
    """Clips of three classes, their honest probabilities sharpened by 2."""
    logits = rng.normal(0, 1.5, (2000, 3))
    honest = softmax(logits, axis=1)
    targets = np.array([rng.choice(3, p=row) for row in honest])
    return softmax(2 * logits, axis=1), targets


def test_temperature_and_threshold_are_learned(overconfident):
    probabilities, targets = overconfident
    found = learn_certainty(probabilities, targets)
    assert found.temperature == pytest.approx(2, rel=0.1)
    stated = state(probabilities, found)
    answered = stated.max(1) >= found.abstain_below
    wrong = stated.argmax(1) != targets
    assert 0 < answered.mean() < 1
    assert wrong[answered].mean() <= 0.5 * wrong.mean()


def test_no_threshold_where_the_surest_clips_are_wrong():
    probabilities = np.array([[0.9, 0.1], [0.8, 0.2], [0.6, 0.4]])
    assert learn_certainty(probabilities, np.array([1, 1, 0])).abstain_below is None


def test_without_clips_nothing_is_learned_or_changed():
    assert learn_certainty(np.zeros((0, 3)), np.zeros(0, np.int64)) is None
    assert state(np.array([[0.75, 0.25]]), None).tolist() == [[0.75, 0.25]]


def test_a_card_keeps_both_numbers():
    assert certainty_of(CARD) is None
    known = Certainty(temperature=1.5, abstain_below=0.4)
    assert certainty_of(CARD.model_copy(update=known.model_dump())) == known
