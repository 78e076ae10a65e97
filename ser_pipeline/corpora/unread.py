"""Columns of tables that are not read, though what they say changes what is heard."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from ser_pipeline.corpora.table_formats import Row
from ser_pipeline.corpora.values import TIMES
from ser_pipeline.errors import some

MIXED: Final = (
    "is not read: all channels are mixed; take them apart first, as with "
    "'ffmpeg -i a.wav -af \"pan=mono|c0=c1\" a-1.wav' for channel 1, and name these files"
)
"""What happens where a table says in which channel somebody speaks."""

_OF_BOUNDS: Final = {"start", "begin", "onset", "end", "stop", "offset"}
_OF_CHANNEL: Final = re.compile(r"(audio|wav|speaker)?_?(channel|chan|kanal|canal|canale)(_?(id|no|nr|num))?")
_CHANNELS: Final = re.compile(r"\d+(\.0)?|[a-d]|l|r|left|right|ch\d+")


def unread(lines: Sequence[Row], columns: Mapping[str, str]) -> Iterator[str]:
    """Yield a line on what a table says and nothing reads: bounds of segments, and channels.

    Args:
        lines: of the table.
        columns: fact -> column, of those that are read.
    """
    words = {name: {*map(str.lower, re.findall("[A-Z]?[a-z]+", name))} for name in lines[0]}
    called = [name for name in words if words[name] & _OF_BOUNDS and name not in columns.values()]
    if len(called) > 1 and not columns.keys() & TIMES:
        yield (
            f"columns {some(called)} are not read, so rows are whole recordings; call bounds of segments "
            "start and end (seconds) or start_ms and end_ms"
        )
    yield from unread_channels(lines)


def unread_channels(lines: Sequence[Row]) -> Iterator[str]:
    """Yield a line on each column that says in which channel somebody speaks, where there are several."""
    for name in lines[0]:
        met = {line[name].strip().lower() for line in lines} - {""}
        if _OF_CHANNEL.fullmatch(name.lower()) and len(met) > 1 and all(map(_CHANNELS.fullmatch, met)):
            yield f"column {name!r} {MIXED}"
