"""WAV files that say what they are: 16-bit PCM with a comment chunk."""

import struct
from typing import Final

import numpy as np

from ser_pipeline.acquire.synth.room import Float32s

COMMENT: Final = "synthetic voice, not a human recording (ser corpora synth)"
"""Stands in the ``ICMT`` chunk of every file."""


def wav_bytes(wave: Float32s, sample_rate: int) -> bytes:
    """Encode a mono wave as a WAV file of 16-bit samples.

    Args:
        wave: within [-1, 1], shape ``(samples,)``.
        sample_rate: in Hz.

    Examples:
        >>> wav_bytes(np.zeros(3, np.float32), 16_000)[:4]
        b'RIFF'
    """
    samples = np.rint(wave * 32_767).astype("<i2").tobytes()
    form = struct.pack("<HHIIHH", 1, 1, sample_rate, 2 * sample_rate, 2, 16)
    info = b"INFO" + _chunk(b"ICMT", COMMENT.encode("ascii") + b"\0")
    body = b"WAVE" + _chunk(b"fmt ", form) + _chunk(b"LIST", info) + _chunk(b"data", samples)
    return _chunk(b"RIFF", body)


def _chunk(name: bytes, body: bytes) -> bytes:
    return name + struct.pack("<I", len(body)) + body + b"\0" * (len(body) % 2)
