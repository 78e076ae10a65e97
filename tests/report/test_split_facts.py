from collections import Counter

import pytest

from ser_pipeline.report.sources import read_data
from ser_pipeline.report.split_facts import split_facts


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
