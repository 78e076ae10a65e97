import json

import numpy as np
import pyarrow.parquet as pq
import pytest

from ser_pipeline.experiments.verdicts import write_findings
from ser_pipeline.runs.files import read_result
from ser_pipeline.runs.findings import FINDINGS, findings_in, read_findings
from ser_pipeline.runs.types import RunScores


@pytest.fixture
def ran(lab):
    progress, _ = lab.run()
    return lab, progress, write_findings(progress, lab.runs)


def test_what_is_written_is_what_is_read(ran):
    lab, _, found = ran
    (path,) = findings_in(lab.runs)
    assert path.name == FINDINGS
    assert read_findings(path) == found
    assert found.outcomes()[found.claims[0].outcome] == 1
    assert [(note.name, note.leaks_speakers) for note in found.protocols] == [("one", False)]


def test_an_arm_has_the_means_of_its_runs(ran):
    lab, progress, found = ran
    arm = next(arm for arm in found.arms if arm.arm == "dnn")
    keys = progress.keys("dnn", "one")
    scores = [
        read_result(RunScores, lab.runs / "experiments" / "cells" / key / "scores.json").parts["test"]
        for key in keys
    ]
    assert arm.uar.value == pytest.approx(np.mean([each.pooled.uar.value for each in scores]))
    assert arm.accuracy.value == pytest.approx(np.mean([each.pooled.accuracy.value for each in scores]))
    assert arm.lowest_uar == pytest.approx(min(each.pooled.uar.value for each in scores))
    assert (arm.done, arm.failed, arm.waiting) == (3, 0, 0)
    assert arm.clips_per_second == pytest.approx(1000 / 3)
    by_corpus = {
        group.name: np.mean([g.uar for each in scores for g in each.groups if g.name == group.name])
        for group in scores[0].groups
        if group.by == "corpus"
    }
    assert {score.corpus: score.uar for score in arm.corpora} == pytest.approx(by_corpus)


def test_the_table_has_a_row_for_each_cell(ran):
    lab, progress, _ = ran
    table = pq.read_table(lab.runs / "experiments" / "small" / "cells.parquet")
    assert table.num_rows == 6
    assert table["arm"].to_pylist() == ["logreg"] * 3 + ["dnn"] * 3
    assert table["seed"].to_pylist() == [0, 1, 2] * 2
    assert table["key"].to_pylist() == [cell.key for cell in progress.cells]
    for row in table.to_pylist():
        scores = read_result(RunScores, lab.runs / "experiments" / "cells" / row["key"] / "scores.json")
        assert row["uar"] == scores.parts["test"].pooled.uar.value
        assert json.loads(row["settings"])["train.seed"] == row["seed"]


def test_nothing_half_written_is_left(ran):
    lab, *_ = ran
    assert not list((lab.runs / "experiments").rglob("*.partial"))
