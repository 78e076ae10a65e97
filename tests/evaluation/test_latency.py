import pytest

from ser_pipeline.errors import RunError
from ser_pipeline.evaluation.latency import decision_ms
from ser_pipeline.training.run import train_run
from tests.evaluation.conftest import Silent


@pytest.mark.parametrize("model", ["crnn", "logreg"])
def test_both_halves_take_time(toy, tmp_path, model):
    toy.write_features()
    train_run(toy.data(model={"name": model}, train={"epochs": 1}), tmp_path / "r", Silent(), command="c")
    front_end, network = decision_ms(tmp_path / "r")
    assert 0 < front_end < 5000
    assert 0 < network < 5000


def test_without_a_network_there_is_nothing_to_time(tmp_path):
    with pytest.raises(RunError, match="not found"):
        decision_ms(tmp_path)
