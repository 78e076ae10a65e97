import asyncio
import io
import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import numpy as np
import psutil
import pyarrow.parquet as pq
import pytest
import soundfile as sf
from typer.testing import CliRunner

import ser_pipeline
from ser_pipeline import load_model
from ser_pipeline.cli import app
from ser_pipeline.options import Limits, PredictOptions, RequestOptions
from ser_pipeline.serving.details import details
from ser_pipeline.serving.http import http_app
from ser_pipeline.serving.service import Service
from tests.serving.conftest import RATE, save_random, voice

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:starlette")


def recording(seconds: float = 1.0, seed: int = 0, kind: str = "WAV", channels: int = 1) -> bytes:
    held = io.BytesIO()
    sf.write(held, np.repeat(voice(seconds, seed)[:, None], channels, 1), RATE, format=kind)
    return held.getvalue()


class Client:
    """Talks to an application without a socket."""

    def __init__(self, service: Service, hosts=()) -> None:
        self.app = http_app(service, hosts)
        self.service = service

    def send(self, method, path, **more):
        async def ask():
            # an error that escapes fails the test, as no answer to a client would
            transport = httpx.ASGITransport(self.app)
            async with httpx.AsyncClient(transport=transport, base_url="http://localhost:7860") as client:
                return await client.request(method, path, **more)

        return asyncio.run(ask())

    def post(self, content=None, query="", **more):
        return self.send("POST", f"/predict{query}", content=content, **more)


@pytest.fixture
def client(run):
    service = Service(load_model(run), Limits(max_mb=1, max_s=20))
    yield Client(service)
    service.stop()


def refused(answer, status, says):
    assert answer.status_code == status, answer.text
    assert list(answer.json()) == ["error", "code"]
    assert says in answer.json()["error"]
    assert "\n" not in answer.json()["error"]


@pytest.mark.parametrize("kind", ["WAV", "FLAC", "OGG"])
def test_a_raw_body_and_a_form_are_answered_alike_and_as_in_python(client, run, kind):
    content = recording(1.4, 3, kind)
    said = client.post(content).json()
    assert said == client.post(files={"file": ("ä.bin", content)}).json()
    expected = load_model(run).predict(content)
    assert said["probabilities"] == pytest.approx(expected.probabilities, abs=1e-6)
    assert (said["decision"], said["model"], said["synthetic"]) == (expected.decision, "small", False)
    assert said["duration_s"] == pytest.approx(1.4, abs=0.01)
    assert said["answered_by"] == load_model(run).about.as_dict()


@pytest.mark.parametrize(("flags", "query"), [([], ""), (["--hop", "3"], "hop_s=3")])
def test_a_long_recording_is_told_alike_by_server_page_command_and_python(run, tmp_path, flags, query):
    content, options = recording(61.0, 4), PredictOptions(hop_s=3 if flags else None)
    (tmp_path / "a.wav").write_bytes(content)
    words = ["predict", str(tmp_path / "a.wav"), "--model", str(run), *flags]
    printed = json.loads(CliRunner().invoke(app, [*words, "--format", "json"]).stdout)
    assert CliRunner().invoke(app, [*words, "--out", str(tmp_path / "p.parquet")]).exit_code == 0
    (row,) = pq.read_table(tmp_path / "p.parquet").to_pylist()
    model = load_model(run)
    service = Service(model, Limits())
    sent = Client(service).post(content, f"?{query}").json()
    timed = Client(service).post(content, f"?timeline=true&{query}").json()
    service.stop()
    shown = details(model, content, options, Limits(), "a.wav").prediction
    told = ser_pipeline.predict(content, model=run, **options.model_dump(exclude_defaults=True))
    everyone = [printed, sent, timed, row, shown.as_dict(), told.as_dict()]
    assert [each["windows"] for each in everyone] == [21 if flags else 121] * 6
    for each in everyone:
        assert each["confidence"] == pytest.approx(told.confidence, abs=2e-6)


def test_a_timeline_is_added_where_it_is_asked_for(client, run):
    content = recording(4.0)
    said = client.post(content, "?timeline=true").json()["timeline"]
    assert [each["end_s"] for each in said] == [each.end_s for each in load_model(run).timeline(content)]
    assert "timeline" not in client.post(content).json()


def test_a_request_for_windows_without_number_is_refused(client, monkeypatch):
    monkeypatch.setattr("ser_pipeline.serving.details.MOST_WINDOWS", 10)
    says = "hop_s: 0.05 s makes 30 windows of 1.5 s, at most 20 are made here; use 0.08 or more"
    refused(client.post(recording(1.5), "?timeline=true&hop_s=0.05"), 422, says)
    assert client.post(recording(1.5), "?timeline=true&hop_s=0.08").status_code == 200


def test_low_confidence_is_uncertain_and_silence_no_speech(client):
    assert client.post(recording(), "?abstain=1").json()["decision"] == "uncertain"
    held = io.BytesIO()
    sf.write(held, np.zeros(RATE), RATE, format="WAV")
    assert client.post(held.getvalue()).json()["decision"] == "no speech"


def test_recordings_that_take_ffmpeg_are_decoded_once(client, fake_ffmpeg, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    refused(client.post(b"#!AMR\n" + bytes(100)), 422, "AMR needs ffmpeg, which is not installed")
    counted = "open({0!r}, 'a').write('.'); sys.stdout.buffer.write(open({1!r}, 'rb').read())"
    (tmp_path / "a.wav").write_bytes(recording(3.0))
    fake_ffmpeg(counted.format(str(tmp_path / "calls"), str(tmp_path / "a.wav")))
    said = client.post(b"#!AMR\n" + bytes(100), "?timeline=true").json()
    assert said == client.post(recording(3.0), "?timeline=true").json()
    assert (tmp_path / "calls").read_text() == "."
    (tmp_path / "a.wav").write_bytes(recording(25.0))
    refused(client.post(b"#!AMR\n" + bytes(100)), 413, "25 s long; at most 20 s")


@pytest.mark.parametrize(
    ("content", "query", "status", "says"),
    [
        (b"", "", 422, "empty"),
        (b"no sound at all", "", 422, "not a recording"),
        (recording(0.01), "", 422, "too short: 10 ms"),
        (recording(25.0), "", 413, "25 s long; at most 20 s"),
        (recording(25.0, kind="FLAC"), "", 413, "25 s long"),
        (recording(0.3, channels=60), "", 413, "60 channels"),
        (bytes(1_000_001), "", 413, "at most 1 MB"),
        (recording(), "?abstain=2", 422, "abstain"),
        (recording(), "?modality=dance", 422, "modality"),
        (recording(), "?timeline=perhaps", 422, "timeline"),
        (recording(), "?timelin=true", 422, "timelin: there is no such setting (did you mean 'timeline'?)"),
        (
            recording(),
            "?file=a.wav",
            422,
            "valid are abstain, corpus, modality, window_s, hop_s, adapt, time",
        ),
        (recording(), "?a%0Ab=1", 422, "there is no such setting"),
        (recording(), "?hop_s=1&hop_s=2", 422, "hop_s: given as '1' and as '2'; give it once"),
        (recording(), "?modality=song", 422, "modality song: has no effect on small; leave it out"),
        (recording(), "?corpus=emodb", 422, "corpus emodb: has no effect on small"),
    ],
)
def test_what_does_not_fit_is_refused_with_a_sentence(client, content, query, status, says):
    refused(client.post(content, query), status, says)
    assert client.service.waiting == 0


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "empty"),
        (b"no sound at all", "foreign"),
        (b"ADIF" + bytes(100), "foreign"),
        (recording()[:-500], "cut"),
        (recording(0.01), "too_short"),
        (recording(25.0), "too_large"),
        (bytes(1_000_001), "too_large"),
    ],
)
def test_what_was_refused_has_a_word_for_programs(client, content, code):
    assert client.post(content).json()["code"] == code
    assert client.post(recording(), "?abstain=2").json()["code"] == "refused"


@pytest.mark.parametrize(
    ("headers", "says"),
    [
        ({"content-type": "multipart/form-data"}, "Missing boundary"),
        ({"content-type": "multipart/form-data; boundary=x"}, "form"),
    ],
)
def test_a_form_that_is_none_is_refused(client, headers, says):
    refused(client.post(recording(), headers=headers), 400, says)


def test_a_file_under_another_name_is_refused(client):
    refused(
        client.post(files={"enroll": ("a.wav", recording())}), 400, "enroll: no file of this name is taken"
    )


def test_a_form_without_a_file_is_refused(client):
    body = b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\nb\r\n--x--\r\n'
    refused(client.post(body, headers={"content-type": "multipart/form-data; boundary=x"}), 400, "no file")


def test_a_body_without_a_length_is_cut_off_while_it_is_read(client):
    read = []

    async def pieces():
        for _ in range(1000):
            read.append(100_000)
            yield bytes(100_000)

    async def ask():
        scope = {"type": "http", "method": "POST", "path": "/predict", "raw_path": b"/predict",
                 "headers": [(b"host", b"localhost")], "query_string": b"", "http_version": "1.1",
                 "scheme": "http", "server": ("ser", 80)}  # fmt: skip
        source, sent = pieces(), []

        async def receive():
            return {"type": "http.request", "body": await anext(source), "more_body": True}

        async def send(message):
            sent.append(message)

        await client.app(scope, receive, send)
        return sent[0]["status"]

    assert asyncio.run(ask()) == 413
    assert sum(read) <= 1_200_000


def test_a_recording_that_comes_too_slowly_is_given_up(run):
    service = Service(load_model(run), Limits(body_s=0.05))

    async def slow():
        yield b"RIFF"
        await asyncio.sleep(5)

    refused(Client(service).post(slow()), 400, "had not arrived")
    assert service.waiting == 0
    service.stop()


def test_those_who_find_no_place_are_told_to_come_back(run):
    service = Service(load_model(run), Limits(waiting=1))
    with service.place():
        answer = Client(service).post(recording())
    refused(answer, 429, "try again in a moment")
    assert answer.headers["retry-after"]
    assert Client(service).post(recording()).status_code == 200
    service.stop()


def test_what_is_not_done_when_the_server_stops_is_told_to_ask_another_one(run):
    service, going = Service(load_model(run), Limits()), threading.Event()
    service.start(lambda model: going.wait(10))

    async def ask():
        transport = httpx.ASGITransport(http_app(service, ()))
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost:7860") as client:
            asked = asyncio.create_task(client.post("/predict", content=recording()))
            while service.waiting == 0 or service._worker._work_queue.qsize() == 0:
                await asyncio.sleep(0.01)
            asked.cancel()
            return await asked

    answer = asyncio.run(ask())
    going.set()
    refused(answer, 429, "the server is stopping; ask another one")
    service.stop()


def test_the_bytes_of_all_that_wait_are_bounded(run):
    service = Service(load_model(run), Limits(max_mb=0.04))
    client = Client(service)
    with service.place() as place:
        for _ in range(8):
            service.hold(39_000)
        refused(client.post(recording(1.0)), 429, "memory")
        place.size = 8 * 39_000
    assert client.post(recording(1.0)).status_code == 200
    service.stop()


def form(**fields):
    return {"files": {"file": ("a.wav", recording(3.0))}, "data": fields}


def test_fields_of_a_form_mean_what_parameters_mean(client):
    asked = {"abstain": "0.999", "timeline": "true", "hop_s": "0.5", "window_s": "1", "modality": "speech"}
    said = client.post(**form(**asked)).json()
    assert said["decision"] == "uncertain"
    assert len(said["timeline"]) == 5
    query = "&".join(f"{name}={value}" for name, value in asked.items())
    assert said == client.post(recording(3.0), f"?{query}").json()
    assert said == client.post(query=f"?{query}", **form(hop_s="0.5")).json()
    with_adapt = client.post(query="?adapt=true", **form(timeline="true"))
    refused(with_adapt, 422, "was not trained to adapt")


@pytest.mark.parametrize(
    ("fields", "query", "status", "says"),
    [
        ({"timelin": "true"}, "", 422, "POST /predict: timelin: there is no such setting (did you mean"),
        ({"abstain": "2"}, "", 422, "abstain: must be"),
        ({"abstain": "0.5"}, "?abstain=0.6", 422, "abstain: given as '0.6' and as '0.5'; give it once"),
        ({"abstain": "5" * 300}, "", 400, "the form cannot be read"),
        ({f"f{number}": "1" for number in range(20)}, "", 400, "Too many fields"),
    ],
)
def test_fields_that_do_not_fit_are_refused(client, fields, query, status, says):
    refused(client.post(query=query, **form(**fields)), status, says)


@pytest.mark.parametrize("path", ["/health", "/docs"])
def test_an_address_that_takes_nothing_says_so(client, path):
    refused(
        client.send("GET", f"{path}?verbose=1"),
        422,
        f"{path}: verbose: there is no such setting; valid are none",
    )


def test_health_tells_what_is_served(client):
    said = client.send("GET", "/health").json()
    assert (said["status"], said["model"], said["waiting"]) == ("ok", "small", 0)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nowhere", 404),
        ("POST", "/predict/", 404),
        ("GET", "/%00", 404),
        ("GET", "/predict", 405),
        ("DELETE", "/health", 405),
        ("PUT", "/", 404),
    ],
)
def test_other_addresses_are_refused_as_json(client, method, path, status):
    answer = client.send(method, path)
    refused(answer, status, "Not Found" if status == 404 else "Method Not Allowed")
    assert ("allow" in answer.headers) == (status == 405)


EVIL = [
    "evil.example", "127.0.0.1.evil.example", "localhost.evil.example:7860", "localhost@evil.example",
    "192.168.1.5", "[::1", "[::2]:7860", "", "ser.example",
]  # fmt: skip


@pytest.mark.parametrize("host", EVIL)
def test_a_name_that_does_not_lead_here_is_refused(client, host):
    for method, path in (("GET", "/health"), ("POST", "/predict"), ("GET", "/nowhere")):
        refused(client.send(method, path, headers={"host": host}), 403, "does not answer to the name")


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST:80", "localhost.:1", "127.0.0.1:9", "127.1.2.3", "[::1]:9", "[::1]"]
)
def test_names_of_the_loopback_lead_here(client, host):
    assert client.send("GET", "/health", headers={"host": host}).status_code == 200


@pytest.mark.parametrize(
    ("hosts", "host", "leads"),
    [
        (["0.0.0.0"], "192.168.1.5:7860", True),
        (["::"], "[fe80::1]:7860", True),
        (["0.0.0.0"], "evil.example", False),
        (["0.0.0.0", "Ser.example"], "ser.example:7860", True),
        (["192.168.1.5"], "192.168.1.5", True),
        (["192.168.1.5"], "192.168.1.6", False),
    ],
)
def test_names_that_were_given_lead_here(client, hosts, host, leads):
    answer = Client(client.service, hosts).send("GET", "/health", headers={"host": host})
    assert answer.status_code == (200 if leads else 403)


@pytest.mark.parametrize(("host", "code"), [(b"evil.example", 1008), (b"localhost", 1000)])
def test_a_web_socket_of_another_name_is_refused(client, host, code):
    sent = []

    async def ask():
        scope = {"type": "websocket", "path": "/queue/join", "raw_path": b"/queue/join", "query_string": b"",
                 "headers": [(b"host", host)], "scheme": "ws", "subprotocols": []}  # fmt: skip

        async def receive():
            return {"type": "websocket.connect"}

        async def send(message):
            sent.append(message)

        await client.app(scope, receive, send)

    asyncio.run(ask())
    assert [(message["type"], message["code"]) for message in sent] == [("websocket.close", code)]


def test_two_hosts_are_none(client):
    sent = []

    async def ask():
        scope = {"type": "http", "method": "GET", "path": "/health", "query_string": b"",
                 "http_version": "1.1", "headers": [(b"host", b"localhost")] * 2,
                 "scheme": "http"}  # fmt: skip

        async def send(message):
            sent.append(message)

        await client.app(scope, None, send)

    asyncio.run(ask())
    assert sent[0]["status"] == 403


def test_the_interface_is_described_without_fetching_anything(client):
    described = client.send("GET", "/openapi.json").json()
    assert set(described["paths"]) == {"/predict", "/health"}
    body = described["paths"]["/predict"]["post"]["requestBody"]["content"]
    assert set(body) == {"multipart/form-data", "application/octet-stream"}
    fields = body["multipart/form-data"]["schema"]["properties"]
    assert {each["name"] for each in described["paths"]["/predict"]["post"]["parameters"]} == {
        *RequestOptions.model_fields
    } == set(fields) - {"file", "enrol"}  # fmt: skip
    page = client.send("GET", "/docs")
    assert "POST /predict" in page.text
    assert "curl --data-binary @a.wav &#39;http://localhost:7860/predict&#39;" in page.text.replace(
        "'", "&#39;"
    )
    assert "src=" not in page.text
    assert "the page" not in page.text  # it is not served here
    assert "default-src 'self'" in page.headers["content-security-policy"]


def test_fuzzed_forms_are_never_an_error_of_the_server(client):
    rng = np.random.default_rng(0)
    form = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n%b\r\n--x--\r\n'
    seen = set()
    for number in range(120):
        content = bytearray(form % recording(0.3))
        for place in rng.integers(0, 90, number % 5):
            content[place] = rng.integers(256)
        headers = {"content-type": "multipart/form-data; boundary=x"}
        seen.add(client.post(bytes(content), headers=headers).status_code)
    assert {200, 400} <= seen <= {200, 400, 422}
    assert client.service.waiting == 0


def test_fifty_at_once_are_all_answered_and_memory_stays(tmp_path):
    import uvicorn

    service = Service(load_model(save_random(tmp_path / "run")), Limits())
    server = uvicorn.Server(uvicorn.Config(http_app(service), port=0, log_level="error"))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    address = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}/predict"
    bodies = [recording(0.5 + 0.02 * number, number) for number in range(50)]

    def ask(number: int) -> tuple[int, str]:
        answer = line.post(address, content=bodies[number])
        return answer.status_code, str(answer.json()["probabilities"])

    memory = []
    try:
        with (
            httpx.Client(timeout=300, limits=httpx.Limits(max_connections=50)) as line,
            ThreadPoolExecutor(50) as clients,
        ):
            for _ in range(4):
                rounds = list(clients.map(ask, range(50)))
                assert {status for status, _ in rounds} == {200}
                memory.append(psutil.Process().memory_info().rss)
            alone = [ask(number) for number in range(0, 50, 10)]
        assert alone == rounds[::10]
    finally:
        server.should_exit = True
        thread.join()
    assert memory[-1] - memory[1] < 24 << 20
    assert service.waiting == 0


@pytest.fixture
def knowing(adapting):
    service = Service(adapting[0], Limits(max_mb=1, max_s=20))
    yield Client(service)
    service.stop()


def with_enrolled(*sounds, content=None):
    others = [("enrol", ("b.wav", each)) for each in sounds]
    return {"files": [("file", ("a.wav", content or recording())), *others]}


def test_recordings_of_the_speaker_are_taken_with_the_form(knowing, adapting):
    content, sounds = recording(1.2, 9), [recording(1.0, seed) for seed in (2, 3)]
    said = knowing.post(**with_enrolled(*sounds, content=content)).json()
    adapted, _ = adapting[0].for_speaker(sounds)
    assert said["probabilities"] == pytest.approx(adapted.predict(content).probabilities, abs=1e-6)
    assert said["enrolled"] == 2
    assert "warning" not in said
    twice = knowing.post(**with_enrolled(sounds[0], content, content=content)).json()
    assert twice["warning"].startswith("enrol: recording 2: judged as well")
    alone = knowing.post(content).json()
    assert "enrolled" not in alone
    assert alone["probabilities"] != said["probabilities"]
    assert knowing.service.model is adapting[0]


def test_the_timeline_follows_the_voice_where_it_is_asked_to(knowing):
    content = recording(8.0)
    told = [knowing.post(content, f"?timeline=true&adapt={adapt}").json()["timeline"] for adapt in (0, 1)]
    assert told[0][0] == told[1][0]
    assert told[0][-1]["probabilities"] != told[1][-1]["probabilities"]
    refused(knowing.post(content, "?adapt=true"), 422, "adapt: goes with timeline=true")


@pytest.mark.parametrize(
    ("more", "status", "says"),
    [
        (with_enrolled(b"no sound"), 422, "enrol 1: not a recording"),
        (with_enrolled(recording(), b""), 422, "enrol 2: empty: nothing was sent"),
        (with_enrolled(recording(21.0)), 413, "enrol 1: 21 s long; at most 20 s"),
        (with_enrolled(*[recording(12.0, 0, "OGG")] * 2), 413, "enrol: 24 s together; at most 20 s"),
        (with_enrolled(*[recording(0.3)] * 21), 400, "Too many files"),
        (with_enrolled(*[recording(8.0)] * 4), 413, "at most 1 MB are taken"),
        ({"files": [("enrol", ("b.wav", recording()))]}, 400, "the form holds no file"),
        ({"files": [("file", ("a.wav", recording()))] * 2}, 400, "holds more than one file; only 'enrol'"),
        (
            {"files": [("file", ("a.wav", recording()))], "data": {"enrol": "x"}},
            400,
            "enrol: holds no file; send recordings, as 'curl -F enrol=@other.wav' does",
        ),
    ],
)
def test_enrolment_that_cannot_be_used_is_refused_with_a_sentence(knowing, more, status, says):
    refused(knowing.post(**more), status, says)
    assert knowing.service.waiting == 0


def test_silence_tells_nothing_of_a_speaker(knowing):
    held = io.BytesIO()
    sf.write(held, np.zeros(RATE), RATE, format="WAV")
    refused(knowing.post(**with_enrolled(held.getvalue())), 422, "no speech is heard in it")


def test_a_model_that_does_not_adapt_refuses_what_it_could_not_use(client):
    refused(client.post(**with_enrolled(recording())), 422, "was not trained to adapt to a speaker")
    refused(client.post(recording(), "?timeline=true&adapt=true"), 422, "was not trained to adapt")
