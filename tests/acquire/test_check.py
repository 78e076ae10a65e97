import shutil
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
import soundfile

from ser_pipeline.acquire import Holding, check_corpora, holdings, missing, state_of
from ser_pipeline.corpora import CORPORA
from ser_pipeline.errors import CorpusError

EMODB = CORPORA["emodb"].CARD


@pytest.fixture
def put(tmp_path):
    """Write files below a folder; a recording needs no content, since none is opened."""

    def write(*paths):
        for path in paths:
            file = tmp_path / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.touch()
        return tmp_path

    return write


def test_each_corpus_is_counted_once_where_it_lies(put):
    data = put("a/EmoDB/03a01Fa.wav", "a/EmoDB/08a01Wa.wav", "b/copy/03a01Fa.wav", "TESS/OAF_back_sad.wav")
    found = holdings(data, CORPORA)
    assert found["emodb"] == Holding("a/EmoDB", 2, frozenset({"emodb-03", "emodb-08"}),
                                     Counter(happiness=1, anger=1))  # fmt: skip
    assert found["tess"].folder == "TESS"
    assert set(found) == {"emodb", "tess"}


def test_a_folder_without_recordings_holds_nothing(put):
    assert holdings(put("EmoDB/erkennung.txt"), CORPORA) == {}
    with pytest.raises(CorpusError, match="no such folder"):
        holdings(put() / "gone", CORPORA)


def test_a_complete_corpus_lacks_nothing():
    whole = Holding("x", 535, frozenset(f"emodb-{code}" for code in EMODB.people), EMODB.counts)
    assert missing(EMODB, whole) == ()
    assert [state_of(EMODB, each) for each in (whole, None)] == ["complete", ""]


def test_what_is_missing_is_said_by_recordings_speakers_and_emotions():
    part = Holding("x", 500, frozenset(f"emodb-{code}" for code in EMODB.people[2:]),
                   {**EMODB.counts, "anger": 92})  # fmt: skip
    assert missing(EMODB, part) == (
        "35 of 535 recordings",
        "2 speakers of 10: 03, 08",
        "recordings of anger (35 of 127)",
    )
    assert state_of(EMODB, part) == "partial"


def test_speakers_without_codes_are_counted():
    unknown = replace(EMODB, people=(), counts={})
    part = Holding("x", 535, frozenset({"emodb-1"}), {})
    assert missing(unknown, part) == ("9 of 10 speakers",)
    sizeless = replace(unknown, speakers=0, clips=0)
    assert state_of(sizeless, part) == "found"


@pytest.mark.real
def test_the_real_corpora_are_partial(real_data):
    found = holdings(real_data, CORPORA)
    assert all(state_of(CORPORA[name].CARD, holding) == "partial" for name, holding in found.items())
    assert len(found) == 6


def findings(folder, tones):
    return [(each.kind, each.text, each.clips) for each in check_corpora(folder, {"tones": tones})]


def again(folder, change, **how):
    """Write every recording anew, its samples changed."""
    for path in (folder / "tones").iterdir():
        wave, rate = soundfile.read(path)
        wave, rate = change(wave, rate)
        soundfile.write(path, wave, rate, **how)


def test_a_corpus_as_published_has_one_finding(published, tones):
    where = published / "tones"
    assert findings(published, tones) == [("complete", f"24 recordings of 2 speakers in {where}", 24)]


def test_what_is_missing_is_said(published, tones):
    for path in (published / "tones").glob("b_*"):
        path.unlink()
    (published / "tones" / "a_A_0.wav").unlink()
    assert findings(published, tones)[1:] == [
        ("partial", "missing: 13 of 24 recordings", None),
        ("partial", "missing: 1 speaker of 2: b", None),
        ("partial", "missing: recordings of anger (5 of 8), fear (4 of 8), neutral (4 of 8)", None),
    ]


def test_resampled_and_stereo_copies_are_found(published, tones):
    again(published, lambda wave, rate: (np.stack([wave, wave], 1), 2 * rate))
    assert findings(published, replace_card(tones, mean_s=0.2))[1:] == [
        ("altered", "sample rate: 16,000 Hz instead of the published 8,000 Hz", 24),
        ("altered", "channels: 2 instead of the published 1", 24),
    ]


def replace_card(tones, **changes):
    tones.CARD = replace(tones.CARD, **changes)
    return tones


@pytest.mark.parametrize(
    ("suffix", "how", "kind", "text"),
    [
        (
            "flac",
            {},
            "note",
            "format: FLAC PCM_16 instead of the published WAV PCM_16; the samples can be the same",
        ),
        ("wav", {"subtype": "PCM_U8"}, "altered", "format: WAV PCM_U8 instead of the published WAV PCM_16"),
        ("ogg", {}, "altered", "format: OGG VORBIS instead of the published WAV PCM_16"),
        ("wav", {"format": "WAVEX"}, None, None),
    ],
)
def test_encoding_is_compared(published, tones, suffix, how, kind, text):
    path = published / "tones" / "a_A_0.wav"
    wave, rate = soundfile.read(path)
    path.unlink()
    soundfile.write(path.with_suffix(f".{suffix}"), wave, rate, **how)
    (found,) = check_corpora(published, {"tones": tones})[1:] if kind else [None]
    if found is not None:
        assert (found.kind, found.text, found.clips) == (kind, text, 1)
        assert found.example == f"tones/a_A_0.{suffix}"
    else:
        assert len(findings(published, tones)) == 1


def test_recordings_cut_to_one_length_are_found(published, tones):
    again(published, lambda wave, rate: (wave[:2_900], rate))
    text = "length: 20 recordings last exactly as long as the longest, 0.362 s: cut or padded"
    assert findings(published, tones)[1:] == [("altered", text, 20)]


def test_trimmed_recordings_are_found(published, tones):
    again(published, lambda wave, rate: (wave[: len(wave) // 2], rate))
    text = "length: the mean recording lasts 0.19 s, the published one 0.40 s: cut or trimmed"
    assert findings(published, tones)[1:] == [("altered", text, 24)]


def test_a_few_recordings_say_nothing_about_length(published, tones):
    for path in list((published / "tones").iterdir())[:10]:
        path.unlink()
    again(published, lambda wave, rate: (wave[:1_000], rate))
    assert not [kind for kind, *_ in findings(published, tones) if kind == "altered"]


def test_a_copy_inside_the_copy_is_doubled(published, tones):
    shutil.copytree(published / "tones", published / "tones" / "copy")
    found = findings(published, tones)
    assert [(kind, clips) for kind, _, clips in found] == [("complete", 24), ("doubled", 24)]
    assert found[1][1].startswith("duplicate id: ")


def test_the_same_bytes_under_another_name_are_doubled_unless_few(published, tones):
    shutil.copy(published / "tones" / "a_A_0.wav", published / "tones" / "a_F_0.wav")
    found = check_corpora(published, {"tones": tones})
    assert [each.kind for each in found] == ["complete", "doubled"]
    assert "labelled 'fear' here, 'anger' there" in found[1].text


def test_unreadable_recordings_are_missing_and_strange_names_a_note(published, tones):
    (published / "tones" / "a_A_0.wav").write_bytes(b"no sound")
    (published / "tones" / "a_X_0.wav").write_bytes(b"")
    kinds = [kind for kind, *_ in findings(published, tones)]
    assert kinds == ["found", "partial", "partial", "unreadable", "note"]


def test_a_corpus_of_unknown_size_is_only_found(published, tones):
    unknown = replace_card(tones, clips=0, speakers=0, counts={}, people=(), sample_rate=0, channels=0,
                           format="", mean_s=0)  # fmt: skip
    assert [kind for kind, *_ in findings(published, unknown)] == ["found"]


def test_chosen_corpora_alone_are_read(published, tones):
    assert check_corpora(published, {"tones": tones, **CORPORA}, ["emodb"]) == []
    with pytest.raises(CorpusError, match="no such folder"):
        check_corpora(published / "gone", CORPORA)


@pytest.mark.real
def test_the_real_corpora_are_partial_and_not_altered(real_data):
    found = check_corpora(real_data, CORPORA, jobs=2)
    assert {each.kind for each in found} == {"found", "partial", "note"}
    assert [each.clips for each in found if each.text.startswith("format: FLAC")] == [539, 176]
