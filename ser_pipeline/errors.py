"""The errors this package raises on purpose.

Every one of them carries a single line that says where, what was found, and what is
valid or what to do; the command line prints that line and ends with status 1::

    SerError
    +-- SettingsError      a setting, flag or ``ser.toml`` value that does not fit
    |   +-- AbsentError    a corpus or language of which the manifest has no recording
    +-- LabelError         an emotion, task or merge that does not exist
    +-- CorpusError        a corpus folder or table that cannot be read
    +-- ManifestError      a manifest that is missing, foreign or broken
    |   +-- SplitError     a split that is missing, foreign or leaks
    +-- EncoderError       a pretrained encoder that is missing, foreign or broken
    +-- AudioError         a recording that cannot be decoded or used
    |   +-- AudioMissing   a recording that is not there, or not the one that was described, or needs ffmpeg
    |   +-- AudioForeign   a file that is not a recording, damaged, or in a format that cannot be decoded
    |   +-- AudioCut       a recording of which some is missing
    |   +-- AudioEmpty     a recording that holds no samples
    |   +-- AudioShort     a recording that is too short
    |   +-- AudioSilent    a recording in which nothing can be heard
    |   +-- AudioTooLarge  a recording that is longer or larger than a server takes
    +-- StoreError         a feature store that is missing, locked or damaged
    |   +-- StoreMissing   the store has not been built for these settings
    |   +-- StoreUnfinished  a store at an address to which not all of it was uploaded
    |   +-- StoreCorrupt   a shard whose bytes are not those that were written
    +-- TrainingError      a run that cannot start, go on or be resumed
    +-- RunError           a run folder that is missing, incomplete or foreign
    +-- ReportError        a report that cannot be made
    +-- ServerBusy         a server that has enough to do; ask again later
    +-- OutOfTimeError     a budget that was used up during work that can be continued
"""

from collections.abc import Callable
from typing import Final

TOLD: Final[list[Callable[[str], None]]] = []
"""Who hears :func:`remark`: the command line's printer, and nobody where functions are called."""


class SerError(Exception):
    """Root of every error raised on purpose; its text is one line for the user.

    Attributes:
        code: by which programs tell what a server refused, and its page says so in its reader's language.
    """

    code = "refused"


class SettingsError(SerError):
    """A setting, flag or ``ser.toml`` value that does not fit."""


class AbsentError(SettingsError):
    """A corpus or language that was asked for, of which the manifest has no recording."""


class LabelError(SerError):
    """An emotion, task or merge that does not exist."""


class CorpusError(SerError):
    """A corpus folder or table that cannot be read."""


class ManifestError(SerError):
    """A manifest that is missing, foreign or broken."""


class SplitError(ManifestError):
    """A split that is missing, foreign or leaks."""


class EncoderError(SerError):
    """A pretrained encoder that is missing, foreign or broken."""


class AudioError(SerError):
    """A recording that cannot be decoded or used."""

    code = "unusable"


class AudioMissing(AudioError):
    """A recording that is not there, is not the one that was described, or needs ffmpeg."""

    code = "no_decoder"


class AudioForeign(AudioError):
    """A file that is not a recording, is damaged, or is in a format that cannot be decoded."""

    code = "foreign"


class AudioCut(AudioError):
    """A recording of which some is missing."""

    code = "cut"


class AudioEmpty(AudioError):
    """A recording that holds no samples."""

    code = "empty"


class AudioShort(AudioError):
    """A recording that is too short."""

    code = "too_short"


class AudioSilent(AudioError):
    """A recording in which nothing can be heard."""

    code = "silent"


class AudioTooLarge(AudioError):
    """A recording that is longer or larger than a server takes."""

    code = "too_large"


class StoreError(SerError):
    """A feature store that is missing, locked or damaged."""


class StoreMissing(StoreError):
    """The store has not been built for these settings."""


class StoreUnfinished(StoreError):
    """A store at an address to which not all of it was uploaded."""


class StoreCorrupt(StoreError):
    """A shard whose bytes are not those that were written."""


class TrainingError(SerError):
    """A run that cannot start, go on or be resumed."""


class RunError(SerError):
    """A run folder that is missing, incomplete or foreign."""


class ReportError(SerError):
    """A report that cannot be made."""


class ServerBusy(SerError):
    """A server that has enough to do; ask again later."""

    code = "busy"


class OutOfTimeError(SerError):
    """A budget that was used up during work that can be continued."""


def remark(text: str) -> None:
    """Tell what a person should know who waits or looks on, and what changes no result."""
    for tell in TOLD:
        tell(text)


def some(items: list[str], *, show: int = 10) -> str:
    """Join the first ``show`` items and count the rest, for one-line messages.

    Examples:
        >>> some(["a", "b", "c"], show=2)
        'a, b and 1 more'
        >>> some(["a"])
        'a'
    """
    head = ", ".join(items[:show])
    return f"{head} and {len(items) - show} more" if len(items) > show else head
