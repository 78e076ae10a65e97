"""How layers of an encoder were chosen, as a run's settings tell."""

from ser_pipeline.options import Options


class LayerTrial(Options):
    """Layers of an encoder that were tried, and the validation UAR they gave."""

    layers: tuple[int, ...]
    uar: float


class LayerChoice(Options):
    """Layers of an encoder that a run learns from, chosen on its validation clips.

    Attributes:
        layers: the best.
        how: what they were compared by, in words.
        tried: all that was tried, in order.
        encoder: which of the run's encoders it is, counted from 0.
    """

    layers: tuple[int, ...]
    how: str
    tried: tuple[LayerTrial, ...]
    encoder: int = 0
