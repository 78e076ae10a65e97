"""Corpora on a disk: downloaded, found, and compared with what is published of them."""

from ser_pipeline.acquire.check import Finding, Holding, check_corpora, holdings, missing, state_of

__all__ = ["Finding", "Holding", "check_corpora", "holdings", "missing", "state_of"]
