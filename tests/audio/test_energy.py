import numpy as np
import pytest

from ser_pipeline.audio.energy import block_energies, energy


def test_energy_is_the_sum_of_squares_in_double_precision(rng):
    wave = rng.standard_normal(50_001).astype(np.float32)
    assert energy(wave) == pytest.approx(float(np.sum(wave.astype(np.float64) ** 2)), rel=1e-13)


@pytest.mark.parametrize("samples", [0, 1, 511, 512, 513, 5_000])
def test_blocks_sum_to_the_whole(rng, samples):
    wave = rng.standard_normal(samples).astype(np.float32)
    blocks = block_energies(wave, 512)
    assert len(blocks) == -(-samples // 512)
    assert blocks.sum() == pytest.approx(energy(wave), rel=1e-13)
    assert blocks[1:-1] == pytest.approx([energy(wave[i : i + 512]) for i in range(512, samples - 512, 512)])
