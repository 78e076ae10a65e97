import re
import xml.etree.ElementTree as ET

import pytest

from ser_pipeline.report.drawing import BLUE, CHART, INK, INKS, also_drawn, canvas, hover, panel, readable

SVG = "{http://www.w3.org/2000/svg}"


def draw(name="one", title="plain", alt="what is seen"):
    with canvas(3, 2, CHART) as (figure, axes):
        axes.plot([0, 1], [0, 1], color=BLUE)
        axes.set_title(title, color=INK)
        return panel(figure, name, alt)


def test_drawing_is_the_same_bytes_every_time():
    with also_drawn(["png", "pdf"]):
        first, second = draw(), draw()
    assert first.files.keys() == {"svg", "png", "pdf"}
    assert (first.files, first.inline) == (second.files, second.inline)
    assert draw().files.keys() == {"svg"}


def test_page_drawing_takes_its_inks_from_the_page():
    inline = draw().inline
    assert "var(--blue)" in inline
    assert "var(--ink)" in inline
    assert not any(ink in inline for ink in INKS)


def test_file_drawing_keeps_its_inks_on_white():
    root = ET.fromstring(draw().files["svg"])
    assert root[0].attrib["fill"] == "white"
    assert BLUE in draw().files["svg"].decode()
    assert b"var(" not in draw().files["svg"]


def test_ids_of_two_drawings_never_meet():
    ids = [set(re.findall(r'id="([^"]+)"', draw(name).inline)) for name in ("one", "two")]
    assert ids[0]
    assert not ids[0] & ids[1]


def test_references_stay_inside_the_drawing():
    inline = draw("one").inline
    ids = set(re.findall(r'id="([^"]+)"', inline))
    used = set(re.findall(r'href="#([^"]+)"', inline)) | set(re.findall(r"url\(#([^)]+)\)", inline))
    assert used
    assert used <= ids


def test_drawing_loads_nothing_and_says_what_it_shows():
    root = ET.fromstring(draw(alt='a "quoted" <alt>').inline)
    assert root.attrib["role"] == "img"
    assert root.attrib["aria-label"] == 'a "quoted" <alt>'
    assert not list(root.iter(f"{SVG}image"))
    assert not list(root.iter(f"{SVG}script"))


@pytest.mark.parametrize("title", ["<script>alert(1)</script>", "$\\frac{1}$", "a & b", "\u611f\u60c5", "$"])
def test_hostile_titles_are_text(title):
    root = ET.fromstring(draw(title=title).inline)
    assert title in {element.text for element in root.iter(f"{SVG}text")}
    assert not list(root.iter(f"{SVG}script"))


def test_control_characters_are_dropped():
    assert readable("a\x00\x1b[31mb\n") == "a[31mb"
    ET.fromstring(draw(alt="a\x00b").inline)


def test_points_tell_their_numbers_when_pointed_at():
    with canvas(3, 2, CHART) as (figure, axes):
        axes.plot([0, 1], [0, 1], color=BLUE)
        hover(axes, [0, 1], [0, 1], ["first: <1>", "second: 2 %"])
        drawn = panel(figure, "one", "alt")
    for svg in (drawn.inline, drawn.files["svg"]):
        root = ET.fromstring(svg)
        assert [title.text for title in root.iter(f"{SVG}title")] == ["first: <1>", "second: 2 %"]
        points = [use for use in root.iter(f"{SVG}use") if use.find(f"{SVG}title") is not None]
        assert len({(use.get("x"), use.get("y")) for use in points}) == 2


def test_measured_margins_fit_long_labels():
    with canvas(4, 2) as (figure, axes):
        axes.barh(["a name of some length", "another one"], [1, 2])
        panel(figure, "one", "alt")
        left = axes.get_tightbbox().x0
    assert left >= 0
