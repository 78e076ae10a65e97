import os
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

import numba
import pytest

from ser_pipeline.dsp import kept
from ser_pipeline.dsp.kept import (
    distrusted,
    keep_in,
    places,
    prepare_librosa,
    temporary_folder,
    why_not_first,
    writable,
)


@pytest.fixture
def source(tmp_path, monkeypatch) -> Path:
    """A file with functions; neither a folder for code nor a home is named."""
    monkeypatch.setattr(numba.config, "CACHE_DIR", "")
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    distrusted.cache_clear()
    (tmp_path / "tmp").mkdir()
    path = tmp_path / "package" / "source.py"
    path.parent.mkdir()
    path.touch()
    return path


def test_the_named_folder_goes_first_then_the_package_then_the_user(source, tmp_path, monkeypatch):
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path / "named"))
    (tmp_path / "home").mkdir()
    first, second, third, last = places(source)
    assert (first.parent, second) == (tmp_path / "named", source.parent / "__pycache__")
    assert third.parent == tmp_path / "home" / ".cache" / "ser"
    assert last.parent == tmp_path / "tmp" / f"ser-{os.getuid()}"
    assert keep_in(source) == first


@pytest.mark.parametrize("home", ["nowhere", "~"])
def test_without_a_home_there_is_a_folder_among_the_temporary_files(source, tmp_path, monkeypatch, home):
    monkeypatch.setenv("HOME", home)
    monkeypatch.chdir(tmp_path)
    assert [place.parent.name for place in places(source)] == ["package", f"ser-{os.getuid()}"]
    assert not (tmp_path / home).exists()


def test_two_installations_keep_their_code_apart(source, tmp_path):
    other = tmp_path / "other" / "package" / "source.py"
    other.parent.mkdir(parents=True)
    assert list(places(source))[-1] != list(places(other))[-1]


@pytest.mark.parametrize(
    ("mode", "reason"),
    [(0o755, ""), (0o700, ""), (0o777, "every user; run 'chmod o-w"), (0o1777, "every user; run 'chmod o-w")],
)
def test_a_folder_that_all_can_write_to_is_refused(source, mode, reason):
    folder = source.parent / "__pycache__"
    folder.mkdir()
    folder.chmod(mode)
    found = distrusted(folder, source)
    assert found == "" if not reason else f"{reason} {folder}'" in found
    assert (keep_in(source) == folder) is (not reason)
    if reason:
        assert why_not_first(source) == found


def test_a_folder_that_others_can_exchange_is_refused(source):
    source.parent.chmod(0o777)
    assert f"{source.parent} can be written to by every user" in distrusted(
        source.parent / "__pycache__", source
    )
    distrusted.cache_clear()
    source.parent.chmod(0o1777)
    assert distrusted(source.parent / "__pycache__", source) == ""


def test_a_link_counts_as_what_it_leads_to(source, tmp_path):
    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(0o777)
    (source.parent / "__pycache__").symlink_to(tmp_path / "open")
    assert "can be written to by every user" in distrusted(source.parent / "__pycache__", source)


@pytest.mark.skipif(
    not hasattr(os, "getuid") or os.getuid() != 0,
    reason="only the administrator can give a folder to another",
)
@pytest.mark.parametrize(
    ("owner", "group", "reason"),
    [(4242, 0, "belongs to another user"), (0, 4242, "group of users; run 'chmod g-w"), (0, 0, "")],
)
def test_a_folder_of_another_user_or_group_is_refused(source, owner, group, reason):
    folder = source.parent / "__pycache__"
    folder.mkdir()
    os.chown(folder, owner, group)
    folder.chmod(0o775)
    found = distrusted(folder, source)
    assert found == "" if not reason else reason in found


def test_a_folder_that_cannot_be_made_says_so(source, tmp_path):
    (tmp_path / "file").touch()
    assert distrusted(tmp_path / "file" / "code", source).endswith("cannot be made")
    assert not writable(tmp_path / "file" / "code")


def test_the_temporary_folder_is_this_users_alone(source, tmp_path):
    folder = temporary_folder()
    assert folder is not None
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    folder.chmod(0o777)
    assert temporary_folder() is None
    folder.rmdir()
    folder.symlink_to(tmp_path / "package")
    assert temporary_folder() is None


def test_no_folder_for_temporary_files_is_no_error(source, monkeypatch):
    def nowhere():
        raise FileNotFoundError("No usable temporary directory found")

    monkeypatch.setattr(tempfile, "gettempdir", nowhere)
    assert temporary_folder() is None
    assert [place.name for place in places(source)] == ["__pycache__"]


def test_where_files_have_no_owners_the_users_own_folders_are_trusted(source, tmp_path, monkeypatch):
    monkeypatch.delattr(os, "getuid")
    monkeypatch.setenv("LOGNAME", "somebody")
    os.chmod(source.parent, 0o777)
    assert temporary_folder() == tmp_path / "tmp" / "ser-somebody"
    assert keep_in(source) == source.parent / "__pycache__"
    assert why_not_first(source).endswith("cannot be written to")


@pytest.fixture
def imported(tmp_path, monkeypatch) -> list[str]:
    """Names that are imported, in place of doing so."""
    names: list[str] = []
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(kept.importlib, "import_module", names.append)
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
        kept.importlib.util, "find_spec", lambda name: type("Spec", (), {"origin": str(other)})
    )
    prepare_librosa()
    assert imported


def test_a_failed_import_is_tried_again(imported, monkeypatch):
    def fail(name):
        raise ImportError(name)

    with monkeypatch.context() as patched:
        patched.setattr(kept.importlib, "import_module", fail)
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
from ser_pipeline.dsp import kept

def slow(name):
    time.sleep(0.2)
    print("imports", flush=True)

kept.importlib.import_module = slow
kept.prepare_librosa()
print("done", flush=True)
"""


def test_others_wait_for_the_first(tmp_path):
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    processes = [
        subprocess.Popen([sys.executable, "-c", WAITS], env=environment, stdout=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    said = [process.communicate(timeout=300)[0].split() for process in processes]
    assert sorted(lines.count("imports") for lines in said) == [0, 0, len(kept._COMPILED_AT_IMPORT)]
    assert all(lines[-1] == "done" for lines in said)
