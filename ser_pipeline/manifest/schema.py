"""The columns of the manifest and of the files beside it; one version for all of them."""

from typing import Final, get_args

import pyarrow as pa

from ser_pipeline.labels import EMOTIONS, OTHER
from ser_pipeline.records import PARTS, Gender, Intensity, Modality, Style

SCHEMA_VERSION: Final = 1
"""Raised whenever a column is added, dropped or changes its meaning."""


def _required(name: str, kind: pa.DataType) -> pa.Field:
    return pa.field(name, kind, nullable=False)


SCHEMA: Final[pa.Schema] = pa.schema(
    [
        _required("utterance_id", pa.string()),
        _required("corpus", pa.string()),
        _required("path", pa.string()),
        _required("audio_digest", pa.string()),
        _required("source_label", pa.string()),
        _required("emotion_id", pa.int8()),
        _required("intensity", pa.string()),
        _required("speaker_id", pa.string()),
        pa.field("session_id", pa.string()),
        _required("gender", pa.string()),
        pa.field("age", pa.int16()),
        _required("language", pa.string()),
        _required("modality", pa.string()),
        _required("style", pa.string()),
        pa.field("sentence_id", pa.string()),
        pa.field("text", pa.string()),
        pa.field("take", pa.string()),
        _required("duration_s", pa.float64()),
        _required("sample_rate", pa.int32()),
        _required("channels", pa.int16()),
        pa.field("valence", pa.float32()),
        pa.field("arousal", pa.float32()),
        pa.field("dominance", pa.float32()),
        pa.field("votes", pa.map_(pa.int8(), pa.int16())),
        pa.field("agreement", pa.float32()),
        pa.field("naturalness", pa.float32()),
        pa.field("rated_intensity", pa.float32()),
    ]
)
"""``manifest.parquet``: one row per usable recording, sorted by ``utterance_id``."""

REJECT_SCHEMA: Final[pa.Schema] = pa.schema(
    [_required("corpus", pa.string()), _required("path", pa.string()), _required("reason", pa.string())]
)
"""``rejects.parquet``: one row per recording that can't be used, sorted by ``path``."""

SPLIT_SCHEMA: Final[pa.Schema] = pa.schema(
    [_required("utterance_id", pa.string()), _required("part", pa.string()), pa.field("fold", pa.int16())]
)
"""``splits/<name>.parquet``: one row per recording; ``fold`` is the fold that tests it."""

EMOTION_NAMES: Final = (*EMOTIONS, OTHER)
"""Names by id, as sequences are indexed: the id of ``other``, -1, is the last place."""

MEASURED: Final = ("audio_digest", "duration_s", "sample_rate", "channels")
"""Columns read off the recording itself; the others come from the corpus."""

VOCABULARIES: Final[dict[str, tuple[str, ...]]] = {
    "intensity": get_args(Intensity),
    "gender": get_args(Gender),
    "modality": get_args(Modality),
    "style": get_args(Style),
}
"""Column -> the only values it may hold."""

PART_CODES: Final[dict[str, int]] = {part: code for code, part in enumerate(PARTS)}
"""Part -> its number in :func:`ser_pipeline.manifest.parts_for`."""

NO_PART: Final = -1
"""Number of a recording that a split leaves out."""

RATINGS: Final[dict[str, tuple[float, float]]] = {
    "valence": (-1.0, 1.0),
    "arousal": (-1.0, 1.0),
    "dominance": (-1.0, 1.0),
    "agreement": (0.0, 1.0),
    "naturalness": (0.0, 1.0),
    "rated_intensity": (0.0, 1.0),
}
"""Column -> the range it must lie in."""
