"""Manifests of Lhotse: ``recordings.jsonl.gz``, ``supervisions.jsonl.gz`` and ``cuts.jsonl.gz``.

The emotion is ``emotion`` in the custom fields of a supervision, as are facts that Lhotse has no field for.
Files of a part have its name at the end, as ``cuts_train.jsonl.gz``.

References:
    https://lhotse.readthedocs.io/en/latest/corpus.html
"""

import gzip
import json
import re
import zlib
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from ser_pipeline.audio.sound import opened
from ser_pipeline.corpora.columns import MIXED
from ser_pipeline.errors import CorpusError
from ser_pipeline.exchange.hugging_face import part_in
from ser_pipeline.exchange.items import TOLD, VOTES, Foreign, Item, Places, Recordings, Row, by_part

OWN: Final = ("speaker", "gender", "language", "text")
"""Facts that a supervision has fields for."""

LABELS: Final = ("emotion", "emo", "label", "emotion_label")
"""Names of the custom field that holds the emotion."""

_PART: Final = re.compile(r"\.jsonl?(\.gz)?$")

Object = Mapping[str, Any]


def read(path: Path, places: Places) -> Foreign:
    """Read a manifest of cuts, or the recordings and supervisions of a folder.

    Raises:
        CorpusError: there is no manifest, it cannot be read, or no supervision says the emotion.
    """
    files = [path] if path.is_file() else sorted(each for each in path.rglob("*") if _PART.search(each.name))
    cuts = [file for file in files if "cuts" in file.name]
    root = path.parent if path.is_file() else path
    items: list[Item] = []
    channels: dict[str, set[str]] = defaultdict(set)
    recordings: dict[str, Object] = {}
    for file in files:
        if "recordings" in file.name and not cuts:
            recordings |= {str(each["id"]): each for each in _objects(file)}
    for file in cuts or [file for file in files if "supervisions" in file.name]:
        part = part_in(_PART.sub("", file.relative_to(root).as_posix()))
        read_one = _of_cut if cuts else _of_supervision
        try:
            for each in _objects(file):
                items += read_one(each, recordings, part, places)
                for said in each["supervisions"] if cuts else [each]:
                    channels[str(said.get("recording_id"))].add(str(said.get("channel")))
        except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
            raise CorpusError(f"{file}: lacks what a manifest of Lhotse has ({error})") from None
    if not items:
        raise CorpusError(f"{path}: holds no 'cuts*.jsonl.gz', and no 'recordings*' with 'supervisions*'")
    if not any("emotion" in item.facts for item in items):
        raise CorpusError(f"{path}: no supervision has one of {', '.join(LABELS)} in its custom fields")
    several = any(len(each) > 1 for each in channels.values())
    return Foreign(items, remarks=[f"the channel of supervisions {MIXED}"] if several else [])


def _objects(file: Path) -> Iterator[dict[str, Any]]:
    """Objects of a file, one a line."""
    opened = gzip.open if file.suffix == ".gz" else open
    try:
        with opened(file, "rt", encoding="utf-8") as lines:
            for line in lines:
                if line.strip():
                    yield dict(json.loads(line))
    except (OSError, EOFError, zlib.error, ValueError, TypeError) as error:
        raise CorpusError(f"{file}: is not JSON lines ({error})") from None


def _of_cut(cut: Object, recordings: Mapping[str, Object], part: str, places: Places) -> Iterator[Item]:
    for each in cut["supervisions"]:
        moved = {**each, "start": cut["start"] + each["start"]}
        yield _item(moved, cut["recording"], part, places)


def _of_supervision(
    each: Object, recordings: Mapping[str, Object], part: str, places: Places
) -> Iterator[Item]:
    if each["recording_id"] not in recordings:
        yield Item(str(each["recording_id"]), None, {})
    else:
        yield _item(each, recordings[each["recording_id"]], part, places)


def _item(supervision: Object, recording: Object, part: str, places: Places) -> Item:
    source = recording["sources"][0]
    name = str(source["source"])
    custom = supervision.get("custom") or {}
    told = {fact: custom[fact] for fact in custom if fact in TOLD or fact.startswith(VOTES)}
    told |= {fact: supervision[fact] for fact in OWN if supervision.get(fact) is not None}
    told |= {"emotion": next((custom[label] for label in LABELS if label in custom), ""), "part": part}
    start, duration = float(supervision["start"]), float(supervision["duration"])
    if start > 0 or abs(duration - recording["duration"]) > 1e-3:
        told |= {"start": f"{start:.3f}", "end": f"{start + duration:.3f}"}
    place = places.find(name) if source.get("type", "file") == "file" else None
    return Item(name, place, {fact: str(text) for fact, text in told.items() if text not in (None, "")})


def write(folder: Path, rows: Sequence[Row], recordings: Recordings, name: str) -> None:
    """Write recordings, supervisions and cuts, some for each part."""
    for part, own in by_part(rows).items():
        known: dict[str, Object] = {}
        for row in own:
            if row.recording not in known:
                with row.source.open("rb") as handle, opened(handle, str(row.source)) as sound:
                    frames = sound.frames
                known[row.recording] = _recording(row, recordings, frames)
        said = [_supervision(row) for row in own]
        end = f"_{part}.jsonl.gz" if part else ".jsonl.gz"
        _write_objects(folder / f"recordings{end}", list(known.values()))
        _write_objects(folder / f"supervisions{end}", said)
        _write_objects(folder / f"cuts{end}", [_cut(each, known[each["recording_id"]]) for each in said])


def _recording(row: Row, recordings: Recordings, frames: int) -> dict[str, Any]:
    channels = list(range(row.channels))
    return {
        "id": row.recording,
        "sources": [{"type": "file", "channels": channels, "source": recordings.lasting(row)}],
        "sampling_rate": row.sample_rate,
        "num_samples": frames,
        "duration": frames / row.sample_rate,
        "channel_ids": channels,
    }


def _supervision(row: Row) -> dict[str, Any]:
    start = 0.0 if row.segment is None else row.segment.start_s
    custom = {fact: text for fact, text in row.facts.items() if fact not in (*OWN, "start", "end", "part")}
    return {
        "id": row.name,
        "recording_id": row.recording,
        "start": start,
        "duration": row.duration_s,
        "channel": 0 if row.channels == 1 else list(range(row.channels)),
        **{fact: row.facts[fact] for fact in OWN if fact in row.facts},
        "custom": custom,
    }


def _cut(supervision: Object, recording: Object) -> dict[str, Any]:
    several = len(recording["channel_ids"]) > 1
    return {
        "id": supervision["id"],
        "start": supervision["start"],
        "duration": supervision["duration"],
        "channel": supervision["channel"],
        "supervisions": [{**supervision, "start": 0.0}],
        "recording": recording,
        "type": "MultiCut" if several else "MonoCut",
    }


def _write_objects(path: Path, objects: Sequence[Object]) -> None:
    text = "".join(json.dumps(each, ensure_ascii=False) + "\n" for each in objects)
    path.write_bytes(gzip.compress(text.encode("utf-8"), mtime=0))
