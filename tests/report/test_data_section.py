import pytest

from ser_pipeline.report.data_section import data_sections, split_section
from ser_pipeline.report.document import Callout, Figure, plain
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


def test_rejects_are_shown_with_their_reasons(manifests):
    texts = [cell.text for row in tables_of(manifests)["rejects"].rows for cell in row.entries]
    assert "duplicate audio of emodb/wav/03a01Fa" in texts
    assert "EmoDB/wav/03a01Fb.wav" in texts
    lead = plain(data_sections(read_data(manifests))[0].blocks[0].words)
    assert (
        "2 files could not be used, 1 duplicate among them; each of them is listed with its reason." in lead
    )


def test_manifest_without_rejects_says_so(tmp_path, rows, fake):
    blocks = data_sections(read_data(fake.manifest(tmp_path, rows)))[0].blocks
    assert plain(blocks[-1].words) == "No file was rejected."
    assert "could not be used" not in plain(blocks[0].words)


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
    assert "Because of --limit, 1,234 files were left out" in plain(
        data_sections(read_data(folder))[0].blocks[0].words
    )


def test_corpus_that_is_not_published_has_no_complete_size(tmp_path, fake):
    rows = fake.rows({"mine": ("fi", {"x": "anger"})})
    row = tables_of(fake.manifest(tmp_path, rows))["corpora"].rows[0]
    assert row.entries[0].text == "mine"
    assert [row.entries[place].value for place in (3, 4, 6)] == [None, None, None]


@pytest.mark.parametrize("more", [{}, {"mine": ("fi", {"x": "anger"})}])
def test_all_corpora_have_a_complete_size_if_each_has(tmp_path, fake, more):
    rows = fake.rows({"emodb": ("de", {"W": "anger"})} | more)
    total = tables_of(fake.manifest(tmp_path, rows))["corpora"].groups[0].rows[-1]
    assert total.entries[0].text == "All"
    assert total.entries[3].value == (None if more else 535)


def table_of(section, key):
    return next(block for block in section.blocks if isinstance(block, Table) and block.key == key)


def test_splits_show_real_shares_and_the_check(manifests):
    section = split_section(read_data(manifests))
    speaker, stratified = table_of(section, "splits").rows
    assert speaker.entries[1].text == "54"
    assert speaker.entries[1].note == "60.0 %, 6 speakers"
    assert speaker.entries[-1].text == "passed"
    assert speaker.marks == ()
    assert stratified.marks == ("speakers heard",)
    assert not any(isinstance(block, Callout) for block in section.blocks)


def test_shares_of_each_corpus_sum_to_one(manifests):
    for row in table_of(split_section(read_data(manifests)), "split-shares").rows:
        assert sum(row.entries[place].value for place in (2, 4, 6)) == 1


def test_broken_split_is_shouted(manifests, rows, fake):
    fake.split(manifests, "bad", rows, lambda r: "test" if r["utterance_id"].endswith("0") else "train")
    section = split_section(read_data(manifests))
    (callout,) = (block for block in section.blocks if isinstance(block, Callout))
    assert "bad (broken: 10 speakers in more than one part)" in plain(callout.words)
    assert ("broken",) in [row.marks for row in table_of(section, "splits").rows]


def test_folds_are_counted_and_named(manifests, rows, fake):
    fold_of = {"emodb": 0, "nemo": 1}
    fake.split(
        manifests, "loco", rows, lambda _: "test", lambda row: fold_of[row["corpus"]], folds=["emodb", "nemo"]
    )
    row = table_of(split_section(read_data(manifests)), "fold-splits").rows[0]
    assert [cell.text for cell in row.entries[1:]] == ["2", "40", "50", "0", "passed"]
    assert row.entries[1].note == "emodb, nemo"


def test_numbers_of_folds_are_no_names(manifests, rows, fake):
    fold_of = {speaker: number for number, speaker in enumerate(sorted({r["speaker_id"] for r in rows}))}
    fake.split(
        manifests, "k", rows, lambda _: "test", lambda row: fold_of[row["speaker_id"]], folds=["0", "1", "2"]
    )
    assert table_of(split_section(read_data(manifests)), "fold-splits").rows[0].entries[1].note == ""


def test_stale_and_incomplete_splits_are_marked(manifests, rows, fake):
    fake.split(manifests, "old", rows[5:], fake.by_speaker, manifest_digest="11" * 16)
    row = table_of(split_section(read_data(manifests)), "splits").rows[0]
    assert row.marks == ("other manifest",)
    assert row.entries[-1].text.endswith("5 recordings in no part, 0 unknown rows")


def test_no_splits_name_the_command(tmp_path, rows, fake):
    section = split_section(read_data(fake.manifest(tmp_path, rows)))
    assert plain(section.blocks[0].words) == "There is no split yet. Make one with ser manifest split."


def test_the_check_is_told_in_words(tmp_path, rows, fake):
    rows[1]["audio_digest"] = rows[0]["audio_digest"]
    folder, torn = fake.manifest(tmp_path, rows), rows[0]["utterance_id"]

    def parted(row):
        return "test" if row["utterance_id"] == torn else "train"

    fake.split(folder, "leaking", rows, parted, leaks_speakers=True)
    fake.split(folder, "odd", [*rows[3:], {**rows[0], "utterance_id": "x/gone"}], fake.by_speaker)
    fake.split(folder, "torn", [row for row in rows if row is not rows[1]], parted)
    found = {
        row.entries[0].text: row.entries[-1].text
        for row in table_of(split_section(read_data(folder)), "splits").rows
    }
    assert found == {
        "leaking": "broken: 1 recording in more than one part",
        "odd": "passed; 3 recordings in no part, 1 unknown row",
        "torn": "broken: 1 speaker in more than one part; 1 recording in no part, 0 unknown rows",
    }
