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


@pytest.fixture(params=["run", "graph"])
def model(request, save, tmp_path):
    made = load_model(save(mode="adaptive"))
    return load_model(export_graph(made, tmp_path / "m.onnx").path) if request.param == "graph" else made


def grown(work) -> int:
    """Bytes that resident memory grows by from the 100th to the 1,000th piece of work."""
    measured = []
    for number in range(1, 1001):
        work(number)
        if number in (100, 1000):
            gc.collect()
            measured.append(psutil.Process().memory_info().rss)
    return measured[1] - measured[0]


def test_a_thousand_clips_of_a_thousand_lengths(model):
    sound = voice(3.0)
    assert grown(lambda number: model.predict_wave(sound[: RATE // 3 + 23 * number], RATE)) < MOST_BYTES


def test_a_thousand_requests(model):
    sound, service = voice(3.0), Service(model, Limits())

    def recording(number):
        held = io.BytesIO()
        sf.write(held, sound[: RATE // 3 + 23 * number], RATE, format="WAV")
        return held.getvalue()

    async def ask():
        transport = httpx.ASGITransport(http_app(service))
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost:7860") as line:

            async def post(number):
                files = [("file", ("a.wav", recording(number))), ("enrol", ("b.wav", recording(1)))]
                assert (await line.post("/predict", files=files)).status_code == 200

            measured = []
            for number in range(1, 1001):
                await post(number)
                if number in (100, 1000):
                    gc.collect()
                    measured.append(psutil.Process().memory_info().rss)
            return np.diff(measured).item()

    assert asyncio.run(ask()) < MOST_BYTES
    assert service.waiting == 0
    service.stop()
