import csv
import io
import json

import pytest

from ser_pipeline.cli.common import Format
from ser_pipeline.cli.findings import show_findings
from ser_pipeline.runs.findings import (
    ArmFinding,
    Beside,
    ClaimFinding,
    CorpusScore,
    Figures,
    Findings,
    ProtocolNote,
)
from ser_pipeline.runs.ratings import Estimate

FIGURES = Figures(
    first=0.6, second=0.55, difference=0.05, low=-0.01, high=0.1, p=0.2, clips=100, speakers=9, seeds=(3, 3)
)
SCORE = Estimate(value=0.6, low=0.5, high=0.7)


@pytest.fixture
def found():
    corpora = tuple(CorpusScore(corpus=name, clips=5, speakers=2, uar=0.5) for name in ("emodb", "nemo"))
    scores = {"accuracy": SCORE, "uar": SCORE, "macro_f1": SCORE, "lowest_uar": 0.58, "highest_uar": 0.62}
    cost = {"clips": 100, "speakers": 9, "seconds": 12.0, "clips_per_second": 30.0, "corpora": corpora}
    done = ArmFinding(arm="a", protocol="p", model="dnn", done=3, failed=0, waiting=0, **scores, **cost)
    waiting = ArmFinding(arm="b", protocol="p", model="dnn", done=0, failed=0, waiting=3, reason="no time")
    common = {"family": "H1", "kind": "better", "score": "UAR", "first": "a", "second": "b", "protocol": "p"}
    claims = (
        ClaimFinding(
            text="A beats B",
            unit="points",
            figures=FIGURES,
            corrected_p=0.4,
            outcome="not decidable here",
            beside=Beside(protocol="q", figures=FIGURES, note="knowing the speakers"),
            **common,
        ),
        ClaimFinding(text="A is faster", unit="clips/s", outcome="not run", reason="no time", **common),
    )
    return Findings(
        name="mine",
        title="Mine",
        manifest_digest="d",
        synthetic=True,
        corpora=("emodb", "nemo"),
        seeds=(0, 1, 2),
        epochs=4,
        protocols=(ProtocolNote(name="p", split="speaker", leaks_speakers=False, note="Nobody."),),
        arms=(done, waiting),
        claims=claims,
        interval="drawn",
    )


def test_tables_tell_verdicts_arms_and_corpora(found, capsys):
    show_findings(found)
    shown = capsys.readouterr()
    for words in ("not decidable here", "+5.0", "-1.0 to +10.0", "0.400", "100 clips, 9 speakers"):
        assert words in shown.out
    for words in ("knowing the speakers", "58.0-62.0", "emodb", "not run", "no time"):
        assert words in shown.out
    for words in ("split 'speaker': Nobody.", "intervals: drawn", "at most 4 epochs", "synthetic voices"):
        assert words in shown.err


def test_csv_has_a_line_for_each_claim(found, capsys):
    show_findings(found, Format.csv)
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert [row["verdict"] for row in rows] == ["not decidable here", "not run"]
    assert (rows[0]["difference"], rows[1]["difference"]) == ("+5.0", "")


def test_json_is_the_whole(found, capsys):
    show_findings(found, Format.json)
    assert Findings.model_validate(json.loads(capsys.readouterr().out)) == found
