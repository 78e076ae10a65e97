"""What the commands do, as functions: the same calls for a terminal, an experiment and a notebook.

Nothing here prints. Long steps tell a callable or a :class:`Watcher` how far they are, and every
function returns an object that says what it did. Folders default to those of the commands.
"""

from ser_pipeline.api.data import build_manifest, build_store, query_manifest, validate_manifest
from ser_pipeline.api.models import ScoredRun, Watcher, evaluate, explain, make_report, predict, resume, train

__all__ = [
    "ScoredRun",
    "Watcher",
    "build_manifest",
    "build_store",
    "evaluate",
    "explain",
    "make_report",
    "predict",
    "query_manifest",
    "resume",
    "train",
    "validate_manifest",
]
