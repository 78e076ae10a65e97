import base64
import hashlib
import io
import re
import shutil
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image

from ser_pipeline.labels import EMOTIONS
from ser_pipeline.report import make_report
from ser_pipeline.report.build import compose
from ser_pipeline.report.render import html_page
from ser_pipeline.report.sources import read_data
from ser_pipeline.runs.internals import AttendedClip, write_attention
from ser_pipeline.runs.read import read_runs
from ser_pipeline.runs.types import SplitInfo
from tests.conftest import check_page

FOLDS = {"name": "loso", "digest": "y", "leaks_speakers": False, "note": "", "fold": "all"}
VOID = {"meta", "br", "img", "input", "hr", "link"}
EVIL = "<img src=x onerror=alert(1)>'\"&{{7*7}}`|"


class Page(HTMLParser):
    """Tags, attributes and text of a page; fails where a tag is not closed."""

    def __init__(self, html):
        super().__init__()
        self.open, self.tags, self.words = [], [], []
        self.feed(html)
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)

    def attributes(self, name):
        return [attrs[name] for _, attrs in self.tags if name in attrs]


@pytest.fixture(scope="module")
def report(tmp_path_factory, fake):
    folder, rows = tmp_path_factory.mktemp("page"), fake.rows()
    data = read_data(fake.manifests(folder / "manifests", rows))
    heard = SplitInfo(name="stratified", digest="x", leaks_speakers=True, note="speakers were heard")
    folders = [
        fake.run(folder / "runs", "one", rows, data.digest, epochs=3),
        fake.run(folder / "runs", "two", rows, data.digest, split=heard, synthetic=True, epochs=3),
    ]
    (folders[1] / "explanation.json").write_text(fake.explanation().model_dump_json())
    return compose(data, *read_runs(folders))


@pytest.fixture(scope="module")
def page(report):
    return html_page(report)


def test_page_is_whole_and_ids_are_unique(page):
    ids = Page(page).attributes("id")
    assert len(ids) == len(set(ids))


def test_links_and_references_stay_on_the_page(page):
    parsed = Page(page)
    ids = set(parsed.attributes("id"))
    targets = parsed.attributes("href") + parsed.attributes("xlink:href")
    assert targets
    assert all(target.startswith("#") and target[1:] in ids for target in targets)
    assert set(parsed.attributes("aria-labelledby")) <= ids


def test_page_loads_nothing(page):
    parsed = Page(page)
    assert not parsed.attributes("src")
    assert {tag for tag, _ in parsed.tags} & {"link", "iframe", "object", "embed", "img", "image"} == set()
    assert "@import" not in page
    assert not re.findall(r"url\((?!#)", page)
    loads = [value for value in re.findall(r'https?://[^"\s<]+', page) if "www.w3.org" not in value]
    assert loads == []


def test_policy_names_the_only_script(page):
    (policy,) = re.findall(r'Content-Security-Policy" content="([^"]+)"', page)
    (script,) = re.findall(r"<script>(.*?)</script>", page, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src &#39;sha256-{digest}&#39;" in policy or f"script-src 'sha256-{digest}'" in policy
    assert policy.startswith("default-src 'none'")
    assert not [name for _, attrs in Page(page).tags for name in attrs if name.startswith("on")]


def test_tables_have_captions_and_scopes(page):
    parsed = Page(page)
    tables = [attrs for tag, attrs in parsed.tags if tag == "table"]
    captions = [attrs for tag, attrs in parsed.tags if tag == "caption"]
    assert len(tables) == len(captions) > 10
    assert all("scope" in attrs for tag, attrs in parsed.tags if tag == "th")


def test_drawings_say_what_they_show(page):
    drawings = [attrs for tag, attrs in Page(page).tags if tag == "svg"]
    assert len(drawings) == 4 + 2 * 5 + 5
    assert all(attrs["role"] == "img" and len(attrs["aria-label"]) > 20 for attrs in drawings)


def test_contents_list_every_section(page, report):
    nav = page[page.index("<nav") : page.index("</nav>")]
    assert re.findall(r'href="#([^"]+)"', nav) == [section.key for section in report.sections]


def test_banner_and_marks_are_seen(page):
    assert 'class="banner"' in page
    assert "those behind runs R2 were made by a program" in page
    assert page.count('<span class="chip synthetic">') > 10
    assert '<span class="chip speakers-heard">speakers heard</span>' in page
    assert '<span class="chip claimed">claimed</span>' in page


def test_numbers_can_be_sorted_by_their_value(page):
    assert re.search(r'<td class="number" data-value="2227589">2,227,589</td>', page)


def test_hostile_names_are_text_everywhere(tmp_path, fake):
    rows = fake.rows({EVIL: (EVIL, {EVIL: "anger", "ok": "sadness", "h": "happiness", "n": "neutral"})})
    folder = fake.manifest(tmp_path / "m", rows, [(EVIL, f"{EVIL}.wav", f"reason {EVIL}")])
    fake.split(folder, "s", rows, fake.by_speaker, called=EVIL, note=EVIL)
    split = SplitInfo(name=EVIL, digest=EVIL, leaks_speakers=True, note=EVIL)
    run = fake.run(
        tmp_path / "runs", "r", rows, "d", split=split, command=EVIL, model=EVIL, stopped=EVIL, epochs=3
    )
    settings = (run / "settings.json").read_text().replace('"name":"r"', '"name":"<b>run</b>"')
    (run / "settings.json").write_text(settings)
    page = html_page(compose(read_data(folder), *read_runs([run])))
    parsed = Page(page)
    assert not {tag for tag, _ in parsed.tags} & {"img", "b>run"}
    assert "onerror=alert(1)>" not in page.replace("&gt;", "")
    assert "<b>run" not in page
    assert EVIL in "".join(parsed.words)
    ids = parsed.attributes("id")
    assert len(ids) == len(set(ids))


STATE = """() => ({
  screens: document.documentElement.scrollHeight / innerHeight,
  answer: document.querySelector(".answer").getBoundingClientRect().bottom / innerHeight,
  hidden: [...document.querySelectorAll("table")].filter((each) => !each.checkVisibility()).length,
})"""

FRAMES = ".scroll, .panel.wide, .skip"
A4 = 718
"""CSS pixels between margins of a centimetre."""


@pytest.fixture(scope="module")
def browser():
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        pytest.skip("no Chromium here: install it to see the page as a browser does")
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as started:
        opened = started.chromium.launch(
            executable_path=chromium,
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
        )
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def four(tmp_path_factory, fake):
    """The address of a page with four runs, one of them with what a network looked at."""
    folder, rows = tmp_path_factory.mktemp("four"), fake.rows()
    manifests = fake.manifests(folder / "manifests", rows)
    digest = fake.digest(manifests)
    heard = SplitInfo(name="stratified", digest="x", leaks_speakers=True, note="speakers were heard")
    many = {"part_of": lambda row: "test", "split": SplitInfo(**FOLDS)}
    for name, changes in (("a", {}), ("b", {"split": heard}), ("c", many), ("d", {"task": "6class"})):
        made = fake.run(folder / "runs", name, rows, digest, epochs=3, **changes)
    mel = np.linspace(-1, 1, 96 * 120, dtype=np.float32).reshape(96, 120)
    weights = np.full(15, 1 / 15, np.float32)
    write_attention(made, [AttendedClip("emodb/1", "test", 0, 1, 0.5, mel, weights)] * 8)
    (made / "explanation.json").write_text(fake.explanation(emotions=EMOTIONS[:6]).model_dump_json())
    summary = make_report(manifests, sorted((folder / "runs").glob("[!.]*")), folder / "out")
    assert summary.unread == ()
    return summary.page.as_uri()


@pytest.fixture
def visit(browser, four):
    """Open the page; what it complains of fails the test."""
    complaints, contexts = [], []

    def opened(width, scheme="light"):
        context = browser.new_context(viewport={"width": width, "height": 844}, color_scheme=scheme)
        contexts.append(context)
        tab = context.new_page()
        tab.on("console", lambda said: complaints.append(said.text))
        tab.on("pageerror", lambda error: complaints.append(str(error)))
        tab.goto(four)
        return tab

    yield opened
    for context in contexts:
        context.close()
    assert complaints == []


POINTED = """() => {
  const point = document.querySelector("#run-r2 svg [id^='calibration-r2-told'] use");
  point.scrollIntoView({ block: "center", behavior: "instant" });
  const box = point.getBoundingClientRect();
  return document.elementFromPoint(box.x + box.width / 2, box.y + box.height / 2).textContent;
}"""

UNFOLD = "() => { for (const fold of document.querySelectorAll('details')) fold.open = true; }"


@pytest.mark.slow
@pytest.mark.parametrize("width", [390, 768, 1280])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_is_wider_than_the_screen_and_no_word_is_broken(visit, tmp_path, width, scheme):
    tab = visit(width, scheme)
    folded = tab.evaluate(STATE)
    check_page(tab, width, FRAMES)
    tab.evaluate(UNFOLD)
    whole = tab.evaluate(STATE)
    check_page(tab, width, FRAMES)
    shot = tab.screenshot(path=tmp_path / f"whole-{width}-{scheme}.jpg", type="jpeg", full_page=True)
    assert folded["answer"] < 1
    assert not re.search(r"[0-9] %", tab.locator(".answer > p:last-child").inner_text())  # no break before it
    assert folded["screens"] < 10
    assert (folded["hidden"] > 10, whole["hidden"]) == (True, 0)
    with Image.open(io.BytesIO(shot)) as picture:
        assert len(picture.convert("RGB").resize((100, 400)).getcolors(50_000)) > 100


@pytest.mark.slow
def test_a_link_to_a_run_opens_it_and_paper_shows_all(visit):
    tab = visit(1280)
    run = tab.locator("#run-r2 > details")
    assert run.get_attribute("open") is None
    tab.locator(".rank-name a[href='#run-r2']").click()
    tab.wait_for_selector("#run-r2 > details[open]")
    assert re.fullmatch(r"[0-9]+ clips? of confidence [0-9.]+ %: [0-9.]+ % right", tab.evaluate(POINTED))
    tab.emulate_media(media="print")
    assert tab.evaluate(STATE)["hidden"] == 0
    pages = re.findall(rb"/Type\s*/Page\b", tab.pdf())
    assert len(pages) > 5


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_paper_is_white_and_as_wide_as_all_that_is_on_it(visit, tmp_path, scheme):
    tab = visit(A4, scheme)
    tab.emulate_media(media="print")
    tab.evaluate(UNFOLD)
    check_page(tab, A4, ".skip")
    shot = tab.screenshot(path=tmp_path / f"print-{scheme}.png")
    with Image.open(io.BytesIO(shot)) as picture:
        assert picture.convert("RGB").getpixel((1, 1)) == (255, 255, 255)
