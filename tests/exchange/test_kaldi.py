import pytest

from ser_pipeline.errors import CorpusError
from ser_pipeline.exchange import import_dataset


def lines(path):
    return path.read_text("utf-8").splitlines()


def test_kaldi_has_sorted_files_whose_ids_begin_with_the_speaker(corpus):
    train = corpus.export("kaldi") / "train"
    assert [line.split()[0] for line in lines(train / "utt2spk")] == sorted(
        line.split()[0] for line in lines(train / "utt2spk")
    )
    assert all(line.split()[0].startswith(line.split()[1] + "-") for line in lines(train / "utt2spk"))
    assert "tones-m1-tones_m1_long#1.000-1.500 Nein" in lines(train / "text")
    assert "tones-m1-tones_m1_long#1.000-1.500 tones_m1_long 1.000 1.500" in lines(train / "segments")
    assert lines(train / "spk2gender") == ["tones-f1 f", "tones-m1 m"]


def test_espnet_has_labels_as_text(corpus):
    train = corpus.export("espnet") / "train"
    assert {line.split()[1] for line in lines(train / "text")} == {"anger", "happiness", "sadness"}
    assert any(line.endswith(" Na, so was") for line in lines(train / "transcript"))
    assert not (train / "utt2emo").exists()


def test_without_parts_there_is_one_folder(corpus_of):
    corpus = corpus_of("a.wav,anger", "b.wav,neutral", heading="path,emotion")
    out = corpus.export("kaldi", copy=True)
    assert not (out / "segments").exists()
    assert len(lines(out / "wav.scp")) == 2
    assert all(line.partition(" ")[2].startswith(f"{out}/audio/tones/") for line in lines(out / "wav.scp"))


def test_lhotse_opens_what_is_written(corpus):
    lhotse = pytest.importorskip("lhotse.kaldi", reason="lhotse is not installed (extra 'interchange')")
    train = corpus.export("kaldi", copy=True) / "train"
    recordings, supervisions, _ = lhotse.load_kaldi_data_dir(train, 8000)
    said = {(each.speaker, each.text, each.gender, each.language, each.duration) for each in supervisions}
    assert ("tones-m1", "Nein", "m", "de", 0.5) in said
    assert len(recordings) == 3
    assert all(each.load_audio().shape[1] == each.num_samples for each in recordings)


def data_folder(tmp_path, **files):
    folder = tmp_path / "data" / "set"
    folder.mkdir(parents=True)
    (folder / "a.wav").touch()
    for name, text in files.items():
        (folder / name.replace("_", ".")).write_text(text)
    return folder


@pytest.mark.parametrize(
    ("files", "reason"),
    [
        ({}, r"set: neither it nor a folder below it holds 'wav.scp'"),
        (
            {"wav_scp": "u sph2pipe a.sph |\nv x.ark:12\n"},
            r"names commands or archives instead of files for 2 recordings \(u, v\)",
        ),
        ({"wav_scp": "u a.wav\nu a.wav\n"}, r"wav.scp: names 1 line a second time"),
        ({"wav_scp": "u a.wav\n"}, r"nothing says the emotions; it needs 'utt2emo', or labels in 'text'"),
        ({"wav_scp": "u a.wav\n", "utt2emo": "u ang\n", "segments": "u u 0 x\n"}, r"segments: .* 'u u 0 x'"),
    ],
)
def test_a_folder_of_no_use_is_an_error(tmp_path, files, reason):
    with pytest.raises(CorpusError, match=reason):
        import_dataset(
            "kaldi", data_folder(tmp_path, **files), data=tmp_path / "data", into=tmp_path / "corpora"
        )


def test_a_whole_recording_may_be_a_segment(tmp_path):
    files = {"wav_scp": "r a.wav\n", "utt2emo": "u ang\n", "segments": "u r 0.00 -1\n", "utt2spk": "u s\n"}
    made = import_dataset(
        "kaldi", data_folder(tmp_path, **files), data=tmp_path / "data", into=tmp_path / "c"
    )
    assert made.table.read_text() == "path,emotion,speaker\na.wav,ang,s\n"
