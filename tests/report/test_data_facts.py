import os
from collections import Counter
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ser_pipeline.labels import emotion_name
from ser_pipeline.previews import ClipSteps, outline, write_steps
from ser_pipeline.report.build import make_report
from ser_pipeline.report.data_facts import (
    corpus_facts,
    emotion_counts,
    label_map,
    languages,
    read_store_facts,
    reject_reasons,
)
from ser_pipeline.report.sources import read_data
from ser_pipeline.runs.find import choose_runs
from ser_pipeline.runs.read import read_runs


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


def steps(name="emodb/01-W-0"):
    wave = np.sin(np.linspace(0, 300, 16_000)).astype(np.float32)
    mel = np.linspace(-1, 1, 16 * 30, dtype=np.float32).reshape(16, 30)
    lines = outline(wave)
    return ClipSteps(name, "ab", 1.0, 0.1, 0.8, -20.0, lines, lines / 2, lines, 0.02, mel)


@pytest.fixture
def cache(tmp_path, rows):
    for name in ("f" * 16, "0" * 16):
        folder = tmp_path / "cache" / "mels" / name
        folder.mkdir(parents=True)
        columns = {
            "audio_digest": [row["audio_digest"] for row in rows] + ["bad"],
            "level_db": [-20.0 - number % 9 for number in range(len(rows))] + [None],
            "failed": [False] * len(rows) + [True],
        }
        pq.write_table(pa.table(columns), folder / "index.parquet")
    os.utime(folder / "index.parquet", ns=(1, 1))
    write_steps(tmp_path / "cache" / "mels" / ("f" * 16), [steps(), steps("<b>bad</b>")])
    return tmp_path / "cache"


def test_levels_and_steps_are_on_the_page(tmp_path, rows, fake, cache):
    fake.manifest(tmp_path / "manifests", rows)
    make_report(tmp_path / "manifests", [], tmp_path / "out", cache=cache, pdf=True)
    page = (tmp_path / "out" / "report.html").read_text()
    assert "Levels by corpus. EmoDB: median" in page
    assert "emodb/01-W-0: wave of 1.0 s" in page
    assert "<b>bad</b>" not in page
    for suffix in ("png", "svg", "pdf"):
        assert (tmp_path / "out" / "figures" / f"steps-1.{suffix}").stat().st_size > 1000
    assert (tmp_path / "out" / "figures" / "levels.pdf").read_bytes().startswith(b"%PDF")
    make_report(tmp_path / "manifests", [], tmp_path / "out", cache=cache)
    assert not list((tmp_path / "out" / "figures").glob("*.pdf"))


def test_the_store_of_a_run_comes_before_the_newest(tmp_path, rows, fake, cache):
    folder = fake.run(tmp_path / "runs", "one", rows, "d", task="4class")
    (run,) = read_runs([folder])[0]
    assert read_store_facts(cache, []).name == "f" * 16
    fingerprint = run.info.model_copy(update={"store_kind": "mels", "store_fingerprint": "0" * 16})
    assert read_store_facts(cache, [replace(run, info=fingerprint)]).name == "0" * 16
    gone = run.info.model_copy(update={"store_kind": "mels", "store_fingerprint": "1" * 16})
    assert read_store_facts(cache, [replace(run, info=gone)]).name == ""


def test_what_cannot_be_read_is_named(tmp_path, rows, fake, cache):
    fake.manifest(tmp_path / "manifests", rows)
    (cache / "mels" / ("f" * 16) / "steps.parquet").write_bytes(b"nothing")
    summary = make_report(
        tmp_path / "manifests", choose_runs(tmp_path / "runs"), tmp_path / "out", cache=cache
    )
    assert any("steps.parquet: cannot be read" in line for line in summary.unread)


def test_without_a_store_there_is_no_such_part(tmp_path, rows, fake):
    fake.manifest(tmp_path / "manifests", rows)
    make_report(tmp_path / "manifests", [], tmp_path / "out", cache=tmp_path / "cache")
    assert "Levels by corpus" not in (tmp_path / "out" / "report.html").read_text()
