"""The pipelines one would write from the paper with library calls alone: reference and oracle."""

from pathlib import Path

import numpy as np

from ser_pipeline.arrays import Float32s
from ser_pipeline.dsp.kept import prepare_librosa
from ser_pipeline.options import FrontEnd


def plain_mel(path: Path, front_end: FrontEnd) -> Float32s:
    """Mel spectrogram of a file by librosa and noisereduce, one call after another.

    Args:
        path: of the recording.
        front_end: settings; ``denoise`` other than ``none`` calls noisereduce.

    Returns:
        Shape ``(n_mels, frames)``, unpadded.
    """
    prepare_librosa()
    import librosa
    import noisereduce

    wave, own_rate = librosa.load(path, sr=None)
    heard = np.flatnonzero(wave)
    wave[heard[0] : heard[-1] + 1] -= wave[heard[0] : heard[-1] + 1].mean()
    wave = librosa.resample(wave, orig_sr=own_rate, target_sr=front_end.sample_rate)
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


def plain_features(path: Path, sample_rate: int) -> Float32s:
    """Means and deviations of what librosa offers for speech, one call after another; no pitch.

    Args:
        path: of the recording.
        sample_rate: in Hz.

    Returns:
        Shape ``(183,)``: 20 MFCCs with two orders of deltas, centroid, bandwidth, roll-off,
        flatness, zero crossings, RMS, contrast of 7 bands, 12 chroma, 6 tonnetz, each as mean and
        standard deviation; and the tempo.
    """
    prepare_librosa()
    import librosa

    wave, _ = librosa.load(path, sr=sample_rate)
    wave, _ = librosa.effects.trim(wave, top_db=30)
    power = np.abs(librosa.stft(wave, n_fft=1024, hop_length=160))
    mfcc = librosa.feature.mfcc(y=wave, sr=sample_rate, n_fft=1024, hop_length=160)
    chroma = librosa.feature.chroma_stft(S=power**2, sr=sample_rate, n_fft=1024)
    tracks = [
        mfcc,
        librosa.feature.delta(mfcc),
        librosa.feature.delta(mfcc, order=2),
        librosa.feature.spectral_centroid(S=power, sr=sample_rate, n_fft=1024),
        librosa.feature.spectral_bandwidth(S=power, sr=sample_rate, n_fft=1024),
        librosa.feature.spectral_rolloff(S=power, sr=sample_rate, n_fft=1024),
        librosa.feature.spectral_flatness(S=power),
        librosa.feature.zero_crossing_rate(wave, frame_length=1024, hop_length=160),
        librosa.feature.rms(S=power, frame_length=1024),
        librosa.feature.spectral_contrast(S=power, sr=sample_rate, n_fft=1024),
        chroma,
        librosa.feature.tonnetz(chroma=chroma, sr=sample_rate),
    ]
    tempo = librosa.feature.tempo(y=wave, sr=sample_rate, hop_length=160)
    means = [track.mean(axis=1) for track in tracks]
    spreads = [track.std(axis=1) for track in tracks]
    return np.concatenate([*means, *spreads, tempo]).astype(np.float32)
