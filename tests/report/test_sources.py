import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ser_pipeline.errors import ManifestError
from ser_pipeline.manifest.doctor import DOCTOR_NAME, DOCTOR_SCHEMA, Diagnosis, Finding
from ser_pipeline.manifest.schema import write_table
from ser_pipeline.previews import ClipSteps, outline, write_steps
from ser_pipeline.report.build import make_report
from ser_pipeline.report.sources import read_data, read_store_facts
from ser_pipeline.runs.find import choose_runs
from ser_pipeline.runs.read import read_runs


def test_manifest_rejects_and_splits_are_read_together(manifests, rows, fake):
    data = read_data(manifests)
    assert data.table.num_rows == len(rows)
    assert data.rejects.num_rows == 2
    assert data.digest == fake.digest(manifests)
    assert [split.name for split in data.splits] == ["speaker", "stratified"]
    assert [split.leaks_speakers for split in data.splits] == [False, True]
    assert not data.unread


def test_missing_manifest_names_the_command(tmp_path):
    with pytest.raises(
        ManifestError, match=r"manifest\.parquet: not found; make it with 'ser manifest build'"
    ):
        read_data(tmp_path)


def test_an_examination_is_read_and_a_damaged_one_is_listed(manifests):
    found = Diagnosis(90, (Finding("offset", "nemo", 9, "x", "y"),), "d")
    write_table(DOCTOR_SCHEMA.empty_table(), {"diagnosis": found.to_json()}, manifests / DOCTOR_NAME)
    assert read_data(manifests).diagnosis == found
    (manifests / DOCTOR_NAME).write_bytes(b"no")
    data = read_data(manifests)
    assert data.diagnosis is None
    assert [(entry.kind, entry.name) for entry in data.unread] == [("findings", "doctor.parquet")]
    assert "make it again with 'ser manifest doctor'" in data.unread[0].line


def test_damaged_split_is_listed_with_its_command(manifests):
    (manifests / "splits" / "speaker.parquet").write_bytes(b"no")
    data = read_data(manifests)
    assert [split.name for split in data.splits] == ["stratified"]
    (unread,) = data.unread
    assert (unread.kind, unread.name) == ("split", "speaker")
    assert "speaker.parquet: cannot be read" in unread.reason
    assert "make it again with 'ser manifest split speaker --manifests " in unread.reason


def test_half_written_splits_are_not_read(manifests):
    (manifests / "splits" / ".speaker.parquet.7-ab.partial").write_bytes(b"no")
    assert len(read_data(manifests).splits) == 2


def test_manifest_without_rejects_file_has_none(manifests):
    (manifests / "rejects.parquet").unlink()
    assert read_data(manifests).rejects.num_rows == 0


@pytest.mark.parametrize(
    ("named", "expected"),
    [([], set()), (["emodb", "gone"], {"emodb"}), (["emodb", "nemo"], {"emodb", "nemo"})],
)
def test_synthetic_corpora_are_those_that_are_here(tmp_path, rows, fake, named, expected):
    folder = fake.manifest(tmp_path, rows, synthetic=bool(named), synthetic_corpora=named)
    assert read_data(folder).synthetic == expected


def test_room_needs_neither_torch_nor_audio():
    code = (
        "import sys, ser_pipeline.report;"
        "bad = {'torch', 'librosa', 'h5py', 'soundfile', 'pandas'};"
        "print(sorted(bad & set(sys.modules)))"
    )
    folder = Path(__file__).parents[2]
    found = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=folder
    )
    assert found.stdout.strip() == "[]"


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


def test_levels_and_steps_are_on_the_page(tmp_path, rows, fake, cache, request):
    fake.manifest(tmp_path / "manifests", rows)
    make_report(tmp_path / "manifests", [], tmp_path / "out", cache=cache, also=("png", "pdf"))
    page = (tmp_path / "out" / "report.html").read_text()
    assert "Levels by corpus. nEMO: median" in page
    assert "emodb/01-W-0: wave of 1.0 s" in page
    assert "<b>bad</b>" not in page
    for suffix in ("png", "svg", "pdf"):
        assert (tmp_path / "out" / "figures" / f"steps-1.{suffix}").stat().st_size > 1000
    assert (tmp_path / "out" / "figures" / "levels.pdf").read_bytes().startswith(b"%PDF")
    request.getfixturevalue("no_drawings")
    make_report(tmp_path / "manifests", [], tmp_path / "out", cache=cache)
    assert not list((tmp_path / "out" / "figures").glob("*.pdf"))


def test_the_store_of_a_run_comes_before_the_newest(tmp_path, rows, fake, cache):
    folder = fake.run(tmp_path / "runs", "one", rows, "d", task="4class")
    (run,) = read_runs([folder])[0]
    assert read_store_facts(cache, []).name == "f" * 16
    fingerprint = run.info.model_copy(update={"store_kind": "mels", "store_fingerprint": "0" * 16})
    assert read_store_facts(cache, [replace(run, info=fingerprint)]).name == "0" * 16
    beside = {"store_kind": "mels+features", "store_fingerprint": f"{'0' * 16}+{'2' * 16}"}
    assert read_store_facts(cache, [replace(run, info=run.info.model_copy(update=beside))]).name == "0" * 16
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
