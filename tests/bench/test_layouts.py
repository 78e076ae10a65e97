import numpy as np
import pytest

from ser_pipeline.bench.layouts import CHUNKINGS, _figure


@pytest.mark.parametrize("name", sorted(CHUNKINGS))
def test_every_layout_is_measured(tmp_path, name, rng):
    values = rng.standard_normal((80, 4, 5)).astype(np.float16)
    figure = _figure(values, name, CHUNKINGS[name](values.shape[1:]), tmp_path / "x.h5")
    assert figure.rate > 0
    assert "MiB for 80 clips" in figure.note
