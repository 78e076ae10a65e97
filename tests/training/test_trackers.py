import logging
import os
import sys

import pytest

from ser_pipeline.errors import SettingsError
from ser_pipeline.training.trackers import KINDS, check_trackers, hushed


@pytest.mark.parametrize(
    ("name", "library"),
    [("tensorboard", "tensorboard"), ("mlflow", "mlflow"), ("mlflow", "alembic"), ("wandb", "wandb")],
)
def test_a_library_that_is_not_installed_is_named_with_its_extra(name, library, monkeypatch):
    check_trackers([*KINDS])
    monkeypatch.setattr(
        "ser_pipeline.training.trackers.find_spec",
        lambda wanted: None if wanted == library else sys.modules["pytest"].__spec__,
    )
    told = rf"log {name}: {library} is not installed; run pip install 'ser-pipeline\[{name}\]'"
    with pytest.raises(SettingsError, match=told):
        check_trackers([name])


def test_a_folder_of_a_librarys_name_is_no_library(tmp_path, monkeypatch):
    (tmp_path / "wandb").mkdir()
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    monkeypatch.delitem(sys.modules, "wandb", raising=False)
    with pytest.raises(SettingsError, match="wandb is not installed"):
        check_trackers(["wandb"])


def test_the_users_environment_wins_and_is_put_back(monkeypatch):
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "3")
    monkeypatch.delenv("MLFLOW_DISABLE_TELEMETRY", raising=False)
    before = dict(os.environ)
    with hushed():
        assert os.environ["MLFLOW_HTTP_REQUEST_TIMEOUT"] == "3"
        assert os.environ["WANDB_ERROR_REPORTING"] == "false"
        assert os.environ["MLFLOW_DISABLE_TELEMETRY"] == "true"
        assert not logging.getLogger("mlflow").isEnabledFor(logging.WARNING)
    assert dict(os.environ) == before
    assert logging.getLogger("mlflow").isEnabledFor(logging.WARNING)
