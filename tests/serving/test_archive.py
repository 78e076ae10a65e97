import json
import os
import shutil
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import soundfile as sf

from ser_pipeline import load_model
from ser_pipeline.errors import AudioMissing, RunError
from ser_pipeline.options import PredictOptions
from ser_pipeline.records import Segment
from ser_pipeline.serving import archive
from ser_pipeline.serving.archive import ArchiveClip, predict_archive
from tests.serving.conftest import RATE, save_random, voice

USUAL = PredictOptions()


@pytest.fixture(scope="module", autouse=True)
def small_everywhere():
    """Not here: worker processes build networks of the usual size."""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Ten recordings of different voices, one that is none, and a model."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(archive, "TASK_CLIPS", 4)
    for number in range(10):
        sf.write(f"{number}.wav", voice(1.2, number), RATE)
    (tmp_path / "broken.wav").write_bytes(b"RIFF and nothing more")
    save_random(tmp_path / "model")
    archive._loaded.cache_clear()
    return tmp_path


def clips(folder, *more):
    return [*(ArchiveClip.of(path.relative_to(folder)) for path in sorted(folder.glob("*.wav"))), *more]


def predict(folder, found=None, **changes):
    return predict_archive(
        folder / "model", clips(folder) if found is None else found, folder / "out.parquet", USUAL, **changes
    )


def rows(folder):
    return pq.read_table(folder / "out.parquet").to_pylist()


def test_rows_are_what_the_model_says_of_each_recording_in_their_order(folder):
    summary = predict(folder)
    assert (summary.recordings, summary.computed, summary.failed) == (11, 11, 1)
    found = rows(folder)
    assert [row["file"] for row in found] == [clip.name for clip in clips(folder)]
    model = load_model(folder / "model")
    for row in found[:-1]:
        said = model.predict(row["file"])
        assert (row["decision"], row["windows"], row["error"]) == (said.decision, 1, None)
        assert [row[f"p_{name}"] for name in model.emotions] == pytest.approx(
            [*said.probabilities.values()], abs=1e-6
        )
    assert "broken.wav" in found[-1]["error"]
    assert found[-1]["decision"] is None
    assert predict(folder).computed == 0
    assert not [path for path in folder.iterdir() if path.name.startswith(".")]


def test_a_name_that_is_not_utf_8_is_stored_as_it_is_shown(folder):
    odd = Path(os.fsdecode(b"b\xff.wav"))
    shutil.copy("broken.wav", odd)
    predict(folder, [ArchiveClip.of(odd)])
    (row,) = rows(folder)
    assert (row["file"], row["error"].partition(":")[0]) == (r"b\xff.wav", r"b\xff.wav")


def test_two_workers_write_the_same_bytes(folder):
    predict(folder)
    alone = (folder / "out.parquet").read_bytes()
    (folder / "out.parquet").unlink()
    predict(folder, jobs=2)
    assert (folder / "out.parquet").read_bytes() == alone


def test_a_recording_that_could_not_be_opened_is_tried_again(folder, monkeypatch):
    told = archive._said
    monkeypatch.setattr(
        archive, "_said", lambda model, clip, task: iter([AudioMissing("away")]) if clip.name == "3.wav"
        else told(model, clip, task)
    )  # fmt: skip
    summary = predict(folder)
    assert (summary.computed, summary.failed) == (11, 2)
    monkeypatch.setattr(archive, "_said", told)
    summary = predict(folder)
    assert (summary.computed, summary.failed) == (2, 1)  # the broken one is looked at as well
    assert rows(folder)[3]["decision"] is not None
    assert predict(folder).computed == 0


def test_a_stopped_command_goes_on_with_what_is_left(folder):
    seen = []

    def stop(done, total):
        seen.append(done)
        if len(seen) == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        predict(folder, on_progress=stop)
    assert not (folder / "out.parquet").exists()
    assert predict(folder).computed == 3
    whole = rows(folder)
    (folder / "out.parquet").unlink()
    predict(folder)
    assert rows(folder) == whole


def test_a_stopped_command_keeps_its_rows_when_recordings_are_added(folder):
    def stop(done, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        predict(folder, on_progress=stop)
    sf.write("00.wav", voice(1.2, 77), RATE)
    summary = predict(folder)
    assert (summary.recordings, summary.computed) == (12, 8)


def test_what_is_known_of_the_same_bytes_is_kept_under_any_name(folder):
    predict(folder)
    assert predict(folder).computed == 0
    (folder / "3.wav").rename(folder / "33.wav")
    sf.write("4.wav", voice(1.2, 44), RATE)
    sf.write("9.flac", voice(1.2, 99), RATE)
    summary = predict(folder, clips(folder, ArchiveClip.of(folder / "9.flac")))
    assert (summary.recordings, summary.computed, summary.failed) == (12, 3, 1)  # the broken one again
    told = {row["file"]: row for row in rows(folder)}
    assert told["33.wav"]["decision"] == load_model(folder / "model").predict("33.wav").decision
    assert "3.wav" not in told


def test_a_recording_that_was_named_twice_is_known_once(folder):
    found, _ = archive.archive_clips(["0.wav", "1.wav", "./0.wav"])
    assert [clip.name for clip in found] == ["0.wav", "1.wav"]
    predict(folder, [found[0], found[0]])
    assert predict(folder, found).computed == 1
    assert [row["file"] for row in rows(folder)] == ["0.wav", "1.wav"]


def test_recordings_that_are_gone_are_looked_up_nowhere(folder):
    predict(folder, clips(folder)[:1])
    summary = predict(folder, [ArchiveClip.of(folder / "gone.wav")])
    assert (summary.recordings, summary.failed) == (1, 1)


def test_a_timeline_has_a_row_for_each_window(folder):
    sf.write("long.wav", voice(4.0, 5), RATE)
    options = PredictOptions(hop_s=0.5)
    out = folder / "windows.parquet"
    predict_archive(folder / "model", [ArchiveClip.of(folder / "long.wav")], out, options, timeline=True)
    found = pq.read_table(out).to_pylist()
    expected = [*load_model(folder / "model").timeline(folder / "long.wav", options)]
    assert [(row["start_s"], row["end_s"], row["decision"]) for row in found] == [
        (said.start_s, said.end_s, said.decision) for said in expected
    ]
    assert len(found) == 7


def test_a_segment_is_predicted_as_a_file_of_its_own(folder):
    wave = np.concatenate([voice(1.0, 1), voice(1.3, 2), voice(1.0, 3)])
    sf.write("three.wav", wave, RATE, subtype="FLOAT")
    sf.write("middle.wav", wave[RATE : round(2.3 * RATE)], RATE, subtype="FLOAT")
    segment = Segment(1.0, 2.3)
    found = [ArchiveClip.of(folder / "three.wav", segment), ArchiveClip.of(folder / "middle.wav")]
    predict(folder, found)
    part, alone = rows(folder)
    assert part["file"].endswith("three.wav[1.000-2.300]") or "1.000-2.300" in part["file"]
    names = [name for name in part if name.startswith("p_")]
    assert [part[name] for name in names] == pytest.approx([alone[name] for name in names], abs=1e-6)
    assert part["audio_digest"] != alone["audio_digest"]


def test_a_segment_may_go_on_to_the_end_or_need_another_decoder(folder, fake_ffmpeg):
    sf.write("two.wav", np.concatenate([voice(1.0, 1), voice(1.3, 2)]), RATE, subtype="FLOAT")
    decoder = fake_ffmpeg(wave=voice(1.5, 3))
    Path("a.amr").write_bytes(b"#!AMR\n" + bytes(64))
    segments = {"two.wav": Segment(1.0), "a.amr": Segment(0.0, 1.0)}
    predict(folder, [ArchiveClip.of(Path(name), segment) for name, segment in segments.items()])
    assert [row["error"] for row in rows(folder)] == [None, None]
    assert "inf" not in json.loads((decoder / "seen.json").read_text())["args"]


def test_a_file_of_something_else_is_never_replaced(folder):
    predict(folder)
    before = (folder / "out.parquet").read_bytes()
    save_random(folder / "other", epoch=2)
    with pytest.raises(RunError, match="holds no predictions of this model with these options"):
        predict_archive(folder / "other", clips(folder), folder / "out.parquet", USUAL)
    with pytest.raises(RunError, match="choose another --out, or delete it"):
        predict_archive(folder / "model", clips(folder), folder / "out.parquet", PredictOptions(abstain=0.5))
    (folder / "text.parquet").write_text("no Parquet")
    with pytest.raises(RunError, match="holds no predictions"):
        predict_archive(folder / "model", clips(folder), folder / "text.parquet", USUAL)
    assert (folder / "out.parquet").read_bytes() == before


def test_two_commands_do_not_write_one_file(folder):
    def again(done, total):
        with pytest.raises(RunError, match="another command writes it"):
            predict(folder)

    assert predict(folder, on_progress=again).computed == 11
