from dataclasses import replace

import pytest

from ser_pipeline.options import recipe
from ser_pipeline.report.document import plain
from ser_pipeline.report.ranking import answer, comparison_panel, ranking, standings
from ser_pipeline.runs.read import read_runs
from ser_pipeline.runs.types import Estimate, SplitInfo
from tests.report.conftest import untested

HEARD = SplitInfo(name="stratified", digest="cd", leaks_speakers=True, note="speakers were heard")
FOLDS = SplitInfo(name="loso", digest="ef", leaks_speakers=False, note="", fold="all")
pytestmark = pytest.mark.usefixtures("no_drawings")


@pytest.fixture
def made(tmp_path, rows, fake):
    """Write a run of two test speakers with the given UAR, or of all ten with ``split=FOLDS``."""

    def make(tag, uar, low=None, *, validation=None, rows=rows, digest="d", **changes):
        part_of = (lambda row: "test") if changes.get("split") == FOLDS else fake.by_speaker
        (run,), _ = read_runs([fake.run(tmp_path, tag, rows, digest, epochs=2, part_of=part_of, **changes)])
        parts = dict(run.scores.parts)
        for part, value in (("test", uar), ("validation", uar if validation is None else validation)):
            if part in parts:
                low_end = value - 0.05 if low is None else low
                estimate = Estimate(value=value, low=low_end, high=value + 0.05)
                pooled = parts[part].pooled.model_copy(update={"uar": estimate})
                parts[part] = parts[part].model_copy(update={"pooled": pooled})
        return replace(run, tag=tag, scores=run.scores.model_copy(update={"parts": parts}))

    return make


def test_more_test_speakers_stand_above_fewer_and_known_people_below_new_ones(made):
    runs = [
        made("known", 0.95, split=HEARD),
        made("few", 0.9),
        made("weak", 0.5),
        made("many", 0.6, split=FOLDS),
        made("six", 0.7, task="6class"),
    ]
    assert [[run.tag for run in each.runs] for each in standings(runs)] == [
        ["many"], ["few", "weak"], ["known"], ["six"],
    ]  # fmt: skip
    assert [each.title for each in standings(runs)] == [
        "Task 4class, split loso, fold all: 80 clips of 10 people new to the model",
        "Task 4class, split speaker: 16 clips of 2 people new to the model",
        "Task 4class, split stratified: 16 clips of 2 people whom the model knows",
        "Task 6class, split speaker, without fear and surprise: 16 clips of 2 people new to the model",
    ]
    assert answer(runs, "d").score.value == 0.6


def test_the_answer_says_who_on_whom_and_how_sure(made):
    found = answer([made("R1", 0.5), made("R2", 0.75)], "d")
    assert (found.score.value, found.chance, found.trusted) == (0.75, 0.25, True)
    assert found.title == "UAR on 2 people new to the model"
    assert plain(found.words) == (
        "On people it has never heard, R2 crnn tells 4 emotions apart with a UAR of 75.0 %, 95 % interval "
        "70.0\u201380.0; guessing gives 25.0 %; tested on 16 clips of 2 people. There are few test clips of "
        "anger (4), happiness (4), neutral (4) and sadness (4). Of 2 runs scored on the same clips, it "
        "is the best on validation clips."
    )


def test_an_answer_without_an_interval_says_why(made):
    run = made("R1", 0.75)
    test = run.scores.parts["test"]
    alone = test.pooled.model_copy(update={"uar": Estimate(value=0.75)})
    parts = {**run.scores.parts, "test": test.model_copy(update={"pooled": alone})}
    run = replace(run, scores=run.scores.model_copy(update={"parts": parts}))
    said = plain(answer([run], "d").words)
    assert "with a UAR of 75.0 % (too few speakers for an interval); guessing gives 25.0 %" in said


def test_runs_on_other_clips_are_not_ranked_together(made):
    first = made("a", 0.5)

    def chosen(tag, **changes):
        asked = {"recipe": recipe(**changes), "languages": changes.get("languages", first.info.languages)}
        return replace(first, tag=tag, info=first.info.model_copy(update=asked))

    runs = [
        first,
        made("b", 0.9, split=first.info.split.model_copy(update={"digest": "other"})),
        made("c", 0.6),
        made("d", 0.7, merges={"fear": "anger"}),
        chosen("e", where="gender = 'male'"),
        chosen("f", languages=("de", "en")),
    ]
    assert [([run.tag for run in each.runs], each.title.partition(":")[0]) for each in standings(runs)] == [
        (["c", "a"], "Task 4class, split speaker, draw 1"),
        (["b"], "Task 4class, split speaker, draw 2"),
        (["d"], "Task 4class (fear = anger), split speaker, draw 1"),
        (["e"], "Task 4class, where gender = 'male', split speaker, draw 1"),
        (["f"], "Task 4class, languages de, en, split speaker, draw 1"),
    ]


def test_the_choice_is_by_validation_and_never_by_the_test_where_that_can_be(made):
    assert answer([made("a", 0.8, validation=0.5), made("b", 0.6, validation=0.7)], "d").score.value == 0.6


def test_folds_without_validation_clips_say_that_the_highest_test_score_is_too_high(made):
    found = answer([made("a", 0.8, split=FOLDS), made("b", 0.6, split=FOLDS)], "d")
    assert found.score.value == 0.8
    assert plain(found.words).endswith("the highest of 2, so it is likely to be a little too high.")


def test_a_network_at_chance_is_called_that(made):
    run = made("R1", 0.3, low=0.25)
    assert run.at_chance
    found = answer([run], "d")
    assert not found.trusted
    assert plain(found.words).startswith("No run recognises the emotions of new people better than guessing")
    two = plain(answer([run, made("weaker", 0.29, low=0.2)], "d").words)
    assert "guessing does: R1 crnn has a UAR of 30.0 %" in two
    assert two.endswith("Of 2 runs scored on the same clips, it is the best on validation clips.")
    assert ranking([run], (), "d").lists[0][1][0].at_chance
    assert not made("R2", 0.3, low=0.26).at_chance


def test_a_run_at_chance_that_validation_chose_does_not_speak_for_others(made):
    chosen, better = made("a", 0.3, low=0.2, validation=0.9), made("b", 0.6, validation=0.5)
    assert plain(answer([chosen, better], "d").words).startswith(
        "a crnn does not recognise the emotions of new people better than guessing does: it has a UAR of 30"
    )


def test_a_run_above_chance_answers_before_more_people_at_chance(made):
    assert answer([made("a", 0.26, split=FOLDS), made("b", 0.6)], "d").score.value == 0.6


def test_scores_on_known_people_are_no_answer_for_new_ones(made):
    found = answer([made("R1", 0.9, split=HEARD)], "d")
    assert (found.title, found.trusted) == ("UAR on 2 people the model knows", False)
    assert "That does not hold for new people." in plain(found.words)


def test_a_run_without_test_clips_of_an_emotion_is_not_said_to_tell_it(made, rows):
    part = made("R1", 0.9, rows=untested(rows, "sadness"))
    assert (round(part.chance, 3), part.at_chance) == (0.333, False)
    found = answer([part], "d")
    assert "tells 3 of 4 emotions apart" in plain(found.words)
    assert "guessing gives 33.3 %" in plain(found.words)
    assert "There are no test clips of sadness, and few of anger (4)" in plain(found.words)
    both = [part, made("R2", 0.5)]
    lists = standings(both)
    assert [each.title for each in lists] == [
        "Task 4class, split speaker: 16 clips of 2 people new to the model",
        "Task 4class, split speaker, without sadness: 12 clips of 2 people new to the model",
    ]  # fmt: skip
    assert "R2" in plain(answer(both, "d").words)


def test_one_emotion_alone_is_no_better_than_guessing(made, rows):
    run = made("R1", 0.9, rows=untested(rows, "happiness", "neutral", "sadness"))
    assert (run.chance, run.at_chance) == (1.0, True)
    assert "no test clips of happiness, neutral or sadness" in plain(answer([run], "d").words)


def test_a_run_of_another_manifest_answers_only_where_there_is_no_other_and_says_so(made):
    foreign, own = made("a", 0.9, digest="old"), made("b", 0.5)
    assert answer([foreign, own], "d").score.value == 0.5
    assert "manifest" not in plain(answer([foreign, own], "d").words)
    said = plain(answer([foreign], "d").words)
    assert said.endswith(" It was made from another manifest than the one described here.")
    assert [rank.note for _, ranks in ranking([foreign, own], (), "d").lists for rank in ranks] == [
        "a, split speaker, other manifest", "b, split speaker",
    ]  # fmt: skip


def test_what_no_run_of_this_manifest_does_is_not_said_of_all(made):
    foreign, own = made("a", 0.9, digest="old"), made("b", 0.3, low=0.2)
    assert plain(answer([foreign, own], "d").words).startswith("No run of this manifest recognises")
    assert plain(answer([foreign, made("c", 0.9, split=HEARD)], "d").words).startswith(
        "No run of this manifest was tested on people who are new to the model."
    )


def test_without_runs_there_is_no_answer():
    assert answer([], "d") is None


def test_the_drawing_tells_every_run(made):
    drawn = comparison_panel(standings([made("R1", 0.5), made("R2", 0.26, split=HEARD)]))
    assert "R1 test 50.0 % (45.0\u201355.0); R2 test 26.0 % (21.0\u201331.0) (at chance)" in drawn.alt


@pytest.mark.parametrize("part", ["train", "validation"])
def test_what_was_not_tested_is_no_answer_for_new_people(tmp_path, rows, fake, made, part):
    folder = fake.run(tmp_path, "R7", rows, "d", epochs=2, part_of=lambda row: part)
    (run,), _ = read_runs([folder])
    found = answer([run], "d")
    assert (found.title, found.trusted) == (f"UAR on {part} clips, not tested", False)
    said = plain(found.words)
    assert said.startswith(
        f"No run was tested, as their splits have no test clips. On its {part} clips, R1 crnn"
    )
    assert "never heard" not in said
    assert ranking([run], (), "d").lists[0][0].endswith("not tested")
    assert ranking([run], (), "d").lists[0][1][0].known == (part == "train")
    tested = made("R2", 0.4)
    assert "R2" in plain(answer([run, tested], "d").words)
    assert [one.part for one in standings([run, tested])] == ["test", part]
