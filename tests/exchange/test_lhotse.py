import gzip
import json

import pytest

from ser_pipeline.errors import CorpusError
from ser_pipeline.exchange import import_dataset
from tests.exchange.conftest import KEPT, told


@pytest.fixture
def lhotse():
    return pytest.importorskip("lhotse", reason="lhotse is not installed (extra 'interchange')")


def test_the_library_opens_what_is_written(corpus, lhotse):
    out = corpus.export("lhotse")
    cuts = lhotse.load_manifest(out / "cuts_train.jsonl.gz")
    said = {cut.id: cut for cut in cuts}
    cut = said["tones/m1/long#1.000-1.500"]
    assert (cut.start, cut.duration, cut.supervisions[0].custom["emotion"]) == (1.0, 0.5, "anger")
    assert cut.load_audio().shape == (1, 4000)
    lhotse.validate(cuts)
    recordings = lhotse.load_manifest(out / "recordings_train.jsonl.gz")
    supervisions = lhotse.load_manifest(out / "supervisions_train.jsonl.gz")
    lhotse.validate_recordings_and_supervisions(recordings, supervisions)
    assert (len(recordings), len(supervisions)) == (3, 4)


def test_what_the_library_writes_is_read(corpus, lhotse, tmp_path):
    wav = corpus.data / "tones" / "m1" / "long.wav"
    recording = lhotse.Recording.from_file(wav)
    said = lhotse.SupervisionSegment(
        "a", recording.id, start=0.5, duration=1.0, speaker="s", text="Hallo", custom={"emotion": "sad"}
    )
    recordings = lhotse.RecordingSet.from_recordings([recording])
    supervisions = lhotse.SupervisionSet.from_segments([said])
    (tmp_path / "lists").mkdir()
    recordings.to_file(tmp_path / "lists" / "mine_recordings_dev.jsonl.gz")
    supervisions.to_file(tmp_path / "lists" / "mine_supervisions_dev.jsonl.gz")
    rows = corpus.back("lhotse", tmp_path / "lists")
    facts = ("emotion_id", "text", "start_s", "end_s", "part")
    assert told(rows, facts) == [(3, "Hallo", 0.5, 1.5, "validation")]


def test_recordings_and_supervisions_do_without_cuts(corpus):
    out = corpus.export("lhotse", copy=True)
    for path in out.glob("cuts*"):
        path.unlink()
    rows = corpus.back("lhotse", out, data=out.parent)
    assert [*map(str, told(rows))] == [*map(str, told(corpus.rows, KEPT))]


def write(path, *objects):
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(gzip.compress("".join(json.dumps(each) + "\n" for each in objects).encode()))


@pytest.mark.parametrize(
    ("name", "objects", "reason"),
    [
        ("x.jsonl.gz", [], r"holds no 'cuts\*.jsonl.gz', and no 'recordings\*' with 'supervisions\*'"),
        (
            "cuts.jsonl.gz",
            [{"id": "a"}],
            r"cuts.jsonl.gz: lacks what a manifest of Lhotse has \('supervisions'\)",
        ),
        (
            "cuts.jsonl.gz",
            [{"supervisions": [{"start": 0, "duration": 1}], "start": 0, "recording": {"sources": []}}],
            r"cuts.jsonl.gz: lacks what a manifest of Lhotse has \(list index out of range\)",
        ),
        ("cuts.jsonl.gz", [3], r"cuts.jsonl.gz: is not JSON lines"),
        ("supervisions.jsonl.gz", [{"recording_id": "a"}], r"no supervision has one of emotion, emo, label"),
    ],
)
def test_a_manifest_of_no_use_is_an_error(tmp_path, name, objects, reason):
    write(tmp_path / "lists" / name, *objects)
    with pytest.raises(CorpusError, match=reason):
        import_dataset("lhotse", tmp_path / "lists", data=tmp_path, into=tmp_path / "c")


def test_a_file_cut_short_is_an_error(tmp_path):
    write(tmp_path / "lists" / "cuts.jsonl.gz", *[{"id": str(number)} for number in range(1000)])
    path = tmp_path / "lists" / "cuts.jsonl.gz"
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(CorpusError, match=r"cuts.jsonl.gz: "):
        import_dataset("lhotse", path, data=tmp_path, into=tmp_path / "c")


def test_channels_of_supervisions_are_named_because_all_are_mixed(corpus, tmp_path):
    wav = corpus.data / "tones" / "m1" / "long.wav"
    recording = {"id": "r", "sources": [{"type": "file", "source": str(wav)}], "duration": 2.0}
    told = {"recording_id": "r", "duration": 0.5, "custom": {"emotion": "sad"}}
    for second, said in ((0, []), (1, ["the channel of supervisions is not read: all channels are mixed"])):
        out = tmp_path / f"lists{second}"
        write(out / "recordings.jsonl.gz", recording)
        write(
            out / "supervisions.jsonl.gz",
            {**told, "id": "a", "start": 0.0, "channel": 0},
            {**told, "id": "b", "start": 1.0, "channel": second},
        )
        made = import_dataset("lhotse", out, data=corpus.data, into=tmp_path / "c")
        assert [line.partition(";")[0] for line in made.remarks if "channel" in line] == said
