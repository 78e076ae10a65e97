"""Open a recording of any format: the one place that asks libsndfile, and puts its answers into words.

What cannot be heard as a whole is refused when it is opened, in the same words for a manifest, a store and
a prediction: a file that was cut, and one of which the decoder would leave something out. Where a head
does not say how much there is, it is counted.
"""

import math
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import Any, Final, NamedTuple, TypeVar

import numpy as np
import soundfile

from ser_pipeline.arrays import Float32s, Float64s
from ser_pipeline.audio.containers import heads_of
from ser_pipeline.audio.ffmpeg import decoded, decoder
from ser_pipeline.audio.mpeg import Stream, announcing, before_tags, find_stream, leading_tags
from ser_pipeline.audio.splice import Bytes, Source, Spliced
from ser_pipeline.errors import AudioCut, AudioEmpty, AudioError, AudioForeign
from ser_pipeline.records import SAMPLE_RATES

Floats = TypeVar("Floats", Float32s, Float64s)

LONGEST_FRAMES: Final = 1 << 40
"""libsndfile says more than this where the head gives no length."""

BLOCK_FRAMES: Final = 1 << 16
"""Frames decoded at once, so that a long recording needs no more memory than a short one."""

LEAD_FRAMES: Final = 46_080
"""Frames that are decoded before a place where sound depends on them: 40 to 80 of MPEG, more than needed."""

CHAIN_S: Final = 0.2
"""Seconds that decoders may leave out where one recording follows another in a file."""

DAMAGED: Final = "cannot be decoded: its samples are damaged"

_SENTENCES: Final = (
    (("not recognised", "unknown format", "must specify format"),
     "not a recording: it does not start like any audio format"),
    (("unsupported", "unimplemented", "support", "compress", "unknown encoding"),
     "bad header: its samples are in an encoding that cannot be decoded; convert it to WAV or FLAC"),
    (("no sound data", "no data could be read"), "empty: it holds no samples"),
    (("malloc",), "cannot be decoded: there is not enough memory"),
)  # fmt: skip
"""Words of libsndfile, in small letters, and what is said instead; the first that fits."""

_MPEG4: Final = "MPEG-4 (m4a, mp4, mov, 3gp)"


class Format(NamedTuple):
    """A format as the first bytes of a file tell it.

    Attributes:
        place: of the mark.
        mark: bytes that stand there.
        name: for people.
        demuxer: of ffmpeg; empty if it has none.
        native: libsndfile reads it.
    """

    place: int
    mark: bytes
    name: str
    demuxer: str
    native: bool = False


FORMATS: Final = (
    Format(8, b"WAVE", "WAV", "wav", native=True),
    Format(0, b"riff", "W64", "w64", native=True),
    Format(8, b"AIF", "AIFF", "aiff", native=True),
    Format(0, b"caff", "CAF", "caf", native=True),
    Format(0, b".snd", "AU", "au", native=True),
    Format(0, b"fLaC", "FLAC", "flac", native=True),
    Format(0, b"NIST_1A", "NIST Sphere", "", native=True),
    Format(0, b"OggS", "Ogg", "ogg", native=True),
    *(Format(4, mark, _MPEG4, "mov") for mark in (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip")),
    Format(0, b"\x1a\x45\xdf\xa3", "WebM or Matroska (webm, mka, mkv)", "matroska"),
    Format(0, b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", "Windows Media (wma, asf)", "asf"),
    Format(0, b"#!AMR", "AMR", "amr"),
    Format(0, b"MAC ", "Monkey's Audio (ape)", "ape"),
    Format(0, b"wvpk", "WavPack (wv)", "wv"),
    Format(0, b"TTA1", "True Audio (tta)", "tta"),
    Format(0, b"MPCK", "Musepack (mpc)", "mpc8"),
    Format(0, b"MP+", "Musepack (mpc)", "mpc"),
    Format(0, b".RMF", "RealMedia (rm)", "rm"),
    Format(0, b".ra\xfd", "RealAudio (ra)", "rm"),
    Format(0, b"\x0b\x77", "AC-3", "ac3"),
    Format(0, b"FLV\x01", "Flash video (flv)", "flv"),
    Format(8, b"AVI ", "AVI", "avi"),
    Format(0, b"\0\0\x01\xba", "MPEG video (mpg)", "mpeg"),
    Format(0, b"ADIF", "AAC (ADIF)", ""),
    Format(0, b"#!SILK", "SILK", ""),
    Format(0, b"\x02#!SILK", "SILK", ""),
)

_ADTS: Final = Format(0, b"\xff\xf0", "AAC", "aac")
_MPEG_TS: Final = Format(0, b"\x47", "MPEG transport stream (ts)", "mpegts")


class _File(soundfile.SoundFile):  # type: ignore[misc]  # soundfile has no types
    """Does not seek after each block, which some codecs cannot."""

    def seekable(self) -> bool:
        """Never by itself."""
        return False


class Sound:
    """An open recording.

    Attributes:
        name: for messages, which begin with it.
        frames: samples of each channel.
        sample_rate: in Hz.
        channels: number of channels.
        decoder: what decoded it, with its version; empty for libsndfile.
        form: container and samples in the words of libsndfile, as ``WAV PCM_16``.
        lead: frames that are decoded before a place that is sought; 0 where its sound is the same without.
    """

    def __init__(
        self, stack: ExitStack, file: Source, name: str, most_s: float | None = None, decoder: str = ""
    ) -> None:
        self._stack = stack
        self._source = file
        self.name = name
        self._file = self._begun()
        self._place = 0
        self.decoder = decoder
        self.sample_rate = int(self._file.samplerate)
        if not SAMPLE_RATES[0] <= self.sample_rate <= SAMPLE_RATES[1]:
            raise AudioForeign(f"bad header: a sample rate of {self.sample_rate} Hz")
        self.channels = int(self._file.channels)
        self.form = f"{'WAV' if self._file.format == 'WAVEX' else self._file.format} {self._file.subtype}"
        self.lead = LEAD_FRAMES if self._file.subtype in ("MPEG_LAYER_III", "OPUS") else 0
        self.frames = int(self._file.frames)
        if self.frames > LONGEST_FRAMES:
            self.frames = self._counted(math.inf if most_s is None else most_s * self.sample_rate)

    def _begun(self) -> Any:
        self._source.seek(0)
        try:
            return self._stack.enter_context(_File(self._source))
        except soundfile.LibsndfileError as error:
            says = sentence(error.error_string)
            raise (AudioEmpty if says.startswith("empty") else AudioForeign)(says) from None

    @property
    def duration_s(self) -> float:
        """Length in seconds."""
        return self.frames / self.sample_rate

    def seek(self, frame: int, *, lead: int | None = None) -> None:
        """Go on with this frame, with the samples that decoding from the start gives.

        Args:
            frame: to be read next.
            lead: frames to decode before it; None takes those that its samples depend on.

        Raises:
            AudioError: it cannot be found.
        """
        self._place = max(0, frame - (self.lead if lead is None else lead))
        try:
            self._file.seek(self._place)
        except soundfile.LibsndfileError:  # as some codecs answer to any place, the first one too
            self._file.close()
            self._file, self._place = self._begun(), 0
        while self._place < frame and len(self._block(min(BLOCK_FRAMES, frame - self._place))):
            pass
        self._place = frame

    def read(self, room: Floats) -> Floats:
        """Fill ``room``, of shape ``(frames, channels)``, as far as there are frames.

        Raises:
            AudioError: there are fewer than were announced, or they are damaged.
        """
        due = min(len(room), self.frames - self._place)
        try:
            found: Floats = self._file.read(due, out=room[:due])
        except soundfile.LibsndfileError:
            raise AudioForeign(_of(self.name, DAMAGED)) from None
        self._place += len(found)
        if len(found) < due:
            raise AudioCut(_of(self.name, f"truncated: {self._place} of {self.frames} samples are present"))
        return found

    def blocks(self, size: int = BLOCK_FRAMES) -> Iterator[Float32s]:
        """What is left, block after block, each of shape ``(frames, channels)`` and valid until the next.

        Raises:
            AudioError: as :meth:`read`.
        """
        room = np.empty((size, self.channels), np.float32)
        while self._place < self.frames:
            yield self.read(room)

    def as_wav(self) -> bytes:
        """Bytes of the WAV file that another decoder made of a recording."""
        self._source.seek(0)
        return self._source.read()

    def check_end(self) -> None:
        """See that the last frame is there, without decoding the others where the format allows it.

        Raises:
            AudioError: it cannot be read.
        """
        try:
            self.seek(self.frames - 1, lead=0)
            self.read(np.empty((1, self.channels), np.float32))
        except AudioError:
            self.seek(0)
            if self._counted() < self.frames:  # not all that can be read can be read from anywhere
                raise AudioCut(_of(self.name, "truncated: its last samples cannot be read")) from None
        self.seek(0)

    def _counted(self, most: float = math.inf) -> int:
        """Decode all of it to see how much there is, and no block beyond ``most`` frames."""
        self._place = 0
        with suppress(AudioError):  # what follows cannot be heard
            while self._place < most and len(self._block(BLOCK_FRAMES)):
                pass
        count = self._place
        self.seek(0)
        return count

    def _block(self, frames: int) -> Float32s:
        try:
            found: Float32s = self._file.read(frames, dtype="float32", always_2d=True)
        except soundfile.LibsndfileError:
            raise AudioForeign(_of(self.name, DAMAGED)) from None
        self._place += len(found)
        return found


@contextmanager
def opened(file: Source, name: str = "", *, most_s: float | None = None) -> Iterator[Sound]:
    """Open a recording.

    Args:
        file: its bytes; only this reads them until the block is left.
        name: for messages, which begin with it.
        most_s: seconds to decode at most of what has to be decoded whole, or to be counted: a few more are
            announced of what is longer.

    Raises:
        AudioMissing: it needs ffmpeg, which is not installed.
        AudioError: it is not a recording, was cut, or cannot be decoded.

    Examples:
        >>> import io
        >>> with opened(io.BytesIO(b"hello"), "a.wav"):
        ...     pass
        Traceback (most recent call last):
        ser_pipeline.errors.AudioForeign: a.wav: not a recording: it does not start like any audio format
    """
    with ExitStack() as stack:
        try:
            sound = _opened(stack, file, name, most_s)
        except AudioError as error:
            raise type(error)(_of(name, str(error))) from None
        yield sound


def _of(name: str, says: str) -> str:
    return f"{name}: {says}" if name else says


def _opened(stack: ExitStack, file: Source, name: str, most_s: float | None) -> Sound:
    size = file.seek(0, os.SEEK_END)
    if not size:
        raise AudioEmpty("empty: 0 bytes")
    if tags := leading_tags(Bytes(file, size)):
        file, size = Spliced(b"", file, [(tags, size)]), size - tags
    at = Bytes(file, size)
    form = _format(at)
    if form is None:
        stream = find_stream(file, 0, before_tags(at))
        if stream is not None:
            return _mpeg(stack, file, stream, name, most_s)
        return Sound(stack, _edited(file, size, ()), name, most_s)
    says = heads_of(file, size)
    if says.missing:
        raise AudioCut(
            f"truncated: {says.missing} of the {size + says.missing} bytes its header announces are missing"
        )
    if says.mpeg is not None:
        stream = find_stream(file, *says.mpeg)
        if stream is not None:
            return _mpeg(stack, file, stream, name, most_s)
    if form.native and not says.codec and not says.chained_s:
        return Sound(stack, _edited(file, size, says.edits), name, most_s)
    what = f"{form.name} with {says.codec}" if says.codec else form.name
    what = f"{what}, several in one file," if says.chained_s else what
    sound = _foreign(stack, file, form.demuxer, what, name, most_s)
    if sound.duration_s < min(says.chained_s, most_s or says.chained_s) - CHAIN_S:
        raise AudioForeign(f"{what} cannot be decoded whole; convert it to one WAV or FLAC")
    return sound


def _format(at: Bytes) -> Format | None:
    start = at(0, 16)
    for form in FORMATS:
        if start.startswith(form.mark, form.place):
            return form
    if len(start) > 1 and start[0] == 0xFF and start[1] & 0xF6 == 0xF0:
        return _ADTS
    if start.startswith(b"\x47") and at(188, 1) == at(376, 1) == b"\x47":
        return _MPEG_TS
    return None


def _edited(file: Source, size: int, edits: tuple[tuple[int, bytes], ...]) -> Source:
    """A file with the sizes that were left open; as it is where there are none."""
    if not edits and not hasattr(file, "name"):  # by a name, soundfile would guess the format
        return file
    stop = max((place + len(each) for place, each in edits), default=0)
    file.seek(0)
    head = bytearray(file.read(stop))
    for place, each in edits:
        head[place : place + len(each)] = each
    return Spliced(bytes(head), file, [(stop, size)])


def sentence(said: str) -> str:
    """What is said to people where libsndfile cannot open a recording.

    Args:
        said: what it says.

    Examples:
        >>> sentence("Internal error : SF_INFO struct incomplete.")
        'bad header: it is damaged or contradicts itself'
    """
    small = said.lower()
    found = (ours for words, ours in _SENTENCES if any(each in small for each in words))
    return next(found, "bad header: it is damaged or contradicts itself")


def _foreign(
    stack: ExitStack, file: Source, demuxer: str, what: str, name: str, most_s: float | None
) -> Sound:
    wav = stack.enter_context(decoded(file, demuxer, what, most_s))
    size = wav.seek(0, os.SEEK_END)
    return Sound(stack, _edited(wav, size, heads_of(wav, size).edits), name, decoder=decoder())


def _mpeg(stack: ExitStack, file: Source, stream: Stream, name: str, most_s: float | None) -> Sound:
    """A stream of frames, with the number of them before it where nobody says it or it is wrong."""
    announced = stream.frames if stream.announced is None else stream.announced
    if stream.changes:
        return _foreign(stack, file, "mp3", "MP3 of several parts", name, most_s)
    if stream.lacking and stream.frames != stream.announced:
        raise AudioCut(f"truncated: its last frame lacks {stream.lacking} bytes")
    if announced > stream.frames + 1:  # some count the frame that says it
        lack = announced - stream.frames
        raise AudioCut(f"truncated: {lack} of the {announced} frames its header announces are missing")
    if not stream.frames:
        raise AudioEmpty("empty: it holds no frame of sound")
    head, parts = b"", stream.parts
    if stream.frames != stream.announced and stream.head.layer == 3:
        (start, stop), *others = parts
        head, parts = announcing(stream), ((start + stream.tagged, stop), *others)
    sound = Sound(stack, Spliced(head, file, parts), name)
    if stream.head.layer != 3:
        counted = stream.frames * stream.head.samples
        if sound.frames < counted - stream.head.samples:
            raise AudioForeign("bad header: its bit rate varies, so that it cannot be read whole; convert it")
        sound.frames = min(sound.frames, counted)
    return sound
