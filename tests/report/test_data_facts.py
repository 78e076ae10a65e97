from collections import Counter

import numpy as np
import pytest

from ser_pipeline.labels import emotion_name
from ser_pipeline.report.data_facts import (
    corpus_facts,
    emotion_counts,
    label_map,
    languages,
    reject_reasons,
)
from ser_pipeline.report.sources import read_data


@pytest.fixture
def data(manifests):
    return read_data(manifests)


def test_corpora_are_counted_as_by_hand(data, rows):
    facts = {corpus.name: corpus for corpus in corpus_facts(data)}
    assert list(facts) == ["nemo", "emodb"]  # the order in which corpora are listed everywhere
    for name, corpus in facts.items():
        own = [row for row in rows if row["corpus"] == name]
        assert corpus.clips == len(own)
        assert corpus.speakers == len({row["speaker_id"] for row in own}) == 5
        assert (corpus.women, corpus.men) == (3, 2)
        assert corpus.seconds.sum() == pytest.approx(sum(row["duration_s"] for row in own))
        assert corpus.emotions[:4] == ("anger", "happiness", "neutral", "sadness")
        assert corpus.clips_per_speaker.tolist() == sorted(Counter(r["speaker_id"] for r in own).values())
        assert not corpus.partial_speakers
        assert not corpus.synthetic
    assert (facts["emodb"].duplicates, facts["emodb"].rejects) == (1, 1)
    assert (facts["nemo"].duplicates, facts["nemo"].rejects) == (0, 1)
    assert facts["emodb"].ages == (21, 25)
    assert facts["nemo"].ages is None


def test_corpus_with_rejects_only_is_listed(tmp_path, rows, fake):
    folder = fake.manifest(tmp_path, rows, [("unknown", "odd/x.wav", "belongs to no known corpus")])
    last = corpus_facts(read_data(folder))[-1]
    assert (last.name, last.clips, last.speakers, last.rejects) == ("unknown", 0, 0, 1)


def test_speaker_without_an_emotion_is_counted(tmp_path, rows, fake):
    kept = [row for row in rows if not (row["speaker_id"] == "emodb-01" and row["source_label"] == "W")]
    facts = {corpus.name: corpus for corpus in corpus_facts(read_data(fake.manifest(tmp_path, kept)))}
    assert facts["emodb"].partial_speakers == 1
    assert facts["nemo"].partial_speakers == 0


def test_reasons_that_differ_in_names_only_are_one_kind(tmp_path, rows, fake):
    rejects = [("emodb", f"EmoDB/wav/{n}.wav", f"{n} ms is shorter than 0.1 s") for n in range(9, 3, -1)]
    rejects += [("emodb", "EmoDB/wav/b.wav", "empty file"), ("nemo", "z.wav", "empty file")]
    kinds = reject_reasons(read_data(fake.manifest(tmp_path, rows, rejects)))
    assert [(kind.corpus, kind.files) for kind in kinds] == [("nemo", 1), ("emodb", 6), ("emodb", 1)]
    assert kinds[1].example == "EmoDB/wav/4.wav"


def test_label_map_counts_every_code_once(data, rows):
    expected = Counter((emotion_name(r["emotion_id"]), r["corpus"], r["source_label"]) for r in rows)
    found = {
        (emotion, corpus, code): clips
        for emotion, corpora in label_map(data).items()
        for corpus, codes in corpora.items()
        for code, clips in codes
    }
    assert found == expected


def test_label_map_keeps_other_last(tmp_path, rows, fake):
    rows = [*rows, {**rows[0], "utterance_id": "emodb/odd", "emotion_id": -1, "source_label": "xxx"}]
    mapped = label_map(read_data(fake.manifest(tmp_path, rows)))
    assert list(mapped)[-1] == "other"
    assert mapped["other"] == {"emodb": [("xxx", 1)]}


def test_emotion_counts_sum_to_the_manifest(data, rows):
    corpora, emotions, counts = emotion_counts(data)
    assert counts.shape == (len(corpora), len(emotions)) == (2, 5)
    assert counts.sum() == len(rows)
    assert counts[corpora.index("nemo"), emotions.index("boredom")] == 0
    assert counts.dtype == np.int64


def test_languages_are_counted_most_frequent_first(data, rows):
    found = languages(data)
    assert [language.tag for language in found] == ["de", "pl"]
    assert [language.clips for language in found] == [50, 40]
    assert [language.speakers for language in found] == [5, 5]
    assert sum(language.seconds for language in found) == pytest.approx(sum(r["duration_s"] for r in rows))
