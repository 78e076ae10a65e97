import os
import shutil
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from numba.core.caching import IndexDataCacheFile

from ser_pipeline.atomic import lock_file
from ser_pipeline.dsp import compiled as module
from ser_pipeline.dsp import kept
from ser_pipeline.dsp.compiled import compiled, inlined, vectorised
from ser_pipeline.dsp.kept import distrusted
from ser_pipeline.errors import SerError
from tests.store.forked import Command, python, run_python


def total(values):
    found = 0.0
    for value in values:
        found += value
    return found


def test_gives_what_python_gives(rng):
    values = rng.standard_normal(100)
    assert compiled(total)(values) == total(values)


@pytest.mark.parametrize("decorator", [vectorised, inlined])
def test_sums_in_another_order_differ_by_rounding_alone(rng, decorator):
    values = rng.standard_normal(100)
    assert decorator(total)(values) == pytest.approx(total(values), abs=1e-13)


def test_nothing_is_compiled_where_numba_is_told_so(monkeypatch):
    monkeypatch.setattr(module.numba.config, "DISABLE_JIT", True)
    assert compiled(total) is vectorised(total) is total


@pytest.mark.parametrize("wrong", [np.nan, np.inf])
def test_what_is_not_finite_stays_so(wrong):
    assert not np.isfinite(vectorised(total)(np.array([1.0, wrong, 1.0])))


@pytest.fixture
def told(monkeypatch):
    """What a person is told, as if this process had told nothing yet."""
    lines = []
    monkeypatch.setattr(module, "_told", set())
    monkeypatch.setattr("ser_pipeline.dsp.compiled.remark", lines.append)
    return lines


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The preferred folder of two that code may be kept in."""
    distrusted.cache_clear()
    use(monkeypatch, tmp_path / "code", tmp_path / "second")
    return tmp_path / "code"


def use(monkeypatch, *folders):
    for each in (module, kept):
        monkeypatch.setattr(each, "places", lambda source: iter(folders))


def test_the_compiler_is_waited_for_once_and_that_is_told(folder, told):
    assert compiled(total)(np.ones(3)) == 3
    assert compiled(total)(np.ones((3, 3))[0]) == 3
    (line,) = told
    assert line.startswith("compiling the loops")
    assert line.endswith(f"the code is kept in {folder}")
    told.clear()
    module._told.clear()
    assert compiled(total)(np.ones(3)) == 3
    assert told == []


def test_an_interrupt_while_it_compiles_leaves_nobody_waiting(folder, told, monkeypatch):
    function = compiled(total)
    with monkeypatch.context() as patched:
        patched.setattr(function._compiler, "compile", interrupted)
        with pytest.raises(KeyboardInterrupt):
            function(np.ones(3))
    (lock,) = folder.glob("*.lock")
    with lock_file(lock, SerError("others wait")):
        pass
    assert function(np.ones(3)) == 3


def interrupted(*_):
    raise KeyboardInterrupt


def test_where_nothing_can_be_kept_it_is_compiled_each_time_and_told(tmp_path, told, monkeypatch):
    file = tmp_path / "file"
    file.touch()
    use(monkeypatch, file / "code")
    assert compiled(total)(np.ones(3)) == 3
    assert f"each time: {file / 'code'} cannot be made; set NUMBA_CACHE_DIR" in told[0]


def test_code_of_a_folder_that_all_can_write_to_is_not_even_read(folder, told, monkeypatch):
    assert compiled(total)(np.ones(3)) == 3
    folder.chmod(0o777)
    planted = {path: path.read_bytes() for path in folder.iterdir()}
    distrusted.cache_clear()
    monkeypatch.setattr(IndexDataCacheFile, "load", refuse_open_folders)
    module._told.clear()
    assert compiled(total)(np.ones(3)) == 3
    assert f"because {folder} can be written to by every user; run 'chmod o-w {folder}'" in told[-1]
    assert {path: path.read_bytes() for path in folder.iterdir()} == planted


def refuse_open_folders(file, key):
    assert not os.stat(file._cache_path).st_mode & 0o002


@pytest.mark.parametrize("bytes_left", [0, 40])
def test_damaged_code_is_compiled_again_and_replaced(folder, told, bytes_left):
    assert compiled(total)(np.ones(3)) == 3
    for path in (*folder.rglob("*.nbi"), *folder.rglob("*.nbc")):
        path.write_bytes(path.read_bytes()[:bytes_left])
        assert compiled(total)(np.ones(3)) == 3
        assert path.stat().st_size > 40


def test_code_is_compiled_again_when_a_piece_in_another_file_changes(folder, told, monkeypatch):
    assert compiled(total)(np.ones(3)) == 3
    monkeypatch.setattr(module, "_stamp", lambda source: "another")
    module._told.clear()
    assert compiled(total)(np.ones(3)) == 3
    assert len(told) == 2


def test_two_kinds_of_processor_keep_their_code_apart(folder):
    function = module._Kept(total)
    codegens = [SimpleNamespace(magic_tuple=lambda name=name: (name,)) for name in ("skylake", "zen")]
    names = {next(function._files(codegen))._index_name for codegen in codegens}
    assert len(names) == 2


SCRIPT = """
import sys
import numpy as np
from ser_pipeline.dsp.compiled import compiled
from ser_pipeline.errors import TOLD
TOLD.append(print)
@compiled
def total(values):
    found = 0.0
    for value in values:
        found += value
    return found
print(total(np.ones(3)))
"""


def test_another_user_without_a_home_keeps_code_of_their_own_or_reads_that_of_the_image(tmp_path, as_nobody):
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    temporary.chmod(0o1777)
    words = [sys.executable, str(script)]
    first = as_nobody(words, HOME="/nonexistent", TMPDIR=str(temporary))
    assert f"kept in {temporary}/ser-65534/" in first
    assert f"because {tmp_path}/__pycache__ cannot be" in first
    assert first.endswith("3.0\n")
    assert as_nobody(words, HOME="/nonexistent", TMPDIR=str(temporary)) == "3.0\n"
    assert (temporary / "ser-65534").stat().st_mode & 0o777 == 0o700
    shutil.rmtree(temporary / "ser-65534")
    subprocess.run(words, check=True, env={**os.environ, "NUMBA_CACHE_DIR": ""}, capture_output=True)
    assert as_nobody(words, HOME="/nonexistent", TMPDIR=str(temporary)) == "3.0\n"


def test_of_several_processes_one_compiles_and_the_others_find_its_code(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(
        SCRIPT + "print(sum(total._cache_misses.values()), 'numba.typed.typeddict' in sys.modules)"
    )
    started = [Command(tmp_path, run_python, (str(script),)) for _ in range(3)]
    said = [process.communicate()[0].split() for process in started]
    assert [lines[-3] for lines in said] == ["3.0"] * 3
    found, compiled_it = ["0", "False"], ["1", "True"]  # what numba compiles with is loaded by one alone
    assert sorted(lines[-2:] for lines in said) == [found, found, compiled_it]


MELS = """
import hashlib
import sys
from pathlib import Path

import numpy as np

from ser_pipeline.dsp import compiled, kept
compiled.places = kept.places = lambda source: iter([Path(sys.argv[1]) / source.parent.name])
from ser_pipeline.front_end import mel_of_wave
from ser_pipeline.options import FrontEnd

rng = np.random.default_rng(0)
wave = (0.1 * rng.standard_normal(44_100) * np.hanning(44_100)).astype(np.float32)
print(hashlib.sha256(mel_of_wave(wave, FrontEnd()).values.tobytes()).hexdigest())
"""


@pytest.mark.slow
def test_a_process_that_compiles_and_one_that_finds_the_code_make_the_same_bytes(tmp_path):
    def run() -> str:
        return python([sys.executable, "-c", MELS, str(tmp_path)]).stdout

    compiled_now = run()
    kept = list(tmp_path.rglob("*.nbc"))
    assert kept
    assert run() == compiled_now
    for file in tmp_path.rglob("*mel_power*"):  # the caller anew, what it calls from disk
        file.unlink()
    assert run() == compiled_now
