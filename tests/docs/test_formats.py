"""docs/formats.md is what the code says, and what a run really leaves on a disk."""

import csv
import json
import re
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import h5py
import pyarrow.parquet as pq
import pytest

from ser_pipeline import train

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "formats.md").read_text(encoding="utf-8")
SECTIONS = dict(re.findall(r"^### (\S+)\n(.*?)(?=^##|\Z)", PAGE, re.MULTILINE | re.DOTALL))


def named(title, first):
    """Names in the first column of the tables of a section that have this heading."""
    parts = re.split(r"^\| (\w[\w ]*) \| type", SECTIONS[title], flags=re.MULTILINE)
    return [
        name
        for heading, rows in zip(parts[1::2], parts[2::2], strict=True)
        if heading == first
        for name in re.findall(r"^\| `([^`]+)` \|", rows, re.MULTILINE)
    ]


@pytest.fixture
def generator():
    spec = spec_from_file_location("formats", DOCS / "formats.py")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_is_current_and_uses_every_table(generator):
    assert generator.formats_page() == PAGE, "run 'make docs'"
    assert {name for name, _ in generator.tables()} == set(re.findall(r"{(\w+)}", generator.TEXT))


def test_a_column_without_words_is_refused(generator):
    with pytest.raises(KeyError, match="reason"):
        generator.columns(generator.schema.REJECT_SCHEMA, {"corpus": "id", "path": "of the file"})


def test_the_files_of_a_run_have_what_the_page_says(toy, tmp_path):
    recipe = toy.recipe(model={"name": "crnn"}, train={"epochs": 1})
    run = train(recipe, manifests=toy.manifests, cache=toy.cache, runs=tmp_path / "runs", settings=None)
    table = pq.read_table(run.folder / "predictions.parquet")
    said = named("predictions.parquet", "column")
    assert said[-1] == "p_<emotion>"
    assert table.column_names == [*said[:-1], *(f"p_{name}" for name in run.info.emotions)]
    for name in ("settings.json", "latency.json"):
        keys = list(json.loads((run.folder / name).read_text()))
        assert keys == named(name, "key")[: len(keys)], name
    for name in ("scores.json", "model.json"):
        assert set(json.loads((run.folder / name).read_text())) <= {*named(name, "key")}
    with (run.folder / "metrics.csv").open() as file:
        header = ", ".join(f"`{name}`" for name in next(csv.reader(file)))
    assert f"empty: {header}. Of" in SECTIONS["metrics.csv"]
    listed = PAGE + (DOCS / "training.md").read_text(encoding="utf-8")
    for path in run.folder.iterdir():
        assert f"`{path.name}" in listed or f"### {path.name}" in listed, path.name


def test_manifests_and_stores_have_what_the_page_says(toy):
    for name, path in (
        ("manifest.parquet", toy.manifests / "manifest.parquet"),
        ("splits/NAME.parquet", next((toy.manifests / "splits").glob("*.parquet"))),
    ):
        assert pq.read_schema(path).names == named(name, "column")
    shards = sorted(toy.cache.rglob("shard-*.h5"))
    assert shards
    with h5py.File(shards[0]) as shard:
        values = shard.attrs["values"]
        assert set(named("shard-NNNNN.h5", "attribute")) - set(shard.attrs) == {"ragged"}
        assert set(shard.attrs) < set(named("shard-NNNNN.h5", "attribute"))
        sets = {"values" if name == values else name for name in shard}
    assert set(named("shard-NNNNN.h5", "data set")) - sets == {"feature_name", "feature_unit"}
    assert sets < set(named("shard-NNNNN.h5", "data set"))
