"""How sure a model may say it is: learned from validation clips, kept in its card."""

from typing import Final

import numpy as np
import numpy.typing as npt

from ser_pipeline.metrics import fit_temperature, risk_coverage, temper, threshold_for_risk
from ser_pipeline.results import Certainty
from ser_pipeline.training.checkpoint import ModelCard

ERRORS_LEFT: Final = 0.5
"""The threshold is set where this share of the error rate is left among the clips answered."""


def certainty_of(card: ModelCard) -> Certainty | None:
    """What a model's card says; None where nothing was fitted."""
    if card.temperature is None:
        return None
    return Certainty(temperature=card.temperature, abstain_below=card.abstain_below)


def learn_certainty(
    probabilities: npt.NDArray[np.floating], targets: npt.NDArray[np.int64]
) -> Certainty | None:
    """Fit the temperature, and find from which confidence on a model errs half as often.

    Args:
        probabilities: of validation clips as the network gives them, shape ``(clips, classes)``.
        targets: class numbers, shape ``(clips,)``.

    Returns:
        Temperature, and threshold at that temperature; None without clips.
    """
    if len(targets) == 0:
        return None
    temperature = fit_temperature(probabilities, targets)
    stated = state(probabilities, Certainty(temperature=temperature))
    wanted = ERRORS_LEFT * risk_coverage(stated, targets).risk[-1]
    found = threshold_for_risk(stated, targets, float(wanted))
    return Certainty(temperature=temperature, abstain_below=None if found is None else found[0])


def state(probabilities: npt.NDArray[np.floating], certainty: Certainty | None) -> npt.NDArray[np.float32]:
    """Probabilities as the model states them, shape kept; as they are where nothing was fitted.

    Args:
        probabilities: shape ``(clips, classes)``, rows sum to 1.
        certainty: of the model.
    """
    if certainty is None:
        return probabilities.astype(np.float32)
    return temper(probabilities, certainty.temperature).astype(np.float32)
