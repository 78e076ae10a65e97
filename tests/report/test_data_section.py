import pytest

from ser_pipeline.report.data_section import data_sections
from ser_pipeline.report.document import Figure, plain
from ser_pipeline.report.sources import read_data
from ser_pipeline.tables import Table

pytestmark = pytest.mark.usefixtures("no_drawings")


def tables_of(folder):
    blocks = [block for section in data_sections(read_data(folder)) for block in section.blocks]
    return {block.key: block for block in blocks if isinstance(block, Table)}


def test_corpora_stand_beside_their_published_sizes(manifests, rows):
    table = tables_of(manifests)["corpora"]
    emodb = next(row for row in table.rows if row.entries[0].text == "EMO-DB")
    assert [cell.value for cell in emodb.entries[2:7]] == [50, 535, pytest.approx(50 / 535), 5, 10]
    total = table.rows[-1]
    assert total.total
    assert [total.entries[place].value for place in (2, 5, 9, 10)] == [len(rows), 10, 1, 2]
    assert "CREMA-D (7,442 recordings, 91 speakers)" in table.notes[-1]


def test_rejects_are_shown_with_their_reasons(manifests):
    texts = [cell.text for row in tables_of(manifests)["rejects"].rows for cell in row.entries]
    assert "duplicate audio of emodb/wav/03a01Fa" in texts
    assert "EmoDB/wav/03a01Fb.wav" in texts


def test_manifest_without_rejects_says_so(tmp_path, rows, fake):
    blocks = data_sections(read_data(fake.manifest(tmp_path, rows)))[0].blocks
    assert plain(blocks[-1].words) == "No file was rejected."


def test_label_map_shows_code_and_count(manifests):
    table = tables_of(manifests)["label-map"]
    anger = table.rows[0]
    assert [cell.text.replace("\u00a0", " ") for cell in anger.entries] == [
        "anger",
        "0",
        "anger: 10",
        "W: 10",
        "20",
    ]


def test_synthetic_corpora_are_marked_everywhere_and_are_no_share(tmp_path, rows, fake):
    folder = fake.manifest(tmp_path, rows, synthetic=True, synthetic_corpora=["emodb"])
    table = tables_of(folder)["corpora"]
    marks = {row.entries[0].text: row.marks for row in table.rows}
    assert marks["EMO-DB"] == ("synthetic",)
    assert marks["nEMO"] == ()
    emodb = next(row for row in table.rows if row.entries[0].text == "EMO-DB")
    assert emodb.entries[4].value is None
    blocks = [block for section in data_sections(read_data(folder)) for block in section.blocks]
    assert all(block.marks == ("synthetic",) for block in blocks if isinstance(block, Figure))


def test_trial_builds_say_what_they_left_out(tmp_path, rows, fake):
    folder = fake.manifest(tmp_path, rows, counts={"left_out": 1234})
    assert "--limit left 1,234 files out" in plain(data_sections(read_data(folder))[0].blocks[0].words)


def test_corpus_that_is_not_published_has_no_complete_size(tmp_path, fake):
    rows = fake.rows({"mine": ("fi", {"x": "anger"})})
    row = tables_of(fake.manifest(tmp_path, rows))["corpora"].rows[0]
    assert row.entries[0].text == "mine"
    assert [row.entries[place].value for place in (3, 4, 6)] == [None, None, None]
