"""Who answers, and how good it is: what is said of a model, and which one is taken where none is named."""

import pytest

from ser_pipeline.errors import RunError
from ser_pipeline.runs.about import KNOWN, NEW, About, about_card, about_run, best_model
from ser_pipeline.runs.card import read_card
from ser_pipeline.runs.types import Estimate, RunScores, SplitInfo
from tests.report.conftest import untested
from tests.serving.conftest import save_random

LEAKS = SplitInfo(name="stratified", digest="ab12", leaks_speakers=True, note="by clip")
FOUR = ("anger", "happiness", "neutral", "sadness")


@pytest.fixture
def put(tmp_path, rows, fake):
    """Write a run with a model; every later one is a day younger."""
    days = iter(range(1, 29))

    def put(name, skill=0.6, *, rows=rows, **changes):
        created = f"2026-01-{next(days):02d}T00:00:00+00:00"
        folder = fake.run(
            tmp_path / "runs", name, rows, "d", skill=skill, created=created, epochs=1, **changes
        )
        return save_random(folder)

    return put


def about(**changes):
    facts = {
        "name": "a",
        "model": "crnn",
        "task": "4class",
        "emotions": FOUR,
        "trained_on": ("emodb", "nemo"),
    }
    return About(
        **facts | {"uar": Estimate(value=0.6, low=0.5, high=0.7), "speakers": 6, "people": NEW} | changes
    )


def rescore(folder, change):
    """Write the scores of a run again, changed."""
    path = folder / "scores.json"
    scores = RunScores.model_validate_json(path.read_bytes())
    path.write_text(change(scores).model_dump_json())


def test_a_line_says_who_answers_how_well_and_on_whom():
    assert about().line == (
        "answered by a: crnn, task 4class, trained on emodb, nemo; UAR 0.600 (0.500 to 0.700) on 6 new "
        "people (guessing: 0.25)"
    )
    assert "on 6 people it knows" in about(people=KNOWN).line
    assert "on 1 person (" in about(speakers=1).line
    assert "on 1 person it knows (" in about(speakers=1, people=KNOWN).line
    assert "on people who are not named (" in about(speakers=0).line
    bare = {"uar": None, "people": None, "trained_on": ()}
    assert about(**bare).line == "answered by a: crnn, task 4class; it has not been scored yet"
    assert about(**bare, scored=True).line.endswith("; its split has no clips to judge it by")
    assert about(**bare, task="").line == "answered by a: crnn; its file does not say how good it is"


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({}, ""),
        ({"people": KNOWN}, "was tested on people it learned from"),
        ({"people": KNOWN, "speakers": 0}, "may have been tested on people it learned from"),
        ({"uar": Estimate(value=0.3, low=0.25, high=0.4)}, "is no better than guessing"),
        ({"uar": Estimate(value=0.25)}, "is no better than guessing"),
        ({"uar": Estimate(value=0.26)}, ""),
        ({"uar": None, "people": None}, ""),
    ],
)
def test_what_speaks_against_a_model_is_said(changes, says):
    assert (says in about(**changes).warning) if says else not about(**changes).warning


def test_programs_get_the_same(put):
    folder = put("a")
    found = about_run(folder, read_card(folder)).as_dict()
    assert found["name"] == "a"
    assert (found["model"], found["task"], found["on_whom"]) == ("crnn", "4class", "new people")
    assert found["uar_low"] <= found["uar"] <= found["uar_high"]
    assert (found["chance"], found["synthetic"]) == (0.25, False)
    bare = about_card(read_card(folder), "m.onnx", ("emodb",)).as_dict()
    assert (bare["uar"], bare["on_whom"], bare["trained_on"]) == (None, None, ["emodb"])


def test_a_run_without_test_clips_is_judged_by_its_validation_clips(put):
    folder = put("a")
    other = Estimate(value=0.4, low=0.3, high=0.5)

    def validation_alone(scores):
        part = scores.parts["validation"]
        part = part.model_copy(update={"pooled": part.pooled.model_copy(update={"uar": other})})
        return scores.model_copy(update={"parts": {"validation": part}})

    rescore(folder, validation_alone)
    assert about_run(folder, read_card(folder)).uar == other


def test_the_best_on_validation_clips_of_new_people_answers(put, tmp_path):
    assert best_model(tmp_path / "runs") is None
    put("good", 0.6)
    put("worse", 0.45)
    put("knows", 0.9, split=LEAKS)
    put("made", 0.9, synthetic=True)
    assert best_model(tmp_path / "runs").name == "good"


def test_emotions_that_were_not_tested_are_named_and_do_not_count_for_guessing():
    line = about(untested=("happiness", "sadness"), few=("anger (3)",)).line
    assert line.endswith("(guessing: 0.50; no clips of happiness or sadness, and few of anger (3))")
    assert about(untested=FOUR[1:], uar=Estimate(value=0.875)).at_chance
    assert about(untested=FOUR[1:]).as_dict()["untested"] == ["happiness", "neutral", "sadness"]


def test_a_run_tested_on_all_emotions_answers_before_a_better_one(put, tmp_path, rows):
    put("part", 0.9, rows=untested(rows, "sadness"))
    put("one", 0.9, rows=untested(rows, "happiness", "neutral", "sadness"))
    assert best_model(tmp_path / "runs").name == "part"
    put("whole", 0.5)
    assert best_model(tmp_path / "runs").name == "whole"


def test_synthetic_voices_answer_only_where_there_are_no_others(put, tmp_path):
    put("made", 0.9, synthetic=True)
    assert best_model(tmp_path / "runs").name == "made"


def test_of_equals_the_newest_answers(put, tmp_path):
    for name in ("b", "a"):
        put(name)
    assert best_model(tmp_path / "runs").name == "a"


def test_tasks_of_more_emotions_compare_by_how_far_they_are_above_chance(put, tmp_path):
    four, six = put("four", 0.55), put("six", 0.55, task="6class")
    six_uar = about_run(six, read_card(six)).uar.value
    four_uar = about_run(four, read_card(four)).uar.value
    expected = "six" if (six_uar - 1 / 6) / (5 / 6) > (four_uar - 0.25) / 0.75 else "four"

    def like_the_test(scores):  # so that what is compared is what was read above
        return scores.model_copy(update={"parts": scores.parts | {"validation": scores.parts["test"]}})

    rescore(four, like_the_test)
    rescore(six, like_the_test)
    assert best_model(tmp_path / "runs").name == expected


def test_where_none_should_answer_all_are_named_with_the_reason(put, tmp_path):
    put("knows", split=LEAKS)
    (put("unscored") / "scores.json").unlink()
    guesses = put("guesses")
    parts = {"validation", "test"}

    def at_chance(scores):
        pooled = {part: scores.parts[part].pooled for part in parts}
        low = Estimate(value=0.3, low=0.2, high=0.4)
        return scores.model_copy(
            update={
                "parts": scores.parts
                | {
                    part: scores.parts[part].model_copy(
                        update={"pooled": pooled[part].model_copy(update={"uar": low})}
                    )
                    for part in parts
                }
            }
        )

    rescore(guesses, at_chance)
    no_validation = put("blind")
    rescore(
        no_validation,
        lambda scores: scores.model_copy(update={"parts": {"test": scores.parts["test"]}}),
    )
    (put("earlier") / "model.safetensors").unlink()
    broken = put("broken")
    (broken / "scores.json").write_text("{}")
    with pytest.raises(RunError) as error:
        best_model(tmp_path / "runs")
    for reason in (
        "no model answers unless it is named",
        "knows was tested on people it learned from",
        "unscored is not scored",
        "guesses is no better than guessing",
        "blind has no validation clips",
        "broken has scores that cannot be read",
        "earlier has no model.safetensors",
        "name one with --model",
    ):
        assert reason in str(error.value)
