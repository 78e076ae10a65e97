import pytest

from ser_pipeline.bench.scale import figures


@pytest.mark.slow
def test_every_step_is_measured_at_every_size(tmp_path):
    found = list(figures(tmp_path, keys=(5_000,), clips=(40,)))
    assert [figure.work for figure in found] == [
        "read 5,000",
        "validate 5,000",
        "split 5,000",
        "index 5,000",
        "status 5,000",
        "complete 5,000",
        "cache 40",
    ]
    assert all(figure.rate > 0 and "MiB" in figure.note for figure in found)
