"""The source report's baseline: three dense layers over the vector of features.

Sizes  256 and 128 hidden units with ReLU and dropout, then the classes; the report gives the number
       of layers alone. 98,436 parameters with 253 features and 4 classes.
"""

from torch import Tensor, nn

from ser_pipeline.models.network import EmbeddingNetwork

HIDDEN = (256, 128)


class DNN(EmbeddingNetwork):
    """Vectors of features to class scores.

    Args:
        n_features: length of the vector.
        n_classes: number of outputs.
        dropout: share of units dropped after each hidden layer.
    """

    def __init__(self, n_features: int, n_classes: int, *, dropout: float = 0.3) -> None:
        super().__init__()
        self.classes = n_classes
        first, second = HIDDEN
        self.hidden = nn.Sequential(
            nn.Linear(n_features, first),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.Linear(first, second),
            nn.ReLU(),
            nn.Dropout(dropout),
        )
        self.head = nn.Sequential(nn.Linear(second, n_classes))

    def summarise(self, inputs: Tensor, lengths: Tensor | None = None) -> tuple[Tensor, None]:
        """Second hidden layer over vectors ``(batch, features)``, shape ``(batch, 128)``."""
        found: Tensor = self.hidden(inputs)
        return found, None
