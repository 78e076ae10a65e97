"""From a matplotlib figure to the SVG of the page and to files, the same bytes every time.

Drawings use a few inks. In the page each ink is a CSS variable, so that a drawing follows the
page into dark mode and onto paper; in files the inks keep the values below on white.
"""

import io
import re
import warnings
import xml.etree.ElementTree as ET
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

import numpy as np
from matplotlib import colormaps, rc_context
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from ser_pipeline.arrays import Float64s
from ser_pipeline.report.document import Panel

INK: Final = "#1c2127"
MUTED: Final = "#6b727b"
BLUE: Final = "#0072b2"
VERMILLION: Final = "#d55e00"
GREEN: Final = "#009e73"
PAPER: Final = "#fefefe"
"""Blue, vermillion and green are of the palette of Okabe and Ito, told apart by every kind of eye."""

INKS: Final[Mapping[str, str]] = MappingProxyType(
    {
        INK: "var(--ink)",
        MUTED: "var(--muted)",
        BLUE: "var(--blue)",
        VERMILLION: "var(--vermillion)",
        GREEN: "var(--green)",
        PAPER: "var(--paper)",
    }
)

PNG_DPI: Final = 160

HEAT: Final = "cividis"
"""Colours of heat maps: even steps of lightness, for every kind of eye and in grey."""

SIGNED: Final = "PuOr_r"
"""Colours of heat maps around zero: purple below, orange above, told apart by every kind of eye."""

_SETTINGS: Final[Any] = MappingProxyType(
    {
        "axes.edgecolor": MUTED,
        "axes.facecolor": "none",
        "axes.labelcolor": INK,
        "axes.spines.right": False,
        "axes.spines.top": False,
        "axes.titlelocation": "left",
        "axes.titlesize": 10,
        "axes.titleweight": "bold",
        "axes.unicode_minus": False,
        "font.family": "sans-serif",
        "font.size": 9,
        "legend.fontsize": 8.5,
        "legend.frameon": False,
        "lines.linewidth": 1.6,
        "svg.fonttype": "none",
        "svg.hashsalt": "ser",
        "text.color": INK,
        "text.parse_math": False,
        "xtick.color": MUTED,
        "xtick.labelcolor": INK,
        "ytick.color": MUTED,
        "ytick.labelcolor": INK,
    }
)

_also: ContextVar[frozenset[str]] = ContextVar("also", default=frozenset())
_TOLD: Final = "told:"
"""Before each text in the id of points that tell their numbers."""
_SVG: Final = "http://www.w3.org/2000/svg"
_XLINK: Final = "http://www.w3.org/1999/xlink"
_FONT: Final = re.compile(r"(font(?:-family)?:[^;]*?)'DejaVu Sans'[^;]*")
_LOCAL: Final = re.compile(r"url\(#([^)]+)\)")
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f\ufffe\uffff]")


def readable(text: str, limit: int = 40) -> str:
    r"""Shorten a name for a drawing, and drop what no XML can hold.

    Examples:
        >>> readable("a\x00b"), len(readable("x" * 99))
        ('ab', 40)
    """
    clean = _CONTROL.sub("", text)
    return clean if len(clean) <= limit else clean[: limit - 1] + "\u2026"


@dataclass(frozen=True)
class Margins:
    """Room around the axes, in inches."""

    left: float
    bottom: float
    right: float = 0.1
    top: float = 0.1


CHART = Margins(left=0.6, bottom=0.5)
"""Fits numbers on both axes."""

EMOTION_AXES = Margins(left=1.05, bottom=0.95)
"""Fits emotion names on both axes."""


@contextmanager
def canvas(width: float, height: float, margins: Margins | None = None) -> Iterator[tuple[Figure, Axes]]:
    """Yield a figure with one pair of axes, in the report's style.

    Args:
        width: in inches; the page shows an inch as 96 CSS pixels.
        height: in inches.
        margins: None measures the labels, which takes a third of the drawing time.
    """
    with rc_context(_SETTINGS):
        figure = Figure(figsize=(width, height), layout="tight" if margins is None else None)
        axes = figure.add_subplot()
        if margins is not None:
            figure.subplots_adjust(
                left=margins.left / width,
                right=1 - margins.right / width,
                bottom=margins.bottom / height,
                top=1 - margins.top / height,
            )
        yield figure, axes


@contextmanager
def grid(width: float, height: float, rows: int, columns: int) -> Iterator[tuple[Figure, list[Axes]]]:
    """Yield a figure with several pairs of axes, row by row, in the report's style.

    Args:
        width: in inches.
        height: in inches.
        rows: of axes.
        columns: of axes.
    """
    with rc_context(_SETTINGS):
        figure = Figure(figsize=(width, height))
        made = figure.subplots(rows, columns, squeeze=False)
        figure.subplots_adjust(
            left=0.45 / width,
            right=1 - 0.1 / width,
            bottom=0.42 / height,
            top=1 - 0.3 / height,
            wspace=_gap(0.55, width - 0.55, columns),
            hspace=_gap(0.66, height - 0.72, rows),
        )
        yield figure, list(made.flat)


def _gap(inches: float, room: float, count: int) -> float:
    """Gap between axes as matplotlib wants it, as a multiple of their size."""
    return inches * count / (room - (count - 1) * inches)


_svg_canvas: Any = FigureCanvasSVG
"""The backends' printers carry no types."""


Points = Sequence[float] | Float64s


def hover(axes: Axes, x: Points, y: Points, texts: Sequence[str]) -> None:
    """Let a page tell the numbers of points that are pointed at; nothing is drawn.

    Args:
        axes: to put them on.
        x: of the points.
        y: of the points.
        texts: what is told of each.
    """
    axes.scatter(x, y, 110, alpha=0, linewidths=0, zorder=9).set_gid(_TOLD + _TOLD.join(texts))


def panel(figure: Figure, name: str, alt: str, *, wide: bool = False) -> Panel:
    """Draw a figure as page SVG, SVG file and what else is wanted; to be called inside :func:`canvas`."""
    alt = _CONTROL.sub("", alt)
    drawn = _rendered(figure)
    root = _parsed(drawn["svg"], alt)
    alone = _file_svg(root)
    return Panel(name, alt, {**drawn, "svg": alone}, _inline_svg(root, name), wide)


@contextmanager
def also_drawn(suffixes: Iterable[str]) -> Iterator[None]:
    """Draw every panel of the block as PNG or PDF too, each of which takes as long as the page."""
    token = _also.set(frozenset(suffixes))
    try:
        yield
    finally:
        _also.reset(token)


def _rendered(figure: Figure) -> dict[str, bytes]:
    """Lay a figure out once, and draw it in every wanted format."""
    svg, png, pdf = io.BytesIO(), io.BytesIO(), io.BytesIO()
    with warnings.catch_warnings():
        # names may hold letters that matplotlib's own font lacks; the page's fonts have them
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        engine = figure.get_layout_engine()
        if engine is not None:
            engine.execute(figure)
            figure.set_layout_engine("none")
        # straight to the backends: `savefig` draws everything once more, only to lay it out
        figure.set_facecolor("none")
        _svg_canvas(figure).print_svg(svg, metadata={"Date": None, "Creator": None})
        figure.set_facecolor("white")
        if "pdf" in _also.get():
            from matplotlib.backends.backend_pdf import FigureCanvasPdf

            undated = {"CreationDate": None, "Creator": None, "Producer": None}
            pdf_canvas: Any = FigureCanvasPdf
            pdf_canvas(figure).print_pdf(pdf, metadata=undated)
        if "png" in _also.get():
            from matplotlib.backends.backend_agg import FigureCanvasAgg

            png_canvas: Any = FigureCanvasAgg
            figure.set_dpi(PNG_DPI)
            png_canvas(figure).print_png(png, metadata={"Software": None})
    made = {"svg": svg, "png": png, "pdf": pdf}
    return {suffix: drawn.getvalue() for suffix, drawn in made.items() if drawn.getvalue()}


def _parsed(svg: bytes, alt: str) -> ET.Element:
    """Parse matplotlib's SVG; drop its metadata, name its content, take the reader's own fonts."""
    ET.register_namespace("", _SVG)
    ET.register_namespace("xlink", _XLINK)
    root = ET.fromstring(svg)
    for metadata in root.findall(f"{{{_SVG}}}metadata"):
        root.remove(metadata)
    for element in root.iter():
        if style := element.get("style"):
            element.set("style", _FONT.sub(r"\1system-ui, sans-serif", style))
    for number, group in enumerate(root.iter(f"{{{_SVG}}}g")):
        _, *texts = group.get("id", "").split(_TOLD)
        if texts:
            group.set("id", f"told-{number}")
            group.set("style", "pointer-events: all; opacity: 0")
            for point, text in zip(group.iter(f"{{{_SVG}}}use"), texts, strict=False):
                ET.SubElement(point, f"{{{_SVG}}}title").text = text
    root.set("role", "img")
    root.set("aria-label", alt)
    return root


def _file_svg(root: ET.Element) -> bytes:
    """Write a drawing down on white paper; ``root`` stays as it was."""
    paper = ET.Element(f"{{{_SVG}}}rect", {"width": "100%", "height": "100%", "fill": "white"})
    root.insert(0, paper)
    written: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    root.remove(paper)
    return written


def _inline_svg(root: ET.Element, name: str) -> str:
    """Write a drawing down for a page; ``root`` changes."""
    for element in root.iter():
        _make_unique(element, name)
        if style := element.get("style"):
            for ink, variable in INKS.items():
                style = style.replace(ink, variable)
            element.set("style", style)
    _free_size(root)
    return ET.tostring(root, encoding="unicode")


def _make_unique(element: ET.Element, name: str) -> None:
    """Put the drawing's name before every id and reference: a page holds many drawings."""
    for key, value in element.attrib.items():
        if key == "id":
            element.set(key, f"{name}-{value}")
        elif key == f"{{{_XLINK}}}href" and value.startswith("#"):
            element.set(key, f"#{name}-{value[1:]}")
        elif key in {"clip-path", "style"}:
            element.set(key, _LOCAL.sub(rf"url(#{name}-\1)", value))


def _free_size(root: ET.Element) -> None:
    """Let a narrow page shrink the drawing."""
    width = float(root.attrib.pop("width").removesuffix("pt")) * 96 / 72
    root.attrib.pop("height", None)
    root.set("style", f"width: {width:.0f}px; max-width: 100%; height: auto")


def turn_names(axes: Axes) -> None:
    """Turn the names of columns, so that each ends below its own."""
    axes.tick_params(axis="x", labelrotation=35)
    for label in axes.get_xticklabels():
        label.set_horizontalalignment("right")
        label.set_rotation_mode("anchor")


def heat_cells(
    axes: Axes,
    shares: Float64s,
    texts: Sequence[Sequence[str]],
    rows: Sequence[str],
    columns: Sequence[str],
    palette: str = HEAT,
) -> None:
    """Draw a heat map with a text in each cell, dark on light and light on dark; no text, no cell.

    Args:
        axes: to draw on.
        shares: colour of each cell in [0, 1], shape ``(rows, columns)``.
        texts: of each cell.
        rows: labels, top first.
        columns: labels.
        palette: of matplotlib; 0.5 is its middle.
    """
    blank = np.array([[not text for text in row] for row in texts])
    axes.pcolormesh(
        np.ma.masked_where(blank, shares), cmap=palette, vmin=0, vmax=1, edgecolors=PAPER, linewidth=0.6
    )
    colours = colormaps[palette](np.clip(shares, 0, 1))
    for row, column in np.ndindex(*shares.shape):
        light = float(colours[row, column, :3] @ (0.2126, 0.7152, 0.0722)) > 0.42
        axes.text(
            column + 0.5,
            row + 0.5,
            texts[row][column],
            ha="center",
            va="center",
            fontsize=8,
            color="#000000" if light else "#ffffff",
        )
    axes.set_xticks(np.arange(len(columns)) + 0.5, [readable(name, 24) for name in columns])
    axes.set_yticks(np.arange(len(rows)) + 0.5, [readable(name, 24) for name in rows])
    axes.tick_params(length=0)
    axes.invert_yaxis()
    axes.spines[:].set_visible(False)
