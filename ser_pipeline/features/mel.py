"""Log-mel spectrograms on a scale near [-1, 1]."""

from functools import lru_cache

import numpy as np
import numpy.typing as npt
import scipy.fft

from ser_pipeline.errors import AudioError
from ser_pipeline.settings import FrontEnd

Float32s = npt.NDArray[np.float32]


def log_mel(wave: Float32s, front_end: FrontEnd) -> Float32s:
    """Mel spectrogram in dB, mapped to about [-1, 1].

    Centred Hann windows; Slaney's mel scale and area norm, as in librosa. With
    ``reference = one`` dB count from a power of 1.0, so the recorded level stays visible.

    Args:
        wave: mono samples at ``front_end.sample_rate``, shape ``(samples,)``; what lies
            beyond ``front_end.max_s`` is cut.
        front_end: its settings from ``n_fft`` on.

    Returns:
        Shape ``(n_mels, frames)`` with ``frames = 1 + samples // hop_length``, unpadded.

    Raises:
        AudioError: ``wave`` is not 1-D or has no samples.
    """
    if wave.ndim != 1 or wave.size == 0:
        raise AudioError(f"a mel spectrogram needs a mono wave with samples, found shape {wave.shape}")
    wave = wave[: round(front_end.max_s * front_end.sample_rate)]
    power = _power_spectrum(wave, front_end.n_fft, front_end.hop_length)
    mel = power @ mel_filters(front_end.sample_rate, front_end.n_fft, front_end.n_mels).T
    return np.ascontiguousarray(_scaled(mel, front_end).T)


@lru_cache(maxsize=8)
def mel_filters(sample_rate: int, n_fft: int, n_mels: int) -> Float32s:
    """Mel filter bank, shape ``(n_mels, 1 + n_fft // 2)``."""
    import librosa

    filters: Float32s = librosa.filters.mel(sr=sample_rate, n_fft=n_fft, n_mels=n_mels)
    return filters


@lru_cache(maxsize=8)
def _window(n_fft: int) -> Float32s:
    return (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(n_fft) / n_fft)).astype(np.float32)


def _power_spectrum(wave: Float32s, n_fft: int, hop_length: int) -> Float32s:
    """Squared magnitudes of centred windows, shape ``(frames, 1 + n_fft // 2)``."""
    frames = 1 + wave.size // hop_length
    span = np.zeros((frames - 1) * hop_length + n_fft, np.float32)
    used = wave[: span.size - n_fft // 2]
    span[n_fft // 2 : n_fft // 2 + used.size] = used
    view = np.lib.stride_tricks.sliding_window_view(span, n_fft)[::hop_length]
    spectrum = scipy.fft.rfft(view * _window(n_fft), axis=1, overwrite_x=True)
    power: Float32s = np.square(spectrum.real) + np.square(spectrum.imag)
    return power


def _scaled(mel: Float32s, front_end: FrontEnd) -> Float32s:
    """Powers to the network's scale, shape kept."""
    tiny = np.float32(1e-10)
    level = 10 * np.log10(np.maximum(mel, tiny))
    if front_end.reference == "clip_max":
        level -= level.max()
    level = np.maximum(level, np.float32(front_end.floor_db))
    low, high = front_end.floor_db, front_end.ceiling_db
    if front_end.scale == "clip_minmax":
        low, high = float(level.min()), float(level.max())
    if high <= low:  # a clip of one single value everywhere
        return np.full_like(level, -1.0)
    scaled: Float32s = (level - np.float32(low)) * np.float32(2 / (high - low)) - np.float32(1)
    return scaled
