"""Memory stays as it is however many recordings a process predicts on."""

import asyncio
import gc
import io

import httpx
import numpy as np
import psutil
import pytest
import soundfile as sf

from ser_pipeline import load_model
from ser_pipeline.options import Limits
from ser_pipeline.serving.export import export_graph
from ser_pipeline.serving.http import http_app
from ser_pipeline.serving.service import Service
from tests.serving.conftest import RATE, voice

MOST_BYTES = 24 << 20
"""Growth that is let pass, where 900 clips that were kept would take 60 MB as samples alone."""

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::DeprecationWarning:starlette"),
]


@pytest.fixture
def model(save):
    """A run that adapts to a speaker, whose network computes its answers."""
    return load_model(save(mode="adaptive"))


def test_a_thousand_clips_of_a_thousand_lengths(model):
    sound, measured = voice(3.0), []
    for number in range(1, 1001):
        model.predict_wave(sound[: RATE // 3 + 23 * number], RATE)
        if number in (100, 1000):
            gc.collect()
            measured.append(psutil.Process().memory_info().rss)
    assert np.diff(measured).item() < MOST_BYTES


def test_a_thousand_requests(model, tmp_path):
    sound = voice(3.0)
    service = Service(load_model(export_graph(model, tmp_path / "m.onnx").path), Limits())

    def recording(number):
        held = io.BytesIO()
        sf.write(held, sound[: RATE // 3 + 23 * number], RATE, format="WAV")
        return held.getvalue()

    same = recording(1)

    async def ask():
        transport = httpx.ASGITransport(http_app(service))
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost:7860") as line:
            measured = []
            for number in range(1, 1001):
                files = [("file", ("a.wav", recording(number))), ("enrol", ("b.wav", same))]
                assert (await line.post("/predict", files=files)).status_code == 200
                if number in (100, 1000):
                    gc.collect()
                    measured.append(psutil.Process().memory_info().rss)
            return np.diff(measured).item()

    assert asyncio.run(ask()) < MOST_BYTES
    assert service.waiting == 0
    service.stop()
