"""What the commands do, as functions: the same calls for a terminal, an experiment and a notebook.

Nothing here prints. Long steps tell a callable or a :class:`Watcher` how far they are, and every
function returns an object that says what it did. Folders default to those of the commands. What is the
user's fault raises a :class:`~ser_pipeline.errors.SerError` of one line; each function names the kinds.
torch, librosa and the like are loaded by the call that needs them.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from ser_pipeline.api.data import (
        build_manifest,
        build_store,
        query_manifest,
        recommended,
        validate_manifest,
    )
    from ser_pipeline.api.estimators import SerClassifier, SerFeatures
    from ser_pipeline.api.results import evaluate, explain, load_model, make_report, predict
    from ser_pipeline.api.training import ScoredRun, Watcher, ensemble, fit_and_score, resume, train

__all__ = [
    "ScoredRun",
    "SerClassifier",
    "SerFeatures",
    "Watcher",
    "build_manifest",
    "build_store",
    "ensemble",
    "evaluate",
    "explain",
    "fit_and_score",
    "load_model",
    "make_report",
    "predict",
    "query_manifest",
    "recommended",
    "resume",
    "train",
    "validate_manifest",
]

_DATA: Final = ("build_manifest", "build_store", "query_manifest", "recommended", "validate_manifest")
_RESULTS: Final = ("evaluate", "explain", "load_model", "make_report", "predict")

if not TYPE_CHECKING:  # a type checker would take any name for one that is offered

    def __getattr__(name: str) -> Any:
        """Load what is asked for with its file alone: predictions need no manifest, and no scikit-learn."""
        if name not in __all__:
            raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
        file = "estimators" if name.startswith("Ser") else "training"
        file = "data" if name in _DATA else "results" if name in _RESULTS else file
        return getattr(import_module(f"ser_pipeline.api.{file}"), name)
