"""The page ``docs/formats.md``: every file that is written, from the code. ``make docs`` prints it."""

import inspect
import re
import sys
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import h5py
import numpy as np
import pyarrow as pa
from pydantic import BaseModel

from ser_pipeline.audio.quality import Quality
from ser_pipeline.front_end import Layout
from ser_pipeline.labels import DIMENSIONS, EMOTIONS
from ser_pipeline.manifest import probe_cache, schema
from ser_pipeline.manifest.doctor import DOCTOR_SCHEMA
from ser_pipeline.manifest.probe import Probe
from ser_pipeline.previews import _SCHEMA as STEPS_SCHEMA
from ser_pipeline.previews import ClipSteps
from ser_pipeline.records import VOCABULARIES
from ser_pipeline.runs.card import Member, ModelCard
from ser_pipeline.runs.curves import METRIC_COLUMNS, RATING_COLUMNS
from ser_pipeline.runs.explanation import Explanation, Shares
from ser_pipeline.runs.internals import _ATTENTION_SCHEMA as ATTENTION_SCHEMA
from ser_pipeline.runs.internals import AttendedClip
from ser_pipeline.runs.predictions import prediction_schema
from ser_pipeline.runs.ratings import Estimate, RatedPart, RatingScores, VoteScores
from ser_pipeline.runs.types import (
    Certainty,
    ClassScore,
    GroupScores,
    Latency,
    PartScores,
    RunInfo,
    RunScores,
    Scores,
    SplitInfo,
)
from ser_pipeline.store.build import _SOURCES as SOURCES_SCHEMA
from ser_pipeline.store.index import SCHEMA as INDEX_SCHEMA
from ser_pipeline.store.shard import ShardRows, write_shard

TEXT = Path(__file__).with_name("formats.template").read_text(encoding="utf-8")
"""The page with a name in braces, alone on its line, where a table goes."""


def words_of(kind: type) -> dict[str, str]:
    """What a class says of its fields: in ``Attributes:`` of its docstring, or in the field itself."""
    said = inspect.getdoc(kind) or ""
    block = re.search(r"\nAttributes:\n(.*?)(?:\n\n|\Z)", said, re.DOTALL)
    lines = re.sub(r"\n {6,}", " ", block[1]) if block else ""
    found = dict(re.findall(r"^ {4}(\w+): (.*)$", lines, re.MULTILINE))
    if issubclass(kind, BaseModel):
        found |= {name: field.description for name, field in kind.model_fields.items() if field.description}
    return {name: words.replace("``", "`").removesuffix(".") for name, words in found.items()}


def table(rows: Iterable[tuple[str, str, str]], first: str = "column") -> str:
    """A table of names, types and words."""
    lines = [f"| {first} | type | |", "| --- | --- | --- |"]
    lines += [f"| `{name}` | {kind} | {words.replace('|', '&#124;')} |" for name, kind, words in rows]
    return "\n".join(lines)


def columns(found: pa.Schema, words: Mapping[str, str]) -> str:
    """The columns of a Parquet file; each must have its words."""
    return table(
        (field.name, f"{_stored(field.type)}{'?' * field.nullable}", words[field.name]) for field in found
    )


def _stored(kind: pa.DataType) -> str:
    if pa.types.is_list(kind):
        return f"list of {_stored(kind.value_type)}"
    return {"float": "float32", "double": "float64"}.get(str(kind), str(kind))


def keys(kind: type[BaseModel]) -> str:
    """The keys of a JSON object; each must have its words."""
    words = words_of(kind) | {"schema_version": "of this file's form"}
    types = kind.model_json_schema(mode="serialization")["properties"]
    rows = (
        (name, _typed(types[name]), re.sub(r"\bNone\b", "null", words[name])) for name in kind.model_fields
    )
    return table(rows, "key")


def _typed(schema: Mapping[str, Any]) -> str:
    """A type of JSON, in words."""
    kinds = dict.fromkeys(each.get("type", "object") for each in schema.get("anyOf", [schema]))
    short = {"integer": "int", "number": "float", "boolean": "bool", "array": "list"}
    said = " or ".join(short.get(kind, kind) for kind in kinds if kind != "null")
    return said + "?" * ("null" in kinds)


def shard_tables() -> dict[str, str]:
    """Attributes and data sets of shards, read off one of each form."""
    attributes, sets = {}, {}
    with TemporaryDirectory() as folder:
        for ragged in (False, True):
            layout = Layout("values", (2,), np.float64, "as `values` says", ("a", "b"), ("1", "1"), ragged)
            rows = ShardRows(
                np.zeros((1, 2), np.float32),
                np.ones(1, np.int16),
                np.zeros(1, np.float32),
                np.array([b"0" * 32]),
                np.zeros(1, np.int16),
                np.array([b""]),
                (("1" * 32, "reason"),),
                ragged,
            )
            path = Path(folder) / f"shard-{ragged:05d}.h5"
            write_shard(path, rows, layout=layout, name="0" * 16, described={"kind": "mels"})
            with h5py.File(path) as file:
                attributes |= dict(file.attrs)
                sets |= {name: each.dtype for name, each in file.items()}
    said = (
        (name, type(value).__name__.replace("str", "string"), SHARD_ATTRIBUTES[name])
        for name, value in sorted(attributes.items())
    )
    return {
        "shard_attributes": table(said, "attribute"),
        "shard_sets": table(
            ((name, _kept(sets[name]), SHARD_SETS[name]) for name in sorted(sets)), "data set"
        ),
    }


def _kept(each: np.dtype[Any]) -> str:
    if each.kind == "O":
        return "string"
    return (
        f"{each.itemsize} bytes" if each.kind == "S" else "the store's" if each == np.float64 else str(each)
    )


EMOTION_IDS = ", ".join(f"{number} {name}" for number, name in enumerate(EMOTIONS))


def valid(name: str) -> str:
    """The values that a column may have."""
    return ", ".join(f"`{each}`" for each in VOCABULARIES[name])


MANIFEST = {
    "utterance_id": "`<corpus>/<official path without suffix>`, whatever folders the file was found in; of a [segment](manifest.md#segments) with its bounds",
    "corpus": "corpus id",
    "path": "relative to `--data`; absolute where a recording of [a table](manifest.md#your-own-recordings-in-a-table) lies outside it",
    "audio_digest": "BLAKE2b (128 bits) of the file's bytes, and of its `decoder` if there is one; key of the feature store",
    "source_label": "the corpus's own code",
    "emotion_id": f"{EMOTION_IDS}, -1 other",
    "intensity": valid("intensity"),
    "speaker_id": "`<corpus>-<id>`; RAVDESS's singers are its speakers",
    "session_id": "people in one session can be heard in each other's recordings, so splits keep them together; "
    "one that begins with a slash holds in all corpora",
    "gender": valid("gender"),
    "age": "in years",
    "language": "BCP 47 tag",
    "modality": valid("modality"),
    "style": valid("style"),
    "sentence_id": "which of the corpus's sentences was said",
    "text": "what was said",
    "take": "which attempt it is",
    "duration_s": "according to the header; of a segment its own",
    "sample_rate": "in Hz, according to the header",
    "channels": "according to the header",
    **dict.fromkeys(DIMENSIONS, "mean rating of the listeners, in [-1, 1]"),
    "votes": "emotion id -> number of raters who chose it",
    "agreement": "share of raters who gave the most frequent answer, in [0, 1]",
    "naturalness": "share of listeners who found it natural, in [0, 1]",
    "rated_intensity": "raters' mean intensity, in [0, 1]",
    "start_s": "of a [segment](manifest.md#segments), in seconds of its recording; null for a whole recording",
    "end_s": "likewise",
    "part": f"as published by the corpus: {valid('part')}",
    "fold": "as published by the corpus",
    "decoder": "`ffmpeg` with its version, where libsndfile [cannot decode](manifest.md#formats) the recording",
    "channel": "the channel, from 1 on, that is [used alone](front-end.md#one-wave) because the channels cancel each other; null where all are used, in segments, and where the recording was not decoded (`--decode`)",
}
REJECTS = {
    "corpus": "corpus id, or `unknown`",
    "path": "relative to `--data`",
    "reason": "[why it cannot be used](manifest.md#rejects), in one line",
}
SPLITS = {
    "utterance_id": "of the manifest",
    "part": f"{valid('part')}; in splits with folds always `test`",
    "fold": "the fold that tests the clip; null in splits without folds",
}
SHARD_ATTRIBUTES = {
    "schema": "version of the shard's form",
    "kind": "of the store: `mels`, `features`, `embeddings`, ...",
    "values": "name of the data set that holds the values: `mels`, `features`, `embeddings` or `steps`",
    "ragged": "there, and true, where a row has as many steps as `frames` says",
    "fingerprint": "name of the store's folder",
    "provenance": "all that the fingerprint is made of, as JSON: kind, algorithm, settings, libraries",
    "tool_version": "version of the program that wrote it",
    "key_checksum": "digest of all data sets but the values",
}
SHARD_SETS = {
    "values": "one row for each clip, under the name that the attribute `values` says; where rows are ragged, their steps one after another",
    "frames": "frames that hold sound; the rest of the row is padding",
    "level_db": "level before it was adjusted, in dB of full scale",
    "audio_digest": "of the recording, as in the manifest",
    "variant": "0 is the clean clip; others are random [changes](training.md#random-changes-to-clips)",
    "aspect": "`speech` or `song` where the values depend on it; else empty",
    "checksum": "CRC-32 of the row",
    "feature_name": "names of the columns of a vector; only in stores of features",
    "feature_unit": "their units, likewise",
    "failed_digest": "recordings that could not be used",
    "failed_reason": "why, in the same order",
}
INDEX = {
    "audio_digest": SHARD_SETS["audio_digest"],
    "variant": SHARD_SETS["variant"],
    "aspect": SHARD_SETS["aspect"],
    "shard": "number of the shard",
    "row": "in the shard, from 0 on; -1 for a recording that could not be used",
    "frames": SHARD_SETS["frames"],
    "level_db": SHARD_SETS["level_db"],
    "failed": "the recording could not be used",
    "reason": "why",
}
SOURCES = {"path": "as in the manifest", "audio_digest": "of the bytes that stood there"}
DOCTOR = {
    "audio_digest": "of the manifest",
    "bits": "16 bits for each frame of 16 ms, by which [copies](manifest.md#examine-the-recordings) are found; none for a recording below 0.32 s",
    "active": "a bit for each frame: whether something is heard",
    "signs": "a bit for each sample at 4 kHz: whether it is above zero",
    "problem": "why the recording cannot be decoded; nothing else is known then",
}
PREDICTIONS = {
    "utterance_id": "of the manifest",
    "part": valid("part"),
    "fold": "that tested the clip; null without folds",
    "target": "true class, counted from 0 in the order of the run's `emotions`",
    "predicted": "decided class, likewise",
    "p_<emotion>": "probability of the emotion at the model's [temperature](evaluation.md#calibration-and-abstaining)",
}
ATTENTION = {
    **words_of(AttendedClip),
    "n_mels": "rows of the mel",
    "mel": "as the network was given it, without padding, row after row",
    "moved_rows": "rows of `moved`; 0 where the run was not explained",
    "moved": "how far the log-odds of the decision fall when a patch of the mel is taken away, row after row, low bands first",
}
STEPS = {
    **words_of(ClipSteps),
    "n_mels": "rows of the mel",
    "mel": "without padding, row after row",
    **{
        name: f"{words_of(ClipSteps)[name].partition(',')[0]}: all lowest samples, then all highest"
        for name in ("decoded", "denoised", "levelled")
    },
}


def tables() -> Iterator[tuple[str, str]]:
    """Name in the template -> the table that goes there."""
    yield "manifest", columns(schema.SCHEMA, MANIFEST)
    yield "rejects", columns(schema.REJECT_SCHEMA, REJECTS)
    yield "splits", columns(schema.SPLIT_SCHEMA, SPLITS)
    yield "doctor", columns(DOCTOR_SCHEMA, words_of(Quality) | DOCTOR)
    yield (
        "probe",
        columns(probe_cache.PROBE_SCHEMA, {"path": "relative to the data folder", **words_of(Probe)}),
    )
    yield from shard_tables().items()
    yield "index", columns(_whole(INDEX_SCHEMA, but=("reason",)), INDEX)
    yield "sources", columns(_whole(SOURCES_SCHEMA), SOURCES)
    yield "steps", columns(STEPS_SCHEMA, STEPS)
    yield "predictions", columns(prediction_schema(("<emotion>",)), PREDICTIONS)
    yield "attention", columns(ATTENTION_SCHEMA, ATTENTION)
    yield "metric_columns", ", ".join(f"`{name}`" for name in METRIC_COLUMNS)
    yield "rating_columns", ", ".join(f"`{name}`" for name in RATING_COLUMNS)
    for kind in (
        RunInfo,
        SplitInfo,
        RunScores,
        PartScores,
        Scores,
        ClassScore,
        GroupScores,
        Estimate,
        VoteScores,
    ):
        yield kind.__name__, keys(kind)
    for kind in (RatedPart, RatingScores, Certainty, ModelCard, Member, Latency, Explanation, Shares):
        yield kind.__name__, keys(kind)


def _whole(found: pa.Schema, but: Collection[str] = ()) -> pa.Schema:
    """A schema that leaves open what may be null, with what never is."""
    return pa.schema([field.with_nullable(field.name in but) for field in found])


def formats_page() -> str:
    """The page, as Markdown."""
    return TEXT.format_map(dict(tables()))


if __name__ == "__main__":
    sys.stdout.write(formats_page())
