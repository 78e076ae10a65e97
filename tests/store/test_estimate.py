import pytest

from ser_pipeline.options import EmbeddingOptions, FrontEnd
from ser_pipeline.store.estimate import build_seconds


def test_a_large_encoder_takes_hours_on_a_processor(monkeypatch):
    def takes(depth, width, *layers):
        options = EmbeddingOptions(encoder="x", device="cpu", depth=depth, width=width, layers=layers)
        return build_seconds(options, 10_000)

    base = takes(6, 512, *range(7))
    assert takes(6, 512, 3) == pytest.approx(base / 2)  # nothing is computed above
    assert takes(32, 1280, *range(33)) / base == pytest.approx(32 * 1280**2 / (6 * 512**2))
    assert takes(32, 1280, *range(33)) > 3600 > base
    assert takes(2, 16, 2) == pytest.approx(base / 5)  # recordings are read all the same
    assert takes(0, 0) == base  # not yet read
    assert 0 < build_seconds(FrontEnd(), 10_000) < base
    monkeypatch.setattr("ser_pipeline.store.estimate.chosen_device", lambda _: "cuda")
    assert takes(32, 1280, 32) < base / 5
