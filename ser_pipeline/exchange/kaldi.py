"""Data folders of Kaldi and ESPnet: ``wav.scp``, ``utt2spk`` and others, one folder for each part.

Kaldi has the words in ``text``, and the emotion in ``utt2emo``. The classification recipes of ESPnet
(``cls1``) have the label in ``text``, and its recipes for understanding the words in ``transcript``.

References:
    https://kaldi-asr.org/doc/data_prep.html
    https://espnet.github.io/espnet/recipe/cls1.html
"""

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Final

from ser_pipeline.corpora.table_formats import lines_of
from ser_pipeline.corpora.tables import read_text
from ser_pipeline.errors import CorpusError, some
from ser_pipeline.exchange.items import Foreign, Item, Places, Recordings, Row, by_part
from ser_pipeline.tables.cells import plural

SCP: Final = "wav.scp"
FILES: Final[Mapping[str, Mapping[str, str]]] = {
    "kaldi": {"emotion": "utt2emo", "text": "text", "language": "utt2lang"},
    "espnet": {"emotion": "text", "text": "transcript", "language": "utt2lang"},
}
"""Format -> fact -> the file that gives it for each utterance."""

SHARED: Final = "all"
"""Name of the folder of recordings that are in no part."""

TO_THE_END: Final = "-1"
"""End of a segment that ends where its recording ends."""


def read(path: Path, places: Places) -> Foreign:
    """Read a data folder, or all those below a folder; their names say the parts.

    A ``text`` is taken for labels where no ``utt2emo`` is beside it.

    Raises:
        CorpusError: there is no ``wav.scp``, recordings are commands or parts of archives, or a file
            that is needed is missing.
    """
    folders = [path] if (path / SCP).is_file() else sorted(found.parent for found in path.rglob(SCP))
    if not folders:
        raise CorpusError(f"{path}: neither it nor a folder below it holds {SCP!r}")
    return Foreign([item for folder in folders for item in _items(folder, path, places)])


def _items(folder: Path, root: Path, places: Places) -> Iterator[Item]:
    recordings = _mapping(folder, SCP)
    odd = [name for name, source in recordings.items() if source.endswith("|") or re.search(r":\d+$", source)]
    if odd:
        raise CorpusError(
            f"{folder / SCP}: names commands or archives instead of files for "
            f"{plural(len(odd), 'recording')} ({some(odd, show=3)}); write them to files first"
        )
    segments = _segments(folder)
    kind = "kaldi" if (folder / "utt2emo").is_file() else "espnet"
    facts = {fact: _mapping(folder, file) for fact, file in FILES[kind].items()}
    facts["speaker"], genders = _mapping(folder, "utt2spk"), _mapping(folder, "spk2gender")
    if not facts["emotion"]:
        raise CorpusError(f"{folder}: nothing says the emotions; it needs 'utt2emo', or labels in 'text'")
    part = "" if folder == root else folder.name
    for utterance in segments or recordings:
        recording, bounds = segments.get(utterance, (utterance, {}))
        told = {fact: texts[utterance] for fact, texts in facts.items() if utterance in texts}
        told |= {"gender": genders.get(told.get("speaker", ""), ""), "part": part, **bounds}
        name = recordings.get(recording, recording)
        yield Item(name, places.find(name), {fact: text for fact, text in told.items() if text})


def _segments(folder: Path) -> dict[str, tuple[str, dict[str, str]]]:
    """Utterance -> its recording and its bounds, which are none where it is all of its recording.

    Raises:
        CorpusError: a line is not an utterance, a recording, a start and an end.
    """
    found = {}
    for name, text in _mapping(folder, "segments").items():
        words = text.split()
        try:
            start, end = map(float, words[1:3])
        except ValueError:
            raise CorpusError(
                f"{folder / 'segments'}: must be an utterance, a recording, a start and an end in seconds; "
                f"found {f'{name} {text}'!r}"
            ) from None
        bounds = {"start": words[1], "end": words[2] if end >= 0 else ""}
        found[name] = words[0], bounds if start or end >= 0 else {}
    return found


def _mapping(folder: Path, name: str) -> dict[str, str]:
    """Lines of a file, each without its first word, by that word; empty where there is no such file.

    Raises:
        CorpusError: it cannot be read, or names something twice.
    """
    path = folder / name
    if not path.is_file():
        return {}
    try:
        lines = [line.split(maxsplit=1) for line in lines_of(read_text(path)) if line.strip()]
    except CorpusError as error:
        raise CorpusError(f"{path}: {error}") from None
    found = {words[0]: (words[1].strip() if len(words) > 1 else "") for words in lines}
    if len(found) < len(lines):
        raise CorpusError(f"{path}: names {plural(len(lines) - len(found), 'line')} a second time")
    return found


def _write(folder: Path, rows: Sequence[Row], recordings: Recordings, name: str, *, kind: str) -> None:
    parts = by_part(rows, SHARED)
    for part, own in parts.items():
        place = folder if list(parts) == [SHARED] else folder / part
        place.mkdir(exist_ok=True)
        _write_part(place, own, recordings, FILES[kind])


def _write_part(folder: Path, rows: Sequence[Row], recordings: Recordings, files: Mapping[str, str]) -> None:
    """Write one data folder, every file sorted by bytes."""
    ids = _words({row.name: f"{row.facts['speaker']}-{row.name}" for row in rows})
    names = _words({row.recording: row.recording for row in rows})
    said: dict[str, dict[str, str]] = {SCP: {}, "segments": {}, "spk2gender": {}}
    voices: dict[str, list[str]] = defaultdict(list)
    parts = any(row.segment for row in rows)
    for row in rows:
        utterance, speaker = ids[row.name], _word(row.facts["speaker"])
        recording = names[row.recording] if parts else utterance
        said[SCP][recording] = recordings.absolute(row)
        if parts:
            start, end = (row.facts.get("start") or "0", row.facts.get("end") or TO_THE_END)
            said["segments"][utterance] = f"{recording} {start} {end}"
        for fact, file in files.items():
            if text := " ".join(row.facts.get(fact, "").split()):
                said.setdefault(file, {})[utterance] = text
        if (gender := row.facts.get("gender", "")) in ("female", "male"):
            said["spk2gender"][speaker] = gender[0]
        said.setdefault("utt2spk", {})[utterance] = speaker
        voices[speaker].append(utterance)
    said["spk2utt"] = {speaker: " ".join(sorted(own, key=str.encode)) for speaker, own in voices.items()}
    for file, lines in said.items():
        text = "".join(f"{name} {lines[name]}\n" for name in sorted(lines, key=str.encode))
        if text:
            (folder / file).write_text(text, encoding="utf-8", newline="\n")


def _words(names: Mapping[str, str]) -> dict[str, str]:
    """Names as single words; a number tells apart those that would be the same."""
    found: dict[str, str] = {}
    taken: set[str] = set()
    for key, name in names.items():
        word = plain = _word(name)
        number = 2
        while word in taken:
            word = f"{plain}-{number}"
            number += 1
        taken.add(word)
        found[key] = word
    return found


def _word(name: str) -> str:
    """A name without white space and slashes.

    Examples:
        >>> _word("emodb/wav/03 a")
        'emodb_wav_03_a'
    """
    return re.sub(r"[\s/\\]+", "_", name)


read_kaldi = read_espnet = read
write_kaldi = partial(_write, kind="kaldi")
write_espnet = partial(_write, kind="espnet")
