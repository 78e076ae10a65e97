import json
from types import SimpleNamespace

import pytest
from typer.testing import CliRunner

from ser_pipeline.cli import app
from ser_pipeline.cli.common import Format
from ser_pipeline.cli.evaluate import interval, show_part
from ser_pipeline.evaluation.enrolment import COUNTS, WAYS, EnrolmentCurve
from ser_pipeline.runs.ratings import Estimate
from ser_pipeline.runs.types import ClassScore, GroupScores, PartScores, Scores
from ser_pipeline.tables.table import NOTHING


class Info:
    emotions = ("anger", "fear")


@pytest.fixture
def scores():
    score = Estimate(value=0.75, low=0.5, high=1.0)
    pooled = Scores(
        clips=4,
        speakers=2,
        accuracy=score,
        uar=score,
        macro_f1=score,
        ece=0.1,
        error_distance=None,
        classes=tuple(
            ClassScore(emotion=name, precision=1, recall=0.5, f1=0.6, clips=2) for name in Info.emotions
        ),
        confusion=((1, 1), (0, 2)),
        confound_accuracy=0.5,
        confound_uar=0.5,
        interval="in words",
    )
    group = GroupScores(by="corpus", name="nemo", clips=4, speakers=2, accuracy=0.75, uar=0.75, macro_f1=0.7)
    return PartScores(
        pooled=pooled, macro_corpora={"accuracy": 0.75, "uar": 0.75, "macro_f1": 0.7}, groups=(group,)
    )


def test_a_score_stands_between_the_ends_of_its_interval():
    assert interval(Estimate(value=0.5, low=0.4, high=0.6)) == [0.5, 0.4, 0.6]
    assert interval(Estimate(value=0.5)) == [0.5, None, None]


def test_csv_has_a_line_for_all_clips_and_one_for_each_group(scores, capsys):
    show_part(Info, "test", scores, Format.csv)
    assert capsys.readouterr().out.splitlines() == [
        "part,by,group,clips,speakers,accuracy,uar,macro_f1",
        "test,all,all,4,2,0.75,0.75,0.75",
        "test,corpus,nemo,4,2,0.75,0.75,0.7",
    ]


def test_json_is_the_scores_themselves(scores, capsys):
    show_part(Info, "test", scores, Format.json)
    assert PartScores.model_validate_json(capsys.readouterr().out) == scores


def test_an_emotion_without_clips_has_no_recall(scores, capsys):
    fear = scores.pooled.classes[1].model_copy(update={"clips": 0, "recall": 0.0})
    pooled = scores.pooled.model_copy(update={"classes": (scores.pooled.classes[0], fear)})
    show_part(Info, "test", scores.model_copy(update={"pooled": pooled}))
    row = next(line for line in capsys.readouterr().out.splitlines() if line.startswith("fear"))
    assert row.split() == ["fear", "0", NOTHING, NOTHING, NOTHING]


def test_tables_say_where_a_distance_is_not_defined(scores, capsys):
    show_part(Info, "test", scores)
    shown = capsys.readouterr()
    assert "mean distance of errors not defined" in shown.err
    assert "confusion" in shown.out


@pytest.mark.parametrize(("lacking", "of"), [(0, ""), (1, ", of 2 with clips of every emotion")])
def test_on_a_screen_only_speakers_of_every_emotion_are_compared(scores, capsys, monkeypatch, lacking, of):
    monkeypatch.setitem(show_part.__globals__, "on_screen", lambda: True)
    facts = {"by": "speaker", "clips": 4, "speakers": 1, "accuracy": 0.5, "macro_f1": 0.5}
    told = [("a", 0.5, 2), ("b", 0.25, 2), *[("c", 0.0, 1)] * lacking]
    groups = tuple(GroupScores(name=name, uar=uar, emotions=count, **facts) for name, uar, count in told)
    show_part(Info, "test", scores.model_copy(update={"groups": groups}), full=False)
    assert f"test: UAR of speakers from 0.250 (b) to 0.500 (a){of}\n" in capsys.readouterr().err


def test_scores_and_the_curve_of_enrolment_are_one_object(scores, tmp_path, monkeypatch):
    known = [
        {"chosen": way, "clips": count, "uar": 0.5, "low": 0.4, "high": 0.6}
        for way in WAYS
        for count in COUNTS
    ]
    curve = EnrolmentCurve(part="test", speakers=2, scores=known)
    info = SimpleNamespace(recipe=SimpleNamespace(target=()))
    done = SimpleNamespace(folder=tmp_path, info=info, part=lambda _part: scores)
    for name, value in (
        ("evaluation.enrolment.enrolment_curve", curve),
        ("api.evaluate", done),
        ("runs.find.find_run", tmp_path),
        ("runs.files.read_info", info),
    ):
        monkeypatch.setattr(f"ser_pipeline.{name}", lambda *_args, found=value, **_more: found)
    words = ["evaluate", "a", "--enrolment", "--format"]
    told = json.loads(CliRunner().invoke(app, [*words, "json"]).stdout)
    assert told["enrolment"] == curve.model_dump(mode="json")
    assert PartScores.model_validate({key: told[key] for key in told if key != "enrolment"}) == scores
    refused = CliRunner().invoke(app, [*words, "csv"])
    assert (refused.exit_code, refused.stdout) == (1, "")
    assert "fits into no CSV; use --format json" in refused.stderr
