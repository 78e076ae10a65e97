import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from ser_pipeline.cli import app
from ser_pipeline.runs.files import read_info, write_info
from ser_pipeline.runs.learned import TeacherInfo
from ser_pipeline.store.maintenance import collect
from ser_pipeline.training.answers import (
    Answers,
    answers_path,
    answers_status,
    read_answers,
    unused_answers,
    write_answers,
)
from ser_pipeline.training.run import train_run
from tests.training.conftest import Silent

KNOWN = Answers(("a", "b"), np.array([[1, 2], [3, 4]], np.float32), np.zeros((2, 0), np.float32))


@pytest.fixture
def kept(toy, tmp_path):
    """Answers of three teachers, of which a run and a fold of another have learned from the first two."""
    for digest in ("one", "two", "three"):
        write_answers(answers_path(toy.cache, digest), KNOWN)
    toy.write_features()
    runs = tmp_path / "runs"
    for folder, digest in ((runs / "x", "one"), (runs / "y", None), (runs / "y" / "fold-0", "two")):
        train_run(toy.data(model={"name": "logreg", "c": 1.0}), folder, Silent(), command="c")
        teacher = digest and TeacherInfo(run="r", what=f"svm {digest}", digest=digest, held_out=True)
        write_info(folder, read_info(folder).model_copy(update={"teacher": teacher}))
    return toy.cache, runs


def test_what_was_written_is_read(tmp_path):
    path = answers_path(tmp_path, "one")
    assert read_answers(path, 2) is None
    write_answers(path, KNOWN)
    found = read_answers(path, 2)
    assert found.digests == KNOWN.digests
    assert (found.logits == KNOWN.logits).all()
    assert found.embeddings.shape == (2, 0)


def test_lists_may_be_of_more_numbers_than_32_bits_count_and_were_not_always(tmp_path):
    path = answers_path(tmp_path, "one")
    write_answers(path, KNOWN)
    table = pq.read_table(path)
    assert all(pa.types.is_large_list(table.schema.field(name).type) for name in ("logits", "embedding"))
    before = pa.array(KNOWN.logits.tolist(), pa.list_(pa.float32()))
    pq.write_table(table.set_column(1, "logits", before), path)
    assert (read_answers(path, 2).logits == KNOWN.logits).all()


def test_only_what_no_run_learned_from_goes(kept):
    cache, runs = kept
    (found,) = unused_answers(cache, runs)
    assert found.path == answers_path(cache, "three")
    assert found.size_bytes == found.path.stat().st_size > 0
    assert collect([found]) == found.size_bytes
    assert not found.path.exists()
    assert answers_path(cache, "one").exists()
    assert unused_answers(cache, runs) == []


def test_the_status_says_who_taught(kept):
    cache, runs = kept
    answers_path(cache, "zero").write_bytes(b"x")
    found = {each.folder.name: each for each in answers_status(cache, runs)}
    assert [found[name].preset for name in ("one", "two", "three")] == ["svm one", "svm two", "unknown"]
    assert [found[name].rows for name in ("one", "two", "three", "zero")] == [2, 2, 2, 0]
    assert found["one"].state == "current"
    assert found["three"].state == "unused: no run learned from it"
    assert found["zero"].state == "damaged: cannot be read"


def test_nothing_goes_while_a_run_cannot_be_read(kept):
    cache, runs = kept
    (runs / "x" / "settings.json").write_text("{")
    assert unused_answers(cache, runs) == []
    assert {each.state for each in answers_status(cache, runs)} == {"current"}


def test_the_commands_show_and_delete_them(kept, toy):
    cache, runs = kept
    places = ["--cache", str(cache), "--manifests", str(toy.manifests), "--runs", str(runs)]
    shown = CliRunner().invoke(app, ["cache", "status", *places, "--format", "csv"])
    assert "three,teachers,unknown,2,0" in shown.stdout
    listed = CliRunner().invoke(app, ["cache", "gc", *places])
    assert "three.parquet" in listed.stdout
    assert "no run in" in listed.stdout
    assert "learned from this teacher" in listed.stdout
    assert answers_path(cache, "three").exists()
    assert CliRunner().invoke(app, ["cache", "gc", "--yes", *places]).exit_code == 0
    assert not answers_path(cache, "three").exists()
    assert answers_path(cache, "two").exists()


def test_a_folder_that_is_not_there_holds_nothing(tmp_path):
    assert answers_status(tmp_path / "cache", tmp_path / "runs") == []
    assert unused_answers(tmp_path / "cache", tmp_path / "runs") == []
