"""Which clips each synthetic corpus holds, under the corpus's official names.

The codes stand here a second time, apart from the parsers in ``corpora/``: names are written
from this table and read by theirs, so that a test of one checks the other.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from types import MappingProxyType
from typing import Final, TypeVar

from ser_pipeline.errors import SettingsError
from ser_pipeline.records import Intensity, Modality
from ser_pipeline.synth.perform import Part
from ser_pipeline.synth.profiles import Sex

T = TypeVar("T")

MAX_CLIPS_PER_CLASS: Final = 8
"""As many as the official names of every corpus have room for (RAVDESS's neutral: four)."""

_CREMAD = {
    "ANG": "anger",
    "DIS": "disgust",
    "FEA": "fear",
    "HAP": "happiness",
    "NEU": "neutral",
    "SAD": "sadness",
}
_CREMAD_LEVELS: Mapping[str, Intensity] = {
    "LO": "low",
    "MD": "normal",
    "HI": "high",
    "XX": "unspecified",
}
_CREMAD_SENTENCES = ("IOM", "MTI", "ITS", "TSI", "IWW", "TAI", "DFA", "IWL", "ITH", "TIE", "WSI")
_RAVDESS = ("neutral", "calm", "happiness", "sadness", "anger", "fear", "disgust", "surprise")
_SAVEE = {
    "a": "anger", "d": "disgust", "f": "fear", "h": "happiness", "n": "neutral", "sa": "sadness",
    "su": "surprise",
}  # fmt: skip
_TESS = {
    "angry": "anger", "disgust": "disgust", "fear": "fear", "happy": "happiness", "neutral": "neutral",
    "ps": "surprise", "sad": "sadness",
}  # fmt: skip
_TESS_FOLDERS = {
    ("OAF", "fear"): "OAF_Fear", ("OAF", "ps"): "OAF_Pleasant_surprise", ("OAF", "sad"): "OAF_Sad",
    ("YAF", "ps"): "YAF_pleasant_surprised",
}  # fmt: skip
_TESS_WORDS = ("back", "bar", "base", "bath", "bean", "beg", "bite", "boat", "bone", "book", "burn", "calm")
_IEMOCAP = {
    "ang": "anger", "hap": "happiness", "exc": "excitement", "neu": "neutral", "sad": "sadness",
    "fru": "frustration", "fea": "fear", "sur": "surprise", "dis": "disgust", "oth": "other", "xxx": "other",
}  # fmt: skip
_NEMO = {
    "anger": "anger", "fear": "fear", "happiness": "happiness", "neutral": "neutral", "sadness": "sadness",
    "surprised": "surprise",
}  # fmt: skip
_NEMO_SPEAKERS: Sequence[tuple[str, Sex]] = (
    ("EB0", "female"), ("SM0", "male"), ("IC0", "female"), ("TP0", "male"), ("MK0", "female"),
    ("KS0", "male"),
)  # fmt: skip
_EMODB = {
    "W": "anger", "L": "boredom", "E": "disgust", "A": "fear", "F": "happiness", "T": "sadness",
    "N": "neutral",
}  # fmt: skip
_EMODB_SPEAKERS: Sequence[tuple[str, Sex]] = (
    ("03", "male"), ("08", "female"), ("10", "male"), ("09", "female"), ("11", "male"), ("13", "female"),
)  # fmt: skip
_EMODB_SENTENCES = ("a01", "a02", "a04", "a05", "a07", "b01", "b02", "b03", "b09", "b10")


@dataclass(frozen=True, slots=True)
class SynthClip:
    """A recording to be made.

    Attributes:
        path: below the corpus's folder.
        code: the corpus's own label.
        speaker: as the corpus writes it.
        part: what to perform.
        text: transcript, where the corpus publishes one with its files.
    """

    path: PurePosixPath
    code: str
    speaker: str
    part: Part
    text: str = ""


@dataclass(frozen=True, slots=True)
class Size:
    """How much to make: speakers by corpus, and clips of each class by each speaker."""

    speakers: Mapping[str, int]
    clips_per_class: int


SIZES: Final[Mapping[str, Size]] = MappingProxyType(
    {
        "small": Size(
            {"cremad": 4, "ravdess": 4, "ravdess-song": 3, "savee": 4, "tess": 2, "iemocap": 4, "nemo": 4,
             "emodb": 4}, 1),
        "medium": Size(
            {"cremad": 16, "ravdess": 6, "ravdess-song": 4, "savee": 4, "tess": 2, "iemocap": 6, "nemo": 6,
             "emodb": 6}, 2),
    }
)  # fmt: skip
"""Size name -> how much; IEMOCAP's speakers come in pairs, one pair a session."""


def planned(corpus: str, size: Size) -> tuple[SynthClip, ...]:
    """Clips of one corpus, in path order.

    Args:
        corpus: key of :data:`PLANS`.
        size: how much.

    Raises:
        SettingsError: no such corpus.
    """
    if corpus not in PLANS:
        raise SettingsError(f"corpus '{corpus}' does not exist; valid are {', '.join(PLANS)}")
    clips = PLANS[corpus](size.speakers[corpus], size.clips_per_class)
    return tuple(sorted(clips, key=lambda clip: clip.path))


def pick(options: Sequence[T], count: int, offset: int) -> list[T]:
    """Take ``count`` different options, or all; another ``offset`` starts elsewhere.

    Examples:
        >>> pick("abcd", 2, 0), pick("abcd", 2, 1), pick("ab", 9, 1)
        (['a', 'd'], ['b', 'a'], ['b', 'a'])
    """
    stride = 11  # shares no factor with the number of options of any corpus
    return [options[(offset + stride * number) % len(options)] for number in range(min(count, len(options)))]


def _cremad(speakers: int, count: int) -> list[SynthClip]:
    clips = []
    for number in range(speakers):
        speaker, sex = str(1001 + number), _alternate(number)
        for place, (code, emotion) in enumerate(_CREMAD.items()):
            levels = ("XX",) if code == "NEU" else ("LO", "MD", "HI")
            options = [("IEO", level) for level in levels] + [(name, "XX") for name in _CREMAD_SENTENCES]
            for sentence, level in pick(options, count, 3 * number + place):
                part = Part(
                    "cremad", f"cremad-{speaker}", sex, emotion, f"cremad/{sentence}",
                    intensity=_CREMAD_LEVELS[level],
                )  # fmt: skip
                path = PurePosixPath("AudioWAV", f"{speaker}_{sentence}_{code}_{level}.wav")
                clips.append(SynthClip(path, code, speaker, part))
    return clips


def _ravdess(speakers: int, count: int) -> list[SynthClip]:
    return _actors("ravdess", "speech", _RAVDESS, speakers, count)


def _ravdess_song(speakers: int, count: int) -> list[SynthClip]:
    return _actors("ravdess-song", "song", _RAVDESS[:6], speakers, count)


def _actors(
    corpus: str, modality: Modality, emotions: Sequence[str], speakers: int, count: int
) -> list[SynthClip]:
    clips = []
    channel = "02" if modality == "song" else "01"
    for actor in range(1, speakers + 1):
        for number, emotion in enumerate(emotions, 1):
            strengths = ("01",) if emotion == "neutral" else ("01", "02")
            options = [(level, said, take) for take in "12" for said in "12" for level in strengths]
            for level, said, take in pick(options, count, actor + number):
                part = Part(
                    corpus, f"ravdess-{actor:02d}", "male" if actor % 2 else "female", emotion,
                    f"{corpus}/{said}", take, "high" if level == "02" else "normal", modality=modality,
                )  # fmt: skip
                name = f"03-{channel}-{number:02d}-{level}-0{said}-0{take}-{actor:02d}.wav"
                clips.append(
                    SynthClip(
                        PurePosixPath(f"Actor_{actor:02d}", name), f"{number:02d}", f"{actor:02d}", part
                    )
                )
    return clips


def _savee(speakers: int, count: int) -> list[SynthClip]:
    clips = []
    for number, speaker in enumerate(("DC", "JE", "JK", "KL")[:speakers]):
        for code, emotion in _SAVEE.items():
            for sentence in pick(range(1, 31 if code == "n" else 16), count, 4 * number):
                part = Part("savee", f"savee-{speaker}", "male", emotion, f"savee/{sentence}")
                path = PurePosixPath("AudioData", speaker, f"{code}{sentence:02d}.wav")
                clips.append(SynthClip(path, code, speaker, part))
    return clips


def _tess(speakers: int, count: int) -> list[SynthClip]:
    clips = []
    for speaker in ("OAF", "YAF")[:speakers]:
        for place, (code, emotion) in enumerate(_TESS.items()):
            folder = _TESS_FOLDERS.get((speaker, code), f"{speaker}_{code}")
            for word in pick(_TESS_WORDS, count, place):
                part = Part("tess", f"tess-{speaker}", "female", emotion, f"tess/{word}")
                clips.append(
                    SynthClip(PurePosixPath(folder, f"{speaker}_{word}_{code}.wav"), code, speaker, part)
                )
    return clips


def _iemocap(speakers: int, count: int) -> list[SynthClip]:
    clips = []
    for number in range(speakers):
        session, letter = number // 2 + 1, "FM"[number % 2]
        turns = [(code, take) for take in range(count) for code in _IEMOCAP]
        for turn, (code, take) in enumerate(turns):
            # each speaker talks in both dialogues of a session
            dialogue = f"Ses{session:02d}" + ("F_impro01" if turn % 2 == 0 else "M_script01_1")
            line = 1 + (turn + take) % len(_IEMOCAP)
            part = Part(
                "iemocap", f"iemocap-{session:02d}{letter}", "female" if letter == "F" else "male",
                _IEMOCAP[code], f"iemocap/{line}", f"{code}-{take}",
            )  # fmt: skip
            name = f"{dialogue}_{letter}{turn // 2:03d}"
            path = PurePosixPath(f"Session{session}", "sentences", "wav", dialogue, f"{name}.wav")
            clips.append(SynthClip(path, code, letter, part, f"Synthetic line {line}."))
    return clips


def _nemo(speakers: int, count: int) -> list[SynthClip]:
    clips = []
    for place, (speaker, sex) in enumerate(_NEMO_SPEAKERS[:speakers]):
        for code, emotion in _NEMO.items():
            for number in pick(range(1, 91), count, 5 * place):
                part = Part("nemo", f"nemo-{speaker}", sex, emotion, f"nemo/{number}", language="pl")
                path = PurePosixPath("samples", f"{speaker}_{code}_{number}.wav")
                clips.append(SynthClip(path, code, speaker, part, f"To mówi sztuczny głos, zdanie {number}."))
    return clips


def _emodb(speakers: int, count: int) -> list[SynthClip]:
    clips = []
    options = [(sentence, take) for take in "abc" for sentence in _EMODB_SENTENCES]
    for place, (speaker, sex) in enumerate(_EMODB_SPEAKERS[:speakers]):
        for shift, (code, emotion) in enumerate(_EMODB.items()):
            for sentence, take in pick(options, count, 3 * place + shift):
                part = Part(
                    "emodb", f"emodb-{speaker}", sex, emotion, f"emodb/{sentence}", take, language="de"
                )
                path = PurePosixPath("wav", f"{speaker}{sentence}{code}{take}.wav")
                clips.append(SynthClip(path, code, speaker, part))
    return clips


def _alternate(number: int) -> Sex:
    return "female" if number % 2 else "male"


PLANS: Final[Mapping[str, Callable[[int, int], list[SynthClip]]]] = MappingProxyType(
    {
        "cremad": _cremad,
        "ravdess": _ravdess,
        "ravdess-song": _ravdess_song,
        "savee": _savee,
        "tess": _tess,
        "iemocap": _iemocap,
        "nemo": _nemo,
        "emodb": _emodb,
    }
)
"""Corpus id -> its plan: speakers and clips per class in, clips out."""
