"""Drafts of corpora whose emotions stand in tables of any form, and of what else beside the names tells."""

import json
from collections import Counter

import pytest

from ser_pipeline.corpora.draft import draft
from ser_pipeline.errors import CorpusError
from tests.corpora.test_draft import WORDS, names, numbers, put, read

EMOTION_OF = {"anger": "anger", "joy": "happiness", "sadness": "sadness", "neutral": "neutral"}
LABELS = [list(EMOTION_OF)[n * 7 % 4] for n in range(40)]


def grid(label: str) -> str:
    return (
        f'"ooTextFile"\n"TextGrid"\n0\n1\n<exists>\n1\n"IntervalTier"\n"emotion"\n0\n1\n1\n0\n1\n"{label}"\n'
    )


def lines(form: str, *, heading: str = "", of: range = range(40)) -> str:
    return heading + "".join(form.format(n=n, e=LABELS[n], s=n % 5, g="FM"[n % 5 % 2]) + "\n" for n in of)


BESIDE = {
    "no heading": {"l.csv": lines("c/{n:03d}.wav,{e},spk{s},{g}")},
    "blanks between": {"l.txt": lines("c/{n:03d}.wav {e}")},
    "headings in another language": {"l.csv": lines("{n:03d};{e};P{s}", heading="Aufnahme;Ziel;Proband\n")},
    "values alone": {"l.csv": lines("{n:03d},x,{e},{g}", heading="a,b,c,d\n")},
    "no suffix, and one table for each fact": {
        "utt2emo": lines("{n:03d} {e}"), "utt2spk": lines("{n:03d} spk{s}"),
    },
    "a text for each recording": {f"t/{n:03d}.lab": LABELS[n] for n in range(40)},
    "an object for each recording": {
        f"c/{n:03d}.json": json.dumps({"who": {"id": f"p{n % 5}"}, "label": {"emotion": LABELS[n]}})
        for n in range(40)
    },
    "a grid for each recording": {f"c/{n:03d}.TextGrid": grid(LABELS[n]) for n in range(40)},
    "labels by name": {"l.json": json.dumps({f"{n:03d}.wav": LABELS[n] for n in range(40)})},
    "a list below a key": {
        "l.json": json.dumps(
            {"v": 1, "clips": [{"f": {"name": f"{n:03d}"}, "e": LABELS[n]} for n in range(40)]}
        )
    },
    "lines of notes between": {
        "l.txt": lines("[{n}.0 - {n}.9]\t{n:03d}\t{e}\nC-E1:\tx;\t()", heading="% [a, b]\n\n")
    },
    "a table for each part": {
        f"{part}.csv": lines("{n:03d}.wav,{e}", heading="file,emotion\n", of=of)
        for part, of in (("train", range(20)), ("dev", range(20, 30)), ("test", range(30, 40)))
    },
    "votes": {
        "l.csv": "file," + ",".join(EMOTION_OF) + "\n"
        + "".join(
            f"{n:03d}," + ",".join("5" if e == LABELS[n] else "1" for e in EMOTION_OF) + "\n"
            for n in range(40)
        )
    },
}  # fmt: skip
"""Files beside ``c/000.wav`` to ``c/039.wav``, of which nothing but these says the emotion."""


@pytest.mark.parametrize("form", BESIDE)
def test_tables_of_any_form_need_no_edit(tmp_path, form):
    root = put(tmp_path / "mine", [f"c/{n:03d}.wav" for n in range(40)])
    for name, content in BESIDE[form].items():
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_text(content, encoding="utf-8")
    text, rows, rest = read(root)
    assert rest == [], text
    assert [row.emotion for row in rows] == [EMOTION_OF[label] for label in LABELS], text
    if "spk" in text or "P" in "".join(BESIDE[form].values()) or "who" in text:
        assert len({row.speaker_id for row in rows}) == 5, text
    if form == "a table for each part":
        assert Counter(row.part for row in rows) == {"train": 20, "validation": 10, "test": 10}


def test_the_majority_is_taken_and_not_one_of_the_raters(tmp_path):
    table = "file,r1,r2,final,r3\n" + "".join(
        f"{n:03d},{LABELS[n]},{LABELS[n - n % 2]},{LABELS[n]},{LABELS[n - n % 3]}\n" for n in range(40)
    )
    text, rows, _ = read(put(tmp_path / "mine", [f"{n:03d}.wav" for n in range(40)], l__csv=table))
    assert "columns = { emotion = 'final' }" in text
    assert [row.emotion for row in rows] == [EMOTION_OF[label] for label in LABELS]


@pytest.mark.parametrize("gold", [[], ["emotion"], ["agreed"], ["mine"]])
def test_the_labels_of_several_listeners_are_votes(tmp_path, gold):
    answers = [(LABELS[n], LABELS[n - n % 3], LABELS[n - n % 2], "neutral") for n in range(40)]
    chosen = {("mine",): 3, (): 0}.get(tuple(gold), 2)
    table = ",".join(["file", "ann1", "ann2", "ann3", *gold]) + "\n"
    table += "".join(
        ",".join([f"{n:03d}", *said[:3], *[said[chosen]] * len(gold)]) + "\n"
        for n, said in enumerate(answers)
    )
    text, rows, rest = read(put(tmp_path / "mine", [f"{n:03d}.wav" for n in range(40)], l__csv=table))
    assert "raters = ['ann1', 'ann2', 'ann3']" in text
    for row in rows:
        said = [EMOTION_OF[label] for label in answers[int(row.path.stem)]]
        assert row.votes == Counter(said[:3])
        assert row.emotion == (said[2] if chosen == 2 else Counter(said[:3]).most_common(1)[0][0])
    assert len(rest) == (0 if chosen == 2 else sum(len({*map(EMOTION_OF.get, a[:3])}) == 3 for a in answers))
    assert ("columns = { emotion" in text) == (chosen == 2)


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (
            "{n:03d}.wav,{e}\n{n:03d}.wav,{e}\n",
            "several lines name the same recording; if they are answers of listeners, add a column 'rater'",
        ),
        ("x{n}.wav,{e}\n", "no column of the table names the recordings"),
    ],
)
def test_a_table_of_emotions_that_is_of_no_use_is_named(tmp_path, lines, said):
    text = "file,emotion\n" + "".join(lines.format(n=n, e=LABELS[n]) for n in range(40))
    root = put(tmp_path / "mine", [f"{n:03d}.wav" for n in range(40)], l__csv=text)
    with pytest.raises(
        CorpusError, match=rf"mine: the column 'emotion' of l\.csv holds emotions, but {said}"
    ):
        draft(root)


def test_how_emotions_came_about_is_drafted(tmp_path):
    table = "file,emotion,type\n" + "".join(
        f"{n:03d},{LABELS[n]},{('script', 'impro')[n % 2]}\n" for n in range(40)
    )
    text, rows, _ = read(put(tmp_path / "mine", [f"{n:03d}.wav" for n in range(40)], l__csv=table))
    assert 'style = "unknown"' in text
    assert [row.style for row in rows[:2]] == ["acted", "elicited"]


def test_votes_for_other_emotions_count(tmp_path):
    table = "file,anger,joy,sadness,other,shame\n"
    table += "".join(f"{n:03d},{3 * (n % 2)},1,0,{n % 3},2\n" for n in range(40))
    text, rows, _ = read(put(tmp_path / "mine", [f"{n:03d}.wav" for n in range(40)], l__csv=table))
    assert "sadness = 'sadness', other = ['other', 'shame'] }" in text
    said = {row.path.stem: (row.emotion, row.votes) for row in rows}
    assert said["000"] == ("other", {"happiness": 1, "other": 2})
    assert said["003"] == ("anger", {"anger": 3, "happiness": 1, "other": 2})
    assert said["005"] == ("other", {"anger": 3, "happiness": 1, "other": 4})


@pytest.mark.parametrize(
    ("heading", "line"),
    [
        ("speaker,file,emotion", "{s},{n:03d}.wav,{e}"),
        ("path,emotion", "/data/of/others/{s}/{n:03d}.wav,{e}"),
    ],
)
def test_names_that_repeat_are_told_apart_by_their_folders(tmp_path, heading, line):
    clips = [
        (s, n, LABELS[n + at]) for at, s in enumerate(("anna", "bert", "carl", "dora")) for n in range(9)
    ]
    table = "\n".join([heading, *(line.format(s=s, n=n, e=e) for s, n, e in clips)])
    _, rows, rest = read(put(tmp_path / "mine", [f"wav/{s}/{n:03d}.wav" for s, n, _ in clips], l__csv=table))
    assert rest == []
    assert {str(row.path): row.emotion for row in rows} == {
        f"wav/{s}/{n:03d}.wav": EMOTION_OF[e] for s, n, e in clips
    }
    assert len({row.speaker_id for row in rows}) == 4


def test_a_text_of_codes_beside_labels_of_the_same_form_is_no_table(tmp_path):
    codes = {label: number for number, label in enumerate(EMOTION_OF)}
    labels = "".join(f"{n:03d}.wav\t{codes[LABELS[n]]}\n" for n in range(40))
    told = "".join(f"{number}: {label}\n" for label, number in codes.items())
    root = put(tmp_path / "mine", [f"{n:03d}.wav" for n in range(40)], labels__txt=labels, readme__txt=told)
    text, rows, rest = read(root)
    assert rest == [], text
    assert [row.emotion for row in rows] == [EMOTION_OF[label] for label in LABELS]


def test_letters_with_numbers_are_no_first_letters_of_emotions(tmp_path):
    found = draft(put(tmp_path / "mine", names("{s}_a{e}_s{t}.wav", s=("F01", "F02", "M03", "M04"), e="1234",
                                               t=numbers(6, 3))))  # fmt: skip
    emotion = found.guess("emotion")
    assert emotion is not None
    assert (emotion.sure, emotion.codes) == (False, {})


def test_two_speakers_of_every_session_are_not_sure(tmp_path):
    paths = names("Sess{s}_{e}_User{u}_{t}.wav", s=numbers(6), e=WORDS, u=("001F", "002M"), t="12")
    speaker = draft(put(tmp_path / "mine", paths)).guess("speaker")
    assert speaker is not None
    assert (speaker.sure, set(speaker.counts)) == (False, {"User001F", "User002M"})


def test_folders_of_people_come_before_words_that_they_all_say(tmp_path):
    paths = names(
        "{e}/{p}{n}/{w}{t}.wav", e=WORDS, p=("boston", "nyc"), n="123", w=("brake", "east", "go"), t="12"
    )
    _, rows, rest = read(put(tmp_path / "mine", paths))
    assert rest == []
    assert {row.speaker_id for row in rows} == {f"mine-{p}{n}" for p in ("boston", "nyc") for n in "123"}


def test_segments_in_a_table_without_heading_are_rows(tmp_path):
    labels = "".join(f"{n}.0\t{n}.9\t{LABELS[n]}\n" for n in range(10))
    root = put(tmp_path / "talks", ["a1.wav", "a2.wav"], a1__txt=labels, a2__txt=labels)
    _, rows, rest = read(root)
    assert rest == []
    assert [(row.start_s, row.end_s) for row in rows] == [(float(n), n + 0.9) for n in range(10)] * 2
    assert [row.emotion for row in rows] == [EMOTION_OF[label] for label in LABELS[:10] * 2]


def test_a_line_for_each_listener_makes_rows_of_all_their_answers(tmp_path):
    names = [f"s{n % 5}_{n:02}" for n in range(20)]
    answers = "".join(
        f"{name},{rater},{LABELS[n if rater != 'c' else n + 1]},{n % 5 + 1}\n"
        for n, name in enumerate(names)
        for rater in "abc"
    )
    paths = [f"wav/{name}.wav" for name in names]
    text, rows, rest = read(put(tmp_path / "crowd", paths, r__csv=f"clip,rater,emotion,arousal\n{answers}"))
    assert rest == [], text
    assert {row.path.stem: row.emotion for row in rows} == {
        name: EMOTION_OF[LABELS[n]] for n, name in enumerate(names)
    }
    assert {sum(row.votes.values()) for row in rows} == {3}


def test_bounds_of_recordings_that_occur_once_are_named(tmp_path):
    names = [f"s{n % 5}_{n:02}" for n in range(20)]
    lines = "".join(f"{name},{LABELS[n]},{n}.0,{n}.5\n" for n, name in enumerate(names))
    paths = [f"wav/{name}.wav" for name in names]
    text, rows, rest = read(put(tmp_path / "once", paths, t__csv=f"file,emotion,Start,End\n{lines}"))
    assert "# not read: Start, End; for segments, set rows = true and name these columns" in text
    assert (len(rows), rest, {row.start_s for row in rows}) == (20, [], {None})


def test_one_listener_for_each_recording_says_nothing_of_bounds(tmp_path):
    names = [f"s{n % 5}_{n:02}" for n in range(20)]
    lines = "".join(f"{name},{LABELS[n]},{'ab'[n % 2]}\n" for n, name in enumerate(names))
    paths = [f"wav/{name}.wav" for name in names]
    text, rows, rest = read(put(tmp_path / "one", paths, t__csv=f"file,emotion,rater\n{lines}"))
    assert (len(rows), rest) == (20, [])
    assert "# column 'rater' of t.csv is not read" in text
    assert "for segments" not in text


def answered(names, heading="file,listener,heard,arousal", *, raters="abc", upper=False):
    """A table of one line for each listener of each recording; the last of three hears another emotion."""
    lines = [heading]
    for n, name in enumerate(names):
        for rater in raters:
            label = LABELS[n + (rater == "c")]
            lines.append(f"{name}.wav,{rater},{label.upper() if upper else label},{n % 5 + 1}")
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize("upper", [False, True])
def test_answers_of_listeners_are_votes_where_names_say_the_emotion(tmp_path, upper):
    names = [f"s{n % 5}_{LABELS[n]}_{n:02}" for n in range(39)]
    paths = [f"wav/{name}.wav" for name in names]
    text, rows, rest = read(put(tmp_path / "both", paths, r__csv=answered(names, upper=upper)))
    assert rest == [], text
    assert [row.emotion for row in rows] == [EMOTION_OF[row.path.stem.split("_")[1]] for row in rows]
    assert {row.speaker_id for row in rows} == {f"both-s{n}" for n in range(5)}
    votes = {row.path.stem: row.votes for row in rows}
    for n, name in enumerate(names):
        heard = [EMOTION_OF[LABELS[n]]] * 2 + [EMOTION_OF[LABELS[n + 1]]]
        assert votes[name] == Counter(heard)
    assert {round(row.arousal, 2) for row in rows} == {-1, -0.5, 0, 0.5, 1}


def test_answers_in_unknown_codes_are_no_votes_where_names_say_the_emotion(tmp_path):
    names = [f"s{n % 5}_{LABELS[n]}_{n:02}" for n in range(39)]
    lines = [f"{name}.wav,{rater},{n % 5 + 1}" for n, name in enumerate(names) for rater in "abc"]
    table = "\n".join(["file,rater,emotion", *lines])
    text, rows, rest = read(put(tmp_path / "codes", [f"{name}.wav" for name in names], r__csv=table))
    assert rest == [], text
    assert {*map(str, (row.votes for row in rows))} == {"{}"}


def test_columns_of_listeners_are_votes_where_names_say_the_emotion(tmp_path):
    names = [f"s{n % 5}_{LABELS[n]}_{n:02}" for n in range(39)]
    lines = "".join(
        f"{name},{LABELS[n]},{LABELS[n]},{LABELS[n + 1]},{LABELS[n]}\n" for n, name in enumerate(names)
    )
    text, rows, rest = read(
        put(tmp_path / "wide", [f"{name}.wav" for name in names], t__csv=f"file,ann1,ann2,ann3,gold\n{lines}")
    )
    assert rest == [], text
    assert "raters = ['ann1', 'ann2', 'ann3']" in text
    assert "# column 'gold' of t.csv is not read" in text
    assert {sum(row.votes.values()) for row in rows} == {3}
    assert [row.emotion for row in rows] == [EMOTION_OF[row.path.stem.split("_")[1]] for row in rows]


def test_a_table_of_speakers_may_say_the_letter_that_all_codes_have(tmp_path):
    names = [f"H{n % 5:02}-{LABELS[n]}-{n // 5}" for n in range(40)]
    people = "".join(f"H{n:02},{'man' if n % 2 else 'woman'},{n + 1}.3.1970\n" for n in range(5))
    folder = put(
        tmp_path / "coded", [f"{name}.wav" for name in names], who__csv=f"code,sex,date of birth\n{people}"
    )
    text, rows, rest = read(folder)
    assert rest == [], text
    assert {(row.speaker_id, row.gender) for row in rows} == {
        (f"coded-H{n:02}", "male" if n % 2 else "female") for n in range(5)
    }
    assert "# column 'date of birth' of who.csv is not read" in text


def test_of_tables_with_the_same_columns_the_unread_ones_are_named(tmp_path):
    names = [f"s{n % 5}_{LABELS[n]}_{n:02}" for n in range(40)]
    sexes = [f"{name},{'fm'[n % 5 % 2]}\n" for n, name in enumerate(names)]
    tables = {"a__csv": "file,sex\n" + "".join(sexes[:25]), "b__csv": "file,sex\n" + "".join(sexes)}
    found = draft(put(tmp_path / "t", [f"{name}.wav" for name in names], **tables))
    (read,) = found.tables
    (remark,) = found.remarks
    other = {"a.csv": "b.csv", "b.csv": "a.csv"}[read.files[0]]
    assert remark.startswith(f"{other} is not read: names say the emotion, and it tells nothing else")


@pytest.mark.parametrize(
    ("table", "why"),
    [
        ("name,plan\nx1,a\nx2,b\n", "no column names the recordings, or those who speak in them"),
        ("\n".join(f"s{n % 5}_{LABELS[n]}_{n:02}.wav,{LABELS[n]}" for n in (-1, *range(40))).replace(
            f"s4_{LABELS[-1]}_-1.wav,{LABELS[-1]}", "file,emotion") + "\n",
         "names say the emotion, and it tells nothing else of each recording"),
        (answered([f"s{n % 5}_{LABELS[n]}_{n:02}" for n in range(39)], "file,x,heard,y"),
         "several lines name the same recording; if they are answers of listeners, add a column 'rater'"),
    ],
)  # fmt: skip
def test_tables_that_are_not_read_are_named_with_the_reason(tmp_path, table, why):
    paths = [f"s{n % 5}_{LABELS[n]}_{n:02}.wav" for n in range(40)]
    (remark,) = draft(put(tmp_path / "c", paths, t__csv=table)).remarks
    assert remark.startswith(f"t.csv is not read: {why}")


def test_numbers_of_dialogue_and_turn_are_compared_with_columns_part_by_part(tmp_path):
    paths, texts = [], {}
    for shift, part in enumerate(("train", "dev")):
        turns = [(d, t, LABELS[(d * 5 + t + shift) % 40]) for d in range(4) for t in range(5)]
        paths += [f"{part}_splits/dia{d}_utt{t}.wav" for d, t, _ in turns]
        rows = "".join(f"Joey,{e},{d},{t}\n" for d, t, e in turns)
        texts[f"{part}_sent__csv"] = f"Speaker,Emotion,Dialogue_ID,Utterance_ID\n{rows}"
    text, rows_read, rest = read(put(tmp_path / "series", paths, **texts))
    assert rest == [], text
    told = {str(row.path): row.emotion for row in rows_read}
    assert told["train_splits/dia1_utt2.wav"] == EMOTION_OF[LABELS[7]]
    assert told["dev_splits/dia1_utt2.wav"] == EMOTION_OF[LABELS[8]]
    assert {row.part for row in rows_read} == {"train", "validation"}


def test_a_talk_of_two_is_nobody_and_the_letter_of_the_turn_says_who_speaks(tmp_path):
    talks = [(s, m, d) for s in numbers(5) for m in "FM" for d in ("impro01", "script01_1")]
    turns = [f"Ses{s}{m}_{d}_{g}{t:03d}" for s, m, d in talks for g in "FM" for t in range(3)]
    labels = "".join(f"{turn}.wav,{LABELS[n % 40]}\n" for n, turn in enumerate(turns))
    text, rows, rest = read(
        put(tmp_path / "mine", [f"{turn}.wav" for turn in turns], l__csv=f"file,emo\n{labels}")
    )
    assert rest == []
    assert {row.speaker_id for row in rows} == {f"mine-{s}-{g}" for s in numbers(5) for g in "FM"}
    assert all(row.speaker_id[-1] == str(row.path)[-8] for row in rows)
    assert {row.gender for row in rows if row.speaker_id[-1] == "F"} == {"female"}
    assert "speaker = ['session', 'gender']" in text


def test_a_table_of_the_people_says_their_gender_and_age(tmp_path):
    people = "Actor's ID,Sex,Age\n" + "".join(f"{n},{'FM'[n % 2]},{30 + n}\n" for n in range(1, 9))
    paths = names("actor{s}_{e}_{t}.wav", s=numbers(8, 3), e=WORDS, t="12")
    _, rows, rest = read(put(tmp_path / "mine", paths, people__csv=people))
    assert rest == []
    assert {(row.speaker_id, row.gender, row.age) for row in rows} == {
        (f"mine-{n:03d}", "female" if n % 2 == 0 else "male", 30 + n) for n in range(1, 9)
    }


def test_ratings_alone_are_a_corpus_without_emotions(tmp_path):
    ratings = "file,speaker,valence,arousal\n" + "".join(
        f"{n:03d},p{n % 4},{n % 5},{n % 3}\n" for n in range(40)
    )
    text, rows, rest = read(put(tmp_path / "mine", [f"{n:03d}.wav" for n in range(40)], l__csv=ratings))
    assert rest == []
    assert {row.emotion for row in rows} == {"other"}
    assert 'emotion = "other"    # nothing names emotions, but there are ratings' in text
    assert {row.valence for row in rows} == {-1.0, -0.5, 0.0, 0.5, 1.0}


def test_fields_that_may_as_well_be_the_emotion_are_named(tmp_path):
    text, rows, _ = read(
        put(tmp_path / "mine", names("{s}-{w}-{e}-{t}.wav", s=numbers(20), w="0123456", e="123", t="12"))
    )
    assert rows == []
    assert "# nothing says what its codes mean; it may also be the file name (1, 2, 3)" in text


@pytest.mark.parametrize(
    ("encoding", "words"),
    [("cp949", ("감정", "화남", "기쁨", "슬픔")), ("gb18030", ("情感", "愤怒", "高兴", "悲伤"))],
)
def test_korean_and_chinese_tables_are_read_in_their_encodings(tmp_path, encoding, words):
    heading, *labels = words
    table = f"파일,{heading}\n" if encoding == "cp949" else f"文件,{heading}\n"
    table += "".join(f"{n:03d},{labels[n % 3]}\n" for n in range(30))
    root = put(tmp_path / "mine", [f"{n:03d}.wav" for n in range(30)])
    (root / "l.csv").write_bytes(table.encode(encoding))
    text, rows, _ = read(root)
    assert [row.emotion for row in rows] == ["anger", "happiness", "sadness"] * 10
    assert f"language = '{'ko' if encoding == 'cp949' else 'zh'}'" in text


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("a.avi", "holds no recordings, but 1 videos; extract their sound first"),
        ("a.zip", "holds no recordings, but 1 archives; unpack them first"),
        (
            "train-0.parquet",
            "holds no recordings, but tables that may hold them; 'ser manifest import parquet",
        ),
    ],
)
def test_a_folder_of_something_else_says_what_to_do(tmp_path, name, said):
    with pytest.raises(CorpusError, match=said):
        draft(put(tmp_path / "mine", [name]))


def test_a_table_that_cannot_be_read_is_named_where_nothing_says_the_emotions(tmp_path):
    text = "file,emo\n" + "".join(f"{n:03d}.wav,{LABELS[n]}\n" for n in range(40))
    text = text.replace("005.wav,", '005.wav,"')
    root = put(tmp_path / "mine", [f"{n:03d}.wav" for n in range(40)], l__csv=text)
    for table in (None, root / "l.csv"):
        with pytest.raises(
            CorpusError, match=r"l\.csv: line 7: a quote is opened and never closed; 34 lines"
        ):
            draft(root, table)


def test_another_column_of_labels_that_disagrees_is_named(tmp_path):
    lines = "".join(f"{n:03d}.wav,{LABELS[n]},{LABELS[n + (n < 4)]}\n" for n in range(38))
    root = put(
        tmp_path / "mine",
        [f"{n:03d}.wav" for n in range(38)],
        l__csv=f"file,annotator_1,annotator_2\n{lines}",
    )
    text, _, _ = read(root)
    differ = sum(EMOTION_OF[LABELS[n]] != EMOTION_OF[LABELS[n + 1]] for n in range(4))
    said = f"column 'annotator_2' of l.csv, which disagrees in {differ} of 38 lines"
    assert f"# emotion may also be the {said}" in text


def test_ratings_of_one_table_have_one_scale(tmp_path):
    ratings = "file,speaker,valence,arousal\n" + "".join(
        f"{n:03d},p{n % 4},{1 + n % 7},{1 + n % 5}\n" for n in range(40)
    )
    text, _, _ = read(put(tmp_path / "mine", [f"{n:03d}.wav" for n in range(40)], l__csv=ratings))
    assert text.count(" = [1, 7]    # as met in all; say the scale's own range") == 2
