"""Corpora that are read by a description: names, folders, tables, side files, and whatever is wrong there."""

import json
from pathlib import Path, PurePosixPath

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ser_pipeline.corpora import known_corpora, own_descriptions
from ser_pipeline.corpora.described import Described
from ser_pipeline.corpora.description import parse_description
from ser_pipeline.corpora.discover import discover
from ser_pipeline.errors import CorpusError
from ser_pipeline.records import MissingAudio, Reject, TableProblem, Utterance

VOICES = r"""
name = "voices"
title = "Voices of Somewhere"
language = "it"
pattern = '(?P<speaker>[fm]\d)/(?P<emotion>[a-z]{3})-(?P=speaker)-(?P<sentence>b\d)'
layout = "Voices/f1/rab-f1-b1.wav"
[codes.emotion]
rab = "anger"
gio = "happiness"
[refused.emotion]
lev = "is a level of the voice and no emotion"
[texts]
b1 = "Il libro"
[people.f1]
gender = "female"
age = 30
"""


def corpus(extra: str = "", text: str = VOICES) -> Described:
    return Described(parse_description(text + extra, "voices.toml"))


def scanned(root: Path, corpus: Described) -> list[object]:
    return list(corpus.scan(root))


def put(root: Path, *names: str, **files: bytes | str) -> Path:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"RIFF")
    for name, content in files.items():
        data = content if isinstance(content, bytes) else content.encode()
        (root / name.replace("__", ".")).write_bytes(data)
    return root


def test_groups_codes_people_and_texts_fill_the_row():
    row = corpus().parse(PurePosixPath("somewhere/f1/rab-f1-b1.flac"))
    assert isinstance(row, Utterance)
    assert row == Utterance(
        corpus="voices", path=row.path, canonical="f1/rab-f1-b1", source_label="rab", emotion="anger",
        speaker_id="voices-f1", language="it", gender="female", age=30, sentence_id="b1", text="Il libro",
        style="unknown",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("f1/xxx-f1-b1.wav", "emotion 'xxx' does not exist; valid are rab, gio"),
        ("f1/lev-f1-b1.wav", "is a level of the voice and no emotion"),
        ("f1/rab-f2-b1.wav", "name does not follow 'Voices/f1/rab-f1-b1.wav'"),
        ("f1/._rab-f1-b1.wav", "side file of macOS, not a recording"),
    ],
)
def test_a_name_that_cannot_be_read_is_a_reject_with_its_reason(path, reason):
    row = corpus().parse(PurePosixPath(path))
    assert isinstance(row, Reject)
    assert row.reason == reason


def test_a_layout_that_the_pattern_does_not_read_is_refused():
    with pytest.raises(CorpusError, match=r"does not match the layout 'a\.wav'"):
        corpus(text=VOICES.replace("Voices/f1/rab-f1-b1.wav", "a.wav"))


def test_one_language_has_one_tag_however_it_is_written():
    text = VOICES.replace('"it"', '"IT-ch"').replace("sentence>b", "language>[a-z]{2})(?P<sentence>b")
    text = text.replace("rab-f1-b1", "rab-f1-deb1") + '[codes.language]\nde = "DE-at"\n'
    found = corpus(text=text).parse(PurePosixPath("f1/rab-f1-deb1.wav"))
    assert isinstance(found, Utterance)
    assert (found.language, corpus(text=text).description.language) == ("de-AT", "it-CH")


def test_facts_of_a_person_that_do_not_fit_are_refused():
    with pytest.raises(CorpusError, match=r"voices: people: age '300' is not a whole number"):
        corpus(text=VOICES.replace("age = 30", "age = 300"))


SPELT = r"""
name = "spelt"
pattern = '(?P<emotion>[a-z]+)_(?P<sentence>[a-z]+\d)(?:_(?P<other>x\d))?_(?P<take>[A-Z])'
around = '(?P<speaker>f\d)(?:_(?P<gender>[fm]))?(?:/.*)?'
id = "{speaker}/{emotion}-{sentence}"
ignore_case = true
closed = ["take"]
[codes.emotion]
Wut = "anger"
[codes.take]
A = "first"
[spellings.emotion]
zorn = "Wut"
[refused.other]
x1 = "is the first of the others"
"*" = "is another"
[renamed]
"f1/Wut" = "f1/Rage"
[texts]
s1 = "The first"
"*" = "That is *"
"""


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("F1/takes/ZORN_S1_a.wav", ("f1/Rage-s1", "f1", "Wut", "s1", "The first", "first", "unknown")),
        ("x/f2_M/wut_S2_A.wav", ("f2/Wut-s2", "f2", "Wut", "s2", "That is s2", "first", "male")),
        ("f1/f3/wut_s1_a.wav", ("f3/Wut-s1", "f3", "Wut", "s1", "The first", "first", "unknown")),
        ("wut_s1_a.wav", ("/Wut-s1", "unknown", "Wut", "s1", "The first", "first", "unknown")),
    ],
)
def test_folders_around_and_other_spellings_are_read(path, told):
    row = corpus(text=SPELT).parse(PurePosixPath(path))
    assert isinstance(row, Utterance), row
    assert told == (
        row.canonical, row.speaker_id.removeprefix("spelt-"), row.source_label, row.sentence_id, row.text,
        row.take, row.gender,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("f1/wut_s1_b.wav", "take 'b' does not exist; valid are A"),
        ("f1/wut_s1_x1_a.wav", "is the first of the others"),
        ("f1/wut_s1_x2_a.wav", "is another"),
        ("f1/wutt_s1_a.wav", "emotion 'wutt' does not exist; valid are Wut"),
    ],
)
def test_any_other_code_may_be_refused_and_a_closed_fact_has_the_listed_ones(path, reason):
    row = corpus(text=SPELT).parse(PurePosixPath(path))
    assert isinstance(row, Reject)
    assert row.reason == reason


def test_a_recording_is_claimed_below_a_folder_of_the_corpus_or_anywhere():
    path = PurePosixPath("x/f1/rab-f1-b1.wav")
    inside = PurePosixPath("old/voices-of somewhere/audio/f1/rab-f1-b1.wav")
    assert not corpus().claims(path)
    assert corpus().claims(inside)
    assert corpus().home(inside) == PurePosixPath("old/voices-of somewhere")
    anywhere = corpus(text="anywhere = true\n" + VOICES)
    assert anywhere.claims(path)
    assert anywhere.home(path) == PurePosixPath("x")
    assert corpus(text='folders = ["x+"]\n' + VOICES).claims(path)


TABLE = """
[[tables]]
file = "meta.csv"
key = "clip"
columns = { text = "words", valence = "val", speaker = "who" }
[scales]
valence = [1, 5]
"""


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("meta.csv", b"clip,words,val,who\nrab-f1-b1.wav,ciao,5,f1\n"),
        ("meta.csv", b"\xef\xbb\xbfclip;words;val;who\r\nrab-f1-b1;ciao;5,0;f1\r\n"),
        ("meta.csv", "clip\twords\tval\twho\nf1/rab-f1-b1.wav\tciao\t5\tf1\n".encode("utf-16")),
        ("meta.csv", b"clip|words|val|who\rrab-f1-b1|ciao|5|f1\r"),
        ("meta.jsonl", b'{"clip": "rab-f1-b1", "words": "ciao", "val": 5.0, "who": "f1"}\n'),
        ("meta.json", b'[{"clip": "rab-f1-b1", "words": "ciao", "val": 5, "who": "f1"}]'),
    ],
)
def test_a_table_of_any_usual_form_adds_its_facts(tmp_path, name, content):
    put(tmp_path, "f1/rab-f1-b1.wav")
    (tmp_path / name).write_bytes(content)
    (row,) = scanned(tmp_path, corpus(TABLE.replace("meta.csv", name)))
    assert isinstance(row, Utterance)
    assert (row.text, row.valence, row.speaker_id) == ("ciao", 1.0, "voices-f1")


def test_a_parquet_table_is_read(tmp_path):
    put(tmp_path, "f1/rab-f1-b1.wav")
    lines = {"clip": ["rab-f1-b1.wav"], "words": ["ciao"], "val": [3], "who": ["f1"]}
    pq.write_table(pa.table(lines), tmp_path / "meta.parquet")
    (row,) = scanned(tmp_path, corpus(TABLE.replace("meta.csv", "meta.parquet")))
    assert isinstance(row, Utterance)
    assert (row.text, row.valence) == ("ciao", 0.0)


BY_NAME = r"""
name = "named"
pattern = '(?P<speaker>[a-z]+)/\d+'
[[tables]]
file = "labels.csv"
"""


BY_LINE = "\n".join(line for line in BY_NAME.splitlines() if not line.startswith("pattern")) + "\n"


def test_a_name_that_two_lines_label_differently_has_no_label(tmp_path):
    put(tmp_path, "anna/01.wav", "bob/1.wav", "bob/2.wav")
    (tmp_path / "labels.csv").write_text("path,e\nanna/01.wav,anger\nbob/01.wav,sadness\nbob/2.wav,fear\n")
    text = f"{BY_NAME}key = 'path'\ncolumns = {{ emotion = 'e' }}\n"
    one, two, three = scanned(tmp_path, corpus(text=text))
    assert isinstance(three, Utterance)
    for row in (one, two):
        assert isinstance(row, Reject)
        assert row.reason.startswith(
            "lines 2 and 3 of 'labels.csv' both are of '1', and contradict each other"
        )
    text = text.replace("columns", "match = 'folder/stem'\ncolumns")
    *rows, absent = scanned(tmp_path, corpus(text=text))
    assert [getattr(row, "emotion", None) for row in rows] == ["anger", None, "fear"]
    assert isinstance(absent, MissingAudio)  # bob/01


def test_a_bare_name_of_a_line_that_fits_several_recordings_labels_none(tmp_path):
    put(tmp_path, "anna/01.wav", "bob/01.wav", "bob/02.wav")
    (tmp_path / "labels.csv").write_text("path,e\n01.wav,sadness\n02.wav,anger\n")
    text = f"{BY_LINE}rows = true\ncolumns = {{ path = 'path', emotion = 'e' }}\n"
    *rows, last = scanned(tmp_path, corpus(text=text))
    assert isinstance(last, Utterance)
    reason = (
        "two recordings are called '01.wav': anna/01.wav and bob/01.wav; write the folder of the right one"
    )
    assert [row.reason.partition(" in the table")[0] for row in rows] == [reason, reason]


def test_answers_to_one_segment_are_together_however_its_bounds_are_written(tmp_path):
    put(tmp_path, "anna/1.wav")
    (tmp_path / "labels.csv").write_text(
        "path,e,from,to,who\n1.wav,anger,0.5,1.5,a\n1.wav,sadness,0.50,1.500,b\n1.wav,sadness,.5,0:01.5,c\n"
    )
    columns = "path = 'path', emotion = 'e', start = 'from', end = 'to', rater = 'who'"
    (row,) = scanned(tmp_path, corpus(text=f"{BY_LINE}rows = true\ncolumns = {{ {columns} }}\n"))
    assert isinstance(row, Utterance)
    assert (row.emotion, row.votes, row.start_s) == ("sadness", {"anger": 1, "sadness": 2}, 0.5)


def test_lines_of_listeners_are_votes_beside_the_emotion_of_the_name(tmp_path):
    put(tmp_path, "anna/1.wav", "anna/2.wav", "anna/3.wav")
    answers = "1,anger,a\n1,anger,b\n1,fear,c\n2,xyz,a\n2,sadness,b\n3,fear,a\n"
    (tmp_path / "labels.csv").write_text(f"stem,e,who\n{answers}")
    text = f"{BY_NAME}key = 'stem'\ncolumns = {{ emotion = 'e', rater = 'who' }}\n"
    one, two, three = scanned(tmp_path, corpus(text=text))
    assert isinstance(one, Utterance)
    assert (one.emotion, one.votes, round(one.agreement, 3)) == ("anger", {"anger": 2, "fear": 1}, 0.667)
    assert isinstance(two, Reject)
    assert two.reason == "no label: its votes are a tie"
    assert isinstance(three, Utterance)
    assert (three.emotion, three.votes) == ("fear", {})  # one answer is a label


@pytest.mark.parametrize("label", ["xyz", "no"])
def test_what_a_single_listener_says_in_no_known_word_is_no_emotion(tmp_path, label):
    put(tmp_path, "anna/1.wav")
    (tmp_path / "labels.csv").write_text(f"stem,e,who\n1,{label},a\n")
    text = f"{BY_NAME}key = 'stem'\ncolumns = {{ emotion = 'e', rater = 'who' }}\n"
    (row,) = scanned(tmp_path, corpus(text=f"{text}[refused.emotion]\nno = 'no agreement'\n"))
    assert (
        row.reason == "no agreement"
        if label == "no"
        else row.reason.startswith("emotion 'xyz' does not exist")
    )


def test_a_listener_answers_once(tmp_path):
    put(tmp_path, "anna/1.wav")
    (tmp_path / "labels.csv").write_text("stem,e,who\n1,fear,a\n1,anger,b\n1,anger,b\n1,fear,c\n")
    text = f"{BY_NAME}key = 'stem'\ncolumns = {{ emotion = 'e', rater = 'who' }}\n"
    row, problem = scanned(tmp_path, corpus(text=text))
    assert (row.emotion, row.votes) == ("fear", {"fear": 2, "anger": 1})
    assert "line 4: 'b' answers '1' a second time" in problem.reason


def test_listeners_are_said_by_tables_alone():
    with pytest.raises(CorpusError, match="rater is a fact of tables"):
        corpus(text="name = 'x'\npattern = '(?P<emotion>[a-z]+)(?P<rater>x?)'\n")


def test_speakers_are_one_whatever_zeros_their_numbers_begin_with(tmp_path):
    put(tmp_path, "01/a.wav")
    (tmp_path / "labels.csv").write_text("stem,e,who\na,fear,1\n")
    text = BY_NAME.replace(r"(?P<speaker>[a-z]+)/\d+", r"(?P<speaker>\d+)/[a-z]+")
    text += "key = 'stem'\ncolumns = { emotion = 'e', speaker = 'who' }\n"
    (row,) = scanned(tmp_path, corpus(text=text))
    assert isinstance(row, Utterance)
    assert row.speaker_id == "named-01"


def test_a_value_that_a_side_file_leaves_open_says_nothing(tmp_path):
    put(tmp_path, "f1/rab-f1-b1.wav")
    (tmp_path / "f1/rab-f1-b1.json").write_text('{"t": null, "v": 2.0, "a": ["30"]}')
    extra = "[[sidecars]]\nfile = '{stem}.json'\ncolumns = { text = 't', take = 'v', age = 'a' }\n"
    (row,) = scanned(tmp_path, corpus(extra))
    assert isinstance(row, Utterance)
    assert (row.text, row.take, row.age) == ("Il libro", "2", 30)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "not found; the rows lack its information"),
        ("", "is empty; the rows lack its information"),
        ("clip,words,val,who\n", "holds only a heading (clip, words, val, who)"),
        ("clip,words\na,b\n", "lacks column val, who (found clip, words)"),
        ("clip,words,val,who\nrab-f1-b1,ciao,9,f1\n", "line 2: valence 9 is not between 1 and 5"),
        (
            "clip,words,val,who\nrab-f1-b1,a,1,f1\nrab-f1-b1,b,1,f1\n",
            "line 3: 'rab-f1-b1' occurs a second time, with another text; that value is left out",
        ),
    ],
)
def test_a_bad_table_is_told_and_the_recordings_still_come(tmp_path, content, said):
    put(tmp_path, "f1/rab-f1-b1.wav")
    if content is not None:
        (tmp_path / "meta.csv").write_text(content)
    row, problem = scanned(tmp_path, corpus(TABLE))
    assert isinstance(row, Utterance)
    assert isinstance(problem, TableProblem)
    assert said in problem.reason


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        ("rab-f1-b1,ciao,9,f1\n", ("ciao", None)),
        ("rab-f1-b1,a,1,f1\nrab-f1-b1,b,1,f1\nrab-f1-b1,a,1,f1\n", ("Il libro", -1.0)),
    ],
)
def test_what_cannot_be_read_or_is_told_in_two_ways_costs_itself_alone(tmp_path, lines, told):
    put(tmp_path, "f1/rab-f1-b1.wav", meta__csv=f"clip,words,val,who\n{lines}")
    row = scanned(tmp_path, corpus(TABLE))[0]
    assert (row.text, row.valence) == told


def test_a_table_that_contradicts_the_name_makes_a_reject(tmp_path):
    put(tmp_path, "f1/rab-f1-b1.wav", meta__csv="clip,words,val,who\nrab-f1-b1,ciao,1,f2\n")
    (row,) = scanned(tmp_path, corpus(TABLE))
    assert isinstance(row, Reject)
    assert row.reason == "meta.csv says speaker 'f2', the name says 'f1'; one is wrong"


def test_lines_without_a_recording_are_counted(tmp_path):
    put(tmp_path, "f1/rab-f1-b1.wav", meta__csv="clip,words,val,who\nrab-f1-b1,a,1,f1\ngio-f1-b1,a,1,f1\n")
    assert scanned(tmp_path, corpus(TABLE))[1] == MissingAudio("voices", "meta.csv", 1, ("gio-f1-b1",))


def test_a_table_may_say_who_speaks_and_what_listeners_heard(tmp_path):
    text = r"""
name = "votes"
pattern = 'd(?P<dialogue>\d+)_u(?P<turn>\d+)'
[codes.emotion]
happy = "happiness"
[refused.emotion]
xxx = "the raters did not agree"
[[tables]]
file = "*_labels.csv"
key = ["Dialogue", "Turn"]
match = ["dialogue", "turn"]
columns = { emotion = "Label", speaker = "Who", part = "Set" }
votes = { anger = "A", happiness = "H" }
"""
    put(tmp_path, "d0_u1.wav", "d0_u2.wav", "d0_u3.wav",
        a_labels__csv="Dialogue,Turn,Label,Who,Set,A,H\n0,1,happy,Ann,dev,1,4\n",
        b_labels__csv="Dialogue,Turn,Label,Who,Set,A,H\n0,2,xxx,Bob,test,0,0\n")  # fmt: skip
    one, two, three = scanned(tmp_path, corpus(text=text))
    assert isinstance(one, Utterance)
    assert (one.emotion, one.speaker_id, one.part, one.votes) == (
        "happiness", "votes-Ann", "validation", {"anger": 1, "happiness": 4},
    )  # fmt: skip
    assert isinstance(two, Reject)
    assert two.reason == "the raters did not agree"
    assert isinstance(three, Reject)
    assert three.reason == "no label: neither its name nor a table says the emotion"


def test_lines_of_a_table_may_be_the_rows_also_segments(tmp_path):
    text = """
name = "talks"
[[tables]]
file = "turns.csv"
rows = true
columns = { path = "file", start = "from", end = "to", emotion = "emotion", speaker = "who" }
"""
    put(tmp_path, "wav/a.wav", "wav/b.wav",
        turns__csv="file,from,to,emotion,who\nwav\\a.wav,0,1.5,anger,x\na,2,3,fear,y\ngone.wav,0,1,fear,y\n",
    )  # fmt: skip
    one, two, three, four = scanned(tmp_path, corpus(text=text))
    assert isinstance(one, Utterance)
    assert isinstance(two, Utterance)
    assert one.utterance_id == "talks/wav/a#0.000-1.500"
    assert (two.path, two.speaker_id) == (PurePosixPath("wav/a.wav"), "talks-y")
    assert three == Reject("talks", PurePosixPath("wav/b.wav"), "'turns.csv' does not name it")
    assert four == MissingAudio("talks", "turns.csv", 1, ("gone.wav",))


@pytest.mark.parametrize(
    ("sidecar", "name", "content"),
    [
        ("file = '{stem}.txt'\nfact = 'text'", "f1/rab-f1-b1.txt", "ciao\n"),
        ("file = 'labels/{stem}.json'\ncolumns = { text = 't' }", "labels/rab-f1-b1.json", '{"t": "ciao"}'),
    ],
)
def test_a_side_file_adds_its_facts_and_one_that_is_missing_is_a_reject(tmp_path, sidecar, name, content):
    put(tmp_path, "f1/rab-f1-b1.wav")
    (row,) = scanned(tmp_path, corpus(f"[[sidecars]]\n{sidecar}"))
    assert isinstance(row, Reject)
    assert row.reason == f"its side file {name!r} cannot be read (No such file or directory)"
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text(content)
    (row,) = scanned(tmp_path, corpus(f"[[sidecars]]\n{sidecar}"))
    assert isinstance(row, Utterance)
    assert row.text == "ciao"


def test_without_a_speaker_the_row_says_unknown():
    row = corpus(text='name = "x"\npattern = "(?P<emotion>anger)_\\\\d"').parse(PurePosixPath("anger_1.wav"))
    assert isinstance(row, Utterance)
    assert row.speaker_id == "x-unknown"


def write(folder: Path, **texts: str) -> list[Path]:
    (folder / "corpora").mkdir()
    for name, text in texts.items():
        (folder / "corpora" / f"{name}.toml").write_text(text)
    return own_descriptions(folder)


def test_a_users_description_is_found_and_read_before_the_others(tmp_path):
    data = put(tmp_path / "DataSets", "Voices/f1/rab-f1-b1.wav", "Voices/notes.wav", "EmoDB/wav/03a01Fa.wav")
    own = write(tmp_path, voices='folders = ["Voices"]\n' + VOICES)
    found = discover(data, known_corpora(own))
    assert [(each.corpus, str(each.root)) for each in found.found] == [
        ("voices", "Voices"),
        ("emodb", "EmoDB"),
    ]
    assert found.found[0].files == (PurePosixPath("f1/rab-f1-b1.wav"), PurePosixPath("notes.wav"))
    assert found.strays == ()
    itself = discover(data / "Voices", known_corpora(own))  # the folder of the corpus as --data
    assert [(each.corpus, str(each.root)) for each in itself.found] == [("voices", ".")]


def test_two_descriptions_that_claim_one_file_are_named(tmp_path):
    data = put(tmp_path / "DataSets", "Voices/f1/rab-f1-b1.wav")
    one = 'folders = ["Voices"]\n' + VOICES
    own = write(tmp_path, a=one, b=one.replace('name = "voices"', 'name = "again"'))
    with pytest.raises(CorpusError, match=r"rab-f1-b1\.wav: is claimed by two descriptions, of 'voices' and"):
        discover(data, known_corpora(own))


def test_two_descriptions_of_one_name_are_refused(tmp_path):
    own = write(tmp_path, a=VOICES, b=VOICES)
    with pytest.raises(CorpusError, match=r"b\.toml: describes 'voices', as another file does"):
        known_corpora(own)


def test_a_description_takes_the_place_of_a_shipped_corpus(tmp_path):
    own = write(tmp_path, emodb='name = "emodb"\npattern = "(?P<emotion>x)"\n')
    known = known_corpora(own)
    assert next(iter(known)) == "emodb"
    assert isinstance(known["emodb"], Described)
    assert json.dumps(list(known)).count('"emodb"') == 1


def test_a_pattern_that_reads_nothing_answers_for_the_folder_of_its_corpus(tmp_path):
    data = put(tmp_path / "DataSets", "Voices/x.wav", "other/y.wav")
    own = write(tmp_path, voices='folders = ["Voices"]\n' + VOICES)
    found = discover(data, known_corpora(own))
    assert [(each.corpus, each.files) for each in found.found] == [("voices", (PurePosixPath("x.wav"),))]
    (reject,) = known_corpora(own)["voices"].scan(data / "Voices", found.found[0].files)
    assert isinstance(reject, Reject)
    assert reject.reason == "name does not follow 'Voices/f1/rab-f1-b1.wav'"
    assert found.strays == (PurePosixPath("other/y.wav"),)


def test_a_label_of_several_emotions_is_kept_as_votes_and_counts_as_the_first():
    mixed = corpus(text=VOICES.replace('rab = "anger"', 'rab = "sadness + anger"'))
    row = mixed.parse(PurePosixPath("f1/rab-f1-b1.wav"))
    assert isinstance(row, Utterance)
    assert (row.emotion, row.source_label, row.votes) == ("sadness", "rab", {"sadness": 1, "anger": 1})
    assert mixed.EMOTIONS["rab"] == "sadness"
    plain = mixed.parse(PurePosixPath("f1/gio-f1-b1.wav"))
    assert isinstance(plain, Utterance)
    assert plain.votes == {}


@pytest.mark.parametrize(
    "text",
    [
        "name = 'slow'\npattern = '(?P<emotion>(?:a|aa)+c?d)'",
        "name = 'slow'\npattern = '(?P<emotion>x+)'\nfolders = ['(?:a|aa)+c?d']",
    ],
)
def test_a_pattern_that_would_take_ages_is_refused(text, monkeypatch):
    monkeypatch.setattr("ser_pipeline.corpora.files.LONGEST_S", 0.05)
    slow = Described(parse_description(text, "slow.toml"), own=True)
    name = "x" if "folders" in text else "a" * 60
    with pytest.raises(
        CorpusError, match=r"slow: the pattern '.*' .*takes more than 0\.05 s on 'a+.*'; what it repeats"
    ):
        slow.claims(PurePosixPath("a" * 60) / f"{name}.wav")
