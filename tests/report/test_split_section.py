from collections import Counter

import pytest

from ser_pipeline.report.document import Callout, plain
from ser_pipeline.report.sources import read_data
from ser_pipeline.report.split_section import split_facts, split_section
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


def facts_of(manifests, name):
    data = read_data(manifests)
    return split_facts(data, next(split for split in data.splits if split.name == name))


def test_shares_are_those_of_the_rows(manifests, rows, fake):
    fact = facts_of(manifests, "speaker")
    clips = Counter(map(fake.by_speaker, rows))
    assert {part: share.clips for part, share in fact.parts.items()} == clips
    assert {part: share.speakers for part, share in fact.parts.items()} == {
        "train": 6,
        "validation": 2,
        "test": 2,
    }
    assert list(fact.parts) == ["train", "validation", "test"]
    assert sum(sum(parts.values()) for parts in fact.corpora.values()) == len(rows)
    assert not fact.broken
    assert fact.verdict == "passed"


def test_split_that_says_it_leaks_is_not_broken(manifests):
    fact = facts_of(manifests, "stratified")
    assert fact.shared_speakers == 10
    assert not fact.broken
    assert fact.verdict == "leaks speakers, as it says"


def test_split_that_leaks_in_silence_is_broken(manifests, rows, fake):
    torn = rows[0]["utterance_id"]
    fake.split(
        manifests, "bad", rows, lambda row: "test" if row["utterance_id"] == torn else fake.by_speaker(row)
    )
    fact = facts_of(manifests, "bad")
    assert fact.broken
    assert fact.verdict == "broken: 1 speaker on two sides"


def test_same_audio_on_two_sides_is_broken_even_where_speakers_may_leak(tmp_path, rows, fake):
    rows[1]["audio_digest"] = rows[0]["audio_digest"]
    folder = fake.manifest(tmp_path, rows)
    torn = rows[0]["utterance_id"]
    fake.split(
        folder, "s", rows, lambda r: "test" if r["utterance_id"] == torn else "train", leaks_speakers=True
    )
    fact = facts_of(folder, "s")
    assert fact.shared_audio == 1
    assert fact.broken
    assert fact.verdict == "broken: 1 recording on two sides"


def test_folds_are_sides(manifests, rows, fake):
    fold_of = {speaker: number for number, speaker in enumerate(sorted({r["speaker_id"] for r in rows}))}
    fake.split(manifests, "loso", rows, lambda _: "test", lambda row: fold_of[row["speaker_id"]])
    fact = facts_of(manifests, "loso")
    assert len(fact.folds) == 10
    assert {share.speakers for share in fact.folds} == {1}
    assert sum(share.clips for share in fact.folds) == len(rows)
    assert not fact.corpora
    assert not fact.broken


def test_rows_that_do_not_match_the_manifest_are_counted(manifests, rows, fake):
    odd = [*rows[3:], {**rows[0], "utterance_id": "emodb/gone"}]
    fake.split(manifests, "odd", odd, fake.by_speaker)
    fact = facts_of(manifests, "odd")
    assert (fact.strangers, fact.left_out) == (1, 3)


@pytest.mark.parametrize("name", ["speaker", "stratified"])
def test_parts_and_corpora_agree(manifests, name):
    fact = facts_of(manifests, name)
    by_part = Counter()
    for parts in fact.corpora.values():
        by_part.update(parts)
    assert by_part == {part: share.clips for part, share in fact.parts.items()}
