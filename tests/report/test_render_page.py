import base64
import hashlib
import re
import shutil
import struct
import subprocess
import zlib
from html.parser import HTMLParser

import numpy as np
import pytest

from ser_pipeline.report import make_report
from ser_pipeline.report.build import compose
from ser_pipeline.report.render import html_page
from ser_pipeline.report.sources import read_data
from ser_pipeline.runs.internals import AttendedClip, write_attention
from ser_pipeline.runs.read import read_runs
from ser_pipeline.runs.types import SplitInfo

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
    assert len(drawings) == 4 + 1 + 2 * 5 + 5
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


@pytest.mark.slow
@pytest.mark.parametrize(("width", "height"), [(1280, 2400), (500, 2400)])
def test_browser_shows_the_page_without_complaint(manifests, tmp_path, rows, fake, width, height):
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        pytest.skip("no Chromium here: install it to see the page as a browser does")
    folder = fake.run(tmp_path / "runs", "one", rows, fake.digest(manifests), epochs=3)
    mel = np.linspace(-1, 1, 96 * 120, dtype=np.float32).reshape(96, 120)
    weights = np.full(15, 1 / 15, np.float32)
    write_attention(folder, [AttendedClip("emodb/1", "test", 0, 1, 0.5, mel, weights)] * 8)
    summary = make_report(manifests, [folder], tmp_path / "out")
    assert "<image" in summary.page.read_text()
    shot = tmp_path / "shot.png"
    seen = subprocess.run(
        [
            chromium, "--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking",
            "--hide-scrollbars", "--enable-logging=stderr", f"--user-data-dir={tmp_path / 'profile'}",
            f"--window-size={width},{height}", f"--screenshot={shot}", summary.page.as_uri(),
        ],
        capture_output=True, text=True, check=True, timeout=120,
    )  # fmt: skip
    assert "CONSOLE" not in seen.stderr
    rows_seen = png_rows(shot.read_bytes())
    assert len(set(rows_seen)) > height // 4  # text and drawings all the way down, not one blank sheet


def png_rows(content):
    """Raw lines of a PNG, as a browser writes it: not interlaced, still filtered."""
    width, height, depth, colour = struct.unpack(">IIBB", content[16:26])
    data, place = b"", 8
    while place < len(content):
        (length,) = struct.unpack(">I", content[place : place + 4])
        if content[place + 4 : place + 8] == b"IDAT":
            data += content[place + 8 : place + 8 + length]
        place += 12 + length
    stride = 1 + width * depth // 8 * {2: 3, 6: 4}[colour]
    raw = zlib.decompress(data)
    return [raw[row * stride : (row + 1) * stride] for row in range(height)]
