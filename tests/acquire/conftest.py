"""A corpus of 24 recordings that is known by description, and as it was published on the disk."""

import numpy as np
import pytest
import soundfile

from ser_pipeline.corpora.described import Described
from ser_pipeline.corpora.description import Description

RATE = 8_000


@pytest.fixture
def tones():
    """The corpus: two speakers, three emotions, four takes."""
    told = {
        "name": "tones", "speakers": 2, "clips": 24, "licence": "CC0", "sample_rate": RATE, "channels": 1,
        "format": "WAV PCM_16", "mean_s": 0.4, "counts": {"anger": 8, "fear": 8, "neutral": 8},
        "folders": ["tones"], "people": {"a": {}, "b": {}},
        "pattern": r"(?P<speaker>[ab])_(?P<emotion>[AFN])_(?P<take>\d)",
        "codes": {"emotion": {"A": "anger", "F": "fear", "N": "neutral"}},
    }  # fmt: skip
    return Described(Description.model_validate(told))


@pytest.fixture
def published(tmp_path, rng):
    """Write the recordings, each of its own length, and give the folder that holds the corpus."""
    number = 0
    for speaker in "ab":
        for emotion in "AFN":
            for take in range(4):
                number += 1
                write(
                    tmp_path, f"{speaker}_{emotion}_{take}.wav", rng.uniform(-0.5, 0.5, 2_800 + 20 * number)
                )
    return tmp_path


def write(folder, name, wave, rate=RATE, **how):
    """Write a recording of the corpus below a folder."""
    path = folder / "tones" / name
    path.parent.mkdir(exist_ok=True)
    soundfile.write(path, np.asarray(wave, np.float32), rate, **how)
    return path
