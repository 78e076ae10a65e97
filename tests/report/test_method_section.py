from dataclasses import replace

import pytest

from ser_pipeline.options import recipe
from ser_pipeline.report.document import Figure
from ser_pipeline.report.method_section import differing, distance_panel, flat, method_section
from ser_pipeline.runs.learned import TeacherInfo
from ser_pipeline.runs.read import read_runs
from ser_pipeline.tables import Table

pytestmark = pytest.mark.usefixtures("no_drawings")


@pytest.fixture
def runs(tmp_path, rows, fake):
    folders = [
        fake.run(tmp_path, "a", rows, "d", preset="paper", epochs=2),
        fake.run(
            tmp_path,
            "b",
            rows,
            "d",
            recipe={"train": {"spec_augment": {"time_masks": 0}, "device": "cpu", "data_on": "host"}},
            epochs=2,
        ),
    ]
    return read_runs(folders)[0]


def test_preset_paper_differs_from_itself_in_nothing(runs):
    assert differing(runs[:1]) == {}


def test_settings_that_differ_show_both_values(runs):
    found = differing(runs)
    assert not {"train.device", "train.data_on"} & {*found}  # they change no number
    assert found["train.optimizer"] == ("adam", ["=", "adamw"])
    assert found["model.masked"] == ("off", ["=", "on"])
    assert found["merges"] == (
        "calm=neutral, excitement=happiness",
        ["=", "none"],
    )
    assert found["train.spec_augment"][1][1].endswith("time_masks=0, time_width=19, fill=mean")
    assert "train.device" not in found
    assert "task" not in found


def test_every_setting_of_a_recipe_is_compared_or_left_out_on_purpose():
    assert flat(recipe()).keys() == flat(recipe("paper")).keys()


def test_a_teacher_is_named_after_the_settings(runs):
    assert "had a teacher" not in str(method_section(runs))
    teacher = TeacherInfo(run="big", what="svm on features", digest="0", held_out=True, unlabelled=7)
    taught = replace(runs[1], info=runs[1].info.model_copy(update={"teacher": teacher}))
    said = str(method_section([runs[0], taught]))
    assert (
        "R2 was trained with a teacher. Beside the labels, it learned the probabilities that run big (svm on"
        in said
    )
    assert "It also learned what the teacher says of 7 recordings without a label." in said
    assert "R1 had a teacher" not in said


def test_table_has_a_column_for_each_run(runs):
    table = next(block for block in method_section(runs).blocks if isinstance(block, Table))
    assert [column.heading for column in table.columns] == ["Setting", "preset paper", "R1", "R2"]
    optimizer = next(row for row in table.rows if row.entries[0].text == "optimizer")
    assert [cell.text for cell in optimizer.entries] == ["optimizer", "adam", "=", "adamw"]


def test_without_runs_the_matrix_stands_alone():
    blocks = method_section([]).blocks
    assert not any(isinstance(block, Table) for block in blocks)
    assert any(isinstance(block, Figure) for block in blocks)


def test_settings_that_say_nothing_about_a_model_are_left_open(tmp_path, rows, fake):
    svm = fake.run(
        tmp_path, "svm", rows, "d", model="svm", recipe={"model": {"name": "svm"}, "normalise": "speaker"}
    )
    crnn = fake.run(tmp_path, "crnn", rows, "d", epochs=2)
    found = differing(read_runs([svm, crnn])[0])
    assert found["train.optimizer"] == ("adam", ["–", "adamw"])  # noqa: RUF001
    assert found["front_end.scale"] == ("clip_minmax", ["–", "fixed"])  # noqa: RUF001
    assert found["normalise"] == ("none", ["speaker", "–"])  # noqa: RUF001


def test_a_run_stands_beside_what_its_preset_means_for_its_model(tmp_path, rows, fake):
    usual = fake.run(tmp_path, "dnn", rows, "d", model="dnn", recipe={"model": {"name": "dnn"}})
    assert differing(read_runs([usual])[0], "default") == {"model.name": ("crnn", ["dnn"])}
    more = fake.run(
        tmp_path, "more", rows, "d", model="dnn", recipe={"model": {"name": "dnn"}, "train": {"epochs": 99}}
    )
    crnn = fake.run(tmp_path, "crnn", rows, "d")
    found = differing(read_runs([usual, more, crnn])[0], "default")
    assert found["train.epochs"] == ("150 (R1, R2), 35 (R3)", ["=", "99", "="])
    assert "train.averaging" not in found


def test_parts_of_networks_are_listed_once_for_each_shape(runs):
    def told(run, layers):
        info = run.info.model_copy(update={"extra": {**run.info.extra, "layers": layers}, "parameters": 30})
        return replace(run, info=info)

    same, other = {"lstm": 20, "head": 10}, {"lstm": 30}
    shown = [told(runs[0], same), told(runs[1], same), told(runs[0], other), runs[1]]
    table = next(b for b in method_section(shown).blocks if isinstance(b, Table) and b.key == "networks")
    assert [len(group.rows) for group in table.groups] == [2, 1]
    assert [cell.text for cell in table.rows[0].entries] == ["lstm", "20", "66.7"]
    assert not any(isinstance(b, Table) and b.key == "networks" for b in method_section(runs).blocks)


def test_distances_are_the_published_matrix():
    drawn = distance_panel()
    assert "anger: 1.0, 0.9, 0.7, 0.6, 0.7, 0.8" in drawn.alt
    assert drawn.alt.count("1.0") == 6
