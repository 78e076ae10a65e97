"""Experiment trackers, each by Lightning's logger for it: TensorBoard, MLflow and W&B."""

import logging
import os
import secrets
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from ser_pipeline.errors import SettingsError

if TYPE_CHECKING:
    from lightning.pytorch.loggers import Logger

_LIBRARIES: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {"tensorboard": ("tensorboard",), "mlflow": ("mlflow", "sqlalchemy", "alembic"), "wandb": ("wandb",)}
)
"""Extra -> packages that it installs."""

_ENVIRONMENT: Final[Mapping[str, str]] = MappingProxyType(
    {
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",  # of 7, which keep an epoch waiting for minutes
        "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
        "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
        "WANDB_ERROR_REPORTING": "false",
    }
)
"""What the libraries are told where the user's environment says nothing."""

_STEP: Final = "trainer/global_step"
"""Lightning's name of the epoch in W&B."""


class Tracker:
    """TensorBoard: a run that is open in a tracker, by Lightning's logger; the others derive from it.

    Args:
        folder: of the run.
        title: that the run is shown by.
        key: of the run in the tracker; "" for one that it does not know yet.
    """

    logger: "Logger"

    def __init__(self, folder: Path, title: str, key: str) -> None:
        from lightning.pytorch.loggers import TensorBoardLogger

        self.key = key or "tensorboard"
        self.logger = TensorBoardLogger(folder, "", "tensorboard", default_hp_metric=False)

    @staticmethod
    def place(folder: Path) -> str:
        """Where the tracker keeps a run."""
        return "tensorboard"  # in the run's folder

    @staticmethod
    def faults() -> tuple[type[Exception], ...]:
        """Errors of the library that are of no other kind."""
        return ()

    def settings(self, facts: Mapping[str, Any]) -> None:
        """Tell what decides the run."""
        self.logger.log_hyperparams(dict(facts))

    def scores(self, scores: Mapping[str, float], facts: Mapping[str, Any], step: int) -> None:
        """Tell the final scores; TensorBoard takes the settings along, to compare runs by both."""
        self.logger.log_hyperparams(dict(facts), dict(scores), step)

    def flush(self) -> None:
        """Put what was told on the disk."""
        self.logger.experiment.flush()  # type: ignore[attr-defined]

    def end(self, *, done: bool) -> None:
        """Close the run."""
        self.logger.finalize("success" if done else "failed")


class _MLflow(Tracker):
    """A run in MLflow: on the server that the environment names, or in a database beside the run's folder."""

    def __init__(self, folder: Path, title: str, key: str) -> None:
        import mlflow
        from lightning.pytorch.loggers import MLFlowLogger

        uri, before = self.place(folder), os.environ.get("MLFLOW_TRACKING_URI")
        self.logger = logger = MLFlowLogger(
            os.environ.get("MLFLOW_EXPERIMENT_NAME", "ser"),
            title,
            tracking_uri=uri,
            artifact_location=None if before else (folder.parent / "mlflow").absolute().as_uri(),
            run_id=key or None,
            synchronous=True,
        )
        try:
            client, self.key = logger.experiment, str(logger.run_id)
        finally:
            mlflow.set_tracking_uri(before)  # which Lightning sets for the whole process
        if key:
            client.update_run(key, status="RUNNING")

    @staticmethod
    def place(folder: Path) -> str:
        store = f"sqlite:///{(folder.parent / 'mlflow.db').absolute()}"
        return os.environ.get("MLFLOW_TRACKING_URI") or store

    @staticmethod
    def faults() -> tuple[type[Exception], ...]:
        from mlflow.exceptions import MlflowException

        return (MlflowException,)

    def scores(self, scores: Mapping[str, float], facts: Mapping[str, Any], step: int) -> None:
        self.logger.log_metrics(dict(scores), step)

    def flush(self) -> None:
        """Nothing waits."""


class _Wandb(Tracker):
    """A run in W&B, offline where its environment says nothing else."""

    def __init__(self, folder: Path, title: str, key: str) -> None:
        import wandb
        from lightning.pytorch.loggers import WandbLogger

        self.key = key or secrets.token_hex(4)
        # W&B reads the environment once in a process, so it is not the place for what only this run needs
        settings = wandb.Settings(
            mode="offline", console="off", silent=True, init_timeout=30, finish_timeout=60
        )
        settings.update_from_env_vars(os.environ)
        self._run = wandb.init(
            dir=folder,
            project=os.environ.get("WANDB_PROJECT", "ser"),
            name=title,
            id=self.key,
            resume="allow",
            reinit="create_new",  # a run of the caller's own stays as it is
            settings=settings,
        )
        self._run.define_metric("*", step_metric=_STEP)
        self.logger = WandbLogger(experiment=self._run)

    @staticmethod
    def place(folder: Path) -> str:
        return f"{os.environ.get('WANDB_MODE', 'offline')} {os.environ.get('WANDB_BASE_URL', '')}".strip()

    @staticmethod
    def faults() -> tuple[type[Exception], ...]:
        from wandb.errors import Error

        return (Error,)

    def scores(self, scores: Mapping[str, float], facts: Mapping[str, Any], step: int) -> None:
        self.logger.log_metrics(dict(scores), step)

    def flush(self) -> None:
        """Its own process writes."""

    def end(self, *, done: bool) -> None:
        super().end(done=done)
        self._run.finish(exit_code=0 if done else 1)


KINDS: Final[Mapping[str, type[Tracker]]] = MappingProxyType(
    {"tensorboard": Tracker, "mlflow": _MLflow, "wandb": _Wandb}
)


def check_trackers(names: Sequence[str]) -> None:
    """Make sure that the libraries of trackers are installed.

    Raises:
        SettingsError: one is not; the line names its extra.
    """
    for name in names:
        for library in _LIBRARIES[name]:
            found = find_spec(library)
            if found is None or found.origin is None:  # a folder of that name is none
                raise SettingsError(
                    f"log {name}: {library} is not installed; run pip install 'ser-pipeline[{name}]'"
                )


@contextmanager
def hushed() -> Iterator[None]:
    """Let libraries say and send nothing that was not asked for; the environment is put back."""
    before = {name: os.environ.get(name) for name in _ENVIRONMENT}
    disabled = logging.root.manager.disable
    os.environ.update({name: value for name, value in _ENVIRONMENT.items() if before[name] is None})
    logging.disable(max(disabled, logging.WARNING))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(disabled)
        for name in [name for name, value in before.items() if value is None]:
            os.environ.pop(name, None)
