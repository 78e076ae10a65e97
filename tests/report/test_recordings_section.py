import numpy as np
import pytest

from ser_pipeline.manifest.describe import corpus_facts, emotion_counts, languages
from ser_pipeline.report.recordings_section import (
    duration_panel,
    emotion_panel,
    language_panel,
)
from ser_pipeline.report.sources import read_data


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
    drawn = duration_panel(facts, data.corpora)
    medians = {corpus.name: np.median(corpus.seconds) for corpus in facts}
    assert f"EMO-DB: median {medians['emodb']:.1f} s" in drawn.alt


def test_corpus_without_clips_is_no_row_of_the_durations(tmp_path, rows, fake):
    folder = fake.manifest(tmp_path, rows, [("unknown", "x.wav", "belongs to no known corpus")])
    data = read_data(folder)
    facts = corpus_facts(data.manifest, data.rejects)
    assert [corpus.name for corpus in facts] == ["nemo", "emodb", "unknown"]
    assert "no known corpus" not in duration_panel(facts, data.corpora).alt
