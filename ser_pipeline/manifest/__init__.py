"""The manifest: one Parquet table of every usable recording, its rejects, and its splits.

    manifests/
        manifest.parquet        one row per usable recording (schema.py)
        rejects.parquet         the others, each with its reason
        splits/<name>.parquet   utterance_id, part, fold
        .probe.parquet          what was read when; may be deleted

``build_manifest`` writes the first two and the default split; everything after it reads them.
"""

from ser_pipeline.manifest.build import build_manifest
from ser_pipeline.manifest.digest import digest_bytes, digest_file
from ser_pipeline.manifest.folds import fold_number, fold_parts, parts_for
from ser_pipeline.manifest.people import SPLIT_COLUMNS
from ser_pipeline.manifest.read import Manifest, read_manifest, read_rejects
from ser_pipeline.manifest.schema import NO_PART, PART_CODES, SCHEMA, SCHEMA_VERSION
from ser_pipeline.manifest.split import Recipe, Split, parse_ratios
from ser_pipeline.manifest.split_files import load_split, read_split, split_names, split_path, write_split
from ser_pipeline.manifest.splits import KINDS, make_split
from ser_pipeline.manifest.summary import BuildSummary, CorpusSummary, refuse_rejects

__all__ = [
    "KINDS",
    "NO_PART",
    "PART_CODES",
    "SCHEMA",
    "SCHEMA_VERSION",
    "SPLIT_COLUMNS",
    "BuildSummary",
    "CorpusSummary",
    "Manifest",
    "Recipe",
    "Split",
    "build_manifest",
    "digest_bytes",
    "digest_file",
    "fold_number",
    "fold_parts",
    "load_split",
    "make_split",
    "parse_ratios",
    "parts_for",
    "read_manifest",
    "read_rejects",
    "read_split",
    "refuse_rejects",
    "split_names",
    "split_path",
    "write_split",
]
