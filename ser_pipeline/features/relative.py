"""Features in relation to the clip they come from, so that a voice's own place drops out.

A speaker's larynx and tract, and the gain of a recording, move the *place* of a series (its mean,
say) far more than an emotion does. Here every statistic of a series is put in relation to one
reference statistic of the same series in the same clip: quantities that cannot be negative and
have a true zero are divided by it, all others have it taken away. The references themselves then
say nothing and become 0. Statistics that do not depend on the place (a spread, a slope, a
skewness) are divided by the reference or left alone; numbers measured once per clip stay. Levels of
the clip are taken against its median level, and mean formants against their own spacing, which is
what the length of the vocal tract moves.
"""

from functools import lru_cache
from types import MappingProxyType
from typing import Final, NamedTuple

import numpy as np

from ser_pipeline.arrays import Bools, Float32s, Int64s
from ser_pipeline.errors import SettingsError
from ser_pipeline.features.catalogue import FEATURES, NAMES, Feature

REFERENCES: Final = ("p50", "mean")
"""Statistics that can be a series' reference, best first."""

PLACES: Final = frozenset({"mean", "max", *(f"p{share:02d}" for share in (2, 10, 25, 50, 75, 90, 98))})
"""Statistics that move with the place of the series."""

SPREADS: Final = frozenset({"std", "range", "mean_abs", "rise", "fall"})
"""Statistics that move with its scale alone."""

RATIO_UNITS: Final = frozenset({"Hz", "1/s", "s"})
"""Units whose zero is a true one."""

SCALE_FREE: Final = ("rms",)
"""Series in a ratio unit that is written as a plain number: amplitudes of full scale."""

OTHER_REFERENCES: Final = MappingProxyType(
    {
        "peak_level": "level_p50",
        "clip_level": "level_p50",
        **{f"formant_{number}_mean": "formant_spacing_mean" for number in range(1, 5)},
    }
)
"""Features whose reference is not of their own series."""


class Plan(NamedTuple):
    """Which column is related to which, and how; all of shape ``(features,)``.

    Attributes:
        reference: column of the reference, its own for columns that stay.
        taken: the reference is taken away.
        divided: the column is divided by the reference.
    """

    reference: Int64s
    taken: Bools
    divided: Bools


def relative(values: Float32s, names: tuple[str, ...]) -> Float32s:
    """Put features in relation to reference values of the same clip.

    Args:
        values: shape ``(clips, 253)``.
        names: of the columns.

    Returns:
        Shape ``(clips, 253)``; where a reference is 0, as without a voiced frame, its series is 0.

    Raises:
        SettingsError: these are not our own named features.

    Examples:
        >>> row = np.ones((1, 253), np.float32)
        >>> row[0, NAMES.index("pitch_hz_p50")] = 200.0
        >>> row[0, NAMES.index("pitch_hz_std")] = 20.0
        >>> round(float(relative(row, NAMES)[0, NAMES.index("pitch_hz_std")]), 3)
        0.1
    """
    if tuple(names) != NAMES:
        raise SettingsError("normalise 'relative' works only with the named features; use none or speaker")
    plan = _plan()
    reference = values[:, plan.reference]
    found = np.where(plan.taken, values - reference, values)
    some = np.abs(reference) > 1e-12
    ratio = np.divide(found, reference, out=np.zeros_like(found), where=some & plan.divided)
    result: Float32s = np.where(plan.divided, ratio, found).astype(np.float32)
    return result


@lru_cache(maxsize=1)
def _plan() -> Plan:
    reference = np.arange(len(FEATURES))
    taken = np.zeros(len(FEATURES), np.bool_)
    divided = np.zeros(len(FEATURES), np.bool_)
    for place, row in enumerate(FEATURES):
        if row.name in OTHER_REFERENCES:
            reference[place] = NAMES.index(OTHER_REFERENCES[row.name])
            taken[place], divided[place] = row.unit != "Hz", row.unit == "Hz"
            continue
        found = _reference_of(row)
        if found is None:
            continue
        reference[place] = found
        ratio = row.unit in RATIO_UNITS or row.series in SCALE_FREE
        taken[place] = row.statistic in PLACES
        divided[place] = ratio and row.statistic in PLACES | SPREADS
    return Plan(reference, taken, divided)


def _reference_of(row: Feature) -> int | None:
    if row.statistic not in PLACES | SPREADS:
        return None
    for statistic in REFERENCES:
        name = f"{row.series}_{statistic}"
        if name in NAMES:
            return NAMES.index(name)
    return None
