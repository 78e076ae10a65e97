"""What the commands do, as functions: the same calls for a terminal, an experiment and a notebook.

Nothing here prints. Long steps tell a callable or a :class:`Watcher` how far they are, and every
function returns an object that says what it did. Folders default to those of the commands. What is the
user's fault raises a :class:`~ser_pipeline.errors.SerError` of one line; each function names the kinds.
torch, librosa and the like are loaded by the call that needs them.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from ser_pipeline.api.data import build_manifest, build_store, query_manifest, recommended, validate_manifest
from ser_pipeline.api.results import evaluate, explain, load_model, make_report, predict
from ser_pipeline.api.training import ScoredRun, Watcher, ensemble, fit_and_score, resume, train

if TYPE_CHECKING:
    from ser_pipeline.api.estimators import SerClassifier, SerFeatures

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


if not TYPE_CHECKING:  # a type checker would take any name for one that is offered

    def __getattr__(name: str) -> Any:
        """Load the estimators when they are asked for, as scikit-learn takes most of a second."""
        if name not in ("SerClassifier", "SerFeatures"):
            raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
        return getattr(import_module("ser_pipeline.api.estimators"), name)
