"""Shipped descriptions whose labels come from tables, tried on tables of the published form."""

from pathlib import Path

import pytest

from ser_pipeline.corpora import described
from ser_pipeline.records import Reject, TableProblem, Utterance

KNOWN = described()


def scanned(name: str, root: Path) -> dict[str, Utterance | Reject]:
    found = list(KNOWN[name].scan(root))
    assert [each for each in found if isinstance(each, TableProblem)] == []
    return {each.path.stem: each for each in found if isinstance(each, Utterance | Reject)}


def test_meld_counts_dialogues_anew_in_each_part(put):
    head = "Sr No.,Utterance,Speaker,Emotion,Sentiment,Dialogue_ID,Utterance_ID,Season,Episode,Start,End\n"
    root = put(
        "train/train_splits/dia0_utt1.wav", "dev_splits_complete/dia0_utt1.wav",
        "output_repeated_splits_test/dia0_utt2.wav", "output_repeated_splits_test/dia0_utt3.wav",
        **{
            "train/train_sent_emo.csv": head + '1,"Oh, no!",Ross,sadness,negative,0,1,1,1,"0,1","0,2"\n',
            "dev_sent_emo.csv": head + "1,Yes.,Joey,joy,positive,0,1,1,1,0,1\n",
            "test_sent_emo.csv": head + "1,What?,Monica,surprise,neutral,0,2,1,1,0,1\n",
        },
    )  # fmt: skip
    rows = [row for row in KNOWN["meld"].scan(root) if isinstance(row, Utterance | Reject)]
    told = {(row.part, row.speaker_id, row.emotion, row.text) for row in rows if isinstance(row, Utterance)}
    assert told == {
        ("train", "meld-Ross", "sadness", "Oh, no!"),
        ("validation", "meld-Joey", "happiness", "Yes."),
        ("test", "meld-Monica", "surprise", "What?"),
    }
    (reject,) = [row for row in rows if isinstance(row, Reject)]
    assert reject.reason.startswith("no label")


@pytest.mark.parametrize("table", ["labels_concensus.csv", "labels_consensus.csv"])
def test_msp_podcast_takes_all_from_the_table_of_either_spelling(put, table):
    head = "FileName,EmoClass,EmoAct,EmoVal,EmoDom,SpkrID,Gender,Split_Set\n"
    root = put(
        "Audios/MSP-PODCAST_0001_0008.wav", "Audios/MSP-PODCAST_0001_0009.wav",
        "Audios/MSP-PODCAST_0002_0033_0001.wav",
        **{
            f"Labels/{table}": f"{head}MSP-PODCAST_0001_0008.wav,U,7,1,4,127,Female,Test2\n"
            "MSP-PODCAST_0001_0009.wav,X,4,4,4,127,Female,Train\n"
            "MSP-PODCAST_0002_0033_0001.wav,C,4,4,4,Unknown,Unknown,Development\n"
        },
    )  # fmt: skip
    rows = scanned("msp-podcast", root)
    one, two, three = rows.values()
    assert isinstance(one, Utterance)
    assert (one.emotion, one.part, one.gender) == ("surprise", "test", "female")
    assert (one.arousal, one.valence, one.dominance) == (1, -1, 0)
    assert isinstance(two, Utterance)
    assert (two.emotion, two.source_label, two.valence) == ("other", "X", 0)
    assert isinstance(three, Utterance)
    assert (three.emotion, three.part, three.speaker_id) == ("contempt", "validation", "msp-podcast-unknown")


def test_dusha_has_one_line_for_each_listener(put):
    head = "hash_id\taudio_path\tduration\tannotator_emo\tgolden_emo\tspeaker_text\tspeaker_emo\tsource_id\n"
    line = "{0}\twavs/{0}.wav\t2\t{1}\t\tprivet\t{2}\tc3\n"
    a, b = "a" * 32, "b" * 32
    root = put(
        f"crowd_train/wavs/{a}.wav", f"crowd_test/wavs/{b}.wav",
        **{
            "crowd_train/raw_crowd_train.tsv": head
            + line.format(a, "sad", "positive")
            + line.format(a, "neutral", "positive"),
            "crowd_test/raw_crowd_test.tsv": head + line.format(b, "sad", "angry"),
        },
    )  # fmt: skip
    rows = scanned("dusha", root)
    assert isinstance(rows[a], Utterance)
    assert (rows[a].emotion, rows[a].part, rows[a].text) == ("happiness", "train", "privet")
    assert isinstance(rows[b], Utterance)
    assert (rows[b].emotion, rows[b].part, rows[b].speaker_id) == ("anger", "test", "dusha-c3")


def test_emns_reads_its_table_though_the_recordings_were_converted(put):
    root = put(
        "recorded_audio_08oFo0W.wav",
        **{
            "metadata.csv": "id|utterance|description|emotion|user_id|gender|age|level|audio_recording\n"
            '1|Well, "yes"|calm|Sarcastic|3|Female|x|5|wavs/recorded_audio_08oFo0W.webm\n'
        },
    )
    (row,) = scanned("emns", root).values()
    assert isinstance(row, Utterance)
    assert (row.emotion, row.source_label, row.speaker_id) == ("other", "Sarcastic", "emns-3")


def test_emozionalmente_joins_the_people_by_the_speaker_of_its_other_table(put):
    root = put(
        "audio/1615308080428.wav", "audio/1615308080429.wav",
        **{
            "metadata/samples.csv": "file_name,actor,sentence,emotion_expressed\n"
            "1615308080428.wav,ann,Ciao,neutrality\n1615308080429.wav,bob,Ciao,joy\n",
            "metadata/users.csv": "username,gender,age,mother_tongue\n"
            "ann,female,30,italian\nbob,other,41.0,italian\n",
        },
    )  # fmt: skip
    one, two = scanned("emozionalmente", root).values()
    assert isinstance(one, Utterance)
    assert (one.emotion, one.speaker_id, one.gender, one.age) == (
        "neutral",
        "emozionalmente-ann",
        "female",
        30,
    )
    assert isinstance(two, Utterance)
    assert (two.emotion, two.gender, two.age) == ("happiness", "unknown", 41)


def test_emorynlp_compares_four_numbers_and_the_part(put):
    head = "Utterance_ID,Scene_ID,Episode,Season,Speaker,Utterance,Emotion\n"
    root = put(
        "emorynlp_train_splits/sea1_ep4_sc1_utt0.wav", "emorynlp_dev_splits/sea1_ep4_sc1_utt0.wav",
        **{
            "emorynlp_train_final.csv": head + "0,1,4,1,['Ross'],Hi.,Mad\n",
            "emorynlp_dev_final.csv": head + "0,1,4,1,['Joey'],No.,Peaceful\n",
        },
    )  # fmt: skip
    rows = [row for row in KNOWN["emorynlp"].scan(root) if isinstance(row, Utterance)]
    assert {(row.part, row.emotion, row.text) for row in rows} == {
        ("train", "anger", "Hi."), ("validation", "calm", "No."),
    }  # fmt: skip


def test_msp_improv_takes_what_listeners_heard_and_not_what_was_to_be_acted(put):
    names = ("S01A-F01-P-FM01", "S01A-M01-S-FM02", "S02H-F01-R-FF11")
    root = put(
        *(f"session1/{name[:4]}/{name[9]}/MSP-IMPROV-{name}.wav" for name in names),
        **{
            "Evalution.txt": f"UTD-IMPROV-{names[0]}.avi; N; A:2.600000; V:5.0; D:1.0 ; N:3.0;\n"
            "WKR01; Neutral; ; A:3.0; V:3.0; D:3.0; N:4.0;\n\n"
            f"UTD-IMPROV-{names[1]}.avi; X; A:2.0; V:3.0; D:3.0 ; N:NaN;\n"
            f"UTD-IMPROV-{names[2]}.avi; O; A:2.0; V:3.0; D:3.0 ; N:NaN;\n"
        },
    )
    neutral, disputed, other = scanned("msp-improv", root).values()
    assert isinstance(neutral, Utterance)
    assert (neutral.emotion, neutral.speaker_id, neutral.gender) == ("neutral", "msp-improv-F01", "female")
    assert neutral.session_id == "01"
    assert (neutral.valence, neutral.dominance, neutral.naturalness) == (1, -1, 0.5)
    assert isinstance(disputed, Utterance)
    assert (disputed.emotion, disputed.source_label) == ("other", "X")
    assert isinstance(other, Utterance)
    assert (other.emotion, other.naturalness) == ("other", None)
