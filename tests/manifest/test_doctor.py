import numpy as np
import pyarrow as pa
import pytest

from ser_pipeline.errors import ManifestError
from ser_pipeline.labels import emotion_id
from ser_pipeline.manifest.doctor import (
    DOCTOR_SCHEMA,
    KINDS,
    QUALITIES,
    Case,
    Diagnosis,
    Finding,
    copy_cases,
    diagnosis_table,
    guessed,
    label_cases,
    recording_cases,
    summed_up,
)
from ser_pipeline.tables import records

SOUND = {
    "clipped": 0.0, "offset": 0.0, "level_db": -20.0, "range_db": 40.0, "silence": 0.2,
    "edge_hz": 5000.0, "edge_db": 10.0, "mix_loss_db": 0.0,
}  # fmt: skip


def measured(*changes):
    return pa.Table.from_pylist(
        [{"audio_digest": "0", **SOUND, **change} for change in changes], DOCTOR_SCHEMA
    )


def kinds(cases):
    return [(case.kind, case.subject) for case in cases]


def rows_of(counts, **more):
    """Rows by speaker (or what ``more`` says) and emotion."""
    rows = [
        {"speaker_id": who, "emotion_id": emotion_id(emotion), **more}
        for (who, emotion), clips in counts.items()
        for _ in range(clips)
    ]
    return [{**row, "utterance_id": f"{row.get('corpus', 'emodb')}/{n:04d}"} for n, row in enumerate(rows)]


@pytest.mark.parametrize(
    ("change", "kind", "detail"),
    [
        ({"clipped": 0.01}, "clipping", "1.0 % of samples"),
        ({"offset": -0.03}, "offset", "-0.030 of full scale"),
        ({"level_db": -70.0}, "level", "-70 dB of full scale"),
        ({"range_db": 5.0}, "noise", "5.0 dB above its noise"),
        ({"silence": 0.9}, "silence", "90.0 % pauses"),
        ({"edge_db": 40.0, "edge_hz": 4000.0}, "bandwidth", "4.0 of 8.0 kHz"),
        ({"mix_loss_db": 30.0}, "channels", "30 dB lost in the mean, so the loudest is used alone"),
        ({"mix_loss_db": 8.0}, "channels", "8 dB lost in the mean"),
        (
            {**dict.fromkeys(SOUND), "problem": "x.wav: not a recording"},
            "unreadable",
            "x.wav: not a recording",
        ),
    ],
)
def test_one_bad_number_is_one_finding(in_memory, change, kind, detail):
    table = in_memory([{}, {}]).table
    (case,) = recording_cases(table, measured({}, change))
    assert (case.kind, case.corpus, case.subject, case.detail) == (kind, "emodb", "emodb/clip00001", detail)


def test_every_number_is_used():
    assert set(SOUND) == set(QUALITIES)


@pytest.mark.parametrize("column", sorted({*SOUND} - {"edge_hz"}))
def test_the_values_of_clean_corpora_are_no_finding(in_memory, column):
    """Extremes of 1,701 real recordings (docs/manifest.md)."""
    most = {"clipped": 0.0, "offset": 0.0062, "level_db": -57.0, "range_db": 8.56, "silence": 0.64,
            "edge_db": 19.2, "mix_loss_db": 0.1}  # fmt: skip
    assert list(recording_cases(in_memory([{}]).table, measured({column: most[column]}))) == []


def test_copies_are_named_with_what_they_are_copies_of(in_memory):
    table = in_memory([{}, {"emotion_id": 3}, {"speaker_id": "emodb-2"}, {}]).table
    cases = list(copy_cases(table, [[0, 1, 2, 3]]))
    assert kinds(cases) == [("copies", f"emodb/clip0000{number}") for number in (1, 2, 3)]
    assert [case.detail for case in cases] == [
        "of emodb/clip00000, labelled anger there",
        "of emodb/clip00000, another speaker",
        "of emodb/clip00000",
    ]
    assert summed_up(cases, ["emodb"])[0].example == "emodb/clip00001"


@pytest.mark.parametrize("told", ["speaker_id", "text", "sentence_id"])
def test_who_or_what_tells_the_emotion_is_found(in_memory, told):
    emotions = ("anger", "sadness", "neutral", "fear")
    rows = rows_of({(f"s{number}", emotion): 10 for number in range(4) for emotion in emotions})
    for row in rows:
        row[told] = f"only {row['emotion_id']}"
    cases = list(label_cases(in_memory(rows).table))
    assert {case.kind for case in cases} == {"speakers" if told == "speaker_id" else "texts"}
    assert len(cases) == 4
    assert {case.detail for case in cases} == {"100% guessed, 25% by chance"}


def test_one_speaker_in_four_who_is_always_angry_is_named(in_memory):
    counts = {(f"s{number}", emotion): 10 for number in range(3) for emotion in ("anger", "sadness", "fear")}
    cases = list(label_cases(in_memory(rows_of({**counts, ("s9", "anger"): 40})).table))
    assert kinds(cases) == []  # anger is the most frequent emotion anyway
    cases = list(label_cases(in_memory(rows_of({**counts, ("s8", "fear"): 40, ("s9", "anger"): 40})).table))
    assert kinds(cases) == [("speakers", "s8"), ("speakers", "s9")]


@pytest.mark.parametrize("seed", range(3))
def test_a_balanced_or_random_design_tells_nothing(in_memory, seed):
    rng = np.random.default_rng(seed)
    balanced = {(f"s{number}", emotion): 4 for number in range(9) for emotion in ("anger", "sadness", "fear")}
    rows = rows_of(balanced, text="the same for all")
    assert list(label_cases(in_memory(rows).table)) == []
    rows = [
        {"speaker_id": f"s{who}", "emotion_id": int(emotion), "text": f"t{text}"}
        for who, emotion, text in zip(*rng.integers(0, (20, 6, 50), (600, 3)).T, strict=True)
    ]
    assert list(label_cases(in_memory(rows).table)) == []


def test_an_emotion_of_one_corpus_only(in_memory, people_rows):
    both = [*people_rows("emodb", emotions=3), *people_rows("nemo", emotions=4, language="pl")]
    other = [{"utterance_id": "nemo/odd", "corpus": "nemo", "emotion_id": -1}]
    (case,) = label_cases(in_memory([*both, *other]).table)
    assert (case.kind, case.corpus, case.subject, case.detail) == ("classes", "nemo", "sadness", "20 clips")
    assert list(label_cases(in_memory(people_rows("emodb", emotions=4)).table)) == []


def test_guesses_by_hand():
    assert guessed([]) == (0, 0, 0)
    assert guessed([{"a": 1}, {"b": 1}]) == (0, 1, 2)  # nothing is known of a clip that is alone
    assert guessed([{"a": 3, "b": 2}]) == (0, 3, 5)  # without itself, an `a` is as frequent as `b`
    assert guessed([{"a": 4, "b": 2}, {"b": 3}]) == (7, 5, 9)


def test_findings_are_in_order_and_know_the_worst():
    cases = [
        Case("offset", "nemo", "n1", "d", 1), Case("offset", "emodb", "e1", "d", 1),
        Case("offset", "emodb", "e2", "worse", 2), Case("copies", "nemo", "n1", "d", 0),
    ]  # fmt: skip
    assert summed_up(cases, ["emodb", "nemo"]) == (
        Finding("copies", "nemo", 1, "n1", "d"),
        Finding("offset", "emodb", 2, "e2", "worse"),
        Finding("offset", "nemo", 1, "n1", "d"),
    )


def test_what_is_left_out_and_what_is_a_danger():
    findings = tuple(Finding(kind, "emodb", 1, "x", "y") for kind in KINDS)
    diagnosis = Diagnosis(9, findings, "0")
    assert [finding.kind for finding in diagnosis.dangers] == list(KINDS)[:6]
    assert not diagnosis.without(list(KINDS)[:6]).dangers
    with pytest.raises(ManifestError, match=r"^finding 'mood' does not exist; valid are unreadable, copies,"):
        diagnosis.without(["mood"])


def test_the_table_says_what_each_kind_means():
    table = diagnosis_table(Diagnosis(9, (Finding("offset", "emodb", 3, "x", "+0.030 of full scale"),), "0"))
    assert records(table) == [
        {"finding": "offset", "corpus": "emodb", "cases": 3, "worst": "x", "measured": "+0.030 of full scale"}
    ]
    assert table.notes == ("offset: waves around another value than 0, by 0.01 of full scale or more.",)
