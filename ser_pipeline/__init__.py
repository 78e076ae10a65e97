"""Speech emotion recognition from a cached feature store."""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ser_pipeline.serving.model import Model

__all__ = ["__version__", "load_model"]

__version__ = "0.1.0"


def load_model(source: str | Path | None = None, *, runs: str | Path = "runs") -> "Model":
    """Load a trained model that predicts on recordings.

    Args:
        source: a run folder or the name of one, one of its model files, or an ``.onnx`` file made by
            ``ser export``; None takes the newest run.
        runs: folder of the runs.

    Raises:
        RunError: nothing there, or a file that is damaged, foreign, or does not fit.

    Examples:
        >>> load_model("runs/best").predict("a.wav").decision  # doctest: +SKIP
        'anger'
    """
    from ser_pipeline.serving.load import load_model as load  # the package itself loads nothing

    return load(source, runs=runs)
