"""Scans by made-up corpora: what a corpus module may do wrong must not pass."""

import dataclasses
import types
from pathlib import PurePosixPath

import pyarrow as pa
import pytest

from ser_pipeline.corpora import CORPORA
from ser_pipeline.corpora.discover import Discovery, Found
from ser_pipeline.errors import LabelError, ManifestError
from ser_pipeline.manifest.probe_cache import PROBE_SCHEMA
from ser_pipeline.manifest.scan import DESCRIBED, filter_rows, scan_corpora
from ser_pipeline.manifest.schema import MEASURED, SCHEMA
from ser_pipeline.records import MissingAudio, Reject, TableProblem, Utterance


def utterance(path, **facts):
    row = Utterance(
        corpus="toy",
        path=path,
        canonical=path.stem,
        source_label="A",
        emotion="anger",
        speaker_id="toy-1",
        language="de",
    )
    return dataclasses.replace(row, **facts)


def toy(scan=None):
    """A corpus whose scan is given; by default one row per file."""
    rows = scan or (lambda root, files: (utterance(path) for path in files))
    return {"toy": types.SimpleNamespace(CARD=CORPORA["emodb"].CARD, scan=rows)}


def finding(*names, root="Toy", strays=(), half_there=()):
    found = Found("toy", PurePosixPath(root), tuple(map(PurePosixPath, names)))
    return lambda data: Discovery((found,), tuple(map(PurePosixPath, strays)), half_there)


def scan(tmp_path, module, find, **options):
    return scan_corpora(tmp_path, corpora=module, find=find, **options)


def test_columns_are_those_of_the_manifest_without_the_measured_ones():
    assert sorted([*DESCRIBED.names, *MEASURED]) == sorted(SCHEMA.names)
    assert not set(DESCRIBED.names) & set(MEASURED)


def test_every_field_reaches_its_column(tmp_path):
    facts = {
        "canonical": "wav/a", "source_label": "W", "emotion": "boredom", "speaker_id": "toy-7",
        "language": "pl", "style": "elicited", "modality": "song", "intensity": "high",
        "session_id": "S1", "gender": "male", "age": 31, "sentence_id": "s", "text": "Zażółć", "take": "b",
        "valence": -1.0, "arousal": 0.5, "dominance": 0.25, "agreement": 0.75, "naturalness": 1.0,
        "rated_intensity": 0.0, "votes": {"other": 1, "sadness": 2, "anger": 3}, "start_s": 1.25,
        "end_s": 2.5, "part": "validation", "fold": 3,
    }  # fmt: skip
    module = toy(lambda root, files: (utterance(path, **facts) for path in files))
    scanned = scan(tmp_path, module, finding("wav/a.wav"))
    assert scanned.table.to_pylist() == [
        {
            **{name: value for name, value in facts.items() if name not in {"canonical", "emotion"}},
            "utterance_id": "toy/wav/a#1.250-2.500",
            "corpus": "toy",
            "path": "Toy/wav/a.wav",
            "emotion_id": 8,
            "votes": [(-1, 1), (0, 3), (3, 2)],
        }
    ]


def test_what_is_not_known_is_null(tmp_path):
    row = scan(tmp_path, toy(), finding("a.wav")).table.to_pylist()[0]
    unknown = {name for name, value in row.items() if value is None}
    assert unknown == {
        "session_id", "age", "sentence_id", "text", "take", "valence", "arousal", "dominance", "votes",
        "agreement", "naturalness", "rated_intensity", "start_s", "end_s", "part", "fold",
    }  # fmt: skip


def test_paths_are_relative_to_the_data_folder(tmp_path):
    for root, path in ((".", "x/a.wav"), ("Toy", "Toy/x/a.wav"), ("old/Toy", "old/Toy/x/a.wav")):
        scanned = scan(tmp_path, toy(), finding("x/a.wav", root=root))
        assert scanned.table["path"].to_pylist() == [path]


def test_rejects_remarks_and_strays_are_kept_apart(tmp_path):
    def mixed(root, files):
        yield utterance(files[0])
        yield Reject("toy", files[1], "no such emotion")
        yield MissingAudio("toy", "t.csv", 3, ("x",))
        yield TableProblem("toy", "u.csv", "not found")

    find = finding("a.wav", "b.wav", strays=("odd/c.wav",), half_there=("emodb: nothing there",))
    scanned = scan(tmp_path, toy(mixed), find)
    assert scanned.table["path"].to_pylist() == ["Toy/a.wav"]
    assert [(r.corpus, str(r.path)) for r in scanned.rejects] == [
        ("toy", "Toy/b.wav"),
        ("unknown", "odd/c.wav"),
    ]
    assert "follows the layout of no known corpus" in scanned.rejects[1].reason
    assert scanned.missing == [MissingAudio("toy", "t.csv", 3, ("x",))]
    assert scanned.problems == [TableProblem("toy", "u.csv", "not found")]
    assert scanned.files == {"toy": 2, "unknown": 1}
    assert scanned.half_there == ("emodb: nothing there",)


@pytest.mark.parametrize(
    ("scan_rows", "found"),
    [
        (lambda root, files: iter([]), "yielded nothing instead of a.wav"),
        (lambda root, files: (utterance(p) for p in files[:1]), "yielded nothing instead of b.wav"),
        (
            lambda root, files: (utterance(p) for p in [*files, files[0]]),
            "yielded a.wav instead of nothing",
        ),
        (lambda root, files: (utterance(p) for p in reversed(files)), "yielded b.wav instead of a.wav"),
    ],
)
def test_a_scan_that_loses_or_invents_recordings_is_an_error(tmp_path, scan_rows, found):
    with pytest.raises(
        ManifestError, match=f"toy: scan of Toy must yield one row or reject per recording.*{found}"
    ):
        scan(tmp_path, toy(scan_rows), finding("a.wav", "b.wav"))


def test_an_equal_path_need_not_be_the_same_object(tmp_path):
    module = toy(lambda root, files: (utterance(PurePosixPath(str(path))) for path in files))
    assert scan(tmp_path, module, finding("a.wav", "b.wav")).table.num_rows == 2


@pytest.mark.parametrize(
    ("facts", "message"),
    [
        ({"age": "thirty"}, "toy: a row's age does not fit int16"),
        ({"age": 40_000}, "toy: a row's age does not fit int16"),
        ({"text": 5}, "toy: a row's text does not fit string"),
        ({"text": "\udce9"}, "toy: a row's text does not fit string"),
        ({"valence": "high"}, "toy: a row's valence does not fit float"),
        ({"votes": {"anger": 40_000}}, "toy: a row's votes does not fit map<int8, int16>"),
    ],
)
def test_a_field_that_does_not_fit_its_column(tmp_path, facts, message):
    module = toy(lambda root, files: (utterance(path, **facts) for path in files))
    with pytest.raises(ManifestError, match=message):
        scan(tmp_path, module, finding("a.wav"))


@pytest.mark.parametrize("facts", [{"emotion": "rage"}, {"votes": {"rage": 1}}])
def test_an_emotion_outside_the_vocabulary(tmp_path, facts):
    module = toy(lambda root, files: (utterance(path, **facts) for path in files))
    with pytest.raises(LabelError, match="emotion 'rage' does not exist"):
        scan(tmp_path, module, finding("a.wav"))


def test_a_name_that_is_not_utf8_is_a_reject_that_can_be_printed(tmp_path):
    def reasoned(root, files):
        yield utterance(files[0])
        yield Reject("toy", files[1], "name 'b\udcff' is odd")
        yield utterance(files[2])

    scanned = scan(tmp_path, toy(reasoned), finding("a\udce9.wav", "b\udcff.wav", "ç.wav"))
    assert scanned.rejects == [
        Reject("toy", PurePosixPath("Toy/a\\xe9.wav"), "name is not UTF-8; rename the file"),
        Reject("toy", PurePosixPath("Toy/b\\xff.wav"), "name 'b\\xff' is odd"),
    ]
    assert scanned.table["path"].to_pylist() == ["Toy/ç.wav"]


def test_a_path_like_one_on_a_drive_of_windows_is_a_reject(tmp_path):
    scanned = scan(tmp_path, toy(), finding("a.wav", root="S:1"))
    assert scanned.table.num_rows == 0
    assert scanned.rejects[0].reason.endswith("begins as a drive of Windows does; rename it")


def test_limit_takes_the_same_few_of_each_corpus(tmp_path):
    names = [f"{number:03d}.wav" for number in range(50)]
    strays = [f"s{number}.wav" for number in range(9)]
    scanned = scan(tmp_path, toy(), finding(*names, strays=strays), limit=4)
    assert scanned.files == {"toy": 4, "unknown": 4}
    assert scanned.left_out == 46 + 5
    chosen = scanned.table["path"].to_pylist()
    assert chosen == sorted(chosen)
    assert chosen != [f"Toy/{name}" for name in names[:4]]
    again = scan(tmp_path, toy(), finding(*names, strays=strays), limit=4)
    assert again.table.equals(scanned.table)
    assert again.rejects == scanned.rejects


def test_a_limit_beyond_what_is_there_takes_all(tmp_path):
    scanned = scan(tmp_path, toy(), finding("a.wav"), limit=10)
    assert (scanned.table.num_rows, scanned.left_out) == (1, 0)


@pytest.mark.parametrize(
    ("mark", "synthetic"), [("Toy", ("toy",)), (".", ("toy",)), ("Toy/x", ()), ("Other", ())]
)
def test_a_mark_in_the_folder_or_above_says_synthetic(tmp_path, mark, synthetic):
    (tmp_path / mark).mkdir(parents=True, exist_ok=True)
    (tmp_path / mark / "SYNTHETIC.txt").write_text("made")
    assert scan(tmp_path, toy(), finding("a.wav")).synthetic == synthetic


def test_more_rows_than_one_batch(tmp_path, monkeypatch):
    monkeypatch.setattr("ser_pipeline.manifest.scan.BATCH", 3)
    names = [f"{number}.wav" for number in range(8)]
    assert scan(tmp_path, toy(), finding(*names)).table["path"].to_pylist() == [
        f"Toy/{name}" for name in names
    ]


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
    kept, rejects, _ = filter_rows(described(rows), probes(found), decoded=decoded)
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


def test_what_decoding_found_of_a_whole_recording_is_not_said_of_its_segments():
    rows = [{"utterance_id": "toy/a"}, {"utterance_id": "toy/b", "start_s": 0.1, "end_s": 0.6}]
    silent = {"decoded": True, "wave_problem": "silent"}
    assert run(rows, [{"digest": "1"} | silent, {"digest": "2"} | silent], True)[1] == {"toy/a.wav": "silent"}
    kept, _ = run(rows, [{"digest": "1", "channel": 2}, {"digest": "2", "channel": 2}], True)
    assert kept["channel"].to_pylist() == [2, None]


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
        "b/a.wav": "duplicate id: 'b/a.flac' is 'toy/a', too",
        "z/a.wav": "duplicate id: 'b/a.flac' is 'toy/a', too",
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
        "1.wav": "duplicate audio: 'toy/c' has the same bytes as 'toy/a'",
        "4.wav": "duplicate audio: 'toy/d' has the same bytes as 'toy/a'",
    }


def test_the_same_audio_under_two_labels_is_said():
    rows = [{"utterance_id": "toy/a", "emotion_id": 0}, {"utterance_id": "toy/b", "emotion_id": -1}]
    _, rejects = run(rows, [{"digest": "x"}, {"digest": "x"}])
    assert rejects["toy/b.wav"].endswith("same bytes as 'toy/a'; labelled 'other' here, 'anger' there")


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


@pytest.mark.parametrize(("decoded", "channel"), [(False, None), (True, 2)])
def test_a_channel_that_an_earlier_build_found_counts_only_where_this_one_decodes(decoded, channel):
    kept, _ = run([{"utterance_id": "toy/a"}], [{"digest": "1", "channel": 2, "decoded": True}], decoded)
    assert kept["channel"].to_pylist() == [channel]


def test_nothing_at_all():
    kept, rejects, _ = filter_rows(described([]), probes([]), decoded=False)
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
