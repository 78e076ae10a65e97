from ser_pipeline.acquire.synth.seeds import named_rng


def test_a_stream_depends_on_every_part_of_its_name():
    streams = {named_rng(*name).random() for name in [(1, "a"), (2, "a"), (1, "b"), (1, "a", ""), ("1a",)]}
    assert len(streams) == 5


def test_a_name_always_gives_the_same_stream():
    assert named_rng(3, "x").integers(1 << 40) == named_rng(3, "x").integers(1 << 40)
