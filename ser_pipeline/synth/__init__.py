"""A synthetic voice, and small corpora spoken by it in the official layouts."""

from ser_pipeline.synth.folders import FOLDERS, MARKER
from ser_pipeline.synth.layouts import SIZES
from ser_pipeline.synth.make import DEFAULT_SIZE, SynthSummary, plan, synth
from ser_pipeline.synth.perform import synth_recording
from ser_pipeline.synth.voice import ROOMS

__all__ = [
    "DEFAULT_SIZE",
    "FOLDERS",
    "MARKER",
    "ROOMS",
    "SIZES",
    "SynthSummary",
    "plan",
    "synth",
    "synth_recording",
]
