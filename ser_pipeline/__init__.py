"""Speech emotion recognition from a cached feature store.

The functions below are what the commands of ``ser`` call; see :mod:`ser_pipeline.api`. Each is loaded
when it is first asked for, so that importing the package costs nothing.
"""

import os
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ser_pipeline.api import (
        ScoredRun,
        SerClassifier,
        SerFeatures,
        Watcher,
        build_manifest,
        build_store,
        ensemble,
        evaluate,
        explain,
        load_model,
        make_report,
        predict,
        resume,
        train,
    )

__all__ = [
    "ScoredRun",
    "SerClassifier",
    "SerFeatures",
    "Watcher",
    "__version__",
    "build_manifest",
    "build_store",
    "ensemble",
    "evaluate",
    "explain",
    "load_model",
    "make_report",
    "predict",
    "resume",
    "train",
]

__version__ = "0.1.0"

# onnxruntime, which Lightning loads as well, reports to its makers unless told not to
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")


if not TYPE_CHECKING:  # a type checker would take any name for one that is offered

    def __getattr__(name: str) -> Any:
        """Load what is offered when it is asked for."""
        if name not in __all__:
            raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
        return getattr(import_module("ser_pipeline.api"), name)


def __dir__() -> list[str]:
    """Names to complete."""
    return sorted(__all__)
