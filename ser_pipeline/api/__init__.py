"""What the commands do, as functions: the same calls for a terminal, an experiment and a notebook.

Nothing here prints. Long steps tell a callable or a :class:`Watcher` how far they are, and every
function returns an object that says what it did. Folders default to those of the commands. What is the
user's fault raises a :class:`~ser_pipeline.errors.SerError` of one line; each function names the kinds.
torch, librosa and the like are loaded by the call that needs them.
"""

from ser_pipeline.api.data import build_manifest, build_store, query_manifest, validate_manifest
from ser_pipeline.api.results import evaluate, explain, load_model, make_report, predict
from ser_pipeline.api.training import ScoredRun, Watcher, ensemble, fit_and_score, recommended, resume, train

__all__ = [
    "ScoredRun",
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
