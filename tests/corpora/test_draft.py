"""Drafts: what a look at a folder finds, tried on made-up and published naming schemes."""

import json
import random
from collections import Counter
from itertools import product
from pathlib import Path

import pytest

from ser_pipeline.corpora import known_corpora
from ser_pipeline.corpora.described import Described
from ser_pipeline.corpora.description import parse_description
from ser_pipeline.corpora.draft import draft, looks_like
from ser_pipeline.corpora.draft_text import as_toml
from ser_pipeline.errors import CorpusError
from ser_pipeline.records import Utterance

WORDS = ("angry", "disgust", "fear", "happy", "neutral", "sad")
CAPITALS = ("Anger", "Joy", "Sadness", "Neutral", "Fear")


def names(pattern: str, **values: object) -> list[str]:
    """Every combination of values in a pattern as of ``str.format``."""
    lists = [list(value) for value in values.values()]  # type: ignore[call-overload]
    return [pattern.format(**dict(zip(values, each, strict=True))) for each in product(*lists)]


def numbers(count: int, digits: int = 2) -> list[str]:
    return [f"{number:0{digits}d}" for number in range(1, count + 1)]


SCHEMES = {
    "speaker folder, letters of a language": (
        names("{s}/{e}-{s}-{t}.wav", s=["f1", "f2", "f3", "m1", "m2", "m3"],
              e=["dis", "gio", "neu", "pau", "rab", "sor", "tri"],
              t=["b1", "b2", "b3", "l1", "l2", "n1", "n2", "n3"]),
        7, 6, {"rab": "anger", "tri": "sadness", "pau": "fear"}, {"female", "male"},
    ),
    "emotion words as folders, intensity": (
        names("{e}/{l}/{s}-x-{t}.wav", e=("Colère", "Joie", "Peur", "Tristesse"), l=("Faible", "Fort"),
              s=numbers(12), t="123456"),
        4, 12, {"Colère": "anger", "Peur": "fear"}, {"unknown"},
    ),
    "gender and number of the speaker apart": (
        names("{g}_{i}_{n}_S_{t}_{e}_{k}.wav", g="FM", i=numbers(5), n=("A",), t=numbers(6),
              e=("ANGRY", "HAPPY", "SAD", "NEUTRAL"), k="123"),
        4, 10, {"ANGRY": "anger"}, {"female", "male"},
    ),
    "one token of letters and digits": (
        names("{g}{s}{e}{t}.wav", g="FM", s=numbers(6), e="AHNSW", t=numbers(5)),
        4, 12, {"A": "anger", "S": "sadness"}, {"female", "male"},
    ),
    "single letters in one token": (
        names("{s}{a}{n}{e}{t}.wav", s=numbers(8), a="ab", n=numbers(2), e="CTJPDSN", t="ab"),
        7, 8, {"C": "anger", "J": "happiness"}, {"unknown"},
    ),
    "female1": (
        names("{g}{i}_{e}_{t}{v}_{r}.wav", g=("female", "male"), i="12", e=(*WORDS, "concerned"),
              t=range(1, 9), v="ab", r="12"),
        7, 4, {"happy": "happiness", "concerned": "other"}, {"female", "male"},
    ),
    "speaker folder above the emotion": (
        names("{s}/{e}/{t}.wav", s=("liu", "WangZhe", "zhao"), e=WORDS, t=range(201, 221)),
        6, 3, {"happy": "happiness"}, {"unknown"},
    ),
    "actor last": (
        names("03-01-{e}-{i}-{t}-{r}-{s}.wav", e=numbers(5), i=numbers(2), t=numbers(3), r=numbers(3),
              s=numbers(14)),
        5, 14, {"03": "anger"}, {"unknown"},
    ),
    "levels": (
        names("S{s}_{e}_{i}_{t}.wav", s=numbers(8),
              e=("achievement", "anger", "fear", "pleasure", "surprise"),
              i=("low", "moderate", "strong", "peak"), t=numbers(3)),
        5, 8, {"anger": "anger", "pleasure": "other"}, {"unknown"},
    ),
    "words with a number behind": (
        names("{s}/{e}{t}.wav", s=("ali", "veli", "ayse", "fatma"), e=("mutlu", "üzgün", "notr", "korku"),
              t=range(1, 15)),
        4, 4, {"üzgün": "sadness", "mutlu": "happiness"}, {"unknown"},
    ),
    "blanks and a title of the speaker": (
        names("Sprecher {s}/{e} {t}.wav", s=numbers(8), e=("Wut", "Freude", "Trauer", "Angst"),
              t=range(1, 9)),
        4, 8, {"Wut": "anger"}, {"unknown"},
    ),
    "free text behind": (
        names("speaker{s}-{e}-{t}.wav", s=range(1, 9), e=WORDS, t=("the dog", "a cat sat", "rain-in spain")),
        6, 8, {"sad": "sadness"}, {"unknown"},
    ),
    "sessions between": (
        names("Actor{s}/Session{k}/{e}/clip{t}.wav", s=range(1, 7), k="12", e=CAPITALS, t=numbers(6, 3)),
        5, 6, {"Joy": "happiness"}, {"unknown"},
    ),
    "running numbers are nobody": (
        names("{e} ({t}).wav", e=WORDS, t=range(1, 25)), 6, 1, {"fear": "fear"}, {"unknown"},
    ),
    "levels of the voice are not emotions": (
        names("{s}_{e}_{t}.wav", s=("anna", "bert", "cleo", "dora", "emil"), e=(*WORDS, "strong"),
              t=range(1, 9)),
        6, 5, {"sad": "sadness"}, {"unknown"},
    ),
    "sentence before the initials of the speaker": (
        names("{e}_{t}_{s}.wav", e=CAPITALS, t=numbers(20), s=("ANU", "BIN", "CHA", "DEV")),
        5, 4, {"Joy": "happiness"}, {"unknown"},
    ),
    "parts, and copies in two formats": (
        names("{p}/{k}/{e}/{s}_{t}_{e}.{k}", p=("train", "valid", "test"), k=("wav",), e=WORDS,
              s=("spk1", "spk2", "spk3", "spk4", "spk5"), t="1234"),
        6, 5, {"sad": "sadness"}, {"unknown"},
    ),
    "codes of chance": (
        [f"{n * 7919 % 6007:08x}/{e}/{(n * 104729 + k) * 7919 % 1000003:06x}{k:x}.wav"
         for n in range(1, 9) for e in WORDS for k in range(6)],
        6, 8, {"fear": "fear"}, {"unknown"},
    ),
    "an emotion of two words": (
        names("{s}_{e}/{s}_{t}_{e}.wav", s=("OAF", "YAF"), e=("angry", "Pleasant_surprise", "Sad", "fear"),
              t=("back", "bar", "base", "bath", "bean")),
        4, 2, {"surprise": "surprise"}, {"unknown"},
    ),
    "a stray recording outside": (
        ["intro.wav", *names("{s}/{e}/{t}.wav", s=("anna", "bert", "cleo", "dora"), e=WORDS, t=numbers(9))],
        6, 4, {"sad": "sadness"}, {"unknown"},
    ),
    "gender and speaker before a sentence": (
        names("{e}/{g}{s}_{t}_{e}.wav", e=CAPITALS, g="MF", s=numbers(9), t=numbers(2)),
        5, 18, {"Joy": "happiness"}, {"female", "male"},
    ),
    "native script": (
        names("说话人{s}/{e}/{t}.wav", s=range(1, 9), e=("愤怒", "高兴", "悲伤", "中性"), t=numbers(8)),
        4, 8, {"愤怒": "anger"}, {"unknown"},
    ),
    "native script with marks": (
        names("{s}_{e}_{t}.wav", s=("A1", "A2", "B1", "B2", "B3"), e=("खुशी", "गुस्सा", "उदास", "डर"),
              t=numbers(8)),
        4, 5, {"खुशी": "happiness", "डर": "fear"}, {"unknown"},
    ),
}  # fmt: skip
"""Paths, then how many emotions and speakers they name, some codes, and the genders."""

TEXTS = {"actor last": "Emotion (01 = happy, 02 = sad, 03 = angry, 04 = surprise, 05 = neutral)."}


def put(root: Path, paths: list[str], **texts: str) -> Path:
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).touch()
    for name, text in texts.items():
        (root / name.replace("__", ".")).write_text(text, encoding="utf-8")
    return root


def read(root: Path) -> tuple[str, list[Utterance], list[object]]:
    """The draft, the rows it reads, and everything else that it yields."""
    text = as_toml(draft(root))
    records = list(Described(parse_description(text, "draft")).scan(root))
    rows = [each for each in records if isinstance(each, Utterance)]
    return text, rows, [each for each in records if not isinstance(each, Utterance)]


@pytest.mark.parametrize("scheme", SCHEMES)
def test_the_draft_of_a_naming_scheme_needs_no_edit(scheme, tmp_path):
    paths, emotions, speakers, codes, genders = SCHEMES[scheme]
    notes = {"README__txt": TEXTS[scheme]} if scheme in TEXTS else {}
    text, rows, _ = read(put(tmp_path / "mine", paths, **notes))
    told = {row.source_label: row.emotion for row in rows}
    assert len(told) == emotions, text
    assert told.items() >= codes.items(), text
    assert len({row.speaker_id for row in rows}) == speakers, text
    assert {row.gender for row in rows} == genders, text
    assert len({row.canonical for row in rows}) == len(rows)
    assert len(rows) >= len(paths) * emotions / (emotions + 1)


def test_what_is_unsure_is_marked_and_a_code_that_nobody_knows_is_asked_for(tmp_path):
    paths = SCHEMES["one token of letters and digits"][0]
    text, rows, rest = read(put(tmp_path / "mine", paths))
    assert "# unsure: emotion is read from the file name (A 60 times" in text
    assert "# 'W' = \"?\"    # 60 recordings: say which emotion" in text
    assert Counter(each.reason for each in rest) == {"emotion 'W' does not exist; valid are A, H, N, S": 60}
    edited = text.replace("# 'W' = \"?\"", "'W' = 'surprise'")
    again = Described(parse_description(edited, "draft"))
    assert all(isinstance(each, Utterance) for each in again.scan(tmp_path / "mine"))
    assert len(rows) == 240


def test_a_level_is_refused_with_the_reason(tmp_path):
    text, _, rest = read(put(tmp_path / "mine", SCHEMES["levels of the voice are not emotions"][0]))
    assert "'strong' = \"strong is a level, not an emotion\"" in text
    assert {each.reason for each in rest} == {"strong is a level, not an emotion"}


def table(lines: int, separator: str = ",") -> str:
    emotions = ("joy", "anger", "sadness", "neutral")
    cells = [
        (f"clips/{n:06x}.wav", emotions[n % 4], f"spk{n % 8}", "FM"[n % 2], str(20 + n % 9),
         "hallo", str(1 + n % 5))
        for n in range(lines)
    ]  # fmt: skip
    head = ("file", "emotion", "speaker", "sex", "age", "transcript", "valence")
    return "\n".join(separator.join(line) for line in (head, *cells)) + "\n"


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_a_table_that_names_the_recordings_is_read(tmp_path, separator):
    root = put(tmp_path / "mine", [f"clips/{n:06x}.wav" for n in range(80)], meta__csv=table(80, separator))
    text, rows, rest = read(root)
    assert (len(rows), rest) == (80, [])
    first = rows[0]
    assert (first.emotion, first.speaker_id, first.gender, first.age, first.text, first.valence) == (
        "happiness", "mine-spk0", "female", 20, "hallo", -1.0,
    )  # fmt: skip
    assert "valence = [1, 5]    # as met; say the scale's own range" in text


def test_a_table_of_segments_gives_its_lines_as_rows(tmp_path):
    lines = [f"{'ab'[n % 2]}\t{n}\t{n + 1.5}\t{CAPITALS[n % 5]}\tp{n % 3}" for n in range(30)]
    turns = "\n".join(["wav\tstart\tend\tlabel\tspeaker", *lines]) + "\n"
    _, rows, rest = read(put(tmp_path / "talks", ["a.wav", "b.wav"], turns__tsv=turns))
    assert (len(rows), rest) == (30, [])
    assert (rows[0].start_s, rows[0].end_s, rows[0].speaker_id) == (0.0, 1.5, "talks-p0")


def test_names_and_a_table_add_up(tmp_path):
    people = "id,gender,person\n" + "".join(f"{n:03d},male,{n % 5}\n" for n in range(40))
    paths = names("{e}/{t}.wav", e=("Happy", "Sad", "Angry"), t=[f"{n:03d}" for n in range(40)])
    text, rows, _ = read(put(tmp_path / "mine", paths, info__csv=people))
    assert len({row.speaker_id for row in rows}) == 5
    assert {row.gender for row in rows} == {"male"}
    assert {row.emotion for row in rows} == {"happiness", "sadness", "anger"}
    assert "'info.csv'" in text


@pytest.mark.parametrize(
    ("paths", "said"),
    [
        (["a/b.txt"], "holds no recordings; pass the folder of one corpus"),
        ([f"{kind}_{n}.wav" for kind in ("kitten", "puppy", "calf") for n in range(9)],
         "nothing in names like 'calf_0.wav' or in a table looks like emotions; fields with few values are"),
    ],
)  # fmt: skip
def test_a_folder_without_emotions_is_one_line(tmp_path, paths, said):
    with pytest.raises(CorpusError, match="mine") as error:
        draft(put(tmp_path / "mine", paths))
    assert said in str(error.value)
    assert "\n" not in str(error.value)


def test_codes_that_nothing_explains_are_asked_for(tmp_path):
    paths = names("{s}-{e}-{t}.wav", s=numbers(20), e="123456", t=numbers(3))
    text, rows, rest = read(put(tmp_path / "mine", paths))
    assert rows == []
    assert len(rest) == len(paths)
    assert text.count(' = "?"    # 60 recordings: say which emotion, or "other"') == 6
    for code, emotion in zip(
        "123456", ("anger", "fear", "disgust", "sadness", "happiness", "other"), strict=True
    ):
        text = text.replace(f"# '{code}' = \"?\"", f"'{code}' = '{emotion}'")
    told = list(Described(parse_description(text, "draft")).scan(tmp_path / "mine"))
    assert all(isinstance(each, Utterance) for each in told)
    assert len({each.speaker_id for each in told if isinstance(each, Utterance)}) == 20


def test_a_json_object_of_recordings_is_a_table(tmp_path):
    paths = [f"{n:03d}.wav" for n in range(24)]
    lines = {f"{n:03d}": [{"majority_emo": CAPITALS[n % 5], "who": f"p{n % 4}"}] for n in range(24)}
    _, rows, rest = read(put(tmp_path / "mine", paths, labels__json=json.dumps(lines)))
    assert (len(rows), rest) == (24, [])
    assert {row.speaker_id for row in rows} == {"mine-p0", "mine-p1", "mine-p2", "mine-p3"}


def test_odd_folder_names_are_quoted_as_toml_wants_them(tmp_path):
    root = put(tmp_path / 'It\'s "mine" (v2)', SCHEMES["free text behind"][0])
    text, rows, rest = read(root)
    told = parse_description(text, "draft")
    assert (told.name, told.title) == ("it-s-mine-v2", 'It\'s "mine" (v2)')
    assert Described(told).called('It\'s "mine" (v2)')
    assert (len(rows), rest) == (144, [])


def test_names_of_a_known_corpus_are_recognised_whatever_the_folder_is_called(tmp_path):
    folder = tmp_path / "corpora"
    folder.mkdir()
    (folder / "v.toml").write_text('name = "voices"\npattern = "(?P<speaker>s.)_(?P<emotion>anger|fear)"\n')
    data = put(tmp_path / "x", ["s1_anger.wav", "s2_fear.wav"])
    assert looks_like(data, known_corpora([folder / "v.toml"])) == "voices"
    assert looks_like(put(tmp_path / "y", ["a.wav"]), known_corpora([folder / "v.toml"])) is None


def test_the_draft_is_the_same_whoever_lists_the_folder(tmp_path):
    paths = list(SCHEMES["levels"][0])
    one = as_toml(draft(put(tmp_path / "one" / "mine", paths)))
    random.Random(0).shuffle(paths)
    assert as_toml(draft(put(tmp_path / "two" / "mine", paths))) == one


def test_a_column_of_emotions_whose_codes_nobody_knows_is_asked_for(tmp_path):
    lines = "file,emotion,speaker\n" + "".join(f"{n:03d}.wav,{n % 4},p{n % 5}\n" for n in range(40))
    text, rows, rest = read(put(tmp_path / "mine", [f"{n:03d}.wav" for n in range(40)], labels__csv=lines))
    assert (rows, len(rest)) == ([], 40)
    assert text.count(' = "?"    # 10 recordings: say which emotion, or "other"') == 4


def test_a_folder_with_a_line_break_in_its_name_is_read(tmp_path):
    _, rows, rest = read(put(tmp_path / "mine", [f"new\nline/{n}_{e}.wav" for n in range(9) for e in WORDS]))
    assert (len(rows), rest) == (54, [])


def test_bare_numbers_in_names_are_a_speaker_only_with_a_question_mark(tmp_path):
    paths = names("{e}_{s}_{t}.wav", e=WORDS, s=numbers(20), t=numbers(4))
    speaker = draft(put(tmp_path / "mine", paths)).guess("speaker")
    assert speaker is None or not speaker.sure


def test_parts_and_formats_are_nobody(tmp_path):
    found = draft(put(tmp_path / "mine", names("{p}/{f}/{e}/{t}.{f}", p=("train", "test"), f=("wav", "flac"),
                                               e=WORDS, t=numbers(9))))  # fmt: skip
    assert found.guess("speaker") is None
    part = found.guess("part")
    assert part is not None
    assert set(part.counts) == {"train", "test"}


@pytest.mark.parametrize("takes", ["abc", "abcd", "ABCDEF"])
def test_the_first_letters_of_the_alphabet_are_takes_and_no_emotions(tmp_path, takes):
    paths = names("S{s}/S{s}_E{e}_{t}{k}.wav", s=numbers(8), e=range(1, 8), t=("a01", "a02", "a03"), k=takes)
    found = draft(put(tmp_path / "mine", [path for n, path in enumerate(paths) if n % 5]))
    emotion = found.guess("emotion")
    assert emotion is not None
    assert ({*emotion.counts}, emotion.sure, emotion.codes) == ({f"E{n}" for n in range(1, 8)}, False, {})
    assert any("(1, 2, 3, 4, 5, 6 and 1 more)" in rival for rival in found.rivals)
    assert f"file name ({', '.join(takes)})" in found.rivals


@pytest.mark.parametrize(
    ("folders", "rivals"),
    [(("kinder", "senioren"), ()), (("berlin", "kiel"), ("the folder (berlin, kiel)",))],
)
def test_people_in_groups_are_told_apart_by_their_own_code(tmp_path, folders, rivals):
    people = {folders[0]: ("03", "08", "09", "11"), folders[1]: ("10", "12", "13", "14")}
    paths = [name for group in folders for name in names(group + "/{e}_{s}_", e=WORDS, s=people[group])]
    found = draft(put(tmp_path / "mine", [f"{name}{k:03d}.wav" for k, name in enumerate(paths * 4)]))
    speaker = found.guess("speaker")
    assert speaker is not None
    assert {*speaker.counts} == {*people[folders[0]], *people[folders[1]]}
    assert (speaker.sure, speaker.rivals, found.guess("sentence")) == (False, rivals, None)


def test_three_numbered_levels_are_intensities_with_a_question_mark(tmp_path):
    paths = names("level_{i}/{s}-{e}-{t}.wav", i="123", s=("03", "08", "09", "13", "21"), e=WORDS, t="xy")
    found = draft(put(tmp_path / "mine", paths))
    intensity, speaker = found.guess("intensity"), found.guess("speaker")
    assert intensity is not None
    assert (intensity.codes, intensity.sure) == ({"1": "low", "2": "normal", "3": "high"}, False)
    assert speaker is not None
    assert len(speaker.counts) == 5


def test_a_speaker_of_a_table_is_no_sentence_of_the_names(tmp_path):
    paths = names("p{s}_{t}.wav", s=("03", "08", "09"), t=numbers(6, 4))
    lines = [f"{path},{path[1:3]},{WORDS[k % 6]}" for k, path in enumerate(paths)]
    put(tmp_path / "mine", paths)
    (tmp_path / "mine" / "a.csv").write_text("\n".join(["path,speaker,emotion", *lines]))
    found = draft(tmp_path / "mine")
    assert [guess.fact for guess in found.guesses] == ["emotion", "speaker"]
