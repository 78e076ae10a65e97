import datetime
import decimal

import pytest

from ser_pipeline.api import query_manifest
from ser_pipeline.errors import ManifestError
from ser_pipeline.manifest import digest_file, read_manifest, read_rejects
from ser_pipeline.manifest.read import plain
from ser_pipeline.manifest.schema import REJECT_SCHEMA, SCHEMA, write_table
from ser_pipeline.splits import SPLIT_COLUMNS, make_split, write_split


def test_folder_and_file_give_the_same(manifest_of):
    made = manifest_of([{}, {}])
    again = read_manifest(made.path)
    assert again.table.equals(made.table)
    assert again.table.schema == SCHEMA
    assert again.digest == made.digest == digest_file(made.path)


def test_only_the_columns_that_are_asked_for(manifest_of):
    folder = manifest_of([{}]).path.parent
    assert tuple(read_manifest(folder, SPLIT_COLUMNS).table.column_names) == SPLIT_COLUMNS


def test_what_is_not_synthetic_does_not_say_so(manifest_of):
    manifest = manifest_of([{}])
    assert not manifest.synthetic
    assert manifest.synthetic_corpora == ()


def test_rejects(manifest_of):
    folder = manifest_of([{}]).path.parent
    assert read_rejects(folder).schema == REJECT_SCHEMA


@pytest.mark.parametrize("read", [read_manifest, read_rejects])
def test_nothing_there(tmp_path, read):
    with pytest.raises(ManifestError, match="parquet: not found; make it with 'ser manifest build'"):
        read(tmp_path)


def test_a_split_is_no_manifest(tmp_path):
    write_table(REJECT_SCHEMA.empty_table(), {}, tmp_path / "manifest.parquet")
    with pytest.raises(
        ManifestError, match=r"columns utterance_id, audio_digest, .* differ from schema version 4"
    ):
        read_manifest(tmp_path)


@pytest.fixture
def folder(manifest_of, people_rows):
    rows = people_rows("emodb", 5, votes=[(0, 2), (3, 1)])
    manifest = manifest_of([*rows, {"corpus": "nemo", "emotion_id": -1, "language": "pl"}])
    write_split(manifest.path.parent, make_split(manifest, "speaker"))
    write_split(manifest.path.parent, make_split(manifest, "loso"))
    return manifest.path.parent


def test_emotions_have_names(folder):
    columns, rows = query_manifest(
        folder, "SELECT emotion_id, emotion, count(*) AS n FROM manifest GROUP BY ALL ORDER BY 1"
    )
    assert columns == ["emotion_id", "emotion", "n"]
    assert rows == [
        (-1, "other", 1),
        (0, "anger", 10),
        (1, "happiness", 10),
        (2, "neutral", 10),
        (3, "sadness", 10),
    ]


def test_all_tables_can_be_joined(folder):
    sql = """
        SELECT part, count(*) FROM manifest JOIN splits USING (utterance_id)
        WHERE split = 'speaker' AND corpus = 'emodb' GROUP BY part ORDER BY part
    """
    assert query_manifest(folder, sql)[1] == [("test", 8), ("train", 24), ("validation", 8)]
    assert query_manifest(folder, "SELECT count(*) FROM rejects")[1] == [(0,)]
    names = "SELECT DISTINCT split FROM splits ORDER BY 1"
    assert query_manifest(folder, names)[1] == [
        ("loso",),
        ("speaker",),
    ]


def test_without_any_split(manifest_of, people_rows):
    folder = manifest_of(people_rows()).path.parent
    assert query_manifest(folder, "FROM splits") == (["split", "utterance_id", "part", "fold"], [])


@pytest.mark.parametrize(
    "sql", ["WITH a AS (SELECT 1 AS x) SELECT x FROM a", "VALUES (1)", "FROM (SELECT 1)"]
)
def test_every_way_to_select(folder, sql):
    assert query_manifest(folder, sql)[1] == [(1,)]


def test_describe_is_a_way_to_look(folder):
    assert "emotion" in [row[0] for row in query_manifest(folder, "DESCRIBE manifest")[1]]


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM read_csv('{}')",
        "SELECT * FROM '{}'",
        "SELECT * FROM read_text('{}')",
        "SELECT * FROM read_blob('{}')",
        "SELECT * FROM read_parquet('{}')",
        "SELECT * FROM glob('{}')",
        "SELECT * FROM read_text('https://example.org')",
        "SELECT * FROM sniff_csv('{}')",
    ],
)
def test_no_file_can_be_read(folder, tmp_path, sql):
    secret = tmp_path / "secret.csv"
    secret.write_text("a,b\nsecret,1\n")
    with pytest.raises(ManifestError, match=r"query: .*(disabled by configuration|does not exist)"):
        query_manifest(folder, sql.format(secret))


@pytest.mark.parametrize(
    "sql",
    [
        "COPY manifest TO '{}/out.csv'",
        "EXPORT DATABASE '{}/out'",
        "ATTACH '{}/out.db'",
        "CREATE TABLE x AS SELECT 1",
        "DROP VIEW manifest",
        "DELETE FROM manifest",
        "INSERT INTO splits VALUES (1, 2, 3, 4)",
        "SET enable_external_access = true",
        "RESET lock_configuration",
        "PRAGMA database_size",
        "INSTALL httpfs",
        "LOAD httpfs",
        "SELECT 1; COPY manifest TO '{}/out.csv'",
        "SELECT 1; SELECT 2",
        "",
        "-- nothing",
    ],
)
def test_nothing_but_one_select_is_run(folder, tmp_path, sql):
    with pytest.raises(
        ManifestError, match=r"query: one SELECT is needed, found .*; tables are manifest, rejects, splits"
    ):
        query_manifest(folder, sql.format(tmp_path))
    assert not list(tmp_path.glob("out*"))


def test_python_variables_are_no_tables(folder):
    secret = [1, 2, 3]
    with pytest.raises(ManifestError, match="secret does not exist"):
        query_manifest(folder, "SELECT * FROM secret")
    assert secret


@pytest.mark.parametrize(
    "sql", ["SELEKT 1", "SELECT nothing FROM manifest", "SELECT * FROM nowhere", "SELECT 1/'x'"]
)
def test_a_mistake_is_one_line(folder, sql):
    with pytest.raises(
        ManifestError, match=r"^query: \w+ Error: .*; tables are manifest, rejects, splits$"
    ) as caught:
        query_manifest(folder, sql)
    assert "\n" not in str(caught.value)


def test_maps_and_odd_numbers_are_plain(folder):
    sql = "SELECT votes, 1.5::DECIMAL(4,2), 'nan'::DOUBLE, DATE '2020-01-02', [1, NULL] FROM manifest LIMIT 1"
    assert query_manifest(folder, sql)[1] == [({"0": 2, "3": 1}, 1.5, None, "2020-01-02", [1, None])]


@pytest.mark.parametrize(
    ("cell", "value"),
    [
        (None, None),
        (True, True),
        ("x", "x"),
        (decimal.Decimal("0.1"), 0.1),
        (float("inf"), None),
        (datetime.time(1, 2), "01:02:00"),
        (datetime.timedelta(seconds=1), "0:00:01"),
        ((1, {2: (3,)}), [1, {"2": [3]}]),
        (b"\x00", "b'\\x00'"),
    ],
)
def test_plain(cell, value):
    assert plain(cell) == value


def test_a_missing_manifest(tmp_path):
    with pytest.raises(ManifestError, match="not found; make it with 'ser manifest build'"):
        query_manifest(tmp_path, "SELECT 1")
