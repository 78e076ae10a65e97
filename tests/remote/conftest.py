import importlib.util
import threading
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest
import soundfile
from typer.testing import CliRunner

from ser_pipeline.cli import app
from ser_pipeline.remote import objects

NAMES = [f"{speaker}_IEO_{code}_LO.wav" for speaker in (1001, 1002, 1003) for code in ("ANG", "NEU")]


class Faults:
    """Passes requests on, but for objects of which the next ones are to fail in some way.

    Attributes:
        of: path of an object -> what becomes of the next requests for its bytes: a status, or ``cut``.
        asked: the path and the header ``Range`` of each request for bytes.
    """

    def __init__(self, app):
        self.app, self.of, self.asked = app, defaultdict(list), []

    def __call__(self, environ, start_response):
        path = environ["PATH_INFO"]
        if environ["REQUEST_METHOD"] not in ("GET", "HEAD") or not path.strip("/").count("/"):
            return self.app(environ, start_response)
        if environ["REQUEST_METHOD"] == "GET":
            self.asked.append((path, environ.get("HTTP_RANGE", "")))
        fault = self.of[path].pop(0) if self.of[path] else None
        if fault is None or (fault == "cut" and environ["REQUEST_METHOD"] == "HEAD"):
            if fault:
                self.of[path].insert(0, fault)
            return self.app(environ, start_response)
        if fault == "cut":
            return self.cut(environ, start_response)
        start_response(f"{fault} Refused", [("Content-Length", "0"), ("Connection", "close")])
        return [b""]

    def cut(self, environ, start_response):
        """Announce all of an object, give a half of it and close the connection."""
        body = b"".join(self.app(environ, lambda status, headers: start_response(status, [*headers])))
        return [body[: len(body) // 2]]


@pytest.fixture(scope="session")
def server():
    """A store that speaks the protocol of S3, and fails as it is told; its address."""
    from moto.server import DomainDispatcherApplication, create_backend_app
    from werkzeug.serving import WSGIRequestHandler, make_server

    class Quiet(WSGIRequestHandler):
        def log(self, *_):
            """Print nothing."""

    faults = Faults(DomainDispatcherApplication(create_backend_app))
    made = make_server("127.0.0.1", 0, faults, threaded=True, request_handler=Quiet)
    made.daemon_threads = True
    threading.Thread(target=made.serve_forever, daemon=True).start()
    patch = pytest.MonkeyPatch()
    patch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{made.server_port}")
    for name, value in {
        "ACCESS_KEY_ID": "a",
        "SECRET_ACCESS_KEY": "b",
        "DEFAULT_REGION": "us-east-1",
    }.items():
        patch.setenv(f"AWS_{name}", value)
    patch.setenv("AWS_MAX_ATTEMPTS", "1")
    patch.setattr(objects, "WAITS_S", (0.01, 0.01))
    yield faults
    made.shutdown()
    patch.undo()


@pytest.fixture(scope="session")
def bucket(server):
    """The file system of a store, with an empty bucket."""
    import fsspec

    store = fsspec.filesystem("s3")
    store.mkdir("bucket")
    return store


@pytest.fixture(scope="session")
def data(bucket, tmp_path_factory):
    """Recordings of CREMA-D and a table, in a folder and at ``s3://bucket/data``."""
    folder = tmp_path_factory.mktemp("data")
    rng = np.random.default_rng(0)
    (folder / "CREMA-D" / "AudioWAV").mkdir(parents=True)
    times = np.arange(9_600) / 16_000
    for number, name in enumerate(NAMES):
        wave = 0.2 * np.sin(2 * np.pi * (150 + 30 * number) * times) + 0.01 * rng.normal(size=times.size)
        soundfile.write(folder / "CREMA-D" / "AudioWAV" / name, wave, 16_000)
    people = "ActorID,Age,Sex,Race,Ethnicity\n1001,51,Male,,\n1002,21,Female,,\n1003,33,Female,,\n"
    (folder / "CREMA-D" / "VideoDemographics.csv").write_text(people)
    bucket.put(str(folder), "bucket/data", recursive=True)
    return folder


@pytest.fixture
def ser(tmp_path, monkeypatch):
    """Run a command in a folder of its own."""
    monkeypatch.chdir(tmp_path)

    def run(*words, status=0):
        result = CliRunner().invoke(app, [str(word) for word in words])
        assert result.exit_code == status, result.output
        return result

    return run


@pytest.fixture(scope="session")
def served_files():
    """A server of files over HTTP; the first folder of an address says how it gives them."""
    path = Path(__file__).parents[1] / "acquire" / "http.py"
    spec = importlib.util.spec_from_file_location("served_files", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    server = module.Server()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()
