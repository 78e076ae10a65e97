"""A source-filter voice, and the room and microphone that record it.

The source is the KLGLOTT88 pulse, cycle by cycle with jitter and shimmer, tilted as a whole;
breath noise is let through while the glottis is open. A cascade of resonators whose poles
follow the sounds' formants filters it. Noise made in the mouth has its own band. Filtering
is done on overlapping windows in the frequency domain, so that a clip is a few array operations.

References:
    Klatt, D. H. and Klatt, L. C. (1990). Analysis, synthesis, and perception of voice quality
    variations among female and male talkers. JASA 87(2), 820-857.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType
from typing import Final

import numpy as np
import soxr

from ser_pipeline.arrays import Complex64s, Float32s, Float64s
from ser_pipeline.synth.folders import named_rng
from ser_pipeline.synth.speech import CONTROL_HZ, Sound, frame_sounds, smooth

SPEECH_DBFS: Final = -26.0
"""RMS of neutral speech in full-scale dB, before a corpus's own gain."""

_PEAK = 0.9  # louder clips are turned down as a whole, so that none is cut off

RATE: Final = 24_000
"""Rate of the voice in Hz; a recording is resampled from it."""

_HOP = 240  # samples between windows: 10 ms, windows overlap by half
_WINDOW = 2 * _HOP
_N_FFT = 1024  # longer than a window, so that the resonances' ringing fits
_STEP = RATE // CONTROL_HZ
_BANDWIDTHS_HZ = (75.0, 95.0, 140.0)
_UPPER_FORMANTS = 9  # above the third, every 1,000 Hz for a man's tract
_FORMANT_SMOOTH_S = 0.055
_LEVEL_SMOOTH_S = 0.022
_NEUTRAL_VOWEL = np.array([500.0, 1500.0, 2500.0])


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


@dataclass(frozen=True, slots=True)
class Quality:
    """Voice quality of one clip.

    Attributes:
        tract: factor on all formants.
        space: size of the vowel space, 1 is the sounds' own.
        tilt_db: fall of the source's spectrum above 500 Hz, dB per octave, beyond the pulse's own.
        breath_db: breath noise relative to the pulses.
        jitter: relative standard deviation of cycle lengths.
        shimmer: relative standard deviation of cycle amplitudes.
        accent_db: how much louder stressed syllables are.
        open_quotient: share of a cycle with the glottis open.
    """

    tract: float = 1.0
    space: float = 1.0
    tilt_db: float = 4.0
    breath_db: float = -27.0
    jitter: float = 0.006
    shimmer: float = 0.05
    accent_db: float = 2.0
    open_quotient: float = 0.6


def record(dry: Float64s, corpus: str, level_db: float, rng: np.random.Generator) -> Float32s:
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
def _echo(corpus: str) -> Float64s:
    room = ROOMS[corpus]
    times = np.arange(round(room.echo_s * RATE)) / RATE
    tail = named_rng("room", corpus).standard_normal(len(times)) * 10 ** (-3 * times / room.echo_s)
    tail[: round(0.004 * RATE)] = 0
    tail *= 10 ** (room.echo_db / 20) / np.sqrt(np.sum(tail**2))
    tail[0] = 1.0
    return tail


def _convolved(wave: Float64s, response: Float64s) -> Float64s:
    size = 1 << (len(wave) + len(response) - 2).bit_length()
    out = np.fft.irfft(np.fft.rfft(wave, size) * np.fft.rfft(response, size), size)
    return out[: len(wave)]


def _noise(samples: int, room: Room, rng: np.random.Generator) -> Float64s:
    size = 1 << (samples - 1).bit_length()
    spectrum = np.fft.rfft(rng.standard_normal(size))
    hertz = np.arange(len(spectrum)) * room.sample_rate / size
    spectrum *= (1 + (hertz / 100) ** 2) ** (-room.noise_slope_db / (2 * 6.0206))
    noise = np.fft.irfft(spectrum, size)[:samples]
    return np.asarray(noise * 10 ** (room.noise_dbfs / 20) / np.sqrt(np.mean(noise**2)))


def render(
    sounds: Sequence[Sound], seconds: Float64s, pitch_hz: Float64s, quality: Quality, rng: np.random.Generator
) -> Float64s:
    """Synthesise a sentence.

    Args:
        sounds: of the sentence.
        seconds: length of each, shape ``(sounds,)``.
        pitch_hz: pitch of each control frame, shape ``(frames,)`` as :func:`frame_sounds` counts them.
        quality: of the voice.
        rng: draws jitter, shimmer and noise.

    Returns:
        Mono wave at :data:`RATE`, shape ``(samples,)``; voiced stretches have an RMS of about 1.
    """
    _, owner = frame_sounds(seconds)
    samples = len(owner) * _STEP
    voice_gain = _level(owner, [_accented(sound, quality.accent_db) for sound in sounds], samples)
    noise_gain = _level(owner, [sound.noise_db for sound in sounds], samples)
    pulses, open_glottis = glottal_source(
        _per_sample(pitch_hz, samples), quality.jitter, quality.shimmer, quality.open_quotient, rng
    )
    noise = rng.standard_normal((2, samples))
    breath = 10 ** (quality.breath_db / 20) * noise[0] * open_glottis
    source = voice_gain * (_tilted(pulses, quality.tilt_db) + breath)
    at_windows = owner[:: _HOP // _STEP]
    voiced = _windows(source) * _tract_response(sounds, owner, quality)
    hissed = _windows(noise_gain * noise[1]) * _noise_response(sounds, at_windows)
    voiced_wave = _overlap_add(voiced, samples)
    loud = voiced_wave[voice_gain > 0.5]
    reference = float(np.sqrt(np.mean(loud**2))) if loud.size else 1.0
    return voiced_wave / max(reference, 1e-9) + _overlap_add(hissed, samples)


def glottal_source(
    pitch_hz: Float64s, jitter: float, shimmer: float, open_quotient: float, rng: np.random.Generator
) -> tuple[Float64s, Float64s]:
    """KLGLOTT88 flow derivative, and how far the glottis is open.

    Args:
        pitch_hz: of each sample, shape ``(samples,)``.
        jitter: relative standard deviation of cycle lengths.
        shimmer: relative standard deviation of cycle amplitudes.
        open_quotient: share of a cycle with the glottis open.
        rng: draws both.

    Returns:
        Flow derivative (RMS about 1) and opening in [0, 1], each of shape ``(samples,)``.
    """
    even = np.cumsum(pitch_hz) / RATE
    lengths = 1 + jitter * np.clip(rng.standard_normal(int(2 * even[-1]) + 4), -3, 3)
    starts = np.concatenate([[0.0], np.cumsum(lengths)])
    phase = np.interp(even, starts, np.arange(len(starts)))
    cycle = phase.astype(np.int64)
    loudness = 1 + shimmer * np.clip(rng.standard_normal(cycle[-1] + 1), -3, 3)
    position = (phase - cycle) / open_quotient
    is_open = position < 1
    flow_slope = np.where(is_open, 2 * position - 3 * position**2, 0.0)
    opening = np.where(is_open, 6.75 * (position**2 - position**3), 0.0)
    rms = np.sqrt(open_quotient * 2 / 15)  # of 2p - 3p^2 over the open part, 0 elsewhere
    return flow_slope * loudness[cycle] / rms, opening


def _accented(sound: Sound, accent_db: float) -> float:
    return sound.voice_db + (accent_db if sound.stressed else 0.0)


def _level(owner: np.ndarray, levels_db: Sequence[float], samples: int) -> Float64s:
    gains = 10 ** (np.array(levels_db) / 20)
    return _per_sample(smooth(gains[owner], _LEVEL_SMOOTH_S), samples)


def _per_sample(contour: Float64s, samples: int) -> Float64s:
    return np.interp(np.arange(samples), _STEP * (np.arange(len(contour)) + 0.5), contour)


def _tilted(pulses: Float64s, tilt_db: float) -> Float64s:
    spectrum = np.fft.rfft(pulses)
    octaves = 0.5 * np.log2(1 + (np.fft.rfftfreq(len(pulses), 1 / RATE) / 500) ** 2)
    return np.fft.irfft(spectrum * 10 ** (-tilt_db * octaves / 20), len(pulses))


def _windows(source: Float64s) -> Complex64s:
    padded = np.pad(source.astype(np.float32), (_HOP, _WINDOW))
    stacked = np.lib.stride_tricks.sliding_window_view(padded, _WINDOW)[::_HOP]
    count = -(-len(source) // _HOP) + 1
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(_WINDOW) / _WINDOW)
    return np.fft.rfft(stacked[:count] * hann.astype(np.float32), _N_FFT).astype(np.complex64)


def _overlap_add(spectra: Complex64s, samples: int) -> Float64s:
    frames = np.fft.irfft(spectra, _N_FFT)
    wave = np.zeros(_HOP * len(frames) + _N_FFT)
    for number, frame in enumerate(frames):
        wave[number * _HOP : number * _HOP + _N_FFT] += frame
    return wave[_HOP : _HOP + samples]


def _tract_response(sounds: Sequence[Sound], owner: np.ndarray, quality: Quality) -> Complex64s:
    """Response of the vocal tract at each window, shape ``(windows, bins)``."""
    targets = np.array([sound.formants_hz for sound in sounds])
    targets = quality.tract * (_NEUTRAL_VOWEL + quality.space * (targets - _NEUTRAL_VOWEL))
    every = _HOP // _STEP
    z = np.exp(-2j * np.pi * np.arange(_N_FFT // 2 + 1) / _N_FFT).astype(np.complex64)
    response = np.ones(len(z), np.complex64)
    for number in range(_UPPER_FORMANTS):
        formant = quality.tract * (3500 + 1000 * number)
        if formant < 0.48 * RATE:
            response = response * _resonator(np.array([formant]), 0.05 * formant, z)[0]
    out = np.tile(response, (len(owner[::every]), 1))
    for place, bandwidth in enumerate(_BANDWIDTHS_HZ):
        contour = smooth(targets[owner, place], _FORMANT_SMOOTH_S)[::every]
        out *= _resonator(contour, bandwidth, z)
    return _with_edges(out)


def _resonator(formant_hz: Float64s, bandwidth_hz: float, z: Complex64s) -> Complex64s:
    radius = np.exp(-np.pi * bandwidth_hz / RATE)
    b = (2 * radius * np.cos(2 * np.pi * formant_hz / RATE)).astype(np.float32)[:, None]
    c = np.float32(-(radius**2))
    return np.asarray((1 - b - c) / (1 - b * z - c * z * z))


def _noise_response(sounds: Sequence[Sound], at_windows: np.ndarray) -> Complex64s:
    """Band of the noise made in the mouth at each window, shape ``(windows, bins)``."""
    bins = np.maximum(np.arange(_N_FFT // 2 + 1), 1) * RATE / _N_FFT
    centre = np.array([[sound.centre_hz] for sound in sounds])
    width = np.array([[sound.octaves] for sound in sounds])
    bands = np.exp(-0.5 * (np.log2(bins / centre) / (0.5 * width)) ** 2)
    bands /= np.sqrt(np.mean(bands**2, axis=1, keepdims=True))  # a band's level is noise_db
    return _with_edges(bands[at_windows].astype(np.complex64))


def _with_edges(response: Complex64s) -> Complex64s:
    # windows are centred on the first sample, then every hop: one more than the hops
    return np.concatenate([response, response[-1:]])
