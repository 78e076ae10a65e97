"""Pieces of HTML that the page shows: bars, pictures, sentences; everything is escaped."""

import base64
import io
from collections.abc import Iterable
from html import escape
from typing import Any

from ser_pipeline.serving.look import Look
from ser_pipeline.serving.picture import COLOURS
from ser_pipeline.serving.prediction import NO_SPEECH, UNCERTAIN, Prediction


def answer(look: Look) -> str:
    """The decision, its confidence, and a bar for each emotion.

    Args:
        look: what was found.
    """
    said = look.prediction
    if said.decision == NO_SPEECH:
        return (
            f"<div class='ser-answer'><strong>{NO_SPEECH}</strong><span>nothing is loud enough</span></div>"
        )
    of = (
        f"mean of {said.windows} windows" if said.windows > 1 else f"{said.start_s:.1f} to {said.end_s:.1f} s"
    )
    perhaps = f": perhaps {said.emotion}" if said.decision == UNCERTAIN else ""
    head = (
        f"<div class='ser-answer'><strong>{escape(said.decision + perhaps)}</strong>"
        f"<span>{round(100 * (said.confidence or 0))} % sure · {of} of {look.duration_s:.1f} s</span></div>"
    )
    return head + _bars(said)


def _bars(said: Prediction) -> str:
    ranked = sorted(said.probabilities.items(), key=lambda each: -each[1])
    return "".join(
        f"<div class='ser-bar'><span>{escape(name)}</span>"
        f"<div><i style='width:{100 * share:.1f}%;background:{COLOURS.get(name, '#0b6e5b')}'></i></div>"
        f"<b>{round(100 * share)} %</b></div>"
        for name, share in ranked
    )


def picture(figure: Any, caption: str) -> str:
    """A matplotlib figure inside the page, so that nothing is kept as a file.

    Args:
        figure: to draw.
        caption: below it, and its text for those who cannot see it.
    """
    drawn = io.BytesIO()
    figure.savefig(drawn, format="png", dpi=120)
    data = base64.b64encode(drawn.getvalue()).decode()
    said = escape(caption)
    return (
        f"<figure class='ser-figure'><img alt='{said}' src='data:image/png;base64,{data}'>"
        f"<figcaption>{said}</figcaption></figure>"
    )


def sentences(lines: Iterable[str], kind: str) -> str:
    """Paragraphs in a box of class ``ser-<kind>``."""
    inside = "".join(f"<p>{escape(line)}</p>" for line in lines)
    return f"<div class='ser-{kind}'>{inside}</div>"
