"""Encoded recordings that the tests of decoding share."""

import io

import numpy as np
import soundfile

from ser_pipeline.audio.mpeg import find_stream


def encoded(wave, rate, **options):
    """Bytes of a file as libsndfile writes it."""
    buffer = io.BytesIO()
    soundfile.write(buffer, wave, rate, **options)
    return buffer.getvalue()


def bursts(seconds=4.0, rate=44_100, channels=1):
    """Noise between pauses, so that a variable bit rate varies."""
    rng = np.random.default_rng(1)
    time = np.arange(round(seconds * rate)) / rate
    wave = 0.2 * rng.standard_normal((time.size, channels)) * (time[:, None] % 1 > 0.5)
    return wave.astype(np.float32)


def bare_mp3(wave, rate, **options):
    """An MP3 as a pipe gives it: without the frame that says how many there are."""
    data = encoded(wave, rate, format="MP3", **options)
    stream = find_stream(io.BytesIO(data), 0, len(data))
    return data[stream.parts[0][0] + stream.tagged :]
