import pytest

from ser_pipeline.errors import SettingsError
from ser_pipeline.options import (
    POOLINGS,
    EmbeddingOptions,
    FrontEnd,
    ModelOptions,
    Recipe,
    configured,
    own_tasks,
    recipe,
)
from ser_pipeline.options.made import chosen_recipe, read_toml


def test_presets_differ_where_the_paper_is_defective():
    default, paper = recipe(), recipe("paper")
    assert (default.train.optimizer, paper.train.optimizer) == ("adamw", "adam")
    assert (default.train.monitor, paper.train.monitor) == ("uar", "accuracy")
    assert (default.split, paper.split) == ("speaker", "stratified")
    assert (default.model.masked, paper.model.masked) == (True, False)
    assert paper.train.loss == "distance_ce"
    assert paper.merges == {"calm": "neutral", "excitement": "happiness"}
    assert default.merges == {}


def test_what_was_found_to_help_is_on_for_networks_on_mels_and_off_for_all_else():
    for changes in ({}, {"model": {"name": "mhsa"}}):
        found = recipe(**changes)
        assert found.model.own_scale
        assert (found.train.epochs, found.train.averaging, found.train.balance) == (35, 0.99, 0.5)
        assert found.train.spec_augment.fill == "mean"
    for other in (recipe("paper"), recipe(model={"name": "dnn"})):
        assert not other.model.own_scale
        assert (other.train.epochs, other.train.averaging) == (150, 0)
        assert (other.train.balance, other.train.batch_size, other.train.patience) == (0, 40, 28)


@pytest.mark.parametrize(
    ("front_end", "line"),
    [
        ({"sample_rate": 4_000}, "denoise gate needs a sample_rate from 5120 to 256000 Hz; it is 4000"),
        ({"max_s": 0.1}, "max_s 0.1 and hop_length 512 give 5 frames; crnn needs at least 8"),
    ],
)
def test_inputs_that_nothing_can_be_made_of_are_refused_at_once(front_end, line):
    with pytest.raises(SettingsError, match=line):
        recipe(front_end=front_end, model="crnn")
    recipe(front_end=front_end | {"denoise": "none"}, model="dnn")
    recipe(front_end=front_end | {"denoise": "none"})


def test_runs_of_before_an_option_was_there_are_read_as_they_were():
    assert not ModelOptions.model_validate({"name": "crnn", "masked": True}).own_scale


def test_what_is_learned_from_an_encoder_is_the_mean_unless_something_else_was_said(tmp_path):
    assert recipe().embeddings_pooling == ("mean",)
    assert recipe(embeddings={"encoder": "a"}).embeddings.pooling == POOLINGS
    assert recipe(embeddings_pooling="max,mean").embeddings_pooling == ("mean", "max")
    once = recipe(on="embeddings").model_dump(mode="json", exclude={"embeddings_pooling"})
    assert Recipe.model_validate(once).embeddings_pooling == POOLINGS  # settings of a run of before
    file = tmp_path / "ser.toml"
    file.write_text("[embeddings]\npooling = ['std']\n", encoding="utf-8")
    assert configured(file).embeddings_pooling == ("std",)
    kept = EmbeddingOptions(pooling=("max",))
    assert Recipe(embeddings=kept).embeddings_pooling == ("max",)


def test_four_seconds_are_173_frames():
    assert FrontEnd().max_frames == 173


def test_changes_are_merged_and_none_is_left_out():
    changed = recipe("paper", train={"epochs": 3, "optimizer": None}, task=None)
    assert (changed.train.epochs, changed.train.optimizer, changed.task) == (3, "adam", "4class")
    assert recipe(front_end={"denoise": None, "n_mels": 80}).front_end == FrontEnd(n_mels=80)


def test_merges_replace_the_presets():
    assert recipe("paper", merges={"boredom": "neutral"}).merges == {"boredom": "neutral"}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"train": {"epochs": 0}}, "settings: train.epochs: must be a whole number of at least 1 .found"),
        (
            {"train": {"epoch": 3}},
            "settings: train.epoch: there is no such setting .*'epochs'.*; valid are epochs, batch_size",
        ),
        ({"front_end": {"denoise": "magic"}}, "front_end.denoise: .*found 'magic'"),
        ({"front_end": {"floor_db": 50.0}}, "floor_db 50.0 must lie below ceiling_db"),
        ({"front_end": {"level": "corpus_rms", "scale": "clip_minmax"}}, "corpus_rms needs reference one"),
        ({"model": {"dropout": 1.5}}, "model.dropout: must be a number from 0 to 1"),
    ],
)
def test_wrong_values_name_their_field(changes, message):
    with pytest.raises(SettingsError, match=message):
        recipe(**changes)


def test_an_unknown_preset_names_the_valid_ones():
    with pytest.raises(SettingsError, match="preset 'papr' does not exist; valid are default, paper"):
        recipe("papr")


def test_flag_wins_over_file_wins_over_default(tmp_path):
    path = tmp_path / "ser.toml"
    path.write_text("preset = 'paper'\n[train]\nepochs = 7\nseed = 3\n")
    made = configured(path, train={"epochs": 2, "seed": None})
    assert (made.preset, made.train.epochs, made.train.seed) == ("paper", 2, 3)
    assert configured(path, "default").train.optimizer == "adamw"
    assert configured(tmp_path / "none.toml").preset == "default"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("epochs = ", "ser.toml: not a TOML file"),
        ("[train]\nepochs = 'many'", "ser.toml: settings: train.epochs"),
    ],
)
def test_a_wrong_file_is_named(tmp_path, text, message):
    (tmp_path / "ser.toml").write_text(text)
    with pytest.raises(SettingsError, match=message):
        configured(tmp_path / "ser.toml")


def test_tasks_of_ones_own(tmp_path):
    path = tmp_path / "ser.toml"
    path.write_text("[tasks]\nstress = ['anger', 'fear', 'calm']\n")
    assert own_tasks(path) == {"stress": ("anger", "fear", "calm")}
    path.write_text("[tasks]\nstress = 'anger'\n")
    with pytest.raises(SettingsError, match="tasks: each must be a list of emotions"):
        own_tasks(path)


def test_no_file_is_no_settings(tmp_path):
    assert read_toml(tmp_path / "ser.toml") == {}


def test_a_file_that_is_not_readable_is_named(tmp_path, monkeypatch):
    def refuse(*_args, **_more):
        raise PermissionError(13, "Permission denied")

    (tmp_path / "ser.toml").touch()
    monkeypatch.setattr("pathlib.Path.read_text", refuse)
    with pytest.raises(
        SettingsError, match=r"ser\.toml: cannot be read \(Permission denied\); check the file"
    ):
        read_toml(tmp_path / "ser.toml")


def test_a_task_must_be_able_to_name_a_run(tmp_path):
    (tmp_path / "ser.toml").write_text("[tasks]\n'a/b' = ['anger', 'calm']\n")
    with pytest.raises(SettingsError, match="tasks: 'a/b' cannot name a task"):
        own_tasks(tmp_path / "ser.toml")


def test_false_in_a_file_switches_an_option_off(tmp_path):
    (tmp_path / "ser.toml").write_text(
        "[train]\npatience = false\nspec_augment = false\n[front_end]\ntrim_db = false\n"
    )
    chosen = configured(tmp_path / "ser.toml")
    assert (chosen.train.patience, chosen.train.spec_augment, chosen.front_end.trim_db) == (None, None, None)


def test_preset_paper_says_of_the_feature_network_no_more_than_the_report():
    network = recipe("paper", model={"name": "cnn1d"})
    assert network.train.optimizer == "adam"
    assert (network.train.weight_decay, network.train.patience, network.train.restart_epochs) == (
        0,
        None,
        None,
    )
    assert network.train.loss == "ce"
    assert recipe("paper").train.loss == "distance_ce"


def test_what_has_no_effect_on_mels_is_refused():
    with pytest.raises(
        SettingsError, match=r"^front_end\.target_rms: has no effect on level none; leave it out$"
    ):
        chosen_recipe("crnn", level="none", target_rms=0.2)
    assert chosen_recipe("crnn", level="corpus_rms", target_rms=0.2).front_end.target_rms == 0.2


def test_a_padding_that_float16_cannot_hold_is_refused():
    with pytest.raises(SettingsError, match=r"pad_value: must be a number from -100 to 100"):
        recipe(front_end={"pad_value": 1e5})
