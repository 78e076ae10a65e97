import pyarrow.parquet as pq
import pytest

from ser_pipeline.evaluation.run import evaluate_run, score_folds, score_run
from ser_pipeline.metrics import ccc
from ser_pipeline.models import EmbeddingNetwork
from ser_pipeline.training.checkpoint import load_model
from ser_pipeline.training.folds import train_folds
from ser_pipeline.training.run import train_run
from tests.evaluation.conftest import Silent

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
    assert scores.parts["train"].concordance["valence"] == ccc(part["rated_valence"], part["valence"])
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
        network.rate(None)
