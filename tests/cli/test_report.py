import importlib
import shlex

import pyarrow as pa
import pytest
from typer.testing import CliRunner

from ser_pipeline.cli import app
from ser_pipeline.manifest.schema import SCHEMA, write_table
from ser_pipeline.synth.layouts import SIZES, Size
from tests.report.conftest import no_drawings

__all__ = ["no_drawings"]

pytestmark = pytest.mark.usefixtures("no_drawings")

ROW = {
    "utterance_id": "emodb/wav/03a01Fa", "corpus": "emodb", "audio_digest": "00", "source_label": "F",
    "path": "emodb/wav/03a01Fa.wav", "channels": 1,
    "emotion_id": 1, "intensity": "unspecified", "speaker_id": "emodb-03", "gender": "male", "age": 31,
    "language": "de", "modality": "speech", "style": "acted", "duration_s": 1.9, "sample_rate": 16_000,
}  # fmt: skip


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A working folder with a manifest of one recording."""
    monkeypatch.chdir(tmp_path)
    facts = {"synthetic": True, "synthetic_corpora": ["emodb"]}
    write_table(pa.Table.from_pylist([ROW], SCHEMA), facts, tmp_path / "manifests" / "manifest.parquet")
    return tmp_path


def call(*words):
    return CliRunner().invoke(app, ["report", *words])


def test_bare_command_prints_where_the_page_is(folder):
    result = call()
    assert result.exit_code == 0, result.output
    assert result.stdout == "reports/report.html\n"
    assert "1 recording, 0 runs; contains synthetic recordings" in result.stderr
    assert "next: ser train" in result.stderr
    assert (folder / "reports" / "report.html").is_file()


def test_audio_needs_the_folder_of_the_recordings(folder):
    result = call("--audio", "--data", "gone")
    assert result.exit_code == 1
    assert "ser: gone: is not a folder; pass the one the manifest was built from with --data" in result.stderr
    (folder / "DataSets").mkdir()
    assert call("--audio").exit_code == 0


def test_out_chooses_the_folder(folder):
    result = call("--out", "elsewhere")
    assert result.stdout == "elsewhere/report.html\n"
    assert not (folder / "reports").exists()


def test_missing_manifest_is_one_line(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = call()
    assert result.exit_code == 1
    assert result.stderr == "ser: manifests/manifest.parquet: not found; make it with 'ser manifest build'\n"


@pytest.mark.parametrize("words", [["--runs", "gone"], ["--runs", "gone,away"]])
def test_unknown_run_is_one_line(folder, words):
    result = call(*words)
    assert result.exit_code == 1
    assert result.stderr.startswith("ser: run 'gone' does not exist; the newest in runs are: none")
    assert not (folder / "reports").exists()


@pytest.fixture
def broken(folder):
    """The folder with a run whose settings cannot be read."""
    run = folder / "runs" / "mine"
    run.mkdir(parents=True)
    (run / "settings.json").write_text("{}")
    return folder


def test_broken_run_is_named_and_the_page_is_written(broken):
    result = call()
    assert result.exit_code == 1
    assert result.stdout == "reports/report.html\n"
    assert "\nrun mine could not be read: runs/mine/settings.json: " in result.stderr
    assert "next:" not in result.stderr
    page = (broken / "reports" / "report.html").read_text()
    assert "run mine could not be read: runs/mine/settings.json: " in page


def test_broken_run_that_is_asked_for_is_an_error(broken):
    result = call("--runs", "mine")
    assert result.exit_code == 1
    assert result.stderr.startswith("ser: runs/mine/settings.json: ")
    assert result.stderr.count("\n") == 1
    assert not (broken / "reports").exists()


def test_broken_split_is_named_and_the_page_is_written(folder):
    (folder / "manifests" / "splits").mkdir()
    (folder / "manifests" / "splits" / "mine.parquet").write_bytes(b"no")
    result = call()
    assert result.exit_code == 1
    assert "\nsplit mine could not be read: manifests/splits/mine.parquet: " in result.stderr
    assert "'ser manifest split mine'" in result.stderr
    assert "No split could be read" in (folder / "reports" / "report.html").read_text()


def test_interrupted_report_says_that_the_old_one_stays(folder, monkeypatch):
    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("ser_pipeline.api.make_report", interrupt)
    result = call()
    assert result.exit_code == 130
    assert "the old report is untouched" in result.stderr


def test_help_names_every_option(folder):
    text = CliRunner().invoke(app, ["report", "--help"], env={"COLUMNS": "120"}).stdout
    for option in ("--runs-dir", "--runs", "--manifests", "--out"):
        assert option in text


@pytest.mark.slow
@pytest.mark.usefixtures("small_crnn")
def test_quickstart_fits_three_screens_and_its_commands_can_be_pasted(terminal, tmp_path, monkeypatch):
    module = importlib.import_module("ser_pipeline.cli.report")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("os.cpu_count", lambda: 1)  # a process more takes longer to begin than to work
    few = Size(dict.fromkeys(SIZES["small"].speakers, 2), clips_per_class=1)
    monkeypatch.setattr("ser_pipeline.synth.make.SIZES", {"small": few})
    shown = terminal("quickstart", "my demo", "--seed", "3", "--size", "small", "--epochs", "1")
    lines = [line for line in shown if "\u2501" not in line]  # one bar is drawn many times
    assert len(lines) + 3 <= 3 * 24
    assert max(map(len, shown)) <= 80
    text = "\n".join(lines)
    said = " ".join(text.split())
    assert "of 100 clips of each emotion" in said
    assert "people that it has never heard" in said
    assert "page: my demo/reports/report.html" in said
    for budget, command, uar in module.BUDGETS:
        assert budget in text
        assert uar in text
        assert CliRunner().invoke(app, [*command.split()[1:3], "--help"]).exit_code == 0
    whole = text.replace(" \\\n     ", " ")
    steps = [shlex.split(line)[1:] for line in whole.splitlines() if line.startswith(("[", "next: "))]
    assert [step[1] for step in steps] == ["corpora", "manifest", "cache", "train", "report", "predict"]
    for step in (steps[-2], steps[-1]):
        again = CliRunner().invoke(app, step[1:])
        assert again.exit_code == 0, again.output
    assert whole.count("next: ") == 1
