"""Tables without headings, of several files, of TextGrids and of free lines, and facts said together."""

from pathlib import Path

import pytest

from ser_pipeline.corpora.described import Described
from ser_pipeline.corpora.description import parse_description
from ser_pipeline.errors import CorpusError
from ser_pipeline.records import Reject, TableProblem, Utterance

NAMES = """
name = "toy"
pattern = '(?P<scene>s\\d)_(?P<who>[FM])(?P<turn>\\d+)'
"""


def read(root: Path, text: str, **files: str) -> list[object]:
    for name in ("s1_F0", "s1_M1", "s2_F2"):
        (root / f"{name}.wav").touch()
    for name, content in files.items():
        place = root / name.replace("__", ".").replace("_in_", "/")
        place.parent.mkdir(exist_ok=True)
        place.write_text(content)
    return list(Described(parse_description(text, "toy.toml")).scan(root))


def emotions(records: list[object]) -> list[str]:
    return [each.emotion if isinstance(each, Utterance) else str(each) for each in records]


@pytest.mark.parametrize(
    ("table", "files"),
    [
        ("file = 'l.txt'\nheading = false\nkey = '1'\ncolumns = { emotion = '2' }",
         {"l__txt": "s1_F0.wav anger\ns1_M1.wav fear\ns2_F2.wav anger\n"}),
        ("file = 'l.csv'\nkey = 'n'\nmatch = 'turn'\ncolumns = { emotion = 'e' }",
         {"l__csv": "n,e\n00,anger\n01,fear\n02,anger\n"}),
        ("file = 'lab/*.lab'\nheading = false\nkey = '(file)'\ncolumns = { emotion = '1' }",
         {"lab_in_s1_F0__lab": "anger\n", "lab_in_s1_M1__lab": "fear", "lab_in_s2_F2__lab": "anger"}),
        ("file = 'l.txt'\nline = '.* (?P<n>\\S+) (?P<e>\\w+) .*'\nkey = 'n'\ncolumns = { emotion = 'e' }",
         {"l__txt": "% heading\n[0 - 1] s1_F0 anger [1]\n\n[1 - 2] s1_M1 fear [2]\n[2 - 3] s2_F2 anger [3]"}),
        ("file = '*.txt'\nkey = ['(file)', 'n']\nmatch = ['scene', 'turn']\ncolumns = { emotion = 'e' }",
         {"s1__txt": "n;e\n0;anger\n1;fear\n", "s2__txt": "n;e\n2;anger\n"}),
        ("file = 'l.csv'\nkey = 'f'\nvotes = { anger = 'a', fear = 'b' }",
         {"l__csv": "f,a,b\ns1_F0,3,1\ns1_M1,0,2\ns2_F2,1,0\n"}),
    ],
)  # fmt: skip
def test_labels_are_found_whatever_form_the_table_has(tmp_path, table, files):
    assert emotions(read(tmp_path, f"{NAMES}[[tables]]\n{table}", **files)) == ["anger", "fear", "anger"]


def test_an_empty_cell_says_nothing_and_costs_no_line(tmp_path):
    columns = "emotion = 'e', intensity = 'i', fold = 'n', part = 'p', style = 's', age = 'a', valence = 'v'"
    table = f"[[tables]]\nfile = 'l.csv'\nkey = 'f'\ncolumns = {{ {columns} }}"
    lines = "f,e,i,n,p,s,a,v\ns1_F0,neutral,,,,,,\ns1_M1,fear,high,2,dev,acted,7,1\ns2_F2,anger,,2,,,,\n"
    assert emotions(read(tmp_path, NAMES + table, l__csv=lines)) == ["neutral", "fear", "anger"]


def test_votes_without_a_majority_are_a_reject(tmp_path):
    table = "[[tables]]\nfile = 'l.csv'\nkey = 'f'\nvotes = { anger = 'a', fear = 'b' }"
    records = read(tmp_path, NAMES + table, l__csv="f,a,b\ns1_F0,3,1\ns1_M1,2,2\ns2_F2,1,0\n")
    assert [each.reason for each in records if isinstance(each, Reject)] == ["no label: its votes are a tie"]


@pytest.mark.parametrize("valence", ["0.5", ""])
def test_a_tie_is_kept_for_its_ratings(tmp_path, valence):
    table = "[[tables]]\nfile = 'l.csv'\nkey = 'f'\nvotes = { anger = 'a', fear = 'b' }\n"
    table += "columns = { valence = 'v' }"
    _, record, _ = read(
        tmp_path, NAMES + table, l__csv=f"f,a,b,v\ns1_F0,3,1,0\ns1_M1,2,2,{valence}\ns2_F2,1,0,0\n"
    )
    if valence:
        assert (record.emotion, record.votes, record.valence) == ("other", {"anger": 2, "fear": 2}, 0.5)
    else:
        assert record.reason == "no label: its votes are a tie"


def test_intervals_of_a_textgrid_are_rows_and_those_of_other_tiers_are_not(tmp_path):
    tiers = {"emotion": [(0, 1, "anger"), (1, 2, "")], "words": [(0, 0.5, "no"), (0.5, 2, "way")]}
    grid = '"ooTextFile"\n"TextGrid"\n0\n2\n<exists>\n2\n'
    for name, intervals in tiers.items():
        said = "".join(f'{start}\n{end}\n"{text}"\n' for start, end, text in intervals)
        grid += f'"IntervalTier"\n"{name}"\n0\n2\n{len(intervals)}\n{said}'
    table = (
        "name = 'toy'\n[[tables]]\nfile = '*.TextGrid'\nrows = true\n"
        "columns = { path = '(file)', start = 'start', end = 'end', emotion = 'emotion' }"
    )
    records = read(tmp_path, table, s1_F0__TextGrid=grid)
    (row,) = (each for each in records if isinstance(each, Utterance))
    assert (str(row.path), row.start_s, row.end_s, row.emotion) == ("s1_F0.wav", 0, 1, "anger")


def test_a_table_with_lines_about_something_else_says_only_what_it_says_of_recordings(tmp_path):
    table = "[[tables]]\nfile = 'l.txt'\nheading = false\nkey = '1'\nmore = true\ncolumns = { emotion = '2' }"
    lines = "s1_F0,anger\nC-E1,x\nC-E1,y\ns1_M1,fear\ns2_F2,anger\nnever,published\n"
    assert emotions(read(tmp_path, NAMES + table, l__txt=lines)) == ["anger", "fear", "anger"]


def test_one_file_of_many_that_cannot_be_read_is_named_and_the_others_are_read(tmp_path):
    table = "[[tables]]\nfile = '*.lab'\nheading = false\nkey = '(file)'\ncolumns = { emotion = '1' }"
    *rows, problem = read(tmp_path, NAMES + table, s1_F0__lab="anger", s1_M1__lab="", s2_F2__lab="fear")
    assert isinstance(problem, TableProblem)
    assert problem.reason == (
        "1 of 3 files cannot be read; the first is s1_M1.lab: is empty; the rows lack its information"
    )
    assert sum(isinstance(each, Utterance) for each in rows) == 2


@pytest.mark.parametrize("name", ["l", "m"])
def test_lines_with_more_cells_than_the_heading_are_named(tmp_path, name):
    table = f"[[tables]]\nfile = '[{name}l].csv'\nkey = 'f'\ncolumns = {{ emotion = 'e', text = 't' }}"
    lines = "f,e,t\ns1_F0,anger,well, yes\ns1_M1,fear,no\ns2_F2,anger,\n"
    one, *_, problem = read(tmp_path, NAMES + table, **{"l__csv": lines, f"{name}__csv": lines})
    reason = "1 line has more cells than the heading, the first is line 2; these are not read"
    several = f"l.csv: {reason} and 1 more" if name == "m" else reason
    assert (one.text, problem.reason) == ("well", several)


def test_a_line_pattern_that_fits_nothing_is_said(tmp_path):
    table = "[[tables]]\nfile = 'l.txt'\nline = 'x(?P<n>y)'\nkey = 'n'\ncolumns = { emotion = 'n' }"
    *_, problem = read(tmp_path, NAMES + table, l__txt="a b\n")
    assert isinstance(problem, TableProblem)
    assert problem.reason.startswith("no line is as 'x(?P<n>y)' says")


def test_parts_that_are_files_are_compared_with_parts_that_are_folders(tmp_path):
    text = r"""
name = "toy"
pattern = '(?P<part>train|dev)/u(?P<turn>\d+)'
[codes.part]
train_sent = "train"
dev_sent = "validation"
[[tables]]
file = "*.csv"
key = ["(file)", "turn"]
match = ["part", "turn"]
columns = { emotion = "emotion" }
"""
    for part in ("train", "dev"):
        (tmp_path / part).mkdir()
        (tmp_path / part / "u1.wav").touch()
    records = read(
        tmp_path, text, train_sent__csv="turn,emotion\n1,anger\n", dev_sent__csv="turn,emotion\n1,fear\n"
    )
    rows = [(each.part, each.emotion) for each in records if isinstance(each, Utterance)]
    assert rows == [("validation", "fear"), ("train", "anger")]


@pytest.mark.parametrize("lines", ["rows = true\ncolumns = { emotion = 'e', path = 'f' }",
                                   "key = 'f'\ncolumns = { emotion = 'e' }"])  # fmt: skip
@pytest.mark.parametrize("forms", [("di\u0301a", "d\u00eda"), ("d\u00eda", "di\u0301a")])
def test_the_form_of_accents_does_not_matter(tmp_path, lines, forms):
    (tmp_path / f"{forms[0]}.wav").touch()
    (tmp_path / "l.csv").write_text(f"f,e\n{forms[1]}.wav,anger\n")
    pattern = "pattern = '.+'" if "key" in lines else ""
    text = f"name = 'toy'\n{pattern}\n[[tables]]\nfile = 'l.csv'\n{lines}"
    assert emotions(list(Described(parse_description(text, "toy.toml")).scan(tmp_path))) == ["anger"]


def test_groups_say_together_who_speaks(tmp_path):
    text = f"{NAMES}joined = {{ speaker = ['scene', 'who'] }}\nfacts = {{ emotion = 'other' }}"
    rows = [each for each in read(tmp_path, text) if isinstance(each, Utterance)]
    assert [row.speaker_id for row in rows] == ["toy-s1-F", "toy-s1-M", "toy-s2-F"]


def test_a_joined_fact_of_nothing_is_refused():
    with pytest.raises(CorpusError, match=r"joined\.speaker: nothing says 'whom' \(did you mean 'who'\?\)"):
        parse_description(f"{NAMES}joined = {{ speaker = ['scene', 'whom'] }}", "toy.toml")
