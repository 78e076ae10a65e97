"""What a run takes from its training clips before the first step of training."""

from pydantic import Field

from ser_pipeline.datasets.scaling import Scaling
from ser_pipeline.settings import Options


class Learned(Options):
    """Statistics of the training part, saved with the model.

    Attributes:
        gains_db: corpus -> gain at level ``corpus_rms``, ``*`` for other corpora; else empty.
        scaling: of feature vectors; None for mels.
    """

    gains_db: dict[str, float] = Field(default_factory=dict)
    scaling: Scaling | None = None
