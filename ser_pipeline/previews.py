"""What the front end does to a few recordings, step by step, small enough to be drawn without any audio.

``steps.parquet`` lies beside a store of mels. A wave is kept as its outline: the lowest and highest
sample of each of :data:`COLUMNS` stretches of equal length.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from ser_pipeline.arrays import Float32s
from ser_pipeline.atomic import write_parquet
from ser_pipeline.errors import StoreCorrupt

STEPS: Final = "steps.parquet"
COLUMNS: Final = 480


_OUTLINE: Final = pa.list_(pa.float32())
_SCHEMA: Final = pa.schema(
    [
        pa.field("utterance_id", pa.string(), nullable=False),
        pa.field("audio_digest", pa.string(), nullable=False),
        pa.field("seconds", pa.float64(), nullable=False),
        pa.field("trim_start_s", pa.float64(), nullable=False),
        pa.field("trim_end_s", pa.float64(), nullable=False),
        pa.field("level_db", pa.float64(), nullable=False),
        pa.field("decoded", _OUTLINE, nullable=False),
        pa.field("denoised", _OUTLINE, nullable=False),
        pa.field("levelled", _OUTLINE, nullable=False),
        pa.field("frame_s", pa.float64(), nullable=False),
        pa.field("n_mels", pa.int16(), nullable=False),
        pa.field("mel", pa.list_(pa.float32()), nullable=False),
    ]
)


@dataclass(frozen=True)
class ClipSteps:
    """One recording on its way through the front end.

    Attributes:
        utterance_id: of the recording.
        audio_digest: of its bytes.
        seconds: its length.
        trim_start_s: where trimming begins, in seconds of the recording.
        trim_end_s: where it ends.
        level_db: RMS of what trimming kept, in dB of full scale.
        decoded: outline of the wave, shape ``(2, columns)``: lowest, highest.
        denoised: outline after the gate, of the same length.
        levelled: outline of what was kept, at its level.
        frame_s: length of a mel frame, in seconds.
        mel: without padding, shape ``(n_mels, frames)``.
    """

    utterance_id: str
    audio_digest: str
    seconds: float
    trim_start_s: float
    trim_end_s: float
    level_db: float
    decoded: Float32s
    denoised: Float32s
    levelled: Float32s
    frame_s: float
    mel: Float32s


def outline(wave: Float32s) -> Float32s:
    """Lowest and highest sample of each stretch of a wave, shape ``(2, columns)``.

    Examples:
        >>> outline(np.array([0.0, 1.0, -1.0], np.float32)).tolist()
        [[0.0, 1.0, -1.0], [0.0, 1.0, -1.0]]
    """
    if wave.size == 0:
        return np.zeros((2, 1), np.float32)
    edges = np.linspace(0, wave.size, min(COLUMNS, wave.size) + 1).astype(np.int64)[:-1]
    return np.stack([np.minimum.reduceat(wave, edges), np.maximum.reduceat(wave, edges)]).astype(np.float32)


def write_steps(folder: Path, clips: Sequence[ClipSteps]) -> None:
    """Write the steps of a store's chosen recordings."""
    rows = [
        {
            **{name: getattr(clip, name) for name in _SCHEMA.names if name not in ("n_mels", "mel")},
            **{name: getattr(clip, name).ravel() for name in ("decoded", "denoised", "levelled", "mel")},
            "n_mels": len(clip.mel),
        }
        for clip in clips
    ]
    write_parquet(folder / STEPS, pa.Table.from_pylist(rows, _SCHEMA))


def read_steps(folder: Path) -> list[ClipSteps]:
    """Read the steps of a store's chosen recordings; none where it keeps none.

    Raises:
        StoreCorrupt: the file is damaged or another one.
    """
    path = folder / STEPS
    try:
        with pq.ParquetFile(path) as file:  # pq.read_table would load pandas, half a second
            table = file.read()
    except FileNotFoundError:
        return []
    except (pa.ArrowException, OSError) as error:
        reason = str(error).partition("\n")[0]
        raise StoreCorrupt(f"{path}: cannot be read: {reason}; delete it and run 'ser cache mels'") from None
    if not table.schema.equals(_SCHEMA):
        raise StoreCorrupt(f"{path}: is not what a store keeps; delete it and run 'ser cache mels'")
    return [_clip(row) for row in table.to_pylist()]


def _clip(row: dict[str, Any]) -> ClipSteps:
    values = dict(row)
    bands = values.pop("n_mels")
    for name, lines in (("decoded", 2), ("denoised", 2), ("levelled", 2), ("mel", bands)):
        values[name] = np.array(values[name], np.float32).reshape(lines, -1)
    return ClipSteps(**values)
