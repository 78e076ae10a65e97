import io
import itertools
import os
import re
import shutil
import socket
import subprocess
import sys
import threading
import time
from types import SimpleNamespace

import httpx
import numpy as np
import pytest
import soundfile as sf
import uvicorn
from PIL import Image

from ser_pipeline import load_model
from ser_pipeline.errors import SerError
from ser_pipeline.labels import EMOTIONS
from ser_pipeline.options import Limits
from ser_pipeline.serving.demo import application, model_to_serve
from ser_pipeline.serving.model_card import Caveat, caveats
from ser_pipeline.serving.page import add_page, languages
from ser_pipeline.serving.service import Service
from tests.conftest import check_page
from tests.serving.conftest import RATE, save_random, voice
from tests.serving.test_http import Client, refused

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:starlette")

HIDDEN = "#file, #status, caption, thead"
"""What is there for who cannot see the page, a pixel wide."""

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")


@pytest.fixture
def service(run):
    made = Service(load_model(run), Limits(max_s=20))
    yield made
    made.stop()


def paged(service, trusted=()):
    client = Client(service)
    add_page(client.app, service, trusted)
    return client


def content(sound, rate=RATE):
    held = io.BytesIO()
    sf.write(held, sound, rate, format="WAV")
    return held.getvalue()


def shows(service, *sounds, lang="en"):
    files = [("file" if number == 0 else "enrol", ("a.wav", each)) for number, each in enumerate(sounds)]
    return paged(service).send("POST", f"/show?lang={lang}", files=files)


def every_kind(error):
    """An error and all that are one."""
    return {error}.union(*map(every_kind, error.__subclasses__()))


def test_every_language_says_all_with_the_same_placeholders():
    english, *others = languages().values()
    for other in others:
        for kind in ("words", "trust_in", "refusals", "emotions"):
            mine, theirs = getattr(english, kind), getattr(other, kind)
            assert mine.keys() == theirs.keys()
            for key, text in mine.items():
                assert sorted(re.findall(r"{\w+}", text)) == sorted(re.findall(r"{\w+}", theirs[key])), key
    assert tuple(english.emotions) == EMOTIONS
    assert set(english.refusals) == {kind.code for kind in every_kind(SerError)} - {"refused", "unusable"}
    assert list(languages()) == ["en", "de", "pl"]


@pytest.mark.parametrize(
    ("query", "accepted", "code", "heading"),
    [
        ("", "", "en", "Emotion in speech"),
        ("", "de-AT,de;q=0.9,en;q=0.5", "de", "Emotionen in der Stimme"),
        ("", "fr,pl;q=0.8", "pl", "Emocje w głosie"),
        ("", "de;q=0, en", "en", "Emotion in speech"),
        ("?lang=pl", "de", "pl", "Emocje w głosie"),
        ("?lang=xx", "de", "de", "Emotionen in der Stimme"),
        ("?lang=<b>", '"<b>;q=..', "en", "Emotion in speech"),
    ],
)
def test_the_page_is_in_the_language_that_is_asked_for(service, query, accepted, code, heading):
    page = paged(service).send("GET", f"/{query}", headers={"accept-language": accepted})
    assert (page.status_code, page.headers["content-language"]) == (200, code)
    assert page.headers["vary"] == "Accept-Language"
    assert f'<html lang="{code}">' in page.text
    assert f"<h1>{heading}</h1>" in page.text
    assert "{" not in re.sub(r"(?s)<script.*?</script>", "", page.text)  # no placeholder is left


def test_the_page_takes_a_language_and_nothing_else(service):
    says = "language: there is no such setting (did you mean 'lang'?); valid are lang"
    refused(paged(service).send("GET", "/?language=de"), 422, f"GET /: {says}")
    form = {"files": {"file": ("a.wav", content(voice(1.0)))}, "data": {"language": "de"}}
    refused(paged(service).send("POST", "/show", **form), 422, f"POST /show: {says}")
    told = paged(service).send("POST", "/show", **(form | {"data": {"lang": "de"}})).text
    assert told == shows(service, form["files"]["file"][1], lang="de").text


def test_an_answer_has_bars_the_mel_and_over_time_the_timeline(service):
    said = shows(service, content(voice(5.0))).text
    assert said.count("<th scope='row'>") == 4
    assert said.count("data:image/png;base64") == 3
    assert "attention" in said
    assert "Orange spoke for the decision, purple against it." in said
    assert shows(service, content(voice(1.0))).text.count("data:image/png;base64") == 2
    german = shows(service, content(voice(1.0)), lang="de").text
    assert re.search(r"zu \d+ % sicher · 0,0 bis 1,0 s von 1,0 s", german)
    assert "<th scope='row'>Ärger</th>" in german
    assert "<p class='note'>Antwort von small (crnn).</p>" in german
    assert service.waiting == 0


def test_recordings_of_the_same_person_change_the_answer(adapting):
    service = Service(adapting[0], Limits(max_s=20))
    sounds = [content(voice(1.0, number)) for number in range(3)]
    alone = shows(service, sounds[0], lang="pl").text
    told = shows(service, *sounds, lang="pl").text
    assert told != alone
    twice = shows(service, *sounds, sounds[0], lang="pl").text
    assert ["Wśród innych nagrań" in each for each in (alone, told, twice)] == [False, False, True]
    assert "Co przemawiało za tą decyzją, a co przeciw niej" in alone
    assert len(re.findall(r"<span>(za|przeciw)</span>", alone)) > 1
    refused(shows(service, sounds[0], b"none"), 422, "enrol 1: not a recording")
    refused(shows(service, *[sounds[0]] * 22), 400, "Too many files")
    assert 'id="enrol"' in paged(service).send("GET", "/").text
    assert service.waiting == 0
    service.stop()


def test_silence_is_told_and_what_is_no_recording_refused(service):
    assert "brak mowy" in shows(service, content(np.zeros(RATE)), lang="pl").text
    refused(shows(service, b"<b>none</b>"), 422, "not a recording")
    refused(shows(service, content(voice(21.0))), 413, "at most 20 s")
    assert 'id="enrol"' not in paged(service).send("GET", "/").text


def test_what_a_browser_records_is_heard_where_there_is_ffmpeg(service, tmp_path, fake_ffmpeg, monkeypatch):
    sent = b"\x1a\x45\xdf\xa3" + bytes(100)
    with monkeypatch.context() as elsewhere:
        elsewhere.setenv("PATH", str(tmp_path))
        refused(
            shows(service, sent),
            422,
            "WebM or Matroska (webm, mka, mkv) needs ffmpeg, which is not installed",
        )
    fake_ffmpeg(wave=voice(1.0), rate=RATE)
    held = io.BytesIO()
    sf.write(held, voice(1.0), RATE, format="WAV", subtype="FLOAT")
    assert shows(service, sent).text == shows(service, held.getvalue()).text


def test_its_files_and_examples_are_served_and_nothing_else(service):
    client = paged(service)
    for path, kind in (
        ("/page.css", "text/css"),
        ("/page.js", "text/javascript"),
        ("/examples/3.wav", "audio/wav"),
    ):
        answer = client.send("GET", path)
        assert (answer.status_code, answer.headers["content-type"].partition(";")[0]) == (200, kind)
    assert sf.info(io.BytesIO(answer.content)).duration > 0.5
    for path in ("/texts.toml", "/page.html.j2", "/..%2fpage.py", "/examples/4.wav", "/examples/-1.wav"):
        refused(client.send("GET", path), 404, "Not Found")
    refused(client.send("GET", "/examples/x.wav"), 422, "number")


@pytest.mark.parametrize(
    "path",
    [
        "/gradio_api/queue/join",
        "/queue/join",
        "/run/predict",
        "/call/predict",
        "/api/predict",
        "/show/",
        "/upload",
    ],
)
def test_addresses_of_other_pages_are_not_found(service, path):
    refused(paged(service).send("POST", path, json={"fn_index": 999, "data": [None]}), 404, "Not Found")


WITHIN = ("interval", "no_language", "known", "known_one", "new", "new_one")
"""Texts within sentences."""


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("en", "of 1 person it had never heard,"),
        ("de", "von 1 Person, die"),
        ("pl", "osób: 1; jest to osoba"),
    ],
)
def test_one_person_is_not_several(code, words):
    said = {"clips": 30, "speakers": 1, "whom": Caveat("new_one"), "recall": 46, "interval": "", "chance": 25}
    assert words in languages()[code].caveat(Caveat("scored", said))


def test_caveats_are_sentences_in_each_language(run):
    for texts in languages().values():
        for key, text in texts.trust_in.items():
            assert key in WITHIN or text[-1] in ".!", key
    model = load_model(run)
    keys = [said.key for said in caveats(model, run)]
    assert keys == ["unknown", "uncalibrated", "voices", "decisions"]
    inner = Caveat("interval", {"low": 40, "high": 52})
    values = {
        "clips": 12345,
        "speakers": 9,
        "whom": Caveat("new"),
        "recall": 46,
        "interval": inner,
        "chance": 25,
    }
    scored = Caveat("scored", values)
    assert [texts.caveat(scored) for texts in languages().values()] == [
        "On 12,345 test clips of 9 people it had never heard, its mean recall is 46 % (95 % interval 40 to "
        "52 %); guessing gives 25 %.",
        "Bei 12.345 Testaufnahmen von 9 Personen, die es nie zuvor gehört hatte, erkennt es im Mittel 46 % "
        "jeder Emotion (95-%-Intervall: 40 bis 52 %); Raten ergibt 25 %.",
        "Na nagraniach testowych (liczba nagrań: 12\u00a0345, liczba osób: 9; są to osoby, których nigdy "
        "wcześniej nie słyszał) jego średnia czułość wynosi 46% (przedział ufności 95%: od 40 do 52%); "
        "zgadywanie daje 25%.",
    ]


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
        while self.process.poll() is None:
            try:
                return httpx.get(f"{self.address}/health", trust_env=False).json()
            except httpx.TransportError:
                time.sleep(0.1)
        raise ChildProcessError(self.process.stderr.read())

    def stop(self):
        self.process.terminate()
        return self.process.communicate(timeout=300)[1]


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """What ``ser demo`` serves, on a port of this process."""
    app = application(model_to_serve(save_random(tmp_path_factory.mktemp("served") / "small")), Limits())
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="warning", ws="none"))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        assert thread.is_alive()
        time.sleep(0.01)
    host, port = server.servers[0].sockets[0].getsockname()
    yield SimpleNamespace(address=f"http://{host}:{port}")
    server.should_exit = True
    thread.join()


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
    context = browser.new_context(
        viewport={"width": 1200, "height": 900}, permissions=["microphone"], locale="en-GB"
    )
    context.set_default_timeout(120_000)
    tab = context.new_page()
    tab.asked, tab.complaints = [], []
    tab.on("request", lambda request: tab.asked.append((request.method, request.url)))
    tab.on("console", lambda said: tab.complaints.append(said.text) if said.type == "error" else None)
    tab.on("pageerror", lambda error: tab.complaints.append(str(error)))
    tab.goto(served.address)
    yield tab
    assert tab.complaints == []
    elsewhere = [url for _, url in tab.asked if not url.startswith((served.address, "data:", "blob:"))]
    assert elsewhere == []
    context.close()


NOTES_WHAT_IS_SENT = """() => {
  const append = FormData.prototype.append;
  FormData.prototype.append = function (name, blob, ...more) {
    blob.slice(0, 4).text().then((start) => { window.sent = start; });
    append.call(this, name, blob, ...more);
  };
}"""


def bars(tab) -> dict[str, int]:
    """Emotion -> per cent, as the page shows them."""
    tab.wait_for_selector("#answer:not([hidden]) .bars tbody tr")
    lines = (re.search(r"(\w+)\s+(\d+) %", text) for text in tab.locator(".bars tbody tr").all_inner_texts())
    return {line[1]: int(line[2]) for line in lines}


def expected(served, sound) -> dict[str, int]:
    said = httpx.post(f"{served.address}/predict", content=sound, trust_env=False).json()
    return {name: round(100 * share) for name, share in said["probabilities"].items()}


@pytest.mark.slow
def test_both_ways_are_on_the_page_at_once_and_it_fits_every_screen(visit):
    for width in (390, 768, 1280):
        visit.set_viewport_size({"width": width, "height": 900})
        for way in ("#record", "label[for=file]"):
            assert visit.locator(way).bounding_box()["y"] < 900
        for code in ("de", "pl", "en"):
            visit.locator(f"nav a[hreflang={code}]").click()
            visit.wait_for_selector(f"html[lang={code}]", state="attached")
            check_page(visit, width, HIDDEN)


@pytest.mark.slow
def test_an_upload_shows_the_bars_that_the_interface_tells(visit, served, tmp_path):
    sf.write(tmp_path / "a.wav", voice(6.0, 3), RATE)
    visit.locator("#file").set_input_files(tmp_path / "a.wav")
    assert bars(visit) == expected(served, (tmp_path / "a.wav").read_bytes())
    assert visit.locator("figure img").count() == 3
    assert visit.evaluate("document.activeElement.id") == "answer-heading"
    assert visit.locator("#status").inner_text().startswith(visit.locator(".decision").inner_text()[:5])
    for scheme, width in itertools.product(("light", "dark"), (390, 768, 1280)):
        visit.emulate_media(color_scheme=scheme)
        visit.set_viewport_size({"width": width, "height": 900})
        check_page(visit, width, HIDDEN)
        visit.screenshot(path=tmp_path / f"{width}-{scheme}.png", full_page=True)
        with Image.open(tmp_path / f"{width}-{scheme}.png") as picture:
            colours = picture.convert("RGB").resize((100, 200)).getcolors(20_000)
        assert len(colours) > 100
    visit.emulate_media(media="print")
    visit.set_viewport_size({"width": 718, "height": 900})  # A4 between margins of a centimetre
    check_page(visit, 718, HIDDEN)
    assert not visit.locator("#record").is_visible()
    assert visit.locator(".bars").first.is_visible()
    assert visit.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"


@pytest.mark.slow
@pytest.mark.parametrize("width", [390, 768, 1280])
def test_the_page_for_programs_fits_every_screen(visit, width):
    visit.set_viewport_size({"width": width, "height": 900})
    visit.goto(visit.url + "docs")
    check_page(visit, width)


@pytest.mark.slow
def test_the_microphone_is_sent_as_wav_and_answered(visit):
    record = visit.locator("#record")
    record.focus()
    visit.keyboard.press("Enter")
    visit.locator("#record", has_text="1 s").wait_for()
    visit.evaluate(NOTES_WHAT_IS_SENT)
    visit.keyboard.press("Enter")
    assert sum(bars(visit).values()) == pytest.approx(100, abs=2)
    assert visit.evaluate("window.sent") == "RIFF"
    assert record.inner_text() == "Start recording"
    assert visit.evaluate("document.getElementById('player').duration") > 0.5


@pytest.mark.slow
def test_no_more_is_recorded_than_the_server_takes(visit, served):
    def hurried(route):
        page = route.fetch()
        route.fulfill(response=page, body=page.text().replace('"most_seconds": 300.0', '"most_seconds": 1.2'))

    visit.route(f"{served.address}/", hurried)
    visit.reload()
    visit.locator("#record").click()
    bars(visit)  # it ends by itself
    assert 1.0 < visit.evaluate("document.getElementById('player').duration") <= 1.2


@pytest.mark.slow
def test_examples_are_synthetic_voices_and_files_that_are_none_are_told(visit, tmp_path):
    visit.get_by_text("anger, woman").click()
    assert len(bars(visit)) == 4
    (tmp_path / "a.wav").write_text("no sound")
    visit.locator("#file").set_input_files(tmp_path / "a.wav")
    visit.wait_for_selector("#result .error")
    assert visit.locator("#result .error").inner_text().startswith("This is not a recording, or")
    # a browser notes each refusal, and that it cannot play the file either
    visit.complaints = [said for said in visit.complaints if "422" not in said]


@pytest.mark.slow
def test_refusals_are_in_the_language_of_the_page_and_unknown_ones_in_english(visit, served, tmp_path):
    visit.goto(f"{served.address}/?lang=de")
    sf.write(tmp_path / "a.wav", voice(0.05), RATE)
    visit.locator("#file").set_input_files(tmp_path / "a.wav")
    visit.wait_for_selector("#result .error")
    assert visit.locator("#result .error").inner_text() == (
        "Die Aufnahme ist zu kurz. Sprechen Sie mindestens eine Sekunde lang."
    )
    body = '{"error": "of a kind nobody foresaw", "code": "refused"}'
    visit.route("**/show*", lambda route: route.fulfill(status=422, content_type="text/json", body=body))
    sf.write(tmp_path / "b.wav", voice(1.0), RATE)
    visit.locator("#file").set_input_files(tmp_path / "b.wav")
    said = visit.locator("#result .error span[lang=en]")
    said.wait_for()
    assert said.inner_text() == "of a kind nobody foresaw"
    assert "Die Aufnahme kann nicht verwendet werden:" in visit.locator("#result .error").inner_text()
    visit.complaints = [said for said in visit.complaints if "422" not in said]


@pytest.mark.slow
def test_what_only_the_browser_can_decode_is_sent_as_wav(visit, served, tmp_path):
    """A server without the decoder: the first answer is a refusal."""
    refusals = []

    def refuse_once(route):
        refusals.append(route.request.url)
        if len(refusals) > 1:
            route.continue_()
        else:
            route.fulfill(
                status=422, content_type="application/json", body='{"error": "of an unknown format"}'
            )

    visit.route("**/show*", refuse_once)
    sf.write(tmp_path / "a.ogg", voice(2.0, 3), RATE)
    visit.locator("#file").set_input_files(tmp_path / "a.ogg")
    assert len(bars(visit)) == 4
    assert len(refusals) == 2
    visit.complaints = [said for said in visit.complaints if "422" not in said]


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_rule_of_accessibility_is_broken(visit, tmp_path, scheme):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    visit.emulate_media(color_scheme=scheme)

    def broken():
        found = axe.run(visit).response["violations"]
        return [(each["id"], node["html"]) for each in found for node in each["nodes"]]

    assert broken() == []
    sf.write(tmp_path / "a.wav", voice(6.0, 3), RATE)
    visit.locator("#file").set_input_files(tmp_path / "a.wav")
    assert len(bars(visit)) == 4
    assert broken() == []
    visit.goto(visit.url + "docs")
    assert broken() == []


@pytest.mark.slow
def test_all_of_it_is_reached_by_keyboard(visit):
    reached = []
    for _ in range(12):
        visit.keyboard.press("Tab")
        reached.append(
            visit.evaluate("document.activeElement.id || document.activeElement.textContent.trim()")
        )
    wanted = [
        "English",
        "Deutsch",
        "Polski",
        "record",
        "file",
        "anger, woman\N{RIGHT SINGLE QUOTATION MARK}s voice",
    ]
    assert [name for name in reached if name in wanted] == wanted
    visit.locator("button.example").first.focus()
    visit.keyboard.press("Space")
    assert len(bars(visit)) == 4


@pytest.mark.slow
def test_where_nothing_was_trained_the_built_in_model_is_served_and_it_ends_in_good_order(tmp_path):
    server = Server(tmp_path)
    assert server.wait()["model"] == "built-in.onnx"
    page = httpx.get(server.address, trust_env=False).text
    assert "non-commercial use only" in page
    assert "On 8 people it had never heard, its mean recall is 63 %" in page
    assert httpx.get(server.address, trust_env=False).status_code == 200
    docs = httpx.get(f"{server.address}/docs", trust_env=False).text
    assert f"{server.address}/predict" in docs
    assert '<a href="./">the page</a>' in docs
    said = server.stop()
    assert "answered by built-in" in said
    assert "Traceback" not in said
    assert server.process.returncode == 0
    assert [path.name for path in server.temporary.iterdir()] == []
