"""A source-filter voice: glottal pulses and noise through moving resonances.

The source is the KLGLOTT88 pulse, cycle by cycle with jitter and shimmer, tilted as a whole;
breath noise is let through while the glottis is open. A cascade of resonators whose poles
follow the sounds' formants filters it. Noise made in the mouth has its own band. Filtering
is done on overlapping windows in the frequency domain, so that a clip is a few array operations.

References:
    Klatt, D. H. and Klatt, L. C. (1990). Analysis, synthesis, and perception of voice quality
    variations among female and male talkers. JASA 87(2), 820-857.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from ser_pipeline.acquire.synth.melody import CONTROL_HZ, frame_sounds, smooth
from ser_pipeline.acquire.synth.phones import Sound
from ser_pipeline.acquire.synth.profiles import Floats

Complexes = npt.NDArray[np.complex64]

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


def render(
    sounds: Sequence[Sound], seconds: Floats, pitch_hz: Floats, quality: Quality, rng: np.random.Generator
) -> Floats:
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
    pitch_hz: Floats, jitter: float, shimmer: float, open_quotient: float, rng: np.random.Generator
) -> tuple[Floats, Floats]:
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


def _level(owner: np.ndarray, levels_db: Sequence[float], samples: int) -> Floats:
    gains = 10 ** (np.array(levels_db) / 20)
    return _per_sample(smooth(gains[owner], _LEVEL_SMOOTH_S), samples)


def _per_sample(contour: Floats, samples: int) -> Floats:
    return np.interp(np.arange(samples), _STEP * (np.arange(len(contour)) + 0.5), contour)


def _tilted(pulses: Floats, tilt_db: float) -> Floats:
    spectrum = np.fft.rfft(pulses)
    octaves = 0.5 * np.log2(1 + (np.fft.rfftfreq(len(pulses), 1 / RATE) / 500) ** 2)
    return np.fft.irfft(spectrum * 10 ** (-tilt_db * octaves / 20), len(pulses))


def _windows(source: Floats) -> Complexes:
    padded = np.pad(source.astype(np.float32), (_HOP, _WINDOW))
    stacked = np.lib.stride_tricks.sliding_window_view(padded, _WINDOW)[::_HOP]
    count = -(-len(source) // _HOP) + 1
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(_WINDOW) / _WINDOW)
    return np.fft.rfft(stacked[:count] * hann.astype(np.float32), _N_FFT).astype(np.complex64)


def _overlap_add(spectra: Complexes, samples: int) -> Floats:
    frames = np.fft.irfft(spectra, _N_FFT)
    wave = np.zeros(_HOP * len(frames) + _N_FFT)
    for number, frame in enumerate(frames):
        wave[number * _HOP : number * _HOP + _N_FFT] += frame
    return wave[_HOP : _HOP + samples]


def _tract_response(sounds: Sequence[Sound], owner: np.ndarray, quality: Quality) -> Complexes:
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


def _resonator(formant_hz: Floats, bandwidth_hz: float, z: Complexes) -> Complexes:
    radius = np.exp(-np.pi * bandwidth_hz / RATE)
    b = (2 * radius * np.cos(2 * np.pi * formant_hz / RATE)).astype(np.float32)[:, None]
    c = np.float32(-(radius**2))
    return np.asarray((1 - b - c) / (1 - b * z - c * z * z))


def _noise_response(sounds: Sequence[Sound], at_windows: np.ndarray) -> Complexes:
    """Band of the noise made in the mouth at each window, shape ``(windows, bins)``."""
    bins = np.maximum(np.arange(_N_FFT // 2 + 1), 1) * RATE / _N_FFT
    centre = np.array([[sound.centre_hz] for sound in sounds])
    width = np.array([[sound.octaves] for sound in sounds])
    bands = np.exp(-0.5 * (np.log2(bins / centre) / (0.5 * width)) ** 2)
    bands /= np.sqrt(np.mean(bands**2, axis=1, keepdims=True))  # a band's level is noise_db
    return _with_edges(bands[at_windows].astype(np.complex64))


def _with_edges(response: Complexes) -> Complexes:
    # windows are centred on the first sample, then every hop: one more than the hops
    return np.concatenate([response, response[-1:]])
