import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from ser_pipeline.cli.common import progress
from ser_pipeline.cli.streams import for_people, for_programs

FULL = Path("/dev/full")
LIST = "corpora list"


def shell(words: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[bytes]:
    """Run ``ser`` with redirections in a shell; gives status, output and remarks."""
    command = f"set -o pipefail; {sys.executable} -m ser_pipeline {words}"
    return subprocess.run(
        ["bash", "-c", command],
        cwd=folder,
        env={**os.environ, **environment},
        capture_output=True,
        timeout=120,
    )


@pytest.mark.skipif(not FULL.exists(), reason="this system has no /dev/full")
@pytest.mark.parametrize("words", [LIST, f"{LIST} --format json", "--help"])
def test_a_full_disk_behind_the_output_is_one_line(tmp_path, words):
    done = shell(f"{words} > /dev/full", tmp_path)
    assert done.returncode == 1
    assert done.stderr.decode().splitlines() == [
        "ser: standard output cannot be written to: No space left on device"
    ]


@pytest.mark.skipif(not FULL.exists(), reason="this system has no /dev/full")
def test_a_full_disk_behind_the_remarks_ends_no_work(tmp_path):
    whole = shell(f"{LIST} --format csv", tmp_path)
    assert shell(f"{LIST} --format csv 2> /dev/full", tmp_path).stdout == whole.stdout
    assert whole.stdout


@pytest.mark.parametrize("fmt", ["table", "csv"])
def test_a_reader_that_leaves_is_nobodys_mistake(tmp_path, fmt):
    done = shell(f"{LIST} --format {fmt} | true", tmp_path)
    assert done.returncode in (0, 1)  # where the pipe took all before its reader left, nothing was lost
    assert done.stderr == b""


@pytest.mark.parametrize("closed", [">&-", "<&- >&- 2>&-"])
def test_streams_that_are_closed_are_done_without(tmp_path, closed):
    done = shell(f"{LIST} --format json {closed}", tmp_path)
    assert (done.returncode, done.stderr) == (0, b"")


STEERING = "a\x1b[31m\u0085\U0001f600.wav"


@pytest.fixture
def odd_name(tmp_path):
    """A folder with a corpus of one file whose name steers terminals and smiles."""
    folder = tmp_path / "DataSets" / "EmoDB" / "wav"
    folder.mkdir(parents=True)
    (folder / STEERING).write_bytes(b"no sound")
    (folder / os.fsdecode(b"caf\xe9.wav")).write_bytes(b"no sound")
    return tmp_path


@pytest.mark.parametrize("encoding", ["cp1252", "utf-8"])
def test_names_are_escaped_where_a_terminal_could_not_show_them(odd_name, encoding):
    done = shell("corpora list --data DataSets/EmoDB/wav/*31m*", odd_name, PYTHONIOENCODING=encoding)
    said = done.stdout + done.stderr
    assert b"Traceback" not in said
    assert b"\x1b" not in said
    assert b"\\x1b[31m" in said


def test_json_stays_json_in_any_encoding():
    name = {"file": STEERING, "other": "caf\udce9"}
    for encoding in ("ascii", "cp1252", "utf-8"):
        text = for_programs(json.dumps(name, ensure_ascii=False), encoding)
        text.encode(encoding)
        assert "\x85" not in text
        assert json.loads(text) == name


def test_lines_stay_lines():
    assert for_people("a\nb\x1b[0m\n") == "a\nb\\x1b[0m\n"


@pytest.mark.parametrize(
    ("count", "unit", "says"),
    [
        (1, "recordings", "1 recording in "),
        (2000, "clips", "2,000 clips in "),
        (1, "MB", "1 MB in "),
    ],
)
def test_what_is_counted_has_its_number(capsys, count, unit, says):
    with progress("read", count, unit) as advance:
        advance(count)
    assert f"read: {says}" in capsys.readouterr().err
