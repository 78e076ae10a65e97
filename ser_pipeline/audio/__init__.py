"""From a recording to a mono float32 wave: decode, gate, trim, level."""

from ser_pipeline.audio.decode import Recording, decode_bytes, decode_file, read_recording, read_segment
from ser_pipeline.audio.prepare import Prepared, active_span, prepare, rms_db, to_level
from ser_pipeline.dsp.gate import spectral_gate

__all__ = [
    "Prepared",
    "Recording",
    "active_span",
    "decode_bytes",
    "decode_file",
    "prepare",
    "read_recording",
    "read_segment",
    "rms_db",
    "spectral_gate",
    "to_level",
]
