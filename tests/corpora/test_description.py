"""Descriptions: what they may say, and one line for whatever they may not."""

import re
from pathlib import Path

import pytest

from ser_pipeline.corpora.described import Described
from ser_pipeline.corpora.description import FACTS, Description, parse_description, read_description
from ser_pipeline.errors import CorpusError

LEAST = 'name = "mine"\npattern = "(?P<speaker>s\\\\d)_(?P<emotion>[a-z]+)"\n'

FILE = LEAST + "[[downloads]]\n"


def test_the_least_is_a_name_and_a_pattern_that_finds_the_emotion():
    told = parse_description(LEAST, "mine.toml")
    assert told.groups == ("speaker", "emotion")
    assert (told.language, told.style, told.modality, told.anywhere) == ("und", "unknown", "speech", False)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("name = ", "mine.toml: is not TOML"),
        ('pattern = "(?P<emotion>a)"', "mine.toml: name: is missing"),
        (LEAST + 'licnce = "MIT"', "licnce: there is no such setting"),
        (LEAST + 'licnce = "MIT"', "(did you mean 'licence'?)"),
        (
            LEAST.replace("<speaker>", "<speeker>"),
            "group 'speeker' of the pattern is not a fact (did you mean 'speaker'?)",
        ),
        (LEAST + "[codes.emotoin]\na = 'anger'", "there is no such fact (did you mean 'emotion'?)"),
        (LEAST + "[codes.emotion]\na = 'angr'", "'a' stands for 'angr', which is none of anger,"),
        (LEAST + "[codes.emotion]\na = 'angr'", "(did you mean 'anger'?)"),
        (LEAST + "[codes.emotion]\na = 'anger+sad'", "'a' stands for 'anger+sad', which is none of anger,"),
        (LEAST + "[codes.emotion]\na = 'anger+other'", "'a' stands for 'anger+other', which is none of"),
        (LEAST + "[codes.emotion]\na = 'fear+fear'", "'fear+fear', one of them twice"),
        (LEAST + "[codes.gender]\nx = 'woman'", "codes.gender: 'x' stands for 'woman'"),
        (LEAST + "[counts]\nhappy = 3", "'happy' is not an emotion"),
        (LEAST + "[refused.emotio]\nx = 'no'", "refused.emotio is neither a group of the pattern nor a fact"),
        (LEAST + "[spellings.emotio]\nx = 'y'", "spellings.emotio is neither a group of the pattern nor a"),
        (LEAST + "closed = ['sentence']", "closed names sentence, but [texts] lists none"),
        (LEAST + "closed = ['take']", "closed names take, but [codes.take] lists none"),
        (LEAST + "id = '{what}'", "id names 'what', which is not a group of the pattern"),
        (LEAST + "around = '('", "around: is not a regular expression"),
        (LEAST + "[scales]\nage = [1, 5]", "scales.age: only valence, arousal"),
        (LEAST + "[scales]\nvalence = [5, 1]", "scales.valence runs from 5 to 1"),
        (LEAST + "[[tables]]\nkey = 'a'", "tables.0.file: is missing"),
        (LEAST + "[[tables]]\nfil = 'a'", "(did you mean 'file'?); valid are file, key, "),
        (LEAST + "[[tables]]\nfile = 'a'\nrows = true", "needs columns.path"),
        (LEAST + "[[tables]]\nfile = 'a'", "key names 0 columns, but match names 1"),
        (LEAST + "[[sidecars]]\nfile = '{stem}.txt'", "needs either 'fact' or 'columns'"),
        ('name = "mine"\npattern = "("', "is not a regular expression"),
        ('name = "mine"\npattern = "(?P<who>a)"', "nothing says the emotion: name a group"),
        ('name = "mine"', "rows come either from files, by 'pattern', or from the lines of one table"),
        ('name = "My Corpus"\npattern = "(?P<emotion>a)"', "mine.toml: name:"),
        (LEAST + 'style = "act"', "style: must be one of acted, elicited, conversational"),
        (LEAST + 'language = "English"', "mine.toml: language:"),
        (LEAST + "speakers = -1", "mine.toml: speakers:"),
        (LEAST + 'format = "wav"', "mine.toml: format:"),
        (
            FILE + "uri = 'x'",
            "downloads.0.uri: there is no such setting (did you mean 'url'?); valid are url, size, ",
        ),
        (FILE + "url = 'https://a.b/c.zip'", "downloads.0.size: is missing"),
        (FILE + "url = 'https://a.b/c.zip'\nsize = 0", "downloads.0.size:"),
        (FILE + "url = 'https://a.b/c.zip'\nsize = 1", "downloads.0: needs sha256 or md5"),
        (
            FILE + "url = 'https://a.b/c.zip'\nsize = 1\nmd5 = '0A'",
            "downloads.0.md5: must be 32 hexadecimal digits",
        ),
        (
            FILE + "url = 'ftp://a.b/c.zip'\nsize = 1",
            "must begin with http:// or https://, and end with the name",
        ),
        (FILE + "url = 'https://a.b/'\nsize = 1", "downloads.0.url: must begin with http"),
        (FILE + "url = 'https://a.b/x/..'\nsize = 1", "downloads.0.url: must begin with http"),
        (FILE + "url = 'https://a.b/%2e%2e%2f.x'\nsize = 1", "downloads.0.url: must begin with http"),
    ],
)
def test_a_wrong_description_is_one_line_that_says_where_and_what_is_valid(text, said):
    with pytest.raises(CorpusError) as error:
        parse_description(text, "mine.toml")
    assert said in str(error.value)
    assert "\n" not in str(error.value)


def test_a_file_that_is_missing_or_no_text_is_named(tmp_path):
    with pytest.raises(CorpusError, match=r"no\.toml: cannot be read"):
        read_description(tmp_path / "no.toml")
    (tmp_path / "odd.toml").write_bytes(b"name = '\xff'")
    with pytest.raises(CorpusError, match=r"odd\.toml: line 1 is not UTF-8 text"):
        read_description(tmp_path / "odd.toml")


def test_the_examples_and_the_keys_of_the_docs_are_those_that_are_read():
    page = (Path(__file__).parents[2] / "docs" / "corpora" / "describe.md").read_text("utf-8")
    examples = re.findall(r"```toml\n(.*?)```", page, re.DOTALL)
    assert [Described(parse_description(text, "x")).CARD.name for text in examples] == [
        "voices", "phone", "talks",
    ]  # fmt: skip
    for key in Description.model_fields:
        assert re.search(rf"^\| .*`\[*{key}\b.*\|.*\|$", page, re.MULTILINE), key
    assert all(f"`{fact}`" in page for fact in FACTS)
