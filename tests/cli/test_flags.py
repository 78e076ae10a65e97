"""Flags made of options: what a command is given, and what its help shows."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import pytest
import typer
from typer.testing import CliRunner

from ser_pipeline import cli
from ser_pipeline.cli import app
from ser_pipeline.cli.flags import Given, help_text, option_command, spread
from ser_pipeline.options import Recipe, flags_of, settings_by_path


@dataclass(frozen=True)
class Shared:
    """Flags of several commands."""

    jobs: Annotated[int, typer.Option(min=1, help="How many work.")] = 1
    dry: Annotated[bool, typer.Option("--dry", help="Only say so.")] = False


@pytest.fixture
def toy():
    """A command that keeps what it was given, and how to call it."""
    seen = []
    made = typer.Typer(add_completion=False)

    def keep(given: Given, shared: Shared, name: Annotated[str, typer.Option(help="A name.")] = "") -> None:
        """Keep what was given."""
        seen.append((given, shared, name))

    option_command(made, lambda: flags_of("train"))(keep)

    def call(*words):
        result = CliRunner().invoke(made, list(map(str, words)))
        assert result.exit_code == 0, result.output
        return seen[-1]

    return call


def test_a_command_takes_what_was_given_as_one_object(toy):
    given, shared, name = toy(
        "svm", "--lr", "0.1", "--no-masks", "--own-scale", "--no-early-stopping", "--jobs", 2, "--name", "a"
    )
    assert (shared, name) == (Shared(jobs=2), "a")
    assert given.nested() == {
        "model": {"name": "svm", "masked": False, "own_scale": True},
        "train": {"learning_rate": "0.1", "patience": False},
    }
    typed = [given.flag(path) for path in given.values]
    assert sorted(typed) == ["--lr", "--no-early-stopping", "--no-masks", "--own-scale", "model"]
    assert given.command.endswith("svm --lr 0.1 --no-masks --own-scale --no-early-stopping --jobs 2 --name a")


def test_a_switch_of_what_has_settings_of_its_own_keeps_them(toy):
    assert toy("--mixup")[0].nested() == {"train": {"mixup": {}}}
    assert toy("--no-spec-augment")[0].nested() == {"train": {"spec_augment": False}}
    assert toy()[0].values == {}


def test_a_list_may_be_given_in_one_flag_or_in_several(toy):
    """Of an option with one value, the last one counts, as in other programs."""
    once = toy("--merge", "sadness=anger,fear=anger", "--corpora", "emodb,nemo", "--encoder", "a,b")[0]
    several = toy(
        "--merge", "sadness=anger", "--corpora", "emodb", "--seed", 1, "--encoder", "a",
        "--merge", "fear=anger", "--corpora", "nemo", "--encoder", "b", "--seed", 2,
    )[0]  # fmt: skip
    assert several.nested() == once.nested() | {"train": {"seed": "2"}}


def test_every_list_can_be_repeated():
    """Also those that a class of options has not got yet."""
    several = {each.flag for each in flags_of("train") if each.is_list}
    assert several >= {"merge", "corpora", "languages", "train-corpora", "log", "on", "layers", "encoder"}
    assert several >= {
        each.flag for each in flags_of("train") if each.valid.startswith(("a list", "source="))
    }


def test_an_option_can_be_followed_from_its_flag_to_the_recipe(toy, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    made = toy("--no-own-scale", "--trim-db", "none", "--merge", "calm=neutral")[0].recipe()
    assert (made.model.own_scale, made.front_end.trim_db) == (False, None)
    assert made.merges == {"calm": "neutral"}
    assert toy("--mixup")[0].recipe().train.mixup.alpha == 0.2


def test_flags_of_a_dataclass_are_flags_of_the_command():
    seen = []
    made = typer.Typer(add_completion=False)

    def keep(shared: Shared, word: Annotated[str, typer.Argument(help="A word.")]) -> None:
        """Keep it."""
        seen.append((shared, word))

    made.command()(spread(keep))
    assert CliRunner().invoke(made, ["a", "--dry"]).exit_code == 0
    assert seen == [(Shared(dry=True), "a")]
    assert CliRunner().invoke(made, ["a", "--jobs", "0"]).exit_code == 2


@pytest.mark.parametrize(
    "command", ["train", "cache mels", "cache features", "cache embeddings", "cache augment"]
)
def test_help_shows_every_default_choice_and_heading(command):
    shown = CliRunner(env={"COLUMNS": "600"}).invoke(app, [*command.split(), "--help"]).output
    words = " ".join(shown.replace("│", " ").split())
    for each in flags_of(command):
        assert each.panel in shown
        assert (each.flag if each.flag.isupper() else f"--{each.flag}") in shown
        if each.flag.isupper():  # an argument that is left out is chosen by what is cached
            assert f"[default: ({each.defaults})]" not in words
        else:
            assert f"[default: ({each.defaults})]" in words or each.defaults == ""
        assert help_text(each) in words
        assert all(choice in help_text(each) for choice in each.choices)


def test_help_says_for_which_models_an_option_is_where_its_heading_does_not():
    found = settings_by_path(Recipe)
    assert help_text(found["model.bidirectional"]).endswith("For crnn.")
    assert help_text(found["train.monitor"]).endswith("For all models.")
    assert help_text(found["train.epochs"]).endswith("At least 1.")


def test_no_command_reads_its_context():
    for path in Path(cli.__file__).parent.glob("*.py"):
        assert path.stem == "flags" or ".params" not in path.read_text(encoding="utf-8"), path.name


@pytest.mark.parametrize(
    "words",
    [
        ("corpora", "check", "--data", "s3://bucket/corpora"),
        ("manifest", "build", "--out", "s3://bucket/corpora"),
        ("cache", "verify", "--cache", "s3://bucket/corpora"),
        ("train", "logreg", "--runs", "s3://bucket/corpora"),
        ("report", "--out", "s3://bucket/corpora"),
        ("report", "--runs-dir", "s3://bucket/corpora"),
        ("runs", "list", "--runs", "s3://bucket/corpora"),
        ("manifest", "show", "--manifests", "s3://bucket/corpora"),
        ("experiment", "run", "hypotheses", "--cache", "s3://bucket/corpora"),
        ("bench", "--data", "s3://bucket/corpora"),
    ],
)
def test_an_address_in_place_of_a_folder_is_refused_before_one_of_its_name_is_made(ser, tmp_path, words):
    before = set(tmp_path.iterdir())
    assert ser(*words, status=1).output.startswith(
        "ser: s3://bucket/corpora: only folders and files of this machine"
    )
    assert set(tmp_path.iterdir()) == before
