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
from tests.report.conftest import digest_of, manifest_rows, write_manifest

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


@pytest.mark.parametrize(
    ("made", "which"), [(("emodb", "nemo"), "all"), (("nemo",), "some"), (None, "some or all")]
)
def test_it_is_said_how_many_voices_are_synthetic(found, capsys, tmp_path, made, which):
    if made is not None:
        write_manifest(tmp_path, manifest_rows(), synthetic=True, synthetic_corpora=[*made])
        found = found.model_copy(
            update={"manifest_digest": digest_of(tmp_path), "corpora": ("emodb", "nemo")}
        )
    show_findings(found, manifests=tmp_path)
    assert f"\n{which} of these recordings are synthetic voices" in capsys.readouterr().err


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


def test_a_terminal_gets_what_was_found_on_one_screen(found, tmp_path, terminal):
    decided, not_run = found.claims
    long = decided.model_copy(update={"text": "A beats B, which is said in more words than a line has. " * 2})
    arms = [arm.model_copy(update={"protocol": name}) for name in "pqrs" for arm in found.arms]
    best = arms[0].model_copy(update={"arm": "c", "uar": Estimate(value=0.612, low=0.5, high=0.7)})
    many = found.model_copy(update={"claims": (long,) * 20 + (not_run,) * 9, "arms": (*arms, best)})
    path = tmp_path / "runs" / "experiments" / "mine" / "findings.json"
    path.parent.mkdir(parents=True)
    path.write_text(many.model_dump_json())
    words = ("experiment", "show", "mine", "--runs", tmp_path / "runs")
    shown = terminal(*words)
    assert len(shown) < 24
    assert max(map(len, shown)) <= 80
    assert "17 more rows are not shown; --full shows all." in shown
    assert "29 claims: 20 not decidable here, 9 not run" in shown
    assert "best of 2 arms under 'p': c, UAR 61.2 %" in shown
    assert "one arm under 'q': a, UAR 60.0 %" in shown
    assert "synthetic voices" in " ".join(shown)
    full = terminal(*words, "--full")
    assert sum("A beats B" in line for line in full) > 19
    path.write_text(found.model_copy(update={"claims": (not_run,)}).model_dump_json())
    assert terminal(*words)[:2] == ["Mine", "1 claim: 1 not run"]
