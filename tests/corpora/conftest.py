"""Every official file name of seven corpora, rebuilt from what is regular about them.

The test marked ``real`` compares these lists with the published ones where those are at hand.
"""

from collections.abc import Callable, Iterable
from itertools import product
from pathlib import Path, PurePosixPath

import pytest

from ser_pipeline.records import Reject, Utterance

NAMES = Path(__file__).parent / "names"

CREMAD_NEVER_RECORDED = {
    "1002_TIE_NEU_XX",
    "1076_ITS_NEU_XX",
    *(f"1008_WSI_{code}_XX" for code in ("ANG", "DIS", "FEA", "HAP", "NEU", "SAD")),
    *(f"1009_MTI_{code}_XX" for code in ("ANG", "DIS", "FEA", "HAP", "NEU", "SAD")),
    *(f"1019_ITH_{code}_XX" for code in ("ANG", "DIS", "FEA", "HAP", "NEU", "SAD")),
}

NEMO_SPEAKERS = ("EB0", "IC0", "KD0", "KS0", "MK0", "MP0", "SM0", "TP0", "WR0")
NEMO_EMOTIONS = ("anger", "fear", "happiness", "neutral", "sadness", "surprised")
NEMO_LACKS = {
    "EB0_surprised": "40",
    "SM0_fear": "18",
    "SM0_happiness": "31",
    "TP0_surprised": "75",
    "WR0_neutral": "11",
    "MP0_sadness": "3 4 13 17 18 21 24 25 26 27 28 29 30 31 32 33 34 35 36 37 38 39 40 41 44 47 54 55 58 59 "
    "61 65 67 73 74 76 80 81 82 85 90",
}
NEMO_HAS = {
    "MK0_surprised": "",
    "MP0_anger": "2 4 5 6 8 9 10 14 17 18 24 27 32 36 40 41 42 44 46 54 55 56 65 68 69 70 71 73 85",
    "MP0_fear": "1 2 3 4 5 8 12 14 21 23 28 30 33 35 41 47 61",
    "MP0_happiness": "1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 37 40 47 52 55 58 61 67 77",
    "MP0_surprised": "8 12 14 16 17 18 21 23 24 25 27 28 29 30 32 33 34 35 37 39 40 41 44 48 52 53 54 64 66 "
    "67 68 69 70 72 73 74 80 84 85 87 90",
}


def refusal(row: Utterance | Reject) -> str:
    """Why a recording is rejected."""
    assert isinstance(row, Reject)
    return row.reason


def cremad() -> Iterable[str]:
    sentences = ("DFA", "IEO", "IOM", "ITH", "ITS", "IWL", "IWW", "MTI", "TAI", "TIE", "TSI", "WSI")
    emotions = ("ANG", "DIS", "FEA", "HAP", "NEU", "SAD")
    for actor, sentence, emotion in product(range(1001, 1092), sentences, emotions):
        for level in ("LO", "MD", "HI") if sentence == "IEO" and emotion != "NEU" else ("XX",):
            clip = f"{actor}_{sentence}_{emotion}_{level}"
            if clip not in CREMAD_NEVER_RECORDED:
                yield f"AudioWAV/{clip}.wav"


def ravdess() -> Iterable[str]:
    return _ravdess("01", range(1, 9), range(1, 25))


def ravdess_song() -> Iterable[str]:
    return _ravdess("02", range(1, 7), [actor for actor in range(1, 25) if actor != 18])


def _ravdess(channel: str, emotions: Iterable[int], actors: Iterable[int]) -> Iterable[str]:
    for actor, emotion, *rest in product(actors, emotions, (1, 2), (1, 2), (1, 2)):
        intensity, statement, repetition = rest
        if (emotion, intensity) != (1, 2):
            codes = (emotion, intensity, statement, repetition, actor)
            yield f"Actor_{actor:02d}/03-{channel}-" + "-".join(f"{code:02d}" for code in codes) + ".wav"


def savee() -> Iterable[str]:
    for speaker, emotion in product(("DC", "JE", "JK", "KL"), ("a", "d", "f", "h", "n", "sa", "su")):
        for number in range(1, 31 if emotion == "n" else 16):
            yield f"AudioData/{speaker}/{emotion}{number:02d}.wav"


def tess() -> Iterable[str]:
    older = ("Fear", "Pleasant_surprise", "Sad", "angry", "disgust", "happy", "neutral")
    younger = ("angry", "disgust", "fear", "happy", "neutral", "pleasant_surprised", "sad")
    folders = [f"OAF_{emotion}" for emotion in older] + [f"YAF_{emotion}" for emotion in younger]
    for folder, word in product(folders, (NAMES / "tess_words.txt").read_text().split()):
        actress, emotion = folder.lower().split("_", 1)
        code = "ps" if "surprise" in emotion else emotion
        prefix = "OA" if (folder, word) == ("OAF_neutral", "bite") else actress.upper()
        yield f"{folder}/{prefix}_{word}_{code}.wav"


def nemo() -> Iterable[str]:
    for speaker, emotion in product(NEMO_SPEAKERS, NEMO_EMOTIONS):
        key = f"{speaker}_{emotion}"
        lacks = NEMO_LACKS.get(key, "").split()
        for number in NEMO_HAS[key].split() if key in NEMO_HAS else map(str, range(1, 91)):
            if number not in lacks:
                yield f"samples/{key}_{number}.wav"


def emodb() -> Iterable[str]:
    for line in (NAMES / "emodb.txt").read_text().splitlines():
        sentence, *ends = line.split()
        yield from (f"wav/{sentence}{end}.wav" for end in ends)


LISTS: dict[str, Callable[[], Iterable[str]]] = {
    "cremad": cremad,
    "ravdess": ravdess,
    "ravdess-song": ravdess_song,
    "savee": savee,
    "tess": tess,
    "nemo": nemo,
    "emodb": emodb,
}


@pytest.fixture(scope="session")
def official_names() -> dict[str, list[PurePosixPath]]:
    """Corpus id -> official paths, complete, of every corpus but the licensed one (IEMOCAP)."""
    return {corpus: [PurePosixPath(path) for path in make()] for corpus, make in LISTS.items()}


@pytest.fixture
def put(tmp_path: Path) -> Callable[..., Path]:
    """Write files below ``tmp_path``; a recording needs no content, since none is opened."""

    def write(*paths: str, **texts: str | bytes) -> Path:
        for path in paths:
            file = tmp_path / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.touch()
        for path, text in texts.items():
            file = tmp_path / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(text.encode() if isinstance(text, str) else text)
        return tmp_path

    return write
