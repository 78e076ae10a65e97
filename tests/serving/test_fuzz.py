"""Bodies that somebody broke: whatever is sent, the answer is a prediction or a refusal in one sentence.

``SER_FUZZ=3000 pytest tests/serving/test_fuzz.py`` tries more than the default.
"""

import os
from collections import Counter
from collections.abc import Callable
from functools import cache

import numpy as np
import pytest
import soundfile as sf

from ser_pipeline import load_model
from ser_pipeline.options import Limits
from ser_pipeline.serving.service import Service
from tests.serving.conftest import RATE, voice
from tests.serving.test_http import Client

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:starlette")

UNREADABLE = ("RAW", "SD2", "AIFF/DWVW", "MP3")
"""Without a header, or such as libsndfile may not know again by their bytes; they may be refused."""

BODIES = int(os.environ.get("SER_FUZZ", "320"))
EXTREMES = (
    b"\0\0\0\0",
    b"\xff\xff\xff\xff",
    b"\x7f\xff\xff\xff",
    b"\xff\xff\xff\x7f",
    b"\0\0\0\x80",
    b"\x80\0\0\0",
    b"\1\0\0\0",
)


@pytest.fixture(scope="module")
def every_format(tmp_path_factory):
    """Make a recording in each format and coding that libsndfile writes, of a sound for a sample rate."""
    path = tmp_path_factory.mktemp("formats") / "a"

    @cache
    def make(sound: Callable[[int], np.ndarray]) -> dict[str, bytes]:
        made = {}
        for kind in sf.available_formats():
            for coding in sf.available_subtypes(kind):
                for rate in (44_100, RATE, 8_000):
                    try:
                        sf.write(path, sound(rate), rate, format=kind, subtype=coding)
                    except sf.LibsndfileError:
                        continue  # it wants another sample rate
                    made[f"{kind}/{coding}"] = path.read_bytes()
                    break
        return made

    return make


def heard(rate: int) -> np.ndarray:
    return voice(0.3, 1, rate)


def silent(rate: int) -> np.ndarray:
    """Of silence, windows are looked for in blocks, as of hours."""
    return np.zeros(rate // 2)


def broken(whole: bytes, rng: np.random.Generator) -> bytes:
    """The recording with one to four things wrong."""
    body = bytearray(whole)
    for _ in range(rng.integers(1, 5)):
        head = min(len(body), int(rng.choice((64, 256, len(body))))) or 1
        place = int(rng.integers(head))
        match rng.integers(6):
            case 0:
                body[place : place + 1] = rng.bytes(1)
            case 1:
                body[place : place + 4] = EXTREMES[rng.integers(len(EXTREMES))]
            case 2:
                del body[rng.integers(len(body) + 1) :]
            case 3:
                del body[place : place + int(rng.integers(1, 40))]
            case 4:
                body[place:place] = rng.bytes(int(rng.integers(1, 40)))
            case _:
                other = int(rng.integers(head))
                body[place : place + 16] = body[other : other + 16]
    return bytes(body)


@pytest.fixture
def client(run):
    service = Service(load_model(run), Limits(max_mb=1, max_s=20))
    yield Client(service)
    assert service.waiting == 0
    service.stop()


@pytest.mark.parametrize("sound", [heard, silent])
def test_recordings_of_every_format_are_answered(client, sound, every_format):
    whole = every_format(sound)
    assert len({name.split("/")[0] for name in whole}) >= 20
    for name, content in whole.items():
        answer = client.post(content)
        readable = not name.startswith(UNREADABLE)
        short = sound is silent and "too_short" in answer.text  # noise of a codec, and too little of it
        assert answer.status_code == 200 or (answer.status_code == 422 and (short or not readable)), name
        if sound is silent and name.endswith("/PCM_16") and answer.status_code == 200:
            assert answer.json()["decision"] == "no speech", name


def test_broken_recordings_of_every_format_are_never_an_error_of_the_server(client, every_format):
    rng = np.random.default_rng(0)
    whole = [pair for sound in (heard, silent) for pair in every_format(sound).items()]
    seen: Counter[int] = Counter()
    for number, place in enumerate(np.resize(rng.permutation(len(whole)), BODIES)):
        name, content = whole[place]
        answer = client.post(broken(content, rng))
        seen[answer.status_code] += 1
        assert answer.status_code in (200, 413, 422), (name, number, answer.text)
        assert answer.status_code == 200 or list(answer.json()) == ["error", "code"]
    assert seen.keys() >= {200, 422}
