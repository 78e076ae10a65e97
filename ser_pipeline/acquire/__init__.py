"""Corpora on a disk: what is there, and whether it is as published."""

from ser_pipeline.acquire.check import Finding, check_corpora
from ser_pipeline.acquire.holdings import Holding, holdings, missing, state_of

__all__ = ["Finding", "Holding", "check_corpora", "holdings", "missing", "state_of"]
