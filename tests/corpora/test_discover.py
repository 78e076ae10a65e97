import os
from pathlib import PurePosixPath

import pytest

from ser_pipeline.corpora import CORPORA
from ser_pipeline.corpora.discover import Found, discover, official_root
from ser_pipeline.corpora.files import audio_files
from ser_pipeline.errors import CorpusError

SPEECH, SONG = "Actor_01/03-01-05-01-02-01-01.wav", "Actor_01/03-02-05-01-02-01-01.wav"


def found(corpus: str, root: str, *files: str) -> Found:
    return Found(corpus, PurePosixPath(root), tuple(PurePosixPath(file) for file in files))


def every_path(discovery):
    return [copy.root / path for copy in discovery.found for path in copy.files] + list(discovery.strays)


def test_eight_corpora_side_by_side_in_their_official_layouts(put):
    data = put(*(f"{corpus.CARD.title}/{corpus.CARD.layout}" for corpus in CORPORA.values()))
    discovery = discover(data)
    assert discovery.found == tuple(
        found(name, corpus.CARD.title, corpus.CARD.layout) for name, corpus in CORPORA.items()
    )
    assert (discovery.strays, discovery.half_there) == ((), ())


def test_both_ravdess_channels_in_one_folder_are_two_corpora(put):
    assert discover(put(f"RAVDESS/{SPEECH}", f"RAVDESS/{SONG}")).found == (
        found("ravdess", "RAVDESS", SPEECH),
        found("ravdess-song", "RAVDESS", SONG),
    )


def test_both_ravdess_channels_in_two_folders_are_two_corpora(put):
    discovery = discover(
        put(f"RAVDESS/Audio_Speech_Actors_01-24/{SPEECH}", f"RAVDESS/Audio_Song_Actors_01-24/{SONG}")
    )
    assert discovery.found == (
        found("ravdess", "RAVDESS/Audio_Speech_Actors_01-24", SPEECH),
        found("ravdess-song", "RAVDESS/Audio_Song_Actors_01-24", SONG),
    )
    assert discovery.half_there == ()


def test_a_channel_in_the_other_channels_folder_goes_by_its_name(put):
    assert discover(put(f"RAVDESS-Song/{SPEECH}")).found == (found("ravdess", "RAVDESS-Song", SPEECH),)


@pytest.mark.parametrize("around", ["", "archive", "old copies/2019/EmoDB (1)"])
def test_folders_around_a_corpus_do_not_matter(put, around):
    name = f"{around}/wav/03a01Fa.wav".lstrip("/")
    assert discover(put(name)).found == (found("emodb", around or ".", "wav/03a01Fa.wav"),)


@pytest.mark.parametrize(
    ("corpus", "path"),
    [
        ("emodb", "03a01Fa.wav"),
        ("cremad", "1001_IEO_ANG_HI.wav"),
        ("savee", "DC_a01.wav"),
        ("tess", "OAF_back_angry.wav"),
        ("nemo", "WR0_surprised_64.flac"),
        ("iemocap", "Ses01F_impro01_F000.wav"),
        ("ravdess", "03-01-05-01-02-01-01.mp3"),
    ],
)
def test_flattened_copies_are_found(put, corpus, path):
    assert discover(put(f"flat/{path}")).found == (found(corpus, "flat", path),)


def test_two_corpora_in_one_flat_folder_are_told_apart(put):
    assert discover(put("all/03a01Fa.wav", "all/OAF_back_ps.wav")).found == (
        found("tess", "all", "OAF_back_ps.wav"),
        found("emodb", "all", "03a01Fa.wav"),
    )


def test_a_copy_nested_in_itself_is_one_copy(put):
    inner = "TESS/OAF_angry/OAF_back_angry.wav"
    assert discover(put("OAF_angry/OAF_back_angry.wav", inner)).found == (
        found("tess", ".", "OAF_angry/OAF_back_angry.wav", inner),
    )


@pytest.mark.parametrize(
    ("corpus", "tables", "loose", "file"),
    [
        ("emodb", ["erkennung.txt"], "03a01Fa.wav", "wav/03a02Nc.wav"),
        (
            "iemocap",
            ["Session1/dialog/EmoEvaluation/Ses01F_impro01.txt"],
            "Ses01F_impro01_F000.wav",
            "Session1/sentences/wav/Ses01F_impro02/Ses01F_impro02_F000.wav",
        ),
        (
            "cremad",
            ["processedResults/tabulatedVotes.csv"],
            "1001_IEO_ANG_HI.wav",
            "AudioWAV/1002_IEO_ANG_HI.wav",
        ),
    ],
)
def test_a_loose_recording_further_up_takes_no_tables_away(put, corpus, tables, loose, file):
    data = put(loose, f"copy/{file}", *(f"copy/{table}" for table in tables))
    assert discover(data).found == (found(corpus, ".", loose), found(corpus, "copy", file))


def test_folders_of_ones_own_below_the_tables_are_part_of_the_copy(put):
    data = put(
        "EmoDB/erkennung.txt", "EmoDB/wav/women/03a01Fa.wav", "EmoDB/men/x/03a02Nc.wav", "EmoDB/hum.wav"
    )
    assert discover(data).found == (
        found("emodb", "EmoDB", "hum.wav", "men/x/03a02Nc.wav", "wav/women/03a01Fa.wav"),
    )


def test_two_copies_side_by_side_are_two(put):
    data = put("a/wav/03a01Fa.wav", "b/wav/03a01Fa.wav")
    assert [copy.root.name for copy in discover(data).found] == ["a", "b"]


def test_an_odd_recording_goes_to_the_corpus_that_holds_it_most_closely(put):
    in_emodb = ("EmoDB/wav/03a01Fa.wav", "EmoDB/wav/noise.wav", "EmoDB/x/._a.wav")
    data = put(*in_emodb, "EmoDB/TESS/OAF_back_ps.wav", "EmoDB/TESS/hum.wav", "music/song.mp3")
    discovery = discover(data)
    assert discovery.found == (
        found("tess", "EmoDB/TESS", "OAF_back_ps.wav", "hum.wav"),
        found("emodb", "EmoDB", "wav/03a01Fa.wav", "wav/noise.wav", "x/._a.wav"),
    )
    assert discovery.strays == (PurePosixPath("music/song.mp3"),)


def test_strays_are_rejects_of_no_corpus(put):
    (reject,) = discover(put("music/song.mp3")).rejects()
    assert (reject.corpus, reject.path) == ("unknown", PurePosixPath("music/song.mp3"))
    assert reject.reason == "follows the layout of no known corpus"


def test_every_recording_is_given_out_once(put):
    data = put(f"a/{SPEECH}", f"a/{SONG}", "a/x.wav", "b/wav/03a01Fa.wav", "b/.x.wav", "c.wav", "d/e/a01.wav",
               "s/DC/a01.wav", "s/DC/a99.wav", "__MACOSX/x.wav", ".hidden/x.wav")  # fmt: skip
    paths = every_path(discover(data))
    assert sorted(map(str, paths)) == [str(path) for path in audio_files(data)]


def test_finding_twice_gives_the_same(put):
    data = put(f"z/{SPEECH}", f"a/{SPEECH}", "m/wav/03a01Fa.wav", "x.wav")
    assert discover(data) == discover(data)


@pytest.mark.parametrize(
    ("paths", "line"),
    [
        (
            ["EmoDB/erkennung.txt"],
            "emodb: 'EmoDB' looks like it, but holds no recording named like 'wav/03a01Fa.wav'",
        ),
        (["x/erkennung.txt"], "emodb: 'x' looks like it"),
        (["CREMA-D/processedResults/tabulatedVotes.csv"], "cremad: 'CREMA-D' looks like it"),
        (["x/AudioWAV/readme.txt", "x/VideoDemographics.csv"], "cremad: 'x' looks like it"),
        (["emo-db/readme.txt"], "emodb: 'emo-db' looks like it"),
        (["x/Actor_01/readme.txt", "x/Actor_02/readme.txt"], "ravdess: 'x' looks like it"),
        (
            ["IEMOCAP_full_release/Session1/dialog/EmoEvaluation/x.txt"],
            "iemocap: 'IEMOCAP_full_release' looks",
        ),
        (["nEMO/samples/x.wav"], "nemo: 'nEMO' looks like it"),
    ],
)
def test_a_corpus_folder_without_recordings_is_named_once(put, paths, line):
    discovery = discover(put("other/OAF_back_ps.wav", *paths))
    assert [found_line.startswith(line) for found_line in discovery.half_there] == [True]


@pytest.mark.parametrize(
    "paths",
    [
        ["RAVDESS/" + SONG],
        [SONG],
        [SPEECH, "Actor_02/readme.txt"],
        ["erkennung.txt", "EmoDB/wav/03a01Fa.wav"],
        ["CREMA-D/AudioWAV/1001_IEO_ANG_HI.wav", "CREMA-D/processedResults/summaryTable.csv"],
    ],
)
def test_a_corpus_that_is_there_is_not_called_half_there(put, paths):
    assert discover(put(*paths)).half_there == ()


def test_a_missing_folder_says_what_to_pass(tmp_path):
    with pytest.raises(
        CorpusError, match=r"DataSets: no such folder; --data is the folder that holds the corpora"
    ):
        discover(tmp_path / "DataSets")


def test_a_file_in_place_of_the_folder_says_what_to_pass(put):
    with pytest.raises(CorpusError, match="no such folder"):
        discover(put("DataSets") / "DataSets")


def test_an_empty_folder_says_what_to_do_in_one_sentence(tmp_path):
    with pytest.raises(CorpusError) as caught:
        discover(tmp_path)
    assert str(caught.value) == (
        f"{tmp_path}: no recordings found; put a known corpus there ('ser corpora list'), list your own in a "
        "table (--csv), or describe them ('ser corpora init FOLDER')"
    )


def test_a_folder_of_empty_corpora_names_them(put):
    with pytest.raises(
        CorpusError, match=r"no recordings found \(emodb: 'EmoDB' looks like it, .*\); put a known"
    ):
        discover(put("EmoDB/erkennung.txt"))


@pytest.mark.parametrize(
    ("folder", "root"),
    [
        ("IEMOCAP/Session1/sentences/wav/Ses01F_impro01", "IEMOCAP"),
        ("IEMOCAP/Session1/dialog/wav", "IEMOCAP"),
        ("IEMOCAP/Session1/dialog/EmoEvaluation", "IEMOCAP"),
        ("IEMOCAP/session3/Ses03M_script01_1b", "IEMOCAP"),
        ("IEMOCAP/sentences", "IEMOCAP"),
        ("x/y", "x/y"),
        (".", "."),
    ],
)
def test_official_folders_are_taken_off_where_they_are_there(folder, root):
    assert official_root(PurePosixPath(folder), CORPORA["iemocap"].CARD) == PurePosixPath(root)


def test_a_folder_that_cannot_be_listed_is_one_line_and_the_rest_is_found(put, monkeypatch):
    root = put("EmoDB/wav/03a01Fa.wav", "closed/03a01Wa.wav")
    scandir = os.scandir

    def refuse(folder):
        if folder.name == "closed":
            raise PermissionError(13, "Permission denied", str(folder))
        return scandir(folder)

    monkeypatch.setattr(os, "scandir", refuse)
    found = discover(root)
    assert [each.corpus for each in found.found] == ["emodb"]
    assert found.half_there == (
        "1 folder cannot be listed, and nothing below is read: closed (Permission denied)",
    )
