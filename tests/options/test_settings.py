"""What is read off the fields of options: names, flags, valid values, presets, errors."""

from typing import Annotated, Literal

import pytest
from pydantic import Field

from ser_pipeline.errors import SettingsError
from ser_pipeline.options import (
    LOSSES,
    MODELS,
    Limits,
    Options,
    PredictOptions,
    Recipe,
    checked,
    flags_of,
    recipe,
    settings_by_path,
    settings_of,
)
from ser_pipeline.options.base import LIST, OFF, PANELS, option
from ser_pipeline.options.effect import COMMANDS

CLASSES = (Recipe, PredictOptions, Limits)
EVERY = [each for kind in CLASSES for each in settings_of(kind)]


class Inner(Options):
    depth: Annotated[int, Field(ge=1, le=9)] = option(3, "How deep it is.")


class Toy(Options):
    """As many kinds of fields as there are."""

    way: Literal["up", "down"] = option("up", "Which way it goes.")
    size: Annotated[float, Field(gt=0, lt=2)] = option(1.0, "How large it is.", flag="large")
    count: Annotated[int | None, OFF] = option(None, "How many there are.", off="no-count")
    both: Annotated[tuple[float, float], LIST] = option((0.0, 1.0), "From where to where.")
    names: Annotated[tuple[str, ...], LIST] = option((), "Who they are.")
    more: Annotated[Inner | None, OFF] = option(None, "Whether there is more.")
    inner: Inner = option(Inner(), "What is inside.", flag="")


def test_a_field_says_all_that_is_known_of_it():
    found = settings_by_path(Toy)
    assert [(each.path, each.flag, each.off, each.valid) for each in found.values()] == [
        ("way", "way", "", "up or down"),
        ("size", "large", "", "a number above 0 and below 2"),
        ("count", "count", "no-count", "a whole number or 'none'"),
        ("both", "both", "", "2 numbers, such as 1,2"),
        ("names", "names", "", "a list, such as a,b"),
        ("more", "more", "", "a table of its own settings or 'none'"),
        ("more.depth", "", "", "a whole number from 1 to 9"),
        ("inner.depth", "", "", "a whole number from 1 to 9"),
    ]
    assert found["way"].choices == ("up", "down")
    assert [path for path, each in found.items() if each.is_switch] == ["more"]


@pytest.mark.parametrize(
    ("values", "line"),
    [
        ({"way": "left"}, r"toy: way: must be up or down \(found 'left'\)"),
        ({"size": 2}, r"toy: size: must be a number above 0 and below 2 \(found 2\)"),
        ({"size": "nan"}, "toy: size: must be a finite number above 0 and below 2"),
        ({"both": "0,inf"}, "toy: both: must be 2 numbers, such as 1,2"),
        ({"both": "1"}, "toy: both: must be 2 numbers, such as 1,2"),
        ({"inner": {"depth": 0}}, "toy: inner.depth: must be a whole number from 1 to 9"),
        ({"inner": {"deep": 1}}, "toy: inner.deep: there is no such setting .*'depth'.*; valid are depth"),
        ({"wya": "up"}, "toy: wya: there is no such setting .*'way'.*; valid are way, size, count"),
    ],
)
def test_a_wrong_value_is_one_line_that_says_what_is_valid(values, line):
    with pytest.raises(SettingsError, match=line):
        checked(Toy, values, where="toy")


def test_text_is_read_as_the_field_says():
    made = checked(Toy, {"both": "1,2", "names": "a, b", "count": "none", "size": "0.5"}, where="toy")
    assert (made.both, made.names, made.count, made.size) == ((1.0, 2.0), ("a", "b"), None, 0.5)


@pytest.mark.parametrize("each", EVERY, ids=lambda each: each.path)
def test_every_option_is_described_in_whole_sentences(each):
    assert each.description[0].isupper()
    assert each.description.endswith(".")
    assert len(each.description.split()) >= 3


@pytest.mark.parametrize("each", settings_of(Recipe), ids=lambda each: each.path)
def test_every_option_of_a_recipe_has_a_heading_and_says_something_about_some_model(each):
    assert each.panel in PANELS
    assert each.models


@pytest.mark.parametrize("each", EVERY, ids=lambda each: each.path)
def test_defaults_are_valid(each):
    kind = next(kind for kind in CLASSES if each in settings_of(kind))
    for value in (each.default, *each.presets.values()):
        nested = value.model_dump() if isinstance(value, Options) else value
        for name in reversed(each.path.split(".")):
            nested = {name: nested}
        checked(kind, nested, where="default")


@pytest.mark.parametrize("command", COMMANDS)
def test_no_two_options_of_a_command_have_one_flag(command):
    flags = [flag for each in flags_of(command) for flag in (each.flag, each.off) if flag]
    assert len(set(flags)) == len(flags)


def test_presets_are_what_the_fields_say():
    for preset in ("default", "paper"):
        for model in MODELS:
            made = recipe(preset, model={"name": model})
            for each in settings_of(Recipe):
                value = made
                for name in each.path.split("."):
                    value = getattr(value, name, None)
                expected = each.preset(preset, mels=MODELS[model].inputs == "mels")
                if each.path in ("preset", "model.name") or ("." in each.section and value is None):
                    continue  # what was asked for, and settings of what is off
                if isinstance(value, Options):
                    assert (value is not None) == (expected is not None)
                elif not each.is_switch and expected is False:
                    assert value is None
                else:
                    assert value == expected, (preset, model, each.path)


def test_a_loss_and_a_model_declare_options_that_there_are():
    paths = settings_by_path(Recipe)
    for objective in LOSSES.values():
        assert {f"train.{name}" for name in objective.options} <= paths.keys()
    for model in MODELS.values():
        assert {f"model.{name}" for name in model.options} <= paths.keys()


def test_defaults_are_told_for_both_presets_and_both_inputs():
    told = {each.path: each.defaults for each in settings_of(Recipe)}
    assert told["train.epochs"] == "35 for mels, 150 for features; preset paper: 150"
    assert told["train.patience"] == "28; preset paper: 28 for mels, none for features"
    assert told["model.own_scale"] == "on; preset paper: off"
    assert told["front_end.trim_db"] == "20.0"
