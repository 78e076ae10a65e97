"""From a wave to the mel spectrogram a network sees."""

import numpy as np
import numpy.typing as npt

from ser_pipeline.audio import prepare
from ser_pipeline.errors import AudioError
from ser_pipeline.features import log_mel
from ser_pipeline.front_end.row import Row
from ser_pipeline.settings import FrontEnd

Float32s = npt.NDArray[np.float32]


def mel_of_wave(wave: Float32s, front_end: FrontEnd) -> Row:
    """Denoise, trim, level, transform and pad one clip.

    Args:
        wave: mono samples at ``front_end.sample_rate``, shape ``(samples,)``.
        front_end: all settings.

    Raises:
        AudioError: the wave gives no finite spectrogram.
    """
    prepared = prepare(wave, front_end)
    mel = log_mel(prepared.wave, front_end)
    if not np.isfinite(mel).all():
        raise AudioError("its mel spectrogram is not finite; the recording cannot be used")
    frames = min(mel.shape[1], front_end.max_frames)
    values = np.full((front_end.n_mels, front_end.max_frames), front_end.pad_value, np.float32)
    values[:, :frames] = mel[:, :frames]
    first, last = prepared.span
    span = (first, min(last, first + round(front_end.max_s * front_end.sample_rate)))
    return Row(values, frames, prepared.level_db, span)
