import shutil

import numpy as np
import pytest
import soundfile
import soxr

from ser_pipeline.errors import ManifestError
from ser_pipeline.manifest import digest_file
from ser_pipeline.manifest import examine as module
from ser_pipeline.manifest.doctor import DOCTOR_NAME, read_diagnosis
from ser_pipeline.manifest.examine import examine
from ser_pipeline.records import Segment

NAMES = [
    f"{speaker}{text}{emotion}a" for speaker in ("03", "08") for text in ("a01", "a02") for emotion in "WFNT"
]


@pytest.fixture(scope="module")
def clean_files(tmp_path_factory):
    """Folder of the recordings that have no fault, filled by whoever needs them first."""
    return tmp_path_factory.mktemp("clean")


@pytest.fixture
def put(tmp_path, make_speech, built, out, clean_files):
    """Write a small EMO-DB, and what it is called, as faulty copies; build its manifest."""
    folder = tmp_path / "DataSets/EmoDB/wav"
    folder.mkdir(parents=True)

    def write(faults=None):
        for number, name in enumerate(NAMES):
            clean = clean_files / f"{name}.wav"
            if not clean.exists():
                soundfile.write(clean, make_speech(number), 16_000)
            shutil.copy(clean, folder)
        for name, (wave, rate, suffix) in (faults or {}).items():
            soundfile.write(folder / f"{name}.{suffix}", wave, rate)
        built(tmp_path / "DataSets", out)
        return folder

    return write


def found(examination):
    return {(case.kind, case.subject.removeprefix("emodb/wav/")) for case in examination.cases}


def test_clean_recordings_give_no_finding(put, out):
    put()
    examination = examine(out)
    assert (examination.cases, examination.diagnosis.findings, examination.read) == ((), (), 16)
    assert read_diagnosis(out) == examination.diagnosis


def test_exactly_what_was_made_wrong_is_found(put, out, make_speech, rng):
    take = [make_speech(number) for number in range(100, 110)]
    quiet = np.concatenate([take[4], np.zeros(200_000, np.float32)])
    telephone = soxr.resample(soxr.resample(take[6], 16_000, 8_000), 8_000, 48_000)
    put(
        {
            "03a04Wa": (0.3 * make_speech(0)[3000:-1500], 16_000, "mp3"),
            "03a04Fa": (-0.5 * make_speech(1)[4000:], 16_000, "ogg"),
            "03a04Na": (np.clip(5 * take[2], -0.4, 0.4), 16_000, "wav"),
            "03a04Ta": (take[3] + 0.03, 16_000, "wav"),
            "08a04Wa": (quiet, 16_000, "flac"),
            "08a04Fa": (np.stack([take[5], -0.99 * take[5]], axis=1), 16_000, "wav"),
            "08a04Na": (telephone, 48_000, "wav"),
            "08a04Ta": (take[7] + 0.5 * rng.standard_normal(take[7].size), 16_000, "wav"),
            "08a05Ta": (take[8] * 2**-10, 16_000, "wav"),
        }
    )
    examination = examine(out)
    assert found(examination) == {
        ("copies", "03a04Wa"), ("copies", "03a04Fa"), ("clipping", "03a04Na"), ("offset", "03a04Ta"),
        ("silence", "08a04Wa"), ("channels", "08a04Fa"), ("bandwidth", "08a04Na"), ("noise", "08a04Ta"),
        ("level", "08a05Ta"),
    }  # fmt: skip
    assert {finding.kind for finding in examination.diagnosis.dangers} == {"copies", "channels"}


def test_only_new_recordings_are_read(put, out, make_speech, tmp_path, built):
    folder = put()
    seen = []
    examine(out, on_progress=lambda done, total: seen.append((done, total)))
    assert seen == [(16, 16)]
    assert examine(out).read == 0
    soundfile.write(folder / "03a04Wa.wav", make_speech(200), 16_000)
    (folder / "03a01Wa.wav").rename(folder / "03a05Wa.wav")
    built(tmp_path / "DataSets", out)
    assert examine(out).read == 1


def test_without_the_recordings_what_is_known_is_enough(put, out, tmp_path):
    put()
    before = examine(out)
    (tmp_path / "DataSets").rename(tmp_path / "gone")
    assert examine(out) == module.Examination(before.diagnosis, before.cases, 0)
    (out / DOCTOR_NAME).write_bytes(b"no table")
    with pytest.raises(ManifestError, match=r"DataSets: no such folder; pass the one .* with --data"):
        examine(out)
    assert examine(out, data=tmp_path / "gone").read == 16


def test_other_code_measures_again(put, out, monkeypatch):
    put()
    examine(out)
    monkeypatch.setattr(module, "_measured_by", lambda: "other code")
    assert examine(out).read == 16


def test_a_recording_that_cannot_be_decoded_is_a_finding(put, out, tmp_path, built):
    folder = put()
    soundfile.write(folder / "03a04Wa.wav", np.zeros(16_000), 16_000)
    built(tmp_path / "DataSets", out)
    (case,) = examine(out).cases
    assert (case.kind, case.subject) == ("unreadable", "emodb/wav/03a04Wa")
    assert "silent" in case.detail
    assert examine(out).read == 0


@pytest.mark.parametrize("change", ["gone", "altered"])
def test_recordings_that_changed_since_the_build_are_an_error(put, out, make_speech, change):
    folder = put()
    path = folder / "03a01Wa.wav"
    path.unlink() if change == "gone" else soundfile.write(path, make_speech(300), 16_000)
    with pytest.raises(
        ManifestError,
        match=r"1 recording of the manifest not there or changed, first EmoDB/wav/03a01Wa.wav; run",
    ):
        examine(out)
    assert module._known(out / DOCTOR_NAME).num_rows == 15


def test_an_interrupted_examination_keeps_what_was_measured(put, out, monkeypatch):
    put()
    monkeypatch.setattr(module, "_AT_ONCE", 5)

    def stop(done, total):
        if done == 10:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        examine(out, on_progress=stop)
    assert read_diagnosis(out) is None
    assert examine(out).read == 6


def test_workers_find_the_same(put, out, monkeypatch):
    put()
    alone = examine(out)
    table = (out / DOCTOR_NAME).read_bytes()
    (out / DOCTOR_NAME).unlink()
    monkeypatch.setattr(module, "_WORTH_A_WORKER", 4)
    monkeypatch.setattr(module, "_AT_ONCE", 4)
    assert examine(out, jobs=2) == alone
    assert (out / DOCTOR_NAME).read_bytes() == table


def test_findings_nobody_can_read(put, out):
    put()
    assert read_diagnosis(out) is None
    examine(out)
    table = module.read_table(out / DOCTOR_NAME, module.DOCTOR_SCHEMA, remedy="").table
    module.write_table(table, {"diagnosis": {"findings": [{"kind": "mood"}]}}, out / DOCTOR_NAME)
    with pytest.raises(
        ManifestError, match=r"its findings cannot be read; make them again with 'ser manifest doctor'"
    ):
        read_diagnosis(out)


@pytest.mark.real
def test_the_real_recordings(real_data, out, built):
    built(real_data, out, jobs=2)
    examination = examine(out)
    assert found(examination) == {("classes", "boredom")}


def test_segments_are_measured_apart(tmp_path, manifest_of, make_speech):
    whole = np.concatenate([make_speech(1), make_speech(2) + 0.02, 0.5 * make_speech(1)])
    soundfile.write(tmp_path / "long.wav", whole, 16_000)
    bounds = [(0.0, 2.0), (2.0, 4.0), (4.0, 6.0)]
    digest = digest_file(tmp_path / "long.wav")
    manifest_of(
        {
            "path": "long.wav",
            "start_s": start,
            "end_s": end,
            "audio_digest": Segment(start, end).digest(digest),
        }
        for start, end in bounds
    )
    cases = examine(tmp_path / "manifests", data=tmp_path).cases
    assert [(case.kind, case.subject) for case in cases] == [
        ("offset", "emodb/clip00001"),
        ("copies", "emodb/clip00002"),
    ]
