import numpy as np
import pytest
from numpy.testing import assert_allclose

from ser_pipeline.audio.prepare import block_energies, energy
from ser_pipeline.dsp import compiled, gate, mel, plain
from ser_pipeline.options import FrontEnd

RATE = 22_050


@pytest.fixture
def wave(rng):
    """Four seconds with pauses, of which digital silence is one."""
    time = np.arange(4 * RATE) / RATE
    sound = np.sin(2 * np.pi * 200 * time) * np.sin(2 * np.pi * 1.5 * time) + 0.02 * rng.standard_normal(
        time.size
    )
    sound[RATE : RATE + 9_000] = 0
    return (0.2 * sound).astype(np.float32)


@pytest.mark.parametrize("samples", [1_000, 20_000, 20_256, 4 * RATE])
@pytest.mark.parametrize("prop_decrease", [1.0, 0.4])
def test_the_gate_is_the_compiled_one_but_for_rounding(wave, samples, prop_decrease, monkeypatch):
    given = wave[:samples], RATE
    expected = gate.spectral_gate(*given, prop_decrease=prop_decrease)
    for name in ("analyse", "average_forwards", "mask_backwards", "synthesise"):
        monkeypatch.setattr(gate, name, getattr(plain, name))
    found = gate.spectral_gate(*given, prop_decrease=prop_decrease)
    assert_allclose(found, expected, rtol=0, atol=2e-6, equal_nan=False)


def test_so_it_is_between_chunks(rng, monkeypatch):
    monkeypatch.setattr(gate, "CHUNK", 40_000)
    test_the_gate_is_the_compiled_one_but_for_rounding(
        0.1 * rng.standard_normal(130_001).astype(np.float32), 130_001, 1.0, monkeypatch
    )


@pytest.mark.parametrize("samples", [1, 511, 512, 513, 20_000])
def test_levels_are_the_compiled_ones_but_for_rounding(wave, samples):
    part = wave[:samples]
    assert plain.energy(part) == pytest.approx(energy(part), rel=1e-12)
    assert plain.block_energies(part, 512) == pytest.approx(block_energies(part, 512), rel=1e-12)


def test_without_samples_there_are_no_blocks():
    nothing = np.zeros(0, np.float32)
    assert plain.block_energies(nothing, 512).size == block_energies(nothing, 512).size == 0


def test_mels_are_the_compiled_ones_but_for_rounding(wave, monkeypatch):
    expected = mel.log_mel(wave, FrontEnd())
    monkeypatch.setattr(mel, "numba", None)
    assert_allclose(mel.log_mel(wave, FrontEnd()), expected, rtol=0, atol=1e-4, equal_nan=False)


def test_where_there_is_no_compiler_the_plain_function_is_taken(monkeypatch):
    monkeypatch.setattr(compiled, "numba", None)
    assert compiled.otherwise(plain.energy)(compiled.vectorised(energy)) is plain.energy
    assert compiled.fused(plain.energy) is compiled.inlined(plain.energy) is plain.energy


def test_a_loop_that_has_no_plain_function_says_what_is_missing(monkeypatch):
    monkeypatch.setattr(compiled, "numba", None)
    with pytest.raises(ModuleNotFoundError, match="No module named 'numba'") as caught:
        compiled.compiled(plain.energy)(np.zeros(1, np.float32))
    assert caught.value.name == "numba"
