import csv
import io
import json

import pytest
from typer.testing import CliRunner

from ser_pipeline.cli.corpora import app
from ser_pipeline.corpora import CORPORA
from ser_pipeline.synth import MARKER

TINY = ["--seed", "3", "--size", "small", "--corpora", "tess"]


def run(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_list_shows_every_card():
    result = run("list", "--format", "json")
    assert result.exit_code == 0
    rows = json.loads(result.stdout)
    assert [row["corpus"] for row in rows] == list(CORPORA)
    for row in rows:
        card = CORPORA[row["corpus"]].CARD
        assert (row["clips"], row["speakers"], row["language"]) == (card.clips, card.speakers, card.language)
        assert (row["layout"], row["licence"], row["source"]) == (card.layout, card.licence, card.source)


def test_list_as_csv_and_table():
    rows = list(csv.DictReader(io.StringIO(run("list", "--format", "csv").stdout)))
    assert len(rows) == len(CORPORA)
    table = run("list")
    assert table.exit_code == 0
    assert "emodb" in table.stdout


def test_synth_writes_and_names_the_next_command(tmp_path):
    folder = tmp_path / "DataSets"
    result = run("synth", folder, *TINY)
    assert result.exit_code == 0
    assert result.stdout.strip() == f"{folder}: 14 synthetic recordings in 1 corpora, 2 voices"
    assert f"next: ser manifest build --data {folder}" in result.stderr
    assert (folder / MARKER).is_file()
    assert len(list(folder.rglob("*.wav"))) == 14
    assert "tess already present" in run("synth", folder, *TINY).stdout


def test_synth_next_to_real_recordings_is_one_line(tmp_path):
    (tmp_path / "EmoDB").mkdir()
    result = run("synth", tmp_path, *TINY)
    assert result.exit_code == 1
    assert result.stderr.strip().splitlines()[-1].startswith(f"ser: {tmp_path}: holds EmoDB and no {MARKER}")


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["--seed", "-1"], 1, "seed -1 must be 0 or more"),
        (["--clips-per-class", "99"], 1, "clips per class 99: valid are 1 to 8"),
        (["--corpora", "timit"], 1, "corpus 'timit' does not exist"),
        (["--size", "huge"], 2, "huge"),
        (["--jobs", "0"], 2, "jobs"),
    ],
)
def test_wrong_values_are_named_and_nothing_is_written(tmp_path, arguments, status, message):
    result = run("synth", tmp_path / "new", *arguments)
    assert result.exit_code == status
    assert message in result.stderr
    assert not (tmp_path / "new").exists()
