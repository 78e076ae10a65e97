"""Experiments: what varies, trained once each, and what follows for the claims.

An experiment is a TOML file (:mod:`ser_pipeline.experiments.spec`). Its cells are training runs, one
per arm, protocol and seed, kept below ``runs/experiments``::

    cells/<key>/             the run's folder, named by all that decides it; cell.json is written last
    <name>/cells.parquet     one row per cell: settings, scores, seconds, status
    <name>/findings.json     what follows for the claims; the report and ``show`` read this alone
"""
