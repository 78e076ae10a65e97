import json
import os

import pytest

from ser_pipeline.errors import CorpusError
from ser_pipeline.manifest.digest import digest_bytes
from ser_pipeline.manifest.fingerprint import (
    FINGERPRINT_NAME,
    BuildFingerprint,
    inputs_digest,
    read_fingerprint,
    source_digest,
    write_fingerprint,
)

SETTINGS = {"decode": False, "limit": None}


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "data" / "a").mkdir(parents=True)
    (tmp_path / "data" / "a" / "1.wav").write_bytes(b"audio")
    (tmp_path / "data" / "table.csv").write_text("x")
    return tmp_path / "data"


def test_nothing_changed_nothing_changes(folder):
    first = inputs_digest(folder, SETTINGS)
    assert inputs_digest(folder, SETTINGS, jobs=3) == first


@pytest.mark.parametrize(
    "change",
    [
        lambda folder: (folder / "a" / "1.wav").write_bytes(b"other"),
        lambda folder: (folder / "table.csv").write_text("y"),
        lambda folder: (folder / "a" / "2.wav").write_bytes(b""),
        lambda folder: (folder / "a" / "1.wav").unlink(),
        lambda folder: (folder / "a" / "1.wav").rename(folder / "a" / "2.wav"),
        lambda folder: (folder / "a").rename(folder / "b"),
        lambda folder: (folder / "SYNTHETIC.txt").touch(),
        lambda folder: os.utime(folder / "table.csv", ns=(0, 0)),
    ],
)
def test_every_change_below_the_folder_is_seen(folder, change):
    before = inputs_digest(folder, SETTINGS)
    change(folder)
    assert inputs_digest(folder, SETTINGS) != before


@pytest.mark.parametrize("settings", [{**SETTINGS, "decode": True}, {**SETTINGS, "limit": 3}])
def test_other_options_are_seen(folder, settings):
    assert inputs_digest(folder, settings) != inputs_digest(folder, SETTINGS)


def test_other_code_is_seen(folder, monkeypatch):
    before = inputs_digest(folder, SETTINGS)
    monkeypatch.setattr("ser_pipeline.__version__", "999")
    assert inputs_digest(folder, SETTINGS) != before


def test_source_digest_reads_the_files():
    assert source_digest("labels.py") != source_digest("records.py") != source_digest("corpora/*.py")


def test_a_missing_folder(tmp_path):
    with pytest.raises(CorpusError, match="no such folder"):
        inputs_digest(tmp_path / "none", SETTINGS)


def test_a_fingerprint_holds_for_what_it_saw_and_wrote(tmp_path):
    (tmp_path / "m").write_bytes(b"m")
    fingerprint = BuildFingerprint("/data", "seen", {"m": digest_bytes(b"m")}, {})
    assert fingerprint.holds(tmp_path, "seen")
    assert not fingerprint.holds(tmp_path, "else")
    (tmp_path / "m").write_bytes(b"n")
    assert not fingerprint.holds(tmp_path, "seen")
    (tmp_path / "m").unlink()
    assert not fingerprint.holds(tmp_path, "seen")


def test_a_fingerprint_is_read_as_it_was_written(tmp_path):
    fingerprint = BuildFingerprint("/data \udce9", "seen", {"m": "1"}, {"rows": 2})
    write_fingerprint(tmp_path, fingerprint)
    assert read_fingerprint(tmp_path) == fingerprint


@pytest.mark.parametrize("content", [None, "", "no json", "[]", json.dumps({"data": "x"})])
def test_a_fingerprint_that_makes_no_sense_is_none(tmp_path, content):
    if content is not None:
        (tmp_path / FINGERPRINT_NAME).write_text(content)
    assert read_fingerprint(tmp_path) is None
