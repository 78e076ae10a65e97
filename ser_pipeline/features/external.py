"""Feature extractors by others: Praat (extra ``praat``, GPL) and openSMILE (extra ``opensmile``).

Only what our own code measures too, on the same frames, so that the vector keeps its names and
meaning whichever of the two filled it.
"""

from functools import lru_cache
from typing import Any

import numpy as np

from ser_pipeline.arrays import Float32s, Float64s, as_samples
from ser_pipeline.dsp.formants import FORMANTS
from ser_pipeline.dsp.frames import Frames
from ser_pipeline.dsp.pitch import Pitch
from ser_pipeline.errors import SettingsError
from ser_pipeline.options import SmileOptions
from ser_pipeline.records import MIN_CLIP_S

FORMANT_WINDOW_S = 0.025
"""Praat's default; its windows are Gaussian and twice as long."""

_SPAN = (0, 0, 0.0001, 0.02, 1.3)
_LEAPS = (*_SPAN, 1.6)
"""Praat's defaults: whole sound, periods of 0.1 to 20 ms, largest factors of period and amplitude."""

_JITTER = {
    "jitter_local": "Get jitter (local)",
    "jitter_absolute": "Get jitter (local, absolute)",
    "jitter_rap": "Get jitter (rap)",
    "jitter_ppq5": "Get jitter (ppq5)",
}
_SHIMMER = {
    "shimmer_local": "Get shimmer (local)",
    "shimmer_db": "Get shimmer (local_dB)",
    "shimmer_apq3": "Get shimmer (apq3)",
    "shimmer_apq5": "Get shimmer (apq5)",
    "shimmer_apq11": "Get shimmer (apq11)",
}


class PraatVoice:
    """What Praat says of one clip, at the middles of our frames.

    Args:
        frames: of the clip.
        ceiling_hz: highest pitch searched.

    Attributes:
        pitch: by Praat's autocorrelation method; voiced where Praat has a pitch at a frame's middle.

    Raises:
        SettingsError: the extra is not installed.

    References:
        Boersma & Weenink, "Praat: doing phonetics by computer", versions 6.
    """

    def __init__(self, frames: Frames, ceiling_hz: float) -> None:
        self._praat = _library()
        self._frames = frames
        options = frames.options
        least = round(6.1 * options.sample_rate / options.pitch_floor_hz)  # else Praat refuses the sound
        wave = np.pad(frames.wave.astype(np.float64), (0, max(0, least - frames.wave.size)))
        self._sound = self._praat.Sound(wave, options.sample_rate)
        self._times = (
            np.arange(frames.count) * options.hop_length + min(options.window_length, wave.size) / 2
        ) / options.sample_rate
        self._tracked = self._sound.to_pitch_ac(
            time_step=frames.hop_s, pitch_floor=options.pitch_floor_hz, pitch_ceiling=ceiling_hz
        )
        self.pitch = self._pitch()

    def _pitch(self) -> Pitch:
        hz = np.nan_to_num([self._tracked.get_value_at_time(time) for time in self._times])
        strength = np.interp(self._times, self._tracked.xs(), self._tracked.selected_array["strength"])
        return Pitch(hz, np.where(hz > 0, strength, 0.0))

    def resonances(self) -> tuple[Float64s, Float64s]:
        """Formants 1 to 4 and their bandwidths in Hz by Burg's method, each ``(voiced frames, 4)``."""
        burg = self._sound.to_formant_burg(
            time_step=self._frames.hop_s,
            max_number_of_formants=5,
            maximum_formant=self._frames.options.formant_ceiling_hz,
            window_length=FORMANT_WINDOW_S,
        )
        numbers = range(1, FORMANTS + 1)
        times = self._times[self.pitch.voiced]
        hz = np.array([[burg.get_value_at_time(n, time) for n in numbers] for time in times])
        width = np.array([[burg.get_bandwidth_at_time(n, time) for n in numbers] for time in times])
        return hz.reshape(-1, FORMANTS), width.reshape(-1, FORMANTS)

    def noise(self) -> Float64s:
        """Harmonics-to-noise ratio in dB, NaN in unvoiced frames, shape ``(frames,)``."""
        harmonicity = self._sound.to_harmonicity_ac(
            time_step=self._frames.hop_s,
            minimum_pitch=self._frames.options.pitch_floor_hz,
            periods_per_window=3.0,
        )
        found = np.array([harmonicity.get_value(time) for time in self._times])
        known = self.pitch.voiced & np.isfinite(found) & (found > -200)  # -200 stands for silence
        return np.where(known, found, np.nan)

    def regularity(self) -> dict[str, float]:
        """Jitter and shimmer over the clip's cycles; 0 where Praat finds too few."""
        call = self._praat.praat.call
        points = call([self._sound, self._tracked], "To PointProcess (cc)")
        found = {name: call(points, query, *_SPAN) for name, query in _JITTER.items()}
        found |= {name: call([self._sound, points], query, *_LEAPS) for name, query in _SHIMMER.items()}
        found["jitter_absolute"] *= 1e6  # from seconds
        return {name: float(np.nan_to_num(value)) for name, value in found.items()}


def _library() -> Any:
    try:
        import parselmouth
    except ImportError:
        raise SettingsError(
            "voice 'praat' needs Praat (GPL); install it with pip install 'ser-pipeline[praat]', "
            "or choose --voice own"
        ) from None
    return parselmouth


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
    padded = np.pad(as_samples(wave), (0, max(0, least - wave.size)))
    frame = _extractor(options.feature_set).process_signal(padded, options.sample_rate)
    values = frame.to_numpy(np.float32)[0]
    return np.where(np.isnan(values), np.float32(0), values)


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
