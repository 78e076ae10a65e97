import pytest

from ser_pipeline.errors import RunError
from ser_pipeline.runs.findings import Findings, count_cells, findings_in, read_findings


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "experiments" / "mine" / "findings.json"
    path.parent.mkdir(parents=True)
    found = Findings(
        name="mine",
        title="T",
        manifest_digest="d",
        synthetic=False,
        corpora=(),
        seeds=(0,),
        protocols=(),
        arms=(),
    )
    path.write_text(found.model_dump_json())
    return path


def test_findings_are_found_and_read(path, tmp_path):
    assert findings_in(tmp_path) == [path]
    assert read_findings(path).cells() == {"done": 0, "failed": 0, "not run": 0}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "Invalid JSON.*make it again with 'ser experiment run mine'"),
        ("{}", r"name: Field required; written by another version\? make it again"),
        (None, "schema_version: Input should be 1; .* make it again"),
    ],
)
def test_a_file_that_cannot_be_read_says_what_to_do(path, content, message):
    whole = path.read_text()
    path.write_text(whole.replace('"schema_version":1', '"schema_version":9') if content is None else content)
    with pytest.raises(RunError, match=message):
        read_findings(path)


def test_a_missing_file_is_said(tmp_path):
    with pytest.raises(RunError, match="not found; make it again"):
        read_findings(tmp_path / "mine" / "findings.json")


def test_a_damaged_table_says_what_to_do(tmp_path):
    path = tmp_path / "mine" / "cells.parquet"
    path.parent.mkdir()
    path.write_bytes(b"cut")
    with pytest.raises(RunError, match=r"cannot be read: .*make it again with 'ser experiment run mine'"):
        count_cells(path)
