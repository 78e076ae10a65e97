"""How closely predicted valence, arousal or dominance follow the ratings."""

import numpy as np
import numpy.typing as npt


def ccc(ratings: npt.ArrayLike, predicted: npt.ArrayLike) -> float | None:
    """Concordance correlation coefficient over rated clips.

    Args:
        ratings: shape ``(clips,)``; NaN where a clip has none.
        predicted: shape ``(clips,)``.

    Returns:
        ``2 cov / (var + var + squared difference of means)``, moments divided by the number of
        clips, in [-1, 1]; None with fewer than two ratings, or where nothing varies at all.

    References:
        Lin, "A concordance correlation coefficient to evaluate reproducibility", Biometrics 45, 1989.

    Examples:
        >>> round(ccc([1.0, 2.0, float("nan")], [0.0, 2.0, 5.0]), 3)
        0.667
    """
    x, y = np.asarray(ratings, np.float64), np.asarray(predicted, np.float64)
    rated = ~np.isnan(x)
    x, y = x[rated], y[rated]
    if len(x) < 2:
        return None
    spread = x.var() + y.var() + (x.mean() - y.mean()) ** 2
    if spread == 0:
        return None
    return float(2 * ((x - x.mean()) * (y - y.mean())).mean() / spread)
