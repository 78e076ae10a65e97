"""The descriptions that are shipped, tried on names made from the published rules."""

from collections import Counter
from collections.abc import Iterator
from itertools import product
from pathlib import PurePosixPath

import pytest

from ser_pipeline.corpora import CORPORA, described, known_corpora
from ser_pipeline.corpora.discover import discover
from ser_pipeline.records import Reject, Utterance

KNOWN = {name: corpus for name, corpus in described().items() if name not in CORPORA}
BY_TABLE = {"dusha", "emns", "emorynlp", "emozionalmente", "meld", "msp-improv", "msp-podcast"}
"""Their names contain no emotion."""

CASES = {
    "aesdd": [
        ("anger/a03 (3).wav", "anger", {"speaker_id": "aesdd-3", "sentence_id": "03"}),
        ("s05 (06).wav", "sadness", {"speaker_id": "aesdd-6"}),
    ],
    "ased": [
        ("05Angry/a5-03-01-02-50.wav", "anger", {"speaker_id": "ased-50", "gender": "male", "take": "01"}),
        ("04Sad/S4-04-02-01-29.wav", "sadness", {"speaker_id": "ased-29", "gender": "female"}),
    ],
    "asvp-esd": [
        ("actor_50/03-02-04-01-01-50-02-01-02-14-06.wav", "sadness", {"speaker_id": "asvp-esd-50"}),
        ("actor_12/03-01-10-02-07-12-02-03-02.wav", "other", {"intensity": "high"}),
    ],
    "banglaser": [
        ("03-01-04-02-03-01-34.wav", "surprise", {"gender": "female", "text": "এ কেমন উপহার"}),
        ("03-01-05-01-01-02-01.wav", "neutral", {"gender": "male", "sentence_id": "01"}),
    ],
    "baved": [("5/103-f-22-5-1-6.wav", "neutral", {"age": 22, "gender": "female", "text": "مقول"})],
    "cafe": [
        ("CaFE_48k/Surprise/Faible/08-S-1-4.wav", "surprise", {"intensity": "low", "age": 25}),
        ("Colère/Fort/01-C-2-2.aiff", "anger", {"text": "Deux ânes aigris au pelage brun"}),
        ("Neutre/01-N-1-2.aiff", "neutral", {"intensity": "unspecified"}),
    ],
    "casia": [("ZhaoZuoxiang/sad/250.wav", "sadness", {"speaker_id": "casia-ZhaoZuoxiang"})],
    "demos": [
        ("DEMOS/NP_m_02_rab01a.wav", "anger", {"speaker_id": "demos-02", "gender": "male"}),
        ("NEU/f_31_neu02c.wav", "neutral", {"speaker_id": "demos-31", "gender": "female"}),
    ],
    "ears": [
        ("p003/emo_amazement_freeform.wav", "surprise", {"speaker_id": "ears-003"}),
        ("p107/emo_serenity_sentences.wav", "calm", {"session_id": None}),
    ],
    "e-seravd": [("04/HSL/02-04-HSL-T-0012.wav", "happiness", {"session_id": "HSL"})],
    "emofilm": [
        ("wav_corpus/f_ans001aes.wav", "fear", {"language": "es", "gender": "female"}),
        ("wav_corpus_16k/m_dis012bit_16k.wav", "contempt", {"language": "it", "gender": "male"}),
    ],
    "emogator": [("data/mp3/000357-28-3.mp3", "surprise", {"speaker_id": "emogator-000357", "take": "3"})],
    "emota": [("EmoTa/fear/22_19_fea.wav", "fear", {"speaker_id": "emota-22", "sentence_id": "19"})],
    "emouerj": [("w01n10.wav", "neutral", {"speaker_id": "emouerj-w01", "gender": "female", "take": "10"})],
    "emov-db": [
        ("jenie/Sleepy/sleepiness_1-28_0011.wav", "other", {"speaker_id": "emov-db-jenie"}),
        ("sam_Disgusted/disgust_393-420_0401.wav", "disgust", {"gender": "male", "sentence_id": "0401"}),
    ],
    "emovo": [("f2/rab-f2-d2.wav", "anger", {"text": "Porti con te quella cosa?", "age": 23})],
    "enterface": [
        ("subject 11/anger/sentence 5/s12_an_5.avi", "anger", {"speaker_id": "enterface-11"}),
        ("subject 6/fear/s6_fe_2.wav", "fear", {"sentence_id": "fe_2"}),
        ("subject 3/surprise/sentence 1/s_3_su_1.wav", "surprise", {"speaker_id": "enterface-3"}),
        ("subject 16/surprise/sentence 3/s16_su_3avi.avi", "surprise", {"sentence_id": "su_3"}),
    ],
    "esd": [
        ("0018/Surprise/0018_001748.wav", "surprise", {"language": "en", "gender": "female"}),
        ("0004/Neutral/evaluation/0004_000001.wav", "neutral", {"language": "zh", "part": "validation"}),
    ],
    "expresso": [("read/ex01/sad/base/ex01_sad_00012.wav", "sadness", {"speaker_id": "expresso-ex01"})],
    "eyase": [("fm01_ang (1).wav", "anger", {"speaker_id": "eyase-fm01", "take": "1"})],
    "indowave": [("10-05-02-03.wav", "other", {"gender": "female", "intensity": "high"})],
    "jl-corpus": [
        ("JL(wav+txt)/female1_apologetic_7b_2.wav", "other", {"speaker_id": "jl-corpus-female1"}),
        ("male2_excited_15a_1.wav", "excitement", {"gender": "male", "sentence_id": "15", "take": "1"}),
    ],
    "jtes": [("wav/m50/joy/m50_joy_50.wav", "happiness", {"gender": "male", "sentence_id": "joy_50"})],
    "jvnv": [("F1/anger/regular/F1_anger_regular_01.wav", "anger", {"gender": "female"})],
    "kannada": [("10-06-03.wav", "neutral", {"age": 12, "gender": "female", "sentence_id": "03"})],
    "kbes": [("4-2-0-17.wav", "anger", {"gender": "female", "intensity": "high"})],
    "mead": [
        ("W009/audio/contempt/level_3/001.wav", "contempt", {"gender": "female", "intensity": "high"}),
        ("W009/audio/neutral/level_1/001.wav", "neutral", {"intensity": "unspecified"}),
    ],
    "mesd": [
        ("Neutral_C_B_bola.wav", "neutral", {"gender": "unknown", "sentence_id": "bola"}),
        ("Anger_M_B_buenos dias.wav", "anger", {"gender": "male"}),
    ],
    "mess": [("CM3_12.wav", "calm", {"speaker_id": "mess-M3", "gender": "male"})],
    "oreau": [("OréauFR_02/f/sessn/03a01Na.wav", "neutral", {"gender": "female", "sentence_id": "a01"})],
    "polish": [("m5.s_trzymaj_5.wav", "fear", {"speaker_id": "polish-m5", "text": "trzymaj"})],
    "portuguese": [("16pB_surprise2.wav", "surprise", {"speaker_id": "portuguese-B"})],
    "resd": [
        ("train/neutral_enthusiasm_13/13_neutral_enthusiasm_e_110.wav", "other", {"part": "train"}),
        ("test/04_fear_enthusiasm/04_fear_enthusiasm f_030.wav", "fear", {"session_id": "04"}),
    ],
    "shemo": [("male/M02W19.wav", "surprise", {"speaker_id": "shemo-M02", "gender": "male"})],
    "subesco": [
        ("F_02_MONIKA_S_10_HAPPY_2.wav", "happiness", {"sentence_id": "10", "gender": "female"}),
        ("F_02_MONIKA_S_2_SURPRISE_3].wav", "surprise", {"speaker_id": "subesco-F_02", "take": "3"}),
    ],
    "thorsten": [("angry/3da24b61836ab54f31166159df72cfae.wav", "anger", {"gender": "male"})],
    "turev-db": [("Sound Source/Calm/1234_sk_algi.wav", "calm", {"sentence_id": "algi"})],
    "urdu": [("Happy/SF7_F4_H076.wav", "happiness", {"speaker_id": "urdu-SF7", "gender": "female"})],
    "vivae": [("full_set/S11_pain_peak_09.wav", "other", {"intensity": "high", "take": "09"})],
}  # fmt: skip
"""Corpus id -> name, emotion, other facts of the row; those of ``BY_TABLE`` are tried with their tables."""

FOREIGN = {
    "aesdd": ["a03.wav", "n03 (1).wav"],
    "ased": ["b5-03-01-02-50.wav", "a5-03-01-02.wav", "a5-03-01-03-50.wav"],
    "asvp-esd": ["03-01-05-01-01-12-02.wav", "01-01-05-01-01-12-02-01-02.wav"],
    "banglaser": ["03-02-01-01-01-01-01.wav", "03-01-06-01-01-01-01.wav", "03-01-01-01-01-01-35.wav"],
    "baved": ["0-x-21-0-1-105.wav", "0-m-21-7-1-105.wav"],
    "cafe": ["13-C-1-1.wav", "01-A-1-1.wav", "01-C-3-1.wav", "01-C-1-7.wav"],
    "casia": ["angry/201.wav", "somebody/angry/201.wav"],
    "demos": ["PR_x_01_dis01a.wav", "PR_f_01.wav"],
    "dusha": ["wavs/0a1b.wav", "podcast_train/wavs/0a1b.wav"],
    "ears": ["p3/emo_anger_freeform.wav", "emo_anger_freeform.wav"],
    "e-seravd": ["02-05-HSL-T-0012.wav", "02-04-ABC-T-0012.wav"],
    "emns": ["audio_ohfGcS9.wav"],
    "emorynlp": ["sea1_ep4_sc1_utt0.wav", "emorynlp_train_splits/dia0_utt1.wav"],
    "emofilm": ["f_neu001es.wav", "f_ans001fr.wav"],
    "emogator": ["1-03-1.mp3", "000001-03-4.mp3"],
    "emota": ["01_05_sur.wav", "01_neu.wav"],
    "emouerj": ["f01n10.wav", "m03x08.wav"],
    "emov-db": ["tom/Angry/anger_1-28_0011.wav", "sam/Angry/anger_0011.wav"],
    "emovo": ["neu-m4-n5.wav", "neu-m1-n6.wav", "xxx-m1-n5.wav"],
    "emozionalmente": ["audio/12.wav"],
    "enterface": ["s38_sa_3.avi", "subject 38/sadness/sentence 3/s38_ne_3.avi"],
    "esd": ["0021/Angry/0021_000001.wav", "0001/Fear/0001_000001.wav", "0001/Angry/0002_000351.wav"],
    "expresso": ["ex05_sad_00012.wav", "ex01-ex02_angry_001.wav"],
    "eyase": ["fm01_sur (1).wav", "fm01_ang.wav"],
    "indowave": ["11-05-02-03.wav", "01-06-01-01.wav"],
    "jl-corpus": ["male3_angry_1a_1.wav", "male1_angry_16a_1.wav", "male1_angry_1c_1.wav"],
    "jtes": ["f01_fea_01.wav", "x01_ang_01.wav"],
    "jvnv": ["F3_anger_free_01.wav", "F1_anger_01.wav"],
    "kannada": ["14-01-01.wav", "01-07-01.wav"],
    "kbes": ["6-1-0-1.wav", "1-3-0-1.wav"],
    "mead": ["M027/video/front/sad/level_1/018.mp4", "M027/audio/sad/level_4/018.m4a"],
    "meld": ["dia0_utt1.wav", "train_splits/dia0.wav"],
    "mesd": ["Joy_F_A_fuera.wav", "Anger_X_A_fuera.wav"],
    "mess": ["NM3.wav", "AX1.wav"],
    "msp-improv": ["S01A-F01-P-FM01.wav", "MSP-IMPROV-S01X-F01-P-FM01.wav"],
    "msp-podcast": ["PODCAST_1023_0235.wav"],
    "oreau": ["40a05Ca.wav", "m/sessc/40a05Wa.wav"],
    "polish": ["m6.a_stop_3.wav", "m1.x_stop_3.wav", "m1.a_go_3.wav"],
    "portuguese": ["11xA_angry1.wav", "11sC_angry1.wav"],
    "resd": ["13_neutral_enthusiasm_n_030.wav", "test/d/13_neutral_enthusiasm_x_030.wav"],
    "shemo": ["X24H18.wav", "F24X18.wav"],
    "subesco": ["X_02_MONIKA_S_10_HAPPY_2.wav", "F_02_MONIKA_S_10_HAPPY_6.wav"],
    "thorsten": ["amused/1.wav"],
    "turev-db": ["Angry/1984_kz_pas.wav", "Sound Source/Fear/1984_kz_pas.wav"],
    "urdu": ["SM1_F10_F010.wav", "M1_F10_A010.wav"],
    "vivae": ["S01_joy_low_01.wav", "S01_anger_weak_01.wav"],
}
"""Corpus id -> names that do not follow its rule."""

every_description = pytest.mark.parametrize("name", KNOWN)


def official() -> Iterator[tuple[str, list[str]]]:
    """Every name of the corpora whose rule alone tells them all."""
    yield (
        "cafe",
        [
            f"{actor:02}-{code}-{level}-{text}"
            for actor, code, level, text in product(range(1, 13), "CDJNPST", "12", range(1, 7))
            if (code, level) != ("N", "2")
        ],
    )
    people = ("liuchanhg", "wangzhe", "zhaoquanyin", "ZhaoZuoxiang")
    emotions = ("angry", "fear", "happy", "neutral", "sad", "surprise")
    yield "casia", [f"{who}/{code}/{text}" for who, code, text in product(people, emotions, range(201, 251))]
    people = ("f1", "f2", "f3", "m1", "m2", "m3")
    texts = ["b1", "b2", "b3", "l1", "l2", "l3", "l4", "n1", "n2", "n3", "n4", "n5", "d1", "d2"]
    emotions = tuple(KNOWN["emovo"].EMOTIONS)
    yield "emovo", [f"{who}/{code}-{who}-{text}" for who, code, text in product(people, emotions, texts)]
    yield (
        "indowave",
        [
            f"{who:02}-0{code}-0{level}-0{take}"
            for who, code, level, take in product(range(1, 11), range(1, 6), "12", "123")
        ],
    )
    emotions = tuple(KNOWN["jl-corpus"].EMOTIONS)
    yield (
        "jl-corpus",
        [
            f"{who}{number}_{code}_{text}{half}_{take}"
            for who, number, code, text, half, take in product(
                ("female", "male"), "12", emotions, range(1, 16), "ab", "12"
            )
        ],
    )
    yield (
        "jtes",
        [
            f"{sex}{who:02}_{code}_{text:02}"
            for sex, who, code, text in product(
                "fm", range(1, 51), ("ang", "joy", "neu", "sad"), range(1, 51)
            )
        ],
    )
    yield (
        "kannada",
        [f"{who:02}-0{code}-0{text}" for who, code, text in product(range(1, 14), "123456", "123456")],
    )
    words = ("nie", "oddaj", "podaj", "stop", "tak", "trzymaj")
    yield (
        "polish",
        [f"m{who}.{code}_{word}_{take}" for who, code, word, take in product("12345", "ans", words, "12345")],
    )
    emotions = tuple(KNOWN["subesco"].EMOTIONS)
    yield "subesco", [
        f"{sex}_{who:02}_SOMEBODY_S_{text}_{code}_{take}"
        for sex, who, text, code, take in product("FM", range(1, 11), range(1, 11), emotions, "12345")
    ]  # fmt: skip


OFFICIAL = dict(official())


def parse(name: str, path: str) -> Utterance | Reject:
    return KNOWN[name].parse(PurePosixPath(path))


def with_group(name: str, group: str, code: str) -> str:
    """The layout of a corpus with another code in one place."""
    corpus = KNOWN[name]
    path = PurePosixPath(corpus.CARD.layout)
    match = corpus.NAME.fullmatch(str(path.with_suffix("")))
    assert match is not None
    start, end = match.span(group)
    return f"{match.string[:start]}{code}{match.string[end:]}{path.suffix}"


@every_description
def test_a_description_says_what_a_reader_of_the_list_needs(name):
    told = KNOWN[name].description
    assert told.title
    assert told.layout
    assert told.language != ""
    assert told.source.startswith(("doi:10.", "http"))
    assert told.verified == "rule"  # none of them lies at hand
    assert told.folders
    assert told.notes == "" or told.notes.endswith(".")


@every_description
def test_every_description_is_tried_on_names_and_on_foreign_ones(name):
    assert name in BY_TABLE or CASES[name]
    assert FOREIGN[name]


@pytest.mark.parametrize(
    ("name", "path", "emotion", "facts"), [(n, *case) for n in CASES for case in CASES[n]]
)
def test_names_made_from_the_rule_are_read(name, path, emotion, facts):
    for place in (path, f"my/copy/{path}", str(PurePosixPath(path).with_suffix(".FLAC"))):
        row = parse(name, place)
        assert isinstance(row, Utterance), row
        assert row.emotion == emotion
        assert {fact: getattr(row, fact) for fact in facts} == facts


@pytest.mark.parametrize(("name", "path"), [(name, path) for name in FOREIGN for path in FOREIGN[name]])
def test_other_names_are_rejects(name, path):
    assert isinstance(parse(name, path), Reject)
    assert not KNOWN[name].claims(PurePosixPath(KNOWN[name].CARD.title) / path)


@every_description
def test_the_layout_is_claimed_in_a_folder_that_is_called_like_the_corpus(name):
    layout = KNOWN[name].CARD.layout
    for folder in (name, KNOWN[name].CARD.title, name.upper()):
        assert KNOWN[name].claims(PurePosixPath("DataSets") / folder / layout), folder
    assert KNOWN[name].claims(PurePosixPath("DataSets/x") / layout) is KNOWN[
        name
    ].description.anywhere or any(KNOWN[name].called(folder) for folder in PurePosixPath(layout).parent.parts)


@pytest.mark.parametrize(
    ("name", "code", "emotion"),
    [
        (name, code, emotion)
        for name in KNOWN
        if name not in BY_TABLE
        for code, emotion in KNOWN[name].EMOTIONS.items()
    ],
)
def test_every_code_of_an_emotion_is_read(name, code, emotion):
    row = parse(name, with_group(name, "emotion", code))
    assert isinstance(row, Utterance), row
    assert (row.source_label, row.emotion) == (code, emotion)


@pytest.mark.parametrize(
    ("name", "path", "reason"),
    [
        ("asvp-esd", "03-02-13-01-01-50-02-01-02.wav", "is a breath"),
        ("asvp-esd", "03-02-17-01-01-50-02-01-02.wav", "the publisher does not know"),
        ("asvp-esd", "03-02-14-01-01-50-02-01-02.wav", "emotion '14' does not exist; valid are 01, 02"),
        ("baved", "0-m-21-0-0-105.wav", "is a low level of expression"),
        ("baved", "0-m-21-0-2-105.wav", "is a high level of expression"),
        ("demos", "PR_f_01_xyz01a.wav", "emotion 'xyz' does not exist; valid are col, dis"),
        ("ears", "p003/rainbow_01_loud.wav", "is a way of reading"),
        ("ears", "p003/freeform_speech_01.wav", "is a monologue"),
        ("ears", "p003/vegetative_cough.wav", "is a sound"),
        ("expresso", "ex01_whisper_00001.wav", "is a way of speaking"),
        ("expresso", "ex01_default_longform_00001.wav", "is a longer text"),
        ("thorsten", "drunk/3da24b61836ab54f31166159df72cfae.wav", "is a state of the body"),
    ],
)
def test_labels_that_are_no_emotions_are_rejects_that_say_why(name, path, reason):
    row = parse(name, path)
    assert isinstance(row, Reject)
    assert reason in row.reason


@pytest.mark.parametrize("name", OFFICIAL)
def test_complete_corpora_have_the_published_counts(name):
    rows = [parse(name, f"{path}.wav") for path in OFFICIAL[name]]
    told = KNOWN[name].description
    assert [row for row in rows if isinstance(row, Reject)] == []
    counts = Counter(row.emotion for row in rows if isinstance(row, Utterance))
    counts.pop("other", None)
    assert counts == told.counts
    assert len(rows) == told.clips
    assert len({row.canonical for row in rows if isinstance(row, Utterance)}) == told.clips
    assert len({row.speaker_id for row in rows if isinstance(row, Utterance)}) == told.speakers


@every_description
def test_published_counts_add_up(name):
    told = KNOWN[name].description
    total = sum(told.counts.values())
    assert total == told.clips or total == 0 or "other" in KNOWN[name].EMOTIONS.values()
    assert set(told.counts) <= set(KNOWN[name].EMOTIONS.values())


def named(name: str) -> list[PurePosixPath]:
    """Names of a corpus, in a folder that says nothing."""
    paths = [KNOWN[name].CARD.layout, *(path for path, *_ in CASES.get(name, []))]
    return [PurePosixPath("copy") / path for path in [*paths, *OFFICIAL.get(name, [])[::29]]]


@every_description
def test_a_corpus_that_needs_no_folder_claims_no_other_corpus_names(name, official_names):
    if not KNOWN[name].description.anywhere:
        return
    others = [path for other in KNOWN if other != name for path in named(other)]
    others += [PurePosixPath("copy") / path for paths in official_names.values() for path in paths[::37]]
    assert [path for path in others if KNOWN[name].claims(path)] == []


@every_description
def test_a_corpus_that_needs_no_folder_has_names_unlike_the_built_in_ones(name):
    if KNOWN[name].description.anywhere:
        claimed = [
            (id_, path) for path in named(name) for id_, corpus in CORPORA.items() if corpus.claims(path)
        ]
        assert claimed == []


def test_no_corpus_claims_what_people_call_their_own_recordings():
    own = [
        "1", "001", "rec_001", "audio(1)", "voice-1", "2024-01-05-1", "12-03-2024", "000001-03-1", "happy_1",
        "anger/001", "sad/12", "m1_happy", "speaker1_happy_01", "F01_anger", "f1/angry/1", "anna-happy-1",
        "01_ang_03", "S01_anger_01", "a01", "03-01-01", "session1/turn_12",
    ]  # fmt: skip
    for corpus in KNOWN.values():
        assert [name for name in own if corpus.claims(PurePosixPath("recordings") / f"{name}.wav")] == []


def test_the_folder_tells_corpora_apart_whose_names_are_alike(put):
    data = put(
        "BanglaSER/03-01-04-02-03-01-34.wav", "RAVDESS/Actor_01/03-01-04-02-02-01-01.wav",
        "OréauFR_02/f/sesst/03a01Ta.wav", "EmoDB/wav/03a01Ta.wav", "Expresso/ex01_sad_00001.wav",
        "x/ex01_sad_00002.wav",
    )  # fmt: skip
    found = discover(data, known_corpora())
    assert {(each.corpus, str(each.root), len(each.files)) for each in found.found} == {
        ("banglaser", "BanglaSER", 1), ("ravdess", "RAVDESS", 1), ("oreau", "OréauFR_02", 1),
        ("emodb", "EmoDB", 1), ("expresso", "Expresso", 1), ("expresso", "x", 1),
    }  # fmt: skip
    assert found.strays == ()
