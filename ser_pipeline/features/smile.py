"""openSMILE's published feature sets, for comparison with our own (extra ``opensmile``)."""

from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from ser_pipeline.errors import SettingsError
from ser_pipeline.records import MIN_CLIP_S
from ser_pipeline.settings import SmileOptions

Float32s = npt.NDArray[np.float32]


def functionals(wave: Float32s, options: SmileOptions) -> Float32s:
    """Functionals of one wave.

    Args:
        wave: mono samples at ``options.sample_rate``, shape ``(samples,)``.
        options: which set.

    Returns:
        Shape ``(88,)`` for eGeMAPS and ``(6373,)`` for ComParE, in the order of
        :func:`column_names`. A wave shorter than 0.1 s is followed by silence up to there, as
        openSMILE's frames need; a functional that it still cannot compute is 0.

    Raises:
        SettingsError: the extra is not installed.

    References:
        Eyben et al., "The Geneva Minimalistic Acoustic Parameter Set", IEEE Transactions on
        Affective Computing 7(2), 2016. Schuller et al., "The INTERSPEECH 2016 Computational
        Paralinguistics Challenge", Interspeech 2016.
    """
    least = round(MIN_CLIP_S * options.sample_rate)
    padded = np.pad(wave, (0, max(0, least - wave.size)))
    frame = _extractor(options.feature_set).process_signal(padded, options.sample_rate)
    values: Float32s = np.nan_to_num(frame.to_numpy(np.float32)[0], nan=0.0)
    return values


def column_names(options: SmileOptions) -> tuple[str, ...]:
    """Names of a set's functionals, in order.

    Raises:
        SettingsError: the extra is not installed.
    """
    return tuple(_extractor(options.feature_set).feature_names)


@lru_cache(maxsize=2)
def _extractor(feature_set: str) -> Any:
    try:
        import opensmile
    except ImportError:
        raise SettingsError(
            f"feature set '{feature_set}' needs openSMILE, which is free for research and private use; "
            "install it with pip install 'ser-pipeline[opensmile]'"
        ) from None
    chosen = {
        "egemaps": opensmile.FeatureSet.eGeMAPSv02,
        "compare": opensmile.FeatureSet.ComParE_2016,
    }[feature_set]
    return opensmile.Smile(chosen, opensmile.FeatureLevel.Functionals)
