import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time

import httpx
import numpy as np
import pytest
import soundfile as sf
from PIL import Image

from ser_pipeline import load_model
from ser_pipeline.options import Limits
from ser_pipeline.serving import page
from ser_pipeline.serving.page import shown
from ser_pipeline.serving.service import Service
from tests.serving.conftest import RATE, save_random, voice

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")


@pytest.fixture
def service(run):
    made = Service(load_model(run), Limits(max_s=20))
    yield made
    made.stop()


def test_an_answer_has_bars_the_mel_and_over_time_the_timeline(service, tmp_path):
    sf.write(tmp_path / "a.wav", voice(5.0), RATE)
    said = shown(service, str(tmp_path / "a.wav"))
    assert said.count("class='ser-bar'") == 4
    assert said.count("data:image/png;base64") == 3
    assert "attention" in said
    assert "Orange spoke for the decision, purple against it." in said
    sf.write(tmp_path / "b.wav", voice(1.0), RATE)
    assert shown(service, str(tmp_path / "b.wav")).count("data:image/png;base64") == 2
    assert service.waiting == 0


def test_recordings_of_the_same_person_change_the_answer(adapting, tmp_path):
    service = Service(adapting[0], Limits(max_s=20))
    paths = [str(tmp_path / f"{number}.wav") for number in range(3)]
    for number, path in enumerate(paths):
        sf.write(path, voice(1.0, number), RATE)
    assert shown(service, paths[0], paths[1:]) != shown(service, paths[0])
    assert shown(service, paths[0]).count("class='ser-piece'") > 1
    (tmp_path / "text.wav").write_text("none")
    assert "enrol 1: not a recording" in shown(service, paths[0], [str(tmp_path / "text.wav")]).lower()
    assert "at most 20 other recordings" in shown(service, paths[0], paths[1:2] * 21)
    assert service.waiting == 0
    service.stop()


def test_silence_and_what_is_no_recording_are_told_in_sentences(service, tmp_path):
    sf.write(tmp_path / "a.wav", np.zeros(RATE), RATE)
    assert "no speech" in shown(service, str(tmp_path / "a.wav"))
    (tmp_path / "b.wav").write_text("<b>none</b>")
    assert "<p>The recording: not a recording" in shown(service, str(tmp_path / "b.wav"))
    sf.write(tmp_path / "c.wav", voice(21.0), RATE)
    assert "at most 20 s" in shown(service, str(tmp_path / "c.wav"))
    assert "not there any more" in shown(service, str(tmp_path / "gone.wav"))
    assert shown(service, None) == ""


def test_what_a_browser_records_is_heard_where_there_is_ffmpeg(service, tmp_path, fake_ffmpeg, monkeypatch):
    (tmp_path / "a.webm").write_bytes(b"\x1a\x45\xdf\xa3" + bytes(100))
    with monkeypatch.context() as elsewhere:
        elsewhere.setenv("PATH", str(tmp_path))
        said = shown(service, str(tmp_path / "a.webm"))
        assert "The recording: WebM or Matroska (webm, mka, mkv) needs ffmpeg, which is not installed" in said
    fake_ffmpeg(wave=voice(1.0), rate=RATE)
    sf.write(tmp_path / "a.wav", voice(1.0), RATE, subtype="FLOAT")
    assert shown(service, str(tmp_path / "a.webm")) == shown(service, str(tmp_path / "a.wav"))


def test_a_full_server_and_a_late_answer_are_sentences(run, tmp_path, monkeypatch):
    sf.write(tmp_path / "a.wav", voice(1.0), RATE)
    service = Service(load_model(run), Limits(waiting=1))
    with service.place():
        assert "try again in a moment" in shown(service, str(tmp_path / "a.wav"))
    monkeypatch.setattr(page, "ANSWER_S", 0)
    assert "no answer within 0 s" in shown(service, str(tmp_path / "a.wav"))
    service.stop()
    assert "stopping" in shown(service, str(tmp_path / "a.wav"))


class Server:
    """``ser demo`` in a process of its own, in an empty folder for temporary files."""

    def __init__(self, folder, *words):
        (folder / "tmp").mkdir()
        self.temporary = folder / "tmp"
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self.address = f"http://127.0.0.1:{port}"
        command = [sys.executable, "-m", "ser_pipeline", "demo", "--port", str(port), *words]
        self.process = subprocess.Popen(
            command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
            env={**os.environ, "TMPDIR": str(self.temporary), "HTTPS_PROXY": "http://127.0.0.1:9"},
        )  # fmt: skip

    def wait(self):
        for _ in range(300):
            try:
                return httpx.get(f"{self.address}/health", trust_env=False).json()
            except httpx.TransportError:
                time.sleep(0.1)
        raise TimeoutError(self.process.stderr.read())

    def stop(self, how=signal.SIGTERM):
        self.process.send_signal(how)
        return self.process.communicate(timeout=30)[1]


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    folder = tmp_path_factory.mktemp("served")
    save_random(folder / "runs" / "small")
    server = Server(folder, "--model", "small")
    server.wait()
    yield server
    server.stop(signal.SIGKILL)


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    if CHROMIUM is None:
        pytest.skip("no chromium is installed")
    playwright = pytest.importorskip("playwright.sync_api")
    heard = tmp_path_factory.mktemp("heard") / "heard.wav"
    sf.write(heard, voice(2.0, 1, 48_000), 48_000, subtype="PCM_16")
    with playwright.sync_playwright() as started:
        opened = started.chromium.launch(
            executable_path=CHROMIUM,
            args=[
                "--no-sandbox", "--disable-gpu", "--disable-background-networking",
                "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream",
                f"--use-file-for-fake-audio-capture={heard}",
            ],
        )  # fmt: skip
        yield opened
        opened.close()


@pytest.fixture
def visit(served, browser):
    """A page that was opened, with all it asked for and complained of."""
    context = browser.new_context(viewport={"width": 1200, "height": 900}, permissions=["microphone"])
    tab = context.new_page()
    tab.asked, tab.complaints = [], []
    tab.on("request", lambda request: tab.asked.append((request.method, request.url)))
    tab.on("console", lambda said: tab.complaints.append(said.text) if said.type == "error" else None)
    tab.on("pageerror", lambda error: tab.complaints.append(str(error)))
    tab.goto(served.address)
    tab.wait_for_selector("#ser-audio", timeout=30_000)
    yield tab
    assert tab.complaints == []
    elsewhere = [url for _, url in tab.asked if not url.startswith((served.address, "data:", "blob:"))]
    assert elsewhere == []
    context.close()


def bars(tab) -> dict[str, int]:
    """Emotion -> per cent, as the page shows them."""
    tab.wait_for_selector(".ser-bar", timeout=30_000)
    lines = tab.locator(".ser-bar").all_inner_texts()
    return {text.split()[0]: int(re.search(r"(\d+) %", text)[1]) for text in lines}


def expected(served, content) -> dict[str, int]:
    said = httpx.post(f"{served.address}/predict", content=content, trust_env=False).json()
    return {name: round(100 * share) for name, share in said["probabilities"].items()}


@pytest.mark.slow
def test_an_upload_shows_the_bars_that_the_interface_tells(visit, served, tmp_path):
    sf.write(tmp_path / "a.wav", voice(6.0, 3), RATE)
    visit.locator("button[aria-label='Upload file']").click()
    visit.locator("#ser-audio input[type=file]").first.set_input_files(tmp_path / "a.wav")
    assert bars(visit) == expected(served, (tmp_path / "a.wav").read_bytes())
    assert visit.locator(".ser-figure img").count() == 3
    for width in (1200, 390):
        visit.set_viewport_size({"width": width, "height": 900})
        visit.wait_for_timeout(500)
        assert visit.evaluate("document.documentElement.scrollWidth") <= width
        visit.screenshot(path=tmp_path / f"{width}.png", full_page=True)
        with Image.open(tmp_path / f"{width}.png") as picture:
            colours = picture.convert("RGB").resize((100, 200)).getcolors(20_000)
        assert len(colours) > 100


@pytest.mark.slow
def test_the_microphone_is_sent_as_wav_and_answered(visit, served):
    visit.locator("#ser-audio button.record-button").click()
    visit.wait_for_timeout(1500)
    visit.locator("#ser-audio button.stop-button").click()
    assert sum(bars(visit).values()) == pytest.approx(100, abs=2)
    sent = max(served.temporary.glob("ser-demo-*/*/*"), key=lambda path: path.stat().st_mtime)
    assert sent.read_bytes()[:4] == b"RIFF"


@pytest.mark.slow
def test_examples_are_synthetic_voices_and_files_that_are_none_are_told(visit, tmp_path):
    visit.get_by_text("anger (female)").click()
    assert len(bars(visit)) == 4
    (tmp_path / "a.wav").write_text("no sound")
    visit.reload()
    visit.wait_for_selector("#ser-audio", timeout=30_000)
    visit.locator("button[aria-label='Upload file']").click()
    visit.locator("#ser-audio input[type=file]").first.set_input_files(tmp_path / "a.wav")
    visit.wait_for_selector(".ser-error", timeout=30_000)
    assert "not a recording" in visit.locator(".ser-error").inner_text()
    # the player of the page cannot play it either and says so
    visit.complaints = [said for said in visit.complaints if "MediaError" not in said]


@pytest.mark.slow
def test_without_a_model_the_page_says_how_to_get_one_and_nothing_stays_behind(tmp_path):
    server = Server(tmp_path)
    assert server.wait()["status"] == "no model"
    assert httpx.get(server.address, trust_env=False).status_code == 200
    said = server.stop()
    assert "there is no trained model yet; train one with 'ser train crnn'" in said
    assert "Traceback" not in said
    assert server.process.returncode == 0
    assert [path.name for path in server.temporary.glob("ser-*")] == []
