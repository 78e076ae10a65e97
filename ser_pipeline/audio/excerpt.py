"""The beginning of a recording, small enough to lie inside a page."""

import io
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

import soundfile

from ser_pipeline.audio.decode import read_recording, read_segment
from ser_pipeline.errors import AudioError
from ser_pipeline.records import Segment

EXCERPT_S: Final = 6.0
"""Seconds that are taken at most."""

RATE: Final = 22_050
"""Sample rate of an excerpt, in Hz."""


def excerpt(path: Path, segment: Segment | None = None) -> bytes:
    """Decode the first seconds of a recording, and encode them as MP3, which every browser plays.

    Args:
        path: any format that libsndfile or an installed ffmpeg reads.
        segment: the part of it that is meant; None for all.

    Returns:
        A whole MP3 file: mono, 22,050 Hz, about 8 kB a second.

    Raises:
        AudioMissing: the file cannot be opened or read.
        AudioError: it cannot be decoded, or this libsndfile writes no MP3.
    """
    if "MP3" not in soundfile.available_formats():
        raise AudioError("this libsndfile writes no MP3; install a version of 1.1 or newer")
    if segment is None:
        found = read_recording(path, RATE, max_s=EXCERPT_S)
    else:
        found = read_segment(path, segment, RATE, max_s=EXCERPT_S)
    made = io.BytesIO()
    soundfile.write(made, found.wave, RATE, format="MP3", subtype="MPEG_LAYER_III")
    return made.getvalue()


def excerpts(data: Path, places: Mapping[str, tuple[str, Segment | None]]) -> Callable[[str], bytes | None]:
    """Give what :func:`excerpt` gives for recordings by their id; None for one that cannot be decoded.

    Args:
        data: folder that paths are relative to.
        places: id -> path of the recording, and the part of it that is meant.
    """

    def heard(name: str) -> bytes | None:
        try:
            path, segment = places[name]
            return excerpt(data / path, segment)
        except (KeyError, AudioError):
            return None

    return heard
