"""Where the recordings are whose paths a table writes."""

import json
import os
from pathlib import PurePosixPath

import pytest

from ser_pipeline.records import Reject, Utterance
from tests.corpora.conftest import rows_of, scanned


@pytest.mark.parametrize(
    "spelt",
    [
        "rec/anna/a1.wav",
        "./rec/anna/a1.wav",
        "rec\\anna\\a1.wav",
        ".\\rec\\anna\\a1.wav",
        "{home}/rec/anna/a1.wav",
        "rec/../rec/anna/a1.wav",
    ],
)
def test_paths_from_the_folder_of_the_table(home, spelt):
    (row,) = rows_of(home, f"path,emotion\n{spelt.format(home=home)},angry\n")
    assert row.path == PurePosixPath("rec/anna/a1.wav")


@pytest.mark.parametrize(
    "folder", ["C:\\Users\\me\\corpus\\rec\\", "\\\\server\\share\\rec\\", "/home/other/rec/", "D:/"]
)
def test_paths_of_another_machine(home, folder):
    names = ["anna\\a1.wav", "ben\\b1.wav"] if "\\" in folder else ["anna/a1.wav", "ben/b1.wav"]
    text = "path,emotion\n" + "".join(f"{folder}{name},angry\n" for name in names)
    (home / "rec" / "mine.csv").write_text(text)
    rows = scanned(home / "rec" / "mine.csv")
    assert [str(row.path) for row in rows] == ["anna/a1.wav", "ben/b1.wav"]


@pytest.mark.parametrize(
    "spelt",
    ["file://{home}/{path}", "FILE:{home}/{path}", "file://localhost{home}/{path}", "file:///X:/a/{path}"],
)
def test_addresses_of_files_are_decoded(home, spelt):
    os.rename(home / "rec" / "anna" / "a1.wav", home / "rec" / "anna" / "ä 1.wav")
    names = ("rec/anna/%C3%A4%201.wav", "rec/ben/b1.wav")
    lines = [f"{spelt.format(home=home, path=name)},angry" for name in names]
    found = rows_of(home, "\n".join(["path,emotion", *lines]))
    assert [str(row.path) for row in found] == ["rec/anna/ä 1.wav", "rec/ben/b1.wav"]


def test_paths_from_the_data_folder(home):
    (home / "tables").mkdir()
    (home / "tables" / "mine.csv").write_text("path,emotion\nanna/a1.wav,angry\n")
    (row,) = scanned(home / "tables" / "mine.csv", home / "rec")
    assert (str(row.path), row.utterance_id) == ("anna/a1.wav", "mine/anna/a1")


def test_recordings_elsewhere_keep_their_absolute_path(home):
    (home / "mine").mkdir()
    (home / "mine" / "mine.csv").write_text(
        f"path,emotion\n../rec/anna/a1.wav,sad\n{home}/rec/ben/b1.wav,sad\n"
    )
    one, two = scanned(home / "mine" / "mine.csv")
    assert (str(one.path), str(two.path)) == (f"{home}/rec/anna/a1.wav", f"{home}/rec/ben/b1.wav")
    assert one.utterance_id == f"mine{home}/rec/anna/a1"


@pytest.mark.parametrize("names", [("a1", "b2"), ("a1.wav", "b2.wav"), ("anna/a1", "ben/b2")])
def test_names_without_folder_or_suffix_are_looked_for(home, names):
    one, two = rows_of(home, f"id,emotion\n{names[0]},angry\n{names[1]},sad\n")
    assert (str(one.path), str(two.path)) == ("rec/anna/a1.wav", "rec/ben/b2.wav")


def test_names_may_differ_in_case_and_in_the_form_of_accents(home):
    (home / "rec" / "Jo\u0308rg").mkdir()
    (home / "rec" / "Jo\u0308rg" / "J1.WAV").touch()
    one, two = rows_of(home, "path,emotion\nREC\\ANNA\\A1.wav,angry\nRec\\J\u00f6rg\\j1.wav,sad\n")
    assert [str(row.path) for row in (one, two)] == ["rec/Jo\u0308rg/J1.WAV", "rec/anna/a1.wav"]


def test_one_path_that_is_right_does_not_keep_others_from_being_found(home):
    for name in ("Jose\u0301/e\u03011.wav", "Case/Xy.WAV", "n/007.flac", "other/a3.wav"):
        (home / "rec" / name).parent.mkdir(exist_ok=True)
        (home / "rec" / name).touch()
    names = ("Jos\u00e9/\u00e91.wav", "case/xy.wav", "n/7", "anna/A1.WAV", "anna/a3.wav")
    lines = [f"rec/{name},sad" for name in ("anna/a1.wav", *names)]
    found = rows_of(home, "\n".join(["path,emotion", *lines]))
    rows = {str(row.path) for row in found if isinstance(row, Utterance)}
    assert rows == {"rec/anna/a1.wav", "rec/Jose\u0301/e\u03011.wav", "rec/Case/Xy.WAV", "rec/n/007.flac"}
    assert [str(row.path) for row in found if isinstance(row, Reject)] == [
        "rec/anna/A1.WAV",
        "rec/anna/a3.wav",
    ]


def test_numbers_are_looked_for_without_the_zeros_they_begin_with(home):
    (home / "rec" / "ben" / "007.wav").touch()
    row, two = rows_of(home, "id,emotion\n7,angry\na1.mp4,sad\n")
    assert [str(row.path), str(two.path)] == ["rec/anna/a1.wav", "rec/ben/007.wav"]


def test_a_name_that_two_recordings_have_is_not_guessed(home):
    (home / "rec" / "ben" / "a1.wav").touch()
    one, two = rows_of(home, "id,emotion\na1,angry\nb2,sad\n")
    assert str(two.path) == "rec/ben/b2.wav"
    assert one.reason == (
        "two recordings are called 'a1': rec/anna/a1.wav and rec/ben/a1.wav; write the folder of the right "
        "one in the table, too"
    )
    (home / "rec" / "a1.wav").touch()
    one, _ = rows_of(home, "path,emotion\nC:\\old\\a1.wav,angry\nC:\\old\\b2.wav,sad\n")
    assert one.reason.startswith(
        "3 recordings are called 'a1.wav': rec/a1.wav, rec/anna/a1.wav and 1 more; write the folder"
    )


def test_each_line_whose_recording_is_missing_is_a_reject(home):
    found = rows_of(home, "path,emotion\nrec/x.wav,sad\nrec/anna/a1.wav,sad\nftp://a.org/b.wav,sad\n")
    lost = {str(row.path): row.reason for row in found if isinstance(row, Reject)}
    assert lost == {
        "rec/x.wav": "no such file, neither from the folder of 'mine.csv' nor from the data folder; pass the "
        "folder that the table's paths begin in with --data",
        "ftp:/a.org/b.wav": "'ftp://a.org/b.wav' is an address of a kind that is not read; valid are file, "
        "s3, s3a, gs, gcs, az, abfs, abfss, hf, http, https, tar, zip, parquet",
    }
    assert len(found) == 3


def test_a_broken_link_is_left_to_the_reader_of_recordings(home):
    os.symlink("nowhere", home / "rec" / "link.wav")
    (row,) = rows_of(home, "path,emotion\nrec/link.wav,sad\n")
    assert isinstance(row, Utterance)


@pytest.mark.parametrize("spelt", ["rec/a.tar", "{home}/rec/a.tar"])
def test_an_archive_below_the_data_folder_has_a_relative_path(home, spelt):
    (home / "rec/a.tar").touch()
    (row,) = rows_of(home, f"path,emotion\ntar://a1.wav::{spelt.format(home=home)},sad\n")
    assert row.path == PurePosixPath("tar:/a1.wav::rec/a.tar")


def test_a_drive_of_windows_is_no_address(home):
    (row,) = rows_of(home, "path,emotion\nC:\\\\old\\\\x.wav,sad\n")
    assert isinstance(row, Reject)
    assert row.reason.startswith("no such file")


@pytest.mark.parametrize("name", ["rec/anna/a1\0.wav", "~x\0/a.wav", "C:/x\0.wav", "tar://a\0.wav::b.tar"])
def test_a_path_that_no_file_can_have_is_a_reject(home, name):
    lines = [{"path": name, "emotion": "sad"}, {"path": "rec/ben/b1.wav", "emotion": "joy"}]
    (home / "l.jsonl").write_text("\n".join(map(json.dumps, lines)))
    (reject,) = (row for row in scanned(home / "l.jsonl") if isinstance(row, Reject))
    assert reject.reason == "its path holds a character that no file name can have; correct it in the table"
    assert "\0" not in str(reject.path)
