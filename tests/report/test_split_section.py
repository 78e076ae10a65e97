import pytest

from ser_pipeline.report.document import Callout, plain
from ser_pipeline.report.sources import read_data
from ser_pipeline.report.split_section import split_section
from ser_pipeline.tables import Table

pytestmark = pytest.mark.usefixtures("no_drawings")


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
    assert "bad (broken: 10 speakers on two sides)" in plain(callout.words)
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
    assert row.entries[-1].text.endswith("5 recordings not placed, 0 rows unknown")


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
        "leaking": "broken: 1 recording on two sides",
        "odd": "passed; 3 recordings not placed, 1 rows unknown",
        "torn": "broken: 1 speaker on two sides; 1 recordings not placed, 0 rows unknown",
    }
