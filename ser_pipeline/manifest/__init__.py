"""The manifest: one Parquet table of every usable recording, and its rejects.

    manifests/
        manifest.parquet        one row per usable recording (schema.py)
        rejects.parquet         the others, each with its reason
        splits/<name>.parquet   utterance_id, part, fold
        .probe.parquet          what was read when; may be deleted

``build.write_manifest`` writes the first two, :mod:`ser_pipeline.splits` the third; everything after reads
them, and loads nothing of the corpora.
"""

from ser_pipeline.manifest.digest import digest_bytes, digest_file
from ser_pipeline.manifest.read import Manifest, read_manifest, read_rejects
from ser_pipeline.manifest.schema import NO_PART, PART_CODES, SCHEMA, SCHEMA_VERSION

__all__ = [
    "NO_PART",
    "PART_CODES",
    "SCHEMA",
    "SCHEMA_VERSION",
    "Manifest",
    "digest_bytes",
    "digest_file",
    "read_manifest",
    "read_rejects",
]
