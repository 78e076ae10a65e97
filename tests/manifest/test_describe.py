from collections import Counter

import numpy as np
import pyarrow as pa
import pytest

from ser_pipeline.errors import ManifestError
from ser_pipeline.labels import emotion_name
from ser_pipeline.manifest.describe import (
    GROUPS,
    SHOWN_GROUPS,
    at_a_glance,
    combined,
    corpus_facts,
    emotion_counts,
    held_by,
    label_map,
    languages,
    named_speakers,
    overview,
    reject_reasons,
)
from ser_pipeline.manifest.schema import REJECT_SCHEMA
from ser_pipeline.tables import records


def rejects_of(*rows):
    names = REJECT_SCHEMA.names
    return pa.Table.from_pylist([dict(zip(names, row, strict=True)) for row in rows], REJECT_SCHEMA)


@pytest.fixture
def manifest(in_memory, people_rows):
    rows = [
        *people_rows("nemo", 3, emotions=1, language="pl", duration_s=1800.0),
        *people_rows("emodb", 2, emotions=3, language="de", duration_s=900.0, age=30),
        {"corpus": "mine", "emotion_id": -1, "language": "de", "duration_s": 3600.0, "source_label": "odd"},
    ]
    return in_memory(rows)


def values(table):
    return [[entry.value for entry in row.entries] for row in table.rows]


def test_by_corpus_in_closed_form(manifest):
    table = overview(manifest, "corpus")
    classes = ["anger", "happiness", "neutral", "other"]
    assert table.headings == ["corpus", "clips", "speakers", "hours", "published", *classes]
    assert values(table) == [
        ["nemo", 6, 3, 3.0, 4481, 6, 0, 0, 0],
        ["emodb", 12, 2, 3.0, 535, 4, 4, 4, 0],
        ["mine", 1, 1, 1.0, None, 0, 0, 0, 1],
    ]


def test_by_emotion_has_the_usual_order(manifest):
    table = overview(manifest, "emotion")
    assert table.headings == ["emotion", "clips", "speakers", "hours"]
    assert [row[:3] for row in values(table)] == [
        ["anger", 10, 5],
        ["happiness", 4, 2],
        ["neutral", 4, 2],
        ["other", 1, 1],
    ]


@pytest.mark.parametrize("by", GROUPS)
def test_every_group_adds_up(manifest, by):
    found = held_by(manifest.table, by, manifest.corpora)
    assert sum(held.clips for held in found) == manifest.table.num_rows
    assert sum(held.seconds for held in found) == pytest.approx(7.0 * 3600)
    assert all(sum(held.emotions.values()) == held.clips for held in found)


def test_a_group_that_does_not_exist(manifest):
    with pytest.raises(ManifestError, match="--by mood does not exist; valid are corpus, language, emotion"):
        overview(manifest, "mood")


def test_combined_fills_what_a_table_lacks(manifest):
    rows = records(combined({by: overview(manifest, by) for by in SHOWN_GROUPS}))
    assert list(rows[0])[:5] == ["by", "name", "clips", "speakers", "hours"]
    assert {row["by"] for row in rows} == set(SHOWN_GROUPS)
    anger = next(row for row in rows if (row["by"], row["name"]) == ("emotion", "anger"))
    assert (anger["clips"], anger["published"]) == (10, None)


def test_corpora_are_counted_as_by_hand(manifest):
    rejects = rejects_of(
        ("emodb", "a.wav", "duplicate audio: a"), ("emodb", "b.wav", "empty"), ("unknown", "c.wav", "odd")
    )
    facts = {corpus.name: corpus for corpus in corpus_facts(manifest, rejects)}
    assert list(facts) == ["nemo", "emodb", "mine", "unknown"]
    emodb = facts["emodb"]
    assert (emodb.clips, emodb.speakers, emodb.women, emodb.men, emodb.ages) == (12, 2, 1, 1, (30, 30))
    assert (emodb.duplicates, emodb.rejects) == (1, 2)
    assert emodb.seconds.tolist() == [900.0] * 12
    assert emodb.emotions == ("anger", "happiness", "neutral")
    assert emodb.clips_per_speaker.tolist() == [6, 6]
    assert not emodb.partial_speakers
    assert facts["nemo"].ages is None
    last = facts["unknown"]
    assert (last.clips, last.speakers, last.rejects) == (0, 0, 1)


def test_speaker_without_an_emotion_is_counted(in_memory, people_rows):
    rows = [
        row for row in people_rows("emodb", 3) if (row["speaker_id"], row["emotion_id"]) != ("emodb-001", 0)
    ]
    (facts,) = corpus_facts(in_memory(rows), rejects_of())
    assert facts.partial_speakers == 1


def test_reasons_that_differ_in_names_only_are_one_kind(manifest):
    rejects = [("emodb", f"EmoDB/wav/{n}.wav", f"{n} ms is shorter than 0.1 s") for n in range(9, 3, -1)]
    rejects += [("emodb", "EmoDB/wav/b.wav", "empty file"), ("nemo", "z.wav", "empty file")]
    kinds = reject_reasons(rejects_of(*rejects), manifest.corpora)
    assert [(kind.corpus, kind.files) for kind in kinds] == [("nemo", 1), ("emodb", 6), ("emodb", 1)]
    assert kinds[1].example == "EmoDB/wav/4.wav"
    assert kinds[1].reason == "… ms is shorter than 0.1 s"


@pytest.mark.parametrize("names", [("a 1", "b's x"), ('c "y"', "d'e\"f"), ("g/h i", "j\\'k")])
def test_names_in_a_reason_do_not_split_a_group(manifest, names):
    reasons = [f"duplicate id: {name!r} isn't {name + ' z'!r}, too" for name in names]
    rows = [("emodb", f"EmoDB/{place}/x.wav", reason) for place, reason in enumerate(reasons)]
    (kind,) = reject_reasons(rejects_of(*rows), manifest.corpora)
    assert (kind.files, kind.folder) == (2, "EmoDB")
    assert kind.reason == "duplicate id: … isn't …, too"


def test_of_reasons_that_differ_in_three_names_one_is_shown_in_full(manifest):
    called = "two recordings are called '{0}': x/{0}.wav and y/{0}.wav; write the folder"
    rows = [("nemo", f"{name}.wav", called.format(name)) for name in ("a", "b")]
    (kind,) = reject_reasons(rejects_of(*rows), manifest.corpora)
    assert (kind.files, kind.example) == (2, "a.wav")
    assert kind.reason == f"as in this one: {called.format('a')}"


def test_a_remedy_names_the_folder_of_its_group(manifest):
    rows = [("nemo", f"a/{folder}/1.wav", "run 'git lfs pull' in its folder") for folder in "xy"]
    (kind,) = reject_reasons(rejects_of(*rows), manifest.corpora)
    assert kind.reason == "run 'git lfs pull' in a"


def test_recordings_of_no_corpus_are_grouped_by_folder(manifest):
    rows = [("unknown", path, "odd") for path in ("A/x/1.wav", "A/y/2.wav", "B/3.wav", "4.wav")]
    kinds = reject_reasons(rejects_of(*rows), manifest.corpora)
    assert [(kind.folder, kind.files) for kind in kinds] == [("A", 2), (".", 1), ("B", 1)]


def test_label_map_counts_every_code_once_and_keeps_other_last(manifest):
    rows = manifest.table.to_pylist()
    expected = Counter((emotion_name(r["emotion_id"]), r["corpus"], r["source_label"]) for r in rows)
    mapped = label_map(manifest)
    found = {
        (emotion, corpus, code): clips
        for emotion, corpora in mapped.items()
        for corpus, codes in corpora.items()
        for code, clips in codes
    }
    assert found == expected
    assert list(mapped)[-1] == "other"
    assert mapped["other"] == {"mine": [("odd", 1)]}


def test_emotion_counts_sum_to_the_manifest(manifest):
    corpora, emotions, counts = emotion_counts(manifest)
    assert counts.shape == (len(corpora), len(emotions)) == (3, 4)
    assert counts.sum() == manifest.table.num_rows
    assert counts[corpora.index("nemo"), emotions.index("happiness")] == 0
    assert counts.dtype == np.int64


def test_languages_are_counted_most_frequent_first(manifest):
    found = languages(manifest)
    assert [(language.name, language.clips, language.speakers) for language in found] == [
        ("de", 13, 3),
        ("pl", 6, 3),
    ]


def test_whoever_is_not_named_is_no_speaker(in_memory, people_rows):
    rows = [
        *people_rows("nemo", 3, emotions=1),
        *({"corpus": "mine", "speaker_id": "mine-unknown", "emotion_id": n % 2} for n in range(4)),
    ]
    manifest = in_memory(rows)
    assert named_speakers(manifest.table) == 3
    assert [held.speakers for held in held_by(manifest.table, "corpus", manifest.corpora)] == [3, 0]
    shown = at_a_glance(manifest)
    assert shown.title == "10 recordings of 3 speakers in 2 corpora"
    assert shown.notes[-1] == "Nothing says who speaks in 4 recordings."
    assert [entry.text for entry in shown.rows[1].entries][3] == "\N{EN DASH}"
    facts = {each.name: each for each in corpus_facts(manifest, rejects_of())}
    assert (facts["mine"].speakers, len(facts["mine"].clips_per_speaker)) == (0, 0)
