"""Formats of other tools: who reads and who writes each."""

from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, Final, NamedTuple

from ser_pipeline.errors import SettingsError
from ser_pipeline.exchange.items import Foreign, Places, Recordings, Row
from ser_pipeline.options.checks import nearest

Read = Callable[[Path, Places], Foreign]
Write = Callable[[Path, Sequence[Row], Recordings, str], None]


class Format(NamedTuple):
    """One format.

    Attributes:
        help: what it is, in a few words.
        module: of this package, which reads and writes it.
        variant: ends the names of the functions that read and write, where the module has several.
    """

    help: str
    module: str
    variant: str = ""

    @property
    def read(self) -> Read:
        """The function that reads it."""
        found: Read = self._function("read")
        return found

    @property
    def write(self) -> Write:
        """The function that writes it."""
        found: Write = self._function("write")
        return found

    def _function(self, verb: str) -> Any:
        name = f"{verb}_{self.variant}" if self.variant else verb
        return getattr(import_module(f"ser_pipeline.exchange.{self.module}"), name)


FORMATS: Final[Mapping[str, Format]] = {
    "csv": Format("a table of recordings", "table"),
    "audiofolder": Format("a folder with metadata.csv of Hugging Face", "hugging_face", "folder"),
    "parquet": Format("Parquet of Hugging Face that holds the recordings", "hugging_face", "parquet"),
    "audformat": Format("a database of audformat", "audformat"),
    "lhotse": Format("recordings, supervisions and cuts of Lhotse", "lhotse"),
    "emobox": Format("JSON lines of EmoBox", "emobox"),
    "kaldi": Format("data folders of Kaldi, with utt2emo", "kaldi", "kaldi"),
    "espnet": Format("data folders of ESPnet, with the label as text", "kaldi", "espnet"),
}
"""Name -> format, in the order they are shown."""


def checked_format(name: str) -> Format:
    """A format by its name.

    Raises:
        SettingsError: there is none of this name.

    Examples:
        >>> checked_format("csv").help
        'a table of recordings'
    """
    if name not in FORMATS:
        raise SettingsError(
            f"format {name!r} does not exist{nearest(name, FORMATS)}; valid are {', '.join(FORMATS)}"
        )
    return FORMATS[name]
