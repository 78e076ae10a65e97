import pytest

from ser_pipeline.errors import SettingsError
from ser_pipeline.options import Mixup, ModelOptions, configured, names_model, recipe
from ser_pipeline.options.made import SECTIONS, chosen_recipe, nested


def test_settings_alone_and_by_section_are_the_same():
    alone = chosen_recipe("crnn", epochs=3, dropout=0.1, denoise="none", pitch_p=1.0)
    by_section = chosen_recipe(
        {"name": "crnn", "dropout": 0.1},
        train={"epochs": 3},
        front_end={"denoise": "none"},
        augment={"pitch_p": 1.0},
    )
    assert alone == by_section
    assert alone == recipe(
        model={"name": "crnn", "dropout": 0.1},
        train={"epochs": 3},
        front_end={"denoise": "none"},
        augment={"pitch_p": 1.0},
    )


def test_a_name_of_several_sections_is_that_of_the_first():
    assert nested({"seed": 1}) == {"train": {"seed": 1}}
    assert nested({"n_mels": 80}) == {"front_end": {"n_mels": 80}}
    assert list(SECTIONS[:3]) == ["train", "model", "front_end"]


def test_what_can_be_switched_off_is_so_by_none_and_by_false():
    for off in (None, False):
        made = chosen_recipe(patience=off, spec_augment=off, trim_db=off)
        assert (made.train.patience, made.train.spec_augment, made.front_end.trim_db) == (None, None, None)
    assert chosen_recipe(recipe(), patience=None).train.patience is None


def test_a_recipe_keeps_what_is_not_changed():
    base = recipe("paper", train={"patience": False, "mixup": Mixup(alpha=0.4)}, merges={"calm": "neutral"})
    changed = chosen_recipe(base, epochs=7)
    assert changed == base.model_copy(update={"train": base.train.model_copy(update={"epochs": 7})})


def test_the_file_is_below_what_is_said(tmp_path):
    file = tmp_path / "ser.toml"
    file.write_text('preset = "paper"\n[train]\nepochs = 9\nseed = 4\n')
    made = chosen_recipe("crnn", settings=file, epochs=3)
    assert (made.preset, made.train.epochs, made.train.seed) == ("paper", 3, 4)
    assert chosen_recipe("crnn", preset="default", settings=file).preset == "default"


def test_a_file_may_define_tasks_and_name_descriptions(tmp_path):
    file = tmp_path / "ser.toml"
    file.write_text("taks = 1\n")
    with pytest.raises(SettingsError, match=r"no such setting \(did you mean 'tas.*, tasks, descriptions$"):
        chosen_recipe("crnn", settings=file)
    file.write_text("descriptions = []\n[tasks]\nmine = ['anger', 'calm']\n")
    assert chosen_recipe("crnn", settings=file) == chosen_recipe("crnn")


def test_what_says_nothing_about_the_model_is_refused():
    with pytest.raises(SettingsError, match=r"^front_end\.n_mels: has no effect on model svm; leave it out$"):
        chosen_recipe("svm", n_mels=80)
    with pytest.raises(SettingsError, match=r"^normalise: has no effect on model crnn"):
        chosen_recipe("crnn", normalise="speaker")


def test_options_print_what_differs_from_the_defaults():
    assert repr(recipe().train) == (
        "TrainOptions(epochs=35, averaging=0.99, balance=0.5, spec_augment=SpecAugment(fill='mean'))"
    )
    assert repr(recipe("default", model={"name": "svm"})) == "Recipe(model=ModelOptions(name='svm'))"


@pytest.mark.parametrize(
    "text", ["model = 3", "model = true", "model = ['crnn']", "embeddings = 3", "train = 'x'"]
)
def test_what_must_hold_settings_and_does_not_is_named(tmp_path, text):
    (tmp_path / "ser.toml").write_text(text)
    name = text.partition(" ")[0]
    with pytest.raises(
        SettingsError, match=rf"ser\.toml: settings: {name}: must hold settings by their names"
    ):
        configured(tmp_path / "ser.toml")


def test_the_name_of_a_model_stands_for_its_settings(tmp_path):
    (tmp_path / "ser.toml").write_text("model = 'svm'\n")
    assert configured(tmp_path / "ser.toml") == recipe(model="svm") == recipe(model={"name": "svm"})
    assert configured(tmp_path / "ser.toml", model={"c": 0.5}).model == ModelOptions(name="svm", c=0.5)
    assert names_model(tmp_path / "ser.toml")
    (tmp_path / "ser.toml").write_text("model = 3\n")
    assert not names_model(tmp_path / "ser.toml")


@pytest.mark.parametrize(
    ("text", "model", "other"),
    [("on = 'frames,features'", "probe", "crnn"), ("[front_end]\nmax_s = 0.1", "svm", "crnn")],
)
def test_a_file_is_judged_with_the_model_that_it_is_for(tmp_path, text, model, other):
    (tmp_path / "ser.toml").write_text(text)
    assert configured(tmp_path / "ser.toml", model=model).model.name == model
    with pytest.raises(SettingsError, match=r"crnn (reads mels|needs at least 8)"):
        configured(tmp_path / "ser.toml", model=other)
    made = configured(tmp_path / "ser.toml")  # as for a store
    with pytest.raises(SettingsError, match=r"crnn (reads mels|needs at least 8)"):
        chosen_recipe(made)


def test_true_and_false_are_not_numbers():
    for section, name in (("front_end", "trim_db"), ("front_end", "max_s"), ("train", "patience")):
        with pytest.raises(SettingsError, match=rf"{section}\.{name}: must be a .*number .*\(found True\)"):
            recipe(**{section: {name: True}})
    with pytest.raises(SettingsError, match=r"train\.weight_decay: must be a number .*\(found False\)"):
        recipe(train={"weight_decay": False})
    assert recipe(train={"patience": False}).train.patience is None


@pytest.mark.parametrize("text", ["model = ['crnn']", "train = 3"])
def test_a_change_within_a_section_does_not_hide_that_the_file_has_no_table(tmp_path, text):
    path = tmp_path / "ser.toml"
    path.write_text(text)
    with pytest.raises(
        SettingsError, match=r"ser\.toml: settings: (model|train): must hold settings by their"
    ):
        configured(path, model={"name": "svm"}, train={"seed": 1})


@pytest.mark.parametrize("layers", [[True, 2], [1, "x"], [-1]])
def test_a_list_of_numbers_holds_numbers(layers):
    with pytest.raises(
        SettingsError, match=r"embeddings\.layers: must be a list of whole numbers, such as 2,3"
    ):
        recipe(embeddings={"layers": layers})
