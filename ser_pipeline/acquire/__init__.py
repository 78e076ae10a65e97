"""Where recordings come from: synthetic corpora (:mod:`ser_pipeline.acquire.synth`)."""
