"""From a wave to the arrays that networks learn from."""

from ser_pipeline.dsp.mel import log_mel, mel_filters

__all__ = ["log_mel", "mel_filters"]
