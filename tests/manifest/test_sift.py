import pyarrow as pa
import pytest

from ser_pipeline.manifest.ledger import PROBE_SCHEMA
from ser_pipeline.manifest.rows import DESCRIBED
from ser_pipeline.manifest.schema import SCHEMA
from ser_pipeline.manifest.sift import sift


def described(rows):
    blank = {
        "corpus": "toy", "source_label": "A", "emotion_id": 0, "intensity": "unspecified",
        "speaker_id": "toy-1", "gender": "unknown", "language": "de", "modality": "speech", "style": "acted",
    }  # fmt: skip
    full = [
        {**dict.fromkeys(DESCRIBED.names), **blank, "path": f"{row['utterance_id']}.wav", **row}
        for row in rows
    ]
    return pa.Table.from_pylist(full, DESCRIBED)


def probes(rows):
    blank = {
        "path": "", "size": 1, "mtime_ns": 0, "ctime_ns": 0, "digest": "", "duration_s": 1.0,
        "sample_rate": 8000, "channels": 1, "decoded": False,
    }  # fmt: skip
    return pa.Table.from_pylist(
        [{**dict.fromkeys(PROBE_SCHEMA.names), **blank, **row} for row in rows], PROBE_SCHEMA
    )


def run(rows, found, decoded=False):
    kept, rejects = sift(described(rows), probes(found), decoded=decoded)
    assert kept.num_rows + rejects.num_rows == len(rows)
    return kept, {row["path"]: row["reason"] for row in rejects.to_pylist()}


def test_rows_are_sorted_by_id_and_carry_what_was_measured():
    kept, rejects = run(
        [{"utterance_id": "toy/b"}, {"utterance_id": "toy/a"}],
        [{"digest": "2", "duration_s": 2.0}, {"digest": "1", "channels": 2}],
    )
    assert kept.schema == SCHEMA
    assert kept.select(["utterance_id", "audio_digest", "duration_s", "channels"]).to_pylist() == [
        {"utterance_id": "toy/a", "audio_digest": "1", "duration_s": 1.0, "channels": 2},
        {"utterance_id": "toy/b", "audio_digest": "2", "duration_s": 2.0, "channels": 1},
    ]
    assert rejects == {}


def test_a_problem_is_a_reject_with_its_reason():
    kept, rejects = run(
        [{"utterance_id": "toy/a"}, {"utterance_id": "toy/b"}],
        [{"digest": "1", "problem": "too short"}, {"digest": "2"}],
    )
    assert kept["utterance_id"].to_pylist() == ["toy/b"]
    assert rejects == {"toy/a.wav": "too short"}


@pytest.mark.parametrize("decoded", [False, True])
def test_what_decoding_found_counts_only_when_asked(decoded):
    rows = [{"utterance_id": "toy/a"}]
    _, rejects = run(rows, [{"digest": "1", "decoded": True, "decode_problem": "silent"}], decoded)
    assert rejects == ({"toy/a.wav": "silent"} if decoded else {})


def test_of_the_same_id_the_first_path_is_kept():
    rows = [{"utterance_id": "toy/a", "path": path} for path in ("z/a.wav", "b/a.wav", "b/a.flac")]
    kept, rejects = run(rows, [{"digest": d} for d in "123"])
    assert kept["path"].to_pylist() == ["b/a.flac"]
    assert rejects == {
        "b/a.wav": "duplicate id: b/a.flac is toy/a too",
        "z/a.wav": "duplicate id: b/a.flac is toy/a too",
    }


def test_of_the_same_audio_the_first_id_is_kept_whatever_the_paths():
    rows = [
        {"utterance_id": "toy/c", "path": "1.wav"},
        {"utterance_id": "toy/b", "path": "2.wav"},
        {"utterance_id": "toy/a", "path": "3.wav"},
        {"utterance_id": "toy/d", "path": "4.wav"},
    ]
    kept, rejects = run(rows, [{"digest": d} for d in ("x", "y", "x", "x")])
    assert kept["utterance_id"].to_pylist() == ["toy/a", "toy/b"]
    assert rejects == {
        "1.wav": "duplicate audio: toy/c is the same bytes as toy/a",
        "4.wav": "duplicate audio: toy/d is the same bytes as toy/a",
    }


def test_the_same_audio_under_two_labels_is_said():
    rows = [{"utterance_id": "toy/a", "emotion_id": 0}, {"utterance_id": "toy/b", "emotion_id": -1}]
    _, rejects = run(rows, [{"digest": "x"}, {"digest": "x"}])
    assert rejects["toy/b.wav"].endswith("same bytes as toy/a; labelled other here, anger there")


def test_an_unusable_copy_does_not_push_out_a_usable_one():
    rows = [{"utterance_id": "toy/a", "path": path} for path in ("1.wav", "2.wav")]
    kept, rejects = run(rows, [{"digest": "x", "problem": "truncated"}, {"digest": "y"}])
    assert kept["path"].to_pylist() == ["2.wav"]
    assert rejects == {"1.wav": "truncated"}


def test_a_second_id_is_not_also_a_duplicate_audio():
    rows = [{"utterance_id": "toy/a", "path": "1.wav"}, {"utterance_id": "toy/a", "path": "2.wav"}]
    _, rejects = run(rows, [{"digest": "x"}, {"digest": "x"}])
    assert list(rejects) == ["2.wav"]


def test_duplicates_are_found_across_corpora():
    rows = [{"utterance_id": "toy/a"}, {"utterance_id": "other/a", "corpus": "other"}]
    kept, rejects = run(rows, [{"digest": "x"}, {"digest": "x"}])
    assert kept["corpus"].to_pylist() == ["other"]
    assert list(rejects) == ["toy/a.wav"]


def test_nothing_at_all():
    kept, rejects = sift(described([]), probes([]), decoded=False)
    assert (kept.num_rows, rejects.num_rows) == (0, 0)


def test_random_tables_agree_with_a_plain_loop(rng):
    count = 300
    rows = [
        {"utterance_id": f"toy/{rng.integers(120):03d}", "path": f"{rng.integers(10)}/{number}.wav"}
        for number in range(count)
    ]
    found = [
        {"digest": f"{rng.integers(150):03d}", "problem": "bad" if rng.random() < 0.1 else None} for _ in rows
    ]
    kept, _ = run(rows, found)
    ids, digests, expected = set(), set(), []
    for row, reading in sorted(
        zip(rows, found, strict=True), key=lambda pair: (pair[0]["utterance_id"], pair[0]["path"])
    ):
        if reading["problem"] or row["utterance_id"] in ids:
            continue
        ids.add(row["utterance_id"])
        if reading["digest"] not in digests:
            digests.add(reading["digest"])
            expected.append(row["path"])
    assert kept["path"].to_pylist() == expected
