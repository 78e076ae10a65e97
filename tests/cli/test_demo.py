"""The server as a process of its own: many clients, a browser, an orderly end."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import soundfile as sf

from tests.serving.conftest import save_random, voice

pytest.importorskip("gradio")
httpx = pytest.importorskip("httpx")

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")


class Served:
    """``ser demo`` in a folder with or without a model."""

    def __init__(self, folder: Path, *words: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "ser_pipeline", "demo", "--port", "0", *words],
            cwd=folder, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            env={**os.environ, "TMPDIR": str(folder / "tmp"), "OMP_NUM_THREADS": "1"},
        )  # fmt: skip
        self.said: list[str] = []
        for line in self.process.stderr:
            self.said.append(line)
            if found := re.search(r"http://127\.0\.0\.1:\d+", line):
                self.url = found[0]
                return
        raise AssertionError("".join(self.said))

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        self.process.communicate(timeout=60)
        return self.process.returncode

    @property
    def mib(self) -> float:
        lines = Path(f"/proc/{self.process.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS"))


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "tmp").mkdir()
    save_random(tmp_path / "runs" / "small")
    sf.write(tmp_path / "a.wav", voice(1.0), 16_000)
    sf.write(tmp_path / "long.wav", voice(10.0), 16_000)
    return tmp_path


@pytest.fixture
def serve(folder):
    started: list[Served] = []

    def start(*words):
        started.append(Served(folder, *words))
        return started[-1]

    yield start
    for served in started:
        if served.process.poll() is None:
            served.process.kill()
            served.process.communicate()


@pytest.mark.slow
def test_fifty_clients_at_once_lose_nothing_and_memory_stays(serve, folder):
    served = serve("--model", "runs/small", "--no-page")
    content = (folder / "a.wav").read_bytes()

    def ask(_number):
        return httpx.post(f"{served.url}/predict", content=content, timeout=60)

    with ThreadPoolExecutor(50) as clients:
        first = list(clients.map(ask, range(50)))
        before = served.mib
        answers = list(clients.map(ask, range(250)))
    assert {answer.status_code for answer in first + answers} == {200}
    assert len({answer.text for answer in first + answers}) == 1
    assert served.mib < before + 60
    assert served.stop() in (0, -signal.SIGTERM)


@pytest.mark.slow
def test_it_ends_in_order_and_leaves_no_file(serve, folder):
    served = serve("--model", "runs/small")
    assert list((folder / "tmp").glob("ser-demo-*"))
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(
            httpx.post,
            f"{served.url}/predict?timeline=true",
            content=(folder / "long.wav").read_bytes(),
            timeout=60,
        )
        while not httpx.get(f"{served.url}/health").json()["waiting"] and not waiting.done():
            pass
        served.stop()
        assert waiting.result().status_code == 200
    assert not list((folder / "tmp").glob("ser-demo-*"))


def test_a_port_that_is_taken_and_a_model_that_is_none_are_one_line(folder):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        words = [sys.executable, "-m", "ser_pipeline", "demo", "--no-page", "--port", port]
        result = subprocess.run(words, cwd=folder, text=True, capture_output=True, timeout=120)
    assert result.returncode == 1
    assert f"127.0.0.1:{port}: Address already in use; choose another" in result.stderr.splitlines()[-1]
    words = [sys.executable, "-m", "ser_pipeline", "demo", "--no-page", "--model", "nothing"]
    result = subprocess.run(words, cwd=folder, text=True, capture_output=True, timeout=120)
    assert result.returncode == 1
    assert "Traceback" not in result.stderr


@pytest.fixture
def browse(folder):
    """Open a page in headless Chromium whose microphone plays a.wav; problems are collected."""
    api = pytest.importorskip("playwright.sync_api")
    if CHROMIUM is None:
        pytest.skip("chromium is not installed")
    flags = [
        "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--use-fake-ui-for-media-stream",
        "--use-fake-device-for-media-stream", f"--use-file-for-fake-audio-capture={folder / 'a.wav'}",
    ]  # fmt: skip
    with api.sync_playwright() as play:
        browser = play.chromium.launch(executable_path=CHROMIUM, args=flags)

        def open_page(url, width=1280):
            context = browser.new_context(
                viewport={"width": width, "height": 900}, permissions=["microphone"]
            )
            page = context.new_page()
            page.problems, page.elsewhere = [], []
            page.on("console", lambda said: page.problems.append(said.text) if said.type == "error" else None)
            page.on("pageerror", lambda error: page.problems.append(str(error)))
            here = (url, "data:", "blob:", url.replace("http", "ws"))
            page.on(
                "request", lambda sent: None if sent.url.startswith(here) else page.elsewhere.append(sent.url)
            )
            page.goto(url)
            return page

        yield open_page
        browser.close()


def asked(page):
    page.click("#ask")
    page.wait_for_function(
        "/sure|speech/.test(document.querySelector('#said')?.innerText || '')", timeout=60_000
    )
    return page.inner_text("#said"), page.inner_text("#bars")


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_the_page_hears_files_and_the_microphone(serve, folder, browse):
    served = serve("--model", "runs/small", "--seconds", "12")
    page = browse(served.url)
    page.wait_for_selector("#ask", timeout=60_000)
    assert "forbidden in the EU" in page.inner_text("#trust")
    page.set_input_files("#recording input[type=file]", str(folder / "a.wav"))
    page.wait_for_selector("#recording button[aria-label=Clear]")
    _, bars = asked(page)
    assert all(name in bars for name in ("anger", "happiness", "neutral", "sadness"))
    assert page.locator("#picture img").bounding_box()["width"] > 200
    assert page.locator("#timeline").count() == 0 or not page.locator("#timeline").is_visible()
    assert (page.problems, page.elsewhere) == ([], [])

    narrow = browse(served.url, width=390)
    narrow.wait_for_selector("#ask", timeout=60_000)
    narrow.click("[aria-label='Record audio']")
    narrow.click("#recording .record-button")
    narrow.wait_for_timeout(1500)
    narrow.locator("#recording .stop-button").first.click()
    narrow.wait_for_timeout(1500)
    assert "anger" in asked(narrow)[1]
    assert narrow.evaluate("document.documentElement.scrollWidth") <= 392
    assert narrow.elsewhere == []


@pytest.mark.slow
def test_without_a_model_the_page_says_how_to_get_one(folder, serve, browse):
    shutil.rmtree(folder / "runs")
    served = serve()
    page = browse(served.url)
    page.wait_for_selector("text=There is no model yet", timeout=60_000)
    assert "ser train" in page.content()
