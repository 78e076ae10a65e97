"""Scans by made-up corpora: what a corpus module may do wrong must not pass."""

import dataclasses
import types
from pathlib import PurePosixPath

import pytest

from ser_pipeline.corpora import CORPORA
from ser_pipeline.corpora.discover import Discovery, Found
from ser_pipeline.errors import LabelError, ManifestError
from ser_pipeline.manifest.rows import DESCRIBED, printable, scan_corpora
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
        "rated_intensity": 0.0, "votes": {"other": 1, "sadness": 2, "anger": 3},
    }  # fmt: skip
    module = toy(lambda root, files: (utterance(path, **facts) for path in files))
    scanned = scan(tmp_path, module, finding("wav/a.wav"))
    assert scanned.table.to_pylist() == [
        {
            **{name: value for name, value in facts.items() if name not in {"canonical", "emotion"}},
            "utterance_id": "toy/wav/a",
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
        "agreement", "naturalness", "rated_intensity",
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
    assert "follows the layout of no corpus" in scanned.rejects[1].reason
    assert scanned.missing == [MissingAudio("toy", "t.csv", 3, ("x",))]
    assert scanned.problems == [TableProblem("toy", "u.csv", "not found")]
    assert scanned.files == {"toy": 2, "unknown": 1}
    assert scanned.half_there == ("emodb: nothing there",)


@pytest.mark.parametrize(
    ("scan_rows", "found"),
    [
        (lambda root, files: iter([]), "yielded nothing where a.wav stands"),
        (lambda root, files: (utterance(p) for p in files[:1]), "yielded nothing where b.wav stands"),
        (
            lambda root, files: (utterance(p) for p in [*files, files[0]]),
            "yielded a.wav where nothing stands",
        ),
        (lambda root, files: (utterance(p) for p in reversed(files)), "yielded b.wav where a.wav stands"),
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


def test_printable_leaves_other_text_alone():
    assert printable("ü 音.wav") == "ü 音.wav"


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
    monkeypatch.setattr("ser_pipeline.manifest.rows.BATCH", 3)
    names = [f"{number}.wav" for number in range(8)]
    assert scan(tmp_path, toy(), finding(*names)).table["path"].to_pylist() == [
        f"Toy/{name}" for name in names
    ]
