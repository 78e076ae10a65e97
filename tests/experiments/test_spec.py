import re
from pathlib import Path

import pytest

from ser_pipeline.errors import SettingsError
from ser_pipeline.experiments.arms import Groups, designed
from ser_pipeline.experiments.spec import (
    ArmSpec,
    ClaimSpec,
    find_experiment,
    parse_experiment,
    shipped_names,
)

ARM = '[arms.one]\nsettings = { model = { name = "dnn" } }\n'
HEAD = 'title = "T"\n'


def claim(**values):
    lines = "".join(f"{key} = {value!r}\n" for key, value in values.items())
    return f"{HEAD}{ARM}[[claims]]\ntext = 'x'\nfirst = 'one'\n{lines}"


@pytest.mark.parametrize("name", shipped_names())
def test_every_shipped_experiment_reads_and_has_three_seeds(name):
    found = find_experiment(name)
    assert found.name == name
    assert len(found.seeds) >= 3
    assert found.claims


def test_the_page_names_the_shipped_ones_and_its_example_reads():
    page = (Path(__file__).parents[2] / "docs" / "experiments.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `([a-z-]+)` \|", page.partition("## Running")[0], re.MULTILINE)
    assert sorted(rows) == shipped_names()
    example, search = re.findall(r"```toml\n(.*?)```", page, re.DOTALL)
    found = designed(parse_experiment(example, "page.toml"), Groups((), {}))
    assert list(found.names) == [
        "dnn",
        "focal[train.focal_gamma=1.0]",
        "focal[train.focal_gamma=2.0]",
        "encoder",
    ]
    searched = parse_experiment(example + search.replace('"speaker"', '"clips"'), "page.toml").search
    assert searched.arm == "dnn"
    assert len(searched.space) == 3
    for kind in (ArmSpec, ClaimSpec):
        assert all(f"`{name}`" in page for name in kind.model_fields if name not in ("text", "emotion"))


def test_a_file_is_named_by_its_stem(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(HEAD + ARM)
    found = find_experiment(str(path))
    assert (found.name, found.title, found.seeds) == ("mine", "T", (0, 1, 2))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("title = ", "x.toml: not a TOML file"),
        (ARM, "x.toml: title: is missing; add it"),
        (HEAD, "x.toml: arms: is missing; add it"),
        (f"{HEAD}name = 'y'\n{ARM}", "x.toml: name: no such key; the file's own name"),
        (f"{HEAD}seed = [1]\n{ARM}", "x.toml: seed: no such key; valid are title, about, seeds"),
        (
            HEAD + "[arms.one]\nmodel = 'dnn'\n",
            "x.toml: arms.one.model: no such key; valid are settings, vary",
        ),
        (HEAD + "seeds = []\n" + ARM, "x.toml: seeds: Tuple should have at least 1 item"),
        (HEAD + "seeds = [0, 1, 0]\n" + ARM, "x.toml: seeds: the same one stands there twice"),
        (HEAD + "seeds = [-1]\n" + ARM, r"x.toml: seeds.1: .*greater than or equal to 0 \(found -1\)"),
        (claim(kind="bigger"), r"x.toml: claims.1.kind: Input should be .*\(found 'bigger'\)"),
        (claim(), "x.toml: claims.1: kind 'better' needs 'second'; add it"),
        (claim(kind="reaches"), "x.toml: claims.1: kind 'reaches' needs 'value'"),
        (claim(kind="best class"), "x.toml: claims.1: kind 'best class' needs 'emotion'"),
        (claim(kind="best class", emotion="rage"), "x.toml: claims.1: emotion 'rage' does not exist; valid"),
        (
            claim(kind="top confusions", pairs=[["anger", "fear"], ["anger", "anger"]]),
            "x.toml: claims.1: pairs: 'anger' cannot be confused with itself; name two emotions",
        ),
        (claim(second="one", scores="uar"), "x.toml: claims.1.scores: no such key; valid are text, kind"),
        (
            claim(kind="reaches", value=0.5, score="error_distance"),
            "x.toml: claims.1: score 'error_distance' goes with kind 'better' alone",
        ),
    ],
)
def test_what_does_not_fit_is_one_line_with_its_place(text, message):
    with pytest.raises(SettingsError, match=message) as caught:
        parse_experiment(text, "x.toml")
    assert "\n" not in str(caught.value)


def test_unknown_names_list_what_there_is(tmp_path):
    with pytest.raises(SettingsError, match="experiment 'nope' does not exist; shipped are ablations, cross"):
        find_experiment("nope")
    with pytest.raises(SettingsError, match="cannot name an experiment"):
        parse_experiment(HEAD + ARM, "cells.toml")
    with pytest.raises(SettingsError, match=r"'paper' comes with the package, .*; rename the file"):
        parse_experiment(HEAD + ARM, "mine/paper.toml")
    assert [find_experiment("paper").source, parse_experiment(HEAD + ARM, "a/b.toml").source] == [
        "paper",
        "a/b.toml",
    ]
    binary = tmp_path / "b.toml"
    binary.write_bytes(b"\xff\xfe")
    with pytest.raises(SettingsError, match="cannot be read as text"):
        find_experiment(str(binary))


@pytest.mark.parametrize(
    ("take", "message"),
    [
        ("nope = []", "x.toml: take: 'nope' is not shipped; valid are ablations, cross-corpus"),
        (
            "ablations = ['H9']",
            "x.toml: take: ablations has no claims of family 'H9'; valid are report; crnn",
        ),
        ("hypotheses = 'H1'", r"x.toml: take.hypotheses: .*valid tuple"),
    ],
)
def test_what_cannot_be_taken_is_one_line(take, message):
    with pytest.raises(SettingsError, match=message):
        parse_experiment(f"{HEAD}[take]\n{take}\n", "x.toml")


def test_an_arm_or_protocol_that_differs_from_the_one_taken_is_refused():
    with pytest.raises(
        SettingsError, match="take: arm 'dnn' of ablations has other settings here; rename it"
    ):
        parse_experiment(f"{HEAD}[arms.dnn]\n[take]\nablations = []\n", "x.toml")
    other = "[protocols]\npeople = { split = 'speaker' }\n"
    with pytest.raises(SettingsError, match="take: protocol 'people' of ablations has other settings"):
        parse_experiment(f"{HEAD}{other}[take]\nablations = []\n", "x.toml")
