from dataclasses import replace

import numpy as np
import pytest

from ser_pipeline.manifest.describe import corpus_facts, emotion_counts, languages
from ser_pipeline.manifest.doctor import Diagnosis, Finding
from ser_pipeline.report.recordings_section import (
    cuts_of,
    duration_panel,
    emotion_panel,
    findings_blocks,
    language_panel,
)
from ser_pipeline.report.sources import read_data
from ser_pipeline.runs.read import read_runs


@pytest.fixture
def data(manifests):
    return read_data(manifests)


def test_language_bars_say_their_numbers(data):
    drawn = language_panel(languages(data.manifest), data.corpora)
    assert "German (de): 50 (55.6 %), 5 speakers" in drawn.alt
    assert "50 (55.6 %), 5 speakers" in drawn.inline


def test_emotion_cells_hold_the_counts(data):
    names, *counted = emotion_counts(data.manifest)
    drawn = emotion_panel([data.corpora.title(name) for name in names], *counted)
    assert "EMO-DB: anger 10, happiness 10, neutral 10, sadness 10, boredom 10" in drawn.alt
    assert "boredom" not in drawn.alt.split("nEMO: ")[1].split(";")[0]


def test_durations_name_each_median(data):
    facts = corpus_facts(data.manifest, data.rejects)
    drawn = duration_panel(facts, data.corpora, cuts=(4.0, 8.5, 60.0))
    assert "4 s, 8.5 s, 60 s: longer clips are cut" in drawn.inline
    assert "are cut" not in duration_panel(facts, data.corpora, cuts=()).inline
    medians = {corpus.name: np.median(corpus.seconds) for corpus in facts}
    assert f"EMO-DB: median {medians['emodb']:.1f} s" in drawn.alt


def test_corpus_without_clips_is_no_row_of_the_durations(tmp_path, rows, fake):
    folder = fake.manifest(tmp_path, rows, [("unknown", "x.wav", "belongs to no known corpus")])
    data = read_data(folder)
    facts = corpus_facts(data.manifest, data.rejects)
    assert [corpus.name for corpus in facts] == ["nemo", "emodb", "unknown"]
    assert "no known corpus" not in duration_panel(facts, data.corpora, cuts=()).alt


def test_networks_cut_what_their_own_settings_say(tmp_path, rows, fake):
    assert cuts_of([]) == (4.0,)
    long = {"model": {"name": "crnn", "dimensions": True}, "front_end": {"max_s": 8.0}}
    told = [
        fake.run(tmp_path, "long", rows, "d", recipe=long),
        fake.run(tmp_path, "svm", rows, "d", model="svm", recipe={"model": {"name": "svm"}}),
    ]
    runs, _ = read_runs(told)
    assert cuts_of(runs) == (8.0,)
    assert cuts_of(runs[1:]) == ()


def words_of(blocks):
    """The words of paragraphs and warnings."""
    return " ".join(str(getattr(word, "text", word)) for b in blocks for word in getattr(b, "words", ()))


def test_without_an_examination_its_command_is_named(data):
    (block,) = findings_blocks(data)
    assert "ser manifest doctor" in words_of([block])


def test_findings_are_shown_with_their_danger(data):
    findings = (
        Finding("copies", "emodb", 3, "emodb/wav/03a01Fa", "of emodb/wav/03a01Wa"),
        Finding("offset", "nemo", 9, "nemo/samples/x", "+0.030 of full scale"),
    )
    blocks = findings_blocks(replace(data, diagnosis=Diagnosis(90, findings, data.digest)))
    assert "The examination of 90 recordings looked for" in words_of(blocks)
    assert "These findings can make scores wrong: copies." in words_of(blocks)
    assert "changed since" not in words_of(blocks)
    rows = [[entry.text for entry in row.entries] for row in blocks[-1].rows]
    assert rows[0] == ["copies", "EMO-DB", "3", "emodb/wav/03a01Fa", "of emodb/wav/03a01Wa"]
    assert [row.entries[0].strong for row in blocks[-1].rows] == [True, False]


def test_an_examination_of_another_manifest_says_so(data):
    blocks = findings_blocks(replace(data, diagnosis=Diagnosis(89, (), "other")))
    assert "Nothing was found." in words_of(blocks)
    assert "The manifest has changed since" in words_of(blocks)
    assert len(blocks) == 2
