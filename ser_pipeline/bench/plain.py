"""The pipelines one would write from the paper with library calls alone: reference and oracle."""

from pathlib import Path

import numpy as np
import numpy.typing as npt

from ser_pipeline.settings import FrontEnd

Float32s = npt.NDArray[np.float32]


def plain_mel(path: Path, front_end: FrontEnd) -> Float32s:
    """Mel spectrogram of a file by librosa and noisereduce, one call after another.

    Args:
        path: of the recording.
        front_end: settings; ``denoise`` other than ``none`` calls noisereduce.

    Returns:
        Shape ``(n_mels, frames)``, unpadded.
    """
    import librosa
    import noisereduce

    wave, _ = librosa.load(path, sr=front_end.sample_rate)
    if front_end.denoise != "none":
        wave = noisereduce.reduce_noise(
            y=wave, sr=front_end.sample_rate, stationary=False, prop_decrease=front_end.prop_decrease
        )
    if front_end.trim_db is not None:
        wave, _ = librosa.effects.trim(wave, top_db=front_end.trim_db)
    if front_end.level == "clip_rms":
        wave = wave * (front_end.target_rms / np.sqrt(np.mean(wave**2)))
    wave = wave[: round(front_end.max_s * front_end.sample_rate)]
    power = librosa.feature.melspectrogram(
        y=wave,
        sr=front_end.sample_rate,
        n_fft=front_end.n_fft,
        hop_length=front_end.hop_length,
        n_mels=front_end.n_mels,
    )
    return _scaled(power, front_end)


def _scaled(power: Float32s, front_end: FrontEnd) -> Float32s:
    import librosa

    to_loudest = front_end.reference == "clip_max"
    level: Float32s = librosa.power_to_db(power, ref=np.max if to_loudest else 1.0, top_db=None)
    level = np.maximum(level, np.float32(front_end.floor_db))
    low, high = front_end.floor_db, front_end.ceiling_db
    if front_end.scale == "clip_minmax":
        low, high = float(level.min()), float(level.max())
    scaled: Float32s = 2 * (level - low) / (high - low) - 1
    return scaled


def plain_store(paths: list[Path], target: Path, front_end: FrontEnd) -> None:
    """Compute clips one after another, pad them, and write one HDF5 file.

    Args:
        paths: of the recordings.
        target: file to write.
        front_end: settings.
    """
    import h5py

    with h5py.File(target, "w") as file:
        for number, path in enumerate(paths):
            mel = plain_mel(path, front_end)[:, : front_end.max_frames]
            padded = np.full((front_end.n_mels, front_end.max_frames), front_end.pad_value, np.float32)
            padded[:, : mel.shape[1]] = mel
            file.create_dataset(str(number), data=padded)
