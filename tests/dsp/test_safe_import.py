import os
import subprocess
import sys
import tempfile

import pytest

from ser_pipeline.dsp import safe_import
from ser_pipeline.dsp.safe_import import prepare_librosa


@pytest.fixture
def imported(tmp_path, monkeypatch) -> list[str]:
    """Names that are imported, in place of doing so."""
    names: list[str] = []
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(safe_import.importlib, "import_module", names.append)
    return names


def test_only_the_first_call_imports(imported):
    prepare_librosa()
    assert "librosa.util.utils" in imported
    imported.clear()
    prepare_librosa()
    assert not imported


def test_another_installation_is_imported_again(imported, tmp_path, monkeypatch):
    prepare_librosa()
    imported.clear()
    other = tmp_path / "__init__.py"
    other.touch()
    monkeypatch.setattr(
        safe_import.importlib.util, "find_spec", lambda name: type("Spec", (), {"origin": str(other)})
    )
    prepare_librosa()
    assert imported


def test_a_failed_import_is_tried_again(imported, monkeypatch):
    def fail(name):
        raise ImportError(name)

    with monkeypatch.context() as patched:
        patched.setattr(safe_import.importlib, "import_module", fail)
        with pytest.raises(ImportError):
            prepare_librosa()
    prepare_librosa()
    assert imported


def test_nowhere_to_write_is_no_error(imported, tmp_path, monkeypatch):
    taken = tmp_path / "file"
    taken.touch()
    monkeypatch.setattr(tempfile, "tempdir", str(taken))
    prepare_librosa()
    assert not imported


WAITS = """
import time
from ser_pipeline.dsp import safe_import

def slow(name):
    time.sleep(0.2)
    print("imports", flush=True)

safe_import.importlib.import_module = slow
safe_import.prepare_librosa()
print("done", flush=True)
"""


def test_others_wait_for_the_first(tmp_path):
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    processes = [
        subprocess.Popen([sys.executable, "-c", WAITS], env=environment, stdout=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    said = [process.communicate(timeout=300)[0].split() for process in processes]
    assert sorted(lines.count("imports") for lines in said) == [0, 0, len(safe_import._COMPILED_AT_IMPORT)]
    assert all(lines[-1] == "done" for lines in said)
