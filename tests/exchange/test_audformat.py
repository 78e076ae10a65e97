import pytest

from ser_pipeline.errors import CorpusError
from ser_pipeline.exchange import audformat as module
from ser_pipeline.exchange import import_dataset
from ser_pipeline.exchange.audformat import read
from ser_pipeline.exchange.items import Places
from tests.exchange.conftest import told

pytestmark = pytest.mark.filterwarnings(
    "ignore:The inplace keyword:DeprecationWarning"
)  # used by the library


@pytest.fixture
def audformat():
    return pytest.importorskip("audformat", reason="audformat is not installed (extra 'interchange')")


def test_the_library_opens_what_is_written(corpus, audformat):
    out = corpus.export("audformat", copy=True)
    database = audformat.Database.load(out)
    assert sorted(database.tables) == [
        "emotion.test",
        "emotion.train",
        "emotion.train.segments",
        "emotion.validation",
    ]
    assert database.is_portable
    assert database.languages == ["deu"]
    assert {name: split.type for name, split in database.splits.items()} == {
        "train": "train", "validation": "dev", "test": "test",
    }  # fmt: skip
    segments = database["emotion.train.segments"].df
    (row,) = segments[segments["text"] == "Nein"].itertuples()
    assert (row.emotion, row.Index[1].total_seconds(), row.Index[2].total_seconds()) == ("anger", 1.0, 1.5)
    assert all(path.is_file() for path in map(out.joinpath, database.files))


def made_by(audformat, corpus):
    """A database by the library: files, segments, a table of people, and labels with a meaning."""
    import pandas as pd

    database = audformat.Database("tones", languages=["de"], license="CC0-1.0", source="https://example.org")
    database.splits["a"] = audformat.Split("dev")
    database["people"] = audformat.MiscTable(pd.Index(["f1", "m1"], name="person", dtype="string"))
    database.schemes["gender"] = audformat.Scheme(labels=["female", "male"])
    database["people"]["gender"] = audformat.Column(scheme_id="gender")
    database["people"]["gender"].set(["female", "male"])
    database.schemes["speaker"] = audformat.Scheme("str", labels="people")
    database.schemes["emotion"] = audformat.Scheme(labels=["anger", "joy"])
    database.schemes["text"] = audformat.Scheme("str", labels={"a": "Guten Tag", "b": "Nein"})
    files = database["files"] = audformat.Table(audformat.filewise_index(["f1/a 1.wav", "m1/long.wav"]))
    files["speaker"] = audformat.Column(scheme_id="speaker")
    files["speaker"].set(["f1", "m1"])
    whole = database["emotion"] = audformat.Table(audformat.filewise_index(["f1/a 1.wav"]), split_id="a")
    cut = audformat.segmented_index(["m1/long.wav", "m1/long.wav"], ["0s", "1s"], ["0.75s", pd.NaT])
    parts = database["parts"] = audformat.Table(cut)
    for table, emotions, texts in ((whole, ["joy"], ["a"]), (parts, ["anger", "joy"], ["b", "b"])):
        table["emotion"] = audformat.Column(scheme_id="emotion")
        table["emotion"].set(emotions)
        table["text"] = audformat.Column(scheme_id="text")
        table["text"].set(texts)
    return database


@pytest.mark.parametrize("storage", ["csv", "parquet"])
def test_what_the_library_writes_is_read(corpus, audformat, storage):
    made_by(audformat, corpus).save(corpus.data / "tones", storage_format=storage)
    rows = corpus.back("audformat", corpus.data / "tones")
    facts = ("emotion_id", "speaker_id", "gender", "language", "text", "part", "start_s", "end_s")
    assert told(rows, facts) == [
        (0, "tones-m1", "male", "de", "Nein", None, 0.0, 0.75),
        (1, "tones-f1", "female", "de", "Guten Tag", "validation", None, None),
        (1, "tones-m1", "male", "de", "Nein", None, 1.0, 2.0),
    ]  # fmt: skip


DATABASE = {
    "db.yaml": """
schemes: {speaker: {dtype: int, labels: {3: {gender: male, age: 31, 1: x, language: }}}}
splits: {a: {type: dev}}
tables:
  all: {type: filewise, columns: {emotion: {}, speaker: {scheme_id: speaker}}}
  a: {type: filewise, split_id: a, columns: {emotion: {}}}
""",
    "db.all.csv": "file,emotion,speaker\nf1/b.wav,anger,3\nm1/b.flac,joy,3\n",
    "db.a.csv": "file,emotion\nf1/b.wav,anger\nm1/b.flac,fear\n",
}


@pytest.fixture
def found(tmp_path):
    """Read the database."""
    for name, text in DATABASE.items():
        (tmp_path / name).write_text(text)
    return read(tmp_path, Places([tmp_path]))


def test_people_whose_codes_are_numbers_are_found(found):
    facts = found.items[0].facts
    assert (facts["speaker"], facts["gender"], facts["age"]) == ("3", "male", "31")
    assert "language" not in facts


def test_a_table_in_no_split_hides_no_part_and_contradictions_are_counted(found):
    assert [each.facts.get("part") for each in found.items] == ["validation", "validation"]
    assert [each.facts["emotion"] for each in found.items] == ["anger", "joy"]
    assert found.remarks == [
        "its tables contradict each other in emotion (1); what the first of them in db.yaml says counts"
    ]


def test_bounds_in_seconds_are_read_too(tmp_path):
    (tmp_path / "db.yaml").write_text("tables: {a: {columns: {emotion: }}}")
    (tmp_path / "db.a.csv").write_text("file,start,end,emotion\na.wav,1.5,2.5,anger\na.wav,5.0,7.0,sad\n")
    items = read(tmp_path, Places([tmp_path])).items
    assert [(each.facts["start"], each.facts["end"], each.facts["emotion"]) for each in items] == [
        ("1.500", "2.500", "anger"), ("5.000", "7.000", "sad"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("files", "reason"),
    [
        ({}, r"db.yaml: is not a header of a database \(cannot be read \(No such file or directory\)\)"),
        ({"db.yaml": "a: [1"}, r"db.yaml: is not a header of a database \("),
        (
            {"db.yaml": "!!python/object:os.system {}"},
            r"db.yaml: is not a header of a database \(could not determine",
        ),
        ({"db.yaml": "name: x"}, r"it has no 'tables'"),
        (
            {"db.yaml": "tables: {a: {}}", "db.a.pkl": "x"},
            r"db.a.csv: no such file, and none that ends with '.parquet'",
        ),
        (
            {"db.yaml": "{tables: {a: 3, b: {columns: [1]}}, languages: 5, splits: {s: 4}}"}
            | {"db.a.csv": "file,x\na.wav,1\n", "db.b.csv": "file,x\na.wav,1\n"},
            r"no column of its tables gives the emotion \(tables are a, b\)",
        ),
        (
            {"db.yaml": "tables: {a: {columns: {x: }}}", "db.a.csv": "file,x\na.wav,1\n"},
            r"no column of its tables gives the emotion \(tables are a\)",
        ),
        (
            {"db.yaml": "tables: {a: {columns: {emotion: }}}"}
            | {"db.a.csv": "file,start,end,emotion\na.wav,soon,2,anger\n"},
            r"db.a: 'soon' is not a time",
        ),
    ],
)
def test_a_database_of_no_use_is_an_error(tmp_path, files, reason):
    (tmp_path / "set").mkdir()
    for name, text in files.items():
        (tmp_path / "set" / name).write_text(text)
    with pytest.raises(CorpusError, match=reason):
        import_dataset("audformat", tmp_path / "set", data=tmp_path, into=tmp_path / "c")


def test_headings_and_schemes_are_read_once_for_all_lines(tmp_path, monkeypatch):
    (tmp_path / "db.yaml").write_text(
        "tables: {a: {columns: {emotion: {}, speaker: {scheme_id: who}}}}\n"
        "schemes: {who: {labels: {1: {gender: female}}}}\n"
    )
    (tmp_path / "db.a.csv").write_text(
        "file,emotion,speaker\n" + "".join(f"{n}.wav,sad,1\n" for n in range(9))
    )
    asked, facts = [], module.facts_of_columns
    monkeypatch.setattr(module, "facts_of_columns", lambda names: asked.append(names) or facts(names))
    items = [*read(tmp_path, Places([])).items]
    assert [item.facts["gender"] for item in items] == ["female"] * 9
    assert asked == [["emotion", "speaker"], ["gender"]]
