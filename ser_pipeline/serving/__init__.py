"""One recording in, one prediction out: files, streams, exported models, the demo.

Nothing is imported here, so that a command loads only what it uses; see
:mod:`ser_pipeline.serving.load` for the way in.
"""
