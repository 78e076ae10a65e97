"""A synthetic voice, and small corpora spoken by it in the official layouts."""

from ser_pipeline.acquire.synth.folders import FOLDERS, MARKER
from ser_pipeline.acquire.synth.layouts import SIZES
from ser_pipeline.acquire.synth.make import DEFAULT_SIZE, SynthSummary, plan, synth
from ser_pipeline.acquire.synth.perform import synth_recording
from ser_pipeline.acquire.synth.room import ROOMS

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
