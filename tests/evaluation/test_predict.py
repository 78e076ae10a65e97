import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from scipy.special import softmax

from ser_pipeline.datasets.normalise import Learned
from ser_pipeline.evaluation import predict
from ser_pipeline.evaluation.predict import certainty_of, learn_certainty, state
from ser_pipeline.evaluation.run import evaluate_run, score_folds, score_run
from ser_pipeline.metrics import ccc
from ser_pipeline.models.build import build_model
from ser_pipeline.models.network import EmbeddingNetwork
from ser_pipeline.options import FrontEnd, ModelOptions
from ser_pipeline.runs.card import ModelCard
from ser_pipeline.runs.types import Certainty
from ser_pipeline.training import apply
from ser_pipeline.training.checkpoint import load_model
from ser_pipeline.training.folds import train_folds
from ser_pipeline.training.run import train_run
from tests.training.conftest import Silent


@pytest.fixture
def network(toy):
    torch.manual_seed(3)
    return build_model(toy.recipe().model, 8, 4).train()


def test_probabilities_are_the_networks_in_the_order_of_the_clips(toy, network):
    data = toy.data()
    clips = data.clips(np.arange(120), Learned())
    found = predict.predict_clips(network, clips)
    batch = clips.__getitems__(range(120))
    with torch.no_grad():
        expected = network(batch.inputs, batch.lengths).softmax(1).numpy()
    assert not network.training
    assert found == pytest.approx(expected, abs=1e-6)
    assert found.sum(1) == pytest.approx(1)


def test_batches_change_nothing(toy, network, monkeypatch):
    clips = toy.data().clips(np.arange(20), Learned())
    whole = predict.predict_clips(network, clips)
    monkeypatch.setattr(apply, "BATCH", 3)
    assert predict.predict_clips(network, clips) == pytest.approx(whole, abs=1e-6)


def test_no_clips_have_no_probabilities(toy, network):
    assert predict.predict_clips(network, toy.data().clips(np.arange(0), Learned())).shape == (0, 4)


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


@pytest.mark.parametrize(("clips", "sure"), [(49, 20), (50, 9)])
def test_no_threshold_stands_on_few_clips(clips, sure):
    def surely_right(clips, sure):
        probabilities = np.tile([0.6, 0.4], (clips, 1))
        probabilities[:sure] = [0.9, 0.1]
        return learn_certainty(probabilities, np.arange(clips) >= sure)

    assert surely_right(50, 20).abstain_below is not None
    assert surely_right(clips, sure).abstain_below is None


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


TRAIN = {"epochs": 8, "learning_rate": 0.003, "averaging": 0, "spec_augment": False}


@pytest.fixture
def rated(toy):
    """Ratings as IEMOCAP's: of one corpus alone, one number a class, and the other corpus has none."""
    toy.write_manifest([row[3] / 4 - 0.4 if row[0] == "emodb" else None for row in toy.rows])
    return toy


def test_a_network_learns_ratings_and_is_scored_on_rated_clips(rated, tmp_path):
    data = rated.data(model={"dimensions": True}, train=TRAIN)
    train_run(data, tmp_path / "run", Silent(), command="c")
    scores = score_run(tmp_path / "run", data)
    table = pq.read_table(tmp_path / "run" / "dimensions.parquet").to_pandas()
    assert len(table) == len(data.examples)
    assert table["valence"].between(-1, 1).all()
    assert table["rated_valence"].isna().mean() == pytest.approx(0.5)
    part = table[table["part"] == "train"]
    assert scores.parts["train"].concordance["valence"] == pytest.approx(
        ccc(part["rated_valence"], part["valence"])
    )
    assert scores.parts["train"].concordance["valence"] > 0.5
    assert evaluate_run(tmp_path / "run", manifests=rated.manifests, cache=rated.cache) == scores


def test_folds_are_pooled(rated, tmp_path):
    inputs = rated.inputs(split="loco", fold="all", model={"dimensions": True}, train={"epochs": 1})
    train_folds(inputs, tmp_path / "run", Silent(), command="c")
    scores = score_folds(tmp_path / "run", inputs)
    table = pq.read_table(tmp_path / "run" / "dimensions.parquet")
    assert table.num_rows == 120
    assert set(scores.parts["test"].concordance) == {"valence", "arousal", "dominance"}


def test_without_ratings_nothing_is_known_and_classes_are_learned_all_the_same(toy, tmp_path):
    data = toy.data(model={"dimensions": True}, train=TRAIN)
    train_run(data, tmp_path / "run", Silent(), command="c")
    scores = score_run(tmp_path / "run", data)
    assert set(scores.parts["test"].concordance.values()) == {None}
    assert scores.parts["train"].pooled.accuracy.value > 0.5


def test_a_run_without_the_head_has_no_such_file(toy, tmp_path):
    data = toy.data(train={"epochs": 1})
    train_run(data, tmp_path / "run", Silent(), command="c")
    scores = score_run(tmp_path / "run", data)
    assert scores.parts["test"].concordance == {}
    assert not (tmp_path / "run" / "dimensions.parquet").exists()
    network = load_model(tmp_path / "run")[0]
    assert isinstance(network, EmbeddingNetwork)
    with pytest.raises(TypeError, match="this CRNN has no head for valence"):
        network.rate_embedded(torch.zeros(1, 256))
