"""Splits: which clips train a model, tune it, and test it; no speaker is in two parts.

Made from a manifest (:mod:`ser_pipeline.splits.make`) or imported as published, kept as
``manifests/splits/<name>.parquet``, and checked for leaks whenever they are read.
"""

from ser_pipeline.splits.leaks import SPLIT_COLUMNS
from ser_pipeline.splits.make import KINDS, make_split
from ser_pipeline.splits.parts import fold_number, parts_for
from ser_pipeline.splits.split import (
    Split,
    SplitRecipe,
    load_split,
    parse_ratios,
    read_split,
    split_names,
    split_path,
    write_split,
)

__all__ = [
    "KINDS",
    "SPLIT_COLUMNS",
    "Split",
    "SplitRecipe",
    "fold_number",
    "load_split",
    "make_split",
    "parse_ratios",
    "parts_for",
    "read_split",
    "split_names",
    "split_path",
    "write_split",
]
