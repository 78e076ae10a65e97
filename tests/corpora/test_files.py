import os
import re
from pathlib import PurePosixPath

import pytest
import soundfile

from ser_pipeline.corpora import CORPORA
from ser_pipeline.corpora.files import (
    DECODED,
    audio_files,
    contradiction,
    is_recording,
    listed,
    misnamed,
    nearest_folder,
    unknown_code,
    unlisted,
    walk,
)
from ser_pipeline.errors import CorpusError


def paths(*names):
    return [PurePosixPath(name) for name in names]


def test_recordings_come_in_the_order_of_their_written_paths(put):
    root = put("b/1.wav", "b-2/1.FLAC", "a.mp3", "Z.ogg", "notes.txt", "table.csv")
    assert audio_files(root) == paths("Z.ogg", "a.mp3", "b-2/1.FLAC", "b/1.wav")


def test_every_file_format_of_libsndfile_with_a_suffix_of_its_own_is_a_recording():
    suffixes = {"WAV": ".wav", "FLAC": ".flac", "OGG": ".ogg", "MP3": ".mp3", "AIFF": ".aiff", "AU": ".au",
                "CAF": ".caf", "W64": ".w64", "RF64": ".rf64", "VOC": ".voc", "NIST": ".nist"}  # fmt: skip
    assert set(suffixes) <= set(soundfile.available_formats())
    assert set(suffixes.values()) <= DECODED


@pytest.mark.parametrize("suffix", ["m4a", "mp4", "webm", "3gp", "wma", "amr", "aac", "mka", "mkv", "WMA"])
def test_a_recording_that_takes_ffmpeg_is_listed(suffix):
    assert is_recording(f"1001_IEO_ANG_HI.{suffix}")


def test_films_beside_recordings_are_none():
    assert not is_recording("Ses01F_impro01.avi")
    assert not is_recording("1001_DFA_ANG_XX.flv")


def test_hidden_folders_are_not_entered_but_hidden_recordings_are_listed(put):
    root = put(".git/a.wav", "__MACOSX/wav/._a.wav", "wav/._a.wav", "wav/.DS_Store", "wav/a.wav")
    assert audio_files(root) == paths("wav/._a.wav", "wav/a.wav")


def test_a_folder_called_like_a_recording_is_a_folder(put):
    assert audio_files(put("a.wav/b.wav")) == paths("a.wav/b.wav")


def test_linked_folders_are_followed_once(put):
    root = put("corpora/wav/a.wav")
    (root / "corpora/wav/up").symlink_to(root / "corpora", target_is_directory=True)
    (root / "data").mkdir()
    (root / "data/EmoDB").symlink_to(root / "corpora", target_is_directory=True)
    assert audio_files(root / "data") == paths("EmoDB/wav/a.wav")


def test_a_dangling_link_is_a_recording_that_a_later_step_rejects(put):
    root = put("wav/a.wav")
    (root / "wav/b.wav").symlink_to(root / "annex/objects/b.wav")
    assert audio_files(root) == paths("wav/a.wav", "wav/b.wav")


def test_a_name_that_is_not_utf_8_is_listed(tmp_path):
    (tmp_path / os.fsdecode(b"caf\xe9.wav")).touch()
    assert audio_files(tmp_path) == paths("caf\udce9.wav")


def test_a_walk_shows_empty_folders_and_other_files_too(put):
    root = put("erkennung.txt", "wav/b.wav", "wav/a.wav")
    (root / "empty").mkdir()
    assert [(folder.path, folder.files) for folder in walk(root)] == [
        (PurePosixPath(), ["erkennung.txt"]),
        (PurePosixPath("empty"), []),
        (PurePosixPath("wav"), ["a.wav", "b.wav"]),
    ]


def test_given_files_are_taken_as_they_are(put):
    root = put("a.wav", "b.wav")
    assert listed(root, paths("b.wav")) == paths("b.wav")
    assert listed(root, None) == paths("a.wav", "b.wav")


def test_a_root_that_is_no_folder_says_so(put):
    with pytest.raises(CorpusError, match=r"a\.wav: no such folder; pass the folder that holds"):
        audio_files(put("a.wav") / "a.wav")


def test_a_folder_that_cannot_be_listed_is_named(put, monkeypatch):
    root = put("wav/a.wav")
    scandir = os.scandir

    def refuse(folder):
        if folder.name == "wav":
            raise PermissionError(13, "Permission denied", str(folder))
        return scandir(folder)

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(CorpusError, match=r"wav: cannot be listed \(Permission denied\); give read access"):
        audio_files(root / "wav")
    put("b.wav", "a/c.wav")
    assert audio_files(root) == [PurePosixPath("a/c.wav"), PurePosixPath("b.wav")]
    assert unlisted(walk(root)) == (
        "1 folder cannot be listed, and nothing below is read: wav (Permission denied)"
    )
    assert unlisted(walk(root / "a")) == ""


def test_folders_of_a_system_are_not_entered(put):
    names = ("$RECYCLE.BIN/x.wav", "System Volume Information/x.wav", "lost+found/x.wav", "@eaDir/x.wav")
    assert audio_files(put("a.wav", *names)) == [PurePosixPath("a.wav")]


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("wav/x.wav", "name does not follow 'wav/03a01Fa.wav'"),
        ("wav/._03a01Fa.wav", "side file of macOS, not a recording"),
        ("wav/.03a01Fa.wav", "hidden file; recordings are named as in 'wav/03a01Fa.wav'"),
    ],
)
def test_misnamed_says_what_is_wrong(name, reason):
    reject = misnamed(CORPORA["emodb"].CARD, PurePosixPath(name))
    assert (reject.corpus, str(reject.path), reject.reason) == ("emodb", name, reason)


def test_an_unknown_code_lists_the_valid_ones():
    reject = unknown_code(CORPORA["emodb"].CARD, PurePosixPath("03a01Xa.wav"), "emotion", "X", ("F", "T"))
    assert reject.reason == "emotion 'X' does not exist; valid are F, T"


def test_a_contradiction_shows_both_sides():
    reject = contradiction(CORPORA["emodb"].CARD, PurePosixPath("x.wav"), "actor 05", "07")
    assert reject.reason == "folder says 'actor 05', name says '07'; one of them is wrong"


def test_the_innermost_matching_folder_counts_and_the_file_does_not():
    pattern = re.compile(r"Actor_(\d\d)")
    match = nearest_folder(PurePosixPath("Actor_01/Actor_02/takes/Actor_03"), pattern)
    assert match is not None
    assert match[1] == "02"
    assert nearest_folder(PurePosixPath("Actor_03"), pattern) is None
