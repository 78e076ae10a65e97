"""Verdicts from decisions that are made up, so that it is known what must come out."""

from dataclasses import replace

import numpy as np
import pytest

from ser_pipeline.evaluation.compare import Decided, RunDecisions
from ser_pipeline.experiments.place import CellRecord
from ser_pipeline.experiments.progress import State
from ser_pipeline.experiments.verdicts import judged

EMOTIONS = ("anger", "happiness", "neutral", "sadness")

HEAD = """
title = "T"
seeds = {seeds}
[protocols]
people = {{ split = "speaker" }}
clips = {{ split = "stratified" }}
[arms.one]
settings = {{ model = {{ name = "dnn" }} }}
[arms.two]
settings = {{ model = {{ name = "dnn", dropout = 0.1 }} }}
"""


def record(key, ms=1.0):
    return CellRecord(
        key=key, model="dnn", seconds=1.0, work=1.0, train_clips=1, test_clips=120, test_speakers=10,
        parameters=1, best_epoch=1, validation_uar=None, accuracy=0.5, uar=0.5, macro_f1=0.5, ece=0.1,
        error_distance=None, front_end_ms=ms, network_ms=ms,
    )  # fmt: skip


class Court:
    """Cells with decisions of a known skill on all 120 clips of the toy, ten speakers."""

    def __init__(self, lab, claims, seeds=(0, 1, 2)):
        self.progress = lab.progress(HEAD.format(seeds=list(seeds)) + claims)
        self.decisions = RunDecisions(lab.runs.joinpath, lab.ground().manifest)
        table = lab.ground().manifest.table.sort_by("utterance_id")
        self.clips = np.array(table["utterance_id"].to_pylist())
        self.target = table["emotion_id"].to_numpy().astype(np.int64)

    def put(self, arm, right, protocol="people", wrong=None, ms=1.0, emotions=EMOTIONS):
        """Give every seed of an arm decisions: ``right`` says how often each class is right."""
        for seed, key in enumerate(self.progress.keys(arm, protocol)):
            rng = np.random.default_rng((seed, len(arm)))
            hit = rng.random(len(self.target)) < np.asarray(right)[self.target % len(np.atleast_1d(right))]
            missed = (self.target + rng.integers(1, 4, len(self.target))) % 4
            missed = missed if wrong is None else np.array(wrong)[self.target]
            predicted = np.where(hit, self.target, missed)
            self.decisions._read[key] = Decided(self.clips, self.target, predicted, emotions)
            self.progress.states[key] = State("done", record=record(key, ms))
        return self

    def judge(self):
        return judged(self.progress, self.decisions)


@pytest.fixture
def court(lab):
    return lambda claims, **options: Court(lab, claims, **options)


def claim(first="one", second="two", **values):
    values = {"text": "x", "first": first, "second": second, **values}
    return "[[claims]]\n" + "".join(f"{key} = {value!r}\n" for key, value in values.items())


def test_a_clear_difference_holds_and_its_opposite_does_not(court):
    found = court(claim() + claim("two", "one")).put("one", [0.95]).put("two", [0.5]).judge()
    assert [each.outcome for each in found] == ["holds", "does not hold"]
    figures = found[0].figures
    assert figures.first - figures.second == pytest.approx(figures.difference)
    assert 0 < figures.low < figures.difference < figures.high
    assert (figures.clips, figures.speakers, figures.seeds) == (120, 10, (3, 3))


def test_no_difference_cannot_be_decided(court):
    (found,) = court(claim()).put("one", [0.6]).put("two", [0.6]).judge()
    assert found.outcome == "not decidable here"


def test_a_difference_below_what_is_claimed_does_not_hold(court):
    (found,) = court(claim(at_least=0.9)).put("one", [0.95]).put("two", [0.5]).judge()
    assert found.outcome == "does not hold"


def test_whatever_did_not_run_never_holds(court):
    (found,) = court(claim()).put("one", [0.99]).judge()
    assert (found.outcome, found.figures) == ("not run", None)
    assert found.reason == "3 of 6 runs are missing: not reached yet"


def test_one_missing_seed_is_enough_not_to_have_run(court):
    place = court(claim()).put("one", [0.99]).put("two", [0.2])
    place.progress.states[place.progress.keys("two", "people")[2]] = State("not run", "the budget was over")
    (found,) = place.judge()
    assert (found.outcome, found.reason) == ("not run", "1 of 6 runs is missing: the budget was over")


def test_a_failed_cell_decides_nothing(court):
    place = court(claim()).put("one", [0.99]).put("two", [0.2])
    place.progress.states[place.progress.keys("two", "people")[1]] = State("failed", "no clips")
    (found,) = place.judge()
    assert (found.outcome, found.figures) == ("not decidable here", None)
    assert found.reason == "two, people, seed 1 failed: no clips"


def test_cells_that_cannot_be_trained_are_named_by_their_own_claim(court):
    place = court(claim("one", "one", against="clips") + claim()).put("one", [0.9]).put("two", [0.5])
    problems = {
        ("one", "clips"): {"problem": "no split"},
        ("two", "people"): {"problem": "no encoder", "lacking": True},
    }
    place.progress.cells = [
        replace(cell, key="", **found) if (found := problems.get((cell.arm, cell.protocol))) else cell
        for cell in place.progress.cells
    ]
    assert [(each.outcome, each.reason) for each in place.judge()] == [
        ("not decidable here", "one, clips, seed 0 failed: no split"),
        ("not run", "two, people, seed 0 did not run: no encoder"),
    ]


def test_two_seeds_show_figures_and_decide_nothing(court):
    (found,) = court(claim(), seeds=(0, 1)).put("one", [0.99]).put("two", [0.2]).judge()
    assert (found.outcome, found.reason) == ("not decidable here", "2 of at least 3 seeds")
    assert found.figures.difference > 0.5


def test_few_speakers_decide_nothing(court):
    (found,) = court(claim(corpora=["nemo"])).put("one", [0.99]).put("two", [0.2]).judge()
    assert found.figures.speakers == 5
    assert found.tested == "nemo"
    assert (found.outcome, found.reason) == ("not decidable here", "5 test speakers are too few to decide")


def test_clips_of_nobody_are_no_speaker(court):
    place = court(claim() + claim(kind="reaches", value=0.5)).put("one", [0.99]).put("two", [0.2])
    named = place.decisions._facts["speaker_id"]
    place.decisions._facts["speaker_id"] = np.where(np.char.startswith(named, "emodb"), named, "nemo-unknown")
    for each in place.judge():
        assert (each.figures.speakers, each.reason) == (5, "5 test speakers are too few to decide")


def test_claims_that_did_not_run_still_count_in_the_family(court):
    alone = court(claim()).put("one", [0.8]).put("two", [0.5]).judge()[0]
    beside = court(claim() + claim(protocol="clips")).put("one", [0.8]).put("two", [0.5]).judge()[0]
    assert beside.corrected_p == pytest.approx(min(1, 2 * alone.corrected_p))
    other = court(claim() + claim(protocol="clips", family="other")).put("one", [0.8]).put("two", [0.5])
    assert other.judge()[0].corrected_p == alone.corrected_p


def test_no_worse_within_a_margin(court):
    same = court(claim(kind="no worse", margin=0.2) + claim(kind="no worse", margin=0.01))
    found = same.put("one", [0.8]).put("two", [0.82]).judge()
    assert found[0].outcome == "holds"
    assert found[1].outcome != "holds"
    assert (found[0].claimed, found[0].second) == (-0.2, "two")
    worse = court(claim(kind="no worse", margin=0.05)).put("one", [0.3]).put("two", [0.95]).judge()
    assert worse[0].outcome == "does not hold"


@pytest.mark.parametrize(("value", "outcome"), [(0.5, "holds"), (0.99, "does not hold")])
def test_reaching_a_number(court, value, outcome):
    (found,) = (
        court(claim(second="", kind="reaches", value=value, score="accuracy")).put("one", [0.8]).judge()
    )
    assert found.outcome == outcome
    assert found.figures.second == value
    assert found.figures.first == pytest.approx(0.8, abs=0.08)


def test_an_accuracy_has_an_interval_where_one_speaker_alone_has_an_emotion(court):
    place = court(
        "".join(claim(second="", kind="reaches", value=0.5, score=each) for each in ("accuracy", "uar"))
    )
    kept = (place.target != 0) | np.char.startswith(place.clips, "emodb/0-")
    place.clips, place.target = place.clips[kept], place.target[kept]
    accuracy, recall = place.put("one", [0.95]).judge()
    assert accuracy.outcome == "holds"
    assert 0 < accuracy.figures.low < accuracy.figures.difference < accuracy.figures.high
    assert (recall.outcome, recall.figures.low) == ("not decidable here", None)


def test_the_best_recognised_emotion(court):
    text = claim(second="", kind="best class", emotion="anger")
    text += claim(second="", kind="best class", emotion="sadness")
    text += claim(second="", kind="best class", emotion="fear")
    found = court(text).put("one", [0.98, 0.4, 0.4, 0.4]).judge()
    assert [each.outcome for each in found] == ["holds", "does not hold", "not decidable here"]
    assert found[0].reason.startswith("recall: anger ")
    assert found[2].reason == "the task does not include fear"
    assert found[0].figures.first - found[0].figures.second == pytest.approx(found[0].figures.difference)


def test_the_most_frequent_confusions(court):
    text = claim(second="", kind="top confusions", pairs=[["anger", "happiness"], ["sadness", "neutral"]])
    text += claim(second="", kind="top confusions", pairs=[["anger", "neutral"]])
    text += claim(second="", kind="top confusions", pairs=[["fear", "surprise"]])
    found = court(text).put("one", [0.5], wrong=[1, 0, 3, 2]).judge()
    assert [each.outcome for each in found] == ["holds", "does not hold", "not decidable here"]
    assert "anger/happiness" in found[0].reason.partition(",")[0] or "neutral/sadness" in found[0].reason
    assert "none of these confusions, or no others" in found[2].reason


def test_emotions_without_test_clips_decide_nothing(court):
    text = claim(second="", kind="best class", emotion="fear")
    text += claim(second="", kind="top confusions", pairs=[["anger", "fear"]])
    text += claim(second="", kind="best class", emotion="anger")
    five = (*EMOTIONS, "fear")
    found = court(text).put("one", [0.98, 0.4, 0.4, 0.4], emotions=five).judge()
    assert [each.outcome for each in found] == ["not decidable here", "not decidable here", "holds"]
    assert found[0].reason == found[1].reason == "no test clip is of fear"


def test_nearer_mistakes_are_better_ones(court):
    near, far = [3, 2, 1, 0], [1, 0, 3, 2]  # 0.6 apart against 0.9 and 0.8
    place = court(claim(score="error_distance") + claim("two", "one", score="error_distance"))
    found = place.put("one", [0.5], wrong=near).put("two", [0.5], wrong=far).judge()
    assert [each.outcome for each in found] == ["holds", "does not hold"]
    figures = found[0].figures
    assert figures.first == pytest.approx(0.6)
    assert 0.8 < figures.second < 0.9
    assert figures.difference == pytest.approx(figures.second - figures.first)


@pytest.mark.parametrize(
    ("ms", "outcome"), [((1.0, 5.0), "holds"), ((5.0, 1.0), "does not hold"), ((1.0, 1.0), "does not hold")]
)
def test_speed(court, ms, outcome):
    (found,) = court(claim(kind="faster")).put("one", [0.5], ms=ms[0]).put("two", [0.5], ms=ms[1]).judge()
    assert found.outcome == outcome
    assert (found.unit, found.figures.first) == ("clips/s", 500 / ms[0])
    assert found.corrected_p is None


def test_the_protocol_beside_is_shown_with_the_difference_named(court):
    place = court(claim(score="accuracy", beside="clips")).put("one", [0.6]).put("two", [0.5])
    (waiting,) = place.judge()
    assert (waiting.beside.figures, waiting.beside.reason) == (
        None,
        "6 of 6 runs are missing: not reached yet",
    )
    (found,) = place.put("one", [0.95], "clips").put("two", [0.9], "clips").judge()
    assert found.outcome == waiting.outcome
    gap = 100 * (found.beside.figures.first - found.figures.first)
    assert found.beside.note.startswith(f"training on the test speakers adds {gap:+.1f} points for one and ")
    figures, honest = found.beside.figures, found.figures
    assert found.beside.note.endswith(
        f", as measured on {figures.clips} clips instead of {honest.clips} and without an interval"
    )


def test_one_arm_under_two_protocols(court):
    (found,) = court(claim(second="one", protocol="clips", against="people")).put("one", [0.5]).judge()
    assert found.outcome == "not run"
    place = court(claim(second="one", protocol="clips", against="people"))
    (found,) = place.put("one", [0.5]).put("one", [0.95], "clips").judge()
    assert (found.outcome, found.second) == ("holds", "one (people)")


def test_emotions_without_distances_are_said(court):
    others = ("anger", "happiness", "neutral", "boredom")
    place = court(claim(score="error_distance"))
    place.put("one", [0.5], emotions=others).put("two", [0.5], emotions=others)
    (found,) = place.judge()
    assert found.outcome == "not decidable here"
    assert found.reason == "no distance matrix holds anger, happiness, neutral, boredom"


def test_arms_that_are_the_same_runs_or_tell_others_apart_decide_nothing(court):
    (found,) = court(claim(second="one")).put("one", [0.5]).judge()
    assert found.reason == "with these recordings both arms are the same training runs"
    place = court(claim()).put("one", [0.5]).put("two", [0.5], emotions=("anger", "fear", "neutral", "calm"))
    assert place.judge()[0].reason == "the arms distinguish different emotions"
