import io
import json
import threading
import time

import numpy as np
import pytest
import soundfile as sf

from ser_pipeline import load_model
from tests.serving.conftest import voice

pytest.importorskip("fastapi")
from fastapi.testclient import TestClient

from ser_pipeline.errors import AudioError
from ser_pipeline.serving.desk import BusyError, Desk, Limits, NoModelError, TooMuchError
from ser_pipeline.serving.http import http_app


def recording(seconds=1.0, seed=0, rate=16_000, form="WAV"):
    content = io.BytesIO()
    sf.write(content, voice(seconds, seed, rate), rate, format=form)
    return content.getvalue()


def dense():
    """A tenth of a second of silence in 200 channels of 64 kHz: small in FLAC's like, large in memory."""
    content = io.BytesIO()
    sf.write(content, np.zeros((640, 200), np.float32), 64_000, format="W64", subtype="PCM_U8")
    return content.getvalue()


@pytest.fixture
def client(run):
    limits = Limits(megabytes=1.0, seconds=20.0, waiting=4)
    with TestClient(http_app(Desk(load_model(run), limits)), raise_server_exceptions=False) as made:
        yield made


def test_bytes_and_forms_give_what_the_model_says(client, run):
    content = recording()
    expected = load_model(run).predict(content, name="recording").as_dict()
    raw = client.post("/predict", content=content)
    assert raw.status_code == 200
    assert raw.json() == {"model": "small", **expected}
    form = client.post("/predict", files={"file": ("a.flac", recording(form="FLAC"))})
    assert form.json()["file"] == "a.flac"
    assert form.json()["decision"] == expected["decision"]


def test_options_are_followed(client):
    unsure = client.post("/predict?abstain=1", content=recording()).json()
    assert unsure["decision"] == "uncertain"
    windows = client.post("/predict?timeline=true&hop_s=0.5", content=recording(3.0)).json()["windows"]
    assert len(windows) > 3
    assert windows[0]["start_s"] < windows[-1]["start_s"]
    quiet = io.BytesIO()
    sf.write(quiet, np.zeros(16_000), 16_000, format="WAV")
    assert client.post("/predict", content=quiet.getvalue()).json()["decision"] == "no speech"


@pytest.mark.parametrize(
    ("path", "send", "status", "reason"),
    [
        ("/predict", {"content": b""}, 400, "nothing was sent"),
        ("/predict", {"content": b"text"}, 422, "not a recording"),
        ("/predict", {"content": b"x" * 1_100_000}, 413, "larger than 1 MB"),
        ("/predict", {"content": recording(21.0, rate=8_000)}, 413, "21 s long; up to 20 s are taken"),
        (
            "/predict",
            {"content": dense()},
            413,
            "12,800,000 samples a second over all channels; up to 768,000",
        ),
        ("/predict", {"content": recording(0.01)}, 422, "short"),
        ("/predict", {"data": {"text": "no file"}}, 422, "not a recording"),
        ("/predict", {"files": {"file": ("a.wav", b"")}}, 400, "is empty"),
        ("/predict?abstain=maybe", {"content": recording()}, 422, "abstain must be a number"),
        ("/predict?hop_s=0", {"content": recording()}, 422, "greater_than_equal"),
    ],
)
def test_what_cannot_be_answered_has_a_reason(client, path, send, status, reason):
    answer = client.post(path, **send)
    assert answer.status_code == status, answer.text
    assert reason in answer.text


def test_a_form_without_a_file_or_without_an_end_is_refused(client):
    head = {"content-type": "multipart/form-data; boundary=x"}
    body = b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\nb\r\n--x--\r\n'
    assert "has no file" in client.post("/predict", content=body, headers=head).text
    broken = client.post("/predict", content=b"--y\r\nnonsense", headers=head)
    assert broken.status_code == 400
    assert (
        client.post("/predict", content=b"a", headers={"content-type": "multipart/form-data"}).status_code
        == 400
    )


def test_health_and_descriptions_load_nothing(client):
    assert client.get("/health").json() == {
        "status": "ok", "waiting": 0, "model": "small",
        "emotions": ["anger", "happiness", "neutral", "sadness"], "synthetic": False,
    }  # fmt: skip
    described = client.get("/openapi.json").json()
    assert set(described["paths"]) == {"/predict", "/health"}
    assert {"413", "422", "429", "503"} <= described["paths"]["/predict"]["post"]["responses"].keys()
    page = client.get("/docs").text
    assert "POST /predict" in page
    assert "src=" not in page
    assert "https://" not in page
    assert client.get("/predict").status_code == 405
    assert client.get("/nothing").status_code == 404


def test_without_a_model_the_way_to_one_is_said():
    desk = Desk(None, Limits(), "train one with 'ser train crnn'")
    with TestClient(http_app(desk)) as client:
        assert client.get("/health").json()["status"] == "no model"
        answer = client.post("/predict", content=recording())
        assert answer.status_code == 503
        assert "ser train crnn" in answer.json()["detail"]
    with pytest.raises(NoModelError):
        _ = desk.model


def test_a_full_queue_says_so_and_empties(run):
    desk, gate = Desk(load_model(run), Limits(waiting=2)), threading.Event()
    held = [desk.submit(gate.wait) for _ in range(2)]
    with TestClient(http_app(desk)) as client:
        answer = client.post("/predict", content=recording())
        assert answer.status_code == 429
        assert answer.headers["retry-after"] == "1"
        gate.set()
        assert [future.result(10) for future in held] == [True, True]
        deadline = time.monotonic() + 10
        while desk.waiting and time.monotonic() < deadline:
            time.sleep(0.01)
        assert client.post("/predict", content=recording()).status_code == 200
    with pytest.raises(BusyError, match="is stopping"):
        desk.submit(gate.wait)


def test_limits_are_looked_at_before_anything_is_decoded(run):
    desk = Desk(load_model(run), Limits(megabytes=0.01, seconds=1.0))
    with pytest.raises(TooMuchError, match=r"larger than 0\.01 MB"):
        desk.check(b"x" * 10_001)
    with pytest.raises(TooMuchError, match="2 s long"):
        Desk(None, Limits(seconds=1.0)).check(recording(2.0))
    desk.check(b"x")  # what it is, is said when it is decoded
    with pytest.raises(AudioError):
        load_model(run).predict(b"x", name="a")


# Starlette leaves the file of a form without an end to the garbage collector
@pytest.mark.filterwarnings("ignore:Unclosed file:ResourceWarning")
@pytest.mark.filterwarnings("ignore:Exception ignored.*Spooled:pytest.PytestUnraisableExceptionWarning")
def test_fuzzed_bodies_never_break_it(client):
    rng = np.random.default_rng(3)
    seeds = [recording(0.3), recording(0.3, form="FLAC"), recording(0.3, form="OGG"), b"RIFF" + bytes(60)]
    form = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'
    seen = set()
    for number in range(240):
        body = bytearray(seeds[number % len(seeds)])
        for _ in range(int(rng.integers(1, 20))):
            body[int(rng.integers(0, min(len(body), 200)))] = int(rng.integers(0, 256))
        body = body[: int(rng.integers(0, len(body) + 1))]
        headers = {}
        if number % 5 == 0:
            body, headers = form + body, {"content-type": "multipart/form-data; boundary=x"}
        answer = client.post("/predict", content=bytes(body), headers=headers)
        seen.add(answer.status_code)
        assert answer.status_code < 500, (number, answer.text)
        json.loads(answer.text)
    assert seen <= {200, 400, 413, 422}
    assert client.post("/predict", content=recording()).status_code == 200
