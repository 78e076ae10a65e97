"""Recording conditions: room, microphone noise, level. They differ a little between corpora."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType
from typing import Final

import numpy as np
import numpy.typing as npt
import soxr

from ser_pipeline.acquire.synth.profiles import Floats
from ser_pipeline.acquire.synth.seeds import named_rng
from ser_pipeline.acquire.synth.voice import RATE

Float32s = npt.NDArray[np.float32]

SPEECH_DBFS: Final = -26.0
"""RMS of neutral speech in full-scale dB, before a corpus's own gain."""

_PEAK = 0.9  # louder clips are turned down as a whole, so that none is cut off


@dataclass(frozen=True, slots=True)
class Room:
    """How a corpus was recorded.

    Attributes:
        sample_rate: of its files, in Hz.
        gain_db: level of its recordings against the others'.
        noise_dbfs: RMS of the background noise, full-scale dB.
        noise_slope_db: fall of the noise's spectrum, dB per octave.
        echo_s: time in which the echo falls by 60 dB.
        echo_db: energy of the echo relative to the direct sound.
        silence_s: shortest and longest silence at each end, in seconds.
    """

    sample_rate: int
    gain_db: float
    noise_dbfs: float
    noise_slope_db: float
    echo_s: float
    echo_db: float
    silence_s: tuple[float, float]


ROOMS: Final[Mapping[str, Room]] = MappingProxyType(
    {
        "cremad": Room(16_000, -2.0, -54.0, 4.0, 0.25, -15.0, (0.10, 0.30)),
        "ravdess": Room(48_000, -4.0, -66.0, 3.0, 0.12, -24.0, (0.25, 0.40)),
        "ravdess-song": Room(48_000, -3.0, -66.0, 3.0, 0.12, -24.0, (0.25, 0.40)),
        "savee": Room(44_100, 0.0, -60.0, 5.0, 0.30, -20.0, (0.10, 0.25)),
        "tess": Room(24_414, -1.0, -63.0, 2.0, 0.10, -26.0, (0.05, 0.15)),
        "iemocap": Room(16_000, -3.0, -52.0, 5.0, 0.45, -13.0, (0.02, 0.15)),
        "nemo": Room(24_000, 1.0, -58.0, 3.0, 0.22, -17.0, (0.08, 0.25)),
        "emodb": Room(16_000, 2.0, -68.0, 2.0, 0.08, -30.0, (0.02, 0.12)),
    }
)
"""Corpus id -> its recording conditions; sample rates are the official ones."""


def record(dry: Floats, corpus: str, level_db: float, rng: np.random.Generator) -> Float32s:
    """Put a voice into a corpus's room and record it.

    Args:
        dry: the voice at :data:`RATE`, RMS about 1, shape ``(samples,)``.
        corpus: key of :data:`ROOMS`.
        level_db: loudness of the voice above neutral speech.
        rng: draws the silence at both ends and the noise.

    Returns:
        Mono wave at the room's rate, within [-0.9, 0.9], shape ``(samples,)``.
    """
    room = ROOMS[corpus]
    before, after = (round(float(rng.uniform(*room.silence_s)) * RATE) for _ in range(2))
    wet = _convolved(np.pad(dry, (before, after)), _echo(corpus))
    wave = wet * 10 ** ((SPEECH_DBFS + room.gain_db + level_db) / 20)
    if room.sample_rate != RATE:
        wave = soxr.resample(wave, RATE, room.sample_rate)
    wave = wave + _noise(len(wave), room, rng)
    return (wave * min(1.0, _PEAK / float(np.abs(wave).max()))).astype(np.float32)


@lru_cache(maxsize=len(ROOMS))
def _echo(corpus: str) -> Floats:
    room = ROOMS[corpus]
    times = np.arange(round(room.echo_s * RATE)) / RATE
    tail = named_rng("room", corpus).standard_normal(len(times)) * 10 ** (-3 * times / room.echo_s)
    tail[: round(0.004 * RATE)] = 0
    tail *= 10 ** (room.echo_db / 20) / np.sqrt(np.sum(tail**2))
    tail[0] = 1.0
    return tail


def _convolved(wave: Floats, response: Floats) -> Floats:
    size = 1 << (len(wave) + len(response) - 2).bit_length()
    out = np.fft.irfft(np.fft.rfft(wave, size) * np.fft.rfft(response, size), size)
    return out[: len(wave)]


def _noise(samples: int, room: Room, rng: np.random.Generator) -> Floats:
    size = 1 << (samples - 1).bit_length()
    spectrum = np.fft.rfft(rng.standard_normal(size))
    hertz = np.arange(len(spectrum)) * room.sample_rate / size
    spectrum *= (1 + (hertz / 100) ** 2) ** (-room.noise_slope_db / (2 * 6.0206))
    noise = np.fft.irfft(spectrum, size)[:samples]
    return np.asarray(noise * 10 ** (room.noise_dbfs / 20) / np.sqrt(np.mean(noise**2)))
